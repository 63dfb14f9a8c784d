"""Orders and couriers from real data: taken as they are, and lived through like drawn ones."""

import numpy as np
import pyarrow.compute as pc
import pytest

from dispatch.mdrp import Courier, Instance, MdrpOrder, Parameters, Restaurant
from rules.shelf import versions
from simulations.real_day import RealDay, from_instance, from_waybills
from simulations.run import run
from simulations.scenario_files import read
from simulations.world import BookSwitch, World
from tests.simulations.conservation import violations

pytestmark = pytest.mark.slow

PARAMETERS = Parameters(320, 4, 4, 40, 90, 10, 15)
ZERO = np.zeros(0, np.int64)


def small_instance() -> Instance:
    """Two restaurants, twelve orders over lunch, three couriers."""
    orders = tuple(
        MdrpOrder(f"o{k}", 300.0 * (k % 4), 200.0 * (k % 3), 660 + 5 * k, f"r{k % 2 + 1}", 670 + 5 * k)
        for k in range(12)
    )
    restaurants = (Restaurant("r1", 0, 0), Restaurant("r2", 500, 500))
    couriers = tuple(Courier(f"c{k}", 0, 0, 640, 900) for k in range(3))
    return Instance("lunch", orders, restaurants, couriers, PARAMETERS)


def lived(given: RealDay, after: str = "taobao-crowdsourced") -> World:
    """Two days with these orders."""
    scenario = read("ordinary-week", ("warm_up_days=0", "people.capacity_first_month=5"))
    return run(scenario, BookSwitch(versions("legacy-fine"), versions(after)), 1, 2, given)


def test_an_instance_is_lived_through_as_it_stands() -> None:
    """Every order of the instance on every day, at its time, from its restaurant, by its couriers."""
    given = from_instance(small_instance())
    world = lived(given)

    first = world.orders.filter(pc.equal(world.orders.column("day"), 0))
    placed_s = (first.column("placed_us").to_numpy() - world.first_day_us) // 1_000_000 + 4 * 3_600
    ready_s = (first.column("ready_us").to_numpy() - world.first_day_us) // 1_000_000 + 4 * 3_600
    assert placed_s.tolist() == [(660 + 5 * k) * 60 for k in range(12)]
    assert ready_s.tolist() == [(670 + 5 * k) * 60 for k in range(12)]
    assert first.column("merchant").to_pylist() == [k % 2 for k in range(12)]
    assert world.rider_days.num_rows == 2 * 3
    assert violations(world, 144, 5) == []


def test_the_same_data_are_the_same_luck_under_any_book() -> None:
    """Given orders do not move with the book either."""
    given = from_instance(small_instance())

    assert lived(given).draws_digest == lived(given, "legacy-fine").draws_digest


def test_waybills_become_a_day() -> None:
    """Grabbed waybills of one day, places in metres, shifts from first grab to last arrival; refused ones are left out."""
    midnight = 1_666_022_400 - 8 * 3_600
    noon = midnight + 12 * 3_600
    columns = {
        "is_courier_grabbed": [1, 1, 0, 1],
        "platform_order_time": [noon + 600, noon, noon, noon + 90_000],
        "grab_time": [noon + 700, noon + 60, 0, noon + 90_100],
        "arrive_time": [noon + 2_500, noon + 1_800, 0, noon + 92_000],
        "estimate_arrived_time": [noon + 2_400, noon + 2_000, noon, noon],
        "estimate_meal_prepare_time": [noon + 1_000, 0, noon, noon],
        "poi_id": [7, 5, 5, 5],
        "courier_id": [9, 9, 8, 8],
        "sender_lat": [30_000_000, 30_010_000, 30_010_000, 30_010_000],
        "sender_lng": [120_000_000, 120_000_000, 120_000_000, 120_000_000],
        "recipient_lat": [30_010_000, 30_000_000, 0, 0],
        "recipient_lng": [120_010_000, 120_000_000, 0, 0],
    }
    given = from_waybills("day", {name: np.array(values, np.int64) for name, values in columns.items()}, midnight)

    assert given.placed_s.tolist() == [12 * 3_600, 12 * 3_600 + 600]
    assert given.ready_s.tolist() == [-1, 12 * 3_600 + 1_000]
    assert given.promised_s.tolist() == [12 * 3_600 + 2_000, 12 * 3_600 + 2_400]
    assert (given.on_s.tolist(), given.off_s.tolist()) == ([12 * 3_600 + 60], [12 * 3_600 + 2_500])
    far_m = np.hypot(given.merchant_x[0] - given.merchant_x[1], given.merchant_y[0] - given.merchant_y[1])
    assert far_m == pytest.approx(1_112, abs=2)
    assert violations(lived(given), 144, 5) == []


def test_data_without_couriers_or_at_impossible_times_are_refused() -> None:
    """A day needs merchants, couriers, and orders between 04:00 and 28:00."""
    one = np.zeros(1, np.int64)

    with pytest.raises(ValueError, match="no couriers"):
        RealDay("x", one, one, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO)
    with pytest.raises(ValueError, match="outside"):
        RealDay("x", one, one, one, one, one, one, one, one, one + 20_000, one + 40_000)
