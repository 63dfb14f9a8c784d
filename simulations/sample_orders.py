"""Riders at work: shifts, trips, bags of one to three orders, kitchens, doors. Times only; no events, no score.

offer → ride to each merchant, wait there → ride to each customer, obstacles, hand over → next offer
"""

from dataclasses import dataclass, fields

import numpy as np

from rules.units import PERMILLE
from simulations.counter_random import I64, Bools, CounterRandom
from simulations.sample_parameters import MAX_BAG, SampleCity
from simulations.surroundings import (
    FIRST_MONTH_DAYS,
    FIRST_YEAR_DAYS,
    HOUR_S,
    MINUTE_S,
    Merchants,
    RiderTraits,
    draw_crew,
    draw_kitchens,
    draw_obstacles,
    draw_weather,
)

LAST_END_S = 23 * HOUR_S + 30 * MINUTE_S
PICK_UP_S = 20
_MAX_TRIPS = 64


@dataclass(frozen=True, slots=True)
class SampleOrders:
    """All orders offered and accepted; int64 arrays of one row an order.

    Times are seconds after local midnight of `day`; `trip` counts a rider's trips of the day, `position` is the place
    in the bag of `bag` orders. `obstacle` is a position in `SampleCity.obstacles` or `NO_OBSTACLE`, `rain` the day's warning
    level, 0 when dry.
    """

    rider: I64
    day: I64
    trip: I64
    position: I64
    bag: I64
    merchant: I64
    distance_m: I64
    placed_s: I64
    accepted_s: I64
    arrived_s: I64
    promised_ready_s: I64
    ready_s: I64
    picked_s: I64
    promised_s: I64
    delivered_s: I64
    obstacle: I64
    rain: I64

    @property
    def occurrence(self) -> I64:
        """Number of the order within its rider's day, the same whatever else happens on that day."""
        return self.trip * MAX_BAG + self.position


def draw_riders(city: SampleCity, rng: CounterRandom) -> RiderTraits:
    """Who rides in the city; a rider is the same however many others there are."""
    return draw_crew(city, city.num_riders, rng)


def draw_merchants(city: SampleCity, rng: CounterRandom) -> Merchants:
    """Who cooks in the city, how fast, and how honest about it."""
    return draw_kitchens(city.kitchens, rng)


def draw_rain(city: SampleCity, rng: CounterRandom) -> I64:
    """Draw the rain warning of each day.

    Parameters
    ----------
    city
        The city, with its weather.
    rng
        The draws of its seed.

    Returns
    -------
    I64
        Warning level of each day, 0 on dry days; int64 (`num_days`,).
    """
    return draw_weather(city.weather, city.num_days, rng)


def draw_orders(city: SampleCity, rng: CounterRandom, riders: RiderTraits) -> SampleOrders:
    """All orders of all riders on all days, by trip; riders' days are independent of each other."""
    merchants, rain = draw_merchants(city, rng), draw_rain(city, rng)
    rider, day = (axis.ravel() for axis in np.indices((city.num_riders, city.num_days)))
    works = ~rng.chance(city.rest_per_million, "rider.rest", rider, day)
    rider, day = rider[works], day[works]
    shift_s = rng.draw(city.shift_s, "shift.length", rider, day)
    latest_s = LAST_END_S - shift_s
    free_s = np.minimum(rng.draw(city.shift_start_s, "shift.start", rider, day), latest_s)
    end_s = free_s + shift_s
    parts = []
    for trip in range(_MAX_TRIPS):
        shift = _ShiftUnderWay(rider, day, np.full(rider.size, trip), free_s, rain[day], _slowness(riders, rider, day))
        offer_s = free_s + _gap_s(city, rng, shift)
        going = offer_s < end_s
        if not going.any():
            break
        shift, offer_s, end_s = shift.rows(going), offer_s[going], end_s[going]
        orders, free_s = _trip(city, rng, shift, offer_s, merchants, riders)
        rider, day = shift.rider, shift.day
        parts.append(orders)
    columns = {
        field.name: np.concatenate([np.zeros(0, np.int64), *(getattr(part, field.name) for part in parts)])
        for field in fields(SampleOrders)
    }
    return SampleOrders(**columns)


@dataclass(frozen=True, slots=True)
class _ShiftUnderWay:
    """Riders' days in progress: who, which trip, when free, the rain, how far from practised."""

    rider: I64
    day: I64
    trip: I64
    free_s: I64
    rain: I64
    slowness: I64

    def rows(self, keep: Bools) -> "_ShiftUnderWay":
        """The days that go on."""
        return _ShiftUnderWay(*(getattr(self, field.name)[keep] for field in fields(self)))


def _slowness(riders: RiderTraits, rider: I64, day: I64) -> I64:
    """How far a rider is from practised: 2 in the first month, 1 in the first year, else 0."""
    tenure = riders.tenure_days[rider] + day
    return (tenure < FIRST_MONTH_DAYS).astype(np.int64) + (tenure < FIRST_YEAR_DAYS)


def _is_peak(city: SampleCity, at_s: I64) -> Bools:
    peak = np.zeros(at_s.shape, bool)
    for start, end in city.peaks_s:
        peak |= (at_s >= start) & (at_s < end)
    return peak


