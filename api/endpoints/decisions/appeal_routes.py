"""Appeals: what waits for an answer, by deadline, and the answers of people."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response

from api.access.requester import need_cities
from api.books.scheduling import rules_for_posting
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.decisions.appeal_records import Appeal, appeal_of, decided_appeals, open_appeals_by_deadline, own_appeals
from api.decisions.appeals import decide_appeal
from api.endpoints.common.auth import require
from api.endpoints.common.etags import in_words
from api.endpoints.common.problems import Problem
from api.endpoints.common.schemas import LIMIT_DEFAULT, Cursor, IdText, Limit, PlainText
from api.endpoints.common.threads import ThreadedRoute
from api.endpoints.decisions.shapes import AppealAnswer, AppealPage, AppealShown, appeal_shown
from api.service import Actor, LangDep, ServiceDep

router = APIRouter(prefix="/v1/appeals", tags=["appeals"], route_class=ThreadedRoute)
Reader = Annotated[Actor, Depends(require("self:read", "appeals:decide"))]
Decider = Annotated[Actor, Depends(require("appeals:decide"))]
_ACCEPTED = "Decided; the ledger is being recalculated."
City = Annotated[PlainText | None, Query(description="Of this city only.")]


def cities_of(actor: Actor, city: str | None) -> tuple[str, ...]:
    """Cities that a list is about; empty for all."""
    if city is None:
        return actor.cities
    need_cities(actor, {city})
    return (city,)


@router.get("")
def list_appeals(
    actor: Reader,
    service: ServiceDep,
    lang: LangDep,
    response: Response,
    state: Literal["open", "decided"] = "open",
    city: City = None,
    cursor: Cursor = None,
    limit: Limit = LIMIT_DEFAULT,
) -> AppealPage:
    """Appeals that wait, those first whose time runs out first, or those answered, newest first; a rider's own only."""
    cities = () if actor.role == "rider" else cities_of(actor, city)
    with service.reading() as unit:
        if actor.role == "rider":
            page = own_appeals(unit, actor.subject, state, cursor, limit)
        elif state == "open":
            page = open_appeals_by_deadline(unit, cities, cursor, limit)
        else:
            page = decided_appeals(unit, cities, cursor, limit)
    response.headers.update(in_words(lang))
    return AppealPage(items=[appeal_shown(appeal, lang) for appeal in page.appeals], cursor=page.cursor)


@router.get("/{appeal_id}")
def get_appeal(appeal_id: IdText, actor: Reader, service: ServiceDep, lang: LangDep, response: Response) -> AppealShown:
    """One appeal and its answer."""
    with service.reading() as unit:
        found = _seen(unit, actor, appeal_id)
    response.headers.update(in_words(lang))
    return appeal_shown(found, lang)


def _seen(unit: ReadUnit | WriteUnit, actor: Actor, appeal_id: str) -> Appeal:
    found = appeal_of(unit, appeal_id)
    if found is None or not actor.may_see_rider(found.rider_id, found.city):
        raise Problem("appeal_unknown", appeal=appeal_id)
    return found


@router.post("/{appeal_id}/decision", responses={202: {"model": AppealShown, "description": _ACCEPTED}})
def post_decision(
    appeal_id: IdText, body: AppealAnswer, actor: Decider, service: ServiceDep, lang: LangDep, response: Response
) -> AppealShown:
    """Answer an appeal, with a reason; an upheld one is taken back in the ledger at once.

    Where its event is older than its book's `late_days`, the answer is 202: it stands, and the ledger follows in a
    moment. Until then the appeal at `Location`, the card and the entries say that they are being recalculated.
    """
    with service.writing() as unit:
        _seen(unit, actor, appeal_id)
        upheld = body.decision == "upheld"
        found = decide_appeal(
            unit, rules_for_posting(unit), appeal_id, upheld, body.reason_code, body.reason, actor.name
        )
    if found.recalculating:
        response.status_code = 202
        response.headers["Location"] = f"/v1/appeals/{appeal_id}"
    response.headers.update(in_words(lang))
    return appeal_shown(found, lang)
