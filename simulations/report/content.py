"""What the charts and tables of a report show: rows in the units people read, words in one language at a time.

Everything comes from `summary.json`, the differences by seed and the scenario; nothing is computed that is not in them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rules.book import Book
from rules.text import Lang, text
from simulations.calibration import CALIBRATION_TARGETS
from simulations.counter_random import Quantiles
from simulations.report.charts import LINE, Rows
from simulations.report.words import (
    DASH,
    FEN_PER_YUAN,
    Summary,
    interval_text,
    metric_title,
    number_text,
    percent_text,
    size_text,
    value_text,
)
from simulations.scenario import Scenario
from simulations.study.decomposition import PARTS
from simulations.study.metrics import PRIMARY
from simulations.study.outcome import LATE_MIN_FROM

# Moments that are metrics of the whole city.
_MOMENT_METRICS = {
    "share_8h": "days_over_8_h",
    "share_12h": "days_over_12_h",
    "share_on_time": "on_time_rate",
    "mean_hours": "hours_per_working_day",
    "orders_a_rider_day": "orders_per_working_day",
    "delivery_min": "customer_wait_min",
    "km_per_hour": "speed_kmh",
}
NUM_BINS = 24
LATEST_MIN = 30
TORNADO_ROWS = 12
MORRIS_ROWS = 6
# Elementary effects that point one way: their mean is nearly as large as their mean size.
ONE_WAY = 0.8
LONG_LABEL = 24


@dataclass(frozen=True, slots=True)
class Content:
    """What a report is made of.

    Parameters
    ----------
    summary, document
        `summary.json` and the study's own description (`study.json`).
    books
        Versions of book A, and of book B.
    scenario
        The city that was simulated.
    differences
        Primary metric → B − A by seed.
    income_fen
        `a`, `b` → fen a day of each rider, averaged over seeds.
    late_bins
        `a`, `b` → orders by minute of lateness.
    lang
        The language that the page is shown in first.
    """

    summary: Summary
    document: Mapping[str, Any]
    books: tuple[tuple[Book, ...], tuple[Book, ...]]
    scenario: Scenario
    differences: Mapping[str, Sequence[float]]
    income_fen: Mapping[str, np.ndarray]
    late_bins: Mapping[str, np.ndarray]
    lang: Lang = "zh"

    @property
    def titles(self) -> tuple[dict[str, str], dict[str, str]]:
        """Titles of both books by language."""
        old, new = (versions[-1].model.title for versions in self.books)
        return {"zh": old.zh, "en": old.en}, {"zh": new.zh, "en": new.en}


def income_bins(content: Content) -> Rows:
    """Riders by income per day, in yuan."""
    a, b = (np.asarray(content.income_fen[arm]) / FEN_PER_YUAN for arm in ("a", "b"))
    both = np.concatenate([a, b])
    low, high = float(both.min()), float(both.max())
    if low == high:
        low, high = low - 1, high + 1
    edges = np.linspace(low, high, NUM_BINS + 1)
    counted = {"a": np.histogram(a, edges)[0], "b": np.histogram(b, edges)[0]}
    return [
        {"from": float(edges[k]), "to": float(edges[k + 1]), **{arm: int(num[k]) for arm, num in counted.items()}}
        for k in range(NUM_BINS)
    ]


def late_rows(content: Content) -> Rows:
    """Late orders by minute, per thousand delivered; the last minute holds all later ones."""
    shares = {}
    for arm, bins in content.late_bins.items():
        late = np.asarray(bins)[1 - LATE_MIN_FROM :]
        shares[arm] = np.append(late[: LATEST_MIN - 1], late[LATEST_MIN - 1 :].sum()) * 1_000 / max(np.sum(bins), 1)
    return [
        {"from": k, "to": k + 1, **{arm: float(values[k]) for arm, values in shares.items()}} for k in range(LATEST_MIN)
    ]


def part_rows(content: Content, lang: Lang) -> Rows:
    """The decomposition as a waterfall, in yuan a rider and day."""
    parts = content.summary["decomposition"]["parts"]
    rows: Rows = []
    reached = 0.0
    for name in (*PARTS, "total"):
        one, start = parts[name], 0.0 if name == "total" else reached
        value = one["mean"] / FEN_PER_YUAN
        row = {
            "part": text(lang, f"study.part_{name}").replace(" ", LINE),
            "from": start,
            "to": start + value,
            "kind": "total" if name == "total" else "gain" if value >= 0 else "loss",
            "label": number_text(value, 2, signed=True),
            "top": max(start, start + value),
        }
        if one["ci_low"] is not None:
            row |= {"low": start + one["ci_low"] / FEN_PER_YUAN, "high": start + one["ci_high"] / FEN_PER_YUAN}
            row["top"] = max(row["top"], row["high"])
        rows.append(row)
        reached = start + value
    return rows


def group_rows(content: Content, lang: Lang, metric: str, *, relative: bool = False) -> Rows:
    """One metric's difference for all riders and for each group known before the switch."""
    rows = [("all", text(lang, "study.group_all"), content.summary["metrics"].get(metric))]
    rows += [
        ("group", text(lang, f"study.group_{dimension}_{group}"), one["metrics"].get(metric))
        for dimension, groups in content.summary["groups"].items()
        for group, one in groups.items()
    ]
    found = []
    for kind, label, one in rows:
        value, low, high = _ends(one, relative=relative)
        if value is not None:
            row: dict[str, Any] = {"label": label, "kind": kind, "value": value}
            found.append(row if low is None else {**row, "low": low, "high": high})
    return found


