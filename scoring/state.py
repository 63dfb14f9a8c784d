"""Riders between events: what the kernel carries, and one rider in work.

Lists of a rider (pending fades, points of recent orders) are rows of flat arrays. `State` is what runs hand on;
`RiderScratch` is scratch, reused from rider to rider, its registers named by position.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rules.compile import ORDER_CAP_US, Program
from rules.compiled import inlined
from rules.conditions import FACTS
from scoring.columns import ENTRY, FAR_US, I64, NO_TIME

NUM_FACTS = len(FACTS)


# A rider between events. `book` is the book of the last event (-1: no event yet), `base_mp` its base, `day_start_us`
# the local day and `month` the local month that the running sums belong to. Of the orders delivered, `num_late` were
# late by the rider, `num_exempt` late without costing anything (`ledger.delivery_outcome`).
RIDER_STATE = np.dtype(
    [
        ("score_mp", np.int64),
        ("base_mp", np.int64),
        ("book", np.int64),
        ("num_delivered", np.int64),
        ("num_late", np.int64),
        ("num_exempt", np.int64),
        ("review", np.int64),
        ("last_training_us", np.int64),
        ("next_reset_us", np.int64),
        ("day_start_us", np.int64),
        ("month", np.int64),
    ]
)
# A deduction that waits to be returned; `ev` is its event, as in entries.
FADE_DUE = np.dtype([("due_us", np.int64), ("mp", np.int64), ("ev", np.int64), ("book", np.int64)])
# Points of an order's event that later caps look at.
ORDER_POINTS = np.dtype(
    [("key", np.uint64), ("at_us", np.int64), ("slot", np.int64), ("deducted_mp", np.int64), ("awarded_mp", np.int64)]
)


class State(NamedTuple):
    """R riders between events.

    Parameters
    ----------
    riders
        RIDER_STATE[R].
    day_sum_mp
        int64[R, slot, 2]: deducted (<= 0) and awarded (>= 0) today (mp).
    month_count
        int64[R, counted kind].
    fade_start
        int64[R + 1]; rider r has `fades[fade_start[r]:fade_start[r + 1]]`.
    fades
        FADE_DUE, by due time within a rider.
    order_start
        int64[R + 1], likewise for `orders`.
    orders
        ORDER_POINTS, by time within a rider.
    """

    riders: NDArray[np.void]
    day_sum_mp: I64
    month_count: I64
    fade_start: I64
    fades: NDArray[np.void]
    order_start: I64
    orders: NDArray[np.void]


def new_state(num_riders: int, num_slots: int, num_counted: int) -> State:
    """State of riders that have no history."""
    riders = np.zeros(num_riders, RIDER_STATE)
    riders["book"] = -1
    riders["last_training_us"] = NO_TIME
    riders["next_reset_us"] = FAR_US
    riders["day_start_us"] = NO_TIME
    riders["month"] = -1
    return State(
        riders=riders,
        day_sum_mp=np.zeros((num_riders, num_slots, 2), np.int64),
        month_count=np.zeros((num_riders, num_counted), np.int64),
        fade_start=np.zeros(num_riders + 1, np.int64),
        fades=np.zeros(0, FADE_DUE),
        order_start=np.zeros(num_riders + 1, np.int64),
        orders=np.zeros(0, ORDER_POINTS),
    )


def fresh_state(program: Program, num_riders: int) -> State:
    """State of riders without history, shaped for a program.

    Parameters
    ----------
    program
        Says which sums and counts there are.
    num_riders
        R.

    Returns
    -------
    State
        R riders under no book yet.
    """
    tables = program.tables
    return new_state(num_riders, tables.slots.size, int(tables.nth_slot.max(initial=-1)) + 1)


class RiderScratch(NamedTuple):
    """One rider in work: `rider[0]` of RIDER_STATE, its sums and lists, the facts of the event at hand.

    `at` holds the numbers of fades, fades settled, order points and entries (`NUM_FADES` … `NUM_ENTRIES`). The points of
    one order are found by its key: `latest` is 1 + the row of the newest in each bucket of keys, `earlier` 1 + the row
    of the one before it in the same bucket, 0 for none.
    """

    rider: NDArray[np.void]
    day_sum_mp: I64  # [slot, 2]
    month_count: I64
    fades: NDArray[np.void]
    orders: NDArray[np.void]
    facts: I64
    line: NDArray[np.void]  # [1] of ENTRY: what the entries of the item at hand have in common
    at: I64
    latest: I64
    earlier: I64


# Numba's caches of earlier versions name the class so, and are read before they are found to be out of date.
Work = RiderScratch
NUM_FADES, FIRST_FADE, NUM_ORDERS, NUM_ENTRIES = range(4)


@inlined
def bucket_of(work: RiderScratch, key: np.uint64) -> int:
    """Where in `latest` an order is looked for."""
    return np.int64(key & np.uint64(work.latest.size - 1))


@inlined
def find_by_key(work: RiderScratch) -> None:
    """Count the order points written last, so that they are found by the key of their order."""
    k = work.at[NUM_ORDERS]
    bucket = bucket_of(work, work.orders[k].key)
    work.earlier[k] = work.latest[bucket]
    work.latest[bucket] = k + 1
    work.at[NUM_ORDERS] = k + 1


@inlined
def load_rider(state: State, work: RiderScratch, r: int) -> None:
    """Take rider r of a state into work."""
    work.rider[0] = state.riders[r]
    for slot in range(work.day_sum_mp.shape[0]):
        work.day_sum_mp[slot, 0] = state.day_sum_mp[r, slot, 0]
        work.day_sum_mp[slot, 1] = state.day_sum_mp[r, slot, 1]
    for k in range(work.month_count.size):
        work.month_count[k] = state.month_count[r, k]
    first, stop = state.fade_start[r], state.fade_start[r + 1]
    work.at[FIRST_FADE] = 0
    work.at[NUM_FADES] = stop - first
    for k in range(first, stop):
        work.fades[k - first] = state.fades[k]
    first, stop = state.order_start[r], state.order_start[r + 1]
    for k in range(work.at[NUM_ORDERS]):
        work.latest[bucket_of(work, work.orders[k].key)] = 0
    work.at[NUM_ORDERS] = 0
    for k in range(first, stop):
        work.orders[k - first] = state.orders[k]
        find_by_key(work)


@inlined
def save_rider(state: State, work: RiderScratch, r: int, at_us: int) -> None:
    """Write a rider into row r of a state that is filled in rider order; order points past their time are left out."""
    state.riders[r] = work.rider[0]
    for slot in range(work.day_sum_mp.shape[0]):
        state.day_sum_mp[r, slot, 0] = work.day_sum_mp[slot, 0]
        state.day_sum_mp[r, slot, 1] = work.day_sum_mp[slot, 1]
    for k in range(work.month_count.size):
        state.month_count[r, k] = work.month_count[k]
    to = state.fade_start[r]
    for k in range(work.at[FIRST_FADE], work.at[NUM_FADES]):
        state.fades[to] = work.fades[k]
        to += 1
    state.fade_start[r + 1] = to
    to = state.order_start[r]
    for k in range(work.at[NUM_ORDERS]):
        if work.orders[k].at_us >= at_us - ORDER_CAP_US:
            state.orders[to] = work.orders[k]
            to += 1
    state.order_start[r + 1] = to


def with_capacity(state: State, num_events: int, num_slots: int) -> State:
    """An empty state with room for all that a run may add to the lists."""
    fresh = new_state(state.riders.size, state.day_sum_mp.shape[1], state.month_count.shape[1])
    return fresh._replace(
        fades=np.empty(state.fades.size + num_events, FADE_DUE),
        orders=np.empty(state.orders.size + num_events * num_slots, ORDER_POINTS),
    )


def trimmed(state: State) -> State:
    """A filled state without the room that was not needed."""
    return state._replace(
        fades=state.fades[: int(state.fade_start[-1])], orders=state.orders[: int(state.order_start[-1])]
    )


def new_scratch(state: State, most: int, num_slots: int) -> RiderScratch:
    """Scratch for riders of at most `most` events, `num_slots` order sums remembered per event."""
    num_orders = most * num_slots + int(np.diff(state.order_start).max(initial=0))
    return RiderScratch(
        rider=np.zeros(1, RIDER_STATE),
        day_sum_mp=np.zeros(state.day_sum_mp.shape[1:], np.int64),
        month_count=np.zeros(state.month_count.shape[1], np.int64),
        fades=np.zeros(most + int(np.diff(state.fade_start).max(initial=0)), FADE_DUE),
        orders=np.zeros(num_orders, ORDER_POINTS),
        facts=np.zeros(NUM_FACTS, np.int64),
        line=np.zeros(1, ENTRY),
        at=np.zeros(4, np.int64),
        latest=np.zeros(1 << num_orders.bit_length(), np.int64),
        earlier=np.zeros(num_orders, np.int64),
    )


def _spread(starts: I64, riders: I64) -> tuple[I64, I64]:
    """Row numbers of the lists of some riders, and their new starts."""
    lengths = starts[riders + 1] - starts[riders]
    new_starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    rows = np.arange(int(new_starts[-1])) - np.repeat(new_starts[:-1] - starts[riders], lengths)
    return rows, new_starts


def riders_of(state: State, riders: I64) -> State:
    """The state of some riders, in the order named.

    Parameters
    ----------
    state
        R riders.
    riders
        Positions among them.

    Returns
    -------
    State
        As many riders as positions.
    """
    fades, fade_start = _spread(state.fade_start, riders)
    orders, order_start = _spread(state.order_start, riders)
    return State(
        riders=state.riders[riders],
        day_sum_mp=state.day_sum_mp[riders],
        month_count=state.month_count[riders],
        fade_start=fade_start,
        fades=state.fades[fades],
        order_start=order_start,
        orders=state.orders[orders],
    )


def spread_over(state: State, fresh: State, riders: I64) -> State:
    """A state among more riders.

    Parameters
    ----------
    state
        K riders.
    fresh
        R riders without history, at least K; is written over.
    riders
        int64[K], ascending: rider k becomes rider `riders[k]`.

    Returns
    -------
    State
        R riders.
    """
    for old, new in zip(state[:3], fresh[:3], strict=True):
        new[riders] = old
    starts = []
    for old, new in ((state.fade_start, fresh.fade_start), (state.order_start, fresh.order_start)):
        lengths = np.zeros(new.size - 1, np.int64)
        lengths[riders] = np.diff(old)
        starts.append(np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]))
    return fresh._replace(fade_start=starts[0], fades=state.fades, order_start=starts[1], orders=state.orders)


def concatenated(states: Sequence[State]) -> State:
    """The riders of at least one state, one state after the other; all have the same sums and counts."""

    def starts(each: Sequence[I64]) -> I64:
        return np.concatenate([np.zeros(1, np.int64), np.cumsum(np.concatenate([np.diff(start) for start in each]))])

    return State(
        riders=np.concatenate([state.riders for state in states]),
        day_sum_mp=np.concatenate([state.day_sum_mp for state in states]),
        month_count=np.concatenate([state.month_count for state in states]),
        fade_start=starts([state.fade_start for state in states]),
        fades=np.concatenate([state.fades for state in states]),
        order_start=starts([state.order_start for state in states]),
        orders=np.concatenate([state.orders for state in states]),
    )
