"""Cutting a run anywhere changes nothing that counts: nets, ends and checks, over books in versions and several cities.

Runs one after the other, each with some of the events, in any order of arrival within `late_days`: each event is worth
to its rider what it is worth in one run, scores end alike, every ledger verifies by itself, and no id comes twice.
"""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.book import Book
from rules.compile import compile_books, start_us
from scoring.carry import Carried
from scoring.ledger import entries_table
from scoring.prepare import Schedule
from scoring.score import ScoredRun
from tests.builders import DAY_US, book_of
from tests.scoring.ledgers import failing, ledger_of
from tests.scoring.readings import Engine, standings
from tests.strategies import books, histories, last_us

pytestmark = pytest.mark.slow

Events = list[dict[str, Any]]
CITIES = ("hangzhou", "quanzhou", "xian")
Lines = list[dict[str, Any]]


def renamed(versions: list[Book], book_id: str) -> list[Book]:
    """The same versions under another id."""
    return [book_of(version.document | {"id": book_id}) for version in versions]


def city_engine(places: dict[str, list[Book]]) -> Engine:
    """The product with books by city, each city's versions from their days on; an earlier event is judged by the first."""
    program = compile_books([book for versions in places.values() for book in versions])
    position = {book.digest: number for number, book in enumerate(program.books)}
    rules = {
        (city, kind): tuple((start_us(book.model), position[book.digest]) for book in versions)
        for city, versions in places.items()
        for kind in ("crowdsourced", "dedicated")
    }
    return Engine(program, Schedule(rules, reach_back=True))


@st.composite
def worlds(draw: st.DrawFn, controls: bool, days: str) -> tuple[Engine, Events]:
    """Books of one to three cities and the days of riders who work in all of them."""
    cities = CITIES[: draw(st.integers(1, 3))]
    places = {city: renamed(draw(books(late_days=7)), f"book-{city}") for city in cities}
    events = draw(histories(controls=controls, max_riders=3, days=days))
    at_home = draw(st.booleans())
    moved = [
        event
        if at_home or event["kind"] in ("correction", "appeal_upheld")
        else event | {"city": draw(st.sampled_from(cities))}
        for event in events
    ]
    return city_engine(places), moved


def by_event(lines: Lines) -> dict[tuple[str, str], tuple[int, int]]:
    """Points and money of each event of each rider; what belongs to no event is one sum, the opening with it."""
    points: Counter[tuple[str, str]] = Counter()
    money: Counter[tuple[str, str]] = Counter()
    for line in lines:
        if not line["event_id"].startswith("reset:"):
            points[line["rider_id"], line["event_id"]] += line["delta_mp"]
            money[line["rider_id"], line["event_id"]] += line["money_fen"]
    return {key: (points[key], money[key]) for key in points if points[key] or money[key]}


def ends(scored: ScoredRun) -> dict[str, tuple[int, str, bool]]:
    """Score, tier and review of every rider."""
    return {rider: (end["score_mp"], end["tier"], end["review_required"]) for rider, end in standings(scored).items()}


def in_turn(runner: Engine, parts: list[Events], as_of_us: int) -> tuple[Lines, ScoredRun]:
    """Runs one after the other, each verified by itself; the lines of all, and the last run."""
    carried: Carried | None = None
    lines: Lines = []
    for number, part in enumerate(parts):
        scored = runner.run(part, carried, as_of_us if number == len(parts) - 1 else None)
        # Random books take money outside the legacy regime; `books check` is what stops them.
        assert failing(ledger_of(scored, carried)).keys() <= {"no_fines"}
        lines += entries_table(scored, 0).to_pylist()
        carried = scored.carried
    return lines, scored


def assert_alike(runner: Engine, parts: list[Events], days: int) -> None:
    events = [event for part in parts for event in part]
    as_of_us = last_us(events) + days * DAY_US

    lines, last = in_turn(runner, parts, as_of_us)

    whole, scored = in_turn(runner, [events], as_of_us)
    assert by_event(lines) == by_event(whole)
    assert ends(last) == ends(scored)
    assert len({line["entry_id"] for line in lines}) == len(lines)


@given(worlds(controls=False, days="few"), st.lists(st.integers(0, 3), min_size=30, max_size=30), st.integers(0, 5))
def test_any_order_of_arrival_nets_to_one_run(world: tuple[Engine, Events], runs: list[int], days: int) -> None:
    """Each event comes with any of four runs, most of them late."""
    runner, events = world
    parts = [[event for event, number in zip(events, runs, strict=False) if number == k] for k in range(4)]

    assert_alike(runner, [part for part in parts if part], days)


@given(worlds(controls=False, days="few"), st.randoms(use_true_random=False), st.integers(0, 5))
def test_events_one_by_one_net_to_one_run(world: tuple[Engine, Events], order: Any, days: int) -> None:
    """A run for each event, in any order."""
    runner, events = world
    mixed = list(events)
    order.shuffle(mixed)

    assert_alike(runner, [[event] for event in mixed], days)


@given(worlds(controls=True, days="few"), st.lists(st.integers(0, 40), min_size=1, max_size=5), st.integers(0, 5))
def test_any_cut_in_time_nets_to_one_run(world: tuple[Engine, Events], cuts: list[int], days: int) -> None:
    """Corrections and upheld appeals included; events of one instant stay together, an appeal may come before what it names."""
    runner, events = world
    ordered = sorted(events, key=lambda event: (event["occurred_us"], event["event_id"]))
    times = sorted({event["occurred_us"] for event in ordered})
    bounds = [times[cut % len(times)] for cut in cuts]
    number = [sum(event["occurred_us"] >= bound for bound in bounds) for event in ordered]
    parts = [[event for event, k in zip(ordered, number, strict=True) if k == one] for one in sorted(set(number))]

    assert_alike(runner, parts, days)


def after_what_they_name(events: Events) -> Events:
    """The same order, but for corrections and appeals that wait until what they name has come."""
    named = {event["event_id"] for event in events}
    ordered: Events = []
    waiting = list(events)
    while waiting:
        there = {event["event_id"] for event in ordered}
        free = [
            event
            for event in waiting
            if event.get("ref_event_id") in there | {None} or event["ref_event_id"] not in named
        ]
        ordered += free[:1] or waiting[:1]
        waiting.remove(ordered[-1])
    return ordered


@given(worlds(controls=True, days="few"), st.randoms(use_true_random=False), st.integers(0, 5))
def test_corrections_in_any_order_of_arrival_net_to_one_run(
    world: tuple[Engine, Events], order: Any, days: int
) -> None:
    """A run for each event, corrections and upheld appeals too, in any order in which what is named comes first."""
    runner, events = world
    mixed = list(events)
    order.shuffle(mixed)

    assert_alike(runner, [[event] for event in after_what_they_name(mixed)], days)
