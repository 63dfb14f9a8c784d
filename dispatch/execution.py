"""What happens between two rounds: orders appear, riders arrive, deliver and leave.

The facts of a day as they become known, written to the board and to the log. Nothing here plans.

Invariant: nothing is read of an order before the round at or after its placement, and what the log holds of a
stop never changes again.
"""

import numpy as np

from dispatch.arrays import Ints, Records, Stops, record_of
from dispatch.board import CARRIED, DELIVERED, HIDDEN, OPEN, SENT, Board
from dispatch.route import (
    keep_feasible,
    remove_order,
    update_cost,
)
from rules.compiled import compiled, compiled_with_runtime

# What became of an order: who brought it, and instants; -1 unset.
DELIVERY = record_of("rider", "sent_s", "arrived_s", "picked_up_s", "delivered_s")


def empty_log(num_orders: int) -> Records:
    """Return a record of nothing yet for each order."""
    return np.full(num_orders, -1, DELIVERY)


@compiled()
def open_placed(board: Board, now_s: int, first_hidden: int) -> int:
    """Open the orders placed by now; orders are sorted by placement. Return the first still hidden."""
    orders = board.orders
    while first_hidden < orders.shape[0] and orders[first_hidden].placed_s <= now_s:
        if orders[first_hidden].status == HIDDEN:
            orders[first_hidden].status = OPEN
        first_hidden += 1
    return first_hidden


@compiled_with_runtime()
def open_orders(board: Board, first_hidden: int) -> Ints:
    """Return the known orders nobody has left for."""
    found = np.empty(first_hidden, np.int64)
    num = 0
    for order in range(first_hidden):
        if board.orders[order].status == OPEN:
            found[num] = order
            num += 1
    return found[:num]


@compiled_with_runtime()
def on_shift(board: Board, now_s: int) -> Ints:
    """Let time pass for waiting riders; return those who may still pick up today.

    Parameters
    ----------
    board
        The planning state.
    now_s
        The present instant, seconds.

    Returns
    -------
    Ints
        Riders by index.
    """
    riders = board.riders
    crew = np.empty(riders.shape[0], np.int64)
    num = 0
    for rider in range(riders.shape[0]):
        if riders[rider].arrival_s < 0 and riders[rider].free_s < now_s:
            riders[rider].free_s = now_s
            keep_feasible(board, rider)
        if riders[rider].off_s >= now_s:
            crew[num] = rider
            num += 1
    return crew[:num]


@compiled()
def first_visit(board: Board, rider: int) -> tuple[int, int]:
    """Return (number of pickups, when all are ready) of a plan's first visit; (0, 0) for a drop-off."""
    stops = board.stops[rider]
    num = 0
    ready_s = 0
    while num < board.riders[rider].num_stops and stops[num] >= 0:
        if board.orders[stops[num]].merchant != board.orders[stops[0]].merchant:
            break
        ready_s = max(ready_s, board.orders[stops[num]].ready_s)
        num += 1
    return num, ready_s


@compiled()
def drop_stops(stops: Stops, num_stops: int, done: int) -> None:
    """Remove the first `done` stops of a plan.

    Parameters
    ----------
    stops
        A rider's stops: ``order`` picks up, ``~order`` drops off.
    num_stops
        How many of them are filled.
    done
        How many to remove.
    """
    for i in range(done, num_stops):
        stops[i - done] = stops[i]


@compiled()
def arrive_trips(board: Board, log: Records, now_s: int) -> int:
    """Close the trips whose rider has reached the merchant and log them whole; return the orders delivered."""
    riders, orders, weights = board.riders, board.orders, board.weights[0]
    delivered = 0
    for rider in range(riders.shape[0]):
        arrived_s = riders[rider].arrival_s
        if arrived_s < 0 or arrived_s > now_s:
            continue
        stops = board.stops[rider]
        num, ready_s = first_visit(board, rider)
        picked_s = max(arrived_s + weights.half_pickup_s, ready_s)
        place, clock_s = orders[stops[0]].merchant, picked_s + weights.half_pickup_s
        for i in range(num, 2 * num):
            order = ~stops[i]
            clock_s += board.travel_s[place, orders[order].door] + weights.half_dropoff_s + orders[order].handover_s
            log[order].arrived_s, log[order].picked_up_s, log[order].delivered_s = arrived_s, picked_s, clock_s
            orders[order].status, orders[order].holder = DELIVERED, -1
            riders[rider].earned += orders[order].fee
            clock_s += weights.half_dropoff_s
            place = orders[order].door
            delivered += 1
        drop_stops(stops, riders[rider].num_stops, 2 * num)
        riders[rider].num_stops -= 2 * num
        riders[rider].place, riders[rider].free_s, riders[rider].arrival_s = place, clock_s, -1
        update_cost(board, rider)
    return delivered


