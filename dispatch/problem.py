"""The problem: riders, orders, a market's rules, one moment. Frozen and checked; nothing is decided here.

Places are indices into the travel; instants and durations whole seconds; money whole minor units (fen). A stop is
``order`` (>= 0) for its pickup and ``~order`` (< 0) for its drop-off.

Invariant: a `DispatchProblem` that exists has consistent shapes, whole numbers in range, and in every rider's stops each
order once, its pickup before its drop-off.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np

from dispatch.arrays import Flags, Ints
from dispatch.travel import Travel

STAIRS_S_PER_FLOOR = 20
# The multiplier of being offered work that a rule book's tier states, per mille: higher = offered sooner.
PRIORITY_NEUTRAL = 1000
PRIORITY_RANGE = (500, 2000)


class InsertionRule(IntEnum):
    """How an order may enter a rider's stops."""

    TRIP = 0
    BAG = 1


@dataclass(frozen=True, slots=True)
class Market:
    """The rules of a market.

    Parameters
    ----------
    name
        For messages.
    rule
        TRIP: one merchant a trip, nothing added after the pickup. BAG: several merchants, orders added while
        carrying.
    half_pickup_s
        Service before and after the pickup.
    half_dropoff_s
        Service before and after the drop-off.
    orders_max
        Orders of one trip, or in one bag.
    period_s
        Seconds between rounds.
    hours
        Whether the standard's limits on hours apply.
    """

    name: str
    rule: InsertionRule
    half_pickup_s: int = 120
    half_dropoff_s: int = 120
    orders_max: int = 6
    period_s: int = 60
    hours: bool = True

    def __post_init__(self) -> None:
        if min(self.half_pickup_s, self.half_dropoff_s) < 0 or self.orders_max < 1 or self.period_s < 1:
            raise ValueError(f"market {self.name}: service times from 0, orders_max and period_s from 1")


BENCHMARK = Market("mdrp", InsertionRule.TRIP, hours=False)
ON_DEMAND = Market("on_demand", InsertionRule.BAG, half_pickup_s=60, half_dropoff_s=60, orders_max=5, period_s=30)


@dataclass(frozen=True, slots=True)
class Orders:
    """Orders by column, all of length n.

    Parameters
    ----------
    names
        Unique.
    merchant
        Place.
    door
        Place.
    placed_s
        Instant.
    ready_s
        Instant at which the meal is ready.
    promised_s
        Instant.
    handover_s
        Time added at the door.
    fee
        Pay for the order, minor units.
    holder
        Rider who must bring it, -1 none.
    carried
        Whether it is picked up already.
    """

    names: tuple[str, ...]
    merchant: Ints
    door: Ints
    placed_s: Ints
    ready_s: Ints
    promised_s: Ints
    handover_s: Ints
    fee: Ints
    holder: Ints
    carried: Flags

    def __post_init__(self) -> None:
        _whole_columns(self, len(self.names))
        for name in ("placed_s", "ready_s", "promised_s", "handover_s", "fee"):
            _at_least(name, getattr(self, name), 0)

    @property
    def num(self) -> int:
        """How many orders."""
        return len(self.names)


@dataclass(frozen=True, slots=True)
class Riders:
    """Riders by column, all of length R.

    Parameters
    ----------
    names
        Unique.
    place
        Where they are, or where the leg under way ends.
    free_s
        When they can leave there.
    off_s
        No pickup later.
    earned
        Pay so far, minor units.
    guarantee
        Least pay of the shift, minor units.
    worked_s
        Order-taking today.
    priority
        Of their tier, per mille, 1000 neutral, higher = offered sooner.
    capacity
        Orders they can carry at once, within the market's limit.
    stops
        Remaining stops of the orders in hand.
    """

    names: tuple[str, ...]
    place: Ints
    free_s: Ints
    off_s: Ints
    earned: Ints
    guarantee: Ints
    worked_s: Ints
    priority: Ints
    capacity: Ints
    stops: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        _whole_columns(self, len(self.names))
        for name in ("free_s", "off_s", "earned", "guarantee", "worked_s", "capacity"):
            _at_least(name, getattr(self, name), 0)
        low, high = PRIORITY_RANGE
        if ((self.priority < low) | (self.priority > high)).any():
            raise ValueError(f"priority outside {low}..{high} per mille")

    @property
    def num(self) -> int:
        """How many riders."""
        return len(self.names)


