"""What a study found, as tables and as one plain document: `riders`, `paired`, `groups`, `summary`.

No clock times, no NaN; an interval that one seed cannot give is null.
"""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from rules.book import Book
from simulations.study.findings import DayFindings, Estimate, Findings, RiderGroup
from simulations.study.intervals import CONFIDENCE, Interval
from simulations.study.metrics import METRIC, PRIMARY
from simulations.study.paired import Paired
from simulations.study.seed import SeedResult
from simulations.study.sensitivity import Sensitivity, Swept

Books = tuple[tuple[Book, ...], tuple[Book, ...]]

_PAIRED = pa.schema(
    [
        ("seed", pa.int64()),
        ("metric", pa.string()),
        ("unit", pa.string()),
        ("primary", pa.bool_()),
        ("a", pa.float64()),
        ("b", pa.float64()),
        ("difference", pa.float64()),
        ("blind", pa.float64()),
        ("again", pa.float64()),
    ]
)

_SWINGS = pa.schema(
    [
        ("metric", pa.string()),
        ("key", pa.string()),
        ("value", pa.int64()),
        ("low", pa.int64()),
        ("high", pa.int64()),
        ("difference", pa.float64()),
        ("difference_at_low", pa.float64()),
        ("difference_at_high", pa.float64()),
        ("low_ci_low", pa.float64()),
        ("low_ci_high", pa.float64()),
        ("high_ci_low", pa.float64()),
        ("high_ci_high", pa.float64()),
        ("changes_sign_at", pa.float64()),
    ]
)
_EFFECTS = pa.schema(
    [
        ("metric", pa.string()),
        ("key", pa.string()),
        ("low", pa.int64()),
        ("high", pa.int64()),
        ("mu", pa.float64()),
        ("mu_star", pa.float64()),
        ("mu_star_reach", pa.float64()),
        ("sigma", pa.float64()),
    ]
)
_SWEEP = pa.schema(
    [
        ("settings", pa.string()),
        ("metric", pa.string()),
        ("num_seeds", pa.int64()),
        ("mean_a", pa.float64()),
        ("mean_b", pa.float64()),
        ("difference", pa.float64()),
        ("ci_low", pa.float64()),
        ("ci_high", pa.float64()),
    ]
)


def paired_table(results: Iterable[SeedResult]) -> pa.Table:
    """Tabulate the values of each seed.

    Parameters
    ----------
    results
        Results by seed.

    Returns
    -------
    pa.Table
        One row per seed and metric: values under A and B, of the third arm and of A run again (null where not run).
    """
    rows = []
    for one in results:
        for name, value in one.metrics["a"].items():
            a, b = _plain(value), _plain(one.metrics["b"][name])
            rows.append(
                {
                    "seed": one.seed,
                    "metric": name,
                    "unit": METRIC[name].unit,
                    "primary": METRIC[name].is_primary,
                    "a": a,
                    "b": b,
                    "difference": None if a is None or b is None else b - a,
                    "blind": _plain(one.metrics.get("blind", {}).get(name)),
                    "again": _plain(one.metrics.get("again", {}).get(name)),
                }
            )
    return pa.Table.from_pylist(rows, _PAIRED)


def riders_table(found: Findings) -> pa.Table:
    """Tabulate riders.

    Parameters
    ----------
    found
        The results of the study.

    Returns
    -------
    pa.Table
        One row a rider: groups, and income in fen a day averaged over seeds under A, B, A again, and B at A's cost an order.
    """
    income = found.income_of_riders
    columns: dict[str, Any] = {"rider": pa.array(range(found.num_riders), pa.int32())}
    columns |= {name: pa.array(own.tolist(), pa.string()) for name, own in found.group_of.items()}
    columns |= {f"income_{arm}_fen": pa.array(values, pa.float64()) for arm, values in income.items()}
    columns["difference_fen"] = pa.array(income["b"] - income["a"], pa.float64())
    if "again" in income:
        columns["noise_fen"] = pa.array(income["again"] - income["a"], pa.float64())
    columns["num_seeds"] = pa.array([len(found.seeds)] * found.num_riders, pa.int32())
    return pa.table(columns)


