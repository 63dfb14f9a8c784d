"""One stored event as it first came, for the case file of a person who decides."""

from typing import Any

from sqlalchemy import select

from api.db.tables import events
from api.db.unit_of_work import ReadUnit, WriteUnit


def event_of(unit: ReadUnit | WriteUnit, rider_id: str, event_id: str) -> dict[str, Any] | None:
    """The columns of an event; None for one that is not stored."""
    own = (events.c.rider_id == rider_id, events.c.event_id == event_id)
    row = unit.connection.execute(select(events).where(*own)).mappings().one_or_none()
    return None if row is None else dict(row)
