"""Tables of a rule book from an Excel workbook, a CSV file, or what is pasted from a spreadsheet.

Every fault is told with sheet, row, column and value, all at once. A row is known again by its id, so that what the
sheet does not say stays as it is; sheets and columns that are missing leave their part alone.
"""

import datetime as dt
import difflib
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from openpyxl import load_workbook
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException

from api.endpoints.books.cells import text_of, yuan_of_fen
from api.endpoints.books.columns import FEN, PARTS, columns
from api.endpoints.books.sheet_writing import label
from api.endpoints.books.tables import BOOK_ROW, Document, Table, TableRow, table_of
from api.files.delimited_records import read_records
from api.files.rejects import shorten
from rules.errors import Fault
from rules.formula_guard import unescape_formula
from rules.text import LANGS, catalog
from rules.text_files import (
    BYTE_ORDER_MARK,
    DELIMITERS,
    TextLayout,
    cells_of,
    decode_text,
    file_format_of,
    layout_of,
    strip_invisible,
)

MAX_BYTES: Final = 4 << 20
MAX_UNPACKED: Final = 16 << 20
MAX_ROWS: Final = 2_000
MAX_COLUMNS: Final = 120
# Cells in all, empty ones too; a book of 500 rules with all their columns has half as many.
MAX_CELLS: Final = 60_000
# A cell of a workbook is up to six tags with up to three attributes.
_MAX_TAGS: Final = 6 * MAX_CELLS
_MAX_ATTRIBUTES: Final = 3 * MAX_CELLS
# Rows are filled up to the last column that may be, so most of what is looked at is empty.
_MAX_VISITED: Final = 8 * MAX_CELLS
_MAX_CELL: Final = 1 << 17
_MAX_SHEETS: Final = 12
_MAX_DIRECTORY: Final = 16 << 10
# What is neither a cell nor a text of one takes longer to read: styles, names, merged cells, links, validations.
_MAX_STYLES: Final = 20_000
_OF_CELLS: Final = re.compile(rb"<(?:[/?!]|(?:\w{1,20}:)?(?:row|c|v|is|t|f|r|rPr|si)[\s/>])")
_SHARED_TEXTS: Final = "sharedstrings.xml"
# Letters between two tags; a cell has 4 000 characters at most, which may be written as references.
_MAX_TEXT_BYTES: Final = 256 << 10
_TEXT_KEPT: Final = 4_001
_KEY: Final = re.compile(r"\[([a-z_.]+)\]\s*$")
_XLSX: Final = b"PK\x03\x04"
_ZIP_END: Final = b"PK\x05\x06"
# No workbook declares a type or an entity, in whatever encoding.
_DECLARES: Final = tuple(
    word.encode(coding) for word in ("<!DOCTYPE", "<!ENTITY") for coding in ("ascii", "utf-16-le", "utf-16-be")
)
_ZIP64: Final = b"PK\x06\x07"


@dataclass(frozen=True, slots=True)
class SheetFault:
    """A fault of an uploaded or pasted sheet, with where it is: sheet, row (1 is the first line) and column letter."""

    sheet: str
    row: int
    column: str
    fault: Fault


@dataclass(frozen=True, slots=True)
class Sheets:
    """What a file holds: its tables, the sheet each came from, and every fault of how it is written."""

    tables: tuple[Table, ...]
    names: dict[str, str]
    letters: dict[tuple[str, str], str]
    faults: tuple[SheetFault, ...]


Lines = list[list[str]]


def read_file(content: bytes, file: str, base: Document, part: str = "") -> Sheets:
    """The tables of an uploaded file.

    Parameters
    ----------
    base
        The document whose rows are known again.
    part
        The table that a CSV file is; if empty, the one its headings fit.
    """
    if len(content) > MAX_BYTES:
        return _refused(file, Fault("sheet_large", file, given=str(len(content)), allowed=str(MAX_BYTES)))
    if content.startswith(_XLSX):
        return _read_xlsx(content, file, base)
    packing = file_format_of(content)
    written, encoding = decode_text(content)
    if packing is not None or encoding == "broken":
        return _refused(file, Fault("sheet_unreadable", file, given=packing or ""))
    return read_text(written, file, base, part)


