"""The conservation checker can fail: one planted violation each, found and named."""

import ast
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from simulations.study import conservation
from simulations.world import World
from tests.architecture.sources import imports
from tests.simulations.cities import city
from tests.simulations.conservation import violations

pytestmark = pytest.mark.slow


def changed(world: World, table: str, column: str, change: Callable[[np.ndarray], Any]) -> World:
    """The world with one column of one table changed."""
    old = getattr(world, table)
    at = old.schema.get_field_index(column)
    values = old.column(column)
    plain = values.to_pylist() if pa.types.is_dictionary(values.type) else values.to_numpy(zero_copy_only=False)
    new = pa.array(change(np.array(plain, copy=True)).tolist(), from_pandas=True).cast(values.type)
    return replace(world, **{table: old.set_column(at, column, new)})


def first(value: Any, num: int = 1) -> Callable[[np.ndarray], np.ndarray]:
    """Put a value into the first rows."""

    def change(values: np.ndarray) -> np.ndarray:
        values[:num] = value
        return values

    return change


def more(by: int) -> Callable[[np.ndarray], np.ndarray]:
    """Add to the largest value."""

    def change(values: np.ndarray) -> np.ndarray:
        values[int(values.argmax())] += by
        return values

    return change


PLANTED = [
    ("orders", "order", first(-5, 2), "an order number stands twice"),
    ("orders", "outcome", first("open", 9), "differ"),
    ("orders", "fee_fen", more(1), "fees paid"),
    ("stays", "to_us", more(3_600_000_000), "24 hours"),
    ("stays", "metres", more(90_000), "too fast"),
    ("rider_days", "worked_s", more(60), "worked_s"),
    ("rider_days", "busy_s", more(60), "busy_s"),
    ("rider_days", "income_fen", more(1), "fees − fines + bonus"),
    ("rider_days", "num_on_time", more(1), "on time + late + exempt"),
    ("rider_days", "distance_m", more(5), "distances"),
    ("entries", "delta_mp", more(200), "running_score"),
]


@pytest.mark.parametrize(("table", "column", "change", "said"), PLANTED, ids=[f"{row[0]}.{row[1]}" for row in PLANTED])
def test_a_planted_violation_is_found(table: str, column: str, change: Any, said: str) -> None:
    """One number changed in one table is named."""
    found = violations(changed(city(), table, column, change), 144, 5)

    assert any(said in each for each in found), found


def test_a_smaller_bag_is_noticed() -> None:
    """The limit on orders in hand is checked."""
    assert any("carried" in each for each in violations(city(), 144, 1))


def test_a_lower_speed_limit_is_noticed() -> None:
    """The limit on speed is checked."""
    assert any("too fast" in each for each in violations(city(), 400, 5))


def test_the_checker_shares_nothing_with_what_it_checks() -> None:
    """No module of this project is imported by it."""
    tree = ast.parse(Path(conservation.__file__).read_text(encoding="utf-8"))

    assert {name.partition(".")[0] for _, name in imports(tree)} <= {"collections", "typing", "numpy", "pyarrow"}
