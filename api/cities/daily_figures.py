"""A city's figures by local day, kept ready: counted in the background, never while a page is waited for.

A day is counted again when the number of its events, or of corrections and appeals about them, is another than what it
was counted from. Reads `events_by_city` and `entries_by_time`; writes `city_days` alone.
"""

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
from sqlalchemy import ColumnElement, and_, delete, exists, func, select, update

from api.books.in_force import RulesInForce, rules_in_force
from api.cities.figures import CityFigures, DayStart, count
from api.db.bulk import add_missing, read_table
from api.db.store import Store
from api.db.tables import city_days, entries, events, rider_state
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.ledger.stored_events import JUDGED_SCHEMA
from rules.book import Book
from rules.calendar import Calendar, calendar
from rules.errors import BookError
from rules.units import US_PER_S
from scoring.columns import EVENT_SCHEMA

NUM_DAYS: Final = 31
# Days before yesterday change only by late events and corrections: they are looked at this often.
LOOK_AGAIN_US: Final = 1_800 * US_PER_S
# Orders in hand and reports on them reach across the start of a day by so much.
MARGIN_US: Final = 6 * 3_600 * US_PER_S
_DAY: Final = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CityDay:
    """One local day of a city."""

    city: str
    day: dt.date
    from_us: int
    until_us: int


def refresh(store: Store, now_us: int, num_days: int = NUM_DAYS) -> int:
    """Count every day that is not as counted; how many were.

    Parameters
    ----------
    now_us
        The service's clock; days end at each city's newest event.
    """
    waiting = _waiting(store, now_us, num_days)
    for city_day, num in waiting:
        with store.reading() as unit:
            figures = _figures(unit, rules_in_force(unit), city_day)
        with store.writing(now_us) as unit:
            _keep(unit, city_day, num, figures)
    return len(waiting)


def is_behind(store: Store, now_us: int, num_days: int = NUM_DAYS) -> bool:
    """Whether `refresh` has anything to count; much less work than counting."""
    return bool(_waiting(store, now_us, num_days))


def _waiting(store: Store, now_us: int, num_days: int) -> list[tuple[CityDay, int]]:
    """Days that are not as counted, with their number of events; the others are not looked at again for a while."""
    with store.reading() as unit:
        try:
            law = rules_in_force(unit)
        except BookError:
            return []
        looked_at = [
            (city_day, num, counted)
            for city in cities(unit)
            for city_day, counted in _doubtful(unit, law, city, num_days, now_us)
            if (num := _num_events(unit, city_day)) or counted is not None
        ]
    still = [city_day for city_day, num, counted in looked_at if num == counted]
    if still:
        with store.writing(now_us) as unit:
            for city_day in still:
                unit.connection.execute(update(city_days).where(_of(city_day)).values(counted_us=now_us))
    return [(city_day, num) for city_day, num, counted in looked_at if num != counted]


def cities(unit: ReadUnit | WriteUnit) -> tuple[str, ...]:
    """Cities that have riders."""
    known = select(rider_state.c.city).where(rider_state.c.city.is_not(None)).distinct().order_by(rider_state.c.city)
    return tuple(unit.connection.scalars(known))


def book_of_city(unit: ReadUnit | WriteUnit, law: RulesInForce, city: str) -> Book | None:
    """A book that judges in a city: whose clock its days follow."""
    digests = select(rider_state.c.book_digest).where(
        rider_state.c.city == city, rider_state.c.book_digest.is_not(None)
    )
    return books_of(law).get(unit.connection.scalar(digests.limit(1)) or "")


def books_of(law: RulesInForce) -> dict[str, Book]:
    """Books by digest."""
    return {book.digest: book for book in law.program.books}


def calendar_of(book: Book) -> Calendar:
    """The local days of a book."""
    return calendar(book.model.time_zone, book.model.day_starts)


def newest_day(unit: ReadUnit | WriteUnit, city: str, days: Calendar) -> dt.date | None:
    """The local day of a city's newest event."""
    newest = unit.connection.scalar(select(func.max(events.c.occurred_us)).where(events.c.city == city))
    return None if newest is None else days.date_of(newest)


