"""The plainest dispatcher, event by event: the oldest order goes to the nearest rider with nothing to do. No bundles.

No rounds: it acts at the instant an order is placed or a rider gets free, in whatever unit of time the area is set up in. The
baseline that queueing theory has an answer for.
"""

import numpy as np

from dispatch.arrays import Ints
from dispatch.board import OPEN
from dispatch.route import insert_order
from rules.compiled import compiled, compiled_with_runtime
from simulations.area_state import OFF_DUTY, AreaState
from simulations.dispatcher import offer_orders, reveal_orders
from simulations.riding import advance

NEVER = 1 << 60


@compiled_with_runtime()
def play_by_event(live: AreaState, first: int) -> None:
    """Play an area until every order placed has been delivered."""
    now = first
    while now < NEVER:
        advance(live, now)
        reveal_orders(live, now)
        leaving = give(live, now)
        if leaving.shape[0]:
            offer_orders(live, leaving, now)
            advance(live, now)
        now = next_instant(live, now)


@compiled_with_runtime()
def give(live: AreaState, now: int) -> Ints:
    """Give waiting orders, oldest first, to the nearest riders with nothing to do; return those riders."""
    board = live.board
    leaving = np.empty(live.crew.shape[0], np.int64)
    num = 0
    while True:
        slot, since = -1, NEVER
        for other in range(board.orders.shape[0]):
            waits = board.orders[other].status == OPEN and board.orders[other].holder < 0
            if waits and board.orders[other].placed_s < since:
                slot, since = other, board.orders[other].placed_s
        if slot < 0:
            break
        rider, least = -1, NEVER
        for r in range(live.crew.shape[0]):
            idle = live.crew[r].phase != OFF_DUTY and board.riders[r].arrival_s < 0 and board.riders[r].num_stops == 0
            if idle and not board.barred[slot, r] and board.riders[r].free_s <= now:
                away = board.travel_s[board.riders[r].place, board.orders[slot].merchant]
                if away < least:
                    rider, least = r, away
        if rider < 0:
            break
        insert_order(board, rider, slot, 0, 1)
        leaving[num] = rider
        num += 1
    return leaving[:num]


@compiled()
def next_instant(live: AreaState, now: int) -> int:
    """When the next order is placed, or the next rider arrives or gets free; `NEVER` when nothing is left to do."""
    at = NEVER
    if live.counts[0].next_row < live.day_orders.shape[0]:
        at = live.day_orders[live.counts[0].next_row].placed_s
    for r in range(live.crew.shape[0]):
        arrival, free = live.board.riders[r].arrival_s, live.board.riders[r].free_s
        if arrival >= 0:
            at = min(at, arrival)
        elif free > now:
            at = min(at, free)
    return max(at, now + 1) if at < NEVER else NEVER
