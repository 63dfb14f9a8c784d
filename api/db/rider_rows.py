"""Rows of riders: locked in the order of their ids, read, and their revision raised when something changed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import select, update

from api.db.bulk import add_missing_keys, among, in_chunks, rows_among
from api.db.tables import rider_state
from api.db.unit_of_work import ReadUnit, WriteUnit
from scoring.columns import FAR_US, NO_TIME

# What the chain of a ledger without entries ends in (`chain`).
GENESIS: Final = bytes(32)
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


_NONE: Final[Mapping[str, RiderRow]] = {}


def lock_riders(
    unit: WriteUnit, rider_ids: Iterable[str], already_locked: Mapping[str, RiderRow] = _NONE
) -> dict[str, RiderRow]:
    """The rows of riders, held until the unit ends; a rider seen for the first time gets one.

    Every writer first makes the rows that are missing and then locks, both by ascending id: no two can wait for
    each other.

    Parameters
    ----------
    already_locked
        Rows that the unit holds already (`lock_free_riders`) and that nobody has changed since.
    """
    asked = set(rider_ids)
    wanted = sorted(asked - already_locked.keys(), key=str.encode)
    locked = {rider_id: already_locked[rider_id] for rider_id in asked & already_locked.keys()}
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
        locked |= {row.rider_id: RiderRow(*row) for row in rows}
    return locked


def lock_free_riders(unit: WriteUnit, rider_ids: Iterable[str]) -> tuple[dict[str, RiderRow], frozenset[str]]:
    """Hold the rows that no other writer holds at this moment; those rows, and the riders whose rows others hold.

    Waits for nobody, so that it may come before `lock_riders`. Riders who have no row are in neither.
    """
    wanted = sorted(set(rider_ids), key=str.encode)
    rows: dict[str, RiderRow] = {}
    away: set[str] = set()
    for some in in_chunks(wanted):
        query = select(rider_state).where(among(unit, rider_state.c.rider_id, some)).order_by(rider_state.c.rider_id)
        free = unit.connection.execute(query.with_for_update(skip_locked=True))
        rows |= {row.rider_id: RiderRow(*row) for row in free}
    for some in in_chunks([rider_id for rider_id in wanted if rider_id not in rows]):
        query_ids = select(rider_state.c.rider_id).where(among(unit, rider_state.c.rider_id, some))
        away |= set(unit.connection.scalars(query_ids))
    return rows, frozenset(away)


class RiderHome(NamedTuple):
    """The city that a rider belongs to; None while no event or introduction has said it."""

    city: str | None


def home_of(unit: ReadUnit | WriteUnit, rider_id: str) -> RiderHome | None:
    """Where a rider delivers; None for one who is not known."""
    row = unit.connection.execute(select(rider_state.c.city).where(rider_state.c.rider_id == rider_id)).one_or_none()
    return None if row is None else RiderHome(row.city)


def cities_of(unit: ReadUnit | WriteUnit, rider_ids: Iterable[str]) -> dict[str, str | None]:
    """The cities of those riders that are stored."""
    query = select(rider_state.c.rider_id, rider_state.c.city)
    return {row.rider_id: row.city for row in rows_among(unit, query, rider_state.c.rider_id, rider_ids)}


def row_of(unit: ReadUnit | WriteUnit, rider_id: str) -> RiderRow | None:
    """One rider's row, not locked; None for one who has no event."""
    row = unit.connection.execute(select(rider_state).where(rider_state.c.rider_id == rider_id)).one_or_none()
    return None if row is None or row.carried is None else RiderRow(*row)


def raise_revision(unit: WriteUnit, rider_ids: Iterable[str]) -> None:
    """Say that something happened to riders beside their ledger; the caller holds their rows (`lock_riders`)."""
    for some in in_chunks(sorted(set(rider_ids))):
        changed = update(rider_state).where(among(unit, rider_state.c.rider_id, some))
        unit.connection.execute(changed.values(revision=rider_state.c.revision + 1))
