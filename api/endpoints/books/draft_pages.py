"""Drafts of rule books: the list, the editor with its tables, and what happens to a draft before it is approved."""

from collections.abc import Callable
from functools import partial

from fastapi import HTTPException, Response
from fastapi.responses import JSONResponse
from starlette.datastructures import FormData

from api.books import drafts as store
from api.books.approvals import submit
from api.books.catalogue import books_of
from api.books.draft_content import faults_of
from api.books.draft_rows import DRAFT_STATES, Draft, DraftState, draft_of
from api.books.in_force import rules_in_force_or_none
from api.books.places import BookPlace, places
from api.db.unit_of_work import WriteUnit
from api.endpoints.books.columns import PARTS
from api.endpoints.books.draft_view import on_paper, titles_of, tried, view_of, why_suspended
from api.endpoints.books.editor import act, complete, editor_table, faults_in_words, line_of, read_form, sections
from api.endpoints.books.tables import Table, TableRow, document_of, table_of
from api.endpoints.books.try_event import kinds, report_words
from api.endpoints.books.visits import BookVisit, WriteVisit
from api.endpoints.common.form_once import submit_once
from api.endpoints.common.page_routing import page_router
from api.endpoints.common.page_sessions import Posted, PostedTable, field
from api.endpoints.common.pages import Visit
from api.refusals import Refused
from rules.events import RIDER_KINDS
from scoring.explain import titled

router = page_router()


@router.get("/console/drafts")
def draft_list(visit: BookVisit, state: str = "", city: str = "", cursor: str = "") -> Response:
    """All drafts, newest first."""
    with visit.service.reading() as unit:
        page = store.drafts_page(unit, visit.who, city=city or None, state=_state(state), cursor=cursor or None)
        titles = titles_of(unit, page.items, visit.lang)
    states = [
        ("", visit.say("web_books.all_states")),
        *((name, visit.say(f"web_books.state_{name}")) for name in DRAFT_STATES),
    ]
    return visit.page("drafts.html", page=page, titles=titles, state_options=states, state=state)


def _state(name: str) -> DraftState | None:
    return next((state for state in DRAFT_STATES if state == name), None)


@router.get("/console/drafts/new")
def new_draft(visit: WriteVisit) -> Response:
    """From which version a draft departs."""
    with visit.service.reading() as unit:
        books = books_of(unit, visit.service.clock())
    options = [
        (version.digest, f"{titled(visit.lang, version.title)} · {version.effective_from}")
        for book in books
        for version in book.versions
        if version.regime != "legacy"
    ]
    return visit.page("draft_new.html", options=options)


@router.post("/console/drafts")
def start_draft(visit: WriteVisit, form: Posted) -> Response:
    """A new draft, from a version or from what is in force in a place."""

    def make(unit: WriteUnit) -> str:
        if field(form, "rider_kind"):
            draft = store.draft_from_place(unit, visit.who, field(form, "city"), field(form, "rider_kind"))
        else:
            draft = store.draft_from_version(unit, visit.who, field(form, "digest"), title=field(form, "title") or None)
        return _path(draft)

    return visit.goto(submit_once(visit, form, make), "draft_made")


@router.get("/console/drafts/{draft_id}")
def draft_page(visit: BookVisit, draft_id: str, part: str = "rule", columns: str = "") -> Response:
    """The editor."""
    return editor(visit, draft_id, part, columns)


def editor(visit: Visit, draft_id: str, part: str, columns: str = "", status: int = 200, **more: object) -> Response:
    """The page of a draft; `more` overrides what it shows."""
    part = part if part in PARTS else "rule"
    shown_columns = [key for key in columns.split(",") if key]
    with visit.service.reading() as unit:
        view = view_of(
            unit, visit.who, draft_id, visit.service.clock(), visit.lang, may_write=visit.may("drafts:write")
        )
        rules = rules_in_force_or_none(unit)
        known = sorted({*view.draft.places, *(() if rules is None else places(rules))})
    known = [place for place in known if not visit.who.cities or place.city in visit.who.cities]
    table = view.table(part, shown_columns, visit.lang)
    form, outcome = tried(view, visit.request.query_params, visit.lang)
    context = {
        "view": view,
        "draft": view.draft,
        "part": part,
        "table": table,
        "columns": columns,
        "sections": sections(table, _section_title(visit)) if part == "book" else [],
        "form": form,
        "outcome": outcome,
        "kinds": kinds(visit.lang),
        "report_words": report_words(visit.lang),
        "focus": visit.request.query_params.get("at", ""),
        "sheet_faults": (),
        "num_sheet_faults": 0,
        "pasted": "",
        "is_approval": False,
        "refused": "",
        "title": view.title(visit.lang),
        "why_suspended": why_suspended(view.draft, visit.lang),
        "sent_back": next((approval for approval in reversed(view.approvals) if approval.decision == "rejected"), None),
        "known_places": known,
        "rider_kinds": RIDER_KINDS,
        "paper": on_paper(view.draft.document, visit.lang),
    }
    return visit.page("draft.html", status, **{**context, **more})


def _section_title(visit: Visit) -> Callable[[str], str]:
    return lambda name: visit.say(f"key.{name}") if name else visit.say("web_books.section_own")


