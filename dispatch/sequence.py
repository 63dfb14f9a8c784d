"""The best sequence of all of a rider's stops, several new orders included: exact, by depth-first search with bounds.

For the usual five orders; more are refused, insertion does them. Nothing here changes a plan.

Invariant: no feasible sequence is cheaper than the one returned, as long as travel obeys the triangle inequality.
"""

import numpy as np

from dispatch.compiled import Flags, Ints, Stops, compiled
from dispatch.objective import (
    HALF_DROPOFF,
    HALF_PICKUP,
    RULE,
    delivery_cost,
    food_waiting_cost,
    idle_travel_cost,
    lateness_cost,
)
from dispatch.route import (
    ARRIVAL,
    CAPACITY,
    DOOR,
    FREE,
    HANDOVER,
    MERCHANT,
    NEVER,
    NUM_STOPS,
    OFF,
    PLACE,
    PLACED,
    PROMISED,
    READY,
    TRIP,
    WALKED,
    Board,
    recost,
)

SEQUENCE_ORDERS_MAX = 5
# Columns of the state behind each stop of the path: time, place, cost, orders of the visit under way.
AT_S, AT_PLACE, AT_COST, VISIT = range(4)


@compiled
def best_sequence(board: Board, rider: int, extra: Ints) -> tuple[int, Stops]:
    """Return (walk cost, stops) of the cheapest sequence of the rider's stops and the extra orders'.

    NEVER and no stops if there is none, or more than SEQUENCE_ORDERS_MAX orders are concerned. A stop under way stays
    first. By the trip rule a bag is emptied before the next pickup and holds one merchant's orders.
    """
    num_held = board.riders[rider, NUM_STOPS]
    total = num_held + 2 * extra.shape[0]
    pool = np.empty(total, np.int32)
    pool[:num_held] = board.stops[rider, :num_held]
    for i in range(extra.shape[0]):
        pool[num_held + 2 * i] = extra[i]
        pool[num_held + 2 * i + 1] = ~extra[i]
    best, best_stops = NEVER, np.empty(0, np.int32)
    if (pool < 0).sum() > SEQUENCE_ORDERS_MAX or total == 0:
        return (NEVER if total else 0), best_stops
    path, choice = np.empty(total, np.int32), np.full(total, -1, np.int64)
    used = np.zeros(total, np.bool_)
    states = np.zeros((total + 1, 4), np.int64)
    states[0, AT_S], states[0, AT_PLACE] = board.riders[rider, FREE], board.riders[rider, PLACE]
    depth = 0
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
        choice[depth], used[at], path[depth] = at, True, pool[at]
        if not _advance(board, rider, path, depth, states):
            continue
        if states[depth + 1, AT_COST] + _least_to_come(board, pool, used, states[depth + 1]) >= best:
            continue
        if depth + 1 == total:
            best, best_stops = states[total, AT_COST], path.copy()
            continue
        depth += 1
    return best, best_stops


@compiled
def resequence(board: Board, riders: Ints) -> int:
    """Put the stops of each of the riders into the best sequence; return how many plans became cheaper."""
    none = np.empty(0, np.int64)
    num_better = 0
    for rider in riders:
        cost, stops = best_sequence(board, rider, none)
        if cost < board.riders[rider, WALKED]:
            board.stops[rider, : stops.shape[0]] = stops
            recost(board, rider)
            num_better += 1
    return num_better


@compiled
def _may_follow(board: Board, rider: int, pool: Stops, used: Flags, path: Stops, depth: int, at: int) -> bool:
    """Say whether pool[at] may come next: not used, pickup before drop-off, room in the bag, the market's rule."""
    if used[at]:
        return False
    if depth == 0 and board.riders[rider, ARRIVAL] >= 0:
        return at == 0
    stop = pool[at]
    load = 0
    for i in range(pool.shape[0]):
        if used[i]:
            continue
        if pool[i] >= 0:
            if stop == ~pool[i]:
                return False
            load -= 1
        else:
            load += 1
    if stop < 0:
        return True
    if load >= board.riders[rider, CAPACITY]:
        return False
    if board.weights[RULE] == TRIP and load > 0:
        last = path[depth - 1]
        return bool(last >= 0 and board.orders[last, MERCHANT] == board.orders[stop, MERCHANT])
    return True


@compiled
def _advance(board: Board, rider: int, path: Stops, depth: int, states: Ints) -> bool:
    """Work out the state behind path[depth] from the one before; False if it is a pickup after the shift."""
    orders, weights, stop = board.orders, board.weights, path[depth]
    before, behind = states[depth], states[depth + 1]
    order = stop if stop >= 0 else ~stop
    place = orders[order, MERCHANT] if stop >= 0 else orders[order, DOOR]
    drive_s = board.travel_s[before[AT_PLACE], place]
    arrived_s, idle_s = before[AT_S] + drive_s, drive_s
    if depth == 0 and board.riders[rider, ARRIVAL] >= 0:
        arrived_s, idle_s = board.riders[rider, ARRIVAL], 0
    behind[AT_PLACE] = place
    if stop < 0:
        dropped_s = arrived_s + weights[HALF_DROPOFF] + orders[order, HANDOVER]
        cost = delivery_cost(weights, dropped_s - orders[order, PLACED])
        behind[AT_COST] = before[AT_COST] + cost + lateness_cost(weights, dropped_s - orders[order, PROMISED])
        behind[AT_S], behind[VISIT] = dropped_s + weights[HALF_DROPOFF], 0
        return True
    if before[VISIT] > 0 and before[AT_PLACE] == place:
        ready_s = before[AT_S] - weights[HALF_PICKUP]
        picked_s = max(ready_s, orders[order, READY])
        stood_s = before[VISIT] * (picked_s - ready_s) + picked_s - orders[order, READY]
        idle_s, visit = 0, before[VISIT] + 1
    else:
        picked_s = max(arrived_s + weights[HALF_PICKUP], orders[order, READY])
        stood_s, visit = picked_s - orders[order, READY], 1
    behind[AT_COST] = before[AT_COST] + idle_travel_cost(weights, idle_s) + food_waiting_cost(weights, stood_s)
    behind[AT_S], behind[VISIT] = picked_s + weights[HALF_PICKUP], visit
    return bool(picked_s <= board.riders[rider, OFF])


@compiled
def _least_to_come(board: Board, pool: Stops, used: Flags, state: Ints) -> int:
    """Return a lower bound of what is left: every order driven to straight from here."""
    orders, weights, travel_s = board.orders, board.weights, board.travel_s
    cost = 0
    for i in range(pool.shape[0]):
        if used[i] or pool[i] >= 0:
            continue
        order = ~pool[i]
        merchant, door = orders[order, MERCHANT], orders[order, DOOR]
        dropped_s = state[AT_S] + travel_s[state[AT_PLACE], door]
        for j in range(pool.shape[0]):
            if pool[j] == order and not used[j]:
                at_s = state[AT_S] + travel_s[state[AT_PLACE], merchant] - weights[HALF_PICKUP]
                picked_s = max(at_s, orders[order, READY])
                dropped_s = picked_s + weights[HALF_PICKUP] + travel_s[merchant, door]
        dropped_s += weights[HALF_DROPOFF] + orders[order, HANDOVER]
        cost += delivery_cost(weights, dropped_s - orders[order, PLACED])
        cost += lateness_cost(weights, dropped_s - orders[order, PROMISED])
    return cost
