"""Promises that hold for every book and every history: product = oracle, and the score adds up."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.book import Book
from tests.builders import DAY_US
from tests.oracle_history import Written, outcomes, rejections, written
from tests.scoring.readings import LedgerLine, engine, ledger, nets, refusals, standings
from tests.strategies import books, histories, last_us, with_repeats

# Seconds of work.
pytestmark = pytest.mark.slow

Events = list[dict[str, Any]]
REVISED = ("reverse", "reenter")


@given(books(), histories(), st.integers(0, 5))
def test_entries_are_the_oracles(versions: list[Book], events: Events, days: int) -> None:
    """Without corrections every entry, in order, with its liability, is what the oracle reads."""
    as_of_us = last_us(events) + days * DAY_US
    expected = outcomes([book.model for book in versions], events, as_of_us)

    scored = engine(versions).run(events, as_of_us=as_of_us)

    found, ends = ledger(scored), standings(scored)
    for rider, outcome in expected.items():
        assert [line.line for line in found[rider]] == outcome.lines
        assert ends[rider] == {
            "opening_mp": outcome.opening_mp,
            "score_mp": outcome.score_mp,
            "tier": outcome.tier,
            "review_required": outcome.review_required,
        }


@given(books(), histories(controls=True), st.integers(0, 5))
def test_corrected_histories_net_to_the_oracles(versions: list[Book], events: Events, days: int) -> None:
    """With corrections and upheld appeals every event nets to what the corrected history is worth."""
    as_of_us = last_us(events) + days * DAY_US
    expected = outcomes([book.model for book in versions], events, as_of_us)

    scored = engine(versions).run(events, as_of_us=as_of_us)

    found, ends = ledger(scored), standings(scored)
    for rider, outcome in expected.items():
        assert nets(found[rider]) == outcome.net()
        assert ends[rider]["score_mp"] == outcome.score_mp
        assert ends[rider]["review_required"] == outcome.review_required


@given(books(), histories(controls=True))
def test_what_a_correction_does_not_change_is_not_touched(versions: list[Book], events: Events) -> None:
    """Nothing before the first entry that changed is reversed; all of the event concerned is."""
    expected = written([book.model for book in versions], events, last_us(events))

    found = ledger(engine(versions).run(events))

    for rider, rows in expected.items():
        lines = found.get(rider, [])
        for control in {row.cause_event_id for row in rows if row.kind == "reverse"}:
            reversals = [row for row in rows if row.cause_event_id == control and row.kind == "reverse"]
            must = {(row.line.event_id, row.line.rule_id) for row in reversals}
            assert must <= {(line.event_id, line.rule_id) for line in lines if line.kind == "reverse"}
        first_us = [earliest(rows, cause) for cause in {row.cause_event_id for row in rows} - {""}]
        if not first_us:
            assert not [line for line in lines if line.kind in REVISED]
            continue
        born = {line.event_id: line.occurred_us for line in reversed(lines) if line.kind not in REVISED}
        assert all(
            born[line.event_id] >= min(first_us) for line in lines if line.kind == "reverse" and line.event_id in born
        )


def earliest(rows: list[Written], cause: str) -> int:
    """Instant of the first entry that a correction changes."""
    return min(row.line.occurred_us for row in rows if row.cause_event_id == cause)


@given(books(), with_repeats(histories(controls=True)))
def test_refusals_are_the_oracles(versions: list[Book], events: Events) -> None:
    """Conflicting contents and references to nothing or to the future are refused, each with its reason."""
    expected = rejections(events)

    scored = engine(versions).run(events)

    assert refusals(scored, events) == expected
    final = outcomes([book.model for book in versions], events, last_us(events))
    assert {rider: end["score_mp"] for rider, end in standings(scored).items()} == {
        rider: outcome.score_mp for rider, outcome in final.items()
    }


@given(books(), histories(controls=True), st.integers(0, 5))
def test_every_line_adds_up(versions: list[Book], events: Events, days: int) -> None:
    """Opening score plus the running sum of points is the score after each line; lines are numbered from 1."""
    scored = engine(versions).run(events, as_of_us=last_us(events) + days * DAY_US)

    ends = standings(scored)
    for rider, lines in ledger(scored).items():
        running = ends[rider]["opening_mp"] + np.cumsum([line.delta_mp for line in lines], dtype=np.int64)
        assert [line.score_after_mp for line in lines] == running.tolist()
        assert ends[rider]["score_mp"] == (lines[-1].score_after_mp if lines else ends[rider]["opening_mp"])
        assert [line.seq for line in lines] == list(range(1, len(lines) + 1))


@given(books(max_versions=1), histories(), st.integers(0, 5))
def test_the_score_stays_within_its_scale(versions: list[Book], events: Events, days: int) -> None:
    """After the last entry of every event, fade and reset the score lies between floor and ceiling."""
    scale = versions[0].model.score

    scored = engine(versions).run(events, as_of_us=last_us(events) + days * DAY_US)

    for lines in ledger(scored).values():
        ends = [line for n, line in enumerate(lines) if n + 1 == len(lines) or place(line) != place(lines[n + 1])]
        assert all(scale.floor_mp <= line.score_after_mp <= scale.ceiling_mp for line in ends)


def place(line: LedgerLine) -> tuple[str, int]:
    """What a line belongs to: an event or a due instant."""
    return line.event_id, line.occurred_us


@given(books(lateness="remaining"), histories(controls=True))
def test_only_a_liable_rider_is_deducted(versions: list[Book], events: Events) -> None:
    """Under books of remaining lateness no event takes points or money from a rider who is not liable."""
    scored = engine(versions).run(events)

    taken = [
        line
        for lines in ledger(scored).values()
        for line in lines
        if line.of_kind == "deduct" and line.kind != "reverse" and (line.delta_mp < 0 or line.money_fen < 0)
    ]
    assert {line.liable_party for line in taken} <= {"rider"}


@given(books(), histories(controls=True))
def test_nothing_is_a_float(versions: list[Book], events: Events) -> None:
    """Every column of events, liability, entries and states holds integers."""
    scored = engine(versions).run(events)

    arrays = [scored.events, scored.liability, scored.entries, scored.seq, scored.opening_mp, scored.carried.score_mp]
    arrays += [*scored.head, *scored.carried.base, scored.carried.written]
    assert {kind for array in arrays for kind in number_kinds(array.dtype)} <= {"i", "u"}


def number_kinds(dtype: np.dtype[Any]) -> set[str]:
    """Kinds of numbers in an array, fields of records included."""
    if dtype.names is None:
        return {dtype.kind}
    return {dtype[name].kind for name in dtype.names}
