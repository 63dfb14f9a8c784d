"""Setting a trade area up for a day: places, riders on shift, slots for orders, the dispatcher's desk.

Whole days only: nobody rides and no order is in hand when a day begins. Nothing happens here.
"""

from dataclasses import dataclass

import numpy as np

from dispatch.board import lay_out
from dispatch.compiled import Ints
from dispatch.fairness import no_floor
from dispatch.fatigue import fresh_hours
from dispatch.horizon import Settings
from dispatch.objective import Weights
from dispatch.problem import InsertionRule, Market, Orders, Problem, Riders
from dispatch.route import PLACED, READY
from dispatch.travel import MatrixTravel
from rules.units import PERMILLE
from simulations.live import (
    BEGAN,
    BOLDNESS,
    BONUS,
    COUNTERS,
    CREW_COLUMNS,
    DAY,
    DETOUR,
    DIALS,
    END,
    ENDED,
    F64,
    FREE_SLOTS,
    GROSS,
    HOME,
    KIND,
    LATER_END,
    LATER_START,
    LOG_COLUMNS,
    LOG_DECLINES,
    MOOD_COLUMNS,
    PACE,
    PHASE,
    PLAN_PACE,
    PLANNED,
    POINT_FEN,
    RIDER,
    SEARCH,
    SINCE,
    SLOT_COLUMNS,
    START,
    STAY_COLUMNS,
    STAY_ORDER,
    T_NUMBER,
    TARGET_PER_H,
    TODAY_COLUMNS,
    VARIANT,
    Live,
)
from simulations.parts import Scenario
from simulations.placed import Placed, Places, congestion_table
from simulations.price import Prices
from simulations.randomness import MILLION
from simulations.sending import Desk

DAY_START_S = 4 * 3_600
DAY_END_S = 28 * 3_600
LONGEST_SHIFT_S = 12 * 3_600
HALF_PICKUP_S, HALF_DROPOFF_S = 25, 60
# Orders in hand and waiting, a rider: beyond this the next order is not seen until one is done.
SLOTS_A_RIDER, SLOTS_LEAST = 4, 64
_FAR_S = 10**9


@dataclass(frozen=True, slots=True)
class Crew:
    """The riders of an area on a day, one row each; positions of the town in ``rider``.

    ``start_s``, ``end_s``: stretch of work, -1 where the rider rests or has left; ``later_*``: the one after a pause, -1 none. ``priority``: of their tier,
    per mille, higher = offered sooner. ``capacity``: orders in hand at once.
    """

    rider: Ints
    kind: Ints
    home: Ints
    start_s: Ints
    end_s: Ints
    later_start_s: Ints
    later_end_s: Ints
    variant: Ints
    pace_s_per_km: Ints
    search_permille: Ints
    boldness: F64
    point_fen: F64
    target_fen_per_h: F64
    bonus_fen: F64
    priority: Ints
    capacity: Ints
    consents: Ints
    days_in_a_row: Ints


def set_up(
    scenario: Scenario, places: Places, area: int, crew: Crew, placed: Placed, prices: Prices, dials: F64, day: int, luck: np.uint64
) -> Live:  # fmt: skip
    """An area at 04:00: everybody off duty, no order placed."""
    num, here = crew.rider.size, np.flatnonzero(places.area == area)
    num_slots = SLOTS_A_RIDER * num + SLOTS_LEAST
    problem = _problem(scenario, crew, here.size, num_slots)
    board = lay_out(problem, weights_of(scenario))
    board.orders[:, (PLACED, READY)] = _FAR_S
    xy = np.zeros((here.size + num + num_slots, 2))
    xy[: here.size, 0], xy[: here.size, 1] = places.x[here], places.y[here]
    home = crew.home - here[0]
    xy[here.size : here.size + num] = xy[home]
    xy[here.size + num :] = xy[0]
    gaps = np.sqrt(((xy[:, None] - xy[None]) ** 2).sum(axis=2))
    board.travel_s[:] = np.ceil(gaps * dials[DETOUR] * dials[PLAN_PACE] / 1_000.0)
    rows = np.zeros((num, CREW_COLUMNS), np.int64)
    for column, values in (
        (RIDER, crew.rider), (KIND, crew.kind), (START, crew.start_s), (END, crew.end_s), (VARIANT, crew.variant),
        (PACE, crew.pace_s_per_km), (SEARCH, crew.search_permille), (SINCE, DAY_START_S), (STAY_ORDER, -1),
        (BEGAN, -1), (ENDED, -1), (PHASE, 0),
        (LATER_START, crew.later_start_s), (LATER_END, crew.later_end_s),
        (HOME, home), (PLANNED, crew.end_s - crew.start_s + crew.later_end_s - crew.later_start_s),
    ):  # fmt: skip
        rows[:, column] = values
    mood = np.zeros((num, MOOD_COLUMNS))
    for column, feeling in (
        (BOLDNESS, crew.boldness), (POINT_FEN, crew.point_fen), (TARGET_PER_H, crew.target_fen_per_h), (BONUS, crew.bonus_fen),
    ):  # fmt: skip
        mood[:, column] = feeling
    log = np.full((placed.num, LOG_COLUMNS), -1, np.int64)
    log[:, LOG_DECLINES] = 0
    tally = np.zeros(COUNTERS, np.int64)
    tally[FREE_SLOTS], tally[DAY], tally[GROSS] = num_slots, day, int(prices.gross)
    return Live(
        board=board, xy=xy, crew=rows, mood=mood, slots=np.zeros((num_slots, SLOT_COLUMNS), np.int64),
        today=_today(placed, here[0]), log=log,
        stays=np.zeros((8 * placed.num + 16 * num + 64, STAY_COLUMNS), np.int64),
        free=np.arange(num_slots)[::-1].copy(), tally=tally, dials=dials, prices=prices.table,
        busy_pm=congestion_table(scenario.streets.congestion_permille), luck=np.array([luck], np.uint64),
    )  # fmt: skip


