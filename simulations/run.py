"""One run of the living city: `run(scenario, plan, seed)`, day after day, with the real dispatcher and the real kernel.

orders, kitchens, weather are drawn → riders come, the dispatcher sends, they accept, ride, deliver → events → the day is
scored → tiers decide tomorrow's priority and bonus. Warm-up days under the old book first.

Invariant: what is drawn at random (`World.draws_digest`) is the same under every plan.
"""

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from dispatch.problem import PRIORITY_NEUTRAL, PRIORITY_RANGE
from rules.book import Book
from rules.calendar import calendar
from rules.compile import Program, compile_books, start_us
from rules.units import PERMILLE, US_PER_DAY, US_PER_S
from scoring.carry import Carried
from scoring.ledger import entries_table, riders_table
from scoring.prepare import Schedule
from scoring.score import ScoredRun, score
from simulations.area import DAY_END_S, DAY_START_S, Crew, day_parameters, new_dispatcher, set_up
from simulations.area_state import AreaState
from simulations.behaviour import leave_chance
from simulations.compiled_random import state_of
from simulations.counter_random import I64, MILLION, Bools, CounterRandom
from simulations.demand import MerchantPlaces, PlacedOrders, draw_placed, draw_places
from simulations.dispatcher import play_area
from simulations.population import (
    FIRST_MONTH,
    Population,
    draw_days_in_a_row,
    draw_population,
    draw_shifts,
    slowness_permille,
)
from simulations.price import point_values, prices, variant
from simulations.real_day import RealDay, places_of, requests_of, scenario_for, shifts_of
from simulations.records import DayRecord, ScoredDay, events_of, orders_table, positions, rider_days_table, stays_table
from simulations.scenario import Scenario
from simulations.scenario_files import day_of, num_areas
from simulations.surroundings import Merchants, draw_kitchens, draw_weather
from simulations.world import BookSwitch, World

DEFAULT_DAYS = 7


def run(
    scenario: Scenario, plan: BookSwitch, seed: int, num_days: int = DEFAULT_DAYS, given: RealDay | None = None
) -> World:
    """Simulate `num_days` days under `plan.book`, after the scenario's warm-up days under `plan.warm_up`.

    Parameters
    ----------
    scenario
        The city (`simulations.scenario_files.read`).
    plan
        The books, and who sees or feels them.
    seed
        Of all random draws; the same seed is the same city under every plan.
    num_days
        Days after the switch, at least 1.
    given
        Orders and couriers of real data, instead of drawn ones.

    Returns
    -------
    World
        Tables of rider days, orders, stays, events and the ledger; warm-up days have negative numbers.

    Raises
    ------
    RuntimeError
        If the days scored one by one and all days at once give other scores.
    """
    if given is not None:
        scenario = scenario_for(scenario, given)
    city = _DrawnCity.drawn(scenario, CounterRandom(seed), scenario.town.warm_up_days + num_days, given)
    law = _BooksInForce.of(scenario, plan)
    state = _RiderStates.fresh(city, law)
    days: list[ScoredDay] = []
    for day in range(city.num_days):
        state = state.under(law, day)
        told = _play_day(city, law, plan, state, day)
        scored = _score_day(city, law, state, told, day)
        evening = state.after(city, law, told, scored, day, responds=not plan.behaviour_off)
        days.append(ScoredDay(told, scored, state.score_mp, evening.score_mp, state.tier, evening.tier, evening.left))
        state = evening
    return _world(city, law, plan, seed, days)


def program_of(plan: BookSwitch, scenario: Scenario) -> tuple[Program, Schedule]:
    """The books of a plan as the kernel reads them, and which judges when: the old one until the switch."""
    law = _BooksInForce.of(scenario, plan)
    return law.program, law.schedule


