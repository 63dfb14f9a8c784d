"""The chain of hashes: whole after any posting, broken by any change from outside."""

from collections.abc import Callable

import pytest
from sqlalchemy import delete, text, update

from api.db.store import Store
from api.db.tables import entries, rider_state
from api.db.unit_of_work import WriteUnit
from tests.api.ledger.posts import FADING, START_US, chain_breaks, later, lines_of, post, publish, rider_week, settle
from tests.builders import DAY_US

Tamper = Callable[[WriteUnit], object]
OF_R1 = entries.c.rider_id == "r1"


def breaks(store: Store) -> list[tuple[str, int, str]]:
    """What the chain says."""
    with store.reading() as unit:
        return chain_breaks(unit)


def unsealed(store: Store, tamper: Tamper) -> None:
    """Do what the triggers refuse, as somebody with the rights of the owner could."""
    with store.writing(START_US) as unit:
        if unit.connection.dialect.name == "postgresql":
            unit.connection.execute(text("ALTER TABLE entries DISABLE TRIGGER ALL"))
        else:
            for name in ("update", "delete", "replace"):
                unit.connection.execute(text(f"DROP TRIGGER entries_no_{name}"))
        tamper(unit)


@pytest.fixture
def full(store: Store) -> Store:
    """Three riders with reversals, fades and corrections in their ledgers."""
    publish(store, FADING)
    events = later([row for k in range(3) for row in rider_week(f"r{k}", days=2)])
    for first in range(0, len(events), 7):
        post(store, events[first : first + 7], FADING, START_US + 3 * DAY_US)
    settle(store, START_US + 90 * DAY_US, FADING)
    return store


def test_a_ledger_vouches_for_itself(full: Store) -> None:
    """Posts, late events, corrections and the tick leave every chain whole."""
    assert len(lines_of(full)) > 50
    assert breaks(full) == []


@pytest.mark.parametrize(
    ("tamper", "expected"),
    [
        (lambda unit: unit.connection.execute(update(entries).where(OF_R1, entries.c.seq == 3).values(money_fen=999)),
         {("r1", 3, "changed")}),
        (lambda unit: unit.connection.execute(update(entries).where(OF_R1, entries.c.seq == 3).values(rule_id="x")),
         {("r1", 3, "changed")}),
        (lambda unit: unit.connection.execute(
            update(entries).where(OF_R1, entries.c.seq == 2).values(score_after_mp=entries.c.score_after_mp + 1)),
         {("r1", 2, "changed"), ("r1", 2, "score"), ("r1", 3, "score")}),
        (lambda unit: unit.connection.execute(delete(entries).where(OF_R1, entries.c.seq == 4)),
         {("r1", 5, "missing")}),
        (lambda unit: unit.connection.execute(delete(entries).where(OF_R1)), {("r1", 1, "cut_off")}),
        (lambda unit: unit.connection.execute(delete(rider_state).where(rider_state.c.rider_id == "r1")), "orphaned"),
        (lambda unit: unit.connection.execute(
            update(rider_state).where(rider_state.c.rider_id == "r1").values(score_mp=99_000)), "cut_off"),
        (lambda unit: unit.connection.execute(delete(entries).where(OF_R1, entries.c.seq > 5)), "cut_off"),
    ],
    ids=["money", "rule", "score", "gap", "all_gone", "no_rider", "rider_row", "tail_gone"],
)  # fmt: skip
def test_tampering_shows(full: Store, tamper: Tamper, expected: set[tuple[str, int, str]] | str) -> None:
    """Whatever is changed, left out or cut off is named, and only that rider's ledger."""
    unsealed(full, tamper)

    found = breaks(full)

    if isinstance(expected, str):
        assert [(rider, what) for rider, _, what in found] == [("r1", expected)]
    else:
        assert expected <= set(found)
        assert {rider for rider, _, _ in found} == {"r1"}
