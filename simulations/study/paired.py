"""One metric under two books over the same seeds: means, difference, intervals, and what pairing gained.

Differences are B − A. The interval that counts is the paired t; the bootstrap stands beside it.
"""

from dataclasses import dataclass

import numpy as np

from rules.ids import digest
from simulations.study.intervals import CONFIDENCE, F64, Interval, bootstrap_t, paired_t


@dataclass(frozen=True, slots=True)
class Paired:
    """One metric over the seeds in which it is defined under both books.

    Parameters
    ----------
    mean_a, mean_b, difference
        Means over seeds; `difference` is that of B − A.
    interval, bootstrap
        95 % for the difference: paired t, and studentised bootstrap.
    joint
        The t interval at the confidence that makes all primary metrics hold together (Bonferroni); equal to `interval` for
        exploratory ones.
    relative, relative_interval
        B over A less 1, from the mean of log ratios; None where a value is not positive.
    correlation
        Of A and B over seeds; None where one of them does not vary.
    variance_ratio
        Variance of the paired difference over that of two independent runs: below 1 pairing helped. None without variance.
    """

    metric: str
    num_seeds: int
    mean_a: float
    mean_b: float
    difference: float
    interval: Interval
    bootstrap: Interval
    joint: Interval
    relative: float | None
    relative_interval: Interval
    correlation: float | None
    variance_ratio: float | None


def paired(metric: str, a: F64, b: F64, num_together: int = 1) -> Paired | None:
    """Compare one metric's values under both books, seed by seed.

    Parameters
    ----------
    metric
        Name of the metric.
    a, b
        Values by seed, NaN where a seed does not define the metric (no late order: no mean lateness).
    num_together
        How many primary metrics are declared; 1 for an exploratory one.

    Returns
    -------
    Paired | None
        Means, difference and intervals; None where no seed defines the metric under both books.
    """
    defined = ~(np.isnan(a) | np.isnan(b))
    a, b = a[defined], b[defined]
    if not a.size:
        return None
    difference = b - a
    interval = paired_t(difference)
    return Paired(
        metric=metric,
        num_seeds=int(a.size),
        mean_a=float(a.mean()),
        mean_b=float(b.mean()),
        difference=float(difference.mean()),
        interval=interval,
        bootstrap=bootstrap_t(difference, bootstrap_seed(metric)),
        joint=interval if num_together == 1 else paired_t(difference, 1 - (1 - CONFIDENCE) / num_together),
        relative=_relative(a, b),
        relative_interval=_relative_interval(a, b),
        correlation=_correlation(a, b),
        variance_ratio=_variance_ratio(a, b),
    )


def bootstrap_seed(metric: str) -> int:
    """Names the resamples of a metric."""
    return int(digest({"bootstrap": metric})[:16], 16)


def _relative(a: F64, b: F64) -> float | None:
    return float(np.expm1(np.log(b / a).mean())) if _positive(a, b) else None


def _relative_interval(a: F64, b: F64) -> Interval:
    if not _positive(a, b):
        return Interval(None, None)
    logs = paired_t(np.log(b / a))
    if logs.low is None or logs.high is None:
        return Interval(None, None)
    return Interval(float(np.expm1(logs.low)), float(np.expm1(logs.high)))


def _positive(a: F64, b: F64) -> bool:
    return bool((a > 0).all() and (b > 0).all())


def _correlation(a: F64, b: F64) -> float | None:
    if a.size < 2 or a.std() == 0 or b.std() == 0:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def _variance_ratio(a: F64, b: F64) -> float | None:
    if a.size < 2:
        return None
    apart = float(a.var(ddof=1) + b.var(ddof=1))
    return None if apart == 0 else float((b - a).var(ddof=1)) / apart
