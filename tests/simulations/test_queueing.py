"""Against queueing theory: one merchant, riders whose round trips end there, orders at random: Erlang's formula for the wait."""

from math import factorial

import numpy as np
import pytest

from simulations.area import Crew, dials_of, set_up
from simulations.live import (
    LIGHTS_A_M,
    LOG_ACCEPTED,
    LOG_COLUMNS,
    LOG_DECLINES,
    PICK_UP,
    STAY_COLUMNS,
    T_DOOR_S,
    T_FEE,
    T_NOISE_DOOR,
    T_NOISE_STORE,
    T_NUMBER,
    T_PATIENCE,
    T_PLACED,
    T_PROMISED,
    T_PROMISED_READY,
    T_READY,
    TODAY_COLUMNS,
    Live,
)
from simulations.nearest import play_by_event
from simulations.orders import draw_kitchens
from simulations.placed import Places, draw_placed
from simulations.price import prices
from simulations.randomness import Luck
from simulations.scenarios import read
from tests.simulations.cities import books

RIDERS, LOAD = 5, 0.8
BATCHES, ORDERS, WARM_UP = 40, 40_000, 2_000
TRIP_US = 600_000_000
FAR = 1 << 50


def erlang_c_wait(riders: int, load: float, trip: float) -> float:
    """Mean wait in an M/M/c queue: probability of waiting / (c μ − λ)."""
    offered = riders * load
    top = offered**riders / factorial(riders) / (1 - load)
    return top / (sum(offered**k / factorial(k) for k in range(riders)) + top) * trip / (riders * (1 - load))


def market(num_riders: int) -> Live:
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
    place = Places(np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros(1, np.int64))
    zero = np.zeros(num_riders, np.int64)
    float_zero = zero.astype(np.float64)
    crew = Crew(
        rider=zero + np.arange(num_riders), kind=zero, home=zero, start_s=zero, end_s=zero + FAR, later_start_s=zero - 1,
        later_end_s=zero - 1, variant=zero, pace_s_per_km=zero + 1, search_permille=zero + 1000, boldness=float_zero,
        point_fen=float_zero, target_fen_per_h=float_zero, bonus_fen=float_zero, priority=zero + 1000, capacity=zero + 1,
        consents=zero, days_in_a_row=zero,
    )  # fmt: skip
    kitchens = draw_kitchens(scenario.kitchens, Luck(1))
    placed = draw_placed(scenario, Luck(1), 0, kitchens, place, 0)
    dials = dials_of(scenario, 0, responds=False)
    dials[[LIGHTS_A_M, PICK_UP]] = 0
    return set_up(
        scenario, place, 0, crew, placed, prices(books("no fine")[0], scenario.people, 0), dials, 0, np.uint64(1)
    )


def queue(num_riders: int, seed: int) -> Live:
    """A market with orders at random, each a round trip that ends at the merchant."""
    chance = np.random.default_rng(seed)
    today = np.zeros((ORDERS, TODAY_COLUMNS), np.int64)
    placed = np.cumsum(chance.exponential(TRIP_US / (RIDERS * LOAD), ORDERS)).astype(np.int64) + 1
    today[:, T_NUMBER] = np.arange(ORDERS)
    today[:, T_PLACED] = today[:, T_READY] = today[:, T_PROMISED_READY] = placed
    today[:, T_PROMISED] = today[:, T_PATIENCE] = placed + FAR
    today[:, T_DOOR_S] = chance.exponential(TRIP_US, ORDERS).astype(np.int64)
    today[:, T_NOISE_STORE] = today[:, T_NOISE_DOOR] = 1000
    today[:, T_FEE] = 1
    log = np.full((ORDERS, LOG_COLUMNS), -1, np.int64)
    log[:, LOG_DECLINES] = 0
    return market(num_riders)._replace(today=today, log=log, stays=np.zeros((8 * ORDERS + 64, STAY_COLUMNS), np.int64))


def mean_wait_us(num_riders: int, seed: int) -> float:
    """Mean time from placing to a rider's leaving, in one batch; the first orders are left out."""
    live = queue(num_riders, seed)
    play_by_event(live, 1)
    waits = live.log[:, LOG_ACCEPTED] - live.today[:, T_PLACED]
    assert (waits >= 0).all()
    return float(waits[WARM_UP:].mean())


def batch_means(num_riders: int, batches: int) -> np.ndarray:
    return np.array([mean_wait_us(num_riders, seed) for seed in range(batches)])


def test_mean_wait_is_erlangs() -> None:
    """Five riders at a load of 0.8, more than a million orders: within 2 % of the formula."""
    means = batch_means(RIDERS, BATCHES)

    expected = erlang_c_wait(RIDERS, LOAD, TRIP_US)
    assert BATCHES * ORDERS >= 1_000_000
    assert means.mean() == pytest.approx(expected, rel=0.02)
    assert means.std(ddof=1) / BATCHES**0.5 < 0.013 * expected


def test_one_rider_more_is_not_erlangs() -> None:
    """The same with six riders fails by far: the test can tell."""
    means = batch_means(RIDERS + 1, 3)

    assert means.mean() < 0.6 * erlang_c_wait(RIDERS, LOAD, TRIP_US)
    assert means.mean() == pytest.approx(erlang_c_wait(RIDERS + 1, RIDERS * LOAD / (RIDERS + 1), TRIP_US), rel=0.1)
