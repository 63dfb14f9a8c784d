"""Reviews: riders whom a person is asked to look at, what people decide, and how suspensions end."""

from typing import Annotated

from fastapi import APIRouter, Depends

from api.decisions.reviews import REVIEWS, decide_review, lift_suspension
from api.endpoints.common.auth import require
from api.endpoints.common.etags import WordsDep
from api.endpoints.common.schemas import IdText
from api.endpoints.common.threads import ThreadedRoute
from api.endpoints.decisions.cases import CaseQueryDep, list_cases, need_case
from api.endpoints.decisions.shapes import LiftAsked, ReviewAnswer, ReviewPage, ReviewShown
from api.service import Actor, ServiceDep

router = APIRouter(prefix="/v1/reviews", tags=["reviews"], route_class=ThreadedRoute)
Reader = Annotated[Actor, Depends(require("self:read", "reviews:decide"))]
Decider = Annotated[Actor, Depends(require("reviews:decide"))]


@router.get("")
def list_reviews(actor: Reader, service: ServiceDep, lang: WordsDep, query: CaseQueryDep) -> ReviewPage:
    """Reviews that wait, oldest first, or those decided, newest first; a rider's own only."""
    return list_cases(ReviewPage, REVIEWS, service, actor, query, lang)


@router.get("/{review_id}")
def get_review(review_id: IdText, actor: Reader, service: ServiceDep, lang: WordsDep) -> ReviewShown:
    """One review and what was decided."""
    with service.reading() as unit:
        review = need_case(REVIEWS, unit, actor, review_id)
    return ReviewShown.of(review, lang)


@router.post("/{review_id}/decision", operation_id="decide_review")
def post_decision(
    review_id: IdText, body: ReviewAnswer, actor: Decider, service: ServiceDep, lang: WordsDep
) -> ReviewShown:
    """Decide a review, with written reasons; a suspension begins at a date, 14 days off or more unless for safety."""
    with service.writing() as unit:
        need_case(REVIEWS, unit, actor, review_id)
        review = decide_review(unit, review_id, body.outcome, body.reason, actor.name, body.from_us, body.is_safety)
    return ReviewShown.of(review, lang)


@router.post("/{review_id}/lift", operation_id="lift_suspension")
def post_lift(review_id: IdText, body: LiftAsked, actor: Decider, service: ServiceDep, lang: WordsDep) -> ReviewShown:
    """End a suspension at once, with written reasons."""
    with service.writing() as unit:
        need_case(REVIEWS, unit, actor, review_id)
        review = lift_suspension(unit, review_id, body.reason, actor.name)
    return ReviewShown.of(review, lang)
