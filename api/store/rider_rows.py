"""Rows of riders: locked in the order of their ids, looked at, told that something happened."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import select, update

from api.store.bulk import add_missing_keys, among, in_chunks
from api.store.chain import GENESIS
from api.store.tables import rider_state
from api.store.units import ReadUnit, WriteUnit
from scoring.columns import FAR_US, NO_TIME

# Rider ids that no path of the API can name: a slash parts paths, and dots are steps in them.
NO_ADDRESS: Final = r"/|^\.\.?$"
_EMPTY: Final = {
    "city": None,
    "rider_kind": -1,
    "book_digest": None,
    "score_mp": 0,
    "review_required": 0,
    "seq": 0,
    "chain": GENESIS,
    "until_us": NO_TIME,
    "keep_us": NO_TIME,
    "due_us": FAR_US,
    "layout": None,
    "carried": None,
    "revision": 0,
}


@dataclass(frozen=True, slots=True)
class RiderRow:
    """A row of `rider_state`."""

    rider_id: str
    city: str | None
    rider_kind: int
    book_digest: str | None
    score_mp: int
    review_required: int
    seq: int
    chain: bytes
    until_us: int
    keep_us: int
    due_us: int
    layout: str | None
    carried: bytes | None
    revision: int


def lock(unit: WriteUnit, rider_ids: Iterable[str]) -> dict[str, RiderRow]:
    """The rows of riders, held until the unit ends; a rider seen for the first time gets one.

    Every writer first makes the rows that are missing and then locks, both by ascending id: no two can wait for
    each other.
    """
    wanted = sorted(set(rider_ids), key=str.encode)
    found: dict[str, RiderRow] = {}
    for some in in_chunks(wanted):
        of_these = among(unit, rider_state.c.rider_id, some)
        known = set(unit.connection.scalars(select(rider_state.c.rider_id).where(of_these)))
        add_missing_keys(unit, rider_state, "rider_id", [rider for rider in some if rider not in known], _EMPTY)
    for some in in_chunks(wanted):
        rows = unit.connection.execute(
            select(rider_state)
            .where(among(unit, rider_state.c.rider_id, some))
            .order_by(rider_state.c.rider_id)
            .with_for_update()
        )
        found |= {row.rider_id: RiderRow(*row) for row in rows}
    return found


def held_by_others(unit: WriteUnit, rider_ids: Iterable[str]) -> frozenset[str]:
    """Riders whose rows another writer holds at this moment; those of the others are held by this unit from now on.

    Waits for nobody, so that it may come before `lock`. SQLite has one writer.
    """
    wanted = sorted(set(rider_ids), key=str.encode)
    if not wanted or unit.connection.dialect.name != "postgresql":
        return frozenset()
    rows = select(rider_state.c.rider_id).where(among(unit, rider_state.c.rider_id, wanted))
    known = set(unit.connection.scalars(rows))
    in_order = rows.order_by(rider_state.c.rider_id).with_for_update(skip_locked=True)
    return frozenset(known.difference(unit.connection.scalars(in_order)))


class Home(NamedTuple):
    """The city that a rider belongs to; None while no event or introduction has said it."""

    city: str | None


def home_of(unit: ReadUnit | WriteUnit, rider_id: str) -> Home | None:
    """Where a rider delivers; None for one who is not known."""
    row = unit.connection.execute(select(rider_state.c.city).where(rider_state.c.rider_id == rider_id)).one_or_none()
    return None if row is None else Home(row.city)


def row_of(unit: ReadUnit | WriteUnit, rider_id: str) -> RiderRow | None:
    """One rider's row, not locked; None for one who has no event."""
    row = unit.connection.execute(select(rider_state).where(rider_state.c.rider_id == rider_id)).one_or_none()
    return None if row is None or row.carried is None else RiderRow(*row)


def touch(unit: WriteUnit, rider_ids: Iterable[str]) -> None:
    """Say that something happened to riders beside their ledger; the caller holds their rows (`lock`)."""
    for some in in_chunks(sorted(set(rider_ids))):
        changed = update(rider_state).where(among(unit, rider_state.c.rider_id, some))
        unit.connection.execute(changed.values(revision=rider_state.c.revision + 1))
