"""The best sequence of all of a rider's stops, several new orders included: exact, by depth-first search with bounds.

For the usual five orders; more are refused, insertion does them. Nothing here changes a plan.

Invariant: no feasible sequence is cheaper than the one returned, as long as travel obeys the triangle inequality.
"""

import numpy as np

from dispatch.arrays import Flags, Ints, Record, Records, Stops, record_of
from dispatch.board import Board
from dispatch.objective import (
    delivery_cost,
    food_waiting_cost,
    idle_travel_cost,
    lateness_cost,
)
from dispatch.route import (
    NEVER,
    TRIP,
    update_cost,
)
from rules.compiled import compiled, compiled_with_runtime

SEQUENCE_ORDERS_MAX = 5
# The state behind each stop of a path; `visit_orders`: picked up so far in the visit under way.
PATH_STATE = record_of("time_s", "place", "cost", "visit_orders")


@compiled_with_runtime()
def best_sequence(board: Board, rider: int, extra: Ints) -> tuple[int, Stops]:
    """Return (walk cost, stops) of the cheapest sequence of the rider's stops and the extra orders'.

    NEVER and no stops if there is none, or more than SEQUENCE_ORDERS_MAX orders are concerned. A stop under way stays
    first. By the trip rule a bag is emptied before the next pickup and holds one merchant's orders.
    """
    num_held = board.riders[rider].num_stops
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
    states = np.zeros(total + 1, PATH_STATE)
    states[0].time_s, states[0].place = board.riders[rider].free_s, board.riders[rider].place
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
        if states[depth + 1].cost + _least_to_come(board, pool, used, states[depth + 1]) >= best:
            continue
        if depth + 1 == total:
            best, best_stops = states[total].cost, path.copy()
            continue
        depth += 1
    return best, best_stops


@compiled_with_runtime()
def resequence(board: Board, riders: Ints) -> int:
    """Put the stops of each of the riders into the best sequence; return how many plans became cheaper."""
    none = np.empty(0, np.int64)
    num_better = 0
    for rider in riders:
        cost, stops = best_sequence(board, rider, none)
        if cost < board.riders[rider].route_cost:
            board.stops[rider, : stops.shape[0]] = stops
            update_cost(board, rider)
            num_better += 1
    return num_better


@compiled()
def _may_follow(board: Board, rider: int, pool: Stops, used: Flags, path: Stops, depth: int, at: int) -> bool:
    """Say whether pool[at] may come next: not used, pickup before drop-off, room in the bag, the market's rule."""
    if used[at]:
        return False
    if depth == 0 and board.riders[rider].arrival_s >= 0:
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
    if load >= board.riders[rider].capacity:
        return False
    if board.weights[0].rule == TRIP and load > 0:
        last = path[depth - 1]
        return bool(last >= 0 and board.orders[last].merchant == board.orders[stop].merchant)
    return True


@compiled()
def _advance(board: Board, rider: int, path: Stops, depth: int, states: Records) -> bool:
    """Work out the state behind path[depth] from the one before; False if it is a pickup after the shift."""
    orders, weights, stop = board.orders, board.weights[0], path[depth]
    before, behind = states[depth], states[depth + 1]
    order = stop if stop >= 0 else ~stop
    place = orders[order].merchant if stop >= 0 else orders[order].door
    drive_s = board.travel_s[before.place, place]
    arrived_s, idle_s = before.time_s + drive_s, drive_s
    if depth == 0 and board.riders[rider].arrival_s >= 0:
        arrived_s, idle_s = board.riders[rider].arrival_s, 0
    behind.place = place
    if stop < 0:
        dropped_s = arrived_s + weights.half_dropoff_s + orders[order].handover_s
        cost = delivery_cost(weights, dropped_s - orders[order].placed_s)
        behind.cost = before.cost + cost + lateness_cost(weights, dropped_s - orders[order].promised_s)
        behind.time_s, behind.visit_orders = dropped_s + weights.half_dropoff_s, 0
        return True
    if before.visit_orders > 0 and before.place == place:
        ready_s = before.time_s - weights.half_pickup_s
        picked_s = max(ready_s, orders[order].ready_s)
        stood_s = before.visit_orders * (picked_s - ready_s) + picked_s - orders[order].ready_s
        idle_s, visit = 0, before.visit_orders + 1
    else:
        picked_s = max(arrived_s + weights.half_pickup_s, orders[order].ready_s)
        stood_s, visit = picked_s - orders[order].ready_s, 1
    behind.cost = before.cost + idle_travel_cost(weights, idle_s) + food_waiting_cost(weights, stood_s)
    behind.time_s, behind.visit_orders = picked_s + weights.half_pickup_s, visit
    return bool(picked_s <= board.riders[rider].off_s)


@compiled()
def _least_to_come(board: Board, pool: Stops, used: Flags, state: Record) -> int:
    """Return a lower bound of what is left: every order driven to straight from here."""
    orders, weights, travel_s = board.orders, board.weights[0], board.travel_s
    cost = 0
    for i in range(pool.shape[0]):
        if used[i] or pool[i] >= 0:
            continue
        order = ~pool[i]
        merchant, door = orders[order].merchant, orders[order].door
        dropped_s = state.time_s + travel_s[state.place, door]
        for j in range(pool.shape[0]):
            if pool[j] == order and not used[j]:
                at_s = state.time_s + travel_s[state.place, merchant] - weights.half_pickup_s
                picked_s = max(at_s, orders[order].ready_s)
                dropped_s = picked_s + weights.half_pickup_s + travel_s[merchant, door]
        dropped_s += weights.half_dropoff_s + orders[order].handover_s
        cost += delivery_cost(weights, dropped_s - orders[order].placed_s)
        cost += lateness_cost(weights, dropped_s - orders[order].promised_s)
    return cost
