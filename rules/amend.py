"""What-if books: a book and a change give a new book; the old one is not modified.

A change is a dotted key and a value: `rule.late_5.points=-2`, `score.base=72`, `fading.after_days=14`. An empty value
removes the key. A rule, cap, tier or group goes by its id, a report by its kind (`report.severe_weather/3.exempt`).
"""

import copy
from collections.abc import Mapping
from typing import Any

from rules import nested
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

    Returns
    -------
    Book
        A new book with a digest of its own.

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
    """The changes that undo `changes`.

    Parameters
    ----------
    book
        The book before the changes.
    changes
        As given to `amend`.

    Returns
    -------
    dict
        Dotted keys and values; amending the amended book by them gives `book` again, digest and all.
    """
    back: dict[str, Any] = {}
    for key in changes:
        steps = _steps(book.document, key)
        values = nested.trail(book.document, _path(book.document, steps))
        if len(values) > len(steps):
            back[key] = values[-1]
        else:
            # The highest table that is missing is what the change creates.
            back[".".join(steps[: len(values)])] = REMOVE
    return back


def parse_changes(settings: list[str], file: str) -> dict[str, Any]:
    """Changes written as `key=value`; a value that is no TOML value is taken as text.

    Parameters
    ----------
    settings
        Each `key=value`; without a value the key is removed. The value is TOML, decimals exact.
    file
        The name of their source in messages.

    Returns
    -------
    dict
        Dotted keys and plain TOML values, as `amend` takes them; None removes.

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


def _path(document: dict[str, Any], steps: list[str]) -> list[nested.Step]:
    """The same steps with a part's position in place of its name; that of an unknown name is past the end."""
    if steps[0] not in _LISTS or len(steps) == 1:
        return list(steps)
    names = [_name(item) for item in document.get(steps[0], [])]
    return [steps[0], names.index(steps[1]) if steps[1] in names else len(names), *steps[2:]]


def _name(item: dict[str, Any]) -> str:
    if "id" in item:
        return str(item["id"])
    level = item.get("level_from", 0)
    return str(item.get("kind")) + (f"/{level}" if level else "")


def _set(document: dict[str, Any], key: str, value: Any, file: str) -> Fault | None:
    """Make one change; its fault if it leads nowhere."""
    steps = _steps(document, key)
    path = _path(document, steps)
    is_part = steps[0] in _LISTS and len(steps) > 1
    reached = nested.trail(document, path[:-1])
    # A list that the book has not is one without parts.
    holder = [] if is_part and len(reached) == 1 else reached[-1]
    if isinstance(holder, list):
        is_whole = len(steps) == len(("list", "id")) or len(reached) == len(path)
        code, given = (
            ("part_as_value", as_written(value)) if is_whole else ("unknown_part", steps[max(1, len(reached) - 1)])
        )
        params = (("part", f"@part.{steps[0]}"),)
        return Fault(code, file, key=key, given=given, allowed=_known(holder), params=params)
    if not isinstance(holder, dict):
        return Fault("not_a_table", file, key=key, given=".".join(steps[: len(reached) - 1]))
    if is_part and len(steps) == len(("list", "id", "key")) and steps[-1] in _IDENTITY:
        return Fault("identity_fixed", file, key=key, given=as_written(value))
    if value is not REMOVE:
        nested.put(document, path, value)
    elif len(reached) < len(path) or steps[-1] not in holder:
        return Fault("nothing_to_remove", file, key=key)
    else:
        del holder[steps[-1]]
    return None


def _known(items: list[Any]) -> str:
    return ", ".join(_name(item) for item in items if isinstance(item, dict)) or "–"
