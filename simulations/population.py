"""Who rides in the living city, and when each means to work. Fixed for a run, whatever the book.

Drawn from (seed, purpose, rider) and (seed, purpose, rider, day). What a rider decides is `simulations.behaviour`.
"""

import hashlib
from dataclasses import dataclass, fields

import numpy as np

from dispatch.fatigue import DAYS_IN_A_ROW_MAX
from rules.units import PERMILLE
from simulations.counter_random import I64, MILLION, Bools, CounterRandom
from simulations.scenario import Scenario
from simulations.surroundings import FIRST_MONTH_DAYS, FIRST_YEAR_DAYS, draw_crew

# Positions in simulations.world.TENURE_GROUPS and SKILL_GROUPS.
FIRST_MONTH, FIRST_YEAR, LATER = range(3)
SLOW, USUAL, QUICK = range(3)
# Beyond the usual by so much is slow or quick: the slowest and quickest fifths of the shipped skill.
SLOW_PERMILLE, QUICK_PERMILLE = 1_050, 960
SHORTEST_PAUSE_S = 1_800


@dataclass(frozen=True, slots=True)
class Population:
    """The city's riders; arrays of one row a rider, in the order of the town.

    ``pace_s_per_km``: riding time when practised, own skill included; ``search_permille``: own time at doors;
    ``boldness_permille``: response to pressure; ``target_fen_per_h``: income set out for; ``home_merchant``: where the
    rider waits for the first order.
    """

    dedicated: Bools
    tenure_days: I64
    pace_s_per_km: I64
    search_permille: I64
    boldness_permille: I64
    target_fen_per_h: I64
    area: I64
    home_merchant: I64

    @property
    def num(self) -> int:
        """How many riders."""
        return self.area.size

    @property
    def skill_group(self) -> I64:
        """Slow, usual or quick, by baseline skill."""
        skill = self.search_permille
        return np.where(skill > SLOW_PERMILLE, SLOW, np.where(skill < QUICK_PERMILLE, QUICK, USUAL))

    def tenure_group(self, day: int) -> I64:
        """First month, first year or later, on a day of the run."""
        tenure = self.tenure_days + day
        return np.where(tenure < FIRST_MONTH_DAYS, FIRST_MONTH, np.where(tenure < FIRST_YEAR_DAYS, FIRST_YEAR, LATER))

    def digest(self) -> str:
        """SHA-256 of all columns."""
        found = hashlib.sha256()
        for field in fields(self):
            found.update(np.ascontiguousarray(getattr(self, field.name)).astype(np.int64).tobytes())
        return found.hexdigest()


@dataclass(frozen=True, slots=True)
class Shifts:
    """What riders mean to work on a day: ``works``, from ``start_s`` to ``end_s`` after local midnight.

    ``later_start_s``, ``later_end_s``: the second stretch of those who pause between the meal peaks, -1 for the others.
    """

    works: Bools
    start_s: I64
    end_s: I64
    later_start_s: I64
    later_end_s: I64


def draw_population(scenario: Scenario, rng: CounterRandom) -> Population:
    """All riders of the town; a rider is the same however many others there are."""
    people, town = scenario.people, scenario.town
    crew = draw_crew(people, town.riders, rng)
    rider = np.arange(town.riders)
    area = rider // town.riders_per_area
    rank = rng.draw(scenario.demand.popularity_permille, "rider.home", rider)
    seat = rank * town.merchants_per_area // PERMILLE
    return Population(
        dedicated=crew.dedicated,
        tenure_days=crew.tenure_days,
        pace_s_per_km=crew.pace_s_per_km,
        search_permille=crew.skill_permille,
        boldness_permille=rng.draw(people.boldness_permille, "rider.boldness", rider),
        target_fen_per_h=rng.draw(people.target_fen_per_h, "rider.target", rider),
        area=area,
        home_merchant=area * town.merchants_per_area + seat,
    )


def slowness_permille(scenario: Scenario, tenure_group: I64) -> I64:
    """Riding and searching time by tenure, relative to the practised."""
    people = scenario.people
    return np.array([people.first_month_permille, people.first_year_permille, PERMILLE], np.int64)[tenure_group]


def draw_days_in_a_row(scenario: Scenario, rng: CounterRandom, num: int) -> I64:
    """Days that each rider has worked in a row when the run begins, as after many weeks.

    Were everybody fresh, all would rest on the same seventh day.
    """
    goes_on = 1 - scenario.people.rest_per_million / MILLION
    upto = np.cumsum(goes_on ** np.arange(DAYS_IN_A_ROW_MAX + 1))
    rank = rng.below(MILLION, "rider.in_a_row", np.arange(num))
    return np.searchsorted(upto / upto[-1] * MILLION, rank, side="right").astype(np.int64)


def draw_shifts(scenario: Scenario, rng: CounterRandom, day: int, num: int, days_in_a_row: I64) -> Shifts:
    """Who means to work on a day, and when; after six days in a row everybody rests."""
    people, rider = scenario.people, np.arange(num)
    works = ~rng.chance(people.rest_per_million, "rider.rest", rider, day)
    length_s = rng.draw(people.shift_s, "shift.length", rider, day)
    latest_s = np.maximum(people.last_end_s - length_s, people.shift_start_s.lowest)
    start_s = np.minimum(rng.draw(people.shift_start_s, "shift.start", rider, day), latest_s)
    noon_s = rng.draw(people.noon_start_s, "shift.noon", rider, day)
    evening_s = rng.draw(people.evening_start_s, "shift.evening", rider, day)
    half_s = length_s // 2
    pauses = rng.chance(people.pause_per_million, "shift.pause", rider, day)
    pauses &= (noon_s + half_s + SHORTEST_PAUSE_S <= evening_s) & (evening_s + half_s <= people.last_end_s)
    return Shifts(
        works=works & (days_in_a_row < DAYS_IN_A_ROW_MAX),
        start_s=np.where(pauses, noon_s, start_s),
        end_s=np.where(pauses, noon_s + half_s, start_s + length_s),
        later_start_s=np.where(pauses, evening_s, -1),
        later_end_s=np.where(pauses, evening_s + length_s - half_s, -1),
    )
