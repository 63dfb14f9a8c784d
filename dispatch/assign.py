"""The assignment, by OR-Tools: which rider takes which order, and which rider drives which plan.

Both are bipartite and sparse: costs of candidate pairs are worked out by compiled code, the choice is a min-cost flow.
Nothing here changes a stop sequence except by what was chosen.

Invariant: an order is given to at most one rider in a pass, and is left out only where no candidate is left for it.
"""

from dataclasses import dataclass

import numpy as np
from ortools.graph.python import min_cost_flow

from dispatch.arrays import Ints
from dispatch.board import OPEN, STOPS_MAX, Board
from dispatch.route import (
    NEVER,
    best_insertion,
    evaluate_route,
    insert_order,
    rider_cost,
    update_cost,
)
from dispatch.search import candidates
from rules.compiled import compiled, compiled_with_runtime

# Scaled costs of a flow must stay below 63 bits.
_FLOW_BITS = 60


@dataclass(frozen=True, slots=True)
class Pairs:
    """Candidate pairs: row `left[k]` with column `right[k]` at whole `cost[k]`.

    Parameters
    ----------
    left
        Row, by position.
    right
        Column, by position.
    cost
        Whole cost of the pair.
    """

    left: Ints
    right: Ints
    cost: Ints


def match(pairs: Pairs, num_left: int) -> Ints:
    """Return for each row the position in `pairs` of its chosen pair, -1 for none: as many as can be, at least total cost.

    Solved to optimality by OR-Tools' cost-scaling min-cost flow, which multiplies costs by the number of nodes: so costs
    are counted from the least of their row, which changes no choice, and what is still too large is made coarser.

    Parameters
    ----------
    pairs
        Candidate pairs.
    num_left
        How many rows there are.

    Returns
    -------
    Ints
        Position in `pairs` of each row's pair, -1 for none.

    Raises
    ------
    RuntimeError
        If the solver finds no optimal flow, which a feasible assignment always has.
    """
    chosen = np.full(num_left, -1, np.int64)
    if not num_left or not len(pairs.left):
        return chosen
    columns, column = np.unique(pairs.right, return_inverse=True)
    flow = min_cost_flow.SimpleMinCostFlow()
    sink = num_left + len(columns)
    nodes = np.arange(sink)
    num_pairs = len(pairs.left)
    least = np.full(num_left, NEVER)
    np.minimum.at(least, pairs.left, pairs.cost)
    cost = pairs.cost - least[pairs.left]
    # To leave one row out costs more than all that the others could save by it.
    leave_out = (int(cost.max()) + 1) * num_left
    coarser = max((leave_out * (sink + 1)).bit_length() - _FLOW_BITS, 0)
    tails = np.concatenate((pairs.left, nodes))
    heads = np.concatenate((column + num_left, np.full(sink, sink)))
    left_out = np.full(num_left, leave_out)
    costs = np.concatenate((cost, left_out, np.zeros(len(columns), np.int64))) >> coarser
    flow.add_arcs_with_capacity_and_unit_cost(tails, heads, np.ones(len(tails), np.int64), costs)
    flow.set_nodes_supplies(nodes[:num_left], np.ones(num_left, np.int64))
    flow.set_node_supply(sink, -num_left)
    if flow.solve() != flow.OPTIMAL:
        raise RuntimeError("OR-Tools found no optimal flow for a feasible assignment")
    used = np.flatnonzero(flow.flows(np.arange(num_pairs)))
    chosen[pairs.left[used]] = used
    return chosen


def assign_open(board: Board, crew: Ints, waiting: Ints, width: int) -> Ints:
    """Give orders in nobody's plan to riders, at most one order a rider and pass, until no pair is left.

    Candidates are each order's `width` soonest riders; what stays over is tried with the whole crew. Returns the
    orders no rider can take.
    """
    while len(waiting) and len(crew):
        left = _pass(board, crew, waiting, min(width, len(crew)))
        if len(left) == len(waiting):
            left = _pass(board, crew, waiting, len(crew)) if width < len(crew) else left
            if len(left) == len(waiting):
                break
        waiting = left
    return waiting


def _pass(board: Board, crew: Ints, waiting: Ints, width: int) -> Ints:
    near = candidates(board, crew, waiting, width)
    left, right, cost = insertion_costs(board, waiting, near)
    chosen = match(Pairs(left, right, cost), len(waiting))
    taken = np.flatnonzero(chosen >= 0)
    put_chosen(board, waiting[taken], right[chosen[taken]])
    return waiting[chosen < 0]