def set_desk(scenario: Scenario, crew: Crew, lose_permille: int) -> Desk:
    """The dispatcher's desk of an area at the beginning of a day."""
    sending = scenario.sending
    settings = Settings(
        repairs_per_order=sending.repairs_per_order, width=sending.width, exchange_every=sending.exchange_every
    )
    return Desk(
        problem=_problem(scenario, crew, 1, 0),
        weights=weights_of(scenario),
        settings=settings,
        hours=fresh_hours(np.zeros(crew.rider.size, np.int64), crew.days_in_a_row),
        floor=no_floor(crew.rider.size, lose_permille),
        consents=crew.consents.astype(np.bool_),
    )


def weights_of(scenario: Scenario) -> Weights:
    """What plans cost the dispatcher; pay has no price, as each order pays its own fee."""
    sending = scenario.sending
    return Weights(
        wait=sending.wait_weight, late=sending.late_weight, food=sending.food_weight, idle=sending.idle_weight, pay=0,
        imbalance=sending.imbalance_weight,
    )  # fmt: skip


def dials_of(scenario: Scenario, rain: int, *, responds: bool) -> F64:
    """Parameters of the responses as compiled code reads them; riders who do not respond keep their base rates."""
    behaviour, streets = scenario.behaviour, scenario.streets
    dials = np.zeros(DIALS)
    per_million = (
        behaviour.jump_per_million, behaviour.jump_most_per_million if responds else behaviour.jump_per_million,
    )  # fmt: skip
    dials[:] = (
        behaviour.rush_permille / PERMILLE if responds else 0.0, behaviour.rush_half_fen, per_million[0] / MILLION,
        per_million[1] / MILLION, behaviour.jump_half_fen, behaviour.decline_crowdsourced_per_million / MILLION,
        behaviour.decline_dedicated_per_million / MILLION,
        behaviour.decline_gain_permille / PERMILLE if responds else 0.0, behaviour.decline_most_per_million / MILLION,
        behaviour.extend_permille / PERMILLE if responds else 0.0, behaviour.extend_most_s,
        streets.lights_per_1000_km / MILLION, streets.light_wait_s, streets.fastest_s_per_km,
        streets.detour_permille / PERMILLE, streets.pick_up_s,
        scenario.weather.pace_permille / PERMILLE if rain else 1.0, streets.plan_s_per_km, 1.0, LONGEST_SHIFT_S,
    )  # fmt: skip
    return dials


def _problem(scenario: Scenario, crew: Crew, num_merchants: int, num_slots: int) -> Problem:
    """Market and riders as the dispatcher knows them; orders are slots still empty."""
    num = crew.rider.size
    places = num_merchants + num + num_slots
    slots = np.arange(num_slots)
    zero, zeros = np.zeros(num_slots, np.int64), np.zeros(num, np.int64)
    orders = Orders(
        names=tuple(f"s{slot}" for slot in slots.tolist()), merchant=zero, door=num_merchants + num + slots,
        placed_s=zero + _FAR_S, ready_s=zero + _FAR_S, promised_s=zero, handover_s=zero, fee=zero, holder=zero - 1,
        carried=np.zeros(num_slots, np.bool_),
    )  # fmt: skip
    riders = Riders(
        names=tuple(f"r{rider}" for rider in crew.rider.tolist()), place=num_merchants + np.arange(num), free_s=zeros,
        off_s=zeros, earned=zeros, guarantee=zeros, worked_s=zeros, priority=crew.priority, capacity=crew.capacity,
        stops=((),) * num,
    )  # fmt: skip
    market = Market(
        "city", InsertionRule.BAG, half_pickup_s=HALF_PICKUP_S, half_dropoff_s=HALF_DROPOFF_S,
        orders_max=int(crew.capacity.max(initial=1)), period_s=scenario.sending.period_s, hours=bool(scenario.sending.hours),
    )  # fmt: skip
    return Problem(market, MatrixTravel(np.zeros((places, places), np.int32)), orders, riders)


def _today(placed: Placed, first_merchant: int) -> Ints:
    """The orders of the day as rows for compiled code."""
    out = np.zeros((placed.num, TODAY_COLUMNS), np.int64)
    columns = (
        placed.number, placed.merchant - first_merchant, placed.x, placed.y, placed.placed_s, placed.promised_ready_s,
        placed.ready_s, placed.promised_s, placed.patience_s, placed.fee_fen, placed.at_door_s, placed.delay_s,
        placed.noise_store_permille, placed.noise_door_permille,
    )  # fmt: skip
    for at, values in enumerate(columns, start=T_NUMBER):
        out[:, at] = values
    return out
