"""A rule book's document as tables of written cells, and the document that tables say.

Pure: document → tables → document loses nothing. A row remembers which part of the document it came from, so a cell
that was not touched keeps its value to the letter, and what no column shows stays where it is.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from api.endpoints.books.cells import text_of, value_of
from api.endpoints.books.columns import LISTS, PARTS, Column, columns
from rules import nested
from rules.errors import Fault

Document = dict[str, Any]
# The table `book` has one row, whose cells the page shows below each other.
BOOK_ROW: Final = 0


@dataclass(frozen=True, slots=True)
class TableRow:
    """Cells of one part by the key of their column; `origin` is its position in the document, None for a new one.

    The origin of an example is its position among all examples of the book. `place` is the row's number in the file it
    was read from, 0 where there is none.
    """

    cells: Mapping[str, str]
    origin: int | None = None
    place: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """One table: `part` is a list of the book, `example`, or `book`; `keys` the columns it has (None: all)."""

    part: str
    rows: tuple[TableRow, ...]
    keys: tuple[str, ...] | None = None

    @property
    def columns(self) -> tuple[Column, ...]:
        """The table's columns."""
        return tuple(one for one in columns(self.part) if self.keys is None or one.key in self.keys)


@dataclass(frozen=True, slots=True)
class CellFault:
    """A fault of one cell; `key` is empty where it is the row's, `row` is None where it is the whole table's."""

    part: str
    row: int | None
    key: str
    fault: Fault


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The document that tables say, and what of it cannot be read."""

    document: Document
    faults: tuple[CellFault, ...] = field(default=())


def tables_of(document: Document) -> dict[str, Table]:
    """All tables of a document, in the order of `PARTS`."""
    return {part: table_of(document, part) for part in PARTS}


def table_of(document: Document, part: str) -> Table:
    """One table of a document."""
    if part == "book":
        return Table(part, (TableRow(_cells(part, document), BOOK_ROW),))
    if part == "example":
        rows = [
            TableRow({"rule": str(rule.get("id", ""))} | _cells(part, example), position)
            for position, (rule, example) in enumerate(_examples(document))
        ]
        return Table(part, tuple(rows))
    return Table(
        part, tuple(TableRow(_cells(part, item), position) for position, item in enumerate(items(document, part)))
    )


def document_of(tables: Sequence[Table], base: Document, file: str = "") -> Rebuilt:
    """The document that tables say.

    Parameters
    ----------
    tables
        Any of a book's tables; parts without one stay as they are in `base`.
    base
        The document that the rows' origins are positions in.
    file
        Its name in faults.
    """
    document = copy.deepcopy(base)
    faults: list[CellFault] = []
    by_part = {table.part: table for table in tables}
    for part in LISTS:
        if part in by_part:
            _set_list(document, base, by_part[part], faults, file)
    if "example" in by_part:
        _set_examples(document, base, by_part["example"], faults, file)
    if "book" in by_part:
        for row in by_part["book"].rows[:1]:
            _write(document, by_part["book"], BOOK_ROW, row, faults, file)
    return Rebuilt(document, tuple(faults))


def items(document: Document, part: str) -> list[dict[str, Any]]:
    """The parts of a list; anything else in its place has no rows."""
    rows = document.get(part)
    return [item for item in rows if isinstance(item, dict)] if isinstance(rows, list) else []


def used_keys(table: Table) -> tuple[str, ...]:
    """Keys of columns that a part needs or some row fills."""
    return tuple(one.key for one in table.columns if one.is_needed or any(row.cells.get(one.key) for row in table.rows))


def _cells(part: str, holder: dict[str, Any]) -> dict[str, str]:
    shown = {one.key: text_of(one, nested.get(holder, one.path)) for one in columns(part)}
    return {key: text for key, text in shown.items() if text}


def _examples(document: Document) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for rule in items(document, "rule"):
        for example in items(rule, "example"):
            yield rule, example


def _set_list(document: Document, base: Document, table: Table, faults: list[CellFault], file: str) -> None:
    before = items(base, table.part)
    if not table.rows and not before:
        return
    rebuilt = []
    for number, row in enumerate(table.rows):
        known = row.origin is not None and row.origin < len(before)
        item = copy.deepcopy(before[row.origin]) if known and row.origin is not None else {}
        _write(item, table, number, row, faults, file)
        rebuilt.append(item)
    document[table.part] = rebuilt


def _set_examples(document: Document, base: Document, table: Table, faults: list[CellFault], file: str) -> None:
    """Examples stand with their rules, in the order of the table."""
    before = list(_examples(base))
    rules = items(document, "rule")
    by_rule: dict[int, list[dict[str, Any]]] = {}
    for number, row in enumerate(table.rows):
        known = row.origin is not None and row.origin < len(before)
        owner, example = before[row.origin] if known and row.origin is not None else ({}, {})
        example = copy.deepcopy(example)
        _write(example, table, number, row, faults, file)
        position = _rule_of(rules, items(base, "rule"), owner, row.cells.get("rule", "").strip())
        if position is None:
            given, allowed = row.cells.get("rule", ""), ", ".join(str(rule.get("id", "")) for rule in rules)
            fault = Fault("cell_rule", file, key="rule", given=given, allowed=allowed, part="example")
            faults.append(CellFault("example", number, "rule", fault))
            continue
        by_rule.setdefault(position, []).append(example)
    for position, rule in enumerate(rules):
        if position in by_rule:
            rule["example"] = by_rule[position]
        elif items(rule, "example"):
            del rule["example"]


def _rule_of(
    rules: Sequence[dict[str, Any]], before: Sequence[dict[str, Any]], owner: dict[str, Any], name: str
) -> int | None:
    """The rule that an example names; where two share a name, the one it stood with."""
    same = [position for position, rule in enumerate(rules) if str(rule.get("id", "")) == name]
    if len(same) > 1 and str(owner.get("id", "")) == name:
        at = next(position for position, rule in enumerate(before) if rule is owner)
        return at if at in same else same[0]
    return same[0] if same else None


def _write(item: dict[str, Any], table: Table, number: int, row: TableRow, faults: list[CellFault], file: str) -> None:
    """Set what the row's cells say where that differs from what they showed."""
    for one in table.columns:
        if one.key == "rule" and table.part == "example":
            continue
        written = row.cells.get(one.key, "")
        before = nested.get(item, one.path)
        if _same(written, text_of(one, before)):
            value, code = before, value_of(one, written)[1] if isinstance(before, str) else ""
        else:
            value, code = value_of(one, written)
            _set(item, one.path, value)
        if code:
            named = row.cells.get("id", "") or row.cells.get("kind", "") or f"#{number + 1}"
            fault = Fault(code, file, "" if table.part == "book" else named, one.key, written.strip(), part=table.part)
            faults.append(CellFault(table.part, number, one.key, fault))


def _same(written: str, shown: str) -> bool:
    # A browser sends line ends of its own.
    return written.replace("\r\n", "\n").strip() == shown.strip()


def _set(item: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Set or remove a value; tables that a removal leaves empty go as well."""
    if value is None:
        nested.discard(item, path)
        return
    for end in range(1, len(path)):
        # A list in the way is a fault of the document; what is typed replaces it.
        if not isinstance(nested.get(item, path[:end]), dict):
            nested.put(item, path[:end], {})
    nested.put(item, path, value)
