"""Which orders a rider has delivered: an order is delivered once."""

from collections.abc import Collection

from sqlalchemy import select

from api.store.bulk import in_chunks, pairs_among
from api.store.tables import events
from api.store.units import ReadUnit, WriteUnit

Delivery = tuple[str, str]


def delivered_by(unit: ReadUnit | WriteUnit, wanted: Collection[Delivery]) -> dict[Delivery, str]:
    """Of some (rider id, order id) the stored event that delivered the order; the first, where version 0.1.0 stored more."""
    found: dict[Delivery, tuple[int, str]] = {}
    for some in in_chunks(sorted(wanted)):
        query = select(events.c.rider_id, events.c.order_id, events.c.occurred_us, events.c.event_id).where(
            pairs_among(unit, (events.c.rider_id, events.c.order_id), some), events.c.kind == "delivered"
        )
        for row in unit.connection.execute(query):
            key, own = (row.rider_id, row.order_id), (row.occurred_us, row.event_id)
            found[key] = min(found.get(key, own), own)
    return {key: event_id for key, (_, event_id) in found.items()}
