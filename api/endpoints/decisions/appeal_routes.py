"""Appeals: what waits for an answer, by deadline, and the answers of people."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from api.books.scheduling import rules_for_posting
from api.decisions.appeal_records import APPEALS
from api.decisions.appeals import decide_appeal
from api.endpoints.common.auth import require
from api.endpoints.common.etags import WordsDep
from api.endpoints.common.schemas import IdText
from api.endpoints.common.threads import ThreadedRoute
from api.endpoints.decisions.cases import CaseQueryDep, list_cases, need_case
from api.endpoints.decisions.shapes import AppealAnswer, AppealPage, AppealShown
from api.service import Actor, ServiceDep

router = APIRouter(prefix="/v1/appeals", tags=["appeals"], route_class=ThreadedRoute)
Reader = Annotated[Actor, Depends(require("self:read", "appeals:decide"))]
Decider = Annotated[Actor, Depends(require("appeals:decide"))]
_ACCEPTED = "Decided; the ledger is being recalculated."


@router.get("")
def list_appeals(actor: Reader, service: ServiceDep, lang: WordsDep, query: CaseQueryDep) -> AppealPage:
    """Appeals that wait, those first whose time runs out first, or those answered, newest first; a rider's own only."""
    return list_cases(AppealPage, APPEALS, service, actor, query, lang)


@router.get("/{appeal_id}")
def get_appeal(appeal_id: IdText, actor: Reader, service: ServiceDep, lang: WordsDep) -> AppealShown:
    """One appeal and its answer."""
    with service.reading() as unit:
        appeal = need_case(APPEALS, unit, actor, appeal_id)
    return AppealShown.of(appeal, lang)


@router.post(
    "/{appeal_id}/decision",
    operation_id="decide_appeal",
    responses={202: {"model": AppealShown, "description": _ACCEPTED}},
)
def post_decision(
    appeal_id: IdText, body: AppealAnswer, actor: Decider, service: ServiceDep, lang: WordsDep, response: Response
) -> AppealShown:
    """Answer an appeal, with a reason; an upheld one is taken back in the ledger at once.

    Where its event is older than its book's `late_days`, the answer is 202: it stands, and the ledger follows in a
    moment. Until then the appeal at `Location`, the card and the entries say that they are being recalculated.
    """
    with service.writing() as unit:
        need_case(APPEALS, unit, actor, appeal_id)
        upheld = body.decision == "upheld"
        appeal = decide_appeal(
            unit, rules_for_posting(unit), appeal_id, upheld, body.reason_code, body.reason, actor.name
        )
    if appeal.recalculating:
        response.status_code = 202
        response.headers["Location"] = f"/v1/appeals/{appeal_id}"
    return AppealShown.of(appeal, lang)
