"""Riders of a sample city worth looking at: for the demo's one-click roles, and for what they appeal."""

from sqlalchemy import func, select

from api.db.tables import entries, events, rider_state
from api.db.unit_of_work import ReadUnit, WriteUnit


def example_riders(unit: ReadUnit | WriteUnit) -> tuple[str, ...]:
    """Up to three riders: the lowest score, the highest, and the one who joined last of those in between."""
    known = select(rider_state.c.rider_id).where(rider_state.c.book_digest.is_not(None))
    ordered = list(unit.connection.scalars(known.order_by(rider_state.c.score_mp, rider_state.c.rider_id)))
    if not ordered:
        return ()
    return tuple(dict.fromkeys((ordered[0], ordered[-1], _newest(unit, ordered[1:-1]) or ordered[0])))


def _newest(unit: ReadUnit | WriteUnit, riders: list[str]) -> str | None:
    """Of some riders the one who joined last; without a date of joining the one in the middle."""
    joined = (
        select(events.c.rider_id)
        .where(events.c.rider_joined_us.is_not(None), events.c.rider_id.in_(riders[:500]))
        .group_by(events.c.rider_id)
        .order_by(func.max(events.c.rider_joined_us).desc(), func.count().desc(), events.c.rider_id)
    )
    newest = unit.connection.scalars(joined.limit(1)).first() if riders else None
    return newest or (riders[len(riders) // 2] if riders else None)


def recent_deductions(unit: ReadUnit | WriteUnit, since_us: int, limit: int) -> tuple[tuple[str, str], ...]:
    """(rider, entry) of the newest deductions since an instant, one a rider."""
    newest = (
        select(entries.c.rider_id, entries.c.entry_id)
        .where(entries.c.kind == "deduct", entries.c.delta_mp < 0, entries.c.recorded_us >= since_us)
        .order_by(entries.c.occurred_us.desc(), entries.c.rider_id)
    )
    by_rider: dict[str, str] = {}
    for row in unit.connection.execute(newest):
        by_rider.setdefault(row.rider_id, row.entry_id)
        if len(by_rider) == limit:
            break
    return tuple(by_rider.items())