@compiled()
def arrive_stops(board: Board, log: Records, now_s: int) -> int:
    """Do the stop every rider has reached: pick up a visit's orders or hand one over; return the orders delivered."""
    riders, orders, weights = board.riders, board.orders, board.weights[0]
    delivered = 0
    for rider in range(riders.shape[0]):
        arrived_s = riders[rider].arrival_s
        if arrived_s < 0 or arrived_s > now_s:
            continue
        stops = board.stops[rider]
        num, ready_s = first_visit(board, rider)
        if num > 0:
            place = orders[stops[0]].merchant
            picked_s = max(arrived_s + weights.half_pickup_s, ready_s)
            for i in range(num):
                log[stops[i]].arrived_s, log[stops[i]].picked_up_s = arrived_s, picked_s
                orders[stops[i]].status = CARRIED
            clock_s = picked_s + weights.half_pickup_s
        else:
            num = 1
            order = ~stops[0]
            place = orders[order].door
            clock_s = arrived_s + weights.half_dropoff_s + orders[order].handover_s
            log[order].delivered_s = clock_s
            orders[order].status, orders[order].holder = DELIVERED, -1
            riders[rider].earned += orders[order].fee
            clock_s += weights.half_dropoff_s
            delivered += 1
        drop_stops(stops, riders[rider].num_stops, num)
        riders[rider].num_stops -= num
        riders[rider].place, riders[rider].free_s, riders[rider].arrival_s = place, clock_s, -1
        update_cost(board, rider)
    return delivered


@compiled_with_runtime()
def due_to_leave(board: Board, now_s: int, period_s: int) -> Ints:
    """Return the riders, free before the next round, who must leave before it to be there when their meal is ready.

    Until then an order stays open and its plan may change: postponing costs nothing.

    Parameters
    ----------
    board
        The planning state.
    now_s
        The present instant, seconds.
    period_s
        Seconds between two rounds.

    Returns
    -------
    Ints
        Riders by index.
    """
    riders = board.riders
    found = np.empty(riders.shape[0], np.int64)
    num_due = 0
    for rider in range(riders.shape[0]):
        if riders[rider].num_stops == 0 or riders[rider].arrival_s >= 0 or riders[rider].free_s >= now_s + period_s:
            continue
        num, ready_s = first_visit(board, rider)
        drive_s = 0
        if num > 0:
            drive_s = board.travel_s[riders[rider].place, board.orders[board.stops[rider, 0]].merchant]
        if num == 0 or ready_s - board.weights[0].half_pickup_s - drive_s < now_s + period_s:
            found[num_due] = rider
            num_due += 1
    return found[:num_due]


@compiled()
def depart(board: Board, leaving: Ints, now_s: int) -> None:
    """Set riders on the way to their first stop, as soon as they are free."""
    riders, orders = board.riders, board.orders
    for rider in leaving:
        first = board.stops[rider, 0]
        target = orders[first].merchant if first >= 0 else orders[~first].door
        riders[rider].arrival_s = max(now_s, riders[rider].free_s) + board.travel_s[riders[rider].place, target]
        update_cost(board, rider)


@compiled_with_runtime()
def orders_leaving(board: Board, leaving: Ints) -> Ints:
    """Return the open orders of the first visits of riders who leave now, and of riders on the way.

    Parameters
    ----------
    board
        The planning state.
    leaving
        Riders who leave now, by index.

    Returns
    -------
    Ints
        Orders by index, rider after rider.
    """
    riders, orders = board.riders, board.orders
    goes = riders["arrival_s"] >= 0
    for rider in leaving:
        goes[rider] = True
    found = np.empty(orders.shape[0], np.int64)
    num_found = 0
    for rider in range(riders.shape[0]):
        if goes[rider]:
            num, _ = first_visit(board, rider)
            for i in range(num):
                if orders[board.stops[rider, i]].status == OPEN:
                    found[num_found] = board.stops[rider, i]
                    num_found += 1
    return found[:num_found]


@compiled()
def record_sent(board: Board, log: Records, sent: Ints, now_s: int) -> None:
    """Fix orders to the riders whose plans hold them: from now on they are theirs."""
    for order in sent:
        board.orders[order].status = SENT
        log[order].rider, log[order].sent_s = board.orders[order].holder, now_s


@compiled()
def release_order(board: Board, order: int) -> None:
    """Take an open order out of the plan that holds it.

    Parameters
    ----------
    board
        The planning state.
    order
        Index of the order.
    """
    rider = board.orders[order].holder
    if rider >= 0:
        remove_order(board, order)
        keep_feasible(board, rider)


@compiled()
def set_surcharges(board: Board, tolls: Ints) -> None:
    """Set the cost of one more order, rider by rider.

    Parameters
    ----------
    board
        The planning state.
    tolls
        Cost of one more order, one a rider.
    """
    for rider in range(tolls.shape[0]):
        if board.riders[rider].surcharge != tolls[rider]:
            board.riders[rider].surcharge = tolls[rider]
            update_cost(board, rider)


@compiled()
def set_guarantees(board: Board, pace: Ints) -> None:
    """Set the pay below which another order costs nothing, rider by rider."""
    for rider in range(pace.shape[0]):
        if board.riders[rider].guarantee != pace[rider]:
            board.riders[rider].guarantee = pace[rider]
            update_cost(board, rider)
