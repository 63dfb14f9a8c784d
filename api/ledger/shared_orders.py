"""Orders with more than one stored delivery: by two riders, or twice by one rider, as version 0.1.0 could store.

Nothing is scored anew. Each later delivery is one row of `shared_orders`, beside the one that it is compared with: the first
of its own rider, else the first of the order. Rows are added in the transaction that stores the later delivery.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from zlib import crc32

from sqlalchemy import ColumnElement, func, literal, or_, select

from api.access.requester import Requester, may_act_in
from api.db.bulk import add_missing, among, in_chunks, numbers
from api.db.cursors import CursorPage, newest_first
from api.db.tables import events, rider_state, shared_orders
from api.db.unit_of_work import ReadUnit, WriteUnit

# Advisory locks of PostgreSQL: one of these per order, so that a large post does not fill the table of locks.
_LOCKS: Final = 1_024
_LOCK_CLASS: Final = 7_286
# Written out, since an index of some rows serves only a condition that the database can read.
_IS_DELIVERY: Final = events.c.kind == literal("delivered", literal_execute=True)
_OF_TWO: Final = shared_orders.c.first_rider_id != shared_orders.c.later_rider_id
_first, _later = rider_state.alias("of_first"), rider_state.alias("of_later")


@dataclass(frozen=True, slots=True)
class OrderDelivery:
    """A stored delivery; `city` is that of the event."""

    rider_id: str
    event_id: str
    city: str


@dataclass(frozen=True, slots=True)
class SharedOrder:
    """An order that two riders delivered; None for a delivery by a rider of a city that is not theirs who ask."""

    order_id: str
    first: OrderDelivery | None
    later: OrderDelivery | None
    recorded_us: int


def note_shared(unit: WriteUnit, orders: Collection[str]) -> None:
    """Note which of some orders have more than one delivery, after their events were stored and as the last lock of a unit.

    Of two transactions that store one order at the same instant the later one waits here until the first has ended, and
    then sees its event.
    """
    if not orders:
        return
    _take_turns(unit, orders)
    for some in in_chunks(sorted(orders)):
        counted = select(events.c.order_id).where(among(unit, events.c.order_id, some), _IS_DELIVERY)
        shared = unit.connection.scalars(counted.group_by(events.c.order_id).having(func.count() > 1)).all()
        if shared:
            _note(unit, shared)


def _take_turns(unit: WriteUnit, orders: Collection[str]) -> None:
    """On PostgreSQL: hold the locks of these orders, in ascending order, until the unit ends."""
    if unit.connection.dialect.name != "postgresql":
        return
    keys = sorted({crc32(order.encode()) % _LOCKS for order in orders})
    named = func.unnest(numbers(_LOCK_CLASS * _LOCKS + key for key in keys))
    wanted = named.table_valued("key").render_derived()
    unit.connection.execute(select(func.pg_advisory_xact_lock(wanted.c.key)).select_from(wanted))


def _note(unit: WriteUnit, orders: Sequence[str]) -> None:
    columns = ("order_id", "rider_id", "event_id", "city")
    query = select(*(events.c[name] for name in columns)).where(among(unit, events.c.order_id, orders), _IS_DELIVERY)
    query = query.order_by(
        events.c.order_id, events.c.recorded_us, events.c.occurred_us, events.c.rider_id, events.c.event_id
    )
    firsts = _firsts_noted(unit, orders)
    of_riders: dict[tuple[str, str], Mapping[str, Any]] = {}
    rows = []
    for delivery in map(dict, unit.connection.execute(query).mappings()):
        order, rider = delivery["order_id"], delivery["rider_id"]
        first = of_riders.get((order, rider)) or firsts.setdefault(order, delivery)
        of_riders.setdefault((order, rider), delivery)
        if (first["rider_id"], first["event_id"]) != (rider, delivery["event_id"]):
            named = {
                f"{which}_{name}": row[name]
                for which, row in (("first", first), ("later", delivery))
                for name in columns[1:]
            }
            rows.append({"order_id": order, **named, "recorded_us": unit.recorded_us})
    add_missing(unit, shared_orders, rows)


def _firsts_noted(unit: WriteUnit, orders: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """The first delivery of orders that have rows already: it stays the first."""
    query = select(shared_orders).where(among(unit, shared_orders.c.order_id, orders), _OF_TWO)
    return {
        row["order_id"]: {name: row[f"first_{name}"] for name in ("rider_id", "event_id", "city")}
        for row in unit.connection.execute(query).mappings()
    }


def num_shared(unit: ReadUnit | WriteUnit, city: str | None = None) -> int:
    """How many orders two riders delivered; of a city: one of the riders at least is of it now."""
    query = select(func.count(shared_orders.c.order_id.distinct())).where(_OF_TWO)
    if city is not None:
        query = _with_riders(query).where(_of_cities([city]))
    return unit.connection.scalar(query) or 0


def num_delivered_twice(unit: ReadUnit | WriteUnit) -> int:
    """How many stored deliveries are of an order that their own rider had delivered already."""
    return unit.connection.scalar(select(func.count()).select_from(shared_orders).where(~_OF_TWO)) or 0


def shared_page(
    unit: ReadUnit | WriteUnit, who: Requester, city: str | None = None, cursor: str | None = None, limit: int = 50
) -> CursorPage[SharedOrder]:
    """Orders that two riders delivered, one of whom at least is of somebody's cities now.

    Parameters
    ----------
    city
        One of their cities; None for all.
    """
    cities = who.cities if city is None else (city,)
    query = _with_riders(select(shared_orders, _first.c.city.label("first_home"), _later.c.city.label("later_home")))
    query = query.where(_OF_TWO)
    if cities:
        query = query.where(_of_cities(cities))
    name = shared_orders.c.later_rider_id + literal(" ") + shared_orders.c.later_event_id
    page = newest_first(unit, query, shared_orders.c.recorded_us, name, cursor, limit)
    return CursorPage(tuple(_shown(dict(row), who) for row in page.rows), page.cursor)


def _with_riders(query: Any) -> Any:
    joined = shared_orders.join(_first, _first.c.rider_id == shared_orders.c.first_rider_id)
    return query.select_from(joined.join(_later, _later.c.rider_id == shared_orders.c.later_rider_id))


def _of_cities(cities: Sequence[str]) -> ColumnElement[bool]:
    return or_(_first.c.city.in_(cities), _later.c.city.in_(cities))


def _shown(row: Mapping[str, Any], who: Requester) -> SharedOrder:
    first, later = (
        OrderDelivery(*(row[f"{which}_{name}"] for name in ("rider_id", "event_id", "city")))
        if may_act_in(who, row[f"{which}_home"])
        else None
        for which in ("first", "later")
    )
    return SharedOrder(row["order_id"], first, later, row["recorded_us"])