def groups_table(found: Findings) -> pa.Table:
    """Tabulate groups, as `summary.json` has them.

    Parameters
    ----------
    found
        The results of the study.

    Returns
    -------
    pa.Table
        One row per group and metric.
    """
    rows = [
        {"dimension": group.dimension, "group": group.group, "num_riders": group.num_riders, "metric": one.metric}
        | paired_document(one)
        for group in found.groups
        for one in group.metrics
    ]
    return pa.Table.from_pylist(rows)


def days_table(found: Findings) -> pa.Table:
    """Tabulate metrics by day.

    Parameters
    ----------
    found
        The results of the study.

    Returns
    -------
    pa.Table
        One row per metric and day after the switch.
    """
    return pa.Table.from_pylist([_day(day) for day in found.days])


def summary_document(found: Findings, books: Books) -> dict[str, Any]:
    """Make `summary.json`, but for what only the caller knows (names, sensitivities).

    Parameters
    ----------
    found
        The results of the study.
    books
        Versions of book A, and of book B.

    Returns
    -------
    dict[str, Any]
        The document, ready for JSON.
    """
    return {
        "num_seeds": len(found.seeds),
        "num_riders": found.num_riders,
        "num_days": found.num_days,
        "confidence": CONFIDENCE,
        "primary": list(PRIMARY),
        "metrics": {one.metric: _metric(one, found) for one in found.metrics},
        "groups": _groups(found.groups, books),
        "bands": _bands(found, books),
        "days": [_day(day) for day in found.days],
        "decomposition": {
            "unit": "fen a rider and day",
            "parts": {name: estimate_document(one) for name, one in found.parts.items()},
            "sums_fen": found.part_sums,
        },
        "budget_neutral": {
            "metrics": {one.metric: paired_document(one) for one in found.neutral},
            "movers": asdict(found.neutral_movers),
        },
        "hidden_fine": None if found.hidden is None else _hidden(found),
        "movers": asdict(found.movers),
        "checks": {"luck_is_equal": found.luck_is_equal, "violations": found.violations},
    }


def paired_document(one: Paired) -> dict[str, Any]:
    """One metric's figures."""
    return {
        "mean_a": one.mean_a,
        "mean_b": one.mean_b,
        "difference": one.difference,
        "ci_low": one.interval.low,
        "ci_high": one.interval.high,
        "num_seeds": one.num_seeds,
        **_ends("bootstrap", one.bootstrap),
        **_ends("joint", one.joint),
        "relative": one.relative,
        **_ends("relative", one.relative_interval),
        "correlation": one.correlation,
        "variance_ratio": one.variance_ratio,
    }


def estimate_document(one: Estimate) -> dict[str, Any]:
    """A mean over seeds and its interval."""
    return {"mean": one.mean, "ci_low": one.interval.low, "ci_high": one.interval.high}


def _metric(one: Paired, found: Findings) -> dict[str, Any]:
    metric = METRIC[one.metric]
    again = found.again.get(one.metric)
    return {
        "unit": metric.unit,
        "primary": metric.is_primary,
        **paired_document(one),
        "mean_blind": found.blind.get(one.metric),
        "noise": None if again is None else again.difference,
        **_ends("noise", Interval(None, None) if again is None else again.interval),
    }


def _groups(groups: Iterable[RiderGroup], books: Books) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = {}
    for group in groups:
        found.setdefault(group.dimension, {})[group.group] = {
            "num_riders": group.num_riders,
            "metrics": {one.metric: paired_document(one) for one in group.metrics},
            "decomposition": {name: estimate_document(one) for name, one in group.parts.items()},
            "movers": asdict(group.movers),
            "tier_days": {
                arm: {_tier(versions, tier): number for tier, number in group.tier_days[arm].items()}
                for arm, versions in zip(("a", "b"), books, strict=True)
            },
        }
    return found


