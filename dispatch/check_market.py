"""The independent checker of the on-demand market: can what the log says be driven, and is it allowed.

Recomputes every rider's day from the log, the problem and its travel; shares no code with the solver.

Invariant: a log without a violation can be driven as it says.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from dispatch.arrays import Records
from dispatch.check import RuleViolation
from dispatch.problem import DispatchProblem


class _Delivery(NamedTuple):
    rider: int
    sent_s: int
    arrived_s: int
    picked_up_s: int
    delivered_s: int


class _Stop(NamedTuple):
    at_s: int
    place: int
    leaves_s: int
    service_s: int
    change: int
    order: int


def check_market(problem: DispatchProblem, log: Records, refused: set[str]) -> tuple[RuleViolation, ...]:
    """Return every broken rule of a played on-demand day.

    Parameters
    ----------
    problem
        The day; riders begin where and when it says, with nothing in hand.
    log
        `road.DELIVERY` (orders,): rider, sent, arrived at the merchant, picked up, delivered; -1 unset.
    refused
        Names of the orders the day says were refused.
    """
    return (*_orders(problem, log, refused), *_riders(problem, log))


def _orders(problem: DispatchProblem, log: Records, refused: set[str]) -> Iterator[RuleViolation]:
    for order, row in enumerate(map(_Delivery._make, log.tolist())):
        name = problem.orders.names[order]
        done = row.delivered_s >= 0
        if done == (name in refused):
            yield RuleViolation("no_order_lost", name, f"dropped at {row.delivered_s}, refused {name in refused}")
        if not done:
            continue
        if not 0 <= row.rider < problem.riders.num:
            yield RuleViolation("known_rider", name, str(row.rider))
        elif row.picked_up_s > problem.riders.off_s[row.rider]:
            yield RuleViolation("pickup_in_shift", name, f"picked up at {row.picked_up_s}")
        if row.sent_s < problem.orders.placed_s[order]:
            yield RuleViolation("known_when_sent", name, f"sent at {row.sent_s}")
        if row.picked_up_s < max(problem.orders.ready_s[order], row.arrived_s + problem.market.half_pickup_s):
            yield RuleViolation("ready_at_pickup", name, f"picked up at {row.picked_up_s}")
        if not row.sent_s <= row.arrived_s <= row.picked_up_s < row.delivered_s:
            yield RuleViolation("in_sequence", name, str(row))


def _riders(problem: DispatchProblem, log: Records) -> Iterator[RuleViolation]:
    orders, market = problem.orders, problem.market
    stops: dict[int, list[_Stop]] = {}
    for order in np.flatnonzero(log["delivered_s"] >= 0).tolist():
        rider, _, _, picked_s, dropped_s = log[order].tolist()
        extra_s = int(orders.handover_s[order])
        stops.setdefault(rider, []).extend(
            (
                _Stop(
                    picked_s,
                    int(orders.merchant[order]),
                    picked_s + market.half_pickup_s,
                    market.half_pickup_s,
                    1,
                    order,
                ),
                _Stop(
                    dropped_s,
                    int(orders.door[order]),
                    dropped_s + market.half_dropoff_s,
                    market.half_dropoff_s + extra_s,
                    -1,
                    order,
                ),
            )
        )
    for rider, row in stops.items():
        if 0 <= rider < problem.riders.num:
            yield from _driven(problem, rider, sorted(row))


def _driven(problem: DispatchProblem, rider: int, stops: list[_Stop]) -> Iterator[RuleViolation]:
    name = problem.riders.names[rider]
    first = int(problem.riders.free_s[rider])
    start = _Stop(first, int(problem.riders.place[rider]), first, 0, 0, -1)
    load = 0
    for before, here in pairwise((start, *stops)):
        load += here.change
        if load > min(problem.market.orders_max, problem.riders.capacity[rider]):
            yield RuleViolation("room_in_the_bag", name, f"{load} orders")
        if (before.at_s, before.place, before.change, here.change) == (here.at_s, here.place, 1, 1):
            continue
        drive_s = int(problem.travel.pairs(np.array([before.place]), np.array([here.place]))[0])
        if before.leaves_s + drive_s + here.service_s > here.at_s:
            found = f"order {here.order} at {here.at_s}, earliest {before.leaves_s + drive_s + here.service_s}"
            yield RuleViolation("time_to_drive", name, found)


def check_round(
    problem: DispatchProblem, stops: tuple[tuple[int, ...], ...], waiting: set[str]
) -> tuple[RuleViolation, ...]:
    """Return every broken rule of one round's plans.

    Parameters
    ----------
    problem
        The moment that was planned.
    stops
        The whole remaining plan of every rider: ``order`` picks up, ``~order`` drops off.
    waiting
        Names of the orders the round says it left waiting.
    """
    return (*_placed_once(problem, stops, waiting), *_plans(problem, stops))


def _placed_once(
    problem: DispatchProblem, stops: tuple[tuple[int, ...], ...], waiting: set[str]
) -> Iterator[RuleViolation]:
    orders = problem.orders
    brought = [~stop for row in stops for stop in row if stop < 0]
    for order, name in enumerate(orders.names):
        known = orders.placed_s[order] <= problem.now_s or orders.holder[order] >= 0
        if brought.count(order) + (name in waiting) != int(known):
            yield RuleViolation("no_order_lost", name, f"in {brought.count(order)} plans, waiting {name in waiting}")
    for rider, row in enumerate(stops):
        for order in {~stop for stop in row if stop < 0}:
            name, held = orders.names[order], int(orders.holder[order])
            if held not in {-1, rider}:
                yield RuleViolation("keeps_orders_in_hand", name, f"with rider {rider}, held by {held}")
            if (
                (order in row) == bool(orders.carried[order])
                or row.count(order) > 1
                or (order in row and row.index(order) > row.index(~order))
            ):
                yield RuleViolation("in_sequence", name, f"{row}")


def _plans(problem: DispatchProblem, stops: tuple[tuple[int, ...], ...]) -> Iterator[RuleViolation]:
    orders, riders, market = problem.orders, problem.riders, problem.market
    for rider, row in enumerate(stops):
        place, at_s = int(riders.place[rider]), max(int(riders.free_s[rider]), problem.now_s)
        load = sum(1 if stop < 0 else -1 for stop in row)
        visit_s = -1
        for stop in row:
            here = int(orders.merchant[stop] if stop >= 0 else orders.door[~stop])
            arrival_s = at_s + int(problem.travel.pairs(np.array([place]), np.array([here]))[0])
            load += 1 if stop >= 0 else -1
            if load > min(market.orders_max, riders.capacity[rider]):
                yield RuleViolation("room_in_the_bag", riders.names[rider], f"{load} orders")
            if stop < 0:
                at_s, visit_s = arrival_s + 2 * market.half_dropoff_s + int(orders.handover_s[~stop]), -1
            else:
                joins = visit_s >= 0 and place == here
                picked_s = max(visit_s if joins else arrival_s + market.half_pickup_s, int(orders.ready_s[stop]))
                at_s, visit_s = picked_s + market.half_pickup_s, picked_s
                if picked_s > riders.off_s[rider] and orders.holder[stop] < 0:
                    yield RuleViolation("pickup_in_shift", riders.names[rider], f"picked up at {picked_s}")
            place = here
