"""Promises about splitting and repeating runs: partitions, cuts in time, late arrivals, replays, reversals."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.book import Book
from scoring.carry import Carried
from scoring.score import ScoredRun
from tests.builders import DAY_US, HOUR_US, MINUTE_US, NOON_US, book, delivered, event, slow_merchant
from tests.oracle_history import is_control
from tests.scoring.readings import Engine, LedgerLine, engine, ledger, nets, refusals, standings
from tests.strategies import books, histories, last_us, two_parts

pytestmark = pytest.mark.slow

Events = list[dict[str, Any]]
Lines = dict[str, list[LedgerLine]]


def in_turn(runner: Engine, parts: list[Events], as_of_us: int) -> tuple[Lines, ScoredRun]:
    """Score parts one after the other with carried state; all lines together and the last run."""
    carried: Carried | None = None
    lines: Lines = {}
    scored: ScoredRun | None = None
    for number, part in enumerate(parts):
        until_us = as_of_us if number == len(parts) - 1 else None
        scored = runner.run(part, carried, until_us)
        carried = scored.carried
        for rider, written in ledger(scored).items():
            lines.setdefault(rider, []).extend(written)
    assert scored is not None
    return lines, scored


def ends(scored: ScoredRun) -> dict[str, tuple[int, str, bool]]:
    """Score, tier and review of every rider."""
    return {rider: (end["score_mp"], end["tier"], end["review_required"]) for rider, end in standings(scored).items()}


def all_nets(lines: Lines) -> dict[str, dict[tuple[str, str], tuple[int, int]]]:
    return {rider: nets(written) for rider, written in lines.items()}


def assert_chained(lines: Lines, opening_mp: dict[str, int]) -> None:
    """Numbered from 1 without a gap, every score the one before plus the points."""
    for rider, written in lines.items():
        assert [line.seq for line in written] == list(range(1, len(written) + 1))
        score_mp = opening_mp[rider]
        for line in written:
            score_mp += line.delta_mp
            assert line.score_after_mp == score_mp


def openings(scored: ScoredRun) -> dict[str, int]:
    return {rider: end["opening_mp"] for rider, end in standings(scored).items()}


@given(books(), histories(controls=True, max_riders=4), st.integers(0, 5), st.data())
def test_any_partition_by_rider_gives_the_same_lines(
    versions: list[Book], events: Events, days: int, data: st.DataObject
) -> None:
    """Riders scored apart have, line for line, the ledger they have together."""
    as_of_us = last_us(events) + days * DAY_US
    riders = sorted({event["rider_id"] for event in events})
    bins = {rider: data.draw(st.integers(0, 1)) for rider in riders}
    runner = engine(versions)

    apart: Lines = {}
    for number in (0, 1):
        part = [event for event in events if bins[event["rider_id"]] == number]
        if part:
            apart |= ledger(runner.run(part, as_of_us=as_of_us))

    assert apart == ledger(runner.run(events, as_of_us=as_of_us))


@given(books(), histories() | histories(days="few"), st.integers(0, 5), st.data())
def test_any_cut_in_time_nets_to_the_batch(
    versions: list[Book], events: Events, days: int, data: st.DataObject
) -> None:
    """Cut anywhere, with carried state, every event has the same net points and money, and every rider the same score."""
    as_of_us = last_us(events) + days * DAY_US
    ordered = sorted(events, key=lambda event: (event["occurred_us"], event["event_id"]))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(ordered)), max_size=3)) | {0, len(ordered)})
    parts = [ordered[left:right] for left, right in pairwise(cuts)]
    runner = engine(versions)
    batch = runner.run(events, as_of_us=as_of_us)

    lines, last = in_turn(runner, parts, as_of_us)

    assert all_nets(lines) == all_nets(ledger(batch))
    assert ends(last) == ends(batch)
    assert_chained(lines, openings(batch))


@given(books(), histories(max_riders=2) | histories(days="few", max_riders=2), st.integers(0, 5))
def test_one_by_one_nets_to_the_batch(versions: list[Book], events: Events, days: int) -> None:
    """Events scored one at a time, as they happen, come to the same as all at once."""
    as_of_us = last_us(events) + days * DAY_US
    ordered = sorted(events, key=lambda event: (event["occurred_us"], event["event_id"]))
    runner = engine(versions)
    batch = runner.run(events, as_of_us=as_of_us)

    lines, last = in_turn(runner, [[event] for event in ordered], as_of_us)

    assert all_nets(lines) == all_nets(ledger(batch))
    assert ends(last) == ends(batch)


@given(books(), histories() | histories(days="few"), st.integers(0, 5), st.data())
def test_ticks_between_runs_change_nothing(
    versions: list[Book], events: Events, days: int, data: st.DataObject
) -> None:
    """A run without events that only lets time pass writes what is due, and the end is that of the batch."""
    as_of_us = last_us(events) + days * DAY_US
    ordered = sorted(events, key=lambda event: (event["occurred_us"], event["event_id"]))
    cut = data.draw(st.integers(1, len(ordered)))
    first, second = ordered[:cut], ordered[cut:]
    next_us = second[0]["occurred_us"] if second else as_of_us
    tick_us = data.draw(st.integers(last_us(first), next_us))
    runner = engine(versions)
    batch = runner.run(events, as_of_us=as_of_us)

    before = runner.run(first)
    ticked = runner.run([], before.carried, tick_us)
    after = runner.run(second, ticked.carried, as_of_us)

    lines: Lines = {}
    for scored in (before, ticked, after):
        for rider, written in ledger(scored).items():
            lines.setdefault(rider, []).extend(written)
    assert all_nets(lines) == all_nets(ledger(batch))
    assert ends(after) == ends(batch)
    assert_chained(lines, openings(batch))


@given(books(late_days=7), histories(days="few", controls=True, max_riders=2), st.integers(0, 5), st.data())
def test_corrections_in_a_later_run_net_to_the_batch(
    versions: list[Book], events: Events, days: int, data: st.DataObject
) -> None:
    """Corrections and appeals that come in a later run than their event come to the same."""
    as_of_us = last_us(events) + days * DAY_US
    ordered = sorted(events, key=lambda event: (event["occurred_us"], event["event_id"]))
    cut = data.draw(st.integers(1, len(ordered)))
    # A cut in time leaves one instant whole: an appeal may bear the time of the event it is about.
    while 0 < cut < len(ordered) and ordered[cut]["occurred_us"] == ordered[cut - 1]["occurred_us"]:
        cut += 1
    parts = [part for part in (ordered[:cut], ordered[cut:]) if part]
    runner = engine(versions)
    batch = runner.run(events, as_of_us=as_of_us)

    lines, last = in_turn(runner, parts, as_of_us)

    assert all_nets(lines) == all_nets(ledger(batch))
    assert ends(last) == ends(batch)


@given(books(), two_parts(), st.integers(0, 5))
def test_a_cut_with_nothing_in_hand_is_the_same_to_the_line(
    versions: list[Book], parts: tuple[Events, Events], days: int
) -> None:
    """Where no order is in hand at the cut, two runs write exactly the lines of one."""
    first, second = parts
    as_of_us = last_us(second) + days * DAY_US
    runner = engine(versions)

    lines, _ = in_turn(runner, [first, second], as_of_us)

    assert lines == ledger(runner.run(first + second, as_of_us=as_of_us))


@given(books(late_days=7), histories(days="few", max_riders=2), st.integers(0, 5), st.data())
def test_late_arrivals_net_to_order(versions: list[Book], events: Events, days: int, data: st.DataObject) -> None:
    """Whatever the order of arrival, within the days a book allows, the net result is that of the true order."""
    as_of_us = last_us(events) + days * DAY_US
    shuffled = data.draw(st.permutations(events))
    cut = data.draw(st.integers(1, len(shuffled)))
    parts = [part for part in (shuffled[:cut], shuffled[cut:]) if part]
    runner = engine(versions)
    batch = runner.run(events, as_of_us=as_of_us)

    lines, last = in_turn(runner, parts, as_of_us)

    found, expected = all_nets(lines), all_nets(ledger(batch))
    assert found == expected
    assert ends(last) == ends(batch)


@given(books(), histories(days="few", controls=True), st.integers(0, 5))
def test_a_replay_adds_nothing(versions: list[Book], events: Events, days: int) -> None:
    """The same events once more, into the carried state, write no line and move no score."""
    as_of_us = last_us(events) + days * DAY_US
    runner = engine(versions)
    first = runner.run(events, as_of_us=as_of_us)

    again = runner.run(events, first.carried, as_of_us)

    assert again.entries.size == 0
    assert ends(again) == ends(first)


@given(books(), histories(days="few", max_riders=1), st.data())
def test_a_correction_undone_restores(versions: list[Book], events: Events, data: st.DataObject) -> None:
    """A correction and a second one back to the first facts leave score and nets as if nothing had been."""
    victim = data.draw(st.sampled_from(events))
    other = data.draw(st.sampled_from([event for event in events if event["kind"] == victim["kind"]]))
    end_us = last_us(events)
    control = {"kind": "correction", "ref_event_id": victim["event_id"]}
    wrong = other | control | {"event_id": "x1", "occurred_us": end_us + HOUR_US}
    right = victim | control | {"event_id": "x2", "occurred_us": end_us + 2 * HOUR_US}
    right["delivered_us"] = victim.get("delivered_us") or victim["occurred_us"]
    as_of_us = end_us + 3 * HOUR_US
    runner = engine(versions)

    corrected = runner.run([*events, wrong, right], as_of_us=as_of_us)

    plain = runner.run(events, as_of_us=as_of_us)
    assert not any(is_control(event) for event in events)
    assert all_nets(ledger(corrected)) == all_nets(ledger(plain))
    assert ends(corrected) == ends(plain)


@given(books(), histories(controls=True), st.data())
def test_the_order_of_rows_in_a_file_does_not_matter(versions: list[Book], events: Events, data: st.DataObject) -> None:
    """One run over shuffled rows writes the same lines."""
    shuffled = data.draw(st.permutations(events))
    runner = engine(versions)

    assert ledger(runner.run(shuffled)) == ledger(runner.run(events))


def test_what_lies_before_the_window_still_bears_on_what_is_inside() -> None:
    """A report and a wait older than a book's late days still speak for the deliveries that are younger."""
    strict = book(late_days=1, report=[{"kind": "accident", "exempt": True}])
    day_min = 1_440
    older = [
        slow_merchant("slow", wait_min=12, at_min=0),
        event("accident", "x1", at_min=0, order_id="hurt"),
    ]
    younger = [
        delivered("bag", at_min=10, late_min=9),
        delivered("hurt", at_min=11, late_min=30, order_id="hurt"),
    ]
    runner = engine([strict])
    first = runner.run([*older, *younger])

    ticked = runner.run([], first.carried, NOON_US + (day_min + 5) * MINUTE_US)
    last = runner.run([delivered("next", at_min=day_min + 8)], ticked.carried)

    assert [row[:3] for row in (line.row for line in ledger(last)["r1"])] == [("next", "on_time", "award")]
    assert standings(last)["r1"]["score_mp"] == 70_000 + 4 * 200