def _ends(one: Summary | None, *, relative: bool) -> tuple[float | None, float | None, float | None]:
    """Difference and interval in the units of the axis: per cent, percentage points or yuan."""
    if one is None:
        return None, None, None
    names = ("relative", "relative_low", "relative_high") if relative else ("difference", "ci_low", "ci_high")
    scale = 100.0 if relative else 1 / FEN_PER_YUAN
    value, low, high = (None if one[name] is None else one[name] * scale for name in names)
    return value, low, high


def seed_panels(content: Content, lang: Lang) -> list[tuple[str, Rows, dict[str, float]]]:
    """Differences by seed of the primary metrics, each in its unit."""
    panels = []
    for name in PRIMARY:
        one = content.summary["metrics"].get(name)
        if one is None:
            continue
        scale = axis_scale(one["unit"])
        values = [value * scale for value in content.differences[name]]
        # Spread over the height by rank, so that equal ones do not hide each other.
        rows = [{"value": value, "up": ((k * 7) % 5 - 2) / 2.5 + 0.2} for k, value in enumerate(values)]
        mean = {"value": one["difference"] * scale}
        if one["ci_low"] is not None:
            mean |= {"low": one["ci_low"] * scale, "high": one["ci_high"] * scale}
        panels.append((axis_title(lang, name, one["unit"]), rows, mean))
    return panels


def day_panels(content: Content, lang: Lang) -> list[tuple[str, Rows]]:
    """Differences by day after the switch."""
    panels: dict[str, Rows] = {}
    for day in content.summary["days"]:
        unit = content.summary["metrics"][day["metric"]]["unit"]
        scale = axis_scale(unit)
        row = {"day": day["day"] + 1, "value": day["difference"] * scale}
        if day["ci_low"] is not None:
            row |= {"low": day["ci_low"] * scale, "high": day["ci_high"] * scale}
        panels.setdefault(axis_title(lang, day["metric"], unit), []).append(row)
    return list(panels.items())


def tornado_rows(content: Content, lang: Lang, metric: str) -> tuple[Rows, float]:
    """Parameters by how far they move the difference of a metric, and the difference as it is on the small city."""
    found = [one for one in content.summary["sensitivity"]["one_at_a_time"] if one["metric"] == metric]
    scale = axis_scale(content.summary["metrics"][metric]["unit"])
    rows = [
        {
            "label": in_two_lines(parameter_title(lang, one["key"])),
            "low": one["difference_at_low"] * scale,
            "high": one["difference_at_high"] * scale,
            "low_value": str(one["low"]),
            "high_value": str(one["high"]),
        }
        for one in found[:TORNADO_ROWS]
    ]
    return rows, found[0]["difference"] * scale if found else 0.0


def morris_rows(content: Content, lang: Lang) -> list[dict[str, str]]:
    """The largest effects on each primary metric, in its unit."""
    rows: list[dict[str, str]] = []
    for metric in PRIMARY:
        own = [
            one for one in content.summary["sensitivity"]["morris"] if one["metric"] == metric and one["mu_star"] > 0
        ]
        for one in own[:MORRIS_ROWS]:
            unit = content.summary["metrics"][metric]["unit"]
            rows.append(
                {
                    "metric": metric_title(lang, metric),
                    "title": parameter_title(lang, one["key"]),
                    "key": one["key"],
                    "way": "↕" if abs(one["mu"]) < ONE_WAY * one["mu_star"] else "↑" if one["mu"] > 0 else "↓",
                    "size": size_text(lang, unit, one["mu_star"], one["mu_star_reach"]),
                    "spread": size_text(lang, unit, one["sigma"]),
                }
            )
    return rows


def parameter_title(lang: Lang, key: str) -> str:
    """What a varied assumption is called."""
    return text(lang, f"study.key_{key.rpartition('.')[2]}")


def in_two_lines(label: str) -> str:
    """A label with a mark (`charts.LINE`) at the space nearest its middle, where it is long."""
    spaces = [k for k, letter in enumerate(label) if letter == " "]
    if len(label) <= LONG_LABEL or not spaces:
        return label
    at = min(spaces, key=lambda k: abs(k - len(label) / 2))
    return f"{label[:at]}{LINE}{label[at + 1 :]}"


