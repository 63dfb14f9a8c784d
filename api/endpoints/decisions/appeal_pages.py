"""The appeals inbox: what runs out first stands first; a case file, and an answer with a reason."""

from typing import Annotated, Final

from fastapi import Depends, Response

from api.books.scheduling import rules_for_posting
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.decisions.appeal_records import APPEALS, Appeal
from api.decisions.appeals import DISMISSED_REASONS, UPHELD_REASONS, decide_appeal
from api.decisions.cases import WORDS_MAX
from api.endpoints.common.case_file import moments_of
from api.endpoints.common.page_routing import page_router
from api.endpoints.common.page_sessions import Named, Posted, field, visiting
from api.endpoints.common.pages import Visit
from api.endpoints.decisions.cases import inbox_page, refused_page, visible_case
from api.ledger.stored_events import event_of
from api.riders.entries_explained import entry_of

router = page_router()
DeciderVisit = Annotated[Visit, Depends(visiting("appeals:decide"))]
REASONS: Final = {"upheld": UPHELD_REASONS, "dismissed": DISMISSED_REASONS}


@router.get("/console/appeals")
def inbox(visit: DeciderVisit, city: Named = "", state: Named = "open", cursor: Named | None = None) -> Response:
    """Appeals by deadline, or those that were answered."""
    return inbox_page(visit, APPEALS, "appeals.html", city, state, cursor)


@router.get("/console/appeals/{appeal_id}")
def case_file(visit: DeciderVisit, appeal_id: Named) -> Response:
    """One appeal with all that bears on it."""
    with visit.service.reading() as unit:
        return _case_page(visit, unit, visible_case(APPEALS, visit, unit, appeal_id))


def _case_page(
    visit: Visit, unit: ReadUnit, appeal: Appeal, status: int = 200, fault: str = "", **typed: str
) -> Response:
    now_us = visit.service.clock()
    others = [other for other in APPEALS.of_rider(unit, appeal.rider_id) if other.appeal_id != appeal.appeal_id]
    return visit.page(
        "appeal.html",
        status,
        appeal=appeal,
        explained=entry_of(unit, appeal.entry_id, now_us),
        moments=moments_of(event_of(unit, appeal.rider_id, appeal.event_id)),
        others=others,
        now_us=now_us,
        reasons={side: [(f"{side}:{code}", visit.say(f"appeal.{side}_{code}")) for code in REASONS[side]] for side in REASONS},
        most=WORDS_MAX,
        fault=fault,
        given=typed,
    )  # fmt: skip


@router.post("/console/appeals/{appeal_id}")
def decide(visit: DeciderVisit, appeal_id: Named, form: Posted) -> Response:
    """Answer an appeal."""
    typed = {name: field(form, name) for name in ("answer", "reason")}
    side, _, code = typed["answer"].partition(":")
    side = "upheld" if side == "upheld" else "dismissed"
    with visit.service.reading() as unit:
        appeal = visible_case(APPEALS, visit, unit, appeal_id)

    def write(unit: WriteUnit) -> None:
        decide_appeal(unit, rules_for_posting(unit), appeal_id, side == "upheld", code, typed["reason"], visit.who.name)

    def case_page(unit: ReadUnit, fault: str) -> Response:
        return _case_page(visit, unit, visible_case(APPEALS, visit, unit, appeal_id), 422, fault, **typed)

    done = visit.goto("/console/appeals", f"appeal_{side}", rider=appeal.rider_id)
    return refused_page(visit, write, case_page) or done
