"""The tables of a rule book as an Excel workbook or a CSV file.

The heading of a column is its name with its key in brackets, by which it is read back. Text that a spreadsheet program
would take for a formula is marked as text. Reading is `api.endpoints.books.sheet_reading`.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from fastapi import Response
from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from api.endpoints.books.cells import value_of
from api.endpoints.books.columns import PARTS, Column
from api.endpoints.books.tables import Table
from api.endpoints.common.downloads import attachment
from rules.formula_guard import escape_formula, is_formula
from rules.text import Lang, text

XLSX_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV_TYPE: Final = "text/csv; charset=utf-8"
_MAX_LISTED: Final = 255
_WIDTHS: Final = {"text": 22, "texts": 30, "slide": 26, "range": 14, "choices": 18}
_HEAD: Final = PatternFill("solid", fgColor="E8EEF4")


def heading(column: Column, lang: Lang) -> str:
    """A column's heading: words for people, the key in brackets for reading it back."""
    return f"{label(column, lang)} [{column.shown_key}]"


def label(column: Column, lang: Lang) -> str:
    """A column's name in the words of the trade."""
    steps = [step for step in column.shown_key.split(".") if step not in ("when", "given", "expect", "zh", "en")]
    words = text(lang, "diff.of").join(text(lang, f"key.{step}") for step in steps)
    if column.path[-1] in ("zh", "en"):
        return text(lang, f"web_books.in_{column.path[-1]}", words=words)
    return words


def file_response(content: bytes, media_type: str, name: str) -> Response:
    """A file to take along."""
    return Response(content, media_type=media_type, headers=attachment(name))


def to_xlsx(tables: Mapping[str, Table], lang: Lang) -> bytes:
    """All tables as a workbook, one sheet a table; the table `book` has a row per value."""
    book = Workbook()
    book.remove(book.active)
    for part in PARTS:
        sheet = book.create_sheet(sheet_name(part, lang))
        rows = list(_rows(tables[part], lang))
        for row, cells in enumerate(rows, start=1):
            for at, (column, written) in enumerate(cells, start=1):
                _put(sheet.cell(row, at), column, written, is_head=row == 1)
        sheet.freeze_panes = "B2"
        for at, (column, _) in enumerate(rows[0], start=1):
            sheet.column_dimensions[get_column_letter(at)].width = _WIDTHS.get(column.kind if column else "text", 12)
            if column is not None and part != "book":
                _offer(sheet, column, at)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def to_csv(table: Table, lang: Lang) -> bytes:
    """One table as CSV: UTF-8 with the mark by which Excel knows it."""
    content = io.StringIO()
    writer = csv.writer(content)
    for cells in _rows(table, lang):
        writer.writerow([escape_formula(written) for _, written in cells])
    return b"\xef\xbb\xbf" + content.getvalue().encode()


def sheet_name(part: str, lang: Lang) -> str:
    """The name of a table's sheet."""
    return text(lang, f"web_books.sheet_{part}")


def _rows(table: Table, lang: Lang) -> Iterator[Sequence[tuple[Column | None, str]]]:
    """Heading and rows; a cell without a column holds words."""
    if table.part == "book":
        yield [(None, text(lang, "web_books.column_key")), (None, text(lang, "web_books.column_value"))]
        for one in table.columns:
            yield [(None, heading(one, lang)), (one, table.rows[0].cells.get(one.key, ""))]
        return
    yield [(one, heading(one, lang)) for one in table.columns]
    for row in table.rows:
        yield [(one, row.cells.get(one.key, "")) for one in table.columns]


def _put(cell: Any, column: Column | None, written: str, *, is_head: bool) -> None:
    if is_head or column is None:
        cell.value = written
        cell.font = Font(bold=True)
        cell.fill = _HEAD
        return
    if column.kind == "yuan" and not value_of(column, written)[1] and written:
        cell.value, cell.number_format = Decimal(written), "0.00"
        return
    if column.kind in ("number", "whole") and written:
        value, code = value_of(column, written)
        # Excel holds fifteen digits; what it would round stays text.
        if not code and isinstance(value, int | Decimal) and len(written.strip("-0.")) <= 15:
            cell.value = value
            return
    cell.number_format = "@"
    cell.alignment = Alignment(wrap_text=True, vertical="top")
    if written:
        # A workbook cannot hold control characters.
        cell.value = ILLEGAL_CHARACTERS_RE.sub(" ", written)
        # Never a formula, whatever it begins with.
        cell.data_type = "s"
        cell.quotePrefix = is_formula(written)


def _offer(sheet: Any, column: Column, at: int) -> None:
    """A list to choose from, where there is one."""
    words = ("true", "false") if column.kind == "switch" else column.choices if column.kind == "choice" else ()
    listed = ",".join(words)
    if not words or len(listed) > _MAX_LISTED:
        return
    offered = DataValidation(type="list", formula1=f'"{listed}"', allow_blank=True)
    sheet.add_data_validation(offered)
    letter = get_column_letter(at)
    offered.add(f"{letter}2:{letter}1000")