def band_rows(content: Content, lang: Lang) -> Rows:
    """Income of a working day by tier under the new book, in yuan: what came from fees and what from the bonus."""
    titles = {tier.id: getattr(tier.title, lang) for tier in content.books[1][-1].model.tier}
    bands = content.summary["bands"]["b"]
    all_days = sum(band["num_rider_days"] for band in bands)
    rows: Rows = []
    for band in bands:
        worked = band["online"]
        if not worked:
            continue
        fees, bonus = ((band[name]) / worked / FEN_PER_YUAN for name in ("fees_fen", "bonus_fen"))
        label = titles.get(band["tier"], band["tier"])
        share = percent_text(lang, band["num_rider_days"] / all_days, signed=False)
        note = text(lang, "study.band_note", money=number_text(fees + bonus, 2), share=share)
        rows.append(
            {
                "label": label,
                "kind": text(lang, "study.part_fees"),
                "value": fees,
                "order": 0,
                "total": fees + bonus,
                "note": note,
            }
        )
        rows.append({"label": label, "kind": text(lang, "study.part_bonus"), "value": bonus, "order": 1})
    return rows


def axis_scale(unit: str) -> float:
    """From a metric's own unit to that of an axis."""
    return {"fen": 1 / FEN_PER_YUAN, "share": 100.0}.get(unit, 1.0)


def axis_title(lang: Lang, metric: str, unit: str) -> str:
    """A metric with the unit of its differences."""
    return text(lang, "study.axis", metric=metric_title(lang, metric), unit=text(lang, f"study.axis_{unit}"))


def assumption_rows(scenario: Scenario) -> list[tuple[str, str, str]]:
    """(key, value, source) of every number of the scenario."""
    return [(key, _value_of(scenario, key), source) for key, source in scenario.sources.items()]


def _value_of(scenario: Scenario, key: str) -> str:
    part, _, name = key.rpartition(".")
    if part.startswith("obstacle."):
        holder: Any = next(one for one in scenario.obstacles if one.report == part.removeprefix("obstacle."))
    else:
        holder = getattr(scenario, part) if part else scenario.town
    value = getattr(holder, name)
    if isinstance(value, Quantiles):
        return f"{value.corners[0][1]} … {value.at(np.array([500_000]))[0]} … {value.corners[-1][1]}"
    if isinstance(value, tuple):
        return ", ".join(f"{at}: {height}" for at, height in value)
    return str(value)


def moment_rows(content: Content, lang: Lang) -> list[dict[str, str | bool]]:
    """Published figures beside what this city shows under the old book; `inside` where it lies in their range."""
    rows: list[dict[str, str | bool]] = []
    for moment in CALIBRATION_TARGETS:
        value, unit = _moment(content.summary, moment.name)
        if value is None:
            continue
        ends = (value_text(lang, unit, end) for end in (moment.low, moment.high))
        rows.append(
            {
                "title": text(lang, f"study.moment_{moment.name}"),
                "value": value_text(lang, unit, value),
                "range": " … ".join(ends),
                "inside": moment.low <= value <= moment.high,
                "calibrated": moment.calibrated,
                "source": moment.source,
            }
        )
    return rows


def _moment(summary: Summary, name: str) -> tuple[float | None, str]:
    """A moment and its unit, from the metrics under the old book."""
    if name in _MOMENT_METRICS:
        one = summary["metrics"].get(_MOMENT_METRICS[name])
        return (None, "index") if one is None else (one["mean_a"], one["unit"])
    late = [_late_a(summary["groups"]["tenure"].get(group)) for group in ("first_month", "later")]
    first, later = late
    return (None, "times") if first is None or not later else (first / later, "times")


def _late_a(group: Summary | None) -> float | None:
    one = None if group is None else group["metrics"].get("on_time_rate")
    return None if one is None else 1 - one["mean_a"]


def group_table(content: Content, lang: Lang) -> list[dict[str, Any]]:
    """The primary metrics' differences and intervals for each group known before the switch."""
    rows: list[dict[str, Any]] = []
    for dimension, groups in content.summary["groups"].items():
        for group, own in groups.items():
            cells = []
            for metric in (name for name in PRIMARY if name in content.summary["metrics"]):
                one, unit = own["metrics"].get(metric), content.summary["metrics"][metric]["unit"]
                value = DASH if one is None else value_text(lang, unit, one["difference"], signed=True)
                interval = "" if one is None else interval_text(lang, unit, one["ci_low"], one["ci_high"])
                cells.append({"value": value, "interval": interval})
            title = text(lang, f"study.group_{dimension}_{group}")
            rows.append({"title": title, "riders": f"{own['num_riders']:,}", "cells": cells})
    return rows


def metric_rows(content: Content, lang: Lang) -> list[dict[str, str | bool]]:
    """Every metric as the big table shows it."""
    rows: list[dict[str, str | bool]] = []
    for name, one in content.summary["metrics"].items():
        unit = one["unit"]
        rows.append(
            {
                "title": metric_title(lang, name),
                "primary": one["primary"],
                "a": value_text(lang, unit, one["mean_a"]),
                "b": value_text(lang, unit, one["mean_b"]),
                "difference": value_text(lang, unit, one["difference"], signed=True),
                "interval": interval_text(lang, unit, one["ci_low"], one["ci_high"]),
                "noise": value_text(lang, unit, one["noise"], signed=True),
                "is_clear": one["ci_low"] is not None and (one["ci_low"] > 0 or one["ci_high"] < 0),
            }
        )
    return rows
