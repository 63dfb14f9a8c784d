"""The independent checker: does a solution keep every rule, and how good is it.

Reads plain records and recomputes everything from the rules of the benchmark (`../shared/mdrp/README.md`); shares no
code with the solver, its travel times or its objective.

Invariant: a solution without a violation can be driven exactly as its files say.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from dispatch.mdrp import START, BundleAssignment, Courier, CourierMove, Instance, MdrpOrder, OrderOutcome, Solution

UNDELIVERED_MIN = 120


@dataclass(frozen=True, slots=True)
class RuleViolation:
    """A broken rule, by name, with the courier or order it concerns and what was found."""

    rule: str
    subject: str
    found: str


@dataclass(frozen=True, slots=True)
class DayMetrics:
    """The benchmark's measures of one day; minutes, per cent, money in the instance's minor unit."""

    orders: int
    delivered: int
    delivered_pct: float
    click_to_door_mean: float
    click_to_door_p50: float
    click_to_door_p90: float
    overage_mean: float
    ready_to_door_mean: float
    ready_to_pickup_mean: float
    click_to_door_undelivered_120: float
    compensation: float
    cost_per_order: float
    fraction_at_minimum: float
    orders_per_bundle: float
    utilisation: float
    gini_pay_per_hour: float
    over_maximum: int


def check_day(
    instance: Instance, solution: Solution, declared: Collection[str] | None = ()
) -> tuple[RuleViolation, ...]:
    """Return every broken rule of a day's solution.

    Parameters
    ----------
    instance, solution
        The day and the contents of its three solution files.
    declared
        Orders the run says it left undelivered; any other missing order is a violation. None: do not ask.
    """
    violations = list(_not_finite(solution))
    if violations:
        return tuple(violations)
    violations += _unknown_names(instance, solution)
    if violations:
        return tuple(violations)
    violations += _served_once(instance, solution, declared)
    violations += _bundles(instance, solution)
    violations += _outcomes_agree(instance, solution)
    if violations:
        return tuple(violations)
    violations += _driven(instance, solution)
    return tuple(violations)


def _not_finite(solution: Solution) -> Iterator[RuleViolation]:
    for assignment in solution.assignments:
        if not _finite(assignment.assigned_min, assignment.pickup_min):
            yield RuleViolation("finite_times", assignment.courier, "assignment")
    for outcome in solution.outcomes:
        if not _finite(outcome.placed_min, outcome.ready_min, outcome.pickup_min, outcome.dropoff_min):
            yield RuleViolation("finite_times", outcome.order, "order")
    for move in solution.moves:
        if not _finite(move.departure_min):
            yield RuleViolation("finite_times", move.courier, "move")


def _finite(*values: float) -> bool:
    return all(math.isfinite(value) for value in values)


def _unknown_names(instance: Instance, solution: Solution) -> Iterator[RuleViolation]:
    couriers = {courier.name for courier in instance.couriers}
    orders = {order.name for order in instance.orders}
    places = orders | {restaurant.name for restaurant in instance.restaurants} | {START}
    named = [(row.courier, "assignment") for row in solution.assignments]
    named += [(row.courier, "order") for row in solution.outcomes]
    named += [(row.courier, "move") for row in solution.moves]
    yield from (RuleViolation("known_courier", courier, where) for courier, where in named if courier not in couriers)
    for assignment in solution.assignments:
        yield from (
            RuleViolation("known_order", name, "assignment") for name in assignment.orders if name not in orders
        )
        if not assignment.orders:
            yield RuleViolation("known_order", assignment.courier, "empty assignment")
    yield from (
        RuleViolation("known_order", row.order, "order") for row in solution.outcomes if row.order not in orders
    )
    for move in solution.moves:
        for place in (move.origin, move.destination):
            if place not in places:
                yield RuleViolation("known_place", move.courier, place)


def _served_once(instance: Instance, solution: Solution, declared: Collection[str] | None) -> Iterator[RuleViolation]:
    assigned = Counter(name for row in solution.assignments for name in row.orders)
    told = Counter(row.order for row in solution.outcomes)
    for name, times in (assigned + told).items():
        if assigned[name] != 1 or told[name] != 1:
            yield RuleViolation(
                "served_once", name, f"{assigned[name]} assignments, {told[name]} outcomes, {times} lines"
            )
    if declared is not None:
        absent = {order.name for order in instance.orders} - set(assigned)
        yield from (
            RuleViolation("no_order_lost", name, "in no file, not declared") for name in sorted(absent - set(declared))
        )
        yield from (
            RuleViolation("no_order_lost", name, "declared, yet delivered") for name in sorted(set(declared) - absent)
        )


def _bundles(instance: Instance, solution: Solution) -> Iterator[RuleViolation]:
    orders = {order.name: order for order in instance.orders}
    couriers = {courier.name: courier for courier in instance.couriers}
    for row in solution.assignments:
        bundle = [orders[name] for name in row.orders]
        if len({order.restaurant for order in bundle}) != 1:
            yield RuleViolation("one_restaurant", row.courier, " ".join(row.orders))
        if row.assigned_min < max(order.placed_min for order in bundle):
            yield RuleViolation("known_when_assigned", row.courier, f"assigned at {row.assigned_min:g}")
        if row.pickup_min < max(order.ready_min for order in bundle):
            yield RuleViolation("ready_at_pickup", row.courier, f"picked up at {row.pickup_min:g}")
        if row.pickup_min > couriers[row.courier].off_min:
            yield RuleViolation("pickup_in_shift", row.courier, f"picked up at {row.pickup_min:g}")


def _outcomes_agree(instance: Instance, solution: Solution) -> Iterator[RuleViolation]:
    orders = {order.name: order for order in instance.orders}
    bundle_of = {name: row for row in solution.assignments for name in row.orders}
    for row in solution.outcomes:
        order = orders[row.order]
        if (row.placed_min, row.ready_min) != (order.placed_min, order.ready_min):
            yield RuleViolation("agrees_with_instance", row.order, f"{row.placed_min:g} {row.ready_min:g}")
        bundle = bundle_of.get(row.order)
        if bundle is not None and (row.pickup_min, row.courier) != (bundle.pickup_min, bundle.courier):
            yield RuleViolation("files_agree", row.order, f"{row.pickup_min:g} {row.courier}")


def _driven(instance: Instance, solution: Solution) -> Iterator[RuleViolation]:
    moves: dict[str, list[CourierMove]] = defaultdict(list)
    last = ""
    for move in solution.moves:
        if move.courier != last and move.courier in moves:
            yield RuleViolation("moves_together", move.courier, "lines apart")
        moves[move.courier].append(move)
        last = move.courier
    bundles: dict[str, list[BundleAssignment]] = defaultdict(list)
    for row in sorted(solution.assignments, key=lambda row: row.pickup_min):
        bundles[row.courier].append(row)
    outcomes = {row.order: row for row in solution.outcomes}
    yield from (
        RuleViolation("idle_courier_moves", name, "no assignment") for name in sorted(set(moves) - set(bundles))
    )
    couriers = {courier.name: courier for courier in instance.couriers}
    roads = _Roads(instance)
    for name, rows in bundles.items():
        yield from _courier_day(roads, couriers[name], rows, moves[name], outcomes)


class _Roads:
    """Places by name and the whole minutes between them, the way the rules say."""

    def __init__(self, instance: Instance) -> None:
        self.parameters = instance.parameters
        self.orders: dict[str, MdrpOrder] = {order.name: order for order in instance.orders}
        self.place = {row.name: (row.x, row.y) for row in instance.restaurants}
        self.place |= {row.name: (row.x, row.y) for row in instance.orders}

    def minutes(self, origin: tuple[float, float], destination: tuple[float, float]) -> int:
        metres = math.sqrt((origin[0] - destination[0]) ** 2 + (origin[1] - destination[1]) ** 2)
        return math.ceil(metres / self.parameters.metres_per_minute)


def _courier_day(
    roads: _Roads,
    courier: Courier,
    bundles: list[BundleAssignment],
    moves: list[CourierMove],
    outcomes: dict[str, OrderOutcome],
) -> Iterator[RuleViolation]:
    expected = sum(1 + len(row.orders) for row in bundles)
    if len(moves) != expected:
        yield RuleViolation("every_move_listed", courier.name, f"{len(moves)} moves, {expected} needed")
        return
    half_pickup, half_dropoff = roads.parameters.pickup_min / 2, roads.parameters.dropoff_min / 2
    place, here, free_min = (courier.x, courier.y), START, float(courier.on_min)
    steps = iter(moves)
    for row in bundles:
        restaurant = roads.orders[row.orders[0]].restaurant
        move = next(steps)
        if (move.origin, move.destination) != (here, restaurant):
            yield RuleViolation("moves_join_up", courier.name, f"{move.origin} to {move.destination}")
        if move.departure_min < free_min:
            yield RuleViolation("no_diversion", courier.name, f"leaves at {move.departure_min:g}, free at {free_min:g}")
        if move.departure_min < min(roads.orders[name].placed_min for name in row.orders):
            yield RuleViolation(
                "no_clairvoyance", courier.name, f"leaves at {move.departure_min:g}, nothing placed yet"
            )
        arrival_min = move.departure_min + roads.minutes(place, roads.place[restaurant])
        for name in row.orders:
            if roads.orders[name].placed_min > arrival_min:
                yield RuleViolation("joined_before_arrival", name, f"placed later than the arrival at {arrival_min:g}")
        if row.pickup_min < arrival_min + half_pickup:
            yield RuleViolation("pickup_service", courier.name, f"{row.pickup_min:g}, arrived {arrival_min:g}")
        place, here, free_min = roads.place[restaurant], restaurant, row.pickup_min + half_pickup
        for name in row.orders:
            move = next(steps)
            if (move.origin, move.destination, move.departure_min) != (here, name, free_min):
                found = f"{move.origin} to {move.destination} at {move.departure_min:g}, due {here} to {name} at {free_min:g}"
                yield RuleViolation("moves_join_up", courier.name, found)
            dropoff_min = free_min + roads.minutes(place, roads.place[name]) + half_dropoff
            if outcomes[name].dropoff_min != dropoff_min:
                yield RuleViolation("dropoff_time", name, f"{outcomes[name].dropoff_min:g}, due {dropoff_min:g}")
            place, here, free_min = roads.place[name], name, dropoff_min + half_dropoff


def measure_day(instance: Instance, solution: Solution) -> DayMetrics:
    """Return the benchmark's measures of a day that keeps the rules."""
    parameters = instance.parameters
    rows = solution.outcomes
    waits = sorted(row.dropoff_min - row.placed_min for row in rows)
    carried = Counter(row.courier for row in rows)
    hours = {courier.name: (courier.off_min - courier.on_min) / 60 for courier in instance.couriers}
    by_order = {name: parameters.pay_per_order * carried[name] for name in hours}
    pay = {name: max(by_order[name], parameters.guarantee_per_hour * hours[name]) for name in hours}
    num_orders = len(instance.orders)
    missed = num_orders - len(rows)
    num_rows = max(1, len(rows))
    return DayMetrics(
        orders=num_orders,
        delivered=len(rows),
        delivered_pct=100 * len(rows) / max(1, num_orders),
        click_to_door_mean=sum(waits) / num_rows,
        click_to_door_p50=_quantile(waits, 0.5),
        click_to_door_p90=_quantile(waits, 0.9),
        overage_mean=sum(max(0.0, wait - parameters.target_min) for wait in waits) / num_rows,
        ready_to_door_mean=sum(row.dropoff_min - row.ready_min for row in rows) / num_rows,
        ready_to_pickup_mean=sum(row.pickup_min - row.ready_min for row in rows) / num_rows,
        click_to_door_undelivered_120=(sum(waits) + UNDELIVERED_MIN * missed) / max(1, num_orders),
        compensation=sum(pay.values()),
        cost_per_order=sum(pay.values()) / num_rows,
        fraction_at_minimum=sum(pay[name] > by_order[name] for name in hours) / max(1, len(hours)),
        orders_per_bundle=len(rows) / max(1, len(solution.assignments)),
        utilisation=_busy_min(instance, solution) / max(1.0, 60 * sum(hours.values())),
        gini_pay_per_hour=gini([pay[name] / hours[name] for name in hours if hours[name] > 0]),
        over_maximum=sum(wait > parameters.maximum_min for wait in waits),
    )


