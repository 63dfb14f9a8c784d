"""What happens between two rounds: orders appear, riders arrive, deliver and leave.

The facts of a day as they become known, written to the board and to the log. Nothing here plans.

Invariant: nothing is read of an order before the round at or after its placement, and what the log holds of a
stop never changes again.
"""

import numpy as np

from dispatch.compiled import Ints, Stops, compiled
from dispatch.objective import HALF_DROPOFF, HALF_PICKUP
from dispatch.route import (
    ARRIVAL,
    CARRIED,
    DELIVERED,
    DOOR,
    EARNED,
    FEE,
    FREE,
    GUARANTEE,
    HANDOVER,
    HIDDEN,
    HOLDER,
    MERCHANT,
    NUM_STOPS,
    OFF,
    OPEN,
    PLACE,
    PLACED,
    READY,
    SENT,
    STANDING,
    TOLL,
    Board,
    keep_feasible,
    recost,
    take,
)

# Columns of the log, int64 (orders, LOG_COLUMNS), -1 unset: instants in seconds.
LOG_RIDER, LOG_SENT, LOG_ARRIVED, LOG_PICKED, LOG_DROPPED = range(5)
LOG_COLUMNS = 5


@compiled
def reveal(board: Board, now_s: int, first_hidden: int) -> int:
    """Open the orders placed by now; orders are sorted by placement. Return the first still hidden."""
    orders = board.orders
    while first_hidden < orders.shape[0] and orders[first_hidden, PLACED] <= now_s:
        if orders[first_hidden, STANDING] == HIDDEN:
            orders[first_hidden, STANDING] = OPEN
        first_hidden += 1
    return first_hidden


@compiled
def open_orders(board: Board, first_hidden: int) -> Ints:
    """Return the known orders nobody has left for."""
    found = np.empty(first_hidden, np.int64)
    num = 0
    for order in range(first_hidden):
        if board.orders[order, STANDING] == OPEN:
            found[num] = order
            num += 1
    return found[:num]


@compiled
def on_shift(board: Board, now_s: int) -> Ints:
    """Let time pass for waiting riders; return those who may still pick up today."""
    riders = board.riders
    crew = np.empty(riders.shape[0], np.int64)
    num = 0
    for rider in range(riders.shape[0]):
        if riders[rider, ARRIVAL] < 0 and riders[rider, FREE] < now_s:
            riders[rider, FREE] = now_s
            keep_feasible(board, rider)
        if riders[rider, OFF] >= now_s:
            crew[num] = rider
            num += 1
    return crew[:num]


@compiled
def first_visit(board: Board, rider: int) -> tuple[int, int]:
    """Return (number of pickups, when all are ready) of a plan's first visit; (0, 0) for a drop-off."""
    stops = board.stops[rider]
    num = 0
    ready_s = 0
    while num < board.riders[rider, NUM_STOPS] and stops[num] >= 0:
        if board.orders[stops[num], MERCHANT] != board.orders[stops[0], MERCHANT]:
            break
        ready_s = max(ready_s, board.orders[stops[num], READY])
        num += 1
    return num, ready_s


@compiled
def drop_stops(stops: Stops, num_stops: int, done: int) -> None:
    """Remove the first `done` stops of a plan."""
    for i in range(done, num_stops):
        stops[i - done] = stops[i]


@compiled
def arrive_trips(board: Board, log: Ints, now_s: int) -> int:
    """Close the trips whose rider has reached the merchant and log them whole; return the orders delivered."""
    riders, orders, weights = board.riders, board.orders, board.weights
    delivered = 0
    for rider in range(riders.shape[0]):
        arrived_s = riders[rider, ARRIVAL]
        if arrived_s < 0 or arrived_s > now_s:
            continue
        stops = board.stops[rider]
        num, ready_s = first_visit(board, rider)
        picked_s = max(arrived_s + weights[HALF_PICKUP], ready_s)
        place, clock_s = orders[stops[0], MERCHANT], picked_s + weights[HALF_PICKUP]
        for i in range(num, 2 * num):
            order = ~stops[i]
            clock_s += board.travel_s[place, orders[order, DOOR]] + weights[HALF_DROPOFF] + orders[order, HANDOVER]
            log[order, LOG_ARRIVED], log[order, LOG_PICKED], log[order, LOG_DROPPED] = arrived_s, picked_s, clock_s
            orders[order, STANDING], orders[order, HOLDER] = DELIVERED, -1
            riders[rider, EARNED] += orders[order, FEE]
            clock_s += weights[HALF_DROPOFF]
            place = orders[order, DOOR]
            delivered += 1
        drop_stops(stops, riders[rider, NUM_STOPS], 2 * num)
        riders[rider, NUM_STOPS] -= 2 * num
        riders[rider, PLACE], riders[rider, FREE], riders[rider, ARRIVAL] = place, clock_s, -1
        recost(board, rider)
    return delivered


