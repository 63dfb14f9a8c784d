"""Riders between events: what the kernel carries, and one rider in work.

Lists of a rider (pending fades, points of recent orders) are rows of flat arrays. `State` is what runs hand on;
`Work` is scratch, reused from rider to rider, its registers named by position.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from rules.compile import FACTS, ORDER_CAP_US, Program
from scoring.columns import FAR_US, I64, NO_TIME, U64

NUM_FACTS = len(FACTS)
DEDUCTED, AWARDED = 0, 1


class State(NamedTuple):
    """Riders between events, R rows, as the kernel carries them.

    `book` is the book of the last event (-1: no event yet), `base_mp` its base. Fades and order points are lists:
    those of rider r are rows `fade_start[r]:fade_start[r + 1]`, by due time.
    """

    score_mp: I64
    base_mp: I64
    book: I64
    num_delivered: I64
    review: I64
    last_training_us: I64
    next_reset_us: I64
    day_start_us: I64  # local day that the day sums belong to
    month: I64
    day_sum_mp: I64  # [R, slot, 2] deducted (<= 0) and awarded (>= 0) today
    month_count: I64  # [R, counted kind]
    fade_start: I64
    fade_due_us: I64
    fade_mp: I64
    fade_ev: I64
    fade_book: I64
    order_start: I64
    order_key: U64
    order_us: I64
    order_slot: I64
    order_mp: I64  # [k, 2]


def new_state(num_riders: int, num_slots: int, num_counted: int) -> State:
    """State of riders that have no history."""
    zero = np.zeros(num_riders, np.int64)
    never = np.full(num_riders, NO_TIME, np.int64)
    empty = np.zeros(0, np.int64)
    starts = np.zeros(num_riders + 1, np.int64)
    return State(
        score_mp=zero.copy(),
        base_mp=zero.copy(),
        book=np.full(num_riders, -1, np.int64),
        num_delivered=zero.copy(),
        review=zero.copy(),
        last_training_us=never.copy(),
        next_reset_us=np.full(num_riders, FAR_US, np.int64),
        day_start_us=never.copy(),
        month=np.full(num_riders, -1, np.int64),
        day_sum_mp=np.zeros((num_riders, num_slots, 2), np.int64),
        month_count=np.zeros((num_riders, num_counted), np.int64),
        fade_start=starts.copy(),
        fade_due_us=empty.copy(),
        fade_mp=empty.copy(),
        fade_ev=empty.copy(),
        fade_book=empty.copy(),
        order_start=starts.copy(),
        order_key=np.zeros(0, np.uint64),
        order_us=empty.copy(),
        order_slot=empty.copy(),
        order_mp=np.zeros((0, 2), np.int64),
    )


def fresh_state(program: Program, num_riders: int) -> State:
    """State of riders without history, shaped for a program."""
    tables = program.tables
    return new_state(num_riders, tables.slot_kinds.size, int(tables.nth_slot.max(initial=-1)) + 1)


(
    SCORE,
    BASE,
    BOOK,
    NUM_DELIVERED,
    REVIEW_FLAG,
    LAST_TRAINING,
    NEXT_RESET,
    DAY_START,
    MONTH,
    NUM_FADES,
    FIRST_FADE,
    NUM_ORDERS,
    NUM_ENTRIES,
    NUM_REGISTERS,
) = range(14)


class Work(NamedTuple):
    """One rider in work: registers and lists, reused from rider to rider."""

    reg: I64
    day_sum: I64  # [slot, 2]
    month_count: I64
    fade_due: I64
    fade_mp: I64
    fade_ev: I64
    fade_book: I64
    order_key: U64
    order_us: I64
    order_slot: I64
    order_mp: I64
    facts: I64


@njit(cache=True)  # type: ignore[untyped-decorator]
def load(state: State, work: Work, r: int) -> None:
    """Take rider r of a state into work."""
    reg = work.reg
    reg[SCORE] = state.score_mp[r]
    reg[BASE] = state.base_mp[r]
    reg[BOOK] = state.book[r]
    reg[NUM_DELIVERED] = state.num_delivered[r]
    reg[REVIEW_FLAG] = state.review[r]
    reg[LAST_TRAINING] = state.last_training_us[r]
    reg[NEXT_RESET] = state.next_reset_us[r]
    reg[DAY_START] = state.day_start_us[r]
    reg[MONTH] = state.month[r]
    work.day_sum[:] = state.day_sum_mp[r]
    work.month_count[:] = state.month_count[r]
    reg[FIRST_FADE] = 0
    first, stop = state.fade_start[r], state.fade_start[r + 1]
    reg[NUM_FADES] = stop - first
    work.fade_due[: stop - first] = state.fade_due_us[first:stop]
    work.fade_mp[: stop - first] = state.fade_mp[first:stop]
    work.fade_ev[: stop - first] = state.fade_ev[first:stop]
    work.fade_book[: stop - first] = state.fade_book[first:stop]
    first, stop = state.order_start[r], state.order_start[r + 1]
    reg[NUM_ORDERS] = stop - first
    work.order_key[: stop - first] = state.order_key[first:stop]
    work.order_us[: stop - first] = state.order_us[first:stop]
    work.order_slot[: stop - first] = state.order_slot[first:stop]
    work.order_mp[: stop - first] = state.order_mp[first:stop]


@njit(cache=True)  # type: ignore[untyped-decorator]
def save(state: State, work: Work, r: int, at_us: int) -> None:
    """Write a rider into row r of a state that is filled in rider order; order points past their time are left out."""
    reg = work.reg
    state.score_mp[r] = reg[SCORE]
    state.base_mp[r] = reg[BASE]
    state.book[r] = reg[BOOK]
    state.num_delivered[r] = reg[NUM_DELIVERED]
    state.review[r] = reg[REVIEW_FLAG]
    state.last_training_us[r] = reg[LAST_TRAINING]
    state.next_reset_us[r] = reg[NEXT_RESET]
    state.day_start_us[r] = reg[DAY_START]
    state.month[r] = reg[MONTH]
    state.day_sum_mp[r] = work.day_sum
    state.month_count[r] = work.month_count
    to = state.fade_start[r]
    for k in range(reg[FIRST_FADE], reg[NUM_FADES]):
        state.fade_due_us[to] = work.fade_due[k]
        state.fade_mp[to] = work.fade_mp[k]
        state.fade_ev[to] = work.fade_ev[k]
        state.fade_book[to] = work.fade_book[k]
        to += 1
    state.fade_start[r + 1] = to
    to = state.order_start[r]
    for k in range(reg[NUM_ORDERS]):
        if work.order_us[k] >= at_us - ORDER_CAP_US:
            state.order_key[to] = work.order_key[k]
            state.order_us[to] = work.order_us[k]
            state.order_slot[to] = work.order_slot[k]
            state.order_mp[to] = work.order_mp[k]
            to += 1
    state.order_start[r + 1] = to


def room(state: State, num_events: int, num_slots: int) -> State:
    """An empty state with room for all that a run may add to the lists."""
    num_riders = state.score_mp.size
    num_fades = state.fade_due_us.size + num_events
    num_orders = state.order_us.size + num_events * num_slots
    fresh = new_state(num_riders, state.day_sum_mp.shape[1], state.month_count.shape[1])
    return fresh._replace(
        fade_due_us=np.empty(num_fades, np.int64),
        fade_mp=np.empty(num_fades, np.int64),
        fade_ev=np.empty(num_fades, np.int64),
        fade_book=np.empty(num_fades, np.int64),
        order_key=np.empty(num_orders, np.uint64),
        order_us=np.empty(num_orders, np.int64),
        order_slot=np.empty(num_orders, np.int64),
        order_mp=np.empty((num_orders, 2), np.int64),
    )


def trimmed(state: State) -> State:
    """A filled state without the room that was not needed."""
    fades, orders = int(state.fade_start[-1]), int(state.order_start[-1])
    return state._replace(
        fade_due_us=state.fade_due_us[:fades],
        fade_mp=state.fade_mp[:fades],
        fade_ev=state.fade_ev[:fades],
        fade_book=state.fade_book[:fades],
        order_key=state.order_key[:orders],
        order_us=state.order_us[:orders],
        order_slot=state.order_slot[:orders],
        order_mp=state.order_mp[:orders],
    )


def new_work(state: State, most: int, num_slots: int) -> Work:
    """Scratch for riders of at most `most` events, `num_slots` order sums remembered per event."""
    num_fades = most + int(np.diff(state.fade_start).max(initial=0))
    num_orders = most * num_slots + int(np.diff(state.order_start).max(initial=0))
    return Work(
        reg=np.zeros(NUM_REGISTERS, np.int64),
        day_sum=np.zeros(state.day_sum_mp.shape[1:], np.int64),
        month_count=np.zeros(state.month_count.shape[1], np.int64),
        fade_due=np.zeros(num_fades, np.int64),
        fade_mp=np.zeros(num_fades, np.int64),
        fade_ev=np.zeros(num_fades, np.int64),
        fade_book=np.zeros(num_fades, np.int64),
        order_key=np.zeros(num_orders, np.uint64),
        order_us=np.zeros(num_orders, np.int64),
        order_slot=np.zeros(num_orders, np.int64),
        order_mp=np.zeros((num_orders, 2), np.int64),
        facts=np.zeros(NUM_FACTS, np.int64),
    )


def _spread(starts: I64, riders: I64) -> tuple[I64, I64]:
    """Row numbers of the lists of some riders, and their new starts."""
    lengths = starts[riders + 1] - starts[riders]
    new_starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    rows = np.arange(int(new_starts[-1])) - np.repeat(new_starts[:-1] - starts[riders], lengths)
    return rows, new_starts


def rows_of(state: State, riders: I64) -> State:
    """The state of some riders, in the order named."""
    fades, fade_start = _spread(state.fade_start, riders)
    orders, order_start = _spread(state.order_start, riders)
    columns = {}
    for name, column in state._asdict().items():
        if name.startswith("fade_"):
            columns[name] = column[fades] if name != "fade_start" else fade_start
        elif name.startswith("order_"):
            columns[name] = column[orders] if name != "order_start" else order_start
        else:
            columns[name] = column[riders]
    return State(**columns)


def placed(state: State, fresh: State, riders: I64) -> State:
    """A carried state among new riders: row k goes to row `riders[k]` (ascending) of `fresh`."""
    columns = {}
    for name, column in fresh._asdict().items():
        carried = getattr(state, name)
        if name in ("fade_start", "order_start"):
            lengths = np.zeros(column.size - 1, np.int64)
            lengths[riders] = np.diff(carried)
            columns[name] = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        elif name.startswith(("fade_", "order_")):
            columns[name] = carried
        else:
            columns[name] = column.copy()
            columns[name][riders] = carried
    return State(**columns)
