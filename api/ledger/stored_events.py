"""Stored events: as the canonical table that scoring and its explanation read, one by its id, and those of an order."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Row, Select, exists, select

from api.db.bulk import read_table, rows_of_pairs
from api.db.tables import events, replays
from api.db.unit_of_work import ReadUnit, WriteUnit
from rules.compile import Program
from scoring.columns import EVENT_SCHEMA, I64

JUDGED_SCHEMA: Final = EVENT_SCHEMA.append(pa.field("book_digest", pa.string()))


@dataclass(frozen=True, slots=True)
class StoredEvents:
    """Events as they first came, and for each the position in a program of the book that judged it."""

    table: pa.Table
    books: I64

    def beside(self, other: "StoredEvents") -> "StoredEvents":
        """These events of a rider, and those of another reading that are not among them."""
        new = np.flatnonzero(~pc.is_in(other.table["event_id"], self.table["event_id"].combine_chunks()).to_numpy())
        table = pa.concat_tables([self.table, other.table.take(pa.array(new))])
        return StoredEvents(table, np.concatenate([self.books, other.books[new]]))


def stored_events_of(unit: ReadUnit | WriteUnit, program: Program, *which: ColumnElement[bool]) -> StoredEvents:
    """The events entered that meet all conditions; `program` holds every book that judged them.

    Those that wait for their replay are left out: no entry follows from them yet.
    """
    table = read_table(unit, entered_events(JUDGED_SCHEMA.names, *which), JUDGED_SCHEMA)
    return StoredEvents(table.select(EVENT_SCHEMA.names), looked_up(table["book_digest"], book_positions(program)))


def book_positions(program: Program) -> dict[str, int]:
    """Positions of the books of a program, by digest."""
    return {book.digest: k for k, book in enumerate(program.books)}


def as_window(
    table: pa.Table, content: NDArray[np.uint64], waived: NDArray[Any], context: NDArray[Any], books: I64
) -> pa.Table:
    """Stored events as rows of a window (`scoring.carry`)."""
    return (
        table.select(EVENT_SCHEMA.names)
        .append_column("content", pa.array(content))
        .append_column("waived", pa.array(waived))
        .append_column("context", pa.array(context))
        .append_column("book", pa.array(books))
    )


def entered_events(columns: Iterable[str], *which: ColumnElement[bool]) -> Select[Any]:
    """The query of some stored events that do not wait for their replay."""
    waits = exists().where(replays.c.rider_id == events.c.rider_id, replays.c.event_id == events.c.event_id)
    return select(*(events.c[name] for name in columns)).where(*which, ~waits)


def looked_up(column: pa.ChunkedArray, values: Mapping[str, int]) -> I64:
    """The value of each text of a column."""
    encoded = column.combine_chunks().dictionary_encode()
    of_texts = np.array([values[name] for name in encoded.dictionary.to_pylist()], np.int64)
    return of_texts[encoded.indices.to_numpy()] if len(encoded) else np.zeros(0, np.int64)


def events_among(
    unit: ReadUnit | WriteUnit, identities: Iterable[tuple[str, str]], columns: Iterable[str]
) -> dict[tuple[str, str], Row[Any]]:
    """Some columns of those events that are stored, by rider and event id."""
    identity = (events.c.rider_id, events.c.event_id)
    query = select(*identity, *(events.c[name] for name in columns))
    return {(row.rider_id, row.event_id): row for row in rows_of_pairs(unit, query, identity, identities)}


def event_of(unit: ReadUnit | WriteUnit, rider_id: str, event_id: str) -> dict[str, Any] | None:
    """The columns of an event; None for one that is not stored."""
    is_event = (events.c.rider_id == rider_id, events.c.event_id == event_id)
    row = unit.connection.execute(select(events).where(*is_event)).mappings().one_or_none()
    return None if row is None else dict(row)


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
    by_order: dict[RiderOrder, list[OrderEvent]] = {key: [] for key in wanted}
    is_order = (events.c.rider_id, events.c.order_id)
    query = select(*is_order, events.c.occurred_us, events.c.event_id, events.c.kind)
    for rider_id, order_id, *event in rows_of_pairs(unit, query, is_order, wanted):
        by_order[rider_id, order_id].append(OrderEvent(*event))
    for order in by_order.values():
        order.sort()
    return by_order


def delivering_event(order: Sequence[OrderEvent]) -> str | None:
    """The event that delivered an order; the first, where version 0.1.0 stored more."""
    return next((event.event_id for event in order if event.kind == "delivered"), None)
