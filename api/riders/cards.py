"""A rider's card: where they stand, what exactly it affects, what happened today, and what comes next.

All from one look at the store. `card_key` and `RiderCard.good_until_us` say how long a card that was made stays true, so that
it can be kept ready as bytes.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final, NamedTuple

import numpy as np
from cachetools import LRUCache, cached
from sqlalchemy import ColumnElement, case, func, or_, select

from api.books.announcements import RulesChange, ahead_of, changes_to_come, next_order_judged_by
from api.books.in_force import RulesInForce, rules_stamp
from api.books.planned_changes import schedule_stamp
from api.db.rider_rows import RiderRow, row_of
from api.db.tables import entries
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.decisions.appeal_records import APPEALS, Appeal
from api.decisions.reviews import REVIEWS, Review
from api.ledger.recalculation import Recalculation, recalculation_of
from api.ledger.suspensions import Suspension, suspension_of
from api.riders.earnings import Earnings, earnings_since
from api.riders.entries_explained import ExplainedEntry, explain_entries, line_of
from api.riders.forecast import Forecast, OrderCounts, PendingReturn, rider_forecast
from api.riders.tier_effects import PathToScore, TierSummary, path_to_base, path_to_next_tier, tier_summary
from api.words import Translated, translated
from rules.book import Book
from rules.calendar import calendar
from rules.events import RIDER_KINDS
from rules.text import LANGS, text
from rules.units import MP_PER_TENTH
from scoring import explain
from scoring.because import Because
from scoring.book_words import public_text
from scoring.explain_words import clock, signed_tenths
from scoring.ledger import standing_figures

# Entries told on a card at most; the rest are on the page of entries.
TODAY_MAX: Final = 30
_LOOKED_AT: Final = 500
# Further below 0 than any score, in whole tenths of a point.
_FAR_MP: Final = 10**12


class CardRow(NamedTuple):
    """What of a rider's row decides whether a card is still the card (`CARD_COLUMNS`, in order)."""

    rider_id: str
    city: str | None
    rider_kind: int
    seq: int
    revision: int
    book_digest: str | None
    due_us: int


CARD_COLUMNS: Final = CardRow._fields


@dataclass(frozen=True, slots=True)
class BookSummary:
    """The rule book that judges: its text for riders, made from its rules, and the comment that it carries, if any."""

    book_id: str
    effective_from: dt.date
    digest: str
    title: Translated
    text: Translated
    comment: Translated | None
    time_zone: str


@dataclass(frozen=True, slots=True)
class RiderCard:
    """A rider's card.

    Parameters
    ----------
    as_of_us, good_until_us
        When it was made, and until when it stays true if `card_key` stays the same.
    tier, next_tier
        Now, and the next above (None: there is none), with all that they affect: nothing else is affected.
    up, back
        The ways to the next tier and back to the base; None where there is nothing to reach.
    returning
        Deductions that will be given back, the next first.
    today, today_more
        What happened since the local day began or was entered since, newest first; whether there is more than is told.
    today_mp, earlier_mp
        Points of what happened since the local day began, as `money_today` is its money; and of what was entered since
        about the days before.
    today_change, earlier_change
        The same as riders read them: with a sign and one decimal, the sums of what is shown of each entry.
    forecast
        The next order on time, 3 and 10 minutes late; empty where no book will judge it.
    announcements
        All changes of the rules to come, the next first.
    all_appeals, reviews
        All of them, the newest first, each with the decision where there is one.
    suspension, is_review_open
        What a person decided and nobody ended; whether a person is asked to look.
    recalculating
        That something about the rider's past is stored and not entered yet.
    judged_next
        That another book than the one shown judges the next order.
    words
        The card told, a statement each.
    """

    rider_id: str
    city: str | None
    rider_kind: str | None
    as_of_us: int
    good_until_us: int
    score_mp: int
    base_mp: int
    floor_mp: int
    ceiling_mp: int
    tier: TierSummary
    next_tier: TierSummary | None
    up: PathToScore | None
    back: PathToScore | None
    returning: tuple[PendingReturn, ...]
    day_starts_us: int
    today: tuple[ExplainedEntry, ...]
    today_mp: int
    earlier_mp: int
    today_change: str
    earlier_change: str
    today_more: bool
    forecast: tuple[Forecast, ...]
    counters: OrderCounts
    money_today: Earnings
    money_week: Earnings
    book: BookSummary
    announcements: tuple[RulesChange, ...]
    all_appeals: tuple[Appeal, ...]
    reviews: tuple[Review, ...]
    suspension: Suspension | None
    is_review_open: bool
    recalculating: Recalculation | None
    judged_next: Translated | None
    words: tuple[Translated, ...]

    @property
    def announced(self) -> RulesChange | None:
        """The next change of the rules."""
        return self.announcements[0] if self.announcements else None

    @property
    def appeals(self) -> tuple[Appeal, ...]:
        """Appeals that are not answered yet, the oldest first."""
        return tuple(appeal for appeal in reversed(self.all_appeals) if appeal.decision is None)

    @property
    def decided_appeals(self) -> tuple[Appeal, ...]:
        """Appeals that were answered, the newest first."""
        return tuple(appeal for appeal in self.all_appeals if appeal.decision is not None)