def read_text(written: str, file: str, base: Document, part: str = "") -> Sheets:
    """The table of a CSV file, whatever parts its fields: comma, semicolon, tab, bar, or what a `sep=` line names."""
    if _num_cells(written, DELIMITERS) > MAX_CELLS:
        return _refused(file, Fault("sheet_cells", file, allowed=str(MAX_CELLS)))
    if _has_long_cell(written):
        return _refused(file, Fault("sheet_unreadable", file))
    layout = layout_of(written)
    lines, faults = _text_lines(written, file, layout)
    return _read([(part, file, lines, faults)], base)


def _text_lines(written: str, name: str, layout: TextLayout) -> tuple[Lines, list[SheetFault]]:
    """The lines of a text, those before its header empty, and rows whose quotes do not match or hold others."""
    lines: Lines = [[] for _ in range(layout.num_before)]
    faults: list[SheetFault] = []
    text = written.split("\n", layout.num_before)[-1]
    width = len(cells_of(text.partition("\n")[0], layout.delimiter) or ())
    for record in read_records(io.StringIO(text), layout.delimiter, width):
        row = layout.num_before + record.row
        if record.reason == "unclosed_quote":
            faults.append(SheetFault(name, row, "", Fault("sheet_quote", name, given=shorten(record.written.strip()))))
        faults += [
            SheetFault(name, row + k, "", Fault("sheet_swallowed", name, given=shorten(line.strip())))
            for k, line in enumerate(record.swallowed, 1)
        ]
        lines.append([unescape_formula(cell) for cell in record.cells])
    return lines, faults


def read_pasted(written: str, keys: Sequence[str], part: str, base: Document, sheet: str = "") -> Sheets:
    """Rows pasted from a spreadsheet: with headings, or cells in the order of `keys`.

    Rows with an id that the table has replace those cells, all others are new; nothing is removed.
    """
    if len(written) > MAX_BYTES or _num_cells(written, "\t") > MAX_CELLS:
        return _refused(sheet, Fault("sheet_cells", sheet, allowed=str(MAX_CELLS)))
    if _has_long_cell(written):
        return _refused(sheet, Fault("sheet_unreadable", sheet))
    written = written.lstrip(BYTE_ORDER_MARK)
    num_blank = layout_of(written).num_before
    lines, faults = _text_lines(written, sheet, TextLayout("\t", num_blank))
    lines = lines[num_blank:]
    headings = [_key_of(part, cell) for cell in lines[0]] if lines else []
    known = [key for key in headings if key]
    if len(known) * 2 <= len(headings) or not known:
        lines = [[f"[{key}]" for key in keys], *lines]
    return _read([(part, sheet, lines, faults)], base)


def _has_long_cell(written: str) -> bool:
    """Whether a line with quotes is longer than any cell may be."""
    return '"' in written and any(len(line) > _MAX_CELL for line in written.split("\n"))


def _num_cells(written: str, delimiters: str) -> int:
    """How many cells a text has at most, counted before it is read."""
    return max(map(written.count, delimiters)) + written.count("\n") + written.count("\r")


def merged(table: Table, pasted: Table) -> Table:
    """A table with pasted rows in it: those with a known origin change in place, others follow at the end."""
    rows = dict(enumerate(table.rows))
    at = {row.origin: number for number, row in enumerate(table.rows) if row.origin is not None}
    for row in pasted.rows:
        if row.origin in at and row.origin is not None:
            number = at[row.origin]
            kept = {key: cell for key, cell in rows[number].cells.items() if pasted.keys and key not in pasted.keys}
            rows[number] = TableRow(kept | dict(row.cells), row.origin, row.place)
        else:
            rows[len(rows)] = row
    return Table(table.part, tuple(rows.values()), table.keys)


