"""What a study keeps of a run: rider days since the switch, and a few facts small enough to hold for hundreds of runs.

Everything a report shows is made from these, so a run whose outcome was kept need not be repeated.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rules.units import US_PER_S
from scoring.invariants import Ledger, check_ledger
from simulations.scenario import Scenario
from simulations.study.conservation import broken
from simulations.study.metrics import Columns, of_orders, of_riders
from simulations.surroundings import rider_positions
from simulations.world import RIDER_DAYS, World

# Gross lateness in whole minutes, the first and the last bin open.
LATE_MIN_FROM, LATE_MIN_TO = -30, 60
NUM_LATE_BINS = LATE_MIN_TO - LATE_MIN_FROM + 1
_MINUTE_US = 60 * US_PER_S

FIXED_COLUMNS = ("fixed_fines_fen", "fixed_bonus_fen")
OUTCOME_DAYS = pa.schema(
    [
        *RIDER_DAYS,
        (
            "customers_wait_s",
            pa.int64(),
        ),  # placed to delivered, summed over the orders placed on this day and delivered
        ("to_recover", pa.int32()),  # on the last day: on-time orders to be back at the base; −1 where none are needed
        *((name, pa.int64()) for name in FIXED_COLUMNS),
    ]
)


@dataclass(frozen=True, slots=True)
class Fixed:
    """Money of fixed deliveries under another book, by rider day in the order of `RunOutcome.days` (`simulations.study.fixed`)."""

    fixed_fines_fen: np.ndarray
    fixed_bonus_fen: np.ndarray


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """One run, as a study keeps it.

    Parameters
    ----------
    days
        `OUTCOME_DAYS`: rider days from day 0 on, by (day, rider).
    facts
        Plain values: `seed`, `num_days`, `num_riders`, `metrics` (name → value or None), `late_bins` (orders by minute of
        lateness), `luck` (digests), `violations` (of the ledger's checks and of conservation), `figures`, `scenario_digest`.
    """

    days: pa.Table
    facts: dict[str, Any]

    @property
    def num_days(self) -> int:
        """Days since the switch."""
        return int(self.facts["num_days"])

    @property
    def num_riders(self) -> int:
        """Riders of the city, leavers included."""
        return int(self.facts["num_riders"])

    def columns(self) -> dict[str, np.ndarray]:
        """The rider days as arrays; words as positions in their dictionary."""
        return columns_of(self.days)

    def metrics(self) -> dict[str, float]:
        """Name → value, NaN where undefined."""
        return {name: np.nan if value is None else float(value) for name, value in self.facts["metrics"].items()}


def outcome_of(world: World, scenario: Scenario, fixed: Fixed | None = None) -> RunOutcome:
    """Reduce a run to what a study keeps of it.

    Parameters
    ----------
    world
        The run.
    scenario
        What the world was made from: its limits on speed and bags are checked.
    fixed
        Money of the same deliveries under the other book (`simulations.study.fixed`); zeros where none was worked out.

    Returns
    -------
    RunOutcome
        Rider days from the switch on, and the figures and failed checks of the run.
    """
    days = world.rider_days.filter(pc.greater_equal(world.rider_days.column("day"), 0))
    num_riders = days.num_rows // max(world.num_days, 1)
    days = days.append_column("customers_wait_s", pa.array(_customers_wait_s(world, num_riders, days.num_rows)))
    days = days.append_column("to_recover", pa.array(_to_recover(world, num_riders, days.num_rows), pa.int32()))
    for name in FIXED_COLUMNS:
        values = np.zeros(days.num_rows, np.int64) if fixed is None else getattr(fixed, name)
        days = days.append_column(name, pa.array(values))
    columns, orders = columns_of(days), _order_columns(world)
    measured = of_riders(columns, world.num_days) | of_orders(orders)
    facts = {
        "seed": world.seed,
        "scenario_digest": world.scenario_digest,
        "num_days": world.num_days,
        "num_riders": num_riders,
        "metrics": {name: None if np.isnan(value) else float(value) for name, value in measured.items()},
        "late_bins": late_bins(world).tolist(),
        "luck": dict(world.draws_digest),
        "violations": violations(world) | not_conserved(world, scenario),
        "figures": dict(world.figures),
    }
    return RunOutcome(days.cast(OUTCOME_DAYS), facts)


def columns_of(days: pa.Table) -> dict[str, np.ndarray]:
    """Columns as arrays; dictionary columns as Python strings' codes are not stable, so as arrays of words."""
    found: dict[str, np.ndarray] = {}
    for name in days.column_names:
        column = days.column(name)
        if pa.types.is_dictionary(column.type):
            column = column.cast(pa.string())
        found[name] = column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy()
    return found


def late_bins(world: World) -> np.ndarray:
    """Delivered orders since the switch by whole minutes of lateness, early ones below zero."""
    orders = _since_switch(world)
    delivered = orders.filter(pc.is_valid(orders.column("delivered_us")))
    late_us = delivered.column("delivered_us").to_numpy() - delivered.column("promised_us").to_numpy()
    # Exactly on time is minute 0; one second late is minute 1.
    minutes = -(-late_us // _MINUTE_US)
    at = np.clip(minutes, LATE_MIN_FROM, LATE_MIN_TO) - LATE_MIN_FROM
    return np.bincount(at.astype(np.int64), minlength=NUM_LATE_BINS)


def violations(world: World) -> dict[str, int]:
    """What `verify` would find in the world's ledger: check → violations, of checks that do not hold."""
    books = {book.digest: book for book in (*world.plan.warm_up, *world.plan.book)}
    used = set(world.entries.column("book_digest").cast(pa.string()).unique().to_pylist())
    run = {
        "books": [{"digest": digest} for digest in sorted(used)],
        "counts": {"entries": world.entries.num_rows, "riders": world.riders.num_rows, "rejected": 0},
    }
    found = check_ledger(Ledger(world.entries, world.riders, books, run, 0))
    return {one.check: one.num_violations for one in found if not one.holds}


def not_conserved(world: World, scenario: Scenario) -> dict[str, int]:
    """What `simulations.study.conservation` finds: check → violations, of checks that do not hold."""
    capacity = max(scenario.people.capacity, scenario.people.capacity_first_month)
    found = broken(world, scenario.streets.fastest_s_per_km, capacity)
    return {name: len(sentences) for name, sentences in found.items()}


def _since_switch(world: World) -> pa.Table:
    return world.orders.filter(pc.greater_equal(world.orders.column("day"), 0))


def _order_columns(world: World) -> Columns:
    orders = _since_switch(world)
    delivered = pc.equal(orders.column("outcome").cast(pa.string()), "delivered").to_numpy()
    arrived = pc.fill_null(orders.column("delivered_us"), 0).to_numpy()
    return {
        "delivered": delivered,
        "on_time": arrived <= orders.column("promised_us").to_numpy(),
        "wait_s": pc.fill_null(orders.column("customer_wait_s"), 0).to_numpy(),
    }


def _customers_wait_s(world: World, num_riders: int, num_rows: int) -> np.ndarray:
    """By rider day, as `rider_days` from day 0 on stand."""
    orders = _since_switch(world)
    brought = orders.filter(pc.is_valid(orders.column("customer_wait_s")))
    day, rider = (brought.column(name).to_numpy().astype(np.int64) for name in ("day", "rider"))
    found = np.zeros(num_rows, np.int64)
    np.add.at(found, day * num_riders + rider, brought.column("customer_wait_s").to_numpy())
    return found


def _to_recover(world: World, num_riders: int, num_rows: int) -> np.ndarray:
    """Likewise; −1 on all days but the last."""
    riders = rider_positions(world.riders.column("rider_id"))
    found = np.full(num_rows, -1, np.int32)
    found[num_rows - num_riders + riders] = pc.fill_null(
        world.riders.column("on_time_orders_to_recover"), -1
    ).to_numpy()
    return found
