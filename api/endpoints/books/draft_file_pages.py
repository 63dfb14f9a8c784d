"""A draft's tables as files, in and out: Excel workbook, CSV, TOML, and rows pasted from a spreadsheet."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from fastapi import Response
from starlette.datastructures import FormData, UploadFile

from api.books import drafts as store
from api.books.draft_content import faults_of
from api.books.draft_rows import Draft, draft_of
from api.endpoints.books.columns import PARTS
from api.endpoints.books.draft_pages import editor
from api.endpoints.books.editor import faults_in_words
from api.endpoints.books.fault_words import page_words
from api.endpoints.books.sheet_reading import MAX_BYTES, SheetFault, Sheets, merged, read_file, read_pasted
from api.endpoints.books.sheet_writing import CSV_TYPE, XLSX_TYPE, file_response, to_csv, to_xlsx
from api.endpoints.books.tables import CellFault, Document, document_of, table_of, tables_of
from api.endpoints.books.visits import BookVisit, WriteVisit
from api.endpoints.common.page_routing import page_router
from api.endpoints.common.page_sessions import PostedTable, field
from api.endpoints.common.pages import Visit
from api.endpoints.common.problems import DETAIL_MAX, ERRORS_MAX, shortened
from api.endpoints.common.threads import ConcurrencyLimit
from rules.errors import Fault

router = page_router()


GIVEN_MAX: Final = 60
# Sheet, row and column of a fault, as a person finds them, and the fault.
FaultPlace = tuple[str, str, str, Fault]


@dataclass(frozen=True, slots=True)
class SheetFaultInWords:
    """A fault of a sheet in words, with its place and the value found."""

    sheet: str
    row: str
    column: str
    given: str
    words: str
    remedy: str


@router.get("/console/drafts/{draft_id}/book.xlsx")
def workbook(visit: BookVisit, draft_id: str) -> Response:
    """All tables as an Excel workbook."""
    draft = _draft(visit, draft_id)
    return file_response(to_xlsx(tables_of(draft.document), visit.lang), XLSX_TYPE, f"{draft.book_id}.xlsx")


@router.get("/console/drafts/{draft_id}/book.toml")
def toml(visit: BookVisit, draft_id: str) -> Response:
    """The document as TOML."""
    draft = _draft(visit, draft_id)
    return file_response(draft.toml.encode(), "application/toml; charset=utf-8", f"{draft.book_id}.toml")


@router.get("/console/drafts/{draft_id}/{part}.csv")
def one_table(visit: BookVisit, draft_id: str, part: str) -> Response:
    """One table as CSV."""
    draft = _draft(visit, draft_id)
    table = table_of(draft.document, part if part in PARTS else "rule")
    return file_response(to_csv(table, visit.lang), CSV_TYPE, f"{draft.book_id}-{table.part}.csv")


def _draft(visit: Visit, draft_id: str) -> Draft:
    with visit.service.reading() as unit:
        return draft_of(unit, draft_id, visit.who)


@router.post("/console/drafts/{draft_id}/upload")
def upload(visit: WriteVisit, draft_id: str, form: PostedTable) -> Response:
    """Take a workbook or a CSV file; a file with any fault changes nothing."""
    file = form.get("file")
    content = file.file.read(MAX_BYTES + 1) if isinstance(file, UploadFile) else b""
    name = file.filename or "" if isinstance(file, UploadFile) else ""
    draft = _draft(visit, draft_id)
    part = field(form, "part")
    with _turn(visit):
        sheets = read_file(content, name, draft.document, part if name.lower().endswith(".csv") else "")
        return _take(visit, draft, form, sheets)


@router.post("/console/drafts/{draft_id}/paste")
def paste(visit: WriteVisit, draft_id: str, form: PostedTable) -> Response:
    """Take rows pasted from a spreadsheet into one table; what is wrong with a cell is told beside it, as if typed."""
    draft = _draft(visit, draft_id)
    part = field(form, "part") if field(form, "part") in PARTS else "rule"
    keys = tuple(key for key in field(form, "keys").split(",") if key)
    written = _written(form)
    with _turn(visit):
        return _take_pasted(
            visit, draft, form, part, read_pasted(written, keys, part, draft.document, visit.say("web_books.pasted"))
        )


def _take_pasted(visit: Visit, draft: Draft, form: FormData, part: str, sheets: Sheets) -> Response:
    """Put pasted rows into their table, or tell every fault of them."""
    if sheets.faults or not sheets.tables:
        return _refused(visit, draft, part, [_sheet_place(fault) for fault in sheets.faults], pasted=_written(form))
    tables = [merged(table_of(draft.document, part), table) for table in sheets.tables]
    document = document_of(tables, draft.document, draft.book_id).document
    return _saved(visit, draft, form, document, "draft_pasted", len(sheets.tables[0].rows))


def _written(form: FormData) -> str:
    return str(form.get("rows", "")).replace("\r\n", "\n")


def _turn(visit: Visit) -> AbstractContextManager[None]:
    """One of the few turns for reading files."""
    uploads: ConcurrencyLimit = visit.request.app.state.uploads
    return uploads.taken()


def _take(visit: Visit, draft: Draft, form: FormData, sheets: Sheets) -> Response:
    """Save what a file says, or tell every fault of it."""
    rebuilt = document_of(sheets.tables, draft.document, draft.book_id)
    places = [_sheet_place(fault) for fault in sheets.faults]
    known = {fault[:3] for fault in places}
    places += [place for fault in rebuilt.faults if (place := _cell_place(fault, sheets))[:3] not in known]
    if not rebuilt.faults:
        places += _rule_faults(rebuilt.document, sheets, visit)
    if places or not sheets.tables:
        return _refused(visit, draft, field(form, "part"), places)
    return _saved(
        visit, draft, form, rebuilt.document, "draft_uploaded", sum(len(table.rows) for table in sheets.tables)
    )


def _refused(visit: Visit, draft: Draft, part: str, places: Sequence[FaultPlace], pasted: str = "") -> Response:
    """The page of a draft with what is wrong with a file: the first faults, and how many there are."""
    faults = [
        SheetFaultInWords(sheet, row, column, shortened(fault.given, GIVEN_MAX), *_fault_words(fault, visit))
        for sheet, row, column, fault in places[:ERRORS_MAX]
    ]
    return editor(
        visit, draft.draft_id, part, status=422, sheet_faults=faults, num_sheet_faults=len(places), pasted=pasted
    )


def _fault_words(fault: Fault, visit: Visit) -> tuple[str, str]:
    words, remedy = page_words(fault, visit.lang)
    return shortened(words, DETAIL_MAX), remedy


def _saved(visit: Visit, draft: Draft, form: FormData, document: Document, notice: str, number: int) -> Response:
    if document != draft.document:
        with visit.service.writing() as unit:
            store.save_document(unit, visit.who, draft.draft_id, field(form, "etag"), document)
    return visit.goto(f"/console/drafts/{draft.draft_id}?part={field(form, 'part')}", notice, number=number)


def _rule_faults(document: Document, sheets: Sheets, visit: Visit) -> list[FaultPlace]:
    """What the book's own rules find in cells that came from the file; what was wrong elsewhere stays wrong there."""
    parts = {table.part for table in sheets.tables}
    placed = [
        each for each in faults_in_words(document, faults_of(document, ""), visit.lang) if each.place.part in parts
    ]
    cells = [CellFault(each.place.part, each.place.row, each.place.key, each.fault) for each in placed]
    return [_cell_place(cell, sheets) for cell in cells]


def _sheet_place(fault: SheetFault) -> FaultPlace:
    return fault.sheet, str(fault.row) if fault.row else "", fault.column, fault.fault


def _cell_place(fault: CellFault, sheets: Sheets) -> FaultPlace:
    letter = sheets.letters.get((fault.part, fault.key), "")
    place = 0
    if fault.row is not None:
        rows = next(table.rows for table in sheets.tables if table.part == fault.part)
        place = rows[fault.row].place if fault.row < len(rows) else 0
    row = str(place) if place else letter.lstrip("AB") if fault.part == "book" else ""
    return sheets.names.get(fault.part, fault.part), row, "B" if fault.part == "book" else letter, fault.fault
