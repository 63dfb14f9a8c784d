"""Seconds of a city-day, and steps per second beside SimPy moving as many bare events in the same run.

`BENCH_CITY_RIDERS` sets the size (3 000; 20 orders a rider). Worlds are checked before anything is timed.
"""

import os
from typing import Any

import numpy as np
import pytest

from rules.shelf import versions
from simulations.run import run
from simulations.scenario_files import read
from simulations.world import BookSwitch, World
from tests.simulations.conservation import violations
from tests.simulations.event_dispatch import play_by_event
from tests.simulations.queueing import queue

RIDERS = int(os.environ.get("BENCH_CITY_RIDERS", "3_000"))
SETS = (
    f"riders={RIDERS}",
    f"orders_per_day={20 * RIDERS}",
    "warm_up_days=0",
    "demand.volume_permille=[[0, 1000], [1000, 1000]]",
)
GROUP = f"city-day of {RIDERS:,} riders and {20 * RIDERS:,} orders"


def city_day() -> World:
    """A day, closed loop, with the real dispatcher and the real kernel."""
    plan = BookSwitch(versions("legacy-fine"), versions("taobao-crowdsourced"))
    return run(read("ordinary-week", SETS), plan, 3, 1)


@pytest.fixture(scope="module")
def world() -> World:
    """The day, checked."""
    made = city_day()
    assert violations(made, 144, 5) == []
    return made


def test_city_day(benchmark: Any, world: World) -> None:
    """The whole run: luck, dispatch, riding, scoring, tables."""
    benchmark.group = GROUP
    benchmark.extra_info.update(who="riderscore: the whole city", events=world.figures["steps"], peer=False)
    benchmark.pedantic(city_day, rounds=1)


def test_motion(benchmark: Any) -> None:
    """The motion of riders alone, event by event, one order after the other to the nearest: no optimiser, no scoring."""
    play_by_event(queue(5, 0), 1)
    lives = [queue(5, 1)]

    def play() -> None:
        play_by_event(lives[0], 1)

    benchmark.group = GROUP
    benchmark.extra_info.update(who="riderscore: riders in motion", events=0, peer=False)
    benchmark.pedantic(play, rounds=1)
    benchmark.extra_info["events"] = int(lives[0].counts["num_steps"][0])


def test_simpy(benchmark: Any, world: World) -> None:
    """As many bare events in SimPy: riders who do nothing but wait."""
    simpy = pytest.importorskip("simpy")
    each = world.figures["steps"] // RIDERS + 1
    waits = np.random.default_rng(1).exponential(600.0, (RIDERS, each)).tolist()

    def rider(env: Any, own: list[float]) -> Any:
        for wait in own:
            yield env.timeout(wait)

    def play() -> None:
        env = simpy.Environment()
        for own in waits:
            env.process(rider(env, own))
        env.run()

    benchmark.group = GROUP
    benchmark.extra_info.update(who="SimPy: bare time-outs", events=RIDERS * each, peer=True)
    benchmark.pedantic(play, rounds=1)
