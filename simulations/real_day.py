"""Orders and couriers taken from real data instead of drawn: a Grubhub instance, or waybills of a `meituan` file.

What the data say is taken as it is: who cooks where, what is ordered from where to where and when, when the meal was ready,
who is on shift. What they do not say (doors, noise, patience, people) is the scenario's. Every day of the run is the same day of data.
Reads no file: whoever has them passes what was read.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dispatch.mdrp import Instance
from simulations.counter_random import I64
from simulations.demand import MerchantPlaces, OrderRequests
from simulations.population import Shifts
from simulations.scenario import Scenario
from simulations.surroundings import HOUR_S, MINUTE_S

EARTH_RADIUS_M = 6_371_009
# Grubhub's clock starts at 00:00 and runs beyond midnight; a day of ours at 04:00.
DAY_START_S, DAY_END_S = 4 * HOUR_S, 28 * HOUR_S


@dataclass(frozen=True, slots=True)
class RealDay:
    """A day of real orders; int64 columns, places in metres in one plane, times in seconds after local midnight.

    Parameters
    ----------
    name
        What the data are called, in messages and in digests.
    merchant_x, merchant_y
        Places of the merchants, metres; one value a merchant.
    merchant
        Index of the merchant, 0 …; one value an order, like all columns up to `promised_s`, orders by time of placing.
    x, y
        Place of the customer, metres.
    placed_s
        When the order was placed.
    ready_s, promised_s
        When the meal was to be ready, and the delivery promised; −1 where the data do not say.
    on_s, off_s
        Begin and end of the shift; one value a courier.
    """

    name: str
    merchant_x: I64
    merchant_y: I64
    merchant: I64
    x: I64
    y: I64
    placed_s: I64
    ready_s: I64
    promised_s: I64
    on_s: I64
    off_s: I64

    def __post_init__(self) -> None:
        if not self.merchant_x.size or not self.on_s.size:
            raise ValueError(f"{self.name}: no merchants or no couriers")
        if self.placed_s.size and (self.placed_s.min() < DAY_START_S or self.placed_s.max() >= DAY_END_S):
            raise ValueError(f"{self.name}: orders outside 04:00 … 28:00")


def scenario_for(scenario: Scenario, given: RealDay) -> Scenario:
    """The scenario with as many riders and merchants as the data have, all in one area."""
    riders, merchants = given.on_s.size, given.merchant_x.size
    town = replace(scenario.town, riders=riders, riders_per_area=riders, merchants_per_area=merchants)
    return replace(
        scenario,
        name=f"{scenario.name}:{given.name}",
        town=town,
        kitchens=replace(scenario.kitchens, num_merchants=merchants),
    )


def places_of(given: RealDay) -> MerchantPlaces:
    """Where the merchants are."""
    return MerchantPlaces(given.merchant_x, given.merchant_y, np.zeros(given.merchant_x.size, np.int64))


def requests_of(given: RealDay) -> OrderRequests:
    """What is ordered on every day."""
    num = given.placed_s.size
    return OrderRequests(
        np.arange(num),
        np.zeros(num, np.int64),
        given.merchant,
        given.x,
        given.y,
        given.placed_s,
        given.ready_s,
        given.promised_s,
    )


def shifts_of(given: RealDay) -> Shifts:
    """Who works when, every day."""
    none = np.full(given.on_s.size, -1)
    return Shifts(given.off_s > given.on_s, given.on_s, given.off_s, none, none)


def from_instance(instance: Instance) -> RealDay:
    """Read the day of a Grubhub instance, its orders by time of placing.

    Parameters
    ----------
    instance
        The instance as `dispatch.mdrp` reads it, times in minutes.

    Returns
    -------
    RealDay
        Orders placed from 04:00 to 28:00; what comes before or after is left out.
    """
    seats = {restaurant.name: seat for seat, restaurant in enumerate(instance.restaurants)}
    orders = sorted(
        (order for order in instance.orders if DAY_START_S <= order.placed_min * MINUTE_S < DAY_END_S),
        key=lambda order: order.placed_min,
    )
    couriers = [each for each in instance.couriers if each.off_min * MINUTE_S > DAY_START_S]
    return RealDay(
        name=instance.name,
        merchant_x=_whole(restaurant.x for restaurant in instance.restaurants),
        merchant_y=_whole(restaurant.y for restaurant in instance.restaurants),
        merchant=_whole(seats[order.restaurant] for order in orders),
        x=_whole(order.x for order in orders),
        y=_whole(order.y for order in orders),
        placed_s=_whole(order.placed_min * MINUTE_S for order in orders),
        ready_s=_whole(order.ready_min * MINUTE_S for order in orders),
        promised_s=_whole((order.placed_min + instance.parameters.target_min) * MINUTE_S for order in orders),
        on_s=np.maximum(_whole(each.on_min * MINUTE_S for each in couriers), DAY_START_S),
        off_s=np.minimum(_whole(each.off_min * MINUTE_S for each in couriers), DAY_END_S - 2 * HOUR_S),
    )


def from_waybills(name: str, waybills: Mapping[str, I64], midnight_s: int) -> RealDay:
    """Read a day of grabbed waybills of a `meituan` file.

    Parameters
    ----------
    name
        Of the file, for messages.
    waybills
        Columns of the file as whole numbers (`poi_id`, `courier_id`, coordinates in millionths of a degree, Unix seconds).
    midnight_s
        Local midnight of the day wanted, Unix seconds.

    Returns
    -------
    RealDay
        The day's orders; a courier's shift runs from the first grab to the last arrival.

    Raises
    ------
    ValueError
        If no waybill of that day was grabbed and delivered.
    """
    placed_s = waybills["platform_order_time"] - midnight_s
    rows = (waybills["is_courier_grabbed"] == 1) & (waybills["platform_order_time"] > 0)
    rows &= (
        (placed_s >= DAY_START_S) & (placed_s < DAY_END_S) & (waybills["grab_time"] > 0) & (waybills["arrive_time"] > 0)
    )
    chosen = np.flatnonzero(rows)[np.argsort(placed_s[rows], kind="stable")]
    if not chosen.size:
        raise ValueError(f"{name}: no orders")
    day = {column: values[chosen] for column, values in waybills.items()}
    _, first, merchant = np.unique(day["poi_id"], return_index=True, return_inverse=True)
    lat_0, lng_0 = np.median(day["sender_lat"]), np.median(day["sender_lng"])
    metre = EARTH_RADIUS_M * np.pi / 180 / 1e6
    squeeze = np.cos(np.radians(lat_0 / 1e6))

    def plane(lat: I64, lng: I64) -> tuple[I64, I64]:
        return np.rint((lng - lng_0) * metre * squeeze).astype(np.int64), np.rint((lat - lat_0) * metre).astype(
            np.int64
        )

    merchant_x, merchant_y = plane(day["sender_lat"][first], day["sender_lng"][first])
    x, y = plane(day["recipient_lat"], day["recipient_lng"])
    on_s, off_s = _shifts(day["courier_id"], day["grab_time"] - midnight_s, day["arrive_time"] - midnight_s)
    ready = day["estimate_meal_prepare_time"] - midnight_s
    promised = day["estimate_arrived_time"] - midnight_s
    at_s = placed_s[chosen]
    return RealDay(
        name=name, merchant_x=merchant_x, merchant_y=merchant_y, merchant=merchant.astype(np.int64).ravel(), x=x, y=y,
        placed_s=at_s, ready_s=np.where((ready >= at_s) & (ready < at_s + 3 * HOUR_S), ready, -1),
        promised_s=np.where(promised > at_s, promised, -1), on_s=on_s, off_s=off_s,
    )  # fmt: skip


def _shifts(courier: I64, from_s: I64, to_s: I64) -> tuple[I64, I64]:
    """From the first grab to the last arrival of each courier, within a day."""
    names, seat = np.unique(courier, return_inverse=True)
    on_s, off_s = np.full(names.size, DAY_END_S, np.int64), np.zeros(names.size, np.int64)
    np.minimum.at(on_s, seat.ravel(), from_s)
    np.maximum.at(off_s, seat.ravel(), to_s)
    on_s = np.maximum(on_s, DAY_START_S)
    return on_s, np.clip(off_s, on_s, DAY_END_S - 2 * HOUR_S)


def _whole(values: Iterable[float]) -> NDArray[np.int64]:
    return np.array([round(value) for value in values], np.int64)