def test_what_came_too_late_is_refused() -> None:
    """An event more than `late_days` before the carried state is refused, a younger one is entered."""
    strict = book(late_days=1)
    runner = engine([strict])
    first = runner.run([delivered("e1", at_min=3 * 1_440)])
    events = [delivered("old", at_min=2 * 1_440 - 1), delivered("young", at_min=2 * 1_440)]

    late = runner.run(events, first.carried)

    assert refusals(late, events) == {("r1", "old"): "too_late"}
    assert [line.event_id for line in ledger(late)["r1"]] == ["young"]


def test_the_stored_event_wins_over_a_newcomer_of_other_content() -> None:
    """Across runs the first content stands, and the other one is refused."""
    runner = engine([book()])
    first = runner.run([delivered("e1", late_min=4)])
    other = [delivered("e1", late_min=30)]

    second = runner.run(other, first.carried)

    assert refusals(second, other) == {("r1", "e1"): "duplicate_conflict"}
    assert second.entries.size == 0
    assert standings(second)["r1"]["score_mp"] == 69_000


def test_a_late_event_is_entered_behind_what_stands() -> None:
    """A delivery that arrives late is entered, and only the cap entry that it changes is reversed."""
    capped = book(cap=[{"id": "per_day", "scope": "day", "max_deduct": 3}])
    runner = engine([capped])
    first = runner.run([delivered("a", late_min=9), delivered("c", at_min=60, late_min=9)])

    second = runner.run([delivered("b", at_min=30, late_min=4)], first.carried)

    assert [line.row[:4] for line in ledger(first)["r1"]] == [
        ("a", "late_more", "deduct", -2_000),
        ("c", "late_more", "deduct", -2_000),
        ("c", "per_day", "cap", 1_000),
    ]
    assert sorted(line.row[:4] for line in ledger(second)["r1"]) == [
        ("b", "late_5", "deduct", -1_000),
        ("c", "per_day", "reenter", 2_000),
        ("c", "per_day", "reverse", -1_000),
    ]
    assert standings(second)["r1"]["score_mp"] == 67_000
