"""How far back new facts bear on a rider's past, and what corrections and appeals are about."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from api.db.unit_of_work import ReadUnit, WriteUnit
from api.ledger.stored_events import OrderEvents, events_among, order_events
from rules.compile import Program

CONTROLS: Final = ("correction", "appeal_upheld")
_HELD: Final = ("accepted_us", "placed_us", "arrived_store_us", "delivered_us")
_SHOWN: Final = ("rider_id", "event_id", "kind", "order_id", "occurred_us", "ref_event_id", *_HELD)
_TARGET: Final = (*_SHOWN[2:], "city", "rider_kind", "book_digest")
_CONTROL: Final = pa.array(CONTROLS)

_NOTHING: Final[OrderEvents] = {}

Identity = tuple[str, str]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """The event that a correction or an appeal is about in the end; `row` has `_SHOWN` and `book_digest`."""

    identity: Identity
    row: Row


def targets_of(
    unit: ReadUnit | WriteUnit, table: pa.Table, left_out: Collection[Identity] = frozenset()
) -> dict[int, Target]:
    """What the corrections and appeals of a table are about, by row; those about nothing that is stored are left out.

    A correction of a correction is about the original event, also where one of them is of the same table.

    Parameters
    ----------
    left_out
        Rows of the table that will not be stored: what is about one of them is about nothing.
    """
    marked = pc.is_in(table["kind"], _CONTROL)
    if not pc.any(marked).as_py():
        return {}
    rows = table.filter(marked).select([*_SHOWN]).to_pylist()
    at = [k for k, is_marked in enumerate(marked.to_pylist()) if is_marked]
    known = {event_key: row for row in rows if (event_key := (row["rider_id"], row["event_id"])) not in left_out}
    stored: dict[Identity, Row] = {}
    wanted = {(row["rider_id"], row["ref_event_id"]) for row in rows if row["ref_event_id"]}
    while wanted:
        stored_rows = {name: row._asdict() for name, row in events_among(unit, wanted, _TARGET).items()}
        stored |= stored_rows
        more = {(row["rider_id"], row["ref_event_id"]) for row in stored_rows.values() if row["kind"] in CONTROLS}
        wanted = {identity for identity in more if identity[1]} - stored.keys()
    named = known | stored
    ends = _ends(named)
    found_ends = {}
    for k, row in zip(at, rows, strict=True):
        ref = (row["rider_id"], row["ref_event_id"])
        found_ends[k] = ends.get(ref, ref)
    return {k: Target(end, stored[end]) for k, end in found_ends.items() if end in stored}


def _ends(named: Mapping[Identity, Row]) -> dict[Identity, Identity]:
    """Where the chain that begins at each of some events ends; a circle of corrections ends at one of them."""
    ends: dict[Identity, Identity] = {}
    for first in named:
        chain: dict[Identity, None] = {}
        at = first
        while at not in ends and at not in chain and at in named and named[at]["kind"] == "correction":
            chain[at] = None
            at = (at[0], named[at]["ref_event_id"])
        end = ends.get(at, at)
        ends |= dict.fromkeys(chain, end)
    return ends


def reach_of(
    unit: ReadUnit | WriteUnit,
    program: Program,
    table: pa.Table,
    keep_us: Mapping[str, int],
    order_history: OrderEvents = _NOTHING,
) -> dict[str, int]:
    """Since when something may change, by rider, where that is before the window of their part.

    A row bears on what its order was in hand with, on what is stored about its order, and, where it corrects or takes
    back another, on what that bears on.

    Parameters
    ----------
    keep_us
        Start of the window, by rider who has one.
    order_history
        What is known to be stored of orders; of the others it is looked up.
    """
    rows = table.select([*_SHOWN]).to_pylist()
    targets = targets_of(unit, table)
    since: dict[str, int] = {}
    of_orders: dict[Identity, list[int]] = {}
    for k, row in enumerate(rows):
        rider, target = row["rider_id"], targets.get(k)
        if rider not in keep_us:
            continue
        both = [row] if target is None else [target.row, row | {"occurred_us": target.row["occurred_us"]}]
        for change in both:
            since[rider] = min(since.get(rider, change["occurred_us"]), *_times(change))
            if change["order_id"]:
                of_orders.setdefault((rider, change["order_id"]), []).append(change["occurred_us"])
    late_us = int(program.tables.books["late_us"].max())
    stored = {**order_history, **order_events(unit, of_orders.keys() - order_history.keys())}
    # Older events of the same orders, as far as reports reach.
    for (rider, order), times_us in of_orders.items():
        first_us = min(times_us) - late_us
        since[rider] = min(
            [since[rider], *(event.occurred_us for event in stored[rider, order] if event.occurred_us >= first_us)]
        )
    return {rider: from_us for rider, from_us in since.items() if from_us < keep_us[rider]}


def _times(row: Row) -> list[int]:
    return [row["occurred_us"], *(row[name] for name in _HELD if row[name] is not None)]
