"""Reviews: riders whom a person is asked to look at, what people decide, and how suspensions end."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response

from api.db.unit_of_work import ReadUnit, WriteUnit
from api.decisions.reviews import (
    Review,
    decide_review,
    decided_reviews,
    lift_suspension,
    open_reviews_by_time,
    own_reviews,
    review_of,
)
from api.endpoints.common.auth import require
from api.endpoints.common.etags import in_words
from api.endpoints.common.problems import Problem
from api.endpoints.common.schemas import LIMIT_DEFAULT, Cursor, IdText, Limit
from api.endpoints.common.threads import ThreadedRoute
from api.endpoints.decisions.appeal_routes import City, cities_of
from api.endpoints.decisions.shapes import LiftAsked, ReviewAnswer, ReviewPage, ReviewShown, review_shown
from api.service import Actor, LangDep, ServiceDep

router = APIRouter(prefix="/v1/reviews", tags=["reviews"], route_class=ThreadedRoute)
Reader = Annotated[Actor, Depends(require("self:read", "reviews:decide"))]
Decider = Annotated[Actor, Depends(require("reviews:decide"))]


@router.get("")
def list_reviews(
    actor: Reader,
    service: ServiceDep,
    lang: LangDep,
    response: Response,
    state: Literal["open", "decided"] = "open",
    city: City = None,
    cursor: Cursor = None,
    limit: Limit = LIMIT_DEFAULT,
) -> ReviewPage:
    """Reviews that wait, oldest first, or those decided, newest first; a rider's own only."""
    cities = () if actor.role == "rider" else cities_of(actor, city)
    with service.reading() as unit:
        if actor.role == "rider":
            page = own_reviews(unit, actor.subject, state, cursor, limit)
        elif state == "open":
            page = open_reviews_by_time(unit, cities, cursor, limit)
        else:
            page = decided_reviews(unit, cities, cursor, limit)
    response.headers.update(in_words(lang))
    return ReviewPage(items=[review_shown(review, lang) for review in page.reviews], cursor=page.cursor)


@router.get("/{review_id}")
def get_review(review_id: IdText, actor: Reader, service: ServiceDep, lang: LangDep, response: Response) -> ReviewShown:
    """One review and what was decided."""
    with service.reading() as unit:
        found = _seen(unit, actor, review_id)
    response.headers.update(in_words(lang))
    return review_shown(found, lang)


def _seen(unit: ReadUnit | WriteUnit, actor: Actor, review_id: str) -> Review:
    found = review_of(unit, review_id)
    if found is None or not actor.may_see_rider(found.rider_id, found.city):
        raise Problem("review_unknown", review=review_id)
    return found


@router.post("/{review_id}/decision")
def post_decision(
    review_id: IdText, body: ReviewAnswer, actor: Decider, service: ServiceDep, lang: LangDep, response: Response
) -> ReviewShown:
    """Decide a review, with written reasons; a suspension begins at a date, 14 days off or more unless for safety."""
    with service.writing() as unit:
        _seen(unit, actor, review_id)
        found = decide_review(unit, review_id, body.outcome, body.reason, actor.name, body.from_us, body.is_safety)
    response.headers.update(in_words(lang))
    return review_shown(found, lang)


@router.post("/{review_id}/lift")
def post_lift(
    review_id: IdText, body: LiftAsked, actor: Decider, service: ServiceDep, lang: LangDep, response: Response
) -> ReviewShown:
    """End a suspension at once, with written reasons."""
    with service.writing() as unit:
        _seen(unit, actor, review_id)
        found = lift_suspension(unit, review_id, body.reason, actor.name)
    response.headers.update(in_words(lang))
    return review_shown(found, lang)
