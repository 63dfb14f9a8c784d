"""A city as a queue: orders come at random, each trip takes the same time."""

import numpy as np

from simulations.area import Crew, day_parameters, set_up
from simulations.area_state import (
    DAY_ORDER,
    ORDER_LOG,
    STAY,
    AreaState,
)
from simulations.counter_random import CounterRandom
from simulations.demand import MerchantPlaces, draw_placed
from simulations.price import prices
from simulations.scenario_files import read
from simulations.surroundings import draw_kitchens
from tests.simulations.cities import books

RIDERS, LOAD = 5, 0.8


BATCHES, ORDERS, WARM_UP = 40, 40_000, 2_000


TRIP_US = 600_000_000


FAR = 1 << 50


def market(num_riders: int) -> AreaState:
    """One merchant with riders who never tire, decline or leave; times in microseconds, nothing between the places."""
    sets = (
        f"riders={num_riders}",
        f"riders_per_area={num_riders}",
        "merchants_per_area=1",
        "orders_per_day=0",
        "sending.hours=0",
    )
    sets += ("behaviour.decline_crowdsourced_per_million=0", "behaviour.decline_gain_permille=0", "people.capacity=1")
    scenario = read("ordinary-week", sets)
    place = MerchantPlaces(np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros(1, np.int64))
    zero = np.zeros(num_riders, np.int64)
    float_zero = zero.astype(np.float64)
    crew = Crew(
        rider=zero + np.arange(num_riders), kind=zero, home=zero, start_s=zero, end_s=zero + FAR, later_start_s=zero - 1,
        later_end_s=zero - 1, variant=zero, pace_s_per_km=zero + 1, search_permille=zero + 1000, boldness=float_zero,
        point_fen=float_zero, target_fen_per_h=float_zero, bonus_fen=float_zero, priority=zero + 1000, capacity=zero + 1,
        consents=zero, days_in_a_row=zero,
    )  # fmt: skip
    kitchens = draw_kitchens(scenario.kitchens, CounterRandom(1))
    placed = draw_placed(scenario, CounterRandom(1), 0, kitchens, place, 0)
    parameters = day_parameters(scenario, 0, responds=False)
    parameters["lights_per_m"] = parameters["pick_up_s"] = 0
    return set_up(
        scenario, place, 0, crew, placed, prices(books("no fine")[0], scenario.people, 0), parameters, 0, np.uint64(1)
    )


def queue(num_riders: int, seed: int) -> AreaState:
    """A market with orders at random, each a round trip that ends at the merchant."""
    chance = np.random.default_rng(seed)
    orders = np.zeros(ORDERS, DAY_ORDER)
    placed = np.cumsum(chance.exponential(TRIP_US / (RIDERS * LOAD), ORDERS)).astype(np.int64) + 1
    orders["number"] = np.arange(ORDERS)
    orders["placed_s"] = orders["ready_s"] = orders["promised_ready_s"] = placed
    orders["promised_s"] = orders["patience_s"] = placed + FAR
    orders["door_s"] = chance.exponential(TRIP_US, ORDERS).astype(np.int64)
    orders["noise_store_permille"] = orders["noise_door_permille"] = 1000
    orders["fee_fen"] = 1
    log = np.full(ORDERS, -1, ORDER_LOG)
    log["num_declined"] = 0
    return market(num_riders)._replace(day_orders=orders, log=log, stays=np.zeros(8 * ORDERS + 64, STAY))
