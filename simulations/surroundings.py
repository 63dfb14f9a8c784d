"""What every simulated city has: kitchens, weather, obstacles, and who rides. Shared by the sample and the living city.

Parameters and their draws, from (seed, purpose, entity, day); whoever draws decides nothing. "Source" is a line of the
domain notes; whatever is nobody's published number says "assumption".
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa

from rules.units import PERMILLE
from simulations.counter_random import I64, Bools, CounterRandom, Quantiles

MINUTE_S = 60
HOUR_S = 3_600
FIRST_MONTH_DAYS, FIRST_YEAR_DAYS = 30, 365
NO_OBSTACLE = -1


@dataclass(frozen=True, slots=True)
class Kitchens:
    """Merchants: how long they cook and how honest the promised ready time is.

    Parameters
    ----------
    num_merchants
        Merchants of the trade area. Assumption.
    slow_per_million
        Share of slow kitchens. Assumption: one in eight.
    usual_prep_s, slow_prep_s
        A merchant's own median preparation, from placing the order to the meal being ready. Assumption.
    prep_permille
        One meal's preparation relative to the merchant's median. Assumption: right-skewed.
    peak_permille
        Preparation at meal peaks relative to other hours. Assumption.
    boastful_per_million
        Share of merchants who promise too much, among the slow ones and the others alike. Assumption.
    honest_permille, boastful_permille
        Promised relative to median preparation. Assumption.
    report_after_s, reported_per_million
        A rider who waits longer than this beyond the promise may report it; share of such waits with a verified report.
        Assumption.
    """

    num_merchants: int = 150
    slow_per_million: int = 125_000
    usual_prep_s: Quantiles = Quantiles(((0, 240), (500, 420), (900, 600), (1000, 780)))
    slow_prep_s: Quantiles = Quantiles(((0, 660), (500, 900), (1000, 1_380)))
    prep_permille: Quantiles = Quantiles(((0, 500), (500, 1_000), (900, 1_350), (980, 1_900), (1000, 3_000)))
    peak_permille: int = 1_150
    boastful_per_million: int = 200_000
    honest_permille: Quantiles = Quantiles(((0, 1_050), (1000, 1_400)))
    boastful_permille: Quantiles = Quantiles(((0, 450), (1000, 800)))
    report_after_s: int = 300
    reported_per_million: int = 300_000


@dataclass(frozen=True, slots=True)
class Weather:
    """Rain: days, level, what it costs and what the platform gives for it.

    Parameters
    ----------
    rain_per_million
        Chance that it rains on a day. Assumption: two days in a fortnight.
    level
        Level of the weather warning on a rain day, 1 … 4. Assumption.
    pace_permille
        Travel time in rain relative to dry days. Assumption.
    extend_s
        Seconds by which the platform extends a deadline, per order. Assumption; that it does: GB/T 46862 7.4.4.
    extended_per_million, reported_per_million
        Share of orders on a rain day whose deadline is extended; share with a verified report. Assumption.
    """

    rain_per_million: int = 160_000
    level: Quantiles = Quantiles(((0, 1), (700, 2), (1000, 4)))
    pace_permille: int = 1_180
    extend_s: Quantiles = Quantiles(((0, 300), (1000, 600)))
    extended_per_million: int = 850_000
    reported_per_million: int = 300_000


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Something that holds a rider up on one order.

    Parameters
    ----------
    report
        Report kind that fits (`rules.events.REPORT_KINDS`).
    per_million
        Share of orders it happens to.
    delay_s
        How long it holds the rider up, seconds.
    reported_per_million
        Share of cases with a verified report.
    """

    report: str
    per_million: int
    delay_s: Quantiles
    reported_per_million: int


