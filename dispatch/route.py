"""The stop sequence of one rider: what it costs, and where an order fits best.

A plan is a row of stops: ``order`` (>= 0) is a pickup, ``~order`` (< 0) its drop-off. Neighbouring pickups at one
merchant are one visit. `fit_trip` knows the rule of the benchmark (one merchant a trip, nothing added after the
pickup), `fit_bag` the on-demand one (several merchants, orders added while carrying); all else is shared.
Everything is compiled and works on whole seconds and whole cost units.

Invariant: a cost below `NEVER` means every pickup of the plan happens by the end of the rider's shift.
"""

from typing import NamedTuple

import numpy as np

from dispatch.compiled import Flags, Ints, Seconds, Stops, compiled
from dispatch.objective import (
    HALF_DROPOFF,
    HALF_PICKUP,
    ORDERS_MAX,
    RULE,
    delivery_cost,
    food_waiting_cost,
    idle_travel_cost,
    lateness_cost,
    pay_cost,
)

NEVER = 1 << 60
STOPS_MAX = 48
PER_MILLE = 1000
TRIP = 0

# Columns of Board.orders, int64: places by index, instants and durations in seconds, money in minor units.
MERCHANT, DOOR, PLACED, READY, PROMISED, HANDOVER, FEE, HOLDER, STANDING = range(9)
ORDER_COLUMNS = 9
# Values of STANDING.
HIDDEN, OPEN, SENT, CARRIED, DELIVERED, REFUSED = range(6)

# Columns of Board.riders, int64. ARRIVAL is -1 unless the rider is on the way to the first stop.
OFF, GUARANTEE, PRIORITY, TOLL, NUM_STOPS, WALKED, COST, VERSION, PLACE, FREE, ARRIVAL, EARNED = range(12)
RIDER_COLUMNS = 12

# Columns of Board.fits, int64: what inserting (order, rider) would cost, and for which version of the plan.
FIT_VERSION, FIT_INCREASE, FIT_PICKUP, FIT_DROPOFF = range(4)
FIT_COLUMNS = 4


class Board(NamedTuple):
    """The planning state that compiled code works on; n orders, R riders, L places.

    ``travel_s`` int32 (L, L); ``orders`` int64 (n, ORDER_COLUMNS); ``riders`` int64 (R, RIDER_COLUMNS); ``stops`` int32
    (R, STOPS_MAX); ``fits`` int64 (n, R, FIT_COLUMNS), remembered insertions; ``barred`` bool (n, R); ``weights``
    int64 row of `objective.weight_row`; ``clock`` int64 (1,), the newest plan version.
    """

    travel_s: Seconds
    orders: Ints
    riders: Ints
    stops: Stops
    fits: Ints
    barred: Flags
    weights: Ints
    clock: Ints


