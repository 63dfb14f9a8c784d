"""What is kept of a run says the same as the run's own tables."""

import numpy as np
import pyarrow.compute as pc
import pytest

from simulations.study.outcome import OUTCOME_DAYS, outcome_of
from tests.simulations.cities import city


def test_customers_and_recovery_are_those_of_the_world() -> None:
    """Waits by rider day add up to the orders'; orders to recover are the ledger's, on the last day alone."""
    world = city()
    orders = world.orders.filter(pc.greater_equal(world.orders.column("day"), 0))
    wait_s = orders.column("customer_wait_s").drop_null().to_numpy()
    needed = world.riders.column("on_time_orders_to_recover").drop_null().to_numpy()

    kept = outcome_of(world)

    columns, metrics = kept.columns(), kept.metrics()
    assert kept.days.schema.equals(OUTCOME_DAYS)
    assert columns["customers_wait_s"].sum() == wait_s.sum()
    assert metrics["customer_wait_min"] == pytest.approx(wait_s.mean() / 60)
    assert set(np.unique(columns["day"][columns["to_recover"] >= 0]).tolist()) == {world.num_days - 1}
    assert metrics["orders_to_recover"] == pytest.approx(needed.mean())
    first = orders.filter(pc.equal(orders.column("rider"), 0))
    assert columns["customers_wait_s"][columns["rider"] == 0].sum() == pc.sum(first.column("customer_wait_s")).as_py()