def _doubtful(
    unit: ReadUnit, law: RulesInForce, city: str, num_days: int, now_us: int
) -> Iterator[tuple[CityDay, int | None]]:
    """Days that may have changed, and from how many events each was counted (None: never)."""
    book = book_of_city(unit, law, city)
    days = None if book is None else calendar_of(book)
    last = None if days is None else newest_day(unit, city, days)
    if days is None or last is None:
        return
    known = {row.day: row for row in unit.connection.execute(select(city_days).where(city_days.c.city == city))}
    for back in range(num_days):
        day = last - back * _DAY
        row = known.get(day)
        if row is None or back <= 1 or not now_us - LOOK_AGAIN_US < row.counted_us <= now_us:
            city_day = CityDay(city, day, days.start_of(day), days.start_of(day + _DAY))
            yield city_day, None if row is None else row.num_events


def _of(city_day: CityDay) -> ColumnElement[bool]:
    return and_(city_days.c.city == city_day.city, city_days.c.day == city_day.day)


def _around(city_day: CityDay) -> ColumnElement[bool]:
    """A city's events of a day and of the hours around it."""
    return and_(
        events.c.city == city_day.city,
        events.c.occurred_us >= city_day.from_us - MARGIN_US,
        events.c.occurred_us < city_day.until_us + MARGIN_US,
    )


def _about(city_day: CityDay) -> ColumnElement[bool]:
    """Later corrections and appeals about events of the day."""
    of = events.alias("of")
    return and_(
        events.c.city == city_day.city,
        events.c.ref_event_id.is_not(None),
        events.c.occurred_us >= city_day.until_us + MARGIN_US,
        exists().where(
            of.c.rider_id == events.c.rider_id,
            of.c.event_id == events.c.ref_event_id,
            of.c.occurred_us >= city_day.from_us - MARGIN_US,
            of.c.occurred_us < city_day.until_us + MARGIN_US,
        ),
    )


def _num_events(unit: ReadUnit, city_day: CityDay) -> int:
    counts = (select(func.count()).select_from(events).where(which(city_day)) for which in (_around, _about))
    return sum(unit.connection.scalar(query) or 0 for query in counts)


def _figures(unit: ReadUnit, law: RulesInForce, city_day: CityDay) -> CityFigures:
    query = select(*(events.c[name] for name in JUDGED_SCHEMA.names))
    tables = [read_table(unit, query.where(which(city_day)), JUDGED_SCHEMA) for which in (_around, _about)]
    judged = pa.concat_tables(tables)
    if not judged.num_rows:
        return CityFigures()
    table, digests = judged.select(EVENT_SCHEMA.names).combine_chunks(), judged["book_digest"].to_pylist()
    return count(law, table, digests, city_day.from_us, city_day.until_us, _began(unit, law, city_day))


def _began(unit: ReadUnit, law: RulesInForce, city_day: CityDay) -> dict[str, DayStart]:
    """Where the city's riders stood before their first entry of the day, and what its entries added."""
    in_day = and_(entries.c.occurred_us >= city_day.from_us, entries.c.occurred_us < city_day.until_us)
    of_city = exists().where(rider_state.c.rider_id == entries.c.rider_id, rider_state.c.city == city_day.city)
    first = (
        select(
            entries.c.rider_id, func.min(entries.c.seq).label("seq"), func.sum(entries.c.money_fen).label("money_fen")
        )
        .where(in_day, of_city)
        .group_by(entries.c.rider_id)
        .subquery()
    )
    before = entries.c.score_after_mp - entries.c.delta_mp
    query = select(entries.c.rider_id, before.label("score_mp"), entries.c.book_digest, first.c.money_fen).join(
        first, and_(first.c.rider_id == entries.c.rider_id, first.c.seq == entries.c.seq)
    )
    rows = unit.connection.execute(query).all()
    books = books_of(law)
    return {row.rider_id: DayStart(tier_of(books[row.book_digest], row.score_mp), int(row.money_fen)) for row in rows}


def tier_of(book: Book, score_mp: int) -> str:
    """The tier of a score."""
    at = [tier for tier in book.model.tier if tier.min_mp is None or tier.min_mp <= score_mp]
    return at[-1].id


def _keep(unit: WriteUnit, city_day: CityDay, num_events: int, figures: CityFigures) -> None:
    unit.connection.execute(delete(city_days).where(_of(city_day)))
    row = {
        "city": city_day.city,
        "day": city_day.day,
        "num_events": num_events,
        "figures": json.dumps(figures.document(), sort_keys=True),
        "counted_us": unit.recorded_us,
    }
    # Another server may have counted the same day meanwhile: its figures are as good.
    add_missing(unit, city_days, [row])
