"""A seeded city in a database, as a week of service leaves it: what the browser tests look at."""

import datetime as dt
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import select

from api.books import in_force
from api.cities.daily_figures import refresh
from api.db import schema
from api.db.identity import mark_demo
from api.db.store import Store
from api.db.tables import entries, open_reviews, rider_state
from api.db.unit_of_work import WriteUnit
from api.decisions.appeals import file_appeal
from api.ledger.posting import post_events, write_due
from api.refusals import Refused
from api.riders.people import Person, save_person
from rules.book import Book
from rules.calendar import instant_us
from rules.parse import parse
from rules.shelf import deployment, shipped, shipped_parent, to_toml, versions
from rules.units import US_PER_DAY, US_PER_S
from scoring.columns import EVENT_SCHEMA
from simulations.sample_city import events_only, generate
from simulations.sample_parameters import SampleCity

CITY = "hangzhou"
SEED = 7
HOUR_US = 3_600 * US_PER_S
SHANGHAI = ZoneInfo("Asia/Shanghai")
EVENING = dt.time(21, 30)


@dataclass(frozen=True, slots=True)
class World:
    """What the tests need to know of the city.

    Parameters
    ----------
    now_us
        The service's clock, standing still: the evening of the last day.
    low, top
        The riders with the lowest and the highest score.
    fined
        A rider with a deduction that can still be appealed, and its entry.
    leaving
        The rider who has names and words erased: nobody else's test looks at them.
    """

    url: str
    now_us: int
    low: str
    top: str
    fined: tuple[str, str]
    leaving: str
    num_riders: int


def build(url: str, *, num_riders: int = 40, num_days: int = 9) -> World:
    """Make the tables, publish the books, and let the days pass as they did."""
    store = Store(url)
    schema.upgrade(store)
    city = SampleCity(num_riders=num_riders, num_days=num_days, first_day=dt.date(2026, 1, 12))
    table = events_only(generate(city, SEED)).select(EVENT_SCHEMA.names)
    start_us = pc.min(table["occurred_us"]).as_py()
    now_us = instant_us(dt.datetime.combine(city.first_day + dt.timedelta(days=num_days - 1), EVENING, SHANGHAI))
    with store.writing(start_us - US_PER_DAY) as unit:
        mark_demo(unit)
        in_force.publish(unit, [book for book_id in shipped() for book in versions(book_id)])
        in_force.deploy(unit, deployment().of("taobao").rows)
    _live(store, table, start_us, now_us)
    with store.writing(now_us) as unit:
        in_force.publish(unit, [_announced(now_us)])
    world = _look(store, url, now_us, num_riders)
    refresh(store, now_us)
    store.close()
    return world


def _live(store: Store, table: pa.Table, start_us: int, now_us: int) -> None:
    """Post hour by hour with the clock of that hour, and settle what falls due."""
    at_us = start_us
    while at_us < now_us:
        until_us = min(at_us + 6 * HOUR_US, now_us)
        hours = pc.and_(pc.greater_equal(table["occurred_us"], at_us), pc.less(table["occurred_us"], until_us))
        with store.writing(until_us) as unit:
            law = in_force.rules_in_force(unit)
            post_events(unit, law, table.filter(hours))
            write_due(unit, law, until_us)
        at_us = until_us


def _announced(now_us: int) -> Book:
    """The next version of the book for crowdsourced riders: more for an on-time order, in ten days."""
    book = versions("taobao-crowdsourced")[-1]
    today = dt.datetime.fromtimestamp(now_us / US_PER_S, dt.UTC).date()
    text = to_toml(book).replace("points = 0.2", "points = 0.3").replace("net_points = 0.2", "net_points = 0.3")
    text = text.replace(
        f"effective_from = {book.model.effective_from.isoformat()}",
        f"effective_from = {(today + dt.timedelta(days=10)).isoformat()}\nannounced = {today.isoformat()}",
    )
    return parse(text, "announced.toml", shipped_parent)


def _look(store: Store, url: str, now_us: int, num_riders: int) -> World:
    """File a few appeals, and find the riders that the tests are about."""
    with store.writing(now_us) as unit:
        rows = unit.connection.execute(
            select(rider_state.c.rider_id, rider_state.c.score_mp)
            .where(rider_state.c.book_digest.is_not(None))
            .order_by(rider_state.c.score_mp, rider_state.c.rider_id)
        ).all()
        under_review = list(unit.connection.scalars(select(open_reviews.c.rider_id)))
        save_person(unit, Person(rows[0].rider_id, "李明", "13800000000"), "platform:demo")
        recent = (entries.c.kind == "deduct", entries.c.delta_mp < 0, entries.c.occurred_us > now_us - US_PER_DAY)
        losses = (
            unit.connection.execute(select(entries).where(*recent).order_by(entries.c.recorded_us)).mappings().all()
        )
        own = [row for row in losses if row["rider_id"] == rows[0].rider_id]
        others = [row for row in losses if row["rider_id"] != rows[0].rider_id]
        appealed = [*others[:3], *own[1:2]]
        for loss in appealed:
            _appeal(unit, loss)
        busy = {rows[0].rider_id, rows[-1].rider_id, *under_review, *(loss["rider_id"] for loss in appealed)}
        leaving = next(row.rider_id for row in rows if row.rider_id not in busy)
        save_person(unit, Person(leaving, "王芳", "13900000000"), "platform:demo")
    assert under_review, "a city in which nobody falls so low that a person is asked to look"
    low, top = rows[0].rider_id, rows[-1].rider_id
    return World(url, now_us, low, top, (low, own[0]["entry_id"]), leaving, num_riders)


def _appeal(unit: WriteUnit, loss: Mapping[str, Any]) -> None:
    """A rider appeals; what cannot be appealed is left."""
    rider, words = loss["rider_id"], "商家说还要十分钟，我等到出餐才走。"
    with suppress(Refused):
        file_appeal(unit, rider, loss["entry_id"], "merchant_slow", words, "photo-1", f"rider:{rider}")
