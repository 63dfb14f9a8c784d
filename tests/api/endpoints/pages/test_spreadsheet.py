"""Workbooks and CSV files of a rule book: out and in again, and every fault told where it stands."""

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook

from api.endpoints.books.columns import PARTS
from api.endpoints.books.sheet_reading import Sheets, merged, read_file, read_pasted
from api.endpoints.books.sheet_writing import to_csv, to_xlsx
from api.endpoints.books.tables import Document, Table, TableRow, document_of, table_of, tables_of
from rules.formula_guard import escape_formula, unescape_formula
from rules.ids import digest
from rules.shelf import shipped, versions
from rules.text import LANGS, Lang
from tests.strategies import raw_books

SHIPPED = [book for name in shipped() for book in versions(name)]
EVIL = ("=1+1", "+cmd", "-x", "@SUM(A1)", "\tx", "'=x", "''-y", "−5", "-5", "line\nbreak", 'say "hi", twice')


def edited(change: Callable[[Any], None], document: Document, lang: Lang = "zh") -> Sheets:
    """What is read after somebody changed the exported workbook."""
    book = load_workbook(io.BytesIO(to_xlsx(tables_of(document), lang)))
    change(book)
    content = io.BytesIO()
    book.save(content)
    return read_file(content.getvalue(), "book.xlsx", document)


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("book", SHIPPED, ids=lambda book: book.id)
def test_a_workbook_comes_back_as_the_same_book(book: Any, lang: Lang) -> None:
    """Exported and read again, into the same draft or an empty one, the book has the same digest."""
    content = to_xlsx(tables_of(book.document), lang)

    for base in (book.document, {}):
        sheets = read_file(content, "book.xlsx", base)
        assert sheets.faults == ()
        assert [table.part for table in sheets.tables] == list(PARTS)
        assert digest(document_of(sheets.tables, base).document) == book.digest


@settings(max_examples=15, deadline=None)
@given(raw_books())
def test_any_book_survives_a_workbook(document: Document) -> None:
    """A random book exported and read into its own draft is the same to the letter."""
    sheets = read_file(to_xlsx(tables_of(document), "en"), "book.xlsx", document)

    assert sheets.faults == ()
    assert document_of(sheets.tables, document).document == document


@pytest.mark.parametrize("part", PARTS)
def test_each_table_survives_csv(part: str) -> None:
    """A table as CSV, the table named or told by its headings, is the same table."""
    book = versions("gbt-46862-reference")[0]
    content = to_csv(table_of(book.document, part), "zh")

    for named in (part, ""):
        sheets = read_file(content, "part.csv", book.document, named)
        assert sheets.faults == ()
        assert [table.part for table in sheets.tables] == [part]
        assert document_of(sheets.tables, book.document).document == book.document


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "utf-8"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_as_spreadsheets_write_it(encoding: str, delimiter: str) -> None:
    """Encodings and separators of Excel in China and elsewhere are read."""
    document = versions("taobao-crowdsourced")[0].document
    written = f"编号{delimiter}名称（中文）{delimiter}points\r\nlate_over_5{delimiter}晚点{delimiter}-1.5\r\n"

    sheets = read_file(written.encode(encoding), "part.csv", document, "rule")

    (table,) = sheets.tables
    assert sheets.faults == ()
    assert dict(table.rows[0].cells) == {"id": "late_over_5", "title.zh": "晚点", "points": "-1.5"}
    assert table.rows[0].origin is not None


def test_text_that_looks_like_a_formula_is_text() -> None:
    """Nothing in a book is run by a spreadsheet program, and every text comes back as it was."""
    document = versions("taobao-crowdsourced")[0].document
    rows = [TableRow({"id": f"r{number}", "title.zh": text, "note.en": text}) for number, text in enumerate(EVIL)]
    made = document_of([Table("rule", tuple(rows))], document).document

    content = to_xlsx(tables_of(made), "en")
    csv_lines = to_csv(table_of(made, "rule"), "en")

    for sheet in load_workbook(io.BytesIO(content)):
        assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n"}
    assert document_of(read_file(content, "a.xlsx", made).tables, made).document == made
    assert document_of(read_file(csv_lines, "a.csv", made, "rule").tables, made).document == made


@given(st.text())
def test_guarding_loses_nothing(written: str) -> None:
    """Any text guarded for CSV and read again is the same text."""
    assert unescape_formula(escape_formula(written)) == written


