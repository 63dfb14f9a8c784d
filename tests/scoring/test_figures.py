"""The figures of a rider's row are those of the oracle: counts, points, money, and orders still to go."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.book import Book
from scoring.ledger import entries_table, riders_table
from tests.builders import DAY_US, book, delivered
from tests.oracle import Line, on_time_award_mp, tier_of
from tests.oracle_facts import version_at
from tests.oracle_history import outcomes
from tests.scoring.readings import engine, ledger
from tests.strategies import books, histories, last_us

pytestmark = pytest.mark.slow

Events = list[dict[str, Any]]


def rows_of(scored: Any) -> dict[str, dict[str, Any]]:
    """Rows of `riders.parquet` by rider."""
    return {row["rider_id"]: row for row in riders_table(scored).to_pylist()}


def points(lines: list[Line]) -> tuple[int, int]:
    """Points awarded and deducted: rules and courses, with what caps took from either side."""
    awarded = sum(line.delta_mp for line in lines if line.kind in ("award", "training"))
    deducted = -sum(line.delta_mp for line in lines if line.kind == "deduct")
    capped = [line.delta_mp for line in lines if line.kind == "cap"]
    return awarded + sum(mp for mp in capped if mp < 0), deducted - sum(mp for mp in capped if mp > 0)


@given(books(), histories(controls=True), st.integers(0, 5))
def test_counts_points_and_money_are_the_oracles(versions: list[Book], events: Events, days: int) -> None:
    """Deliveries by outcome, points net of caps, fees, fines, bonus and income are those of the corrected history."""
    as_of_us = last_us(events) + days * DAY_US
    expected = outcomes([one.model for one in versions], events, as_of_us)

    rows = rows_of(engine(versions).run(events, as_of_us=as_of_us))

    for rider, outcome in expected.items():
        fines_fen = -sum(min(0, line.money_fen) for line in outcome.lines)
        bonus_fen = sum(max(0, line.money_fen) for line in outcome.lines)
        awarded_mp, deducted_mp = points(outcome.lines)
        row = rows[rider]
        assert {name: row[name] for name in FIGURES} == {
            "opening_score_mp": outcome.opening_mp,
            "score_mp": outcome.score_mp,
            "tier": outcome.tier,
            "review_required": outcome.review_required,
            "num_delivered": outcome.num_delivered,
            "num_on_time": outcome.num_on_time,
            "num_late": outcome.num_late,
            "num_exempt": outcome.num_exempt,
            "points_awarded_mp": awarded_mp,
            "points_deducted_mp": deducted_mp,
            "fees_fen": outcome.fees_fen,
            "fines_fen": fines_fen,
            "bonus_fen": bonus_fen,
            "income_fen": outcome.fees_fen - fines_fen + bonus_fen,
        }


FIGURES = (
    "opening_score_mp",
    "score_mp",
    "tier",
    "review_required",
    "num_delivered",
    "num_on_time",
    "num_late",
    "num_exempt",
    "points_awarded_mp",
    "points_deducted_mp",
    "fees_fen",
    "fines_fen",
    "bonus_fen",
    "income_fen",
)


@given(books(max_versions=1), histories())
def test_orders_to_go_lead_there_and_no_fewer_do(versions: list[Book], events: Events) -> None:
    """So many on-time awards reach the base or the next tier, and one fewer does not; null where none is needed or helps."""
    rows = rows_of(engine(versions).run(events))

    for rider, row in rows.items():
        own = [event for event in events if event["rider_id"] == rider]
        model = version_at([versions[0].model], own[-1]["occurred_us"])
        award_mp = on_time_award_mp(model, own[-1]["rider_kind"])
        score_mp, scale = row["score_mp"], model.score
        to_recover, to_next = row["on_time_orders_to_recover"], row["on_time_orders_to_next_tier"]
        if to_recover is None:
            assert score_mp >= scale.base_mp or award_mp <= 0
        else:
            assert score_mp + (to_recover - 1) * award_mp < scale.base_mp <= score_mp + to_recover * award_mp
        higher = [tier.min_mp for tier in model.tier if tier.min_mp is not None and tier.min_mp > score_mp]
        if to_next is None:
            assert not higher or award_mp <= 0 or higher[0] > scale.ceiling_mp
        else:
            here = tier_of(model, score_mp)
            assert tier_of(model, score_mp + (to_next - 1) * award_mp) == here
            assert tier_of(model, score_mp + to_next * award_mp) != here


@given(books(), histories(controls=True))
def test_the_table_of_entries_says_what_was_written(versions: list[Book], events: Events) -> None:
    """`entries.parquet` has the lines of the ledger, each with an id of its own, the same ids in a second run."""
    scored = engine(versions).run(events)

    table = entries_table(scored, scored.until_us).to_pylist()

    lines = [(rider, line) for rider, own in ledger(scored).items() for line in own]
    assert [
        (row["rider_id"], row["seq"], row["event_id"], row["rule_id"], row["kind"], row["delta_mp"], row["money_fen"])
        for row in table
    ] == [
        (rider, line.seq, line.event_id, line.rule_id, line.kind, line.delta_mp, line.money_fen)
        for rider, line in lines
    ]
    assert len({row["entry_id"] for row in table}) == len(table)
    assert table == entries_table(engine(versions).run(events), scored.until_us).to_pylist()


def test_a_rider_at_69_needs_5_orders_to_be_back_at_70() -> None:
    """At +0.2 an order on time, one point is 5 orders, and the reward above 75 is 31 orders away."""
    row = rows_of(engine([book()]).run([delivered(late_min=4)]))["r1"]

    assert row["on_time_orders_to_recover"] == 5
    assert row["on_time_orders_to_next_tier"] == 31
