"""All seeds of a study together: intervals for every metric, groups, days, decomposition, hidden fine, winners and losers.

The seed is the unit everywhere: a mean over riders or days is taken within a seed first, and the spread is that between seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from simulations.study.decomposition import PARTS
from simulations.study.intervals import F64, Interval, paired_t
from simulations.study.metrics import METRICS, OF_RIDERS, PRIMARY, Metric, stacked
from simulations.study.movers import Movers, movers
from simulations.study.paired import Paired, paired
from simulations.study.seed import BAND_SUMS, DAILY, DIMENSIONS, SeedBand, SeedResult, groups_in

K = TypeVar("K", int, str)
NEUTRAL = ("income_per_day_fen", "income_p10_fen", "income_p50_fen", "income_p90_fen", "income_gini")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over seeds and its 95 % interval."""

    mean: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class RiderGroup:
    """Riders known before the switch: one of `DIMENSIONS`, and what the books differ by for them.

    `tier_days` holds rider days by arm and position of the tier, all seeds together: a description, as tiers are outcomes.
    """

    dimension: str
    group: str
    num_riders: int
    metrics: tuple[Paired, ...]
    parts: dict[str, Estimate]
    movers: Movers
    tier_days: dict[str, dict[int, int]]


@dataclass(frozen=True, slots=True)
class DayFindings:
    """One metric on one day after the switch."""

    metric: str
    day: int
    mean_a: float
    mean_b: float
    difference: Estimate


@dataclass(frozen=True, slots=True)
class Hidden:
    """The hidden fine over seeds.

    Parameters
    ----------
    share
        Of the fees that rider days begun in a low tier would have brought under a blind dispatcher.
    per_day_fen
        Fen per rider and day of the whole city.
    of_fines_removed
        The same money as a share of the fines removed; None where none were.
    num_days, num_rider_days
        Rider days begun in a low tier, and all of them.
    """

    share: Estimate
    per_day_fen: Estimate
    of_fines_removed: float | None
    num_days: int
    num_rider_days: int


@dataclass(frozen=True, slots=True)
class Findings:
    """The results of a study; fen are fen a rider and day unless said otherwise.

    Parameters
    ----------
    seeds
        The seeds that were run, in order.
    num_riders, num_days
        Riders of the city, and days after the switch.
    metrics
        Each metric under A and B.
    blind
        Metric → mean of the arm in which the new tiers give no priority.
    again
        Metric → A against A with other draws: what differences mean nothing.
    groups
        The same for groups of riders that were known before the switch.
    days
        The same by metric and day after the switch.
    parts, part_sums
        Part of the decomposition, or `total` → estimate; and its sum in fen over all seeds, riders and days.
    neutral, neutral_movers
        Metrics and movers with B at the platform's cost an order of A.
    hidden
        Income that low tiers lose through fewer orders; None where tiers give no priority.
    movers
        Riders who gain and lose, B against A.
    bands
        Arm → position of the tier → sums over riders who began a day in it.
    late_bins
        Arm → orders by minute of lateness.
    income_of_riders
        Arm → fen a day of each rider, averaged over seeds.
    group_of
        Dimension → each rider's group.
    luck_is_equal
        Whether both arms met the same orders and riders under every seed.
    violations
        Check → how often it failed, over all runs.
    """

    seeds: tuple[int, ...]
    num_riders: int
    num_days: int
    metrics: tuple[Paired, ...]
    blind: dict[str, float]
    again: dict[str, Paired]
    groups: tuple[RiderGroup, ...]
    days: tuple[DayFindings, ...]
    parts: dict[str, Estimate]
    part_sums: dict[str, int]
    neutral: tuple[Paired, ...]
    neutral_movers: Movers
    hidden: Hidden | None
    movers: Movers
    bands: dict[str, dict[int, SeedBand]]
    late_bins: dict[str, np.ndarray]
    income_of_riders: dict[str, F64]
    group_of: dict[str, np.ndarray]
    luck_is_equal: bool
    violations: dict[str, int]

    def metric(self, name: str) -> Paired | None:
        """One metric; None where no seed defines it."""
        return next((one for one in self.metrics if one.metric == name), None)


def findings(results: Sequence[SeedResult]) -> Findings:
    """Put the seeds of a study together.

    Parameters
    ----------
    results
        Results by seed, in the order in which the seeds were run; at least one.

    Returns
    -------
    Findings
        Metrics, groups, days and the decomposition over all seeds.
    """
    first = results[0]
    rider_days = first.num_riders * first.num_days
    income: dict[str, F64] = {
        arm: np.mean([one.income_fen[arm] for one in results], axis=0)
        for arm in ("a", "b", "again", "neutral")
        if arm in first.income_fen
    }
    moved = income["b"] - income["a"]
    again = income["again"] - income["a"] if "again" in income else None
    return Findings(
        seeds=tuple(one.seed for one in results),
        num_riders=first.num_riders,
        num_days=first.num_days,
        metrics=_paired_metrics(results, METRICS, "a", "b"),
        blind=_means(results, "blind"),
        again={one.metric: one for one in _paired_metrics(results, METRICS, "a", "again")},
        groups=_groups(results, moved, again),
        days=_days(results),
        parts={name: _estimate([one.parts[name] / rider_days for one in results]) for name in (*PARTS, "total")},
        part_sums={name: sum(one.parts[name] for one in results) for name in (*PARTS, "total")},
        neutral=_neutral(results),
        neutral_movers=movers(income["neutral"] - income["a"], again),
        hidden=_hidden(results, rider_days),
        movers=movers(moved, again),
        bands={arm: _bands([one.bands[arm] for one in results]) for arm in ("a", "b")},
        late_bins={arm: np.sum([one.late_bins[arm] for one in results], axis=0) for arm in ("a", "b")},
        income_of_riders=income,
        group_of=first.group_of,
        luck_is_equal=all(one.luck_is_equal for one in results),
        violations=_added([one.violations for one in results]),
    )


