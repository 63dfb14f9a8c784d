"""What is stored of a rider's orders, and which they have delivered: an order is delivered once."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import select

from api.db.bulk import in_chunks, pairs_among
from api.db.tables import events
from api.db.unit_of_work import ReadUnit, WriteUnit

# (rider id, order id)
RiderOrder = tuple[str, str]


class OrderEvent(NamedTuple):
    """A stored event of an order."""

    occurred_us: int
    event_id: str
    kind: str


OrderEvents = Mapping[RiderOrder, Sequence[OrderEvent]]


def order_events(unit: ReadUnit | WriteUnit, wanted: Collection[RiderOrder]) -> dict[RiderOrder, list[OrderEvent]]:
    """All that is stored of riders' orders, oldest first; each that is wanted has its list."""
    found: dict[RiderOrder, list[OrderEvent]] = {key: [] for key in wanted}
    for some in in_chunks(sorted(wanted)):
        columns = (events.c.rider_id, events.c.order_id, events.c.occurred_us, events.c.event_id, events.c.kind)
        query = select(*columns).where(pairs_among(unit, (events.c.rider_id, events.c.order_id), some))
        for rider_id, order_id, *event in unit.connection.execute(query):
            found[rider_id, order_id].append(OrderEvent(*event))
    for told in found.values():
        told.sort()
    return found


def delivering_event(told: Sequence[OrderEvent]) -> str | None:
    """The event that delivered an order; the first, where version 0.1.0 stored more."""
    return next((event.event_id for event in told if event.kind == "delivered"), None)
