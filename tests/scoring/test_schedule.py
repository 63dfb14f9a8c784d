"""Which book judges which event: by city and rider kind, from the day it takes effect."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.book import Book
from rules.calendar import calendar
from rules.compile import compile_books
from scoring.prepare import Schedule
from tests.builders import DAY_US, book, delivered
from tests.scoring.readings import Engine, LedgerLine, engine, ledger, refusals, standings
from tests.strategies import books, histories, last_us

pytestmark = pytest.mark.slow

Events = list[dict[str, Any]]
Lines = dict[str, list[LedgerLine]]


def start_us(one: Book) -> int:
    """The instant a book takes effect."""
    return calendar(one.model.time_zone, one.model.day_starts).start_of(one.model.effective_from)


def by_city(cities: dict[str, Book], *, reach_back: bool = False) -> Engine:
    """Every city its own book, for crowdsourced riders."""
    program = compile_books(list(cities.values()))
    rules: dict[tuple[str, str], tuple[tuple[int, int], ...]] = {
        (city, "crowdsourced"): ((start_us(one), n),) for n, (city, one) in enumerate(cities.items())
    }
    return Engine(program, Schedule(rules, reach_back=reach_back))


@given(books(max_versions=1), books(max_versions=1), histories(controls=True, max_riders=4), st.data())
def test_books_in_one_run_do_not_mix(
    first: list[Book], second: list[Book], events: Events, data: st.DataObject
) -> None:
    """Riders of two cities under two books have, together, the lines that each city has alone."""
    riders = sorted({event["rider_id"] for event in events})
    cities = {rider: data.draw(st.sampled_from(("hangzhou", "suzhou"))) for rider in riders}
    lived = [event | {"city": cities[event["rider_id"]], "rider_kind": "crowdsourced"} for event in events]
    as_of_us = last_us(lived) + DAY_US
    books_of = {"hangzhou": first, "suzhou": second}

    together = ledger(by_city({city: one[0] for city, one in books_of.items()}).run(lived, as_of_us=as_of_us))

    apart: Lines = {}
    for city, versions in books_of.items():
        own = [event for event in lived if event["city"] == city]
        if own:
            apart |= ledger(engine(versions).run(own, as_of_us=as_of_us))
    assert together == apart


def test_an_event_that_no_book_covers_is_refused() -> None:
    """A city without a book, a rider kind without one, and a day before the first version: each is `no_book`."""
    runner = by_city({"hangzhou": book()})
    events = [
        delivered("ok"),
        delivered("elsewhere", city="suzhou"),
        delivered("dedicated", rider_kind="dedicated"),
        delivered("early", at_min=-10 * 1_440),
    ]

    scored = runner.run(events)

    assert refusals(scored, events) == {
        ("r1", "elsewhere"): "no_book",
        ("r1", "dedicated"): "no_book",
        ("r1", "early"): "no_book",
    }
    assert [line.event_id for line in ledger(scored)["r1"]] == ["ok"]


def test_a_named_book_judges_earlier_events_as_a_what_if() -> None:
    """A book that is named judges what happened before it took effect, and says how many such events there were."""
    events = [delivered("early", at_min=-10 * 1_440), delivered("ok")]

    scored = engine([book()]).run(events)

    assert scored.prepared.num_what_if == 1
    assert [line.event_id for line in ledger(scored)["r1"]] == ["early", "ok"]


def test_a_rider_who_moves_to_another_city_keeps_what_was_earned() -> None:
    """From a book with base 70 to one with base 12: −1 stays −1, the change of scale is an entry of its own, both ways."""
    other = book(id="other", score={"base": 12, "floor": 0, "ceiling": 24})
    runner = by_city({"hangzhou": book(), "suzhou": other})
    events = [
        delivered("e1", late_min=4),
        delivered("e2", at_min=60, city="suzhou"),
        delivered("e3", at_min=120),
    ]

    scored = runner.run(events)

    assert [line.row[:4] for line in ledger(scored)["r1"]] == [
        ("e1", "late_5", "deduct", -1_000),
        ("reset:2025-12-10", "base", "reset", -58_000),
        ("e2", "on_time", "award", 200),
        ("reset:2025-12-10", "base", "reset", 58_000),
        ("e3", "on_time", "award", 200),
    ]
    assert standings(scored)["r1"]["score_mp"] == 69_400


def test_a_version_starts_with_its_local_day() -> None:
    """At 03:59 on the day of a change the old version judges, at 04:00 the new one."""
    old = book()
    new = book(effective_from=dt.date(2025, 12, 11), tier=[{"id": "all", "title": {"zh": "全", "en": "All"}}])
    events = [delivered("e1", at_min=16 * 60 - 1), delivered("e2", at_min=16 * 60)]

    scored = engine([old, new]).run(events)

    assert scored.entries["book"].tolist() == [0, 1]
