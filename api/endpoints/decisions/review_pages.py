"""The reviews inbox: the system recommends, a person decides, in writing; a suspension has a date and can be lifted."""

import datetime as dt
from typing import Annotated, Final

from fastapi import Depends, Response

from api.books.in_force import RulesInForce, rules_in_force
from api.cities.daily_figures import books_of, calendar_of
from api.db.unit_of_work import ReadUnit
from api.decisions.appeals import WORDS_MAX
from api.decisions.reviews import (
    OUTCOMES,
    Review,
    decide_review,
    decided_reviews,
    lift_suspension,
    notice_days_of,
    open_reviews_by_time,
    review_of,
    reviews_of,
)
from api.endpoints.common.case_file import chosen_cities, need_city, own_cities
from api.endpoints.common.event_items import day_of, items_of
from api.endpoints.common.formats import DAY_US
from api.endpoints.common.page_routing import page_router
from api.endpoints.common.page_sessions import Named, Posted, field, visiting
from api.endpoints.common.pages import Visit
from api.endpoints.common.problems import Problem
from api.ledger.entries import rider_row
from api.refusals import Refused
from api.riders.entries_explained import entries_page
from rules.book import Book

router = page_router()
DeciderVisit = Annotated[Visit, Depends(visiting("reviews:decide"))]
NUM_A_PAGE: Final = 40
NUM_HISTORY: Final = 150


@router.get("/console/reviews")
def inbox(visit: DeciderVisit, city: Named = "", state: Named = "open", cursor: Named | None = None) -> Response:
    """Reviews that wait, the oldest first, or those that were decided."""
    listed = decided_reviews if state == "decided" else open_reviews_by_time
    with visit.service.reading() as unit:
        page = listed(unit, chosen_cities(visit, city), cursor, NUM_A_PAGE)
        known = own_cities(visit, unit)
    return visit.page(
        "reviews.html",
        page=page,
        cities=known,
        city=city,
        state=state,
        now_us=visit.service.clock(),
        older=None if page.cursor is None else visit.here(cursor=page.cursor),
        newest=None if cursor is None else visit.here(cursor=None),
    )


@router.get("/console/reviews/{review_id}")
def case_file(visit: DeciderVisit, review_id: Named) -> Response:
    """One review with the rider's history."""
    with visit.service.reading() as unit:
        return _case_page(visit, unit, _known(visit, unit, review_id))


def _known(visit: Visit, unit: ReadUnit, review_id: str) -> Review:
    review = review_of(unit, review_id)
    if review is None:
        raise Problem("not_found")
    need_city(visit, review.city)
    return review


def _book(law: RulesInForce, review: Review) -> Book:
    return books_of(law)[review.book_digest]


def _case_page(
    visit: Visit, unit: ReadUnit, review: Review, status: int = 200, fault: str = "", **given: str
) -> Response:
    now_us = visit.service.clock()
    book = _book(rules_in_force(unit), review)
    others = [other for other in reviews_of(unit, review.rider_id) if other.review_id != review.review_id]
    ledger = entries_page(unit, review.rider_id, now_us, limit=NUM_HISTORY)
    return visit.page(
        "review.html",
        status,
        review=review,
        book=book,
        rider=rider_row(unit, review.rider_id),
        history=day_of(items_of(ledger.entries)),
        waits=ledger.recalculating,
        others=others,
        outcomes=[(outcome, visit.say(f"review.outcome_{outcome}")) for outcome in OUTCOMES],
        earliest=earliest_day(book, now_us),
        notice_days=notice_days_of(book.model),
        most=WORDS_MAX,
        fault=fault,
        given=given,
    )


def earliest_day(book: Book, now_us: int) -> dt.date:
    """The first local day that begins after the notice."""
    days = calendar_of(book)
    due_us = now_us + notice_days_of(book.model) * DAY_US
    day = days.date_of(due_us)
    return day if days.start_of(day) >= due_us else day + dt.timedelta(days=1)


@router.post("/console/reviews/{review_id}")
def decide(visit: DeciderVisit, review_id: Named, form: Posted) -> Response:
    """Decide a review, in writing."""
    given = {name: field(form, name) for name in ("outcome", "reason", "from_day", "is_safety")}
    is_safety = given["is_safety"] == "1"
    with visit.service.reading() as unit:
        review = _known(visit, unit, review_id)
        book = _book(rules_in_force(unit), review)
    try:
        suspends = given["outcome"] == "suspend"
        from_us = _from_us(book, given["from_day"]) if suspends else None
        with visit.service.writing() as unit:
            decide_review(
                unit, review_id, given["outcome"], given["reason"], visit.who.name, from_us, is_safety and suspends
            )
    except Refused as refused:
        return _again(visit, review_id, refused, **given)
    return visit.goto("/console/reviews", "review_decided", rider=review.rider_id)


def _from_us(book: Book, day: str) -> int | None:
    """When a suspension begins: with a local day; None for no date."""
    try:
        return calendar_of(book).start_of(dt.date.fromisoformat(day))
    except (ValueError, IndexError):
        return None


def _again(visit: Visit, review_id: str, refused: Refused, **given: str) -> Response:
    with visit.service.reading() as unit:
        review = _known(visit, unit, review_id)
        return _case_page(visit, unit, review, 422, refused.describe(visit.lang), **given)


@router.post("/console/reviews/{review_id}/lift")
def lift(visit: DeciderVisit, review_id: Named, form: Posted) -> Response:
    """End a suspension, in writing."""
    with visit.service.reading() as unit:
        review = _known(visit, unit, review_id)
    try:
        with visit.service.writing() as unit:
            lift_suspension(unit, review_id, field(form, "reason"), visit.who.name)
    except Refused as refused:
        return _again(visit, review_id, refused, reason=field(form, "reason"))
    return visit.goto(f"/console/reviews/{review_id}", "suspension_lifted", rider=review.rider_id)
