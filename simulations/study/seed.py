"""One seed of a study: its runs set side by side and reduced to what is averaged over seeds.

The runs of a seed meet the same orders, kitchens, weather and people. All that follows from their tables is worked out here, once,
so that a study of hundreds of seeds holds a few numbers of each.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rules.book import Book
from rules.events import RIDER_KINDS
from simulations.study.decomposition import PARTS, parts_of
from simulations.study.hidden_fine import HiddenFine, hidden_fine
from simulations.study.intervals import F64
from simulations.study.metrics import Columns, of_riders, per_rider
from simulations.study.outcome import RunOutcome
from simulations.world import SKILL_GROUPS, TENURE_GROUPS

Arm = Literal["a", "b", "base", "blind", "again"]
Metrics = dict[str, float]

# Known before any rule acts: differences between these groups' differences are causal.
DIMENSIONS = {"kind": "kind", "tenure": "tenure_group", "skill": "skill_group"}
_ORDER = (*RIDER_KINDS, *TENURE_GROUPS, *SKILL_GROUPS)
DAILY = ("income_per_day_fen", "on_time_rate", "red_light_exposure")
BAND_SUMS = ("fees_fen", "fines_fen", "bonus_fen", "income_fen", "num_delivered", "worked_s", "online")


@dataclass(frozen=True, slots=True)
class SeedBand:
    """Rider days of one tier under one book, summed; a description, since the tier is itself an outcome."""

    num_days: int
    sums: dict[str, int]


@dataclass(frozen=True, slots=True)
class SeedResult:
    """The results of one seed.

    Parameters
    ----------
    seed
        The seed.
    num_riders, num_days
        Riders of the city, and days after the switch.
    metrics
        Arm → metric → value.
    groups
        (dimension, group) → arm `a`, `b` → metric → value.
    group_of
        Dimension → each rider's group, on the day of the switch.
    income_fen
        Arm → fen a day of each rider; `neutral` is `b` at the platform's cost per order of `a`.
    neutral
        Metrics of `b` at the platform's cost per order of `a`.
    daily
        Arm → metric → values of day 0, 1, ….
    parts
        Part of the decomposition, or `total` → fen over all rider days.
    parts_of_groups
        (dimension, group) → the same for the riders of a group.
    hidden
        Income that low tiers lose through fewer orders; None where tiers give no priority.
    bands
        Arm → position of the tier in that arm's book → sums.
    tier_days_of_groups
        (dimension, group) → arm → position of the tier → rider days begun in it.
    late_bins
        Arm → orders by minute of lateness (`simulations.study.outcome`).
    luck_is_equal
        Whether both arms met the same orders and riders.
    violations
        Check → how often it failed, over the runs of the seed.
    """

    seed: int
    num_riders: int
    num_days: int
    metrics: dict[str, Metrics]
    groups: dict[tuple[str, str], dict[str, Metrics]]
    group_of: dict[str, np.ndarray]
    income_fen: dict[str, F64]
    neutral: Metrics
    daily: dict[str, dict[str, F64]]
    parts: dict[str, int]
    parts_of_groups: dict[tuple[str, str], dict[str, int]]
    hidden: HiddenFine | None
    bands: dict[str, dict[int, SeedBand]]
    tier_days_of_groups: dict[tuple[str, str], dict[str, dict[int, int]]]
    late_bins: dict[str, np.ndarray]
    luck_is_equal: bool
    violations: dict[str, int]


def seed_result(arms: Mapping[str, RunOutcome], book: tuple[Book, ...]) -> SeedResult:
    """Compare the runs of one seed.

    Parameters
    ----------
    arms
        `a` and `b`; `blind`, `base` and `again` where they were run. A missing `blind` means that the new book's tiers give no
        priority, so that `b` is it; a missing `base` that `a` is it.
    book
        Versions of the new book.

    Returns
    -------
    SeedResult
        Metrics of each arm, groups, and the decomposition.
    """
    a = arms["a"]
    columns = {arm: outcome.columns() for arm, outcome in arms.items()}
    blind, base = columns.get("blind", columns["b"]), columns.get("base", columns["a"])
    num_riders, num_days = a.num_riders, a.num_days
    group_of = {name: columns["a"][column][:num_riders] for name, column in DIMENSIONS.items()}
    income = {arm: per_rider(own["income_fen"], num_riders, num_days) / num_days for arm, own in columns.items()}
    neutral_days = _neutral(columns["a"], columns["b"])
    income["neutral"] = per_rider(neutral_days["income_fen"], num_riders, num_days) / num_days
    parts = parts_of(columns["a"], base, blind, columns["b"])
    per_part = {name: per_rider(getattr(parts, name), num_riders, num_days) for name in (*PARTS, "total")}
    return SeedResult(
        seed=int(a.facts["seed"]),
        num_riders=num_riders,
        num_days=num_days,
        metrics={arm: outcome.metrics() for arm, outcome in arms.items()},
        groups=_groups(columns, group_of, num_days),
        group_of=group_of,
        income_fen=income,
        neutral=of_riders(neutral_days, num_days),
        daily={arm: _daily(columns[arm], num_days) for arm in ("a", "b")},
        parts={name: int(values.sum()) for name, values in per_part.items()},
        parts_of_groups={
            (dimension, group): {name: int(values[own == group].sum()) for name, values in per_part.items()}
            for dimension, own in group_of.items()
            for group in groups_in(own)
        },
        hidden=hidden_fine(book, blind, columns["b"]) if "blind" in arms else None,
        bands={arm: _bands(columns[arm]) for arm in ("a", "b")},
        tier_days_of_groups={
            (dimension, group): {arm: _tier_days(columns[arm]["tier_idx"], own == group) for arm in ("a", "b")}
            for dimension, own in group_of.items()
            for group in groups_in(own)
        },
        late_bins={arm: np.array(arms[arm].facts["late_bins"]) for arm in ("a", "b")},
        luck_is_equal=all(outcome.facts["luck"] == a.facts["luck"] for outcome in arms.values()),
        violations=_violations(arms),
    )


def groups_in(own: np.ndarray) -> list[str]:
    """The groups that riders belong to, in their natural order."""
    return sorted(set(own.tolist()), key=_ORDER.index)


def _neutral(a: Columns, b: Columns) -> dict[str, np.ndarray]:
    """Rider days of `b` with delivery fees scaled so that an order costs the platform what it costs in `a`.

    Accounting, not behaviour: nobody answers to the other fee. Rounded to whole fen by rider day.
    """
    orders_a, orders_b = int(a["num_delivered"].sum()), int(b["num_delivered"].sum())
    budget = int(a["income_fen"].sum()) * orders_b / max(orders_a, 1)
    extras = b["bonus_fen"] - b["fines_fen"]
    fees = int(b["fees_fen"].sum())
    factor = (budget - int(extras.sum())) / fees if fees else 1.0
    scaled = np.rint(b["fees_fen"] * factor).astype(np.int64)
    return {**b, "fees_fen": scaled, "income_fen": scaled + extras}


def _groups(
    columns: Mapping[str, Columns], group_of: Mapping[str, np.ndarray], num_days: int
) -> dict[tuple[str, str], dict[str, Metrics]]:
    found: dict[tuple[str, str], dict[str, Metrics]] = {}
    for dimension, own in group_of.items():
        for group in groups_in(own):
            # Rows stand by day, then rider: a rider's group holds on every day.
            rows = np.tile(own == group, num_days)
            found[dimension, group] = {
                arm: of_riders({name: values[rows] for name, values in columns[arm].items()}, num_days)
                for arm in ("a", "b")
            }
    return found


def _daily(days: Columns, num_days: int) -> dict[str, F64]:
    series: dict[str, list[float]] = {name: [] for name in DAILY}
    for day in range(num_days):
        rows = days["day"] == day
        today = {name: values[rows] for name, values in days.items()}
        measured = of_riders({**today, "day": np.zeros_like(today["day"])}, 1)
        for name in DAILY:
            series[name].append(measured[name])
    return {name: np.array(values, np.float64) for name, values in series.items()}


def _bands(days: Columns) -> dict[int, SeedBand]:
    tiers = days["tier_idx"]
    found = {}
    for tier in np.unique(tiers).tolist():
        rows = tiers == tier
        found[int(tier)] = SeedBand(int(rows.sum()), {name: int(days[name][rows].sum()) for name in BAND_SUMS})
    return found


def _tier_days(tiers: np.ndarray, members: np.ndarray) -> dict[int, int]:
    own = tiers.reshape(-1, members.size)[:, members]
    each, number = np.unique(own, return_counts=True)
    return dict(zip(each.tolist(), number.tolist(), strict=True))


def _violations(arms: Mapping[str, RunOutcome]) -> dict[str, int]:
    found: dict[str, int] = {}
    for outcome in arms.values():
        for check, number in outcome.facts["violations"].items():
            found[check] = found.get(check, 0) + number
    return found
