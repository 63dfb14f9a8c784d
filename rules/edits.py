"""Edits of a rule book's document, cell by cell and row by row, as a person edits a table of rules.

Works on plain values of a resolved document, sound or not, and returns a new one. A place is a JSON pointer
(`/rule/3/points`); rows go by position, since a row that is being written may have no id yet, or another's.
"""

import copy
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from rules import nested
from rules.errors import Fault, RuleError
from rules.json_form import from_json

MAX_EDITS = 2_000
MAX_ROWS = 1_000
_MAX_STEPS = 12
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
    operation = edit.get("op", "set") if isinstance(edit, dict) else getattr(edit, "op", None)
    return operation if isinstance(operation, str) else None


Edit = Annotated[
    Annotated[SetCell, Tag("set")]
    | Annotated[AddRow, Tag("add")]
    | Annotated[MoveRow, Tag("move")]
    | Annotated[RemoveRow, Tag("remove")],
    Discriminator(_op),
]


class CellError(RuleError):
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
    """The document with all edits made, one after the other; the original stays as it is.

    Parameters
    ----------
    document
        Plain TOML values, sound or not.
    edits
        At most `MAX_EDITS`; positions are those after the edits before.

    Returns
    -------
    dict
        A new document of plain TOML values; values of edits may come from JSON.

    Raises
    ------
    CellError
        For the first edit that leads nowhere.
    """
    changed = copy.deepcopy(document)
    for number, edit in enumerate(edits):
        pointer = edit.path if isinstance(edit, SetCell) else edit.part
        path = nested.path_of(pointer)
        try:
            code = _apply(changed, edit, path)
        except nested.NowhereError as error:
            is_missing_row = isinstance(error.holder, list) and (error.is_row or error.step == path[-1])
            code = "no_such_row" if is_missing_row else "no_such_place"
        if code:
            raise CellError(code, number, pointer)
    return from_json(changed)


def _apply(document: dict[str, Any], edit: Edit, path: list[str]) -> str:
    """Make one edit; the code of a `CellError` if it cannot be made, else nothing."""
    if not path or not path[-1] or len(path) > _MAX_STEPS:
        return "no_such_place"
    if isinstance(edit, SetCell):
        if edit.value is None:
            return _take_away(document, path)
        nested.put(document, path, copy.deepcopy(edit.value))
        return ""
    rows = _rows(document, path, edit)
    if not isinstance(rows, list):
        return "no_such_place"
    if isinstance(edit, AddRow):
        if len(rows) >= MAX_ROWS:
            return "too_many_rows"
        rows.insert(len(rows) if edit.at is None else edit.at, copy.deepcopy(edit.value))
        return ""
    if edit.at >= len(rows):
        return "no_such_row"
    row = rows.pop(edit.at)
    if isinstance(edit, MoveRow):
        rows.insert(edit.to, row)
    return ""


def _rows(document: dict[str, Any], path: list[str], edit: AddRow | MoveRow | RemoveRow) -> Any:
    """The list an edit is about; adding to one that is missing makes it."""
    holder = nested.reach(document, path[:-1])
    if isinstance(edit, AddRow) and isinstance(holder, dict):
        holder.setdefault(path[-1], [])
    return nested.child(holder, path[-1])


def _take_away(document: dict[str, Any], path: list[str]) -> str:
    """Remove a key, and the tables that are empty without it; what is not there is gone already."""
    reached = nested.trail(document, path[:-1])
    if len(reached) < len(path):
        if isinstance(reached[-1], dict):
            return ""
        raise nested.NowhereError(reached[-1], path[len(reached) - 1])
    if not isinstance(reached[-1], dict):
        return "no_such_place"
    nested.discard(document, path)
    return ""


def pointer_of(document: dict[str, Any], fault: Fault) -> str:
    """Where in a document a fault stands.

    Parameters
    ----------
    document
        The faulty document.
    fault
        One of its faults.

    Returns
    -------
    str
        A JSON pointer; empty for the document as a whole. A key that is missing is pointed at where it should be.
    """
    steps: list[nested.Step] = [name or int(number) - 1 for name, number in _STEP.findall(fault.key)]
    start: list[nested.Step] = []
    holder: Any = document
    if fault.rule:
        rows = document.get(fault.part)
        position = _row_named(rows, fault.rule) if isinstance(rows, list) else None
        if position is None or not isinstance(rows, list):
            return nested.pointer_of([fault.part])
        start, holder = [fault.part, position], rows[position]
        if steps and steps[0] == fault.part:
            # A row that is no table at all is named by its place in the document.
            steps = []
    reached = nested.trail(holder, steps)
    num_taken = len(reached) - 1
    if num_taken < len(steps):
        # The step that fails is where the value should be.
        is_key = isinstance(steps[num_taken], str)
        num_taken += isinstance(reached[-1], dict) or (isinstance(reached[-1], list) and not is_key)
    return nested.pointer_of([*start, *steps[:num_taken]])


def _row_named(rows: list[Any], name: str) -> int | None:
    """Position of the row that a fault names; of two of one name the later one is the fault."""
    if name.startswith("#") and name[1:].isdigit() and int(name[1:]) <= len(rows):
        return int(name[1:]) - 1
    for position in range(len(rows) - 1, -1, -1):
        row = rows[position]
        if isinstance(row, dict) and str(row.get("id") or row.get("kind") or "") == name:
            return position
    return None
