"""All that is held on a rider, read part by part: between two parts nothing of the store is held."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, or_, select, tuple_

from api.db.tables import api_keys, audit, entries, events, idempotency, outbox, rider_moves
from api.db.unit_of_work import ReadUnit
from api.decisions.appeal_records import APPEALS
from api.decisions.cases import CaseStore
from api.decisions.reviews import REVIEWS
from api.ledger.entries import rider_row
from api.riders.people import person_of

PART: Final = 500
Reading = Callable[[], AbstractContextManager[ReadUnit]]
Row = dict[str, Any]
# A list of rows in one column's order; further columns tell apart those that are alike in it.
Ordered = tuple[Select[Any], Sequence[ColumnElement[Any]]]


def export_of(reading: Reading, rider_id: str) -> Iterator[tuple[str, Any]]:
    """All that is held on a rider by name, as plain values; of what there may be many, rows one after the other.

    Person, standing, moves, events, entries up to that standing, appeals and reviews with their answers, messages about
    them, their keys without secrets, requests of theirs that are remembered, and audit lines about them or by them.
    """
    with reading() as unit:
        person, standing = person_of(unit, rider_id), rider_row(unit, rider_id)
    yield "rider_id", rider_id
    yield "person", None if person is None else {"name": person.name, "phone": person.phone}
    yield "standing", None if standing is None else {name: getattr(standing, name) for name in standing.__slots__}
    num_entries = 0 if standing is None else standing.num_entries
    lists = _lists(rider_id, num_entries)
    for name in ("moves", "events", "entries"):
        yield name, _rows(reading, *lists[name])
    yield "appeals", _cases(reading, APPEALS, rider_id)
    yield "reviews", _cases(reading, REVIEWS, rider_id)
    for name in ("messages", "keys", "requests", "audit"):
        yield name, _rows(reading, *lists[name])


def _lists(rider_id: str, num_entries: int) -> dict[str, Ordered]:
    """Queries by name, each with the columns that order it and tell its rows apart."""
    actor = f"rider:{rider_id}"
    key_columns = (column for column in api_keys.c if column.name != "secret_hash")
    requests = select(idempotency.c.key, idempotency.c.status, idempotency.c.recorded_us)
    own_entries = select(entries).where(entries.c.rider_id == rider_id, entries.c.seq <= num_entries)
    own_keys = select(*key_columns).where(api_keys.c.role == "rider", api_keys.c.subject == rider_id)
    lines = select(audit).where(or_(audit.c.subject == rider_id, audit.c.actor == actor))
    return {
        "moves": (select(rider_moves).where(rider_moves.c.rider_id == rider_id), [rider_moves.c.move_no]),
        "events": (select(events).where(events.c.rider_id == rider_id), [events.c.occurred_us, events.c.event_id]),
        "entries": (own_entries, [entries.c.seq]),
        "messages": (select(outbox).where(outbox.c.rider_id == rider_id), [outbox.c.outbox_id]),
        "keys": (own_keys, [api_keys.c.key_id]),
        "requests": (requests.where(idempotency.c.actor == actor), [idempotency.c.key]),
        "audit": (lines, [audit.c.audit_id]),
    }


def _rows(reading: Reading, query: Select[Any], order: Sequence[ColumnElement[Any]]) -> Iterator[Row]:
    """Rows as plain values, in an order; bytes as hex."""
    part = query.order_by(*order).limit(PART)
    after: ColumnElement[bool] | None = None
    while True:
        with reading() as unit:
            some = unit.connection.execute(part if after is None else part.where(after)).mappings().all()
        for row in some:
            yield {name: value.hex() if isinstance(value, bytes) else value for name, value in row.items()}
        if len(some) < PART:
            return
        last = [some[-1][column.name] for column in order]
        # The first by itself: an index is read from there on.
        after = (order[0] >= last[0]) & (tuple_(*order) > tuple_(*last))


def _cases(reading: Reading, store: CaseStore[Any], rider_id: str) -> Iterator[Row]:
    """A rider's appeals or reviews, page by page."""
    cursor: str | None = None
    while True:
        with reading() as unit:
            page = store.page_of_rider(unit, rider_id, None, cursor, PART)
        yield from map(asdict, page.items)
        cursor = page.cursor
        if cursor is None:
            return
