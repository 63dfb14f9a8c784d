"""The randomly drawn orders of a day: time, places, cooking time, and obstacles at the door.

Drawn before anybody rides, from (seed, purpose, order, day), so that they are the same under every book. Nothing here
knows riders.
"""

import hashlib
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from dispatch.problem import STAIRS_S_PER_FLOOR
from rules.units import PERMILLE
from simulations.counter_random import I64, MILLION, CounterRandom
from simulations.scenario import Pairs, Scenario
from simulations.scenario_files import num_areas
from simulations.surroundings import HOUR_S, Merchants, draw_obstacles

ORDERS_PER_DAY_MAX = 10_000_000
F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PlacedOrders:
    """Orders of one day by time of placing; int64 arrays of one row an order, times in seconds after local midnight.

    ``number``: identity; ``merchant``: in the whole town; ``x``, ``y``: door, metres; ``straight_m``: merchant to door;
    ``distance_m``: by road; ``at_door_s``: handing over by a usual rider; ``delay_s``: an obstacle on top;
    ``noise_store_permille``, ``noise_door_permille``: riding time of the two legs; ``patience_s``: instant at which the
    customer cancels; ``extend_s``: deadline extended by the platform, 0 not; ``obstacle``: position in the scenario's.
    """

    number: I64
    area: I64
    merchant: I64
    x: I64
    y: I64
    distance_m: I64
    placed_s: I64
    promised_ready_s: I64
    ready_s: I64
    promised_s: I64
    patience_s: I64
    fee_fen: I64
    at_door_s: I64
    delay_s: I64
    obstacle: I64
    extend_s: I64
    noise_store_permille: I64
    noise_door_permille: I64

    @property
    def num(self) -> int:
        """How many orders."""
        return self.number.size

    def rows(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> "PlacedOrders":
        """Some of the orders."""
        return PlacedOrders(*(getattr(self, field.name)[rows] for field in fields(self)))

    def digest(self) -> str:
        """SHA-256 of all columns."""
        found = hashlib.sha256()
        for field in fields(self):
            found.update(np.ascontiguousarray(getattr(self, field.name)).tobytes())
        return found.hexdigest()


@dataclass(frozen=True, slots=True)
class MerchantPlaces:
    """Where merchants stand, metres in their area's plane; areas lie side by side and never meet."""

    x: I64
    y: I64
    area: I64


def draw_places(scenario: Scenario, rng: CounterRandom) -> MerchantPlaces:
    """Merchants' places: each trade area a square, merchants in clusters towards its middle."""
    town, merchant = scenario.town, np.arange(scenario.kitchens.num_merchants)
    x, y = (
        (
            rng.below(town.area_m, f"merchant.{axis}", merchant)
            + rng.below(town.area_m, f"merchant.{axis}_too", merchant)
        )
        // 2
        for axis in ("x", "y")
    )
    return MerchantPlaces(x, y, merchant // town.merchants_per_area)


@dataclass(frozen=True, slots=True)
class OrderRequests:
    """What is ordered, by time of placing: ``order`` of the day, where from, where to; ``ready_s``, ``promised_s`` -1 if not known."""

    order: I64
    area: I64
    merchant: I64
    x: I64
    y: I64
    placed_s: I64
    ready_s: I64
    promised_s: I64


def draw_requests(scenario: Scenario, rng: CounterRandom, day: int, places: MerchantPlaces, rain: int) -> OrderRequests:
    """What a city orders on a day."""
    demand, town = scenario.demand, scenario.town
    wet = demand.rain_permille if rain else PERMILLE
    volume = int(rng.draw(demand.volume_permille, "day.volume", 0, day)[0])
    num = town.orders_per_day * volume // PERMILLE * wet // PERMILLE
    order = np.arange(num)
    placed_s = rng.draw(demand.placed_s, "order.placed", order, day)
    turn = np.argsort(placed_s, kind="stable")
    order, placed_s = order[turn], placed_s[turn]
    area = rng.below(num_areas(town), "order.area", order, day)
    seat = rng.draw(demand.popularity_permille, "order.merchant", order, day) * town.merchants_per_area // PERMILLE
    merchant = area * town.merchants_per_area + seat
    straight_m = rng.draw(demand.distance_m, "order.distance", order, day)
    angle = rng.below(MILLION, "order.angle", order, day) * (2 * np.pi / MILLION)
    x = places.x[merchant] + np.rint(straight_m * np.cos(angle)).astype(np.int64)
    y = places.y[merchant] + np.rint(straight_m * np.sin(angle)).astype(np.int64)
    return OrderRequests(order, area, merchant, x, y, placed_s, np.full(num, -1), np.full(num, -1))


def draw_placed(
    scenario: Scenario,
    rng: CounterRandom,
    day: int,
    merchants: Merchants,
    places: MerchantPlaces,
    rain: int,
    ordered: OrderRequests | None = None,
) -> PlacedOrders:
    """All orders of one day; what is `ordered` is drawn unless it is given."""
    if ordered is None:
        ordered = draw_requests(scenario, rng, day, places, rain)
    demand, streets = scenario.demand, scenario.streets
    order, placed_s, merchant, x, y = ordered.order, ordered.placed_s, ordered.merchant, ordered.x, ordered.y
    straight_m = np.rint(np.hypot(x - places.x[merchant], y - places.y[merchant])).astype(np.int64)
    distance_m = straight_m * streets.detour_permille // PERMILLE
    peak = np.where(_is_peak(placed_s), scenario.kitchens.peak_permille, PERMILLE)
    noise = rng.draw(scenario.kitchens.prep_permille, "order.prep", order, day)
    ready_s = placed_s + merchants.prep_s[merchant] * peak // PERMILLE * noise // PERMILLE
    promised_ready_s = placed_s + merchants.promised_s[merchant]
    promised_s = _promised_s(scenario, placed_s, merchants.promised_s[merchant], distance_m, rain)
    told = ordered.ready_s >= 0
    obstacle, delay_s = draw_obstacles(
        scenario.obstacles, rng, (order, np.full(order.size, day), np.zeros(order.size, np.int64))
    )
    extended = (rain > 0) & rng.chance(scenario.weather.extended_per_million, "order.extended", order, day)
    paid_m = np.maximum(distance_m - demand.free_m, 0)
    return PlacedOrders(
        number=day * ORDERS_PER_DAY_MAX + order, area=ordered.area, merchant=merchant, x=x, y=y, distance_m=distance_m,
        placed_s=placed_s, promised_ready_s=np.where(told, ordered.ready_s, promised_ready_s),
        ready_s=np.where(told, ordered.ready_s, ready_s),
        promised_s=np.where(ordered.promised_s >= 0, ordered.promised_s, promised_s),
        patience_s=placed_s + rng.draw(demand.patience_s, "order.patience", order, day),
        fee_fen=demand.base_fee_fen + paid_m * demand.fee_fen_per_km // 1_000 + (demand.rain_fee_fen if rain else 0),
        at_door_s=_at_door_s(scenario, rng, (order, day), ordered.area, x, y), delay_s=delay_s, obstacle=obstacle,
        extend_s=np.where(extended, rng.draw(scenario.weather.extend_s, "order.extend", order, day), 0),
        noise_store_permille=rng.draw(streets.noise_permille, "order.noise_store", order, day),
        noise_door_permille=rng.draw(streets.noise_permille, "order.noise_door", order, day),
    )  # fmt: skip


def _promised_s(scenario: Scenario, placed_s: I64, prep_s: I64, distance_m: I64, rain: int) -> I64:
    """The deadline: the longest of the estimates, longer in rain."""
    promise = scenario.promise
    wet = promise.rain_permille if rain else PERMILLE
    ride_s = distance_m * promise.s_per_km // 1_000
    return placed_s + np.maximum(prep_s + ride_s + promise.extra_s, promise.least_s) * wet // PERMILLE


def _at_door_s(scenario: Scenario, rng: CounterRandom, key: tuple[I64, int], area: I64, x: I64, y: I64) -> I64:
    """Handing over, gates, lifts and stairs; whether there is a gate or a lift belongs to the block."""
    doors = scenario.doors
    block = (area * 16_384 + (x // doors.block_m) + 4_096) * 16_384 + (y // doors.block_m) + 4_096
    town = CounterRandom(scenario.town.city_seed)
    gated = town.chance(doors.gated_per_million, "block.gated", block)
    has_lift = town.chance(doors.lift_per_million, "block.lift", block)
    lift_s = rng.draw(doors.lift_s, "order.lift", *key)
    stairs_s = rng.draw(doors.floors, "order.floor", *key) * STAIRS_S_PER_FLOOR
    gate_s = np.where(gated, rng.draw(doors.gate_s, "order.gate", *key), 0)
    return rng.draw(doors.hand_over_s, "order.hand_over", *key) + gate_s + np.where(has_lift, lift_s, stairs_s)


_PEAKS_S = ((38_700, 47_700), (61_200, 71_100))


def _is_peak(at_s: I64) -> NDArray[np.bool_]:
    return np.logical_or.reduce([(at_s >= start) & (at_s < end) for start, end in _PEAKS_S])


def congestion_table(pairs: Pairs) -> I64:
    """Riding time per mille by minute after midnight, for 28 hours."""
    minute = np.arange(28 * HOUR_S // 60) * 60
    return np.rint(np.interp(minute, [at for at, _ in pairs], [height for _, height in pairs])).astype(np.int64)
