"""Laying a problem out as the arrays that compiled code works on.

Invariant: the board of a problem holds nothing the problem does not say, orders and riders by the same index.
"""

import numpy as np

from dispatch.objective import Weights, weight_row
from dispatch.problem import Problem, cost_multiplier
from dispatch.route import (
    ARRIVAL,
    CAPACITY,
    CARRIED,
    DOOR,
    EARNED,
    FEE,
    FIT_COLUMNS,
    FREE,
    GUARANTEE,
    HANDOVER,
    HIDDEN,
    HOLDER,
    MERCHANT,
    MULTIPLIER,
    NEVER,
    NUM_STOPS,
    OFF,
    ORDER_COLUMNS,
    PLACE,
    PLACED,
    PROMISED,
    READY,
    RIDER_COLUMNS,
    SENT,
    STANDING,
    STOPS_MAX,
    TRIP_COLUMNS,
    Board,
    keep_feasible,
    recost,
    set_lost,
)


def lay_out(problem: Problem, weights: Weights) -> Board:
    """Return a fresh board: every order hidden unless a rider already holds it."""
    orders, riders = problem.orders, problem.riders
    places = np.arange(problem.travel.num_places)
    order_rows = np.zeros((orders.num, ORDER_COLUMNS), np.int64)
    for column, values in (
        (MERCHANT, orders.merchant),
        (DOOR, orders.door),
        (PLACED, orders.placed_s),
        (READY, orders.ready_s),
        (PROMISED, orders.promised_s),
        (HANDOVER, orders.handover_s),
        (FEE, orders.fee),
        (HOLDER, orders.holder),
    ):
        order_rows[:, column] = values
    order_rows[:, STANDING] = np.where(orders.holder >= 0, np.where(orders.carried, CARRIED, SENT), HIDDEN)
    rider_rows = np.zeros((riders.num, RIDER_COLUMNS), np.int64)
    for column, values in (
        (OFF, riders.off_s),
        (GUARANTEE, riders.guarantee),
        (MULTIPLIER, cost_multiplier(riders.priority)),
        (PLACE, riders.place),
        (FREE, np.maximum(riders.free_s, problem.now_s)),
        (EARNED, riders.earned),
        (CAPACITY, np.minimum(riders.capacity, problem.market.orders_max)),
    ):
        rider_rows[:, column] = values
    rider_rows[:, ARRIVAL] = -1
    stops = np.zeros((riders.num, STOPS_MAX), np.int32)
    for rider, row in enumerate(riders.stops):
        if len(row) > STOPS_MAX:
            raise ValueError(f"rider {riders.names[rider]}: {len(row)} stops, at most {STOPS_MAX}")
        stops[rider, : len(row)] = row
        rider_rows[rider, NUM_STOPS] = len(row)
    board = Board(
        travel_s=problem.travel.table(places, places),
        orders=order_rows,
        riders=rider_rows,
        stops=stops,
        trips=np.zeros((riders.num, STOPS_MAX // 2 + 1, TRIP_COLUMNS), np.int64),
        fits=np.full((orders.num, riders.num, FIT_COLUMNS), -1, np.int64),
        barred=np.zeros((orders.num, riders.num), np.bool_),
        weights=weight_row(weights, problem.market),
        clock=np.zeros(1, np.int64),
    )
    set_lost(board, problem.now_s)
    for rider in range(riders.num):
        if keep_feasible(board, rider) >= NEVER:
            # What they hold takes them beyond their shift: they bring it all the same, and get nothing new.
            board.riders[rider, OFF] = NEVER
            board.barred[:, rider] = True
            recost(board, rider)
    return board
