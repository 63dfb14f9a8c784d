"""The stop sequence of one rider: what it costs, and where an order fits best.

A plan is a row of stops: ``order`` (>= 0) is a pickup, ``~order`` (< 0) its drop-off. Neighbouring pickups at one
merchant are one visit. `best_trip_insertion` knows the rule of the benchmark (one merchant a trip, nothing added after the
pickup), `best_bag_insertion` the on-demand one (several merchants, orders added while carrying); all else is shared.
Everything is compiled and works on whole seconds and whole cost units.

Invariant: a cost below `NEVER` means every pickup of the plan happens by the end of the rider's shift.
"""

import numpy as np

from dispatch.arrays import Record, Records, Seconds, Stops
from dispatch.board import OPEN, STOPS_MAX, Board
from dispatch.objective import (
    delivery_cost,
    food_waiting_cost,
    idle_travel_cost,
    lateness_cost,
    pay_cost,
    sunk_cost_of,
)
from rules.compiled import compiled

NEVER = 1 << 60
PER_MILLE = 1000
TRIP = 0


@compiled()
def evaluate_route(
    travel_s: Seconds,
    orders: Records,
    weights: Record,
    stops: Stops,
    first: int,
    num_stops: int,
    place: int,
    now_s: int,
    arrival_s: int,
    off_s: int,
    limit: int,
) -> tuple[int, int, int]:
    """Follow stops[first:num_stops] from (place, now_s); return (cost, end_s, end place).

    `arrival_s` >= 0 says the first stop's arrival is fixed. The cost is NEVER once it reaches `limit` or a
    pickup falls after `off_s`.
    """
    cost = np.int64(0)
    i = first
    while i < num_stops:
        stop = stops[i]
        if stop >= 0:
            here = orders[stop].merchant
            drive_s = travel_s[place, here]
            if arrival_s >= 0:
                now_s = arrival_s
                arrival_s = np.int64(-1)
            else:
                now_s += drive_s
                cost += idle_travel_cost(weights, drive_s)
            ready_s = orders[stop].ready_s
            all_ready_s = ready_s
            size = 1
            i += 1
            while i < num_stops and stops[i] >= 0 and orders[stops[i]].merchant == here:
                ready_s = max(ready_s, orders[stops[i]].ready_s)
                all_ready_s += orders[stops[i]].ready_s
                size += 1
                i += 1
            now_s = max(now_s + weights.half_pickup_s, ready_s)
            if now_s > off_s:
                return NEVER, now_s, here
            cost += food_waiting_cost(weights, size * now_s - all_ready_s)
            now_s += weights.half_pickup_s
        else:
            order = ~stop
            here = orders[order].door
            if arrival_s >= 0:
                now_s = arrival_s
                arrival_s = np.int64(-1)
            else:
                now_s += travel_s[place, here]
            now_s += weights.half_dropoff_s + orders[order].handover_s
            cost += delivery_cost(weights, now_s - orders[order].placed_s)
            cost += lateness_cost(weights, now_s - orders[order].promised_s)
            if cost >= limit:
                return NEVER, now_s, here
            now_s += weights.half_dropoff_s
            i += 1
        place = here
    return cost, now_s, place


@compiled()
def times_multiplier(cost: int, multiplier: int) -> int:
    """Return a cost times a multiplier in per mille, rounded down."""
    return cost if multiplier == PER_MILLE else cost * multiplier // PER_MILLE


@compiled()
def rider_cost(riders: Records, weights: Record, rider: int, walked: int, lost: int, fees: int, num_orders: int) -> int:
    """Cost of a rider's plan: its walk, what is not lost already times the multiplier, pay above the guarantee, tolls."""
    cost = lost + times_multiplier(walked - lost, riders[rider].multiplier_permille)
    cost += pay_cost(weights, riders[rider].earned + fees, riders[rider].guarantee)
    return int(cost + riders[rider].surcharge * num_orders)


