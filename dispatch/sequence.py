"""The best sequence of all of a rider's stops, several new orders included: exact, by depth-first search with bounds.

For the usual five orders; more are refused, insertion does them. Nothing here changes a plan.

Invariant: no feasible sequence is cheaper than the one returned, as long as travel obeys the triangle inequality.
"""

import numpy as np

from dispatch.compiled import Ints, Stops, compiled
from dispatch.objective import HALF_PICKUP, ORDERS_MAX, RULE
from dispatch.route import (
    ARRIVAL,
    FREE,
    NEVER,
    NUM_STOPS,
    OFF,
    PLACE,
    READY,
    TRIP,
    Board,
    own_cost,
    walk,
)

SEQUENCE_ORDERS_MAX = 5


@compiled
def best_sequence(board: Board, rider: int, extra: Ints) -> tuple[int, Stops]:
    """Return (walk cost, stops) of the cheapest sequence of the rider's stops and the extra orders'.

    NEVER and no stops if there is none, or more than SEQUENCE_ORDERS_MAX orders are concerned. A stop under way stays
    first. By the trip rule a bag is emptied before the next pickup and holds one merchant's orders.
    """
    num_held = board.riders[rider, NUM_STOPS]
    pool = np.empty(num_held + 2 * extra.shape[0], np.int32)
    pool[:num_held] = board.stops[rider, :num_held]
    for i in range(extra.shape[0]):
        pool[num_held + 2 * i] = extra[i]
        pool[num_held + 2 * i + 1] = ~extra[i]
    num_orders = 0
    for stop in pool:
        num_orders += stop < 0
    best_stops = np.empty(0, np.int32)
    if num_orders > SEQUENCE_ORDERS_MAX:
        return NEVER, best_stops
    total = pool.shape[0]
    best = NEVER
    path = np.empty(total, np.int32)
    choice = np.full(total, -1, np.int64)
    used = np.zeros(total, np.bool_)
    depth = 0 if total else -1
    while depth >= 0:
        if choice[depth] >= 0:
            used[choice[depth]] = False
        at = choice[depth] + 1
        while at < total and not _may_follow(board, rider, pool, used, path, depth, at):
            at += 1
        if at >= total:
            choice[depth] = -1
            depth -= 1
            continue
        choice[depth] = at
        used[at] = True
        path[depth] = pool[at]
        bound = _bound(board, rider, pool, used, path, depth + 1)
        if bound >= best:
            continue
        if depth + 1 == total:
            best = bound
            best_stops = path.copy()
            continue
        depth += 1
    return best, best_stops


@compiled
def _may_follow(board: Board, rider: int, pool: Stops, used: Ints, path: Stops, depth: int, at: int) -> bool:
    """Say whether pool[at] may come next: not used, pickup before drop-off, room in the bag, the market's rule."""
    if used[at]:
        return False
    if depth == 0 and board.riders[rider, ARRIVAL] >= 0:
        return at == 0
    stop = pool[at]
    load = 0
    for i in range(pool.shape[0]):
        picked = pool[i] >= 0
        if picked and not used[i] and stop == ~pool[i]:
            return False
        if not picked and not used[i]:
            load += 1
        if picked and not used[i]:
            load -= 1
    if stop < 0:
        return True
    if load >= board.weights[ORDERS_MAX]:
        return False
    if board.weights[RULE] == TRIP and load > 0:
        last = path[depth - 1]
        return bool(last >= 0 and board.orders[last, 0] == board.orders[stop, 0])
    return True


@compiled
def _bound(board: Board, rider: int, pool: Stops, used: Ints, path: Stops, depth: int) -> int:
    """Return the cost of the path so far and, for what is left, of each order driven at once; NEVER if too late."""
    riders = board.riders
    cost, now_s, _ = walk(
        board.travel_s, board.orders, board.weights, path, 0, depth,
        riders[rider, PLACE], riders[rider, FREE], riders[rider, ARRIVAL], riders[rider, OFF], NEVER,
    )  # fmt: skip
    if cost >= NEVER:
        return NEVER
    for i in range(pool.shape[0]):
        if used[i] or pool[i] >= 0:
            continue
        order = ~pool[i]
        picked_s = board.orders[order, READY]
        for j in range(pool.shape[0]):
            if pool[j] == order and not used[j]:
                picked_s = max(picked_s, now_s - board.weights[HALF_PICKUP])
        cost += own_cost(board.travel_s, board.orders, board.weights, order, picked_s)
    return cost
