"""What is kept of a run says the same as the run's own tables."""

from dataclasses import replace

import numpy as np
import pyarrow.compute as pc
import pytest

from simulations.scenario_files import read
from simulations.study.outcome import OUTCOME_DAYS, outcome_of
from tests.simulations.cities import SMALL, city

pytestmark = pytest.mark.slow

SCENARIO = read("ordinary-week", SMALL)


def test_customers_and_recovery_are_those_of_the_world() -> None:
    """Waits by rider day add up to the orders'; orders to recover are the ledger's, on the last day alone."""
    world = city()
    orders = world.orders.filter(pc.greater_equal(world.orders.column("day"), 0))
    wait_s = orders.column("customer_wait_s").drop_null().to_numpy()
    needed = world.riders.column("on_time_orders_to_recover").drop_null().to_numpy()

    kept = outcome_of(world, SCENARIO)

    columns, metrics = kept.columns(), kept.metrics()
    assert kept.days.schema.equals(OUTCOME_DAYS)
    assert columns["customers_wait_s"].sum() == wait_s.sum()
    assert metrics["customer_wait_min"] == pytest.approx(wait_s.mean() / 60)
    assert set(np.unique(columns["day"][columns["to_recover"] >= 0]).tolist()) == {world.num_days - 1}
    assert metrics["orders_to_recover"] == pytest.approx(needed.mean())
    first = orders.filter(pc.equal(orders.column("rider"), 0))
    assert columns["customers_wait_s"][columns["rider"] == 0].sum() == pc.sum(first.column("customer_wait_s")).as_py()


def test_every_run_is_checked() -> None:
    """A run that does not add up says so in what is kept of it: a bag too small, speeds too high, hours that are not the stays'."""
    world = city()
    small_bag = replace(SCENARIO, people=replace(SCENARIO.people, capacity=1, capacity_first_month=1))
    slow = replace(SCENARIO, streets=replace(SCENARIO.streets, fastest_s_per_km=400))
    at = world.rider_days.schema.get_field_index("worked_s")
    more = pc.cast(pc.add(world.rider_days.column("worked_s"), 60), "int32")
    longer = replace(world, rider_days=world.rider_days.set_column(at, "worked_s", more))

    found = [
        outcome_of(*given).facts["violations"]
        for given in ((world, SCENARIO), (world, small_bag), (world, slow), (longer, SCENARIO))
    ]

    assert [set(each) for each in found] == [set(), {"nobody_carries_too_much"}, {"nobody_too_fast"}, {"time_adds_up"}]
