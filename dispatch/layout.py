"""Laying a problem out as the arrays that compiled code works on.

Invariant: the board of a problem holds nothing the problem does not say, orders and riders by the same index.
"""

import numpy as np

from dispatch.board import CARRIED, HIDDEN, INSERTION, ORDER, RIDER, SENT, STOPS_MAX, TRIP_START, Board
from dispatch.objective import Weights, cost_model
from dispatch.problem import DispatchProblem, cost_multiplier
from dispatch.route import NEVER, keep_feasible, set_sunk_costs, update_cost


def lay_out(problem: DispatchProblem, weights: Weights) -> Board:
    """Return a fresh board: every order hidden unless a rider already holds it.

    Parameters
    ----------
    problem
        Riders, orders and the market's rules.
    weights
        What plans cost.

    Returns
    -------
    Board
        A board of the problem.

    Raises
    ------
    ValueError
        If a rider holds more stops than a plan can have.
    """
    orders, riders = problem.orders, problem.riders
    places = np.arange(problem.travel.num_places)
    order_records = np.zeros(orders.num, ORDER)
    for name in ("merchant", "door", "placed_s", "ready_s", "promised_s", "handover_s", "fee", "holder"):
        order_records[name] = getattr(orders, name)
    order_records["status"] = np.where(orders.holder >= 0, np.where(orders.carried, CARRIED, SENT), HIDDEN)
    rider_records = np.zeros(riders.num, RIDER)
    for name in ("off_s", "guarantee", "place", "earned"):
        rider_records[name] = getattr(riders, name)
    rider_records["multiplier_permille"] = cost_multiplier(riders.priority)
    rider_records["free_s"] = np.maximum(riders.free_s, problem.now_s)
    rider_records["capacity"] = np.minimum(riders.capacity, problem.market.orders_max)
    rider_records["arrival_s"] = -1
    stops = np.zeros((riders.num, STOPS_MAX), np.int32)
    for rider, row in enumerate(riders.stops):
        if len(row) > STOPS_MAX:
            raise ValueError(f"rider {riders.names[rider]}: {len(row)} stops, at most {STOPS_MAX}")
        stops[rider, : len(row)] = row
        rider_records["num_stops"][rider] = len(row)
    board = Board(
        travel_s=problem.travel.table(places, places),
        orders=order_records,
        riders=rider_records,
        stops=stops,
        trips=np.zeros((riders.num, STOPS_MAX // 2 + 1), TRIP_START),
        insertions=np.full((orders.num, riders.num), -1, INSERTION),
        barred=np.zeros((orders.num, riders.num), np.bool_),
        weights=cost_model(weights, problem.market),
        newest_version=np.zeros(1, np.int64),
    )
    set_sunk_costs(board, problem.now_s)
    for rider in range(riders.num):
        if keep_feasible(board, rider) >= NEVER:
            # What they hold takes them beyond their shift: they bring it all the same, and get nothing new.
            board.riders["off_s"][rider] = NEVER
            board.barred[:, rider] = True
            update_cost(board, rider)
    return board
