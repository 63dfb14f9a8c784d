"""Against queueing theory: one merchant, riders whose round trips end there, orders at random: Erlang's formula for the wait."""

from math import factorial

import numpy as np
import pytest

from tests.simulations.event_dispatch import play_by_event
from tests.simulations.queueing import BATCHES, LOAD, ORDERS, RIDERS, TRIP_US, WARM_UP, queue

pytestmark = pytest.mark.slow


def erlang_c_wait(riders: int, load: float, trip: float) -> float:
    """Mean wait in an M/M/c queue: probability of waiting / (c μ − λ)."""
    offered = riders * load
    top = offered**riders / factorial(riders) / (1 - load)
    return top / (sum(offered**k / factorial(k) for k in range(riders)) + top) * trip / (riders * (1 - load))


def mean_wait_us(num_riders: int, seed: int) -> float:
    """Mean time from placing to a rider's leaving, in one batch; the first orders are left out."""
    live = queue(num_riders, seed)
    play_by_event(live, 1)
    waits = live.log["accepted_s"] - live.day_orders["placed_s"]
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