def _bands(found: Findings, books: Books) -> dict[str, Any]:
    """By tier of either book: rider days and what was earned on them, all seeds together."""
    described = {}
    for arm, versions in zip(("a", "b"), books, strict=True):
        described[arm] = [
            {
                "tier": _tier(versions, tier),
                "num_rider_days": band.num_days,
                **band.sums,
            }
            for tier, band in found.bands[arm].items()
        ]
    return described


def _tier(versions: tuple[Book, ...], position: int) -> str:
    """A tier of the last version by its name."""
    tiers = versions[-1].model.tier
    return tiers[position].id if 0 <= position < len(tiers) else str(position)


def _day(day: DayFindings) -> dict[str, Any]:
    return {
        "metric": day.metric,
        "day": day.day,
        "mean_a": day.mean_a,
        "mean_b": day.mean_b,
        "difference": day.difference.mean,
        "ci_low": day.difference.interval.low,
        "ci_high": day.difference.interval.high,
    }


def _hidden(found: Findings) -> dict[str, Any]:
    hidden = found.hidden
    if hidden is None:
        return {}
    return {
        "share": estimate_document(hidden.share),
        "per_day_fen": estimate_document(hidden.per_day_fen),
        "of_fines_removed": hidden.of_fines_removed,
        "num_low_rider_days": hidden.num_days,
        "num_rider_days": hidden.num_rider_days,
    }


def _ends(name: str, interval: Interval) -> dict[str, float | None]:
    return {f"{name}_low": interval.low, f"{name}_high": interval.high}


def _plain(value: float | None) -> float | None:
    """A value for a table: null in place of NaN."""
    return None if value is None or value != value else float(value)  # noqa: PLR0124 - NaN alone differs from itself


def swings_table(sensitivity: Sensitivity) -> pa.Table:
    """Tabulate parameters varied alone.

    Parameters
    ----------
    sensitivity
        What varying assumptions showed.

    Returns
    -------
    pa.Table
        One row per metric and parameter.
    """
    rows = [
        {
            "metric": one.metric,
            "key": one.parameter.key,
            "value": one.parameter.value,
            "low": one.parameter.low,
            "high": one.parameter.high,
            "difference": one.at_value.mean,
            "difference_at_low": one.at_low.mean,
            "difference_at_high": one.at_high.mean,
            "low_ci_low": one.at_low.interval.low,
            "low_ci_high": one.at_low.interval.high,
            "high_ci_low": one.at_high.interval.low,
            "high_ci_high": one.at_high.interval.high,
            "changes_sign_at": one.changes_sign_at,
        }
        for one in sensitivity.swings
    ]
    return pa.Table.from_pylist(rows, _SWINGS)


def effects_table(sensitivity: Sensitivity) -> pa.Table:
    """Tabulate Morris' screening.

    Parameters
    ----------
    sensitivity
        What varying assumptions showed.

    Returns
    -------
    pa.Table
        One row per metric and parameter.
    """
    rows = [
        {name: getattr(one if hasattr(one, name) else one.parameter, name) for name in _EFFECTS.names}
        for one in sensitivity.effects
    ]
    return pa.Table.from_pylist(rows, _EFFECTS)


def sweep_table(sweep: Iterable[Swept]) -> pa.Table:
    """Tabulate a sweep.

    Parameters
    ----------
    sweep
        Its points.

    Returns
    -------
    pa.Table
        One row per point and primary metric.
    """
    rows = [
        {"settings": " ".join(point.settings), "metric": one.metric, **paired_document(one)}
        for point in sweep
        for one in point.metrics
    ]
    return pa.Table.from_pylist(rows, _SWEEP)
