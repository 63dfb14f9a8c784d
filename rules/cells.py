"""Edits of a rule book's document cell by cell and row by row: a table of rules as a person edits it.

Works on plain values of a resolved document, sound or not, and returns a new one. A place is a JSON pointer
(`/rule/3/points`); rows go by position, since a row that is being written may have no id yet, or another's.
"""

import copy
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from rules.errors import Fault
from rules.json_form import from_json

MAX_EDITS = 2_000
MAX_ROWS = 1_000
_MAX_STEPS = 12
_POSITION = re.compile(r"0|[1-9]\d{0,5}")
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")

Place = Annotated[str, Field(max_length=400, examples=["/rule/3/points"])]
Position = Annotated[int, Field(ge=0, le=MAX_ROWS)]


class _Edit(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SetCell(_Edit):
    """Put a value into a cell; null takes the key away. Tables that are missing on the way are made."""

    op: Literal["set"] = "set"
    path: Place
    value: Any = None


class AddRow(_Edit):
    """Put a row into a list (`rule`, `tier`, `rule/3/example`), at the end unless a position is named."""

    op: Literal["add"]
    part: Place
    value: dict[str, Any] = Field(default_factory=dict)
    at: Position | None = None


class MoveRow(_Edit):
    """Move a row to another position of its list: for rules the first match wins, so their order counts."""

    op: Literal["move"]
    part: Place
    at: Position
    to: Position


class RemoveRow(_Edit):
    """Take a row out of its list."""

    op: Literal["remove"]
    part: Place
    at: Position


def _op(edit: object) -> str | None:
    """Which operation an edit is; one that names none sets a cell."""
    found = edit.get("op", "set") if isinstance(edit, dict) else getattr(edit, "op", None)
    return found if isinstance(found, str) else None


Edit = Annotated[
    Annotated[SetCell, Tag("set")]
    | Annotated[AddRow, Tag("add")]
    | Annotated[MoveRow, Tag("move")]
    | Annotated[RemoveRow, Tag("remove")],
    Discriminator(_op),
]


class CellError(ValueError):
    """An edit that leads nowhere.

    Parameters
    ----------
    code
        `no_such_row`, `no_such_place` or `too_many_rows`.
    number
        Position of the edit in the list.
    path
        Where it was to be.
    """

    def __init__(self, code: str, number: int, path: str) -> None:
        self.code = code
        self.number = number
        self.path = path
        super().__init__(f"edit {number}, {path}: {code}")


def edited(document: dict[str, Any], edits: Sequence[Edit]) -> dict[str, Any]:
    """The document with all edits made, one after the other; the one given stays as it is.

    Raises
    ------
    CellError
        For the first edit that leads nowhere.
    """
    changed = copy.deepcopy(document)
    for number, edit in enumerate(edits):
        try:
            _apply(changed, edit)
        except _NowhereError as error:
            path = edit.path if isinstance(edit, SetCell) else edit.part
            raise CellError(str(error), number, path) from None
    return from_json(changed)


class _NowhereError(Exception):
    """Names the code of a `CellError`."""


def _apply(document: dict[str, Any], edit: Edit) -> None:
    if isinstance(edit, SetCell):
        _set(document, steps_of(edit.path), copy.deepcopy(edit.value))
        return
    rows = _rows(document, edit)
    if isinstance(edit, AddRow):
        if len(rows) >= MAX_ROWS:
            raise _NowhereError("too_many_rows")
        rows.insert(len(rows) if edit.at is None else edit.at, copy.deepcopy(edit.value))
        return
    if edit.at >= len(rows):
        raise _NowhereError("no_such_row")
    row = rows.pop(edit.at)
    if isinstance(edit, MoveRow):
        rows.insert(edit.to, row)


def steps_of(path: str) -> list[str]:
    """The steps of a JSON pointer; its first slash may be left out."""
    written = path.removeprefix("/")
    return [step.replace("~1", "/").replace("~0", "~") for step in written.split("/")] if written else []


def _rows(document: dict[str, Any], edit: AddRow | MoveRow | RemoveRow) -> list[Any]:
    """The list an edit is about; adding to one that is missing makes it."""
    *way, last = steps_of(edit.part) or [""]
    holder = _reach(document, way)
    if isinstance(edit, AddRow) and isinstance(holder, dict) and last not in holder and last:
        holder[last] = []
    rows = _step(holder, last)
    if not isinstance(rows, list):
        raise _NowhereError("no_such_place")
    return rows


def _step(holder: object, step: str) -> Any:
    if isinstance(holder, dict) and step in holder:
        return holder[step]
    if isinstance(holder, list) and _POSITION.fullmatch(step):
        if int(step) < len(holder):
            return holder[int(step)]
        raise _NowhereError("no_such_row")
    raise _NowhereError("no_such_place")


def _reach(document: dict[str, Any], way: list[str], *, make: bool = False) -> Any:
    holder: Any = document
    for step in way:
        if make and isinstance(holder, dict) and step and not isinstance(holder.get(step), dict | list):
            holder[step] = {}
        holder = _step(holder, step)
    return holder


def _set(document: dict[str, Any], steps: list[str], value: Any) -> None:
    if not steps or not steps[-1] or len(steps) > _MAX_STEPS:
        raise _NowhereError("no_such_place")
    *way, last = steps
    if value is None:
        _take_away(document, way, last)
        return
    holder = _reach(document, way, make=True)
    if isinstance(holder, dict):
        holder[last] = value
    elif isinstance(holder, list) and _POSITION.fullmatch(last) and int(last) < len(holder):
        holder[int(last)] = value
    else:
        raise _NowhereError("no_such_row" if isinstance(holder, list) else "no_such_place")


def _take_away(document: dict[str, Any], way: list[str], last: str) -> None:
    """Remove a key, and the tables that are empty without it; what is not there is gone already."""
    trail: list[tuple[dict[str, Any], str]] = []
    holder: Any = document
    for step in way:
        if isinstance(holder, dict):
            if step not in holder:
                return
            trail.append((holder, step))
        holder = _step(holder, step)
    if not isinstance(holder, dict):
        raise _NowhereError("no_such_place")
    holder.pop(last, None)
    for above, step in reversed(trail):
        if above[step] != {}:
            break
        del above[step]


def pointer_of(document: dict[str, Any], fault: Fault) -> str:
    """Where in a document a fault stands, as a JSON pointer; empty for the document as a whole.

    A key that is missing is pointed at where it should be.
    """
    steps = [(name, int(number) - 1 if number else 0) for name, number in _STEP.findall(fault.key)]
    found: list[str] = []
    holder: Any = document
    if fault.rule:
        rows = document.get(fault.part)
        at = _row_named(rows, fault.rule) if isinstance(rows, list) else None
        if at is None or not isinstance(rows, list):
            return f"/{fault.part}"
        found, holder = [fault.part, str(at)], rows[at]
        if steps and steps[0][0] == fault.part:
            # A row that is no table at all is named by its place in the document.
            steps = []
    for name, number in steps:
        step = name or str(number)
        if not isinstance(holder, dict | list) or (isinstance(holder, list) and name):
            break
        found.append(step)
        try:
            holder = _step(holder, step)
        except _NowhereError:
            break
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in found)


def _row_named(rows: list[Any], name: str) -> int | None:
    """Position of the row that a fault names; of two of one name the later one is the fault."""
    if name.startswith("#") and name[1:].isdigit() and int(name[1:]) <= len(rows):
        return int(name[1:]) - 1
    for at in range(len(rows) - 1, -1, -1):
        row = rows[at]
        if isinstance(row, dict) and str(row.get("id") or row.get("kind") or "") == name:
            return at
    return None
