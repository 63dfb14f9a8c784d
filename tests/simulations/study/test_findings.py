"""What a study says, against worlds whose effects were put in by hand."""

import json

import numpy as np
import pytest

from rules.shelf import find
from simulations.study.decomposition import PARTS, parts_of
from simulations.study.findings import Findings, findings
from simulations.study.hidden_fine import gives_priority, hidden_fine
from simulations.study.metrics import METRICS, PRIMARY, of_riders
from simulations.study.movers import movers
from simulations.study.seed import SeedResult, seed_result
from simulations.study.tables import days_table, groups_table, paired_table, riders_table, summary_document
from tests.simulations.study.outcomes import FINE_FEN, outcome

pytestmark = pytest.mark.slow

OLD, NEW = find("legacy-fine"), find("taobao-crowdsourced")


def seeds(num: int, **effects: int) -> list[SeedResult]:
    """Some seeds of the old fine against a score with these effects."""
    found = []
    for seed in range(1, num + 1):
        low = {name: effects[name] for name in ("low_tier", "fewer_orders_low") if name in effects}
        new = {name: value for name, value in effects.items() if name not in low}
        found.append(
            seed_result(
                {
                    "a": outcome(seed),
                    "b": outcome(seed, fined=False, **new, **low),
                    "blind": outcome(seed, fined=False, **new),
                    "again": outcome(seed, luck=5),
                },
                NEW,
            )
        )
    return found


@pytest.fixture(scope="module")
def found() -> Findings:
    """A study of 20 seeds: no fine, 20 fen an order, two riders who lose three orders a day."""
    return findings(seeds(20, bonus_fen=20, low_tier=2, fewer_orders_low=3))


def test_primary_metrics_are_four_and_declared() -> None:
    """Four, each a metric; everything else is exploratory."""
    assert len(PRIMARY) == 4
    assert [metric.name for metric in METRICS if metric.is_primary] == list(PRIMARY)


def test_metrics_by_hand() -> None:
    """Two riders, one day: every ratio has the denominator it says, the idle rider included."""
    zero = np.zeros(2, np.int64)
    days = {
        name: zero.copy()
        for name in (
            "rider", "day", "busy_s", "num_offered", "num_declined", "num_exempt", "num_severe", "late_s", "bonus_fen",
            "points_awarded_mp", "points_deducted_mp", "ride_s", "given_back_merchant_s", "given_back_customer_s",
            "given_back_platform_s", "given_back_force_s", "review",
        )
    }  # fmt: skip
    days |= {"customers_wait_s": np.array([4 * 1_500, 0]), "to_recover": np.array([-1, 12])}
    days |= {
        "rider": np.array([0, 1]),
        "online": np.array([True, False]),
        "left": np.array([False, True]),
        "worked_s": np.array([7_200, 0]),
        "num_delivered": np.array([4, 0]),
        "num_on_time": np.array([3, 0]),
        "num_late": np.array([1, 0]),
        "fees_fen": np.array([2_000, 0]),
        "fines_fen": np.array([200, 0]),
        "income_fen": np.array([1_800, 0]),
        "distance_m": np.array([10_000, 0]),
        "red_lights": np.array([2.0, 0.0]),
        "score_end_mp": np.array([70_000, 60_000]),
    }

    measured = of_riders(days, 1)

    assert measured["income_per_day_fen"] == 900
    assert measured["income_per_hour_fen"] == 900
    assert measured["income_per_working_day_fen"] == 1_800
    assert measured["on_time_rate"] == 0.75
    assert measured["red_light_exposure"] == 20.0
    assert measured["platform_cost_per_order_fen"] == 450
    assert measured["retention"] == 0.5
    assert measured["score_end"] == 65.0
    assert measured["customer_wait_min"] == 25.0
    assert measured["orders_to_recover"] == 12.0
    assert np.isnan(measured["declined_rate"])


def test_every_metric_is_there_for_every_group(found: Findings) -> None:
    """Rider kind, tenure and skill: all that is measured of riders, and their days by tier, which add up to all days."""
    document = summary_document(found, (OLD, NEW))

    for own in document["groups"].values():
        assert sum(sum(group["tier_days"]["b"].values()) for group in own.values()) == 12 * 3 * 20
        assert sum(group["tier_days"]["b"].get("low", 0) for group in own.values()) == 2 * 3 * 20
        for group in own.values():
            assert {"customer_wait_min", "retention", "exempt_rate"} <= set(group["metrics"])