@compiled()
def update_cost(board: Board, rider: int) -> int:
    """Work out the rider's plan anew after a change, under a new version; return its cost.

    Parameters
    ----------
    board
        The planning state.
    rider
        Index of the rider.

    Returns
    -------
    int
        The plan's cost; `NEVER` if it cannot be driven.
    """
    riders, stops = board.riders, board.stops[rider]
    num_stops = riders[rider].num_stops
    trips = board.trips[rider]
    place, now_s, arrival_s = riders[rider].place, riders[rider].free_s, riders[rider].arrival_s
    walked, lost, fees, num_planned, num_trips, start = 0, 0, 0, 0, 0, 0
    while start < num_stops and walked < NEVER:
        trips[num_trips].first_stop, trips[num_trips].place = start, place
        trips[num_trips].start_s, trips[num_trips].cost = now_s, walked
        num_trips += 1
        end = start
        while end < num_stops and stops[end] >= 0:
            end += 1
        end = 2 * end - start if board.weights[0].rule == TRIP else num_stops
        cost, now_s, place = evaluate_route(
            board.travel_s, board.orders, board.weights[0], stops, start, end,
            place, now_s, arrival_s, riders[rider].off_s, NEVER,
        )  # fmt: skip
        walked = NEVER if cost >= NEVER else walked + cost
        for i in range(start, end):
            if stops[i] < 0:
                fees += board.orders[~stops[i]].fee
                lost += board.orders[~stops[i]].sunk_cost
                num_planned += 1
        arrival_s = -1
        start = end
    trips[num_trips].first_stop, trips[num_trips].place = start, place
    trips[num_trips].start_s, trips[num_trips].cost = now_s, walked
    riders[rider].route_cost, riders[rider].num_trips = walked, num_trips
    riders[rider].planned_fees, riders[rider].num_planned, riders[rider].planned_sunk_cost = fees, num_planned, lost
    riders[rider].plan_cost = NEVER
    if walked < NEVER:
        riders[rider].plan_cost = rider_cost(riders, board.weights[0], rider, walked, lost, fees, num_planned)
    board.newest_version[0] += 1
    riders[rider].version = board.newest_version[0]
    return int(riders[rider].plan_cost)


@compiled()
def update_costs(board: Board) -> None:
    """Work out every rider's plan anew."""
    for rider in range(board.riders.shape[0]):
        update_cost(board, rider)


@compiled()
def set_sunk_costs(board: Board, now_s: int) -> None:
    """Say what of each order's waiting and lateness is there already; plans are to be worked out anew after it."""
    orders = board.orders
    for order in range(orders.shape[0]):
        orders[order].sunk_cost = sunk_cost_of(
            board.weights[0], orders[order].placed_s, orders[order].promised_s, now_s
        )


@compiled()
def insertion_lower_bound(
    travel_s: Seconds, orders: Records, weights: Record, order: int, place: int, now_s: int
) -> int:
    """Return what the order's own delivery costs if driven next from (place, now_s).

    A lower bound of any insertion there, as travel obeys the triangle inequality.
    """
    merchant = orders[order].merchant
    picked_s = max(now_s + travel_s[place, merchant] + weights.half_pickup_s, orders[order].ready_s)
    return direct_cost(travel_s, orders, weights, order, picked_s)


@compiled()
def direct_cost(travel_s: Seconds, orders: Records, weights: Record, order: int, picked_s: int) -> int:
    """Return the cost of an order picked up at `picked_s` and driven straight to its door."""
    drive_s = travel_s[orders[order].merchant, orders[order].door]
    dropped_s = picked_s + weights.half_pickup_s + drive_s + weights.half_dropoff_s + orders[order].handover_s
    return delivery_cost(weights, dropped_s - orders[order].placed_s) + lateness_cost(
        weights, dropped_s - orders[order].promised_s
    )


