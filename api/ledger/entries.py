"""What can be asked of the store about a rider. Every answer names the book version it was made under."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import select

from api.books.in_force import program_of
from api.db.bulk import rows_among
from api.db.tables import entries, rider_state
from api.db.unit_of_work import ReadUnit, WriteUnit
from rules.compile import Program
from rules.events import RIDER_KINDS
from scoring.columns import I64, NO_TIME
from scoring.ledger import standing_figures


@dataclass(frozen=True, slots=True)
class EntrySlice:
    """Entries of a rider, newest first; `cursor` asks for the older ones, None at the end."""

    entries: tuple[dict[str, Any], ...]
    cursor: int | None


@dataclass(frozen=True, slots=True)
class RiderStanding:
    """Where a rider stands, under the book version of the last event.

    Parameters
    ----------
    on_time_orders_to_next_tier, on_time_orders_to_recover
        None where there is nothing to reach, or on-time orders do not lead there.
    until_us
        Up to when fades and resets are written.
    """

    rider_id: str
    city: str | None
    rider_kind: str | None
    book_digest: str
    score_mp: int
    tier: str
    on_time_orders_to_next_tier: int | None
    on_time_orders_to_recover: int | None
    review_required: bool
    num_entries: int
    until_us: int


def entries_of(unit: ReadUnit | WriteUnit, rider_id: str, cursor: int | None = None, limit: int = 50) -> EntrySlice:
    """A page of a rider's ledger, newest first.

    Parameters
    ----------
    cursor
        `EntryPage.cursor` of the page before; None for the newest entries. It stays good while entries are added.
    """
    query = select(entries).where(entries.c.rider_id == rider_id).order_by(entries.c.seq.desc()).limit(limit + 1)
    if cursor is not None:
        query = query.where(entries.c.seq < cursor)
    rows = [_plain(row) for row in unit.connection.execute(query).mappings()]
    more = len(rows) > limit
    return EntrySlice(tuple(rows[:limit]), rows[limit - 1]["seq"] if more else None)


def _plain(row: Any) -> dict[str, Any]:
    """A row of the ledger; the chain value as hex."""
    return dict(row) | {"chain": row["chain"].hex()}


def rider_row(unit: ReadUnit | WriteUnit, rider_id: str) -> RiderStanding | None:
    """Where a rider stands; None for one who has no scored event."""
    row = unit.connection.execute(select(rider_state).where(rider_state.c.rider_id == rider_id)).one_or_none()
    if row is None or row.book_digest is None:
        return None
    books = program_of(unit, (row.book_digest,)).books
    figures_in = (np.zeros(1, np.int64), np.array([row.rider_kind], np.int64), np.array([row.score_mp], np.int64))
    figures = standing_figures(books, *figures_in)
    return RiderStanding(
        rider_id=rider_id,
        city=row.city,
        rider_kind=RIDER_KINDS[row.rider_kind] if row.rider_kind >= 0 else None,
        book_digest=row.book_digest,
        score_mp=row.score_mp,
        tier=figures.tier[0],
        on_time_orders_to_next_tier=_reachable(figures.to_next_tier[0]),
        on_time_orders_to_recover=_reachable(figures.to_recover[0]),
        review_required=bool(row.review_required),
        num_entries=row.seq,
        until_us=row.until_us,
    )


def _reachable(orders: int) -> int | None:
    return int(orders) if orders >= 0 else None


def openings_of(unit: ReadUnit | WriteUnit, program: Program, riders: Sequence[str]) -> I64:
    """With what the ledgers of riders opened; `NO_TIME` where there is no entry, or all books have one base."""
    opened = np.full(len(riders), NO_TIME, np.int64)
    if np.unique(program.tables.books["base_mp"]).size > 1:
        place = {rider: k for k, rider in enumerate(riders)}
        first = select(entries.c.rider_id, entries.c.score_after_mp - entries.c.delta_mp).where(entries.c.seq == 1)
        for rider, opening_mp in rows_among(unit, first, entries.c.rider_id, riders):
            opened[place[rider]] = opening_mp
    return opened
