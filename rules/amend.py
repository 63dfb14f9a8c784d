"""What-if books: a book and a change give a new book; the old one is not modified.

A change is a dotted key and a value: `rule.late_5.points=-2`, `score.base=72`, `fading.after_days=14`. An empty value
removes the key. A rule, cap, tier or group goes by its id, a report by its kind (`report.severe_weather/3.exempt`).
"""

import copy
from collections.abc import Mapping
from typing import Any

from rules.book import Book
from rules.errors import BookError, Fault
from rules.parse import Source, book_of, read_toml
from rules.validation import as_written

REMOVE = None
_IDENTITY = ("id", "level_from")
_LISTS = ("rule", "cap", "tier", "group", "report")

Changes = Mapping[str, Any]


def amend(book: Book, changes: Changes) -> Book:
    """The book with these values set; a value of None removes the key.

    Parameters
    ----------
    book
        The book to start from; it stays as it is.
    changes
        Dotted keys and plain TOML values (decimals as `Decimal`).

    Raises
    ------
    BookError
        With every key that leads nowhere, and every fault of the amended book.
    """
    document = copy.deepcopy(book.document)
    faults: list[Fault] = []
    for key, value in changes.items():
        fault = _set(document, key, copy.deepcopy(value), book.file)
        if fault is not None:
            faults.append(fault)
    try:
        amended = book_of(document, book.file)
    except BookError as error:
        raise BookError((*faults, *error.faults)) from None
    if faults:
        raise BookError(tuple(faults))
    return amended


def reverse(book: Book, changes: Changes) -> dict[str, Any]:
    """The changes that undo `changes`: amending the amended book by them gives this one, digest and all."""
    back: dict[str, Any] = {}
    for key in changes:
        holder: Any = book.document
        steps = _steps(book.document, key)
        for position, step in enumerate(steps):
            found = _step_into(holder, step)
            if found is None:
                # The highest table that is missing is what the change creates.
                back[".".join(steps[: position + 1])] = REMOVE
                break
            holder = found
        else:
            back[key] = holder
    return back


def parse_changes(settings: list[str], file: str) -> dict[str, Any]:
    """Changes written as `key=value`; a value that is no TOML value is taken as text.

    Raises
    ------
    BookError
        With every setting that has no key or no `=`.
    """
    faults = []
    changes: dict[str, Any] = {}
    for setting in settings:
        key, equals, written = setting.partition("=")
        key = key.strip()
        if not equals or not key:
            faults.append(Fault("bad_change", file, given=setting))
            continue
        changes[key] = _value(written.strip())
    if faults:
        raise BookError(tuple(faults))
    return changes


def _value(written: str) -> Any:
    if not written:
        return REMOVE
    try:
        return read_toml(Source(f"value = {written}", ""))["value"]
    except BookError:
        return written


def _steps(document: dict[str, Any], key: str) -> list[str]:
    """The steps of a dotted key; the id of a part, which may hold dots itself, is one step."""
    first, _, rest = key.partition(".")
    if first not in _LISTS or not rest:
        return key.split(".")
    names = [_name(item) for item in document.get(first, [])]
    known = [name for name in names if rest == name or rest.startswith(f"{name}.")]
    name = max(known, key=len, default=rest.split(".")[0])
    tail = rest[len(name) + 1 :]
    return [first, name, *(tail.split(".") if tail else [])]


def _name(item: dict[str, Any]) -> str:
    if "id" in item:
        return str(item["id"])
    level = item.get("level_from", 0)
    return str(item.get("kind")) + (f"/{level}" if level else "")


def _step_into(holder: Any, step: str) -> Any:
    if isinstance(holder, dict):
        return holder.get(step)
    if isinstance(holder, list):
        return next((item for item in holder if isinstance(item, dict) and _name(item) == step), None)
    return None


def _set(document: dict[str, Any], key: str, value: Any, file: str) -> Fault | None:
    steps = _steps(document, key)
    holder: Any = document
    for position, step in enumerate(steps[:-1]):
        found = _step_into(holder, step)
        if found is None and step in _LISTS and position == 0:
            found = []
        if found is None and isinstance(holder, list):
            return Fault("unknown_part", file, key=key, given=step, allowed=_known(holder), params=_part(steps[0]))
        if found is None and isinstance(holder, dict):
            found = holder[step] = {}
        if not isinstance(found, dict | list):
            return Fault("not_a_table", file, key=key, given=".".join(steps[: position + 1]))
        holder = found
    if isinstance(holder, list):
        given = as_written(value)
        return Fault("part_as_value", file, key=key, given=given, allowed=_known(holder), params=_part(steps[0]))
    if steps[0] in _LISTS and len(steps) == len(("list", "id", "key")) and steps[-1] in _IDENTITY:
        return Fault("identity_fixed", file, key=key, given=as_written(value))
    if value is REMOVE:
        if steps[-1] not in holder:
            return Fault("nothing_to_remove", file, key=key)
        del holder[steps[-1]]
    else:
        holder[steps[-1]] = value
    return None


def _known(items: list[Any]) -> str:
    return ", ".join(_name(item) for item in items) or "–"


def _part(part: str) -> tuple[tuple[str, str], ...]:
    return (("part", f"@part.{part}"),)