@dataclass(frozen=True, slots=True)
class _DrawnCity:
    """What is drawn before anybody rides; ``rain``: level of each day."""

    scenario: Scenario
    rng: CounterRandom
    people: Population
    merchants: Merchants
    places: MerchantPlaces
    rain: I64
    midnight_us: I64
    num_days: int
    given: RealDay | None
    digests: dict[str, "hashlib._Hash"] = field(default_factory=dict)

    @staticmethod
    def drawn(scenario: Scenario, rng: CounterRandom, num_days: int, given: RealDay | None) -> "_DrawnCity":
        town = CounterRandom(scenario.town.city_seed)
        return _DrawnCity(
            scenario=scenario,
            rng=rng,
            people=draw_population(scenario, town),
            merchants=draw_kitchens(scenario.kitchens, town),
            places=draw_places(scenario, town) if given is None else places_of(given),
            rain=draw_weather(scenario.weather, num_days, rng),
            midnight_us=_midnights_us(scenario, num_days),
            num_days=num_days,
            given=given,
            digests={"orders": hashlib.sha256()},
        )

    def orders(self, day: int) -> PlacedOrders:
        ordered = None if self.given is None else requests_of(self.given)
        rain = int(self.rain[day])
        placed = draw_placed(self.scenario, self.rng, day, self.merchants, self.places, rain, ordered)
        self.digests["orders"].update(placed.digest().encode())
        return placed

    def draws_digest(self) -> dict[str, str]:
        kitchens = hashlib.sha256(self.merchants.prep_s.tobytes() + self.merchants.promised_s.tobytes())
        return {
            "orders": self.digests["orders"].hexdigest(),
            "kitchens": kitchens.hexdigest(),
            "weather": hashlib.sha256(self.rain.tobytes()).hexdigest(),
            "people": self.people.digest(),
        }


@dataclass(frozen=True, slots=True)
class _BooksInForce:
    """The books of a plan: which judges a day, as the kernel reads them."""

    program: Program
    schedule: Schedule
    switch_day: int
    starts: tuple[tuple[int, int], ...]
    day_start_us: I64

    @staticmethod
    def of(scenario: Scenario, plan: BookSwitch) -> "_BooksInForce":
        books = tuple({book.digest: book for book in (*plan.warm_up, *plan.book)}.values())
        program = compile_books(books)
        warm_up = scenario.town.warm_up_days
        midnight_us = _midnights_us(scenario, warm_up + 1)
        switch_us = int(midnight_us[warm_up]) + DAY_START_S * US_PER_S
        before = (
            [(at, position) for at, position in _versions(program, plan.warm_up) if at < switch_us] if warm_up else []
        )
        in_force = [position for at, position in _versions(program, plan.book) if at <= switch_us]
        first = in_force[-1] if in_force else program.position(plan.book[0].digest)
        later = [
            (at, position) for at, position in _versions(program, plan.book) if at > switch_us and position != first
        ]
        if warm_up and not before:
            before = [(int(midnight_us[0]), program.position(plan.warm_up[0].digest))]
        starts = (*before, (switch_us, first), *later)
        return _BooksInForce(program, Schedule({("", ""): starts}, reach_back=True), warm_up, starts, midnight_us)

    def book_at(self, at_us: int) -> Book:
        """The book that judges an instant."""
        begun = [position for start, position in self.starts if start <= at_us] or [self.starts[0][1]]
        return self.program.books[begun[-1]]

    def book_on(self, day: int) -> Book:
        """The book in force at the beginning of a day of the run."""
        return self.book_at(int(self.day_start_us[0]) + day * US_PER_DAY + DAY_START_S * US_PER_S)


def _versions(program: Program, books: Iterable[Book]) -> list[tuple[int, int]]:
    return sorted((start_us(book.model), program.position(book.digest)) for book in books)


@dataclass(frozen=True, slots=True)
class _RiderStates:
    """Riders between two days: scores, tiers, who has left, what the week brought."""

    score_mp: I64
    tier: I64
    left: Bools
    days_in_a_row: I64
    income_fen: I64
    worked_s: I64
    carried: Carried | None

    @staticmethod
    def fresh(city: "_DrawnCity", law: _BooksInForce) -> "_RiderStates":
        num = city.people.num
        zeros = np.zeros(num, np.int64)
        # Real couriers work on every day of the data: nobody knows of the days before.
        in_a_row = zeros if city.given is not None else draw_days_in_a_row(city.scenario, city.rng, num)
        base = np.full(num, law.book_on(0).model.score.base_mp, np.int64)
        return _RiderStates(base, zeros, np.zeros(num, bool), in_a_row, zeros, zeros, None)

    def under(self, law: _BooksInForce, day: int) -> "_RiderStates":
        """The same riders under the book of a day; at the switch to another base, all are put there."""
        book = law.book_on(day)
        score_mp = self.score_mp
        if day and law.book_on(day - 1).model.score.base_mp != book.model.score.base_mp:
            score_mp = np.full(score_mp.size, book.model.score.base_mp, np.int64)
        return _RiderStates(
            score_mp,
            _tiers(book, score_mp),
            self.left,
            self.days_in_a_row,
            self.income_fen,
            self.worked_s,
            self.carried,
        )

    def after(
        self, city: _DrawnCity, law: _BooksInForce, told: DayRecord, scored: ScoredRun, day: int, *, responds: bool
    ) -> "_RiderStates":  # fmt: skip
        """The riders on the morning after."""
        at = positions(scored)
        score_mp = self.score_mp.copy()
        score_mp[at] = scored.head.riders["score_mp"]
        money = np.zeros(score_mp.size, np.int64)
        np.add.at(money, at[scored.entries["rider"]], scored.entries["money_fen"].astype(np.int64))
        income = self.income_fen + told.fees_fen + money
        worked = self.worked_s + told.worked_s
        left = self.left | _leaves(city, income if responds else np.full_like(income, -1), worked, day)
        in_a_row = np.where(told.worked_s > 0, self.days_in_a_row + 1, 0)
        return _RiderStates(
            score_mp, _tiers(law.book_on(day), score_mp), left, in_a_row, income, worked, scored.carried
        )