@compiled
def arrive_stops(board: Board, log: Ints, now_s: int) -> int:
    """Do the stop every rider has reached: pick up a visit's orders or hand one over; return the orders delivered."""
    riders, orders, weights = board.riders, board.orders, board.weights
    delivered = 0
    for rider in range(riders.shape[0]):
        arrived_s = riders[rider, ARRIVAL]
        if arrived_s < 0 or arrived_s > now_s:
            continue
        stops = board.stops[rider]
        num, ready_s = first_visit(board, rider)
        if num > 0:
            place = orders[stops[0], MERCHANT]
            picked_s = max(arrived_s + weights[HALF_PICKUP], ready_s)
            for i in range(num):
                log[stops[i], LOG_ARRIVED], log[stops[i], LOG_PICKED] = arrived_s, picked_s
                orders[stops[i], STANDING] = CARRIED
            clock_s = picked_s + weights[HALF_PICKUP]
        else:
            num = 1
            order = ~stops[0]
            place = orders[order, DOOR]
            clock_s = arrived_s + weights[HALF_DROPOFF] + orders[order, HANDOVER]
            log[order, LOG_DROPPED] = clock_s
            orders[order, STANDING], orders[order, HOLDER] = DELIVERED, -1
            riders[rider, EARNED] += orders[order, FEE]
            clock_s += weights[HALF_DROPOFF]
            delivered += 1
        drop_stops(stops, riders[rider, NUM_STOPS], num)
        riders[rider, NUM_STOPS] -= num
        riders[rider, PLACE], riders[rider, FREE], riders[rider, ARRIVAL] = place, clock_s, -1
        recost(board, rider)
    return delivered


@compiled
def due(board: Board, now_s: int, period_s: int) -> Ints:
    """Return the riders, free before the next round, who must leave before it to be there when their meal is ready.

    Until then an order stays open and its plan may change: postponing costs nothing.
    """
    riders = board.riders
    found = np.empty(riders.shape[0], np.int64)
    num_due = 0
    for rider in range(riders.shape[0]):
        if riders[rider, NUM_STOPS] == 0 or riders[rider, ARRIVAL] >= 0 or riders[rider, FREE] >= now_s + period_s:
            continue
        num, ready_s = first_visit(board, rider)
        drive_s = 0
        if num > 0:
            drive_s = board.travel_s[riders[rider, PLACE], board.orders[board.stops[rider, 0], MERCHANT]]
        if num == 0 or ready_s - board.weights[HALF_PICKUP] - drive_s < now_s + period_s:
            found[num_due] = rider
            num_due += 1
    return found[:num_due]


@compiled
def leave(board: Board, leaving: Ints, now_s: int) -> None:
    """Set riders on the way to their first stop, as soon as they are free."""
    riders, orders = board.riders, board.orders
    for rider in leaving:
        first = board.stops[rider, 0]
        target = orders[first, MERCHANT] if first >= 0 else orders[~first, DOOR]
        riders[rider, ARRIVAL] = max(now_s, riders[rider, FREE]) + board.travel_s[riders[rider, PLACE], target]
        recost(board, rider)


@compiled
def about_to_be_sent(board: Board, leaving: Ints) -> Ints:
    """Return the open orders of the first visits of riders who leave now, and of riders on the way."""
    riders, orders = board.riders, board.orders
    goes = riders[:, ARRIVAL] >= 0
    for rider in leaving:
        goes[rider] = True
    found = np.empty(orders.shape[0], np.int64)
    num_found = 0
    for rider in range(riders.shape[0]):
        if goes[rider]:
            num, _ = first_visit(board, rider)
            for i in range(num):
                if orders[board.stops[rider, i], STANDING] == OPEN:
                    found[num_found] = board.stops[rider, i]
                    num_found += 1
    return found[:num_found]


@compiled
def send(board: Board, log: Ints, sent: Ints, now_s: int) -> None:
    """Fix orders to the riders whose plans hold them: from now on they are theirs."""
    for order in sent:
        board.orders[order, STANDING] = SENT
        log[order, LOG_RIDER], log[order, LOG_SENT] = board.orders[order, HOLDER], now_s


@compiled
def release(board: Board, order: int) -> None:
    """Take an open order out of the plan that holds it."""
    rider = board.orders[order, HOLDER]
    if rider >= 0:
        take(board, order)
        keep_feasible(board, rider)


@compiled
def set_tolls(board: Board, tolls: Ints) -> None:
    """Set the cost of one more order, rider by rider."""
    for rider in range(tolls.shape[0]):
        if board.riders[rider, TOLL] != tolls[rider]:
            board.riders[rider, TOLL] = tolls[rider]
            recost(board, rider)


@compiled
def set_pace(board: Board, pace: Ints) -> None:
    """Set the pay below which another order costs nothing, rider by rider."""
    for rider in range(pace.shape[0]):
        if board.riders[rider, GUARANTEE] != pace[rider]:
            board.riders[rider, GUARANTEE] = pace[rider]
            recost(board, rider)
