"""A database of 0.1.0 goes on after its upgrade: riders kept as that version kept them, each as far as they are."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import func, select, text

from api.books.in_force import old_readings_until, rules_in_force
from api.db import schema
from api.db.clock_guard import ClockGuard, ClockState
from api.db.store import Store
from api.db.tables import rider_state
from api.ledger import posting
from api.ledger.verify import verify_store
from tests.api.ledger.posts import lines_of, table_of
from tests.builders import DAY_US, delivered
from tests.fixtures.v0_1_0 import kept
from tests.fixtures.v0_1_0.kept import END_US, Kept

pytestmark = pytest.mark.slow

# Fades and resets of some riders are due by then, whose ledgers were left at different instants.
NOW_US: Final = END_US + 10 * DAY_US
TOGETHER: Final = ("sample-r00003", "sample-r00004")


@pytest.fixture
def upgraded(v0_1_0: Kept) -> Iterator[Store]:
    """The database, upgraded and not written to yet."""
    store = Store(v0_1_0.url)
    schema.upgrade(store)
    yield store
    store.close()


def settled(store: Store) -> list[str]:
    """Bring everybody up to date at once; what the ledger does not vouch for afterwards."""
    with store.writing(NOW_US) as unit:
        assert posting.write_due(unit, rules_in_force(unit), NOW_US) > 1
    return faults_of(store)


def faults_of(store: Store) -> list[str]:
    """What verification finds."""
    with store.reading() as unit:
        return [str(found) for found in verify_store(unit).found if not found.holds]


def posted(store: Store, riders: Sequence[str]) -> set[str]:
    """What becomes of an order of each, in one post."""
    rows = []
    for rider in riders:
        row: dict[str, Any] = delivered(f"new-{rider}", rider_id=rider, city="sample", late_min=-5)
        moved_us = NOW_US - row["occurred_us"]
        rows.append(
            {name: value + moved_us if name.endswith("_us") and value else value for name, value in row.items()}
        )
    with store.writing(NOW_US) as unit:
        return {answer.status for answer in posting.post_events(unit, rules_in_force(unit), table_of(rows))}


def test_riders_who_were_left_at_different_instants_settle_together(upgraded: Store) -> None:
    """What was written for one is not written again because another was left earlier."""
    with upgraded.reading() as unit:
        known = rider_state.c.carried.is_not(None)
        assert (unit.connection.scalar(select(func.count(func.distinct(rider_state.c.until_us))).where(known)) or 0) > 1

    assert settled(upgraded) == []
    ids = [line["entry_id"] for line in lines_of(upgraded)]
    assert len(ids) == len(set(ids))


def test_riders_who_were_left_at_different_instants_are_posted_together(upgraded: Store) -> None:
    """An order of each, in one post or one by one: both are scored, and the ledgers hold."""
    assert posted(upgraded, TOGETHER) == {"scored"}
    assert faults_of(upgraded) == []


def test_a_rider_who_went_on_does_not_accuse_the_others(upgraded: Store) -> None:
    """The fades that others wait for are no violation because one rider was brought past them."""
    assert posted(upgraded, TOGETHER[:1]) == {"scored"}
    assert faults_of(upgraded) == []


def test_a_rider_left_outside_their_scale_is_due_first(v0_1_0: Kept) -> None:
    """The first tick after the upgrade brings them inside; nobody else is due earlier than before."""
    store = Store(v0_1_0.url)
    with store.engine.begin() as connection:
        found = connection.execute(text("SELECT rider_id, due_us FROM rider_state"))
        before = {row.rider_id: row.due_us for row in found}
        connection.execute(text(f"UPDATE rider_state SET score_mp = -1 WHERE rider_id = '{TOGETHER[0]}'"))

    schema.upgrade(store)

    with store.reading() as unit:
        rows = unit.connection.execute(select(rider_state.c.rider_id, rider_state.c.due_us))
        after = {row.rider_id: row.due_us for row in rows}
        until_us = old_readings_until(unit)
    store.close()
    assert until_us is not None
    assert after == before | {TOGETHER[0]: min(before[TOGETHER[0]], until_us + 1)}
    assert after[TOGETHER[0]] == until_us + 1


def clock_at(store: Store, at_us: int) -> ClockState:
    """What a server thinks of its clock that starts at an instant."""
    clock_guard = ClockGuard(store, lambda: at_us, lambda: 0, by_database=False)
    clock_guard.look()
    return clock_guard.state


@pytest.mark.parametrize(
    ("days", "state"),
    [(0.5, ClockState("believed")), (30, ClockState("held", "gap")), (-30, ClockState("held", "back"))],
)
def test_the_first_clock_after_the_upgrade_is_judged(upgraded: Store, days: float, state: ClockState) -> None:
    """By the newest instant that the database knows: a server that starts a month ahead decides nothing."""
    assert clock_at(upgraded, END_US + int(days * DAY_US)) == state


def test_a_demo_of_010_confirms_its_clock_by_itself(tmp_path: Path) -> None:
    """However long ago it was shown."""
    store = Store(f"sqlite:///{kept.demo(tmp_path) / 'riderscore.db'}")
    schema.upgrade(store)

    assert clock_at(store, END_US + 300 * DAY_US) == ClockState("believed")
    store.close()