@compiled
def walk(
    travel_s: Seconds,
    orders: Ints,
    weights: Ints,
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
            here = orders[stop, MERCHANT]
            drive_s = travel_s[place, here]
            if arrival_s >= 0:
                now_s = arrival_s
                arrival_s = np.int64(-1)
            else:
                now_s += drive_s
                cost += idle_travel_cost(weights, drive_s)
            ready_s = orders[stop, READY]
            all_ready_s = ready_s
            size = 1
            i += 1
            while i < num_stops and stops[i] >= 0 and orders[stops[i], MERCHANT] == here:
                ready_s = max(ready_s, orders[stops[i], READY])
                all_ready_s += orders[stops[i], READY]
                size += 1
                i += 1
            now_s = max(now_s + weights[HALF_PICKUP], ready_s)
            if now_s > off_s:
                return NEVER, now_s, here
            cost += food_waiting_cost(weights, size * now_s - all_ready_s)
            now_s += weights[HALF_PICKUP]
        else:
            order = ~stop
            here = orders[order, DOOR]
            if arrival_s >= 0:
                now_s = arrival_s
                arrival_s = np.int64(-1)
            else:
                now_s += travel_s[place, here]
            now_s += weights[HALF_DROPOFF] + orders[order, HANDOVER]
            cost += delivery_cost(weights, now_s - orders[order, PLACED])
            cost += lateness_cost(weights, now_s - orders[order, PROMISED])
            if cost >= limit:
                return NEVER, now_s, here
            now_s += weights[HALF_DROPOFF]
            i += 1
        place = here
    return cost, now_s, place


@compiled
def rider_cost(riders: Ints, weights: Ints, rider: int, walked: int, fees: int, num_orders: int) -> int:
    """Cost of a rider's plan: its walk times the priority, pay above the guarantee, a toll per order."""
    cost = walked
    if riders[rider, PRIORITY] != PER_MILLE:
        cost = walked * riders[rider, PRIORITY] // PER_MILLE
    return (
        cost
        + pay_cost(weights, riders[rider, EARNED] + fees, riders[rider, GUARANTEE])
        + riders[rider, TOLL] * num_orders
    )


@compiled
def fees_planned(orders: Ints, stops: Stops, num_stops: int) -> tuple[int, int]:
    """Return (fees, number) of the orders whose drop-off the stops hold."""
    fees = np.int64(0)
    num = np.int64(0)
    for i in range(num_stops):
        if stops[i] < 0:
            fees += orders[~stops[i], FEE]
            num += 1
    return fees, num


@compiled
def recost(board: Board, rider: int) -> int:
    """Work out the rider's plan anew after a change, under a new version; return its cost."""
    riders = board.riders
    num_stops = riders[rider, NUM_STOPS]
    walked, _, _ = walk(
        board.travel_s, board.orders, board.weights, board.stops[rider], 0, num_stops,
        riders[rider, PLACE], riders[rider, FREE], riders[rider, ARRIVAL], riders[rider, OFF], NEVER,
    )  # fmt: skip
    fees, num = fees_planned(board.orders, board.stops[rider], num_stops)
    riders[rider, WALKED] = walked
    cost = NEVER
    if walked < NEVER:
        cost = rider_cost(riders, board.weights, rider, walked, fees, num)
    riders[rider, COST] = cost
    board.clock[0] += 1
    riders[rider, VERSION] = board.clock[0]
    return cost


@compiled
def fit_trip(
    travel_s: Seconds,
    orders: Ints,
    weights: Ints,
    riders: Ints,
    stops: Stops,
    rider: int,
    order: int,
    draft: Stops,
    limit: int,
) -> tuple[int, int, int]:
    """Cheapest insertion under the trip rule: (walk increase, pickup index, drop-off index in the new plan).

    The increase is NEVER when none is below `limit`.
    """
    num_stops = riders[rider, NUM_STOPS]
    place, now_s, arrival_s = riders[rider, PLACE], riders[rider, FREE], riders[rider, ARRIVAL]
    off_s = riders[rider, OFF]
    merchant = orders[order, MERCHANT]
    base = riders[rider, WALKED]
    best, best_pickup, best_dropoff = limit, 0, 0
    behind = np.int64(0)
    start = 0
    while True:
        if arrival_s < 0:
            draft[start] = order
            draft[start + 1] = ~order
            for i in range(start, num_stops):
                draft[i + 2] = stops[i]
            cost, _, _ = walk(
                travel_s,
                orders,
                weights,
                draft,
                start,
                num_stops + 2,
                place,
                now_s,
                arrival_s,
                off_s,
                best + base - behind,
            )
            if cost < NEVER:
                best, best_pickup, best_dropoff = behind + cost - base, start, start + 1
        if start >= num_stops:
            break
        loaded = start
        while stops[loaded] >= 0:
            loaded += 1
        end = 2 * loaded - start
        if orders[stops[start], MERCHANT] == merchant and loaded - start < weights[ORDERS_MAX]:
            for i in range(start, loaded):
                draft[i] = stops[i]
            draft[loaded] = order
            for i in range(loaded, num_stops):
                draft[i + 2] = stops[i]
            for at in range(loaded, end + 1):
                if at > loaded:
                    draft[at] = stops[at - 1]
                draft[at + 1] = ~order
                cost, _, _ = walk(
                    travel_s, orders, weights, draft, start, num_stops + 2, place, now_s, arrival_s, off_s,
                    best + base - behind,
                )  # fmt: skip
                if cost < NEVER:
                    best, best_pickup, best_dropoff = behind + cost - base, loaded, at + 1
        cost, now_s, place = walk(travel_s, orders, weights, stops, start, end, place, now_s, arrival_s, off_s, NEVER)
        arrival_s = np.int64(-1)
        behind += cost
        start = end
    if best >= limit:
        return NEVER, 0, 0
    return best, best_pickup, best_dropoff


@compiled
def fit_bag(
    travel_s: Seconds,
    orders: Ints,
    weights: Ints,
    riders: Ints,
    stops: Stops,
    rider: int,
    order: int,
    draft: Stops,
    limit: int,
) -> tuple[int, int, int]:
    """Cheapest insertion under the bag rule, as `fit_trip` returns it: any place behind the stop under way.

    Every pair of places is tried, so the answer is the best there is while the other stops keep their sequence.
    """
    num_stops = riders[rider, NUM_STOPS]
    place, now_s, arrival_s = riders[rider, PLACE], riders[rider, FREE], riders[rider, ARRIVAL]
    base = riders[rider, WALKED]
    best, best_pickup, best_dropoff = limit, 0, 0
    load = carried_now(stops, num_stops)
    for pickup in range(num_stops + 1):
        if pickup > 0:
            draft[pickup - 1] = stops[pickup - 1]
            load += 1 if stops[pickup - 1] >= 0 else -1
        if (pickup == 0 and arrival_s >= 0) or load >= weights[ORDERS_MAX]:
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
                if aboard > weights[ORDERS_MAX]:
                    break
            draft[dropoff] = ~order
            cost, _, _ = walk(
                travel_s,
                orders,
                weights,
                draft,
                0,
                num_stops + 2,
                place,
                now_s,
                arrival_s,
                riders[rider, OFF],
                best + base,
            )
            if cost < NEVER and cost - base < best:
                best, best_pickup, best_dropoff = cost - base, pickup, dropoff
    if best >= limit:
        return NEVER, 0, 0
    return best, best_pickup, best_dropoff


@compiled
def carried_now(stops: Stops, num_stops: int) -> int:
    """Return how many orders are in the bag: drop-offs whose pickup the stops no longer hold."""
    load = 0
    for i in range(num_stops):
        load += -1 if stops[i] >= 0 else 1
    return load


@compiled
def fit(board: Board, rider: int, order: int, draft: Stops, limit: int) -> tuple[int, int, int]:
    """Cheapest insertion of an order into a rider's plan: (cost increase, pickup index, drop-off index).

    The increase is NEVER when no feasible insertion is below `limit`, or the rider is barred from the order.
    """
    riders = board.riders
    num_stops = riders[rider, NUM_STOPS]
    if num_stops + 2 > STOPS_MAX or board.barred[order, rider]:
        return NEVER, 0, 0
    if riders[rider, PRIORITY] < PER_MILLE:
        limit = NEVER
    stops = board.stops[rider]
    if board.weights[RULE] == TRIP:
        raw, pickup, dropoff = fit_trip(
            board.travel_s, board.orders, board.weights, riders, stops, rider, order, draft, limit
        )
    else:
        raw, pickup, dropoff = fit_bag(
            board.travel_s, board.orders, board.weights, riders, stops, rider, order, draft, limit
        )
    if raw >= NEVER:
        return NEVER, 0, 0
    fees, num = fees_planned(board.orders, stops, num_stops)
    walked = riders[rider, WALKED] + raw
    fee = board.orders[order, FEE]
    increase = rider_cost(riders, board.weights, rider, walked, fees + fee, num + 1) - riders[rider, COST]
    return increase, pickup, dropoff


@compiled
def put(board: Board, rider: int, order: int, pickup: int, dropoff: int) -> int:
    """Insert an order at the given indices of the new plan and work the plan out."""
    stops = board.stops[rider]
    num_stops = board.riders[rider, NUM_STOPS]
    for i in range(num_stops - 1, dropoff - 2, -1):
        stops[i + 2] = stops[i]
    for i in range(dropoff - 2, pickup - 1, -1):
        stops[i + 1] = stops[i]
    stops[pickup] = order
    stops[dropoff] = ~order
    board.riders[rider, NUM_STOPS] = num_stops + 2
    board.orders[order, HOLDER] = rider
    return recost(board, rider)


@compiled
def take(board: Board, order: int) -> None:
    """Remove an order from the plan that holds it; the caller works the plan out."""
    rider = board.orders[order, HOLDER]
    stops = board.stops[rider]
    kept = 0
    for i in range(board.riders[rider, NUM_STOPS]):
        if stops[i] != order and stops[i] != ~order:
            stops[kept] = stops[i]
            kept += 1
    board.riders[rider, NUM_STOPS] = kept
    board.orders[order, HOLDER] = -1
