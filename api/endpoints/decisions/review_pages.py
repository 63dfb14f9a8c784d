"""The reviews inbox: the system recommends, a person decides, in writing; a suspension has a date and can be lifted."""

import datetime as dt
from functools import partial
from typing import Annotated, Final

from fastapi import Depends, Response

from api.books.in_force import RulesInForce, rules_in_force
from api.cities.daily_figures import books_of, calendar_of
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.decisions.cases import WORDS_MAX
from api.decisions.reviews import OUTCOMES, REVIEWS, Review, decide_review, lift_suspension, notice_days_of
from api.endpoints.common.event_items import day_of, items_of
from api.endpoints.common.formats import DAY_US
from api.endpoints.common.page_routing import page_router
from api.endpoints.common.page_sessions import Named, Posted, field, visiting
from api.endpoints.common.pages import Visit
from api.endpoints.decisions.cases import inbox_page, refused_page, visible_case
from api.ledger.entries import rider_row
from api.riders.entries_explained import entries_page
from rules.book import Book

router = page_router()
DeciderVisit = Annotated[Visit, Depends(visiting("reviews:decide"))]
NUM_HISTORY: Final = 150


@router.get("/console/reviews")
def inbox(visit: DeciderVisit, city: Named = "", state: Named = "open", cursor: Named | None = None) -> Response:
    """Reviews that wait, the oldest first, or those that were decided."""
    return inbox_page(visit, REVIEWS, "reviews.html", city, state, cursor)


@router.get("/console/reviews/{review_id}")
def case_file(visit: DeciderVisit, review_id: Named) -> Response:
    """One review with the rider's history."""
    with visit.service.reading() as unit:
        return _case_page(visit, unit, visible_case(REVIEWS, visit, unit, review_id))


def _book(law: RulesInForce, review: Review) -> Book:
    return books_of(law)[review.book_digest]


def _case_page(
    visit: Visit, unit: ReadUnit, review: Review, status: int = 200, fault: str = "", **typed: str
) -> Response:
    now_us = visit.service.clock()
    book = _book(rules_in_force(unit), review)
    others = [other for other in REVIEWS.of_rider(unit, review.rider_id) if other.review_id != review.review_id]
    ledger = entries_page(unit, review.rider_id, now_us, limit=NUM_HISTORY)
    return visit.page(
        "review.html",
        status,
        review=review,
        book=book,
        rider=rider_row(unit, review.rider_id),
        history=day_of(items_of(ledger.items)),
        waits=ledger.recalculating,
        others=others,
        outcomes=[(outcome, visit.say(f"review.outcome_{outcome}")) for outcome in OUTCOMES],
        earliest=earliest_day(book, now_us),
        notice_days=notice_days_of(book.model),
        most=WORDS_MAX,
        fault=fault,
        given=typed,
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
    typed = {name: field(form, name) for name in ("outcome", "reason", "from_day", "is_safety")}
    suspends = typed["outcome"] == "suspend"
    is_safety = suspends and typed["is_safety"] == "1"
    with visit.service.reading() as unit:
        review = visible_case(REVIEWS, visit, unit, review_id)
        book = _book(rules_in_force(unit), review)
    from_us = _from_us(book, typed["from_day"]) if suspends else None

    def write(unit: WriteUnit) -> None:
        decide_review(unit, review_id, typed["outcome"], typed["reason"], visit.who.name, from_us, is_safety)

    done = visit.goto("/console/reviews", "review_decided", rider=review.rider_id)
    return refused_page(visit, write, partial(_refused, visit, review_id, typed)) or done


def _from_us(book: Book, day: str) -> int | None:
    """When a suspension begins: with a local day; None for no date."""
    try:
        return calendar_of(book).start_of(dt.date.fromisoformat(day))
    except (ValueError, IndexError):
        return None


def _refused(visit: Visit, review_id: str, typed: dict[str, str], unit: ReadUnit, fault: str) -> Response:
    """The review with what was refused, as it was typed."""
    return _case_page(visit, unit, visible_case(REVIEWS, visit, unit, review_id), 422, fault, **typed)


@router.post("/console/reviews/{review_id}/lift")
def lift(visit: DeciderVisit, review_id: Named, form: Posted) -> Response:
    """End a suspension, in writing."""
    typed = {"reason": field(form, "reason")}
    with visit.service.reading() as unit:
        review = visible_case(REVIEWS, visit, unit, review_id)

    def write(unit: WriteUnit) -> None:
        lift_suspension(unit, review_id, typed["reason"], visit.who.name)

    done = visit.goto(f"/console/reviews/{review_id}", "suspension_lifted", rider=review.rider_id)
    return refused_page(visit, write, partial(_refused, visit, review_id, typed)) or done