def card_key(row: CardRow, mark: str) -> tuple[Any, ...]:
    """What a kept card must have been made from to be this rider's card still, before its `good_until_us`.

    Parameters
    ----------
    mark
        `rules_version` of this moment, or of a moment ago.
    """
    return (*row, mark)


def rules_version(unit: ReadUnit | WriteUnit) -> str:
    """Another text whenever the law in force, or what is scheduled to follow it, is another."""
    return f"{rules_stamp(unit)}-{schedule_stamp(unit)}"


def card_of(unit: ReadUnit | WriteUnit, law: RulesInForce, rider_id: str, now_us: int) -> RiderCard | None:
    """The card of a rider; None for one without a scored event."""
    row = row_of(unit, rider_id)
    if row is None or row.book_digest is None:
        return None
    book = next(book for book in law.program.books if book.digest == row.book_digest)
    model = book.model
    outlook = rider_forecast(unit, law, row, now_us)
    day_starts, week_starts, day_ends = _local(book, now_us)
    today = _today(unit, row, day_starts, now_us)
    money_today, money_week = earnings_since(unit, rider_id, day_starts, week_starts)
    kind = RIDER_KINDS[row.rider_kind] if row.rider_kind >= 0 else None
    ahead = ahead_of(unit, law, row.city, kind)
    reviews = REVIEWS.of_rider(unit, rider_id)
    context = _RiderCases(
        appeals=APPEALS.of_rider(unit, rider_id),
        reviews=reviews,
        suspension=suspension_of(unit, rider_id, now_us),
        is_review_open=any(review.state == "open" for review in reviews),
        announced=changes_to_come(*ahead, book, now_us),
        recalculating=recalculation_of(unit, rider_id),
        judged_next=next_order_judged_by(*ahead, book, now_us),
    )
    figures = _figures(row, book)
    at = next(k for k, tier in enumerate(model.tier) if tier.id == figures["tier"])
    above = model.tier[at + 1] if at + 1 < len(model.tier) else None
    return RiderCard(
        rider_id=rider_id,
        city=row.city,
        rider_kind=kind,
        as_of_us=now_us,
        good_until_us=_good_until(now_us, [day_ends, row.due_us], today.entries, context),
        score_mp=row.score_mp,
        base_mp=model.score.base_mp,
        floor_mp=model.score.floor_mp,
        ceiling_mp=model.score.ceiling_mp,
        tier=tier_summary(model.tier[at], model),
        next_tier=None if above is None else tier_summary(above, model),
        up=path_to_next_tier(model, row.score_mp, above, figures["on_time_orders_to_next_tier"]),
        back=path_to_base(book, row.score_mp, figures["on_time_orders_to_recover"]),
        returning=tuple(item for item in outlook.returning if item.due_us > now_us),
        day_starts_us=day_starts,
        today=today.entries,
        today_mp=today.happened_mp,
        earlier_mp=today.earlier_mp,
        today_change=signed_tenths(today.happened_tenths, today.happened_mp),
        earlier_change=signed_tenths(today.earlier_tenths, today.earlier_mp),
        today_more=today.has_more,
        forecast=outlook.forecasts,
        counters=outlook.counters,
        money_today=money_today,
        money_week=money_week,
        book=book_summary(book),
        announcements=context.announced,
        all_appeals=context.appeals,
        reviews=context.reviews,
        suspension=context.suspension,
        is_review_open=context.is_review_open,
        recalculating=context.recalculating,
        judged_next=context.judged_next,
        words=_card_words(row, book, figures, today.entries, context),
    )


@dataclass(frozen=True, slots=True)
class _RiderCases:
    """What concerns a rider beside the ledger."""

    appeals: tuple[Appeal, ...]
    reviews: tuple[Review, ...]
    suspension: Suspension | None
    is_review_open: bool
    announced: tuple[RulesChange, ...]
    recalculating: Recalculation | None
    judged_next: Translated | None


def _local(book: Book, now_us: int) -> tuple[int, int, int]:
    """Starts of the local day, of its week, and of the next day."""
    days = calendar(book.model.time_zone, book.model.day_starts)
    day = days.day_of(now_us)
    first = int(np.searchsorted(days.period[0], days.period[0][day]))
    return int(days.start_us[day]), int(days.start_us[first]), int(days.start_us[day + 1])


