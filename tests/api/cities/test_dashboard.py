"""A city's figures: counted in the background from the events stored, read in a few rows."""

import json
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event, select

from api.books.in_force import rules_in_force
from api.cities.daily_figures import refresh
from api.cities.dashboard import Dashboard, dashboard_of
from api.cities.figures import BREAK_US, CauseTotal, CityFigures, TierWork, _worked_us
from api.db.store import Store
from api.db.tables import city_days
from tests.api.ledger.posts import BOOK, START_US, later, post, publish
from tests.builders import DAY_US, appeal_upheld, correction, delivered, slow_merchant

CITY = "hangzhou"
# One on time, one 4 minutes late by the rider, one 12 minutes late that waited 12 minutes at the merchant.
ON_TIME = delivered("a")
LATE = delivered("b", at_min=60, late_min=4)
SLOW = slow_merchant("c", wait_min=12, at_min=120, late_min=12)
DAY = later([ON_TIME, LATE, SLOW])
NOW_US = START_US + 4 * 3_600_000_000


def filled(store: Store, *posts: list[dict[str, Any]]) -> Store:
    """A store with one book, in which posts were made."""
    publish(store, BOOK)
    for events in posts:
        post(store, events)
    return store


def read(store: Store, num_days: int = 7, now_us: int = NOW_US) -> Dashboard:
    """The dashboard of the city."""
    with store.reading() as unit:
        found = dashboard_of(unit, rules_in_force(unit), CITY, num_days, now_us)
    assert found is not None
    return found


@pytest.mark.parametrize(("gap_us", "is_break"), [(BREAK_US - 1, False), (BREAK_US, True), (BREAK_US + 1, True)])
def test_two_hours_without_an_order_are_a_break(gap_us: int, is_break: bool) -> None:
    """From handing one over to taking the next; less is time at work."""
    hour_us = 3_600_000_000
    own = np.zeros(2, [("accepted_us", np.int64), ("occurred_us", np.int64)])
    own["accepted_us"] = [0, hour_us + gap_us]
    own["occurred_us"] = [hour_us, 2 * hour_us + gap_us]

    assert _worked_us(own) == 2 * hour_us + (0 if is_break else gap_us)


def test_a_city_without_riders_has_no_dashboard(store: Store) -> None:
    """Nobody is told zeros about a city that is not there."""
    publish(store, BOOK)

    with store.reading() as unit:
        assert dashboard_of(unit, rules_in_force(unit), "nowhere", 7, NOW_US) is None


def test_deliveries_count_once_by_whose_lateness_it_was(store: Store) -> None:
    """Delivered = on time + late by the rider + exempt."""
    filled(store, DAY)

    assert refresh(store, NOW_US) >= 1

    figures = read(store).figures
    assert (figures.num_delivered, figures.num_on_time, figures.num_late, figures.num_exempt) == (3, 1, 1, 1)
    assert (figures.late_s, figures.exempted_s) == (16 * 60, 12 * 60)
    assert figures.causes == {"merchant_slow": CauseTotal(num_orders=1, late_s=12 * 60)}


def test_fines_are_what_the_old_book_takes_from_the_same_deliveries(store: Store) -> None:
    """4 minutes: 40 % of 5 yuan; 12 minutes: what the table says, although it was the merchant."""
    filled(store, DAY)

    refresh(store, NOW_US)

    figures = read(store).figures
    assert figures.num_fined == 2
    assert figures.fines_fen - figures.fines_not_liable_fen == 200
    assert figures.fines_not_liable_fen in (250, 300, 350)


def test_work_counts_where_the_rider_stood_when_the_day_began(store: Store) -> None:
    """One rider's day: 2 h 40 min from taking the first order to handing over the last."""
    filled(store, DAY)

    refresh(store, NOW_US)

    (tier,) = [tier for tier in read(store).tiers if tier.work.rider_days]
    assert tier.tier == "normal"
    assert tier.work == TierWork(1, 3, 160 * 60, 1_500, 0)


def test_a_second_look_counts_nothing_again(store: Store) -> None:
    """What did not change is not counted."""
    filled(store, DAY)
    refresh(store, NOW_US)

    assert refresh(store, NOW_US + 60_000_000) == 0
    assert refresh(store, NOW_US + DAY_US) == 0


def test_an_upheld_appeal_changes_the_day_it_is_about(store: Store) -> None:
    """A correction or appeal days later is counted where the order was."""
    filled(store, DAY)
    refresh(store, NOW_US)
    late = DAY[1]

    post(store, [appeal_upheld("u", late, after_min=3 * 24 * 60)])
    refresh(store, NOW_US + 4 * DAY_US)

    figures = read(store).figures
    assert (figures.num_late, figures.num_exempt) == (0, 2)
    assert figures.causes["appeal"] == CauseTotal(1, 4 * 60)
    assert figures.fines_not_liable_fen == figures.fines_fen


def test_a_corrected_deadline_changes_the_day_it_is_about(store: Store) -> None:
    """Late becomes on time when the deadline was wrong."""
    filled(store, DAY)
    refresh(store, NOW_US)
    late = DAY[1]

    post(store, [correction("k", late, after_min=2 * 24 * 60, assess_deadline_us=late["occurred_us"])])
    refresh(store, NOW_US + 4 * DAY_US)

    assert (read(store).figures.num_on_time, read(store).figures.num_late) == (2, 0)


def test_days_are_local_and_selected_from_the_newest(store: Store) -> None:
    """One day of two, or both."""
    next_day = later([delivered("d", at_min=24 * 60)])
    filled(store, DAY, next_day)

    refresh(store, NOW_US + DAY_US)

    assert read(store, num_days=1).figures.num_delivered == 1
    assert [day.figures.num_delivered for day in read(store, num_days=2).days] == [3, 1]


def test_riders_are_counted_by_tier(store: Store) -> None:
    """Each rider stands in one tier; together they are all riders."""
    filled(store, [*DAY, *later([delivered("z", rider_id="r2", late_min=3)])])

    found = read(store)

    assert found.num_riders == 2
    assert sum(tier.num_riders for tier in found.tiers) == 2
    assert found.counted_us is None


def test_a_request_reads_no_event_and_no_entry(store: Store) -> None:
    """However long the ledger, a page reads riders, counted days and queues."""
    filled(store, DAY)
    refresh(store, NOW_US)
    said: list[str] = []
    read(store)  # the law is compiled once, by whoever asks first
    event.listen(store.engine, "before_cursor_execute", lambda *call: said.append(call[2]))

    read(store)

    assert said
    assert [words for words in said if "FROM events" in words or "FROM entries" in words] == []


def test_figures_come_back_from_the_store_as_they_went(store: Store) -> None:
    """Figures survive their plain form."""
    filled(store, DAY)
    refresh(store, NOW_US)

    with store.reading() as unit:
        documents = list(unit.connection.scalars(select(city_days.c.figures)))

    for document in documents:
        assert CityFigures.read(json.loads(document)).document() == json.loads(document)
