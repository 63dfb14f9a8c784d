"""Intervals for the mean of differences between paired runs: Student's t first, a studentised bootstrap beside it.

The independent unit is the seed: one difference a seed, never a rider or a day. Holds no data and draws nothing at random but what a
seed names.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulations.study.student_t import student_t_quantile

F64 = NDArray[np.float64]

CONFIDENCE = 0.95
NUM_RESAMPLES = 4_999
# A standard error this small beside the values, or beside that of all differences, is rounding or a resample of one value.
_ROUNDING, _FLAT = 1e-12, 1e-3
# Tails of 2.5 % say nothing if more resamples than this share are without spread.
_FLAT_MAX = 0.01
# Resamples held at once: 20 seeds need 0.8 MB, 1 000 seeds 40 MB.
_BLOCK = 5_000


@dataclass(frozen=True, slots=True)
class Interval:
    """Two ends; both None where fewer than two differences say nothing about their spread."""

    low: float | None
    high: float | None

    @property
    def half_width(self) -> float | None:
        """Half the distance of the ends."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2


NO_INTERVAL = Interval(None, None)


def paired_t(differences: F64, confidence: float = CONFIDENCE) -> Interval:
    """Mean ± t · s / √n of differences, one a seed."""
    num = differences.size
    if num < 2:
        return NO_INTERVAL
    mean = float(differences.mean())
    reach = student_t_quantile(num - 1, (1 + confidence) / 2) * _standard_error(differences)
    return Interval(mean - reach, mean + reach)


def bootstrap_t(differences: F64, seed: int, confidence: float = CONFIDENCE) -> Interval:
    """Studentised bootstrap (Efron, Tibshirani 1993, chapter 12.5): tails from the data in place of Student's.

    Parameters
    ----------
    seed
        Names the resamples, so that the same differences give the same interval.

    Returns
    -------
    No interval where too many resamples hold one value alone, as with four differences or fewer: its ends would be those
    of a division by almost nothing.
    """
    num = differences.size
    if num < 2:
        return NO_INTERVAL
    mean, error = float(differences.mean()), _standard_error(differences)
    if error <= _ROUNDING * np.abs(differences).max():
        return Interval(mean, mean)
    rng = np.random.Generator(np.random.Philox(seed))
    pivots = [_pivots(differences, mean, error, rng, block) for block in _blocks(num)]
    spread = np.concatenate(pivots)
    if spread.size < (1 - _FLAT_MAX) * NUM_RESAMPLES:
        return NO_INTERVAL
    low, high = np.quantile(spread, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(mean - float(high) * error, mean - float(low) * error)


def _blocks(num: int) -> list[int]:
    size = max(_BLOCK * 20 // num, 1)
    whole, rest = divmod(NUM_RESAMPLES, size)
    return [size] * whole + ([rest] if rest else [])


def _pivots(differences: F64, mean: float, whole: float, rng: np.random.Generator, num_resamples: int) -> F64:
    """(Mean of a resample − mean) / its standard error; resamples without spread have none and are left out."""
    num = differences.size
    drawn = differences[rng.integers(0, num, (num_resamples, num))]
    error = drawn.std(axis=1, ddof=1) / np.sqrt(num)
    # Equal values have a spread of rounding alone.
    spread = error > _FLAT * whole
    pivots: F64 = (drawn.mean(axis=1)[spread] - mean) / error[spread]
    return pivots


def _standard_error(differences: F64) -> float:
    return float(differences.std(ddof=1) / np.sqrt(differences.size))
