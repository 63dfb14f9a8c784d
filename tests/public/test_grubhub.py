"""On public days: our dispatch against published methods, our measures against published figures, all files read."""

import json

import pyarrow.parquet as pq
import pytest

from api.files.readers import read_events
from dispatch.check import check_day, measure_day
from dispatch.mdrp import read_instance, read_solution
from tests.api.cli.commands import run
from tests.dispatch.solved_days import decisions_until, played
from tests.dispatch.worlds import placed_until

EXECUTED = [(method, f"{city}o100t100s1p100") for method in ("rh", "greedy") for city in (0, 2, 4, 6, 8)]


@pytest.mark.parametrize("name", ["0o50t100s1p100", "4r50t75s2p125"])
def test_a_public_day_keeps_the_rules_and_beats_the_reference(mdrp, reference, name):
    """No violation, and better than FoodMatch."""
    day = read_instance(mdrp / "instances" / name)

    result, solution = played(day)

    assert check_day(day, solution, tuple(result.refused)) == ()
    ours = measure_day(day, solution).click_to_door_undelivered_120
    assert ours < float(reference["foodmatch", name]["click_to_door_undelivered_120"])


@pytest.mark.parametrize("last_min", [400, 700])
def test_no_foresight_on_a_public_day(mdrp, last_min):
    """Decisions up to T do not depend on orders placed after T."""
    day = read_instance(mdrp / "instances" / "0o50t100s1p100")

    whole = decisions_until(played(day)[1], last_min)
    cut = decisions_until(played(placed_until(day, last_min))[1], last_min)

    assert cut == whole
    assert len(whole[0]) > 5


@pytest.mark.parametrize("method", ["rh", "greedy"])
def test_public_solutions_measure_as_published(mdrp, reference, method):
    """On executed days of other methods the measures are those of reference.csv."""
    algorithm, name = {"rh": "rolling_baseline", "greedy": "nearest_courier"}[method], "0o100t100s1p100"

    day, solution = read_instance(mdrp / "instances" / name), read_solution(mdrp / "solutions" / method / name)
    metrics = measure_day(day, solution)

    for column in ("click_to_door_mean", "overage_mean", "cost_per_order", "gini_pay_per_hour", "orders_per_bundle"):
        assert getattr(metrics, column) == pytest.approx(float(reference[algorithm, name][column]), abs=1e-3)


def test_the_one_known_fault_of_the_public_solutions_is_found(mdrp):
    """Of the rolling-horizon days one breaks the joining rule, once."""
    found = {}
    for folder in sorted((mdrp / "solutions" / "rh").iterdir()):
        day = read_instance(mdrp / "instances" / folder.name)
        found[folder.name] = [one.rule for one in check_day(day, read_solution(folder), None)]

    assert {name: rows for name, rows in found.items() if rows} == {"6o100t100s1p100": ["joined_before_arrival"]}


@pytest.mark.parametrize(("method", "name"), EXECUTED)
def test_every_executed_order_is_read_and_compared(mdrp, tmp_path, method, name):
    """A row each, its courier's arrival known; fees equal on both sides of a comparison, fines on one side only."""
    instance, solution = mdrp / "instances" / name, mdrp / "solutions" / method / name
    num_orders = len((solution / "solution_info_orders.txt").read_text(encoding="utf-8").splitlines()) - 1
    out = tmp_path / "out"

    found = read_events([instance, solution], "mdrp", time_zone="America/Chicago")
    run("compare", instance, solution, "--format", "mdrp", "--books", "legacy-fine,taobao-crowdsourced", "--out", out)

    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert found.table.num_rows == summary["num_delivered"] == num_orders
    assert found.table["arrived_store_us"].null_count == 0
    assert set(found.table["city"].to_pylist()) == {f"mdrp-{name[0]}"}
    assert summary["totals"]["fees_fen"]["difference"] == 0
    assert summary["totals"]["fines_fen"]["a"] > summary["totals"]["fines_fen"]["b"] == 0


def test_the_loop_runs_on_a_public_day(mdrp, tmp_path):
    """A public day is dispatched, and scored the same from the solution files and from the deliveries."""
    day = mdrp / "instances" / "0o50t100s1p100"
    run("dispatch", day, "--out", tmp_path / "out")

    run("score", tmp_path / "out" / "deliveries.parquet", "--book", "taobao-crowdsourced", "--out", tmp_path / "a")
    run("score", day, tmp_path / "out", "--format", "mdrp", "--book", "taobao-crowdsourced", "--out", tmp_path / "b")

    assert pq.read_table(tmp_path / "a" / "riders.parquet") == pq.read_table(tmp_path / "b" / "riders.parquet")