def _read_xlsx(content: bytes, file: str, base: Document) -> Sheets:
    try:
        fault = _too_much(content, file)
        if fault is not None:
            return _refused(file, fault)
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=False)
        sheets = []
        left, num_cells = _Left(_MAX_VISITED, MAX_BYTES), 0
        for sheet in book.worksheets[:_MAX_SHEETS]:
            lines, faults = _xlsx_lines(sheet, file, left)
            num_cells += sum(map(len, lines))
            if left.letters < 0:
                return _refused(
                    file, Fault("sheet_large", file, given=str(MAX_BYTES - left.letters), allowed=str(MAX_BYTES))
                )
            if left.visits < 0 or num_cells > MAX_CELLS:
                return _refused(file, Fault("sheet_cells", file, allowed=str(MAX_CELLS)))
            sheets.append((sheet.title, lines, faults))
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, TypeError, OSError, SyntaxError):
        # openpyxl says what it does not like about a file in many ways.
        return _refused(file, Fault("sheet_unreadable", file))
    return _read([(_part_of(name, lines), name, lines, faults) for name, lines, faults in sheets], base)


def _too_much(content: bytes, file: str) -> Fault | None:
    """What a workbook holds too much of, counted before anything is made of it: parts, bytes unpacked, tags."""
    end = content.rfind(_ZIP_END)
    directory = int.from_bytes(content[end + 12 : end + 16], "little") if 0 <= end <= len(content) - 22 else 0
    if directory > _MAX_DIRECTORY or content.find(_ZIP64, max(end - 64, 0)) >= 0:
        return Fault("sheet_unreadable", file)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        unpacked = sum(info.file_size for info in archive.infolist())
        if unpacked > MAX_UNPACKED:
            return Fault("sheet_large", file, given=str(unpacked), allowed=str(MAX_UNPACKED))
        num_tags = num_values = num_rows = 0
        for info in archive.infolist():
            part = archive.read(info)
            if any(word in part for word in _DECLARES):
                return Fault("sheet_unreadable", file)
            part_tags = part.count(b"<")
            num_tags += part_tags
            num_values += part.count(b"=")
            num_rows += part.count(b"<row")
            if num_tags > _MAX_TAGS or num_values > _MAX_ATTRIBUTES:
                return Fault("sheet_cells", file, allowed=str(MAX_CELLS))
            if _num_beside_cells(info.filename, part, part_tags) > _MAX_STYLES:
                return Fault("sheet_styles", file, allowed=str(_MAX_STYLES))
            if _longest_text(part) > _MAX_TEXT_BYTES:
                return Fault("cell_long", file, key=info.filename[:100])
    if num_rows > MAX_ROWS * _MAX_SHEETS:
        return Fault("sheet_long", file, allowed=str(MAX_ROWS))
    return None


def _num_beside_cells(name: str, part: bytes, num_tags: int) -> int:
    """Tags of a part that are of no cell; what shared texts look like is not read."""
    if num_tags <= _MAX_STYLES or name.lower().endswith(_SHARED_TEXTS):
        return 0
    return num_tags - sum(1 for _ in _OF_CELLS.finditer(part))


def _longest_text(part: bytes) -> int:
    """Letters from one tag's beginning to the next, at most."""
    begins = np.flatnonzero(np.frombuffer(part, np.uint8) == ord("<"))
    return int(np.diff(begins, prepend=0, append=len(part)).max())


@dataclass(slots=True)
class _Left:
    """How many cells of a workbook may still be looked at, and how many letters they may hold: a text may be shared."""

    visits: int
    letters: int

    @property
    def is_spent(self) -> bool:
        return self.visits < 0 or self.letters < 0


def _xlsx_lines(sheet: Any, file: str, left: _Left) -> tuple[Lines, list[SheetFault]]:
    """The lines of a sheet without what is empty at their ends, and what is wrong with them; no more than is left."""
    lines: Lines = []
    faults: list[SheetFault] = []
    for row, cells in enumerate(sheet.iter_rows(max_row=MAX_ROWS + 1, max_col=MAX_COLUMNS + 1), start=1):
        line = []
        for column, cell in enumerate(cells, start=1):
            written, code = _cell(cell)
            written = written[:_TEXT_KEPT]
            if code:
                letter = get_column_letter(column)
                fault = Fault(code, file, key=f"{letter}{row}", given=written)
                faults.append(SheetFault(sheet.title, row, letter, fault))
            line.append(written)
        while line and not line[-1]:
            line.pop()
        lines.append(line)
        left.visits -= len(cells)
        left.letters -= sum(map(len, line))
        if left.is_spent:
            break
    return lines, faults


