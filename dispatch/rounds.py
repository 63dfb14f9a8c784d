"""One round as a library call: riders and orders as they stand now, and who should take what.

`solve_round` plans with exact insertion and repair; `solve_large_round` appends to sparse candidates, for thousands of
orders at once. Nothing here moves time.

Invariant: every open order is in one rider's plan or in `waiting` with its reason.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dispatch.arrays import Flags, Ints
from dispatch.assign import Pairs, match
from dispatch.board import HIDDEN, OPEN, Board
from dispatch.execution import on_shift
from dispatch.explain import Explanation, explain_orders
from dispatch.horizon import SearchSettings, plan_round
from dispatch.layout import lay_out
from dispatch.objective import Weights
from dispatch.problem import PRIORITY_NEUTRAL, DispatchProblem, cost_multiplier

NO_RIDERS = "dispatch.refused_no_riders"
ALL_WITHHELD = "dispatch.refused_all_withheld"
OFF_SHIFT = "dispatch.refused_before_shift_ends"
FULL = "dispatch.refused_full"


@dataclass(frozen=True, slots=True)
class WaitingReason:
    """Why an order stays open: the key of the reason, and how many riders it holds for.

    ``withheld``: may be given nothing new; ``off_shift``: could not be at the merchant before their shift ends; ``full``:
    have no room in their plan before it ends.
    """

    key: str
    withheld: int
    off_shift: int
    full: int


@dataclass(frozen=True, slots=True)
class Round:
    """A round's answer.

    Parameters
    ----------
    stops
        The whole remaining plan of every rider.
    holder
        int64 (n,): who takes each order, -1 nobody.
    waiting
        The reason by order name.
    explanations
        Of the orders planned.
    cost
        Total of all plans, in thousandths of a second of waiting.
    complete
        Whether the search was not cut off.
    """

    stops: tuple[tuple[int, ...], ...]
    holder: Ints
    waiting: dict[str, WaitingReason]
    explanations: tuple[Explanation, ...]
    cost: int
    complete: bool


def solve_round(
    problem: DispatchProblem,
    weights: Weights,
    settings: SearchSettings,
    may_take: Flags | None = None,
    stop: Callable[[], bool] | None = None,
) -> Round:
    """Plan every order known at `now_s` that nobody holds.

    Parameters
    ----------
    problem
        Riders with the stops of their orders in hand; orders with their holders.
    weights, settings
        What plans cost, and how hard to look.
    may_take
        Who may be given orders, one flag a rider; by default everybody.
    stop
        Asked once, after the assignment; true keeps the assignment without further search.

    Returns
    -------
    Round
        The whole remaining plan of every rider, and why each order left over waits.

    Raises
    ------
    ValueError
        If a rider holds more stops than a plan can have.
    """
    board = lay_out(problem, weights)
    standing = board.orders["status"]
    standing[(standing == HIDDEN) & (problem.orders.placed_s <= problem.now_s)] = OPEN
    waiting = np.flatnonzero(standing == OPEN)
    crew = on_shift(board, problem.now_s)
    if may_take is not None:
        crew = crew[may_take[crew]]
    cut_off = False
    if stop is not None:
        plan_round(board, crew, waiting, settings, 0, cut_off=True)
        cut_off = stop()
    plan_round(board, crew, waiting, settings, 0, cut_off=cut_off)
    planned = waiting[board.orders["holder"][waiting] >= 0]
    left = waiting[board.orders["holder"][waiting] < 0]
    return Round(
        stops=tuple(
            tuple(row[:num].tolist()) for row, num in zip(board.stops, board.riders["num_stops"].tolist(), strict=True)
        ),
        holder=board.orders["holder"].copy(),
        waiting={problem.orders.names[order]: _why(board, int(order), crew, problem) for order in left},
        explanations=tuple(explain_orders(board, planned, crew, problem.now_s)),
        cost=int(board.riders["plan_cost"].sum()),
        complete=not cut_off,
    )


def _why(board: Board, order: int, crew: Ints, problem: DispatchProblem) -> WaitingReason:
    """Why nobody takes an order: every rider is counted under the first reason that holds."""
    may = crew[~board.barred[order, crew]]
    arrives_s = (
        board.riders["free_s"][may] + board.travel_s[board.riders["place"][may], board.orders["merchant"][order]]
    )
    picked_s = np.maximum(arrives_s + problem.market.half_pickup_s, board.orders["ready_s"][order])
    too_late = int((picked_s > board.riders["off_s"][may]).sum())
    ended = int((problem.riders.off_s < problem.now_s).sum())
    withheld = problem.riders.num - ended - len(may)
    return _reason(problem.riders.num, withheld, ended + too_late)


def _reason(num: int, withheld: int, off_shift: int) -> WaitingReason:
    full = num - withheld - off_shift
    if not num:
        key = NO_RIDERS
    elif full:
        key = FULL
    else:
        key = OFF_SHIFT if off_shift else ALL_WITHHELD
    return WaitingReason(key, withheld, off_shift, full)


def solve_large_round(problem: DispatchProblem, weights: Weights, width: int = 20) -> Round:
    """Give many orders to many riders, at most one a rider, each behind what the rider holds.

    Candidates are the `width` riders whose plans end nearest to the merchant; orders left over look again, four
    times as wide, among the riders without one, until nobody or nothing is left. Riders' stops are driven in the
    sequence given.

    Parameters
    ----------
    problem
        Riders with the stops of their orders in hand; orders with their holders.
    weights
        What plans cost; pay, imbalance, food and idle driving do not count here.
    width
        Candidate riders an order in the first pass.

    Returns
    -------
    Round
        As `solve_round`, without explanations.
    """
    orders, riders, market = problem.orders, problem.riders, problem.market
    multiplier = cost_multiplier(riders.priority)
    end_place, end_s = plan_ends(problem)
    holder = orders.holder.copy()
    waiting = np.flatnonzero((holder < 0) & (orders.placed_s <= problem.now_s))
    free = np.flatnonzero(riders.off_s >= problem.now_s)
    total = 0
    ride_s = problem.travel.pairs(orders.merchant[waiting], orders.door[waiting])
    while len(waiting) and len(free):
        near = problem.travel.nearest(end_place[free], orders.merchant[waiting], width)
        left = np.repeat(np.arange(len(waiting)), near.shape[1])
        right = near.ravel()
        order, rider = waiting[left], free[right]
        drive_s = problem.travel.pairs(end_place[rider], orders.merchant[order])
        picked_s = np.maximum(end_s[rider] + drive_s + market.half_pickup_s, orders.ready_s[order])
        dropped_s = picked_s + market.half_pickup_s + ride_s[left] + market.half_dropoff_s + orders.handover_s[order]
        cost = weights.wait * (dropped_s - orders.placed_s[order])
        cost += weights.late * np.maximum(dropped_s - orders.promised_s[order], 0)
        lost = weights.wait * (problem.now_s - orders.placed_s[order])
        lost += weights.late * np.maximum(problem.now_s - orders.promised_s[order], 0)
        cost = lost + (cost - lost) * multiplier[rider] // PRIORITY_NEUTRAL
        allowed = picked_s <= riders.off_s[rider]
        pairs = Pairs(left[allowed], right[allowed], cost[allowed])
        chosen = match(pairs, len(waiting))
        taken = np.flatnonzero(chosen >= 0)
        if not len(taken) and near.shape[1] == len(free):
            break
        holder[waiting[taken]] = free[pairs.right[chosen[taken]]]
        total += int(pairs.cost[chosen[taken]].sum())
        free = np.delete(free, pairs.right[chosen[taken]])
        waiting, ride_s = waiting[chosen < 0], ride_s[chosen < 0]
        width *= 4
    stops = list(riders.stops)
    for given in np.flatnonzero((holder >= 0) & (orders.holder < 0)).tolist():
        stops[holder[given]] = (*stops[holder[given]], given, ~given)
    return Round(
        stops=tuple(stops),
        holder=holder,
        waiting={orders.names[i]: _why_large(problem, int(i), end_place, end_s, market.half_pickup_s) for i in waiting},
        explanations=(),
        cost=total,
        complete=True,
    )


def _why_large(problem: DispatchProblem, order: int, end_place: Ints, end_s: Ints, half_pickup_s: int) -> WaitingReason:
    """Why nobody takes an order behind what they hold; who was given another one has no room for it."""
    merchants = np.full(problem.riders.num, problem.orders.merchant[order])
    picked_s = np.maximum(
        end_s + problem.travel.pairs(end_place, merchants) + half_pickup_s, problem.orders.ready_s[order]
    )
    return _reason(problem.riders.num, 0, int((picked_s > problem.riders.off_s).sum()))


def plan_ends(problem: DispatchProblem) -> tuple[Ints, Ints]:
    """Return where and when every rider is done with the stops in hand."""
    orders, riders, market = problem.orders, problem.riders, problem.market
    place, at_s = riders.place.copy(), np.maximum(riders.free_s, problem.now_s)
    for rider, stops in enumerate(riders.stops):
        for stop in stops:
            here = orders.merchant[stop] if stop >= 0 else orders.door[~stop]
            at_s[rider] += problem.travel.pairs(place[rider : rider + 1], np.array([here]))[0]
            if stop >= 0:
                at_s[rider] = max(at_s[rider] + market.half_pickup_s, orders.ready_s[stop]) + market.half_pickup_s
            else:
                at_s[rider] += 2 * market.half_dropoff_s + orders.handover_s[~stop]
            place[rider] = here
    return place, at_s