def test_the_decomposition_adds_up_to_the_fen() -> None:
    """For every rider and day of any four runs, the parts sum to the difference exactly."""
    a, base, blind, b = (outcome(3, luck=k, bonus_fen=k, fined=k < 2).columns() for k in range(4))
    base = {**base, "fixed_fines_fen": base["fines_fen"] // 3, "fixed_bonus_fen": base["fees_fen"] // 10}

    parts = parts_of(a, base, blind, b)

    assert np.array_equal(sum(getattr(parts, name) for name in PARTS), parts.total)
    assert np.array_equal(parts.total, b["income_fen"] - a["income_fen"])


def test_effects_that_were_put_in_are_found(found: Findings) -> None:
    """Fines of the old book come back as fines removed, the bonus as behaviour's (nothing was scored again), dispatch as a loss."""
    income = found.metric("income_per_day_fen")

    assert income is not None
    assert found.parts["fines_removed"].mean > FINE_FEN
    assert found.parts["dispatch"].mean < 0
    assert sum(found.part_sums[name] for name in PARTS) == found.part_sums["total"]
    assert found.part_sums["total"] / (found.num_riders * found.num_days * 20) == pytest.approx(income.difference)


def test_groups_add_up_to_all(found: Findings) -> None:
    """Riders of a dimension's groups are all riders, and their parts weigh up to the whole."""
    for dimension in ("kind", "tenure", "skill"):
        own = [group for group in found.groups if group.dimension == dimension]
        whole = sum(group.parts["total"].mean * group.num_riders for group in own) / found.num_riders

        assert sum(group.num_riders for group in own) == found.num_riders
        assert whole == pytest.approx(found.parts["total"].mean)


def test_the_hidden_fine_is_what_low_riders_lose(found: Findings) -> None:
    """Two of twelve riders stand low and lose three orders a day: 3 of about 18, and nobody else loses any."""
    assert found.hidden is not None
    assert found.hidden.num_days == 2 * 3 * 20
    assert 0.1 < found.hidden.share.mean < 0.25
    assert found.hidden.share.interval.low is not None
    assert found.hidden.share.interval.low > 0


def test_no_hidden_fine_without_a_difference() -> None:
    """The same run twice loses nothing; a book whose tiers give no priority has no third arm."""
    run = outcome(1, low_tier=3).columns()

    assert hidden_fine(NEW, run, run).share == 0.0
    assert gives_priority(NEW)
    assert not gives_priority(OLD)


def test_winners_stand_beside_the_noise_floor() -> None:
    """About one in twenty moves beyond the noise of A against A by definition; a real shift moves far more."""
    rng = np.random.default_rng(4)
    again = rng.normal(0, 10, 400)

    nothing, shift = movers(rng.normal(0, 10, 400), again), movers(rng.normal(40, 10, 400), again)

    assert nothing.num_gain_clear is not None
    assert nothing.num_lose_clear is not None
    assert nothing.num_gain + nothing.num_lose == 400
    assert nothing.num_gain_clear + nothing.num_lose_clear < 50
    assert shift.num_gain_clear is not None
    assert shift.num_gain_clear > 350
    assert nothing.aa_gain_clear is not None
    assert nothing.aa_lose_clear is not None
    assert nothing.aa_gain_clear + nothing.aa_lose_clear == pytest.approx(20, abs=1)


def test_budget_neutral_costs_the_platform_the_same(found: Findings) -> None:
    """At the old cost an order and the same orders, riders have what they had, however it is paid."""
    plain = findings(seeds(20, bonus_fen=20))
    income = {one.metric: one for one in plain.neutral}["income_per_day_fen"]

    assert abs(income.difference) < 1
    assert found.neutral[0].difference < 0


def test_tables_and_summary_hold_the_same_figures(found: Findings) -> None:
    """One row per seed and metric; means of the table are those of the summary; no NaN anywhere."""
    results = seeds(20, bonus_fen=20, low_tier=2, fewer_orders_low=3)
    table, document = paired_table(results), summary_document(found, (OLD, NEW))

    rows = [row for row in table.to_pylist() if row["metric"] == "on_time_rate"]

    assert table.num_rows == 20 * len(METRICS)
    assert np.mean([row["difference"] for row in rows]) == pytest.approx(
        document["metrics"]["on_time_rate"]["difference"]
    )
    assert set(document["metrics"]["on_time_rate"]) >= {
        "mean_a",
        "mean_b",
        "difference",
        "ci_low",
        "ci_high",
        "num_seeds",
    }
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert riders_table(found).num_rows == found.num_riders
    assert groups_table(found).num_rows
    assert days_table(found).num_rows == 3 * found.num_days
