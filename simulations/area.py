"""Setting a trade area up for a day: places, riders on shift, slots for orders, the dispatcher's desk.

Whole days only: nobody rides and no order is in hand when a day begins. Nothing happens here.
"""

from dataclasses import dataclass

import numpy as np

from dispatch.arrays import Ints, Records
from dispatch.fairness import no_floor
from dispatch.fatigue import fresh_hours
from dispatch.horizon import SearchSettings
from dispatch.layout import lay_out
from dispatch.objective import Weights
from dispatch.problem import DispatchProblem, InsertionRule, Market, Orders, Riders
from dispatch.travel import MatrixTravel
from rules.units import PERMILLE
from simulations.area_state import COUNTS, CREW, DAY_ORDER, DAY_PARAMETERS, F64, ORDER_LOG, SLOT, STAY, AreaState
from simulations.counter_random import MILLION
from simulations.demand import MerchantPlaces, PlacedOrders, congestion_table
from simulations.dispatcher import Dispatcher
from simulations.price import Prices
from simulations.scenario import Scenario

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
    scenario: Scenario, places: MerchantPlaces, area: int, crew: Crew, placed: PlacedOrders, prices: Prices, parameters: Records, day: int,
    answers: np.uint64,
) -> AreaState:  # fmt: skip
    """An area at 04:00: everybody off duty, no order placed."""
    num, here = crew.rider.size, np.flatnonzero(places.area == area)
    num_slots = SLOTS_A_RIDER * num + SLOTS_LEAST
    problem = _problem(scenario, crew, here.size, num_slots)
    board = lay_out(problem, weights_of(scenario))
    board.orders["placed_s"] = board.orders["ready_s"] = _FAR_S
    xy = np.zeros((here.size + num + num_slots, 2))
    xy[: here.size, 0], xy[: here.size, 1] = places.x[here], places.y[here]
    home = crew.home - here[0]
    xy[here.size : here.size + num] = xy[home]
    xy[here.size + num :] = xy[0]
    gaps = np.sqrt(((xy[:, None] - xy[None]) ** 2).sum(axis=2))
    board.travel_s[:] = np.ceil(gaps * parameters["detour"][0] * parameters["plan_s_per_km"][0] / 1_000.0)
    log = np.full(placed.num, -1, ORDER_LOG)
    log["num_declined"] = 0
    counts = np.zeros(1, COUNTS)
    counts["num_free_slots"] = num_slots
    return AreaState(
        board=board, xy=xy, crew=_crew_records(crew, home), slots=np.zeros(num_slots, SLOT),
        day_orders=_day_orders(placed, here[0]), log=log, stays=np.zeros(8 * placed.num + 16 * num + 64, STAY),
        free=np.arange(num_slots)[::-1].copy(), counts=counts, parameters=_with_day(parameters, day, prices, answers), prices=prices.table,
        congestion_permille=congestion_table(scenario.streets.congestion_permille),
    )  # fmt: skip


def _with_day(parameters: Records, day: int, prices: Prices, answers: np.uint64) -> Records:
    complete = parameters.copy()
    complete["day"], complete["gross"], complete["answers"] = day, prices.gross, answers
    return complete


def _crew_records(crew: Crew, home: Ints) -> Records:
    """Riders at the beginning of a day; `home` is a place of the area."""
    records = np.zeros(crew.rider.size, CREW)
    for name in (
        "rider", "kind", "start_s", "end_s", "later_start_s", "later_end_s", "variant", "pace_s_per_km", "search_permille",
        "boldness", "point_fen", "target_fen_per_h", "bonus_fen",
    ):  # fmt: skip
        records[name] = getattr(crew, name)
    records["since_s"] = DAY_START_S
    records["stay_order"] = records["began_s"] = records["ended_s"] = -1
    records["home"] = home
    records["planned_s"] = crew.end_s - crew.start_s + crew.later_end_s - crew.later_start_s
    return records


def new_dispatcher(scenario: Scenario, crew: Crew, lose_permille: int) -> Dispatcher:
    """The dispatcher's desk of an area at the beginning of a day."""
    sending = scenario.sending
    settings = SearchSettings(
        repairs_per_order=sending.repairs_per_order, width=sending.width, exchange_every=sending.exchange_every
    )
    return Dispatcher(
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


def day_parameters(scenario: Scenario, rain: int, *, responds: bool) -> Records:
    """Parameters of a day as compiled code reads them; riders who do not respond keep their base rates."""
    behaviour, streets = scenario.behaviour, scenario.streets
    jump_most = behaviour.jump_most_per_million if responds else behaviour.jump_per_million
    parameters = np.zeros(1, DAY_PARAMETERS)
    for name, value in {
        "rush": behaviour.rush_permille / PERMILLE if responds else 0.0,
        "rush_half_fen": behaviour.rush_half_fen,
        "jump": behaviour.jump_per_million / MILLION,
        "jump_most": jump_most / MILLION,
        "jump_half_fen": behaviour.jump_half_fen,
        "decline_crowdsourced": behaviour.decline_crowdsourced_per_million / MILLION,
        "decline_dedicated": behaviour.decline_dedicated_per_million / MILLION,
        "decline_gain": behaviour.decline_gain_permille / PERMILLE if responds else 0.0,
        "decline_most": behaviour.decline_most_per_million / MILLION,
        "extend": behaviour.extend_permille / PERMILLE if responds else 0.0,
        "extend_most_s": behaviour.extend_most_s,
        "lights_per_m": streets.lights_per_1000_km / MILLION,
        "light_wait_s": streets.light_wait_s,
        "fastest_s_per_km": streets.fastest_s_per_km,
        "detour": streets.detour_permille / PERMILLE,
        "pick_up_s": streets.pick_up_s,
        "rain_pace": scenario.weather.pace_permille / PERMILLE if rain else 1.0,
        "plan_s_per_km": streets.plan_s_per_km,
        "longest_s": LONGEST_SHIFT_S,
    }.items():
        parameters[name] = value
    return parameters


def _problem(scenario: Scenario, crew: Crew, num_merchants: int, num_slots: int) -> DispatchProblem:
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
    return DispatchProblem(market, MatrixTravel(np.zeros((places, places), np.int32)), orders, riders)


def _day_orders(placed: PlacedOrders, first_merchant: int) -> Records:
    """The orders of the day as records for compiled code."""
    records = np.zeros(placed.num, DAY_ORDER)
    for name in DAY_ORDER.names or ():
        records[name] = getattr(placed, "at_door_s" if name == "door_s" else name)
    records["merchant"] -= first_merchant
    return records
