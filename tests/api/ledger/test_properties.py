"""Random books and histories through the store: however they are posted, the ledger nets to the batch's."""

import tempfile
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from api.books import in_force
from api.db.store import Store
from api.db.tables import rider_state
from api.ledger import checkpoints, posting
from api.ledger.verify import OF_DATABASES, verify_store
from rules.book import Book
from rules.compile import compile_books
from scoring.columns import NO_TIME
from scoring.ledger import entries_table
from scoring.prepare import REASONS, schedule_versions
from scoring.score import score
from tests import strategies
from tests.api.db.databases import create_tables
from tests.api.ledger.posts import chain_breaks, lines_of, net_of, occurred, replay_all, settle, table_of, without_base
from tests.builders import HOUR_US, MINUTE_US
from tests.strategies import is_sound

pytestmark = pytest.mark.slow

Events = list[dict[str, Any]]
Refusals = list[tuple[str, str, str | None]]


@contextmanager
def with_books(versions: Sequence[Book]) -> Iterator[Store]:
    """A store of its own that holds these versions."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/store.db")
        create_tables(store)
        with store.writing(0) as unit:
            in_force.publish(unit, versions)
        yield store
        store.close()


def posted(store: Store, events: Events, clock_us: int) -> Refusals:
    """Post events; what was refused, and why."""
    with store.writing(clock_us) as unit:
        answers = posting.post_events(unit, in_force.rules_in_force(unit, "random"), table_of(events))
    return [(answer.rider_id, answer.event_id, answer.reason) for answer in answers if answer.status == "rejected"]


def at_once(
    versions: Sequence[Book], events: Events, as_of_us: int
) -> tuple[list[dict[str, Any]], dict[str, int], Refusals]:
    """The ledger of everything in one run, final scores, and what it refused."""
    program = compile_books(versions)
    schedule = replace(schedule_versions(program, range(len(versions))), reach_back=False)
    scored = score(program, schedule, table_of(events), None, as_of_us)
    refused = [
        (events[row]["rider_id"], events[row]["event_id"], REASONS[code])
        for row, code in zip(scored.prepared.refused_rows, scored.prepared.refused_reasons, strict=True)
    ]
    scores = dict(zip(scored.prepared.riders.to_pylist(), scored.head.riders["score_mp"].tolist(), strict=True))
    return entries_table(scored, as_of_us).to_pylist(), scores, refused


def agree(store: Store, versions: Sequence[Book], events: Events, as_of_us: int, refused: Refusals) -> None:
    """Assert that net effects, scores and refusals are the batch's, and that the chains are whole."""
    replay_all(store, as_of_us)
    settle(store, as_of_us, "random")
    lines, scores, theirs_refused = at_once(versions, events, as_of_us)
    assert sorted(refused, key=str) == sorted(theirs_refused, key=str)
    assert without_base(net_of(lines_of(store))) == without_base(net_of(lines))
    # Not by the last lines: those of one run may be none where ours cancel out.
    with store.reading() as unit:
        rows = unit.connection.execute(select(rider_state).where(rider_state.c.carried.is_not(None)))
        assert {row.rider_id: row.score_mp for row in rows} == scores
    with store.reading() as unit:
        assert chain_breaks(unit) == []
        alarms = [one for one in verify_store(unit).found if one.check in OF_DATABASES and not one.holds]
    assert alarms == []


@settings(max_examples=settings().max_examples // 4)
@given(
    versions=strategies.books().filter(is_sound),
    events=strategies.histories(controls=True, max_riders=2),
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    delays_min=st.lists(st.sampled_from((0, 1, 9, 300, 900)), min_size=1, max_size=5),
)
def test_posts_in_order_net_to_one_run(
    versions: list[Book], events: Events, sizes: list[int], delays_min: list[int]
) -> None:
    """Posts of any size, each some time after what happened; corrections and appeals of long ago included."""
    ordered = sorted(events, key=lambda row: (row["occurred_us"], row["event_id"]))
    with with_books(versions) as store:
        first, number, refused, clock_us = 0, 0, [], NO_TIME
        while first < len(ordered):
            # A post spans less than the shortest `late_days`, or its first event would be too late.
            until_us = ordered[first]["occurred_us"] + 6 * HOUR_US
            stop = min(first + sizes[number % len(sizes)], bisect_right(ordered, until_us, key=occurred))
            # Of events at one instant, an appeal may come before what it names: they go together.
            stop = bisect_right(ordered, ordered[stop - 1]["occurred_us"], key=occurred)
            some = ordered[first:stop]
            delay_us = delays_min[number % len(delays_min)] * MINUTE_US
            clock_us = max(clock_us, strategies.last_us(some) + delay_us)
            refused += posted(store, some, clock_us)
            first, number = stop, number + 1

        agree(store, versions, ordered, clock_us, refused)


@settings(max_examples=settings().max_examples // 4)
@given(
    versions=strategies.books(late_days=7).filter(is_sound),
    events=strategies.histories(days="few", max_riders=2),
    size=st.integers(1, 6),
    data=st.data(),
)
def test_posts_in_any_order_net_to_one_run(
    versions: list[Book], events: Events, size: int, data: st.DataObject
) -> None:
    """Everything late, within the days that a book admits: reversed and re-entered until it reads as one run."""
    clock_us = strategies.last_us(events)
    mixed = data.draw(st.permutations(events))
    with with_books(versions) as store:
        refused = [
            one for first in range(0, len(mixed), size) for one in posted(store, mixed[first : first + size], clock_us)
        ]

        agree(store, versions, mixed, clock_us, refused)


@settings(max_examples=settings().max_examples // 4)
@given(
    versions=strategies.books(late_days=7).filter(is_sound),
    events=strategies.histories(days="few", max_riders=2),
    step=st.integers(1, 4),
    size=st.integers(1, 4),
    data=st.data(),
)
def test_checkpoints_change_nothing(
    versions: list[Book], events: Events, step: int, size: int, data: st.DataObject
) -> None:
    """A past that is read from the nearest checkpoint is the past that is read from the first event."""
    clock_us = strategies.last_us(events)
    mixed = data.draw(st.permutations(events))
    with pytest.MonkeyPatch.context() as patch, with_books(versions) as store:
        patch.setattr(checkpoints, "STEP", step)
        # A window of an hour leaves checkpoints within the histories, which span some days.
        patch.setattr(posting, "WINDOW_US", HOUR_US)
        refused = [
            one for first in range(0, len(mixed), size) for one in posted(store, mixed[first : first + size], clock_us)
        ]

        agree(store, versions, mixed, clock_us, refused)
