"""The rider's own pages: score and reasons, how lost points come back, appeals, personal data."""

from typing import Annotated, Final

from fastapi import Depends, Query, Response

from api.books.in_force import rules_in_force
from api.cities.daily_figures import books_of
from api.db.unit_of_work import ReadUnit
from api.decisions.appeals import REASONS, file_appeal
from api.decisions.cases import WORDS_MAX
from api.endpoints.common.auth import Authenticator
from api.endpoints.common.downloads import export_download
from api.endpoints.common.event_items import day_of, items_of
from api.endpoints.common.formats import DAY_US, clock
from api.endpoints.common.page_routing import page_router
from api.endpoints.common.page_sessions import Named, Posted, field, sign_out, visiting
from api.endpoints.common.pages import Visit
from api.endpoints.common.problems import Problem
from api.endpoints.riders.book_view import fill_of, rows_of, score_scale
from api.refusals import Refused
from api.riders.cards import card_of
from api.riders.entries_explained import ExplainedEntry, entries_page, entry_of, owner_of_entry
from api.riders.people import erase, person_of

router = page_router()
OwnVisit = Annotated[Visit, Depends(visiting("self:read"))]
AppealVisit = Annotated[Visit, Depends(visiting("self:appeal"))]
SeqCursor = Annotated[int | None, Query(ge=0, lt=2**63)]
# The colour of the tier's name, as on the scale.
TONES: Final = {"fill-good": "good", "fill-mute": "", "fill-warn": "warn", "fill-bad": "bad"}
# A day's orders, three entries each, and some of the days before.
NUM_TOLD: Final = 120
NUM_BEFORE: Final = 8
NUM_A_PAGE: Final = 30


@router.get("/rider")
def own_card(visit: OwnVisit) -> Response:
    """Score, tier and what it affects, today, the way back, what the next order would do."""
    rider, now_us = visit.who.subject, visit.service.clock()
    with visit.service.reading() as unit:
        law = rules_in_force(unit)
        card = card_of(unit, law, rider, now_us)
        if card is None:
            return visit.page("rider_new.html", person=person_of(unit, rider))
        book = books_of(law)[card.book.digest]
        entries = entries_page(unit, rider, now_us, limit=NUM_TOLD).items
        today = [entry for entry in entries if _is_since(entry, card.day_starts_us)]
        before = [entry for entry in entries if not _is_since(entry, card.day_starts_us)]
        return visit.page(
            "rider.html",
            card=card,
            model=book.model,
            ruler=score_scale(book, card.score_mp),
            tone=TONES[fill_of(next(tier for tier in book.model.tier if tier.id == card.tier.tier_id))],
            rules=rows_of(book, visit.lang),
            today=day_of(items_of(today)),
            recent=day_of(items_of(before)[:NUM_BEFORE]),
            person=person_of(unit, rider),
        )


def _is_since(entry: ExplainedEntry, us: int) -> bool:
    return entry.line.recorded_us >= us or entry.line.occurred_us >= us


@router.get("/rider/entries")
def own_entries(visit: OwnVisit, cursor: SeqCursor = None) -> Response:
    """All entries, newest first."""
    with visit.service.reading() as unit:
        page = entries_page(unit, visit.who.subject, visit.service.clock(), cursor, NUM_A_PAGE)
    steps = visit.steps(page.cursor, cursor)
    return visit.page("rider_entries.html", items=items_of(page.items), waits=page.recalculating, **steps)


@router.get("/rider/entries/{entry_id}")
def own_entry(visit: OwnVisit, entry_id: Named) -> Response:
    """One entry and all that it follows from."""
    with visit.service.reading() as unit:
        entry = _own(visit, unit, entry_id)
    return visit.page("rider_entry.html", explained=entry)


def _own(visit: Visit, unit: ReadUnit, entry_id: str) -> ExplainedEntry:
    """An entry of the visitor's; what is another rider's is not there, and takes as long to find."""
    owner = owner_of_entry(unit, entry_id)
    is_own = owner is not None and owner.rider_id == visit.who.subject
    entry = entry_of(unit, entry_id, visit.service.clock()) if is_own else None
    if entry is None:
        raise Problem("not_found")
    return entry


@router.get("/rider/entries/{entry_id}/appeal")
def appeal_form(visit: AppealVisit, entry_id: Named) -> Response:
    """Say why a deduction is wrong."""
    with visit.service.reading() as unit:
        entry = _own(visit, unit, entry_id)
    return _appeal_page(visit, entry)


def _appeal_page(visit: Visit, entry: ExplainedEntry, status: int = 200, fault: str = "", **typed: str) -> Response:
    answer_by_us = visit.service.clock() + entry.appeal.decide_days * DAY_US
    reasons = [(code, visit.say(f"appeal.reason_{code}")) for code in REASONS]
    return visit.page(
        "rider_appeal.html",
        status,
        explained=entry,
        reasons=reasons,
        answer_by_us=answer_by_us,
        most=WORDS_MAX,
        fault=fault,
        given=typed,
    )


@router.post("/rider/entries/{entry_id}/appeal")
def appeal(visit: AppealVisit, entry_id: Named, form: Posted) -> Response:
    """File the appeal."""
    names = ("reason_code", "reason", "evidence_ref")
    typed = {name: field(form, name) for name in names}
    with visit.service.reading() as unit:
        entry = _own(visit, unit, entry_id)
    try:
        with visit.service.writing() as unit:
            filed, _ = file_appeal(
                unit,
                visit.who.subject,
                entry_id,
                typed["reason_code"],
                typed["reason"],
                typed["evidence_ref"] or None,
                visit.who.name,
                key_id=visit.who.key_id,
            )
    except Refused as refused:
        return _appeal_page(visit, entry, 422, refused.describe(visit.lang), **typed)
    deadline = clock(filed.deadline_us, "%m-%d %H:%M", entry.why.book.model.time_zone)
    return visit.goto("/rider", "appeal_filed", deadline=deadline)


@router.get("/rider/export")
def export(visit: Annotated[Visit, Depends(visiting("self:export"))]) -> Response:
    """All that is held on the rider, as a file."""
    return export_download(visit.service, visit.who.subject, visit.request.app.state.downloads, "riderscore.json")


@router.post("/rider/erase")
def erase_person(visit: Annotated[Visit, Depends(visiting("self:erase"))], form: Posted) -> Response:
    """Erase name, phone and all words; the rider's keys end with it, so that this is the way out."""
    if field(form, "sure") != "1":
        return visit.goto("/rider#data", "erase_unsure")
    with visit.service.writing() as unit:
        erase(unit, visit.who.subject, visit.who.name)
    visit.service.store.scrub()
    authenticator: Authenticator = visit.request.app.state.authenticator
    authenticator.forget()
    response = visit.goto("/login", "erased")
    sign_out(visit.request, visit.service, response)
    return response
