"""Riders of a sample city worth looking at, for the demo's one-click roles."""

from sqlalchemy import select

from api.store.tables import rider_state
from api.store.units import ReadUnit, WriteUnit


def telling_riders(unit: ReadUnit | WriteUnit) -> tuple[str, ...]:
    """Up to three riders: the lowest score, the highest, and one in the middle."""
    known = select(rider_state.c.rider_id).where(rider_state.c.book_digest.is_not(None))
    ordered = list(unit.connection.scalars(known.order_by(rider_state.c.score_mp, rider_state.c.rider_id)))
    if not ordered:
        return ()
    return tuple(dict.fromkeys((ordered[0], ordered[len(ordered) // 2], ordered[-1])))