@compiled_with_runtime()
def insertion_costs(board: Board, waiting: Ints, near: Ints) -> tuple[Ints, Ints, Ints]:
    """Return candidate pairs (row of `waiting`, rider, cost increase).

    Parameters
    ----------
    board
        The planning state.
    waiting
        Open orders, by index.
    near
        Candidate riders of each order (orders, width).

    Returns
    -------
    tuple[Ints, Ints, Ints]
        Row of `waiting`, rider, and cost increase of each feasible pair.
    """
    draft = np.empty(STOPS_MAX + 2, np.int32)
    most = near.shape[0] * near.shape[1]
    left, right, cost = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
    num = 0
    for i in range(near.shape[0]):
        order = waiting[i]
        for j in range(near.shape[1]):
            rider = near[i, j]
            known = board.insertions[order, rider]
            if known.version != board.riders[rider].version:
                known.increase, known.pickup, known.dropoff = best_insertion(board, rider, order, draft, NEVER)
                known.version = board.riders[rider].version
            if known.increase < NEVER:
                left[num], right[num], cost[num] = i, rider, known.increase
                num += 1
    return left[:num], right[:num], cost[:num]


@compiled()
def put_chosen(board: Board, orders: Ints, riders: Ints) -> None:
    """Insert each order into its rider's plan where it was found to fit.

    Parameters
    ----------
    board
        The planning state.
    orders
        Orders to insert.
    riders
        The rider of each.
    """
    for i in range(orders.shape[0]):
        known = board.insertions[orders[i], riders[i]]
        insert_order(board, riders[i], orders[i], known.pickup, known.dropoff)


def choose_plans(board: Board, crew: Ints, width: int) -> int:
    """Let all plans that may still change rider find their cheapest riders at once; return how many did.

    A plan is a candidate for the riders soonest at its first merchant, and for its own.
    """
    movable = movable_plans(board, crew)
    holders = movable[board.riders["num_stops"][movable] > 0]
    if not len(holders) or len(movable) < 2:
        return 0
    near = candidates(board, movable, board.stops[holders, 0].astype(np.int64), min(width, len(movable)))
    left, right, cost = plan_costs(board, holders, near)
    chosen = match(Pairs(left, right, cost), len(holders))
    if (chosen < 0).any():
        return 0
    return int(exchange(board, holders, right[chosen]))


@compiled_with_runtime()
def plan_costs(board: Board, holders: Ints, near: Ints) -> tuple[Ints, Ints, Ints]:
    """Return pairs (row of `holders`, rider, what that holder's plan would cost the rider)."""
    most = near.shape[0] * (near.shape[1] + 1)
    left, right, cost = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
    num = 0
    for i in range(holders.shape[0]):
        for j in range(near.shape[1] + 1):
            rider = holders[i] if j == near.shape[1] else near[i, j]
            if j < near.shape[1] and rider == holders[i]:
                continue
            increase = plan_cost(board, rider, holders[i])
            if increase < NEVER:
                left[num], right[num], cost[num] = i, rider, increase
                num += 1
    return left[:num], right[:num], cost[:num]


@compiled()
def plan_cost(board: Board, rider: int, holder: int) -> int:
    """Return what driving the holder's plan costs a rider who otherwise drives nothing."""
    riders, stops, num_stops = board.riders, board.stops[holder], board.riders[holder].num_stops
    load = 0
    for i in range(num_stops):
        if stops[i] >= 0 and board.barred[stops[i], rider]:
            return NEVER
        load += 1 if stops[i] >= 0 else -1
        if load > riders[rider].capacity:
            return NEVER
    walked, _, _ = evaluate_route(
        board.travel_s,
        board.orders,
        board.weights[0],
        stops,
        0,
        num_stops,
        riders[rider].place,
        riders[rider].free_s,
        riders[rider].arrival_s,
        riders[rider].off_s,
        NEVER,
    )
    if walked >= NEVER:
        return NEVER
    idle = rider_cost(riders, board.weights[0], rider, 0, 0, 0, 0)
    lost, fees, num = riders[holder].planned_sunk_cost, riders[holder].planned_fees, riders[holder].num_planned
    return rider_cost(riders, board.weights[0], rider, walked, lost, fees, num) - idle


@compiled_with_runtime()
def exchange(board: Board, holders: Ints, takers: Ints) -> int:
    """Move each holder's plan to its taker; return how many plans changed rider."""
    plans = board.stops[holders].copy()
    sizes = board.riders["num_stops"][holders].copy()
    for rider in holders:
        board.riders[rider].num_stops = 0
    for i in range(takers.shape[0]):
        board.stops[takers[i]] = plans[i]
        board.riders[takers[i]].num_stops = sizes[i]
        for j in range(sizes[i]):
            if plans[i, j] >= 0:
                board.orders[plans[i, j]].holder = takers[i]
    for rider in holders:
        update_cost(board, rider)
    moved = 0
    for i in range(takers.shape[0]):
        update_cost(board, takers[i])
        moved += takers[i] != holders[i]
    return moved


@compiled_with_runtime()
def movable_plans(board: Board, crew: Ints) -> Ints:
    """Return the riders of the crew who are not on the way and hold open orders or nothing."""
    found = np.empty(crew.shape[0], np.int64)
    num = 0
    for rider in crew:
        movable = board.riders[rider].arrival_s < 0
        for i in range(board.riders[rider].num_stops):
            stop = board.stops[rider, i]
            order = stop if stop >= 0 else ~stop
            movable = movable and board.orders[order].status == OPEN
        if movable:
            found[num] = rider
            num += 1
    return found[:num]
