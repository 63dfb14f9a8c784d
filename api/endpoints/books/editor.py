"""The editor's view of one table of a draft: cells with their faults, what a form sent back, rows that come and go.

Pure. A field is named `c.<row>.<key>`, a row's memory of the document `o.<row>`. Words of the trade stand in the cells
of a page; in tables and workbooks stand the book's own.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from api.endpoints.books.columns import LISTS, Column, column, columns
from api.endpoints.books.fault_words import page_words
from api.endpoints.books.sheet_writing import label
from api.endpoints.books.tables import BOOK_ROW, Document, Table, TableRow, items, used_keys
from rules import nested
from rules.edits import pointer_of
from rules.errors import Fault
from rules.events import REPORT_KINDS
from rules.text import Lang, catalog, text

# What an editor shows before anything else is asked for.
_USUAL: Final = ("when.late_min", "points", "rule", "exempt", "gives_back_min", "max_deduct", "bonus_fen")
# Where numbers come from is looked at less often than the numbers.
_ASIDE: Final = ("source", "confidence", "note.zh", "note.en")
_FIELD: Final = re.compile(r"c\.(\d{1,4})\.([a-z_.]+)")
_LISTED: Final = ("choice", "switch")
MAX_ROWS: Final = 1_000


@dataclass(frozen=True, slots=True)
class CellPlace:
    """Where a fault stands in the tables: a row is None for the whole table, a key empty for the whole row."""

    part: str
    row: int | None
    key: str

    @property
    def anchor(self) -> str:
        """The id of the element on the page."""
        if self.row is None:
            return f"table-{self.part}"
        return field_id(self.row, self.key) if self.key else f"row-{self.row}"


@dataclass(frozen=True, slots=True)
class FaultInWords:
    """A fault in words, with its place."""

    place: CellPlace
    fault: Fault
    line: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the page: `words` name its column, `label` its row as well; `options` are (value, words)."""

    column: Column
    name: str
    id: str
    shown: str
    words: str
    label: str
    options: tuple[tuple[str, str], ...]
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EditorRow:
    """One row of the page; `name` is how its part is called, `label` the same for people."""

    number: int
    origin: int | None
    name: str
    label: str
    cells: tuple[Cell, ...]
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EditorTable:
    """One table of the page; `hidden` are columns that can be asked for."""

    part: str
    columns: tuple[tuple[Column, str], ...]
    rows: tuple[EditorRow, ...]
    hidden: tuple[tuple[str, str], ...]
    faults: tuple[str, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the columns that are shown."""
        return tuple(column.key for column, _ in self.columns)


def field_id(row: int, key: str) -> str:
    """The id of a cell's field."""
    return f"c-{row}-{key.replace('.', '-')}"


def faults_in_words(document: Document, faults: Iterable[Fault], lang: Lang) -> tuple[FaultInWords, ...]:
    """Faults of a document in words, each with its place in the tables."""
    return tuple(FaultInWords(place_of(document, fault), fault, line_of(fault, lang)) for fault in faults)


def line_of(fault: Fault, lang: Lang) -> str:
    """A fault and its remedy, for who sees the place anyway; keys of the document by their names."""
    what, remedy = page_words(fault, lang)
    return text(lang, "web_books.fault_line", fault=what, remedy=remedy)


def line_in_book(fault: Fault, lang: Lang) -> str:
    """The same for who sees the book alone."""
    line = line_of(fault, lang)
    if not fault.rule:
        return line
    part = text(lang, f"fault.place_{fault.part}", rule=fault.rule)
    return text(lang, "fault.place", file=part, part=line)


def place_of(document: Document, fault: Fault) -> CellPlace:
    """Where in the tables a fault of the document stands."""
    steps = nested.path_of(pointer_of(document, fault))
    if fault.code == "example_fails" and steps[:1] == ["rule"]:
        return CellPlace("example", _example_row(document, steps, fault), fault.key.removeprefix("example."))
    if not steps or steps[0] not in LISTS:
        return CellPlace("book", BOOK_ROW if steps else None, _nearest("book", steps))
    part, *rest = steps
    if not rest:
        return CellPlace(part, None, "")
    row = int(rest[0])
    if part == "rule" and rest[1:2] == ["example"] and len(rest) > 2:
        before = sum(len(items(rule, "example")) for rule in items(document, "rule")[:row])
        return CellPlace("example", before + int(rest[2]), _nearest("example", rest[3:]))
    return CellPlace(part, row, _nearest(part, rest[1:]))


def _example_row(document: Document, steps: Sequence[str], fault: Fault) -> int:
    """The example that a failed expectation is of: the fault names its title, else its number."""
    rules = items(document, "rule")
    row = int(steps[1]) if len(steps) > 1 else 0
    examples = items(rules[row], "example")
    named = dict(fault.params).get("title", "")
    at = next((number for number, example in enumerate(examples) if example.get("title") == named), None)
    if at is None:
        at = int(named) - 1 if named.isdigit() and int(named) <= len(examples) else 0
    return sum(len(items(rule, "example")) for rule in rules[:row]) + at


def _nearest(part: str, steps: Sequence[str]) -> str:
    """The column that a path leads to or through; for a table of values its first."""
    path = ".".join(step for step in steps if not step.isdigit())
    known = [column.key for column in columns(part)]
    inside = [key for key in known if path == key or path.startswith(f"{key}.")]
    if inside:
        return max(inside, key=len)
    return next((key for key in known if path and key.startswith(f"{path}.")), "")


def shown_keys(table: Table, wanted_keys: Sequence[str], faulty: Iterable[str]) -> tuple[str, ...]:
    """Columns to show: what is filled or needed, what is usual, what was asked for, and wherever a fault stands."""
    used = set(used_keys(table)) - set(_ASIDE)
    wanted = used | set(_USUAL) | set(wanted_keys) | set(faulty)
    if "all" in wanted_keys or table.part == "book":
        return tuple(column.key for column in columns(table.part))
    return tuple(column.key for column in columns(table.part) if column.key in wanted)


def editor_table(table: Table, faults: Sequence[FaultInWords], wanted_keys: Sequence[str], lang: Lang) -> EditorTable:
    """The view of a table."""
    table_faults = [fault for fault in faults if fault.place.part == table.part]
    lines: dict[tuple[int | None, str], list[str]] = {}
    for fault in table_faults:
        lines.setdefault((fault.place.row, fault.place.key), []).append(fault.line)
    keys = shown_keys(table, wanted_keys, (fault.place.key for fault in table_faults))
    shown = tuple((one, label(one, lang)) for one in columns(table.part) if one.key in keys)
    return EditorTable(
        part=table.part,
        columns=shown,
        rows=tuple(_row(number, row, shown, lines, lang) for number, row in enumerate(table.rows)),
        hidden=tuple((one.key, label(one, lang)) for one in columns(table.part) if one.key not in keys),
        faults=tuple(lines.get((None, ""), ())),
    )


Faults = Mapping[tuple[int | None, str], Sequence[str]]


def _row(number: int, row: TableRow, shown: Sequence[tuple[Column, str]], at: Faults, lang: Lang) -> EditorRow:
    name = row_name(row)
    cells = tuple(cell(one, words, number, row, at.get((number, one.key), ()), lang) for one, words in shown)
    label = name if row.cells.get("id") or row.cells.get("rule") else _word(name, lang)
    return EditorRow(number, row.origin, name, label, cells, tuple(at.get((number, ""), ())))


def cell(one: Column, words: str, number: int, row: TableRow, faults: Sequence[str], lang: Lang) -> Cell:
    """The view of one cell."""
    written = row.cells.get(one.key, "")
    return Cell(
        column=one,
        name=f"c.{number}.{one.key}",
        id=field_id(number, one.key),
        shown=worded(one, written, lang),
        words=words,
        label=f"{row_name(row)} {words}".strip(),
        options=_options(one, written, lang),
        faults=tuple(faults),
    )


def row_name(row: TableRow) -> str:
    """How a row's part is called."""
    return row.cells.get("id") or row.cells.get("rule") or row.cells.get("kind") or ""


def worded(one: Column, written: str, lang: Lang) -> str:
    """A cell with the words of the trade in place of the book's."""
    if one.kind == "choices":
        return text(lang, "web_books.between").join(_word(word, lang) for word in written.split("; ") if word)
    return written


def _options(one: Column, written: str, lang: Lang) -> tuple[tuple[str, str], ...]:
    if one.kind not in _LISTED:
        return ()
    if one.kind == "switch":
        known = [("true", text(lang, "diff.yes")), ("false", text(lang, "diff.no"))]
    else:
        known = [(choice, _word(choice, lang)) for choice in one.choices]
    # What was typed elsewhere and is no choice stays in sight.
    strange = [(written, written)] if written and written not in dict(known) else []
    return ("", "–"), *strange, *known


def _word(word: str, lang: Lang) -> str:
    known = catalog(lang)
    return known.get(f"word.{word}") or known.get(f"confidence.{word}", word)


def read_form(part: str, fields: Mapping[str, str]) -> Table:
    """The table that a form holds: its rows by number, and no columns but those that were on the page."""
    cells: dict[int, dict[str, str]] = {}
    keys: set[str] = set()
    for name, written in fields.items():
        match = _FIELD.fullmatch(name)
        known_column = column(part, match[2]) if match else None
        if match and known_column is not None and int(match[1]) < MAX_ROWS:
            cells.setdefault(int(match[1]), {})[known_column.key] = _in_book_words(known_column, written)
            keys.add(known_column.key)
    origins = {number: fields.get(f"o.{number}", "") for number in cells}
    rows = tuple(
        TableRow({key: written for key, written in cells[number].items() if written}, _origin(origins[number]))
        for number in sorted(cells)
    )
    return Table(part, rows, tuple(known_column.key for known_column in columns(part) if known_column.key in keys))


def _origin(written: str) -> int | None:
    return int(written) if written.isascii() and written.isdigit() else None


def _in_book_words(one: Column, written: str) -> str:
    """A list of words as a book writes them, so that one that nobody touched is the same."""
    if one.kind != "choices":
        return written
    known = {text: word for word in one.choices for text in (word, _word(word, "zh"), _word(word, "en").lower())}
    words = [word.strip() for word in re.split(r"[;；,，、\n]", written) if word.strip()]
    return "; ".join(known.get(word, known.get(word.lower(), word)) for word in words)


def complete(table: Table, base: Table) -> Table:
    """The table with the cells of columns that were not on the page."""
    known = {row.origin: row for row in base.rows}
    rows = []
    for row in table.rows:
        before = known[row.origin].cells if row.origin is not None and row.origin in known else {}
        aside = {key: written for key, written in before.items() if table.keys is not None and key not in table.keys}
        rows.append(replace(row, cells={**aside, **row.cells}))
    return Table(table.part, tuple(rows))


def act(table: Table, action: str, base: Document, lang: Lang) -> tuple[Table, int | None]:
    """The table after `up:3`, `down:3`, `copy:3`, `delete:3` or `add`, and the row to look at then."""
    name, _, at = action.partition(":")
    rows = list(table.rows)
    number = int(at) if at.isascii() and at.isdigit() else -1
    if name == "add" and len(rows) < MAX_ROWS:
        rows.append(new_row(table, base, lang))
        return replace(table, rows=tuple(rows)), len(rows) - 1
    if not 0 <= number < len(rows):
        return table, None
    if name == "delete":
        del rows[number]
        return replace(table, rows=tuple(rows)), min(number, len(rows) - 1) if rows else None
    if name == "copy" and len(rows) < MAX_ROWS:
        rows.insert(number + 1, _copied(rows[number], rows))
        return replace(table, rows=tuple(rows)), number + 1
    to = {"up": number - 1, "down": number + 1}.get(name, number)
    if not 0 <= to < len(rows):
        return table, number
    rows.insert(to, rows.pop(number))
    return replace(table, rows=tuple(rows)), to


def _copied(row: TableRow, rows: Sequence[TableRow]) -> TableRow:
    if "id" not in row.cells:
        return TableRow(dict(row.cells))
    return TableRow({**row.cells, "id": _free_id(row.cells["id"], rows)})


def _free_id(stem: str, rows: Sequence[TableRow]) -> str:
    known = {row.cells.get("id") for row in rows}
    return next(f"{stem}_{number}" for number in range(2, len(rows) + 3) if f"{stem}_{number}" not in known)


def new_row(table: Table, base: Document, lang: Lang) -> TableRow:
    """A row to begin with: sound, and without effect until it is filled in."""
    titles = {f"title.{each}": text(each, f"web_books.new_{table.part}") for each in ("zh", "en")}
    groups = [str(group.get("id", "")) for group in items(base, "group")]
    rules = [str(rule.get("id", "")) for rule in items(base, "rule")]
    ours = {"source": text(lang, "web_books.new_source"), "confidence": "ours"}
    starts: dict[str, dict[str, str]] = {
        "rule": {"kind": "delivered", "group": (groups or [""])[0], "points": "0", **titles, **ours},
        "example": {"rule": (rules or [""])[0], "given.late_min": "0", "expect.points": "0"},
        "cap": {"scope": "event", "max_deduct": "3", **titles, **ours},
        "tier": {"from": _above_last(table), **titles, **ours},
        "report": {**_free_report(table), "gives_back_min": "10", **ours},
        "group": {"hit": "first", **titles},
    }
    cells = {key: written for key, written in starts.get(table.part, {}).items() if written}
    if column(table.part, "id") is not None and table.part != "book":
        cells = {"id": _free_id(f"new_{table.part}", table.rows), **cells}
    return TableRow(cells)


def _free_report(table: Table) -> dict[str, str]:
    """A report without a row yet; of all only bad weather may have another, from another level on."""
    known = {(row.cells.get("kind", ""), row.cells.get("level_from", "0")) for row in table.rows}
    for kind in REPORT_KINDS:
        if not any(kind == one for one, _ in known):
            return {"kind": kind}
    level = next(level for level in range(1, MAX_ROWS) if ("severe_weather", str(level)) not in known)
    return {"kind": "severe_weather", "level_from": str(level)}


def _above_last(table: Table) -> str:
    last = table.rows[-1].cells if table.rows else {}
    last_from = last.get("from") or last.get("above") or "0"
    return str(int(float(last_from)) + 5) if re.fullmatch(r"-?\d+(\.\d+)?", last_from) else ""


def counts(faults: Iterable[FaultInWords]) -> Mapping[str, int]:
    """How many errors stand in each table."""
    return Counter(fault.place.part for fault in faults if fault.fault.severity == "error")


def sections(table: EditorTable, title: Callable[[str], str]) -> list[tuple[str, list[Cell]]]:
    """The single values of a book by the table they stand in, each with its title."""
    sections_by_name: dict[str, list[Cell]] = {}
    for one in table.rows[0].cells if table.rows else ():
        first = one.column.path[0]
        is_own = len(one.column.path) > 1 and first not in ("title", "note")
        # The section says of which table a value is.
        words = one.words.removeprefix(title(first)).lstrip("·") if is_own else one.words
        sections_by_name.setdefault(first if is_own else "", []).append(replace(one, words=words))
    return [(title(name), cells) for name, cells in sections_by_name.items()]