def _cell(cell: Any) -> tuple[str, str]:
    """What a cell of a workbook shows, and the code of what is wrong with it."""
    value = cell.value
    if value is None:
        return "", ""
    if cell.data_type == "f":
        return str(getattr(value, "text", value)), "sheet_formula"
    if cell.data_type == "e":
        return str(value), "sheet_error"
    if isinstance(value, bool):
        return ("true" if value else "false"), ""
    if isinstance(value, float):
        return (str(int(value)) if value.is_integer() else repr(value)), ""
    if isinstance(value, dt.datetime):
        return (value.date().isoformat() if value.time() == dt.time() else value.isoformat(sep=" ")), ""
    if isinstance(value, dt.date | dt.time):
        return value.isoformat(), ""
    return str(value), ""


def _part_of(name: str, lines: Lines) -> str:
    plain = name.strip().lower()
    for part in PARTS:
        if plain in {part, *(catalog(lang)[f"web_books.sheet_{part}"].lower() for lang in LANGS)}:
            return part
    return _fitting(lines)


def _fitting(lines: Lines) -> str:
    """The table whose columns most of the headings name; empty if none."""
    lines = lines[_num_blank(lines) :]
    if not lines:
        return ""
    counted = {part: sum(bool(_key_of(part, cell)) for cell in lines[0]) for part in PARTS if part != "book"}
    best = max(counted, key=lambda part: counted[part])
    # What fits two tables alike (id, title) is the first of them.
    return best if counted[best] else "book" if _is_book(lines) else ""


def _num_blank(lines: Lines) -> int:
    """Lines before the first that holds anything."""
    return next((k for k, line in enumerate(lines) if any(map(strip_invisible, line))), len(lines))


def _is_book(lines: Lines) -> bool:
    return any(_key_of("book", line[0]) for line in lines[1:4] if line)


def _key_of(part: str, heading: str) -> str:
    """The column that a heading names by its key or in words; empty for none."""
    named = _named(part)
    match = _KEY.search(strip_invisible(heading))
    return named.get(match[1] if match else "", "") or named.get(strip_invisible(heading).lower(), "")


@cache
def _named(part: str) -> dict[str, str]:
    """What a heading may say → the key of its column."""
    words = {label(one, lang).lower(): one.key for lang in LANGS for one in columns(part)}
    return words | {one.shown_key: one.key for one in columns(part)} | {one.key: one.key for one in columns(part)}


def _is_in_fen(part: str, heading: str) -> bool:
    """Whether a heading is the key of a column of money, as a book has it: its values are fen."""
    match = _KEY.search(strip_invisible(heading))
    key = match[1] if match else strip_invisible(heading)
    return key.endswith(FEN) and key == _key_of(part, heading)


def _read(sheets: Iterable[tuple[str, str, Lines, list[SheetFault]]], base: Document) -> Sheets:
    tables: dict[str, Table] = {}
    names: dict[str, str] = {}
    letters: dict[tuple[str, str], str] = {}
    faults: list[SheetFault] = []
    for asked_part, name, lines, sheet_faults in sheets:
        faults += sheet_faults
        if len(lines) > MAX_ROWS:
            faults.append(SheetFault(name, MAX_ROWS, "", Fault("sheet_long", name, allowed=str(MAX_ROWS))))
            continue
        if max(map(len, lines), default=0) > MAX_COLUMNS:
            faults.append(SheetFault(name, 1, "", Fault("sheet_wide", name, allowed=str(MAX_COLUMNS))))
            continue
        part = asked_part or _fitting(lines)
        if not part:
            if any(any(line) for line in lines):
                allowed = ", ".join(PARTS)
                faults.append(SheetFault(name, 1, "", Fault("sheet_unknown", name, given=name, allowed=allowed)))
            continue
        if part in tables:
            faults.append(SheetFault(name, 1, "", Fault("sheet_twice", name, given=part)))
            continue
        names[part] = name
        findings = letters, faults
        table = _read_book(name, lines, findings) if part == "book" else _read_rows(part, name, lines, base, findings)
        num_before = len([row for row in table_of(base, part).rows if row.cells])
        if num_before and not any(row.cells for row in table.rows):
            faults.append(SheetFault(name, 0, "", Fault("sheet_no_rows", name, given=str(num_before))))
        tables[part] = table
    return Sheets(tuple(tables.values()), names, letters, tuple(faults))