def _good_until(now_us: int, ends: Sequence[int], today: Sequence[ExplainedEntry], context: _RiderCases) -> int:
    """When something on a card changes though nothing is written."""
    all_ends = [*ends, *(appeal.deadline_us for appeal in context.appeals)]
    all_ends += [entry.appeal.until_us + 1 for entry in today if entry.appeal.can and entry.appeal.until_us]
    all_ends += [] if context.suspension is None else [context.suspension.from_us]
    all_ends += [coming.from_us for coming in context.announced]
    return min([end for end in all_ends if end > now_us], default=now_us)


def book_summary(book: Book) -> BookSummary:
    """What a rider is told of a rule book."""
    model = book.model
    comment = None if model.publication is None else Translated(model.publication.text.zh, model.publication.text.en)
    title = Translated(model.title.zh, model.title.en)
    return BookSummary(book.id, model.effective_from, book.digest, title, _public_text(book), comment, model.time_zone)


@cached(LRUCache(64), key=lambda book: book.digest, lock=Lock())
def _public_text(book: Book) -> Translated:
    return translated(lambda lang: public_text(book, lang))


class _Today(NamedTuple):
    """What happened since the local day began or was entered since; its points, exact and as they are shown."""

    entries: tuple[ExplainedEntry, ...]
    has_more: bool
    happened_mp: int
    earlier_mp: int
    happened_tenths: int
    earlier_tenths: int


def _today(unit: ReadUnit | WriteUnit, row: RiderRow, since_us: int, now_us: int) -> _Today:
    """What happened since an instant, and what was entered since about earlier days."""
    happened = entries.c.occurred_us >= since_us
    moved = or_(happened, entries.c.recorded_us >= since_us)
    near = (entries.c.rider_id == row.rider_id, entries.c.seq > row.seq - _LOOKED_AT, moved)
    tenths = _tenths(entries.c.score_after_mp) - _tenths(entries.c.score_after_mp - entries.c.delta_mp)
    amounts = [
        func.sum(case((which, amount), else_=0))
        for amount in (entries.c.delta_mp, tenths)
        for which in (happened, ~happened)
    ]
    number, *sums = unit.connection.execute(select(func.count(), *amounts).where(*near)).one()
    query = select(entries).where(*near).order_by(entries.c.seq.desc()).limit(TODAY_MAX)
    lines = [line_of(row_of_entry) for row_of_entry in unit.connection.execute(query).mappings()]
    return _Today(
        explain_entries(unit, row.rider_id, lines, now_us), number > len(lines), *(int(amount or 0) for amount in sums)
    )


def _tenths(points_mp: ColumnElement[int]) -> ColumnElement[int]:
    """`rules.units.tenths_of` as SQL, whose whole division goes toward 0: so nothing below 0 is divided."""
    return (points_mp + MP_PER_TENTH // 2 + _FAR_MP) // MP_PER_TENTH - _FAR_MP // MP_PER_TENTH


def _figures(row: RiderRow, book: Book) -> dict[str, Any]:
    """Tier and on-time orders, as the riders table has them."""
    values = (np.zeros(1, np.int64), np.array([row.rider_kind], np.int64), np.array([row.score_mp], np.int64))
    standing = standing_figures((book,), *values)
    reach = {
        "on_time_orders_to_next_tier": standing.to_next_tier[0],
        "on_time_orders_to_recover": standing.to_recover[0],
    }
    return {"tier": standing.tier[0]} | {name: int(orders) if orders >= 0 else None for name, orders in reach.items()}


def _card_words(
    row: RiderRow, book: Book, figures: dict[str, Any], today: Sequence[ExplainedEntry], context: _RiderCases
) -> tuple[Translated, ...]:
    """The card in statements: what a person decided first, what happened last at the end."""
    about = {
        "rider_id": row.rider_id,
        "score_mp": row.score_mp,
        "book_digest": book.digest,
        "review_required": context.is_review_open,
    }
    card = explain.card(about | figures, {book.digest: book}, _last(today))
    lines = {lang: explain.card_lines(card, lang) for lang in LANGS}
    statements = tuple(Translated(zh, en) for zh, en in zip(lines["zh"], lines["en"], strict=True))
    if context.judged_next is not None:
        statements = context.judged_next, *statements
    if context.recalculating is not None:
        statements = context.recalculating.words, *statements
    suspension = context.suspension
    if suspension is None:
        return statements
    words = {
        "at": clock(suspension.from_us, book.model, "%Y-%m-%d %H:%M"),
        "by": suspension.decided_by,
    }
    stands_words = translated(
        lambda lang: text(
            lang, f"suspension.{suspension.state}", reason=suspension.reason or text(lang, "inbox.erased"), **words
        )
    )
    return stands_words, *statements


def _last(today: Sequence[ExplainedEntry]) -> Because | None:
    """What happened last today."""
    lines = [entry.line for entry in reversed(today)]
    line = explain.last_of(lines)
    return next((entry.why for entry in today if entry.line == line), None) if line is not None else None