@dataclass(frozen=True, slots=True)
class DispatchProblem:
    """One moment of a market, or a whole day (`now_s` its beginning, orders sorted by placement).

    Parameters
    ----------
    market
        Its rules.
    travel
        Seconds between places.
    orders
        By column.
    riders
        By column.
    now_s
        The moment, or the day's beginning, seconds.
    """

    market: Market
    travel: Travel
    orders: Orders
    riders: Riders
    now_s: int = 0

    def __post_init__(self) -> None:
        if self.now_s < 0:
            raise ValueError(f"now_s = {self.now_s}: use an instant of at least 0")
        for name, places in (
            ("merchant", self.orders.merchant),
            ("door", self.orders.door),
            ("place", self.riders.place),
        ):
            if places.size and (places.min() < 0 or places.max() >= self.travel.num_places):
                raise ValueError(f"{name} names a place outside 0..{self.travel.num_places - 1}")
        if self.orders.num and (self.orders.holder.min() < -1 or self.orders.holder.max() >= self.riders.num):
            raise ValueError(f"holder names a rider outside -1..{self.riders.num - 1}")
        in_hand: set[int] = set()
        for rider, stops in enumerate(self.riders.stops):
            self._check_stops(rider, stops)
            in_hand.update(order_of(stop) for stop in stops)
        lost = [self.orders.names[i] for i in np.flatnonzero(self.orders.holder >= 0) if int(i) not in in_hand]
        if lost:
            raise ValueError(f"orders with a holder but in nobody's stops: {lost}")

    def _check_stops(self, rider: int, stops: tuple[int, ...]) -> None:
        name = self.riders.names[rider]
        if len(set(stops)) != len(stops):
            raise ValueError(f"rider {name}: a stop stands twice")
        for position, stop in enumerate(stops):
            order = order_of(stop)
            if not 0 <= order < self.orders.num or self.orders.holder[order] != rider:
                raise ValueError(f"rider {name}: stop {stop} is not an order the rider holds")
            picks_up = order in stops
            if picks_up == bool(self.orders.carried[order]):
                raise ValueError(f"rider {name}: order {order} must have a pickup exactly if it is not carried")
            if ~order not in stops or (stop < 0 and picks_up and stops.index(order) > position):
                raise ValueError(f"rider {name}: order {order} has no drop-off after its pickup")


def cost_multiplier(priority: Ints) -> Ints:
    """What multiplies the cost of giving a rider one more order, per mille: the inverse of the tier's priority.

    The one place where a multiplier of being offered work becomes one of a solver's cost.
    """
    low, high = PRIORITY_RANGE
    return np.clip(PRIORITY_NEUTRAL * PRIORITY_NEUTRAL // priority, low, high)


def order_of(stop: int) -> int:
    """Return the order a stop belongs to."""
    return stop if stop >= 0 else ~stop


def stairs_s(floors: int, *, has_lift: bool) -> int:
    """Return seconds added at the door of a building: lift-less floors count (GB/T 46862-2025, 7.4.4).

    The standard names the cause, not the number; 20 s a floor is ours.
    """
    if floors < 0:
        raise ValueError(f"floors = {floors}: use a number of at least 0")
    return 0 if has_lift else STAIRS_S_PER_FLOOR * floors


def whole(values: Iterable[int]) -> Ints:
    """Return whole numbers as an int64 column.

    Parameters
    ----------
    values
        Whole numbers.

    Returns
    -------
    Ints
        An int64 column.
    """
    return np.array(list(values), dtype=np.int64)


def _whole_columns(table: Orders | Riders, num: int) -> None:
    for field in fields(table):
        column = getattr(table, field.name)
        if len(column) != num:
            raise ValueError(f"{field.name} has {len(column)} rows: use {num}")
        if isinstance(column, np.ndarray):
            wanted = np.bool_ if field.name == "carried" else np.int64
            if column.ndim != 1 or column.dtype != wanted:
                raise ValueError(f"{field.name} is {column.dtype} {column.shape}: use one column of {wanted.__name__}")
    if len(set(table.names)) != num:
        raise ValueError("a name stands twice")


def _at_least(name: str, column: Ints, least: int) -> None:
    if column.size and column.min() < least:
        raise ValueError(f"{name} holds {column.min()}: use values of at least {least}")
