"""How an amount is spread over riders: mean, median, tenths, Gini. Integers in, integers or exact fractions out."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from rules.units import PERMILLE
from scoring.columns import I64

_BLOCK = 1 << 12


@dataclass(frozen=True, slots=True)
class Distribution:
    """One amount over riders, in the unit of the amount.

    Parameters
    ----------
    num, total
        How many riders, and their sum.
    mean
        Rounded to a whole unit, half to even; 0 where there is nobody.
    median
        The middle value, of two middle ones their mean rounded down.
    p10, p90
        Nearest rank: the smallest value that at least 10, 90 % of the riders do not exceed.
    gini_permille
        0 all alike, towards 1000 one has all; None where it has no meaning (a negative value, or a sum of zero).
    """

    num: int
    total: int
    mean: int
    median: int
    p10: int
    p90: int
    gini_permille: int | None


def distribution(values: I64) -> Distribution:
    """Summary of whole numbers, in any order.

    Parameters
    ----------
    values
        Any number of whole numbers, below 10¹² each.

    Returns
    -------
    Distribution
        Of no value all 0; Gini None.
    """
    ordered = np.sort(np.asarray(values, np.int64))
    num, total = ordered.size, exact_sum(ordered)
    share = gini(ordered)
    return Distribution(
        num=num,
        total=total,
        mean=round(Fraction(total, num)) if num else 0,
        median=(int(ordered[(num - 1) // 2]) + int(ordered[num // 2])) // 2 if num else 0,
        p10=_ranked(ordered, 10),
        p90=_ranked(ordered, 90),
        gini_permille=None if share is None else round(share * PERMILLE),
    )


def gini(values: I64) -> Fraction | None:
    """Gini coefficient of values below 10¹², exactly: mean absolute difference of all pairs over twice the mean.

    With values in ascending order, G = (2 Σ i·xᵢ − (n + 1) Σ xᵢ) / (n Σ xᵢ).
    """
    ordered = np.sort(np.asarray(values, np.int64))
    total = exact_sum(ordered)
    if not ordered.size or total == 0 or ordered[0] < 0:
        return None
    return Fraction(2 * _rank_sum(ordered) - (ordered.size + 1) * total, ordered.size * total)


def exact_sum(values: I64) -> int:
    """Sum in blocks, so that values up to 10¹⁵ cannot overflow however many there are."""
    starts = range(0, values.size, _BLOCK)
    return sum(int(values[start : start + _BLOCK].sum()) for start in starts)


def _rank_sum(ordered: I64) -> int:
    """Σ i·xᵢ with i from 1, in blocks small enough for int64 and Python ints above."""
    total = 0
    within = np.arange(1, _BLOCK + 1)
    for start in range(0, ordered.size, _BLOCK):
        block = ordered[start : start + _BLOCK]
        total += start * int(block.sum()) + int((block * within[: block.size]).sum())
    return total


def _ranked(ordered: I64, percent: int) -> int:
    if not ordered.size:
        return 0
    return int(ordered[max(-(-ordered.size * percent // 100), 1) - 1])