def test_every_fault_is_told_with_sheet_row_and_column() -> None:
    """A formula, an error, a strange column: all at once, each with its place."""
    document = versions("taobao-crowdsourced")[0].document

    def change(book: Any) -> None:
        sheet = book["规则"]
        sheet["B2"] = "=1+1"
        sheet["C3"] = "#REF!"
        sheet["C3"].data_type = "e"
        sheet.cell(1, sheet.max_column + 1, "扣多少")

    sheets = edited(change, document)

    told = {(found.sheet, found.row, found.column, found.fault.code) for found in sheets.faults}
    assert {("规则", 2, "B", "sheet_formula"), ("规则", 3, "C", "sheet_error")} < told
    assert "sheet_column" in {code for *_, code in told}
    assert all(found.fault.describe(lang) for found in sheets.faults for lang in LANGS)


def test_a_missing_sheet_or_column_leaves_its_part_alone() -> None:
    """Without the tiers' sheet and the notes' columns, tiers and notes stay as they are."""
    document = versions("gbt-46862-reference")[0].document

    def change(book: Any) -> None:
        del book["等级"]
        sheet = book["规则"]
        sheet.delete_cols(sheet.max_column - 1, 2)

    sheets = edited(change, document)

    assert sheets.faults == ()
    assert document_of(sheets.tables, document).document == document


def test_a_row_that_is_gone_from_the_sheet_is_gone_from_the_book() -> None:
    """Deleting a line of the workbook deletes that rule, and only that one."""
    document = versions("gbt-46862-reference")[0].document

    sheets = edited(lambda book: book["规则"].delete_rows(3), document)

    made = document_of([table for table in sheets.tables if table.part == "rule"], document).document
    assert made["rule"] == [document["rule"][0], *document["rule"][2:]]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"PK\x03\x04 not a workbook", "sheet_unreadable"),
        (b"\x80\x81\xff\x00\xfe\xfd", "sheet_unreadable"),
        (b"a,b\n1,2\n", "sheet_unknown"),
        (b"x" * ((4 << 20) + 1), "sheet_large"),
    ],
    ids=["broken", "bytes", "strange", "large"],
)
def test_a_file_that_is_none_is_refused(content: bytes, code: str) -> None:
    """Broken, strange and oversized files are one fault, not a crash."""
    sheets = read_file(content, "book", {})

    assert sheets.tables == ()
    assert [found.fault.code for found in sheets.faults] == [code]


def test_a_packed_flood_is_refused() -> None:
    """A small file that unpacks to a huge one is refused before it is unpacked."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b" " * (64 << 20))

    assert [found.fault.code for found in read_file(packed.getvalue(), "flood", {}).faults] == ["sheet_large"]


def test_a_workbook_of_another_kind_is_refused() -> None:
    """A workbook whose sheets have nothing to do with rules says so, sheet by sheet."""
    book = Workbook()
    book.active.append(["Umsatz", "Gewinn"])
    content = io.BytesIO()
    book.save(content)

    assert [found.fault.code for found in read_file(content.getvalue(), "x", {}).faults] == ["sheet_unknown"]


def test_pasted_rows_change_and_add() -> None:
    """Cells pasted in the order of the page's columns: a known id changes in place, a new one follows at the end."""
    document = versions("taobao-crowdsourced")[0].document
    table = table_of(document, "rule")

    sheets = read_pasted("late_over_5\t-1.5\nfresh\t-1\n", ("id", "points"), "rule", document)
    made = merged(table, sheets.tables[0])

    assert sheets.faults == ()
    assert [row.cells["id"] for row in made.rows] == [*(row.cells["id"] for row in table.rows), "fresh"]
    changed = next(row for row in made.rows if row.cells["id"] == "late_over_5")
    assert changed.cells["points"] == "-1.5"
    assert changed.cells["title.en"] == "Late by more than 5 minutes"


def test_pasted_headings_name_the_columns() -> None:
    """With headings, in words or keys, the order is theirs."""
    document = versions("taobao-crowdsourced")[0].document

    sheets = read_pasted("分数\t编号\n-1.5\tlate_over_5\n", ("id", "points"), "rule", document)

    assert dict(sheets.tables[0].rows[0].cells) == {"points": "-1.5", "id": "late_over_5"}