def _gap_s(city: SampleCity, rng: CounterRandom, shift: _ShiftUnderWay) -> I64:
    who = (shift.rider, shift.day, shift.trip)
    return np.where(
        _is_peak(city, shift.free_s),
        rng.draw(city.peak_gap_s, "trip.gap", *who),
        rng.draw(city.calm_gap_s, "trip.gap", *who),
    )


def _bag(city: SampleCity, rng: CounterRandom, shift: _ShiftUnderWay, peak: Bools) -> I64:
    rank = rng.below(1_000_000, "trip.bag", shift.rider, shift.day, shift.trip)
    (peak_two, peak_three), (calm_two, calm_three) = city.peak_bags_per_million, city.calm_bags_per_million
    two, three = np.where(peak, peak_two, calm_two), np.where(peak, peak_three, calm_three)
    return 1 + (rank < two) + (rank < three).astype(np.int64)


def _trip(
    city: SampleCity,
    rng: CounterRandom,
    shift: _ShiftUnderWay,
    offer_s: I64,
    merchants: Merchants,
    riders: RiderTraits,
) -> tuple[SampleOrders, I64]:
    """One trip of each rider: all pick-ups, then all drop-offs. Returns the orders and when each rider is free."""
    peak = _is_peak(city, offer_s)
    bag = _bag(city, rng, shift, peak)
    pace = riders.pace_s_per_km[shift.rider] * _factor(city, shift.slowness) // PERMILLE
    pace = np.where(shift.rain > 0, pace * city.weather.pace_permille // PERMILLE, pace)
    free_s = offer_s
    carried: list[dict[str, I64]] = []
    for position in range(MAX_BAG):
        order = _order(city, rng, shift, offer_s, position, bag, peak, merchants)
        in_bag = bag > position
        ride_s = rng.draw(city.approach_m, "order.approach", *_key(shift, position)) * pace // 1_000
        order["arrived_s"] = np.maximum(free_s + ride_s, order["accepted_s"] + 1)
        order["picked_s"] = np.maximum(order["arrived_s"], order["ready_s"]) + PICK_UP_S
        free_s = np.where(in_bag, order["picked_s"], free_s)
        carried.append(order)
    for position, order in enumerate(carried):
        key = _key(shift, position)
        hop = PERMILLE if position == 0 else rng.draw(city.hop_permille, "order.hop", *key)
        ride_s = order["distance_m"] * hop // PERMILLE * pace // 1_000
        search = _factor(city, shift.slowness) * riders.skill_permille[shift.rider] // PERMILLE
        hand_over_s = rng.draw(city.hand_over_s, "order.hand_over", *key) * search // PERMILLE
        order["obstacle"], delay_s = draw_obstacles(city.obstacles, rng, key)
        order["delivered_s"] = free_s + ride_s + hand_over_s + delay_s
        free_s = np.where(bag > position, order["delivered_s"], free_s)
    kept = [{name: values[bag > position] for name, values in order.items()} for position, order in enumerate(carried)]
    return SampleOrders(**{name: np.concatenate([order[name] for order in kept]) for name in kept[0]}), free_s


def _factor(city: SampleCity, slowness: I64) -> I64:
    return np.array([PERMILLE, city.first_year_permille, city.first_month_permille], np.int64)[slowness]


def _key(shift: _ShiftUnderWay, position: int) -> tuple[I64, I64, I64]:
    return shift.rider, shift.day, shift.trip * MAX_BAG + position


def _order(
    city: SampleCity,
    rng: CounterRandom,
    shift: _ShiftUnderWay,
    offer_s: I64,
    position: int,
    bag: I64,
    peak: Bools,
    merchants: Merchants,
) -> dict[str, I64]:
    """What is known of an order before anybody rides: where from, how far, when promised, when the meal is ready."""
    key = _key(shift, position)
    merchant = rng.below(merchants.prep_s.size, "order.merchant", *key)
    load = np.where(peak, city.kitchens.peak_permille, PERMILLE)
    noise = rng.draw(city.kitchens.prep_permille, "order.prep", *key)
    prep_s = merchants.prep_s[merchant] * load // PERMILLE * noise // PERMILLE
    distance_m = rng.draw(city.distance_m, "order.distance", *key)
    # Orders of one bag are offered within two minutes; an order waits half a minute to two minutes for its rider.
    accepted_s = offer_s + position * (10 + rng.below(50, "order.accepted", *key))
    placed_s = accepted_s - 30 - rng.below(90, "order.placed", *key)
    promised_prep_s = merchants.promised_s[merchant]
    ride_s = distance_m * city.estimate_s_per_km // 1_000
    estimate_s = np.maximum(promised_prep_s + ride_s + city.estimate_extra_s, city.min_estimate_s)
    return {
        "rider": shift.rider,
        "day": shift.day,
        "trip": shift.trip,
        "position": np.full(shift.rider.size, position),
        "bag": bag,
        "merchant": merchant,
        "distance_m": distance_m,
        "placed_s": placed_s,
        "accepted_s": accepted_s,
        "promised_ready_s": placed_s + promised_prep_s,
        "ready_s": placed_s + prep_s,
        "promised_s": placed_s + estimate_s + (bag - 1) * city.bag_extra_s,
        "rain": shift.rain,
    }