@dataclass(frozen=True, slots=True)
class RiderTraits:
    """The city's riders; arrays of one row a rider.

    Parameters
    ----------
    dedicated
        Whether dedicated, else crowdsourced.
    tenure_days
        Days since joining on the first day of the city.
    pace_s_per_km
        Own riding time when practised, skill included.
    skill_permille
        Own searching time relative to the usual.
    """

    dedicated: Bools
    tenure_days: I64
    pace_s_per_km: I64
    skill_permille: I64


@dataclass(frozen=True, slots=True)
class Merchants:
    """The city's merchants; arrays of one row a merchant, seconds of median and of promised preparation."""

    prep_s: I64
    promised_s: I64


class RiderDistributions(Protocol):
    """What riders are drawn from."""

    @property
    def dedicated_per_million(self) -> int:
        """Share of dedicated riders."""

    @property
    def tenure_days(self) -> Quantiles:
        """Days since joining."""

    @property
    def pace_s_per_km(self) -> Quantiles:
        """Riding time of the practised."""

    @property
    def skill_permille(self) -> Quantiles:
        """Own time relative to the usual."""


def draw_crew(people: RiderDistributions, num_riders: int, rng: CounterRandom) -> RiderTraits:
    """Riders 0 … num_riders − 1."""
    rider = np.arange(num_riders)
    skill = rng.draw(people.skill_permille, "rider.skill", rider)
    return RiderTraits(
        dedicated=rng.chance(people.dedicated_per_million, "rider.dedicated", rider),
        tenure_days=rng.draw(people.tenure_days, "rider.tenure", rider),
        pace_s_per_km=rng.draw(people.pace_s_per_km, "rider.pace", rider) * skill // PERMILLE,
        skill_permille=skill,
    )


def draw_kitchens(kitchens: Kitchens, rng: CounterRandom) -> Merchants:
    """Merchants 0 … num_merchants − 1."""
    merchant = np.arange(kitchens.num_merchants)
    slow = rng.chance(kitchens.slow_per_million, "merchant.slow", merchant)
    boastful = rng.chance(kitchens.boastful_per_million, "merchant.boastful", merchant)
    prep_s = np.where(
        slow,
        rng.draw(kitchens.slow_prep_s, "merchant.prep", merchant),
        rng.draw(kitchens.usual_prep_s, "merchant.prep", merchant),
    )
    honesty = np.where(
        boastful,
        rng.draw(kitchens.boastful_permille, "merchant.honesty", merchant),
        rng.draw(kitchens.honest_permille, "merchant.honesty", merchant),
    )
    return Merchants(prep_s, prep_s * honesty // PERMILLE)


def draw_weather(weather: Weather, num_days: int, rng: CounterRandom) -> I64:
    """Warning level of days 0 … num_days − 1, 0 on dry days."""
    day = np.arange(num_days)
    rains = rng.chance(weather.rain_per_million, "weather.rain", 0, day)
    return np.where(rains, rng.draw(weather.level, "weather.level", 0, day), 0)


def draw_obstacles(obstacles: tuple[Obstacle, ...], rng: CounterRandom, key: tuple[I64, I64, I64]) -> tuple[I64, I64]:
    """At most one obstacle an order, and the seconds it costs."""
    rank = rng.below(1_000_000, "order.obstacle", *key)
    found, delay_s = np.full(rank.size, NO_OBSTACLE), np.zeros(rank.size, np.int64)
    least = 0
    for number, obstacle in enumerate(obstacles):
        here = (rank >= least) & (rank < least + obstacle.per_million)
        found[here] = number
        delay_s = np.where(here, rng.draw(obstacle.delay_s, "order.delay", *key), delay_s)
        least += obstacle.per_million
    return found, delay_s


def rider_names(rider: I64) -> pa.Array:
    """Rider ids of positions: 0 is r00001."""
    return pa.array(np.char.mod("r%05d", rider + 1), pa.string())


def rider_positions(names: pa.Array | pa.ChunkedArray) -> I64:
    """Positions of rider ids: the inverse of `rider_names`."""
    return np.array([int(name[1:]) - 1 for name in names.to_pylist()], np.int64)