SheetFindings = tuple[dict[tuple[str, str], str], list[SheetFault]]


def _read_rows(part: str, name: str, lines: Lines, base: Document, findings: SheetFindings) -> Table:
    letters, faults = findings
    keys: list[str] = []
    first = _num_blank(lines)
    lines = lines[first:]
    for at, cell in enumerate(lines[0] if lines else [], start=1):
        key, letter = _key_of(part, cell), get_column_letter(at)
        if not key and cell.strip():
            known = [one.key for one in columns(part)]
            near = difflib.get_close_matches(cell.strip(), known, n=1)
            fault = Fault("sheet_column", name, given=cell.strip(), allowed=near[0] if near else ", ".join(known))
            faults.append(SheetFault(name, first + 1, letter, fault))
        elif key and key in keys:
            faults.append(SheetFault(name, first + 1, letter, Fault("sheet_column_twice", name, given=cell.strip())))
            key = ""
        if key:
            letters[part, key] = letter
        keys.append(key)
    rows = []
    known_rows = _origins(part, base)
    for place, line in enumerate(lines[1:], start=first + 2):
        stray = next((at for at, cell in enumerate(line) if strip_invisible(cell) and not _heading(lines[0], at)), None)
        if stray is not None:
            fault = Fault("sheet_no_heading", name, given=shorten(line[stray]))
            faults.append(SheetFault(name, place, get_column_letter(stray + 1), fault))
        cells = {
            key: yuan_of_fen(cell) if _is_in_fen(part, heading) else cell
            for key, cell, heading in zip(keys, line, lines[0], strict=False)
            if key and cell.strip()
        }
        if cells:
            rows.append(TableRow(cells, known_rows(cells), place))
    return Table(part, tuple(rows), tuple(key for key in keys if key))


def _heading(headings: list[str], at: int) -> str:
    return strip_invisible(headings[at]) if at < len(headings) else ""


def _read_book(name: str, lines: Lines, findings: SheetFindings) -> Table:
    """The table of single values: a key and a value a line."""
    part = "book"
    letters, faults = findings
    cells: dict[str, str] = {}
    keys = []
    first = _num_blank(lines)
    for place, line in enumerate(lines[first + 1 :], start=first + 2):
        heading, written = ([*line, "", ""])[:2]
        key = _key_of(part, heading)
        if key:
            keys.append(key)
            letters[part, key] = f"B{place}"
            if written.strip():
                cells[key] = yuan_of_fen(written) if _is_in_fen(part, heading) else written
        elif heading.strip():
            near = difflib.get_close_matches(heading.strip(), [one.key for one in columns(part)], n=1)
            fault = Fault("sheet_column", name, given=heading.strip(), allowed=", ".join(near) or "–")
            faults.append(SheetFault(name, place, "A", fault))
    return Table(part, (TableRow(cells, BOOK_ROW),), tuple(keys))


def _origins(part: str, base: Document) -> Callable[[dict[str, str]], int | None]:
    """Which row of the base a sheet's row is: by id; a report by kind and level; an example by rule and number."""
    free_rows: dict[tuple[str, ...], list[int]] = {}
    for position, row in enumerate(table_of(base, part).rows):
        free_rows.setdefault(_identity(part, row.cells), []).append(position)

    def origin(cells: dict[str, str]) -> int | None:
        same = free_rows.get(_identity(part, cells))
        return same.pop(0) if same else None

    return origin


def _identity(part: str, cells: Any) -> tuple[str, ...]:
    keys = {"report": ("kind", "level_from"), "example": ("rule",)}.get(part, ("id",))
    shown = {one.key: one for one in columns(part)}
    return tuple(text_of(shown[key], cells.get(key)).strip().removesuffix(".0") or "" for key in keys)


def _refused(file: str, fault: Fault) -> Sheets:
    return Sheets((), {}, {}, (SheetFault(file, 0, "", fault),))
