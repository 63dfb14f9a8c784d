"""Rows of uploaded tables: none is lost in silence, and no table is emptied by a file that could not be read."""

import io

import pytest
from openpyxl import Workbook, load_workbook

from api.endpoints.books.columns import PARTS
from api.endpoints.books.sheet_reading import Sheets, read_file, read_pasted
from api.endpoints.books.sheet_writing import to_csv, to_xlsx
from api.endpoints.books.tables import document_of, table_of, tables_of
from rules.shelf import versions

BOOK = versions("gbt-46862-reference")[0]
DOCUMENT = BOOK.document
FILLED = [part for part in PARTS if part != "book" and table_of(DOCUMENT, part).rows]


def codes(sheets: Sheets) -> list[tuple[str, int]]:
    """Code and row of each fault."""
    return [(found.fault.code, found.row) for found in sheets.faults]


def moved_down(content: bytes) -> bytes:
    """A workbook with an empty first line in each sheet."""
    book, written = load_workbook(io.BytesIO(content)), io.BytesIO()
    for sheet in book.worksheets:
        sheet.insert_rows(1)
    book.save(written)
    return written.getvalue()


@pytest.mark.case
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("before", [b"\xef\xbb\xbf\n", b"\r\n\r\n", b",,,\n", b"sep=,\r\n"])
def test_lines_before_the_header_of_csv_are_passed_over(part: str, before: bytes) -> None:
    """A blank first line changes no table."""
    content = before + to_csv(table_of(DOCUMENT, part), "en").removeprefix(b"\xef\xbb\xbf")

    sheets = read_file(content, "part.csv", DOCUMENT, part)

    assert codes(sheets) == []
    assert document_of(sheets.tables, DOCUMENT).document == DOCUMENT


@pytest.mark.case
def test_lines_before_the_headers_of_a_workbook_are_passed_over() -> None:
    """In every sheet; faults of later rows keep the numbers that the workbook shows."""
    sheets = read_file(moved_down(to_xlsx(tables_of(DOCUMENT), "zh")), "book.xlsx", DOCUMENT)

    assert codes(sheets) == []
    assert document_of(sheets.tables, DOCUMENT).document == DOCUMENT
    assert next(table.rows[0].place for table in sheets.tables if table.part == "rule") == 3


@pytest.mark.case
@pytest.mark.parametrize("part", FILLED)
def test_a_table_does_not_fall_to_no_rows(part: str) -> None:
    """A header alone empties no table of a draft, in CSV and in a workbook."""
    header = to_csv(table_of(DOCUMENT, part), "en").split(b"\r\n")[0] + b"\r\n"
    book, written = Workbook(), io.BytesIO()
    book.active.title = part
    book.active.append(header.decode("utf-8-sig").strip().split(","))
    book.save(written)

    for content, name in ((header, "part.csv"), (header + b"\n \n,,\n", "part.csv"), (written.getvalue(), "book.xlsx")):
        assert "sheet_no_rows" in [code for code, _ in codes(read_file(content, name, DOCUMENT, part))]


def test_a_new_draft_may_have_empty_tables() -> None:
    """Where nothing was, nothing is missed."""
    assert codes(read_file(b"id,title.en\n", "part.csv", {}, "rule")) == []


@pytest.mark.case
def test_a_quote_without_its_end_is_told_and_takes_no_other_row() -> None:
    """Its row is named; a quoted cell that holds rows names them."""
    head = "id,points,source,confidence\n"
    open_ = read_file(f'{head}a,-1,"x,ours\nb,-2,x,ours\n'.encode(), "part.csv", {}, "rule")
    swallowed = read_file(f'{head}a,-1,"x\nb,-2,x,ours\nc,-3,y",ours\nd,-4,x,ours\n'.encode(), "part.csv", {}, "rule")

    assert codes(open_) == [("sheet_quote", 2)]
    assert [table.rows[-1].cells["id"] for table in open_.tables] == ["b"]
    assert codes(swallowed) == [("sheet_swallowed", 3), ("sheet_swallowed", 4)]


def test_a_cell_under_no_heading_is_told() -> None:
    """A ragged row loses nothing in silence."""
    assert codes(read_file(b"id,points\na,-1,oops\n", "part.csv", {}, "rule")) == [("sheet_no_heading", 2)]
    assert codes(read_pasted("id\tpoints\na\t-1\toops", (), "rule", {})) == [("sheet_no_heading", 2)]


@pytest.mark.parametrize("content", [b"\x1f\x8b\x08\x00", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"%PDF-1.7", b"PAR1"])
def test_what_is_no_table_is_told(content: bytes) -> None:
    """Packed files and other programs' documents are refused, not read as text."""
    assert codes(read_file(content, "part.csv", {}, "rule")) == [("sheet_unreadable", 0)]