@compiled()
def best_trip_insertion(board: Board, rider: int, order: int, draft: Stops, limit: int) -> tuple[int, int, int]:
    """Cheapest insertion under the trip rule: (walk increase, pickup index, drop-off index in the new plan).

    A trip of its own between two others, or any place in a trip to the same merchant. The increase is NEVER when
    none is below `limit`.
    """
    travel_s, orders, weights, stops = board.travel_s, board.orders, board.weights[0], board.stops[rider]
    riders, trips = board.riders, board.trips[rider]
    num_stops, num_trips = riders[rider].num_stops, riders[rider].num_trips
    off_s, base = riders[rider].off_s, riders[rider].route_cost
    best, best_pickup, best_dropoff = limit, 0, 0
    for trip in range(num_trips + 1):
        start, place = trips[trip].first_stop, trips[trip].place
        now_s, behind = trips[trip].start_s, trips[trip].cost
        arrival_s = riders[rider].arrival_s if trip == 0 else -1
        if arrival_s < 0 and insertion_lower_bound(travel_s, orders, weights, order, place, now_s) < best:
            draft[start] = order
            draft[start + 1] = ~order
            for i in range(start, num_stops):
                draft[i + 2] = stops[i]
            cost, _, _ = evaluate_route(
                travel_s, orders, weights, draft, start, num_stops + 2, place, now_s, -1, off_s, best + base - behind
            )
            if cost < NEVER:
                best, best_pickup, best_dropoff = behind + cost - base, start, start + 1
        if trip == num_trips or orders[stops[start]].merchant != orders[order].merchant:
            continue
        loaded = (start + trips[trip + 1].first_stop) // 2
        if loaded - start >= riders[rider].capacity:
            continue
        for i in range(start, num_stops):
            draft[i if i < loaded else i + 2] = stops[i]
        draft[loaded] = order
        for at in range(loaded, trips[trip + 1].first_stop + 1):
            if at > loaded:
                draft[at] = stops[at - 1]
            draft[at + 1] = ~order
            cost, _, _ = evaluate_route(
                travel_s, orders, weights, draft, start, num_stops + 2, place, now_s, arrival_s, off_s,
                best + base - behind,
            )  # fmt: skip
            if cost < NEVER:
                best, best_pickup, best_dropoff = behind + cost - base, loaded, at + 1
    if best >= limit:
        return NEVER, 0, 0
    return best, best_pickup, best_dropoff


@compiled()
def best_bag_insertion(board: Board, rider: int, order: int, draft: Stops, limit: int) -> tuple[int, int, int]:
    """Cheapest insertion under the bag rule, as `best_trip_insertion` returns it: any place behind the stop under way.

    Every pair of places is tried, so the answer is the best there is while the other stops keep their sequence.
    """
    travel_s, orders, weights, stops = board.travel_s, board.orders, board.weights[0], board.stops[rider]
    riders = board.riders
    num_stops = riders[rider].num_stops
    place, now_s, arrival_s = riders[rider].place, riders[rider].free_s, riders[rider].arrival_s
    base = riders[rider].route_cost
    best, best_pickup, best_dropoff = limit, 0, 0
    load = num_carried(stops, num_stops)
    for pickup in range(num_stops + 1):
        if pickup > 0:
            draft[pickup - 1] = stops[pickup - 1]
            load += 1 if stops[pickup - 1] >= 0 else -1
        if (pickup == 0 and arrival_s >= 0) or load >= riders[rider].capacity:
            continue
        draft[pickup] = order
        for i in range(pickup, num_stops):
            draft[i + 2] = stops[i]
        aboard = load + 1
        for dropoff in range(pickup + 1, num_stops + 2):
            if dropoff > pickup + 1:
                passed = stops[dropoff - 2]
                draft[dropoff - 1] = passed
                aboard += 1 if passed >= 0 else -1
                if aboard > riders[rider].capacity:
                    break
            draft[dropoff] = ~order
            cost, _, _ = evaluate_route(
                travel_s,
                orders,
                weights,
                draft,
                0,
                num_stops + 2,
                place,
                now_s,
                arrival_s,
                riders[rider].off_s,
                best + base,
            )
            if cost < NEVER and cost - base < best:
                best, best_pickup, best_dropoff = cost - base, pickup, dropoff
    if best >= limit:
        return NEVER, 0, 0
    return best, best_pickup, best_dropoff


