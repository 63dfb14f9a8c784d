"""What the tables of a rule book have for columns, derived from the book's own schema.

A list of parts (rules, caps, …) is a table with a row per part; the examples of all rules are one table; everything
else is the table `book`, a row per value. Nothing about a book is said here twice: what a book may say is `rules.book`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

from rules.book import BookDocument

CellKind = Literal[
    "text", "number", "whole", "yuan", "choice", "choices", "switch", "date", "time", "range", "slide", "texts"
]

# Tables in the order in which people look at them.
PARTS: Final = ("rule", "example", "cap", "tier", "report", "group", "book")
LISTS: Final = ("rule", "cap", "tier", "report", "group")
# What a row is called and when it applies comes first, where it comes from last.
_FIRST: Final = ("id", "title.zh", "kind", "level_from")
_LAST: Final = ("group", "title.en", "source", "confidence", "note.zh", "note.en")
# Keys whose single value a book writes without a list.
_BARE: Final = ("kind", "rider_kind", "party", "liable")
# How keys of money end in a book; people read and write yuan.
FEN, YUAN = "_fen", "_yuan"
_LIMITS: Final = frozenset({"over", "from", "up_to", "below"})


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table, or one row of the table `book`.

    Parameters
    ----------
    key
        Dotted key inside the part, such as `when.late_min`.
    kind
        How a cell is written (`api.endpoints.books.cells`).
    choices
        Words that may stand in a cell; empty where any may.
    is_needed
        Whether a part without it is faulty.
    inner
        For a range the kind of its limits; for a slide the key of its values.
    is_bare
        Whether a single word stands without a list.
    """

    key: str
    kind: CellKind
    choices: tuple[str, ...] = ()
    is_needed: bool = False
    inner: str = ""
    is_bare: bool = False

    @property
    def path(self) -> tuple[str, ...]:
        """The key's steps."""
        return tuple(self.key.split("."))

    @property
    def shown_key(self) -> str:
        """The key as people see it: that of money names the unit in which a cell holds it."""
        return self.key.removesuffix(FEN) + YUAN if self.kind == "yuan" else self.key


@cache
def columns(part: str) -> tuple[Column, ...]:
    """The columns of a table; of `book`, its rows."""
    schema = _schema()
    if part == "book":
        return _ordered(_columns(_without_lists(schema), ""), (*_FIRST, "title.en"))
    name = "Example" if part == "example" else schema["properties"][part]["items"]["$ref"].rpartition("/")[2]
    part_columns = _ordered(_columns(schema["$defs"][name], ""))
    return (Column("rule", "text", is_needed=True), *part_columns) if part == "example" else part_columns


@cache
def column(part: str, key: str) -> Column | None:
    """One column by its key."""
    return next((each for each in columns(part) if each.key == key), None)


@cache
def _schema() -> dict[str, Any]:
    return BookDocument.model_json_schema(by_alias=True)


def _without_lists(schema: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in schema["properties"].items() if key not in LISTS}
    return {**schema, "properties": kept}


def _columns(holder: dict[str, Any], prefix: str) -> Iterator[Column]:
    needed = holder.get("required", ())
    for key, declared in holder["properties"].items():
        yield from _of(prefix + key, _resolved(declared), not prefix and key in needed)


def _of(key: str, value: dict[str, Any], is_needed: bool) -> Iterator[Column]:
    if "properties" in value:
        if set(value["properties"]) <= _LIMITS:
            limit = _resolved(value["properties"]["from"])
            yield Column(key, "range", is_needed=is_needed, inner=_plain_kind(limit))
        elif set(value["properties"]) == {"zh", "en"}:
            yield from (Column(f"{key}.{lang}", "text", is_needed=is_needed) for lang in ("zh", "en"))
        else:
            yield from _columns(value, f"{key}.")
    elif value.get("type") == "array":
        yield from _of_list(key, _resolved(value["items"]), is_needed)
    elif "enum" in value:
        yield Column(key, "choice", tuple(value["enum"]), is_needed)
    else:
        is_money = value["type"] == "integer" and key.endswith(FEN)
        yield Column(key, "yuan" if is_money else _plain_kind(value), is_needed=is_needed)


def _of_list(key: str, item: dict[str, Any], is_needed: bool) -> Iterator[Column]:
    if "enum" in item:
        yield Column(key, "choices", tuple(item["enum"]), is_needed, is_bare=key.rpartition(".")[2] in _BARE)
    elif "properties" not in item:
        yield Column(key, "texts", is_needed=is_needed)
    elif "late_min" in item["properties"] and len(item["properties"]) == len(("late_min", "value")):
        (inner,) = set(item["properties"]) - {"late_min"}
        yield Column(key, "slide", is_needed=is_needed, inner=inner)


def _plain_kind(value: dict[str, Any]) -> CellKind:
    name = value.get("format") or value["type"]
    kinds: dict[str, CellKind] = {"integer": "whole", "boolean": "switch", "date": "date", "time-local": "time"}
    return kinds.get(name, "number" if name == "number" else "text")


def _resolved(declared: dict[str, Any]) -> dict[str, Any]:
    """A declaration without `null` beside it, and what it refers to; a list where a single word may stand for it."""
    options = [option for option in declared.get("anyOf", ()) if option.get("type") != "null"]
    if options:
        lists = [option for option in options if option.get("type") == "array"]
        return _resolved((lists or options)[0])
    return _schema()["$defs"][declared["$ref"].rpartition("/")[2]] if "$ref" in declared else declared


def _ordered(unordered: Iterator[Column], first: tuple[str, ...] = _FIRST) -> tuple[Column, ...]:
    """Whose row it is first, where it comes from last."""

    def place(column: Column) -> tuple[int, int]:
        if column.key in first:
            return 0, first.index(column.key)
        return (2, _LAST.index(column.key)) if column.key in _LAST else (1, 0)

    return tuple(sorted(unordered, key=place))
