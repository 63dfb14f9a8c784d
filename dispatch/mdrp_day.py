"""A Grubhub day as a problem, and a played day as its solution files.

Translation only: minutes to seconds, names to indices and back.

Invariant: orders are sorted by placement, ties in file order, so the orders placed until T have the same indices
whether or not later ones exist.
"""

from collections import defaultdict

import numpy as np

from dispatch.horizon import PlayedDay
from dispatch.mdrp import START, BundleAssignment, CourierMove, Instance, OrderOutcome, Solution
from dispatch.problem import BENCHMARK, PRIORITY_NEUTRAL, DispatchProblem, Market, Orders, Riders, whole
from dispatch.travel import PlanarTravel

MINUTE_S = 60


def day_problem(instance: Instance) -> DispatchProblem:
    """Return the day as a problem from its first placement on; places are orders, restaurants, couriers."""
    parameters = instance.parameters
    orders = sorted(instance.orders, key=lambda order: order.placed_min)
    restaurant_place = {row.name: len(orders) + i for i, row in enumerate(instance.restaurants)}
    num_before = len(orders) + len(instance.restaurants)
    points = [(row.x, row.y) for row in orders]
    points += [(row.x, row.y) for row in instance.restaurants]
    points += [(row.x, row.y) for row in instance.couriers]
    couriers = instance.couriers
    market = Market(
        BENCHMARK.name,
        BENCHMARK.rule,
        half_pickup_s=parameters.pickup_min * MINUTE_S // 2,
        half_dropoff_s=parameters.dropoff_min * MINUTE_S // 2,
        hours=False,
    )
    return DispatchProblem(
        market=market,
        travel=PlanarTravel(
            np.array(points, dtype=np.float64).reshape(-1, 2), parameters.metres_per_minute, other_vehicle=True
        ),
        orders=Orders(
            names=tuple(order.name for order in orders),
            merchant=whole(restaurant_place[order.restaurant] for order in orders),
            door=np.arange(len(orders)),
            placed_s=whole(MINUTE_S * order.placed_min for order in orders),
            ready_s=whole(MINUTE_S * order.ready_min for order in orders),
            promised_s=whole(MINUTE_S * (order.placed_min + parameters.target_min) for order in orders),
            handover_s=np.zeros(len(orders), np.int64),
            fee=np.full(len(orders), parameters.pay_per_order, np.int64),
            holder=np.full(len(orders), -1, np.int64),
            carried=np.zeros(len(orders), np.bool_),
        ),
        riders=Riders(
            names=tuple(courier.name for courier in couriers),
            place=np.arange(num_before, num_before + len(couriers)),
            free_s=whole(MINUTE_S * courier.on_min for courier in couriers),
            off_s=whole(MINUTE_S * courier.off_min for courier in couriers),
            earned=np.zeros(len(couriers), np.int64),
            guarantee=whole(parameters.guarantee_per_hour * (row.off_min - row.on_min) // 60 for row in couriers),
            worked_s=np.zeros(len(couriers), np.int64),
            priority=np.full(len(couriers), PRIORITY_NEUTRAL, np.int64),
            capacity=np.full(len(couriers), market.orders_max, np.int64),
            stops=((),) * len(couriers),
        ),
        now_s=MINUTE_S * min((order.placed_min for order in orders), default=0),
    )


def day_solution(instance: Instance, day: PlayedDay) -> Solution:
    """Return the solution files' contents of a played day.

    A bundle is final when its courier reaches the restaurant: that is its assignment time.
    """
    orders = day.problem.orders
    restaurant = {order.name: order.restaurant for order in instance.orders}
    bundles: dict[tuple[int, int], list[int]] = defaultdict(list)
    for order in np.argsort(day.log["delivered_s"], kind="stable").tolist():
        if day.log["delivered_s"][order] >= 0:
            bundles[int(day.log["rider"][order]), int(day.log["picked_up_s"][order])].append(order)
    assignments, moves = [], []
    place_of: dict[int, str] = {}
    for (rider, picked_s), bundle in sorted(bundles.items()):
        name = day.problem.riders.names[rider]
        names = tuple(orders.names[order] for order in bundle)
        arrived_s = int(day.log["arrived_s"][bundle[0]])
        assignments.append(BundleAssignment(arrived_s // MINUTE_S, picked_s // MINUTE_S, name, names))
        left_s = int(min(day.log["sent_s"][order] for order in bundle))
        moves.append(CourierMove(name, left_s // MINUTE_S, place_of.get(rider, START), restaurant[names[0]]))
        here, clock_s = restaurant[names[0]], picked_s + day.problem.market.half_pickup_s
        for order, order_name in zip(bundle, names, strict=True):
            moves.append(CourierMove(name, clock_s // MINUTE_S, here, order_name))
            here = order_name
            clock_s = int(day.log["delivered_s"][order]) + day.problem.market.half_dropoff_s
        place_of[rider] = here
    assignments.sort(key=lambda row: (row.assigned_min, row.pickup_min, row.courier))
    return Solution(tuple(assignments), tuple(_outcomes(instance, day)), tuple(moves))


def _outcomes(instance: Instance, day: PlayedDay) -> list[OrderOutcome]:
    index = {name: i for i, name in enumerate(day.problem.orders.names)}
    return [
        OrderOutcome(
            order=order.name,
            placed_min=order.placed_min,
            ready_min=order.ready_min,
            pickup_min=int(day.log["picked_up_s"][index[order.name]]) // MINUTE_S,
            dropoff_min=int(day.log["delivered_s"][index[order.name]]) // MINUTE_S,
            courier=day.problem.riders.names[int(day.log["rider"][index[order.name]])],
        )
        for order in instance.orders
        if day.log["delivered_s"][index[order.name]] >= 0
    ]