@compiled()
def num_carried(stops: Stops, num_stops: int) -> int:
    """Return how many orders are in the bag: drop-offs whose pickup the stops no longer hold."""
    load = 0
    for i in range(num_stops):
        load += -1 if stops[i] >= 0 else 1
    return load


@compiled()
def best_insertion(board: Board, rider: int, order: int, draft: Stops, limit: int) -> tuple[int, int, int]:
    """Cheapest insertion of an order into a rider's plan: (cost increase, pickup index, drop-off index).

    The increase is NEVER when no feasible insertion is below `limit`, or the rider is barred from the order.
    """
    riders = board.riders
    num_stops = riders[rider].num_stops
    if num_stops + 2 > STOPS_MAX or board.barred[order, rider] or riders[rider].route_cost >= NEVER:
        return NEVER, 0, 0
    fee = board.orders[order].fee
    more_pay = pay_cost(
        board.weights[0], riders[rider].earned + riders[rider].planned_fees + fee, riders[rider].guarantee
    )
    more_pay -= pay_cost(board.weights[0], riders[rider].earned + riders[rider].planned_fees, riders[rider].guarantee)
    limit -= more_pay + riders[rider].surcharge
    if limit <= 0:
        return NEVER, 0, 0
    if riders[rider].multiplier_permille < PER_MILLE:
        limit = NEVER
    if board.weights[0].rule == TRIP:
        raw, pickup, dropoff = best_trip_insertion(board, rider, order, draft, limit)
    else:
        raw, pickup, dropoff = best_bag_insertion(board, rider, order, draft, limit)
    if raw >= NEVER:
        return NEVER, 0, 0
    increase = raw
    if riders[rider].multiplier_permille != PER_MILLE:
        lost = board.orders[order].sunk_cost
        before = riders[rider].route_cost - riders[rider].planned_sunk_cost
        increase = lost + times_multiplier(before + raw - lost, riders[rider].multiplier_permille)
        increase -= times_multiplier(before, riders[rider].multiplier_permille)
    return increase + more_pay + riders[rider].surcharge, pickup, dropoff


@compiled()
def insert_order(board: Board, rider: int, order: int, pickup: int, dropoff: int) -> int:
    """Insert an order at the given indices of the new plan and work the plan out."""
    stops = board.stops[rider]
    num_stops = board.riders[rider].num_stops
    for i in range(num_stops - 1, dropoff - 2, -1):
        stops[i + 2] = stops[i]
    for i in range(dropoff - 2, pickup - 1, -1):
        stops[i + 1] = stops[i]
    stops[pickup] = order
    stops[dropoff] = ~order
    board.riders[rider].num_stops = num_stops + 2
    board.orders[order].holder = rider
    return update_cost(board, rider)


@compiled()
def remove_order(board: Board, order: int) -> None:
    """Remove an order from the plan that holds it; the caller works the plan out."""
    rider = board.orders[order].holder
    stops = board.stops[rider]
    kept = 0
    for i in range(board.riders[rider].num_stops):
        if stops[i] != order and stops[i] != ~order:
            stops[kept] = stops[i]
            kept += 1
    board.riders[rider].num_stops = kept
    board.orders[order].holder = -1


@compiled()
def keep_feasible(board: Board, rider: int) -> int:
    """Work the rider's plan out; where it goes beyond the shift, take its open orders out. Return the plan's cost.

    Leaving a stop out can make a plan longer, where travel breaks the triangle inequality.
    """
    if update_cost(board, rider) < NEVER:
        return int(board.riders[rider].plan_cost)
    i = 0
    while i < board.riders[rider].num_stops:
        stop = board.stops[rider, i]
        if stop >= 0 and board.orders[stop].status == OPEN:
            remove_order(board, stop)
        else:
            i += 1
    return update_cost(board, rider)