def _paired_metrics(
    results: Sequence[SeedResult], metrics: Sequence[Metric], one: str, other: str
) -> tuple[Paired, ...]:
    if any(other not in result.metrics for result in results):
        return ()
    first, second = ([result.metrics[arm] for result in results] for arm in (one, other))
    found = [
        paired(
            metric.name,
            stacked(first, metric.name),
            stacked(second, metric.name),
            len(PRIMARY) if metric.is_primary else 1,
        )
        for metric in metrics
    ]
    return tuple(each for each in found if each is not None)


def _means(results: Sequence[SeedResult], arm: str) -> dict[str, float]:
    """Means over the seeds in which a metric is defined."""
    if any(arm not in result.metrics for result in results):
        return {}
    found = {}
    for metric in METRICS:
        values = stacked([result.metrics[arm] for result in results], metric.name)
        if not np.isnan(values).all():
            found[metric.name] = float(np.nanmean(values))
    return found


def _groups(results: Sequence[SeedResult], moved: F64, again: F64 | None) -> tuple[RiderGroup, ...]:
    found = []
    for dimension in DIMENSIONS:
        own = results[0].group_of[dimension]
        for group in groups_in(own):
            members = own == group
            rider_days = int(members.sum()) * results[0].num_days
            pairs = [result.groups[dimension, group] for result in results]
            metrics = [
                paired(
                    metric.name,
                    stacked([pair["a"] for pair in pairs], metric.name),
                    stacked([pair["b"] for pair in pairs], metric.name),
                )
                for metric in OF_RIDERS
            ]
            parts = {
                name: _estimate([one.parts_of_groups[dimension, group][name] / rider_days for one in results])
                for name in (*PARTS, "total")
            }
            found.append(
                RiderGroup(
                    dimension,
                    group,
                    int(members.sum()),
                    tuple(each for each in metrics if each is not None),
                    parts,
                    movers(moved[members], None if again is None else again[members]),
                    {
                        arm: _added([one.tier_days_of_groups[dimension, group][arm] for one in results])
                        for arm in ("a", "b")
                    },
                )
            )
    return tuple(found)


def _days(results: Sequence[SeedResult]) -> tuple[DayFindings, ...]:
    found = []
    for name in DAILY:
        a, b = (np.array([one.daily[arm][name] for one in results]) for arm in ("a", "b"))
        for day in range(results[0].num_days):
            defined = ~(np.isnan(a[:, day]) | np.isnan(b[:, day]))
            if defined.any():
                before, after = a[defined, day], b[defined, day]
                difference = Estimate(float((after - before).mean()), paired_t(after - before))
                found.append(DayFindings(name, day, float(before.mean()), float(after.mean()), difference))
    return tuple(found)


def _neutral(results: Sequence[SeedResult]) -> tuple[Paired, ...]:
    found = [
        paired(
            name,
            stacked([one.metrics["a"] for one in results], name),
            stacked([one.neutral for one in results], name),
        )
        for name in NEUTRAL
    ]
    return tuple(each for each in found if each is not None)


def _hidden(results: Sequence[SeedResult], rider_days: int) -> Hidden | None:
    hidden = [one.hidden for one in results if one.hidden is not None]
    if len(hidden) != len(results):
        return None
    removed = sum(one.parts["fines_removed"] for one in results)
    lost = sum(one.lost_fen for one in hidden)
    return Hidden(
        share=_estimate([one.share for one in hidden]),
        per_day_fen=_estimate([one.lost_fen / rider_days for one in hidden]),
        of_fines_removed=lost / removed if removed > 0 else None,
        num_days=sum(one.num_days for one in hidden),
        num_rider_days=rider_days * len(results),
    )


def _estimate(values: Sequence[float]) -> Estimate:
    each = np.array(values, np.float64)
    return Estimate(float(each.mean()), paired_t(each))


def _bands(each: Sequence[dict[int, SeedBand]]) -> dict[int, SeedBand]:
    tiers = sorted({tier for bands in each for tier in bands})
    return {
        tier: SeedBand(
            sum(bands[tier].num_days for bands in each if tier in bands),
            {name: sum(bands[tier].sums[name] for bands in each if tier in bands) for name in BAND_SUMS},
        )
        for tier in tiers
    }


def _added(each: Sequence[dict[K, int]]) -> dict[K, int]:
    found: dict[K, int] = {}
    for one in each:
        for name, number in one.items():
            found[name] = found.get(name, 0) + number
    return {name: found[name] for name in sorted(found)}