def _busy_min(instance: Instance, solution: Solution) -> float:
    """Return courier minutes from leaving for a restaurant until the bundle's last service ended."""
    leaves: dict[str, list[float]] = defaultdict(list)
    restaurants = {row.name for row in instance.restaurants}
    for move in solution.moves:
        if move.destination in restaurants:
            leaves[move.courier].append(move.departure_min)
    ends = {row.order: row.dropoff_min + instance.parameters.dropoff_min / 2 for row in solution.outcomes}
    rows = sorted(solution.assignments, key=lambda row: row.pickup_min)
    starts = {name: iter(times) for name, times in leaves.items()}
    return sum(ends[row.orders[-1]] - next(starts[row.courier]) for row in rows)


def _quantile(ordered: list[float], share: float) -> float:
    """Return the linearly interpolated quantile of ascending values; 0 of none."""
    if not ordered:
        return 0.0
    position = share * (len(ordered) - 1)
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


def gini(values: list[float]) -> float:
    """Return the Gini coefficient of non-negative values: 0 all equal, towards 1 one has all."""
    total = sum(values)
    if not values or total == 0:
        return 0.0
    weighted = sum((rank + 1) * value for rank, value in enumerate(sorted(values)))
    return 2 * weighted / (len(values) * total) - (len(values) + 1) / len(values)
