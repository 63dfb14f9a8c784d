"""The appeals inbox: what runs out first stands first; a case file, and an answer with a reason."""

from typing import Annotated, Final

from fastapi import Depends, Response

from api.books.scheduling import rules_for_posting
from api.db.unit_of_work import ReadUnit
from api.decisions.appeal_records import Appeal, appeal_of, appeals_of, decided_appeals, open_appeals_by_deadline
from api.decisions.appeals import DISMISSED_REASONS, UPHELD_REASONS, WORDS_MAX, decide_appeal
from api.endpoints.common.case_file import chosen_cities, moments_of, need_city, own_cities
from api.endpoints.common.page_routing import page_router
from api.endpoints.common.page_sessions import Named, Posted, field, visiting
from api.endpoints.common.pages import Visit
from api.endpoints.common.problems import Problem
from api.ledger.stored_events import event_of
from api.refusals import Refused
from api.riders.entries_explained import entry_of

router = page_router()
DeciderVisit = Annotated[Visit, Depends(visiting("appeals:decide"))]
NUM_A_PAGE: Final = 40
REASONS: Final = {"upheld": UPHELD_REASONS, "dismissed": DISMISSED_REASONS}


@router.get("/console/appeals")
def inbox(visit: DeciderVisit, city: Named = "", state: Named = "open", cursor: Named | None = None) -> Response:
    """Appeals by deadline, or those that were answered."""
    listed = decided_appeals if state == "decided" else open_appeals_by_deadline
    with visit.service.reading() as unit:
        page = listed(unit, chosen_cities(visit, city), cursor, NUM_A_PAGE)
        known = own_cities(visit, unit)
    return visit.page(
        "appeals.html",
        page=page,
        cities=known,
        city=city,
        state=state,
        now_us=visit.service.clock(),
        older=None if page.cursor is None else visit.here(cursor=page.cursor),
        newest=None if cursor is None else visit.here(cursor=None),
    )


@router.get("/console/appeals/{appeal_id}")
def case_file(visit: DeciderVisit, appeal_id: Named) -> Response:
    """One appeal with all that bears on it."""
    with visit.service.reading() as unit:
        return _case_page(visit, unit, _known(visit, unit, appeal_id))


def _known(visit: Visit, unit: ReadUnit, appeal_id: str) -> Appeal:
    appeal = appeal_of(unit, appeal_id)
    if appeal is None:
        raise Problem("not_found")
    need_city(visit, appeal.city)
    return appeal


def _case_page(
    visit: Visit, unit: ReadUnit, appeal: Appeal, status: int = 200, fault: str = "", **given: str
) -> Response:
    now_us = visit.service.clock()
    others = [other for other in appeals_of(unit, appeal.rider_id) if other.appeal_id != appeal.appeal_id]
    return visit.page(
        "appeal.html",
        status,
        appeal=appeal,
        told=entry_of(unit, appeal.entry_id, now_us),
        moments=moments_of(event_of(unit, appeal.rider_id, appeal.event_id)),
        others=others,
        now_us=now_us,
        reasons={side: [(f"{side}:{code}", visit.say(f"appeal.{side}_{code}")) for code in REASONS[side]] for side in REASONS},
        most=WORDS_MAX,
        fault=fault,
        given=given,
    )  # fmt: skip


@router.post("/console/appeals/{appeal_id}")
def decide(visit: DeciderVisit, appeal_id: Named, form: Posted) -> Response:
    """Answer an appeal."""
    given = {name: field(form, name) for name in ("answer", "reason")}
    side, _, code = given["answer"].partition(":")
    side = "upheld" if side == "upheld" else "dismissed"
    with visit.service.reading() as unit:
        appeal = _known(visit, unit, appeal_id)
    try:
        with visit.service.writing() as unit:
            decide_appeal(
                unit, rules_for_posting(unit), appeal_id, side == "upheld", code, given["reason"], visit.who.name
            )
    except Refused as refused:
        with visit.service.reading() as unit:
            appeal = _known(visit, unit, appeal_id)
            return _case_page(visit, unit, appeal, 422, refused.describe(visit.lang), **given)
    return visit.goto("/console/appeals", f"appeal_{side}", rider=appeal.rider_id)
