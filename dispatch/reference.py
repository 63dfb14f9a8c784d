"""The table of other methods beside ours: reading `reference.csv`, rows and means to print.

Invariant: a mean is over the same instances for every method, or absent.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from dispatch.benchmark import Played
from rules.text_files import decode_text

OWN = "riderscore"
# Our column → the reference file's.
COLUMNS = {
    "delivered_pct": "delivered_pct",
    "click_to_door": "click_to_door_mean",
    "p90": "click_to_door_p90",
    "overage": "overage_mean",
    "cost_per_order": "cost_per_order",
    "gini": "gini_pay_per_hour",
    "undelivered_120": "click_to_door_undelivered_120",
}

Reference = Mapping[str, Mapping[str, Mapping[str, str]]]


def read_reference(path: Path) -> Reference:
    """Return rows by method and instance; empty if there is no file.

    Parameters
    ----------
    path
        Of the CSV file; it may be missing.

    Returns
    -------
    Reference
        Rows by method and instance.
    """
    rows: dict[str, dict[str, dict[str, str]]] = {}
    if path.is_file():
        written, _ = decode_text(path.read_bytes())
        for row in csv.DictReader(io.StringIO(written)):
            rows.setdefault(row["algorithm"], {})[row["instance"]] = row
    return rows


def compare_rows(played: Played, seconds: float, reference: Reference) -> dict[str, Any]:
    """Return one instance's row: our measures, and the other methods' click-to-door with undelivered as 120.

    Parameters
    ----------
    played
        A played day.
    seconds
        What the day took to play.
    reference
        Rows by method and instance.

    Returns
    -------
    dict[str, Any]
        Measures by column.
    """
    name = played.instance.name
    row: dict[str, Any] = {"instance": name, "orders": played.metrics.orders}
    row |= {ours: getattr(played.metrics, theirs) for ours, theirs in COLUMNS.items()}
    row |= {"broken": len(played.violations), "seconds": seconds}
    others = {
        method: float(rows[name]["click_to_door_undelivered_120"]) for method, rows in reference.items() if name in rows
    }
    best = min(others, key=others.__getitem__, default="")
    row |= {"best_other": others.get(best), "best_method": best}
    for method in reference:
        row[method] = others.get(method)
    return row


def mean_rows(rows: Sequence[Mapping[str, Any]], reference: Reference, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return means over the instances, a row a method, ours first, with the share of instances where ours is better.

    Parameters
    ----------
    rows
        Of `compare_rows`.
    reference
        Rows by method and instance.
    names
        Of the instances.

    Returns
    -------
    list[dict[str, Any]]
        Means by column, a row a method.
    """
    own = {column: fmean(row[column] for row in rows) for column in COLUMNS}
    table = [{"method": OWN, **own, "ours_better_pct": None, "gap_ratio": None}]
    for method, entries in reference.items():
        if not all(name in entries for name in names):
            continue
        means = {ours: fmean(float(entries[name][theirs]) for name in names) for ours, theirs in COLUMNS.items()}
        better = sum(row["undelivered_120"] < row[method] for row in rows)
        floor = fmean(float(entries[name]["click_to_door_floor"]) for name in names)
        ratio = (own["undelivered_120"] - floor) / (means["undelivered_120"] - floor)
        table.append({"method": method, **means, "ours_better_pct": 100 * better / len(rows), "gap_ratio": ratio})
    return table
