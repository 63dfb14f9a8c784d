"""The company rule: what an event is answered, and what it writes, is the same whoever else is in its post."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from api.books import in_force
from api.db.store import Store
from api.db.tables import rider_state
from api.ledger import posting
from rules.book import Book
from tests import strategies
from tests.api.db.databases import ENGINES, create_tables, url_for
from tests.api.ledger.posts import BOOK, FADING, START_US, later, lines_of, net_of, occurred, post, publish, table_of
from tests.builders import DAY_US, MINUTE_US, delivered
from tests.strategies import is_sound

pytestmark = pytest.mark.slow

Events = list[dict[str, Any]]
Answers = dict[tuple[str, str], tuple[str, str | None]]
Fresh = Callable[[], AbstractContextManager[Store]]


@pytest.fixture(scope="module", params=ENGINES)
def fresh(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    """Makes empty stores of one engine, each used once."""

    @contextmanager
    def one() -> Iterator[Store]:
        store = Store(url_for(request.param, request, tmp_path_factory.mktemp("company")))
        create_tables(store)
        yield store
        store.close()

    return one


def answered(store: Store, posts: Sequence[Events], clock_us: int) -> Answers:
    """Post one after the other under one clock; the answer to each event."""
    found: Answers = {}
    for some in posts:
        with store.writing(clock_us) as unit:
            for answer in posting.post_events(unit, in_force.rules_in_force(unit, "random"), table_of(some)):
                found[answer.rider_id, answer.event_id] = (answer.status, answer.reason)
    return found


def whole(store: Store) -> tuple[Events, Events]:
    """Everything that posts write for riders: the ledger with ids, order, times and chain, and where each one stands.

    What is carried is no record of anything, and holds bytes that mean nothing.
    """
    stands = [column for column in rider_state.c if column.name != "carried"]
    query = select(*stands).order_by(rider_state.c.rider_id)
    with store.reading() as unit:
        return lines_of(store), [dict(row) for row in unit.connection.execute(query).mappings()]


def in_company(events: Events, where: Sequence[int]) -> list[Events]:
    """Each rider's events in one of some posts."""
    riders = sorted({row["rider_id"] for row in events})
    posts: dict[int, Events] = {}
    for row in events:
        posts.setdefault(where[riders.index(row["rider_id"]) % len(where)], []).append(row)
    return [posts[number] for number in sorted(posts)]


@settings(max_examples=settings().max_examples // 4)
@given(
    versions=strategies.books().filter(is_sound),
    events=strategies.histories(max_riders=4, controls=True),
    ahead_min=st.sampled_from((0, 4, 10)),
    cut=st.floats(0, 1),
    where=st.lists(st.integers(0, 3), min_size=4, max_size=4),
)
def test_company_changes_nothing(
    fresh: Fresh, versions: list[Book], events: Events, ahead_min: int, cut: float, where: list[int]
) -> None:
    """Riders who have a past, some with clocks ahead of the store's, in one post or in any others: all is the same."""
    ordered = sorted(events, key=occurred)
    first = ordered[: round(len(ordered) * cut)] or ordered[:1]
    clocks = [strategies.last_us(some) - ahead_min * MINUTE_US for some in (first, ordered)]
    found = []
    for places in ([0], where):
        with fresh() as store:
            with store.writing(0) as unit:
                in_force.publish(unit, versions)
            answers = [
                answered(store, in_company(some, places), clock_us)
                for some, clock_us in zip((first, ordered), clocks, strict=True)
            ]
            found.append((answers, whole(store)))

    assert found[0] == found[1]


@settings(max_examples=settings().max_examples // 4)
@given(
    versions=strategies.books().filter(is_sound),
    events=strategies.histories(max_riders=3, controls=True),
    ahead_min=st.sampled_from((0, 4, 10)),
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=5),
)
def test_any_split_in_time_order_gets_the_same_answers(
    fresh: Fresh, versions: list[Book], events: Events, ahead_min: int, sizes: list[int]
) -> None:
    """Under one clock, a few at a time or all at once: the same answers, and what stands of each event is the same."""
    ordered = sorted(events, key=lambda row: (row["occurred_us"], row["event_id"]))
    clock_us = strategies.last_us(events) - ahead_min * MINUTE_US
    posts: list[Events] = []
    first = 0
    while first < len(ordered):
        stop = min(first + sizes[len(posts) % len(sizes)], len(ordered))
        # Of events at one instant, an appeal may come before what it names: they go together.
        stop = bisect_right(ordered, ordered[stop - 1]["occurred_us"], key=occurred)
        posts.append(ordered[first:stop])
        first = stop
    found = []
    for some in ([ordered], posts):
        with fresh() as store:
            with store.writing(0) as unit:
                in_force.publish(unit, versions)
            found.append((answered(store, some, clock_us), net_of(lines_of(store))))

    assert found[0] == found[1]


@pytest.mark.parametrize("order", [("old", "ahead"), ("ahead", "old"), ("both",)])
def test_an_event_ahead_of_the_clock_makes_no_other_too_late(store: Store, order: tuple[str, ...]) -> None:
    """Seven days old to the minute, beside an event of ten minutes ahead, of another rider or of the same."""
    publish(store, BOOK)
    for rider, other in (("r1", "r2"), ("r3", "r3")):
        (ahead,) = later([delivered("ahead", at_min=10, rider_id=other)])
        (old,) = later([delivered("old", at_min=1, rider_id=rider)], 53 * DAY_US)
        posts = {"old": [old], "ahead": [ahead], "both": [ahead, old]}

        answers = [answer for name in order for answer in post(store, posts[name], at_us=START_US)]

        assert [answer.status for answer in answers] == ["scored", "scored"]


def test_nothing_is_written_before_its_time_because_of_another_rider(store: Store) -> None:
    """A fade that is due in five minutes waits, though somebody in the post is ten minutes ahead."""
    publish(store, FADING)
    lost, after = later([delivered("lost", late_min=30), delivered("after", at_min=1)])
    (ahead,) = later([delivered("ahead", at_min=10, rider_id="r2")])
    post(store, [lost], FADING)
    with store.reading() as unit:
        due_us = unit.connection.scalar(select(rider_state.c.due_us).where(rider_state.c.rider_id == "r1"))
    assert due_us is not None
    clock_us = due_us - 5 * MINUTE_US
    shift_us = clock_us - START_US
    after, ahead = later([after | {"occurred_us": START_US - MINUTE_US}, ahead], shift_us)

    post(store, [after, ahead], FADING, clock_us)

    assert "fade" not in {line["kind"] for line in lines_of(store)}


def test_an_event_ahead_of_the_clock_is_entered_once(store: Store) -> None:
    """What comes in after it, about an instant before it, goes before it; both net to one run."""
    publish(store, FADING)
    ahead, between = later([delivered("ahead", at_min=9, late_min=4), delivered("between", at_min=6, late_min=30)])
    (now,) = later([delivered("now", at_min=0)])

    post(store, [ahead], FADING, START_US)
    post(store, [between], FADING, START_US + MINUTE_US)
    post(store, [now], FADING, START_US + 2 * MINUTE_US)

    lines = lines_of(store)
    assert len({line["entry_id"] for line in lines}) == len(lines)
    assert {key[1] for key in net_of(lines)} == {"now", "between", "ahead"}