@router.post("/console/drafts/{draft_id}/table")
def save_table(visit: WriteVisit, draft_id: str, form: PostedTable) -> Response:
    """Save a table as it stands on the page, and add, copy, move or delete one of its rows."""
    part, columns, action = _part(form), field(form, "columns"), field(form, "act")
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    table: Table | None = None
    try:
        with visit.service.writing() as unit:
            draft = draft_of(unit, draft_id, visit.who)
            base = table_of(draft.document, part)
            table, focus = act(complete(read_form(part, fields), base), action, draft.document, visit.lang)
            document = document_of([table], draft.document, draft.book_id).document
            if document != draft.document:
                store.save_document(unit, visit.who, draft_id, field(form, "etag"), document)
    except Refused as refused:
        if table is None:
            raise
        # What was typed stays on the page; saving it again is then a decision.
        typed_table = editor_table(table, (), columns.split(","), visit.lang)
        return editor(visit, draft_id, part, columns, 409, refused=words_of(refused, visit), table=typed_table)
    if field(form, "show"):
        columns = ",".join([*filter(None, columns.split(",")), field(form, "show")])
    at = f"&at=row-{focus}" if focus is not None else ""
    notice = "draft_saved" if action == "save" else None
    return visit.goto(f"/console/drafts/{draft_id}?part={part}&columns={columns}{at}", notice)


@router.post("/console/drafts/{draft_id}/cell")
def check_cell(visit: WriteVisit, draft_id: str, form: Posted) -> Response:
    """What is wrong with one cell as it was typed; nothing is saved."""
    part, key = _part(form), field(form, "key")
    with visit.service.reading() as unit:
        draft = draft_of(unit, draft_id, visit.who)
    typed = read_form(part, {f"c.0.{key}": str(form.get("written", "")), "o.0": field(form, "origin")})
    base = table_of(draft.document, part)
    origin = typed.rows[0].origin if typed.rows else None
    if origin is None or not 0 <= origin < len(base.rows):
        return JSONResponse({"faults": []})
    rows = list(base.rows)
    rows[origin] = TableRow({**rows[origin].cells, key: typed.rows[0].cells.get(key, "")}, origin)
    rebuilt = document_of([Table(part, tuple(rows))], draft.document)
    faults = [fault.fault for fault in rebuilt.faults if fault.key == key and fault.row == origin]
    if not faults:
        placed = faults_in_words(rebuilt.document, faults_of(rebuilt.document, ""), visit.lang)
        faults = [
            each.fault for each in placed if (each.place.part, each.place.row, each.place.key) == (part, origin, key)
        ]
    return JSONResponse({"faults": [line_of(fault, visit.lang) for fault in faults]})


@router.post("/console/drafts/{draft_id}/targets")
def set_targets(visit: WriteVisit, draft_id: str, form: Posted) -> Response:
    """Say in which cities, and for which riders, a draft is to be in force."""
    chosen = [BookPlace(*str(value).rpartition("/")[::2]) for value in form.getlist("place") if "/" in str(value)]
    city = field(form, "city")
    chosen += [BookPlace(city, kind) for kind in RIDER_KINDS if city and form.get(f"for_{kind}")]
    return _changed(visit, draft_id, "draft_placed", form, partial(store.set_targets, targets=chosen))


@router.post("/console/drafts/{draft_id}/undo")
def undo(visit: WriteVisit, draft_id: str, form: Posted) -> Response:
    """Back to how it was before the last change."""
    return _changed(visit, draft_id, "draft_undone", form, store.undo)


@router.post("/console/drafts/{draft_id}/rebase")
def take_new_base(visit: WriteVisit, draft_id: str, form: Posted) -> Response:
    """Let the draft depart from the version that is in force by now."""
    return _changed(visit, draft_id, "draft_rebased", form, store.rebase)


@router.post("/console/drafts/{draft_id}/submit")
def submit_draft(visit: WriteVisit, draft_id: str, form: Posted) -> Response:
    """Ask for approval by a second person."""
    return _changed(visit, draft_id, "draft_submitted", form, submit)


@router.post("/console/drafts/{draft_id}/withdraw")
def withdraw(visit: WriteVisit, draft_id: str, form: Posted) -> Response:
    """Give a draft up."""
    with visit.service.writing() as unit:
        store.withdraw(unit, visit.who, draft_id, field(form, "etag"), field(form, "reason"))
    return visit.goto("/console/drafts", "draft_withdrawn")


def _changed(visit: Visit, draft_id: str, notice: str, form: Posted, verb: Callable[..., Draft]) -> Response:
    """Do one thing to a draft and show it; what is refused is said on its own page."""
    try:
        with visit.service.writing() as unit:
            verb(unit, visit.who, draft_id, field(form, "etag"))
    except Refused as refused:
        return editor(visit, draft_id, field(form, "part"), status=409, refused=words_of(refused, visit))
    return visit.goto(f"/console/drafts/{draft_id}?part={field(form, 'part')}", notice)


def _part(form: FormData) -> str:
    """The table that a form is about."""
    part = field(form, "part")
    if part not in PARTS:
        raise HTTPException(404)
    return part


def words_of(refused: Refused, visit: Visit) -> str:
    """Why something is refused, for people who know of no ETags."""
    if refused.code == "precondition_failed":
        return visit.say("web_books.changed_meanwhile")
    return refused.describe(visit.lang)


def _path(draft: Draft) -> str:
    return f"/console/drafts/{draft.draft_id}"