def _leaves(city: _DrawnCity, income_fen: I64, worked_s: I64, day: int) -> Bools:
    """Who leaves for good at the end of a day; income below zero stands for a rider who does not look at it."""
    behaviour = city.scenario.behaviour
    per_hour = np.where(income_fen < 0, behaviour.wage_fen_per_h, income_fen * 3_600 / np.maximum(worked_s, 1))
    chance = np.array(
        [
            leave_chance(
                float(each), float(behaviour.wage_fen_per_h), behaviour.leave_per_million / MILLION,
                behaviour.leave_gain_permille / PERMILLE, behaviour.leave_most_per_million / MILLION,
            )
            for each in per_hour
        ]
    )  # fmt: skip
    ranks = city.rng.below(MILLION, "rider.leaves", np.arange(worked_s.size), day)
    return (worked_s > 0) & (ranks < chance * MILLION)


def _tiers(book: Book, score_mp: I64) -> I64:
    """Position of each score among the book's tiers."""
    least = np.array([-(2**62) if tier.min_mp is None else tier.min_mp for tier in book.model.tier])
    return np.searchsorted(least, score_mp, side="right") - 1


def _play_day(city: _DrawnCity, law: _BooksInForce, plan: BookSwitch, state: _RiderStates, day: int) -> DayRecord:
    """One day of all areas."""
    scenario, rain = city.scenario, int(city.rain[day])
    placed = city.orders(day)
    book = law.book_on(day)
    price = prices(book, scenario.people, rain)
    parameters = day_parameters(scenario, rain, responds=not plan.behaviour_off)
    crew = _crew(city, book, plan, state, day)
    floor = book.model.offers
    lose = scenario.sending.lose_permille if floor is None else floor.max_loss_permille
    lives: list[AreaState] = []
    orders: list[PlacedOrders] = []
    rounds = 0
    for area in range(num_areas(scenario.town)):
        own = _rows(crew, np.flatnonzero(city.people.area == area))
        todays = placed.rows(placed.area == area)
        live = set_up(
            scenario, city.places, area, own, todays, price, parameters, day, state_of(city.rng, _answers(plan))
        )  # fmt: skip
        desk = new_dispatcher(scenario, own, lose)
        first_s = int(
            min([*todays.placed_s[:1].tolist(), *own.start_s[own.start_s >= 0].tolist()], default=DAY_START_S)
        )
        play_area(live, desk, first_s // 60 * 60, DAY_END_S)
        lives.append(live)
        orders.append(todays)
        rounds += desk.rounds
    counts = np.concatenate([live.counts for live in lives])
    figures = {
        "rounds": rounds,
        "offers": int(counts["num_offers"].sum()),
        "steps": int(counts["num_steps"].sum()),
        "stays": int(counts["num_stays"].sum()),
    }
    return DayRecord.of(day, int(city.midnight_us[day]), rain, lives, orders, figures)


def _answers(plan: BookSwitch) -> str:
    """The purpose of the draws that answer offers."""
    return f"offer.answer.{plan.noise}" if plan.noise else "offer.answer"


def _crew(city: _DrawnCity, book: Book, plan: BookSwitch, state: _RiderStates, day: int) -> Crew:
    """All riders of the town as they set out on a day."""
    scenario, people = city.scenario, city.people
    if city.given is None:
        shifts = draw_shifts(scenario, city.rng, day, people.num, state.days_in_a_row)
    else:
        shifts = shifts_of(city.given)
    works = shifts.works & ~state.left
    group = people.tenure_group(day)
    slow = slowness_permille(scenario, group)
    kind = people.dedicated.astype(np.int64)
    newcomer = book.model.newcomer
    first_days = 0 if newcomer is None or "delivered" not in newcomer.kinds else newcomer.first_days
    protected = (people.tenure_days + day < first_days).astype(np.int64)
    tiers = book.model.tier
    permille = np.array([tier.priority_permille for tier in tiers])[state.tier]
    priority = np.full(people.num, PRIORITY_NEUTRAL, np.int64) if plan.blind else permille
    rider = np.arange(people.num)
    caps = np.where(group == FIRST_MONTH, scenario.people.capacity_first_month, scenario.people.capacity)
    return Crew(
        rider=rider, kind=kind, home=people.home_merchant, start_s=np.where(works, shifts.start_s, -1),
        end_s=np.where(works, shifts.end_s, -1), later_start_s=np.where(works, shifts.later_start_s, -1),
        later_end_s=np.where(works, shifts.later_end_s, -1), variant=variant(kind, group, protected),
        pace_s_per_km=people.pace_s_per_km * slow // PERMILLE, search_permille=people.search_permille * slow // PERMILLE,
        boldness=people.boldness_permille / PERMILLE, point_fen=point_values(book, scenario.behaviour, state.score_mp),
        target_fen_per_h=people.target_fen_per_h.astype(np.float64),
        bonus_fen=np.array([tier.bonus_fen for tier in tiers], np.float64)[state.tier],
        priority=np.clip(priority, *PRIORITY_RANGE), capacity=caps,
        consents=city.rng.chance(MILLION // 2, "rider.consents", rider, day).astype(np.int64),
        days_in_a_row=state.days_in_a_row,
    )  # fmt: skip


def _rows(crew: Crew, rows: I64) -> Crew:
    return Crew(*(getattr(crew, name)[rows] for name in Crew.__dataclass_fields__))


def _score_day(city: _DrawnCity, law: _BooksInForce, state: _RiderStates, told: DayRecord, day: int) -> ScoredRun:
    """Score a day's events on top of what was carried, up to 04:00 of the next day."""
    events = events_of(city.scenario, city.rng, city.people, told)
    end_us = int(city.midnight_us[day]) + DAY_END_S * US_PER_S
    told.events.append(events)
    return score(law.program, law.schedule, events, state.carried, as_of_us=end_us, keep_from_us=end_us)


def _world(city: _DrawnCity, law: _BooksInForce, plan: BookSwitch, seed: int, days: list[ScoredDay]) -> World:
    """All days put together; the ledger is scored once more over the whole, and must agree with the daily one."""
    scenario, warm_up = city.scenario, city.scenario.town.warm_up_days
    events = pa.concat_tables([each.told.events[0] for each in days]) if days else pa.table({})
    end_us = int(city.midnight_us[-1]) + DAY_END_S * US_PER_S
    whole = score(law.program, law.schedule, events, as_of_us=end_us)
    if days and not np.array_equal(whole.head.riders["score_mp"], days[-1].scored.head.riders["score_mp"]):
        raise RuntimeError("the days scored one by one and all at once disagree")
    figures = {name: sum(each.told.figures[name] for each in days) for name in days[0].told.figures} if days else {}
    return World(
        scenario=scenario.name, scenario_digest=scenario.digest, seed=seed, plan=plan,
        num_days=city.num_days - warm_up, num_warm_up=warm_up,
        first_day_us=int(city.midnight_us[min(warm_up, city.num_days - 1)]) + DAY_START_S * US_PER_S,
        rider_days=rider_days_table(city.people, days, warm_up), orders=orders_table(days, warm_up),
        stays=stays_table(days), events=events, entries=entries_table(whole, whole.until_us), riders=riders_table(whole),
        draws_digest=city.draws_digest(), figures=figures,
    )  # fmt: skip


def _midnights_us(scenario: Scenario, num_days: int) -> I64:
    """Local midnight of each day."""
    first = day_of(scenario.town.first_day)
    days = calendar(scenario.time_zone, dt.time(0))
    return np.array([days.start_of(first + dt.timedelta(days=day)) for day in range(num_days)], np.int64)
