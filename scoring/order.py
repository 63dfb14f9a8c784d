"""The order in which rows are scored: by rider, time and event id; and which rows share an identity.

Works on columns and positions; what a row means is `prepared`'s.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rules.compiled import compiled, compiled_with_runtime
from rules.events import KIND_CODE
from scoring.columns import I32, I64, U8, U64, Events

DELIVERED = KIND_CODE["delivered"]


def sorted_riders(column: pa.ChunkedArray) -> tuple[pa.Array, I32]:
    """Distinct rider ids in order of their bytes, and each row's position among them."""
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    order = pc.sort_indices(encoded.dictionary).to_numpy()
    rank = np.empty(order.size, np.int32)
    rank[order] = np.arange(order.size, dtype=np.int32)
    return encoded.dictionary.take(pa.array(order)), rank[encoded.indices.to_numpy()]


@compiled(rows=0)
def _deal_out(rider: I32, occurred: I64, first: I64, place: I64, order: I64, when: I64) -> int:
    """Sort rows by rider and time into `order`, times beside them in `when`; returns how many riders are out of order.

    Rows are dealt out to their riders as they come; most come in order of time, so that little is left to move. Rider
    r has the places from `first[r]` on, and `place[r]` is where the next row goes: -1 afterwards where it must be sorted.
    """
    for i in range(rider.size):
        r = rider[i]
        at = place[r]
        place[r] += 1
        # A row that is much too early would be moved past many others: left to be sorted.
        steps = 0
        while at > first[r] and steps < 32 and when[at - 1] > occurred[i]:
            order[at], when[at] = order[at - 1], when[at - 1]
            at -= 1
            steps += 1
        order[at], when[at] = i, occurred[i]
    unsorted = 0
    for r in range(first.size - 1):
        for at in range(first[r] + 1, place[r]):
            if when[at - 1] > when[at]:
                place[r] = -1
                unsorted += 1
                break
    return unsorted


@compiled(rows=1)
def _find_ties(first: I64, when: I64, ties: I64) -> int:
    """Where the next row has the same rider and instant, into `ties`; returns how many."""
    num_ties = 0
    for r in range(first.size - 1):
        for at in range(first[r] + 1, first[r + 1]):
            if when[at - 1] == when[at]:
                ties[num_ties] = at - 1
                num_ties += 1
    return num_ties


def _by_rider_and_time(rider: I32, occurred: I64, num_riders: int) -> tuple[I64, I64]:
    """Permutation that sorts rows by rider and time; where in it the next row has the same rider and instant."""
    first = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.bincount(rider, minlength=num_riders))])
    place, order, when = first.copy(), np.empty(rider.size, np.int64), np.empty(rider.size, np.int64)
    if _deal_out(rider, occurred, first, place, order, when):
        rows = np.flatnonzero((place[:-1] < 0)[rider])
        places = np.flatnonzero(np.repeat(place[:-1] < 0, np.diff(first)))
        # Both are stable: rows of one instant stay in the order in which they came.
        order[places] = rows[np.lexsort((occurred[rows], rider[rows]))]
        when[places] = occurred[order[places]]
    ties = np.empty(rider.size, np.int64)
    return order, ties[: _find_ties(first, when, ties)].copy()


def scoring_order(table: pa.Table, rider: I32, num_riders: int) -> I64:
    """Permutation that sorts rows by rider, time and event id."""
    occurred = table.column("occurred_us").to_numpy()
    order, ties = _by_rider_and_time(rider, occurred, num_riders)
    tied = np.union1d(ties, ties + 1)
    names = dict(zip(tied.tolist(), table.column("event_id").take(pa.array(order[tied])).to_pylist(), strict=True))
    # Neighbours in a row of ties are one group.
    for group in np.split(ties, np.flatnonzero(np.diff(ties) != 1) + 1) if ties.size else ():
        places = range(int(group[0]), int(group[-1]) + 2)
        order[places.start : places.stop] = order[sorted(places, key=names.__getitem__)]
    return order


@compiled(rows=1)
def gather(source: Events, order: I64, out: Events) -> None:
    """`out[i] = source[order[i]]`; NumPy takes twenty times as long over records."""
    for i in range(order.size):
        out[i] = source[order[i]]


@compiled_with_runtime()
def _places(start: I64) -> I64:
    """An empty hash table in which the rows of each rider fill half at most."""
    most = 0
    for r in range(start.size - 1):
        most = max(most, start[r + 1] - start[r])
    size = 16
    while size < 2 * most:
        size *= 2
    return np.full(size, -1, np.int64)


@compiled_with_runtime()
def _leave_empty(slots: I64, key: U64, first: int, end: int) -> None:
    """Take the rows of one rider out of the table: one by one where they are few, else all of it."""
    size = slots.size
    if 4 * (end - first) >= size:
        for at in range(size):
            slots[at] = -1
        return
    # Rows that collide stand one behind the other: from each row's own place on, up to the next empty one.
    for i in range(first, end):
        at = np.int64(key[i] & np.uint64(size - 1))
        while slots[at] >= 0:
            slots[at] = -1
            at = (at + 1) & (size - 1)


@compiled_with_runtime(rows=1)
def first_of_identity(start: I64, key: U64, out: I64) -> int:
    """For each row the first row of its rider with the same event id, into `out`; returns how many are not first."""
    slots = _places(start)
    size = slots.size
    repeats = 0
    for r in range(start.size - 1):
        for i in range(start[r], start[r + 1]):
            at = np.int64(key[i] & np.uint64(size - 1))
            while slots[at] >= 0 and key[slots[at]] != key[i]:
                at = (at + 1) & (size - 1)
            if slots[at] < 0:
                slots[at] = i
            else:
                repeats += 1
            out[i] = slots[at]
        _leave_empty(slots, key, start[r], start[r + 1])
    return repeats


@compiled_with_runtime(rows=1)
def first_of_order(start: I64, key: U64, counts: NDArray[np.bool_], is_new: U8, out: I64) -> None:
    """For each new row that counts the row of its rider that stands for its order, into `out`: a carried one, else the first.

    Rows that do not count, and carried ones, are left as they are.
    """
    slots = _places(start)
    size = slots.size
    for r in range(start.size - 1):
        for new in range(2):
            for i in range(start[r], start[r + 1]):
                if not counts[i] or is_new[i] != new:
                    continue
                at = np.int64(key[i] & np.uint64(size - 1))
                while slots[at] >= 0 and key[slots[at]] != key[i]:
                    at = (at + 1) & (size - 1)
                if slots[at] < 0:
                    slots[at] = i
                elif new == 1:
                    out[i] = slots[at]
        _leave_empty(slots, key, start[r], start[r + 1])


def refuse_second_deliveries(events: Events, start: I64, is_new: U8, reason: I64, why: int) -> I64:
    """Mark new deliveries of an order that its rider has delivered by another event; with `why` 0 none.

    Returns
    -------
    The row that stands; -1 where none is marked.
    """
    counts = (events["kind"] == DELIVERED) & (events["order_key"] != 0) & (reason == 0) & (why > 0)
    stands = np.arange(events.size)
    first_of_order(start, np.ascontiguousarray(events["order_key"]), counts, is_new, stands)
    second = np.flatnonzero(stands != np.arange(events.size))
    reason[second] = why
    others = np.full(events.size, -1, np.int64)
    others[second] = stands[second]
    return others
