"""Quantiles of Student's t distribution, for the intervals of means of paired differences.

For whole degrees of freedom the probability of (-t, t) is a finite sum of powers of a cosine (Abramowitz and Stegun 1964,
26.7.3 and 26.7.4), which is halved down to the last bit. A library with a hundred more distributions took 130 MB.
"""

import math
from functools import cache

import numpy as np

# Halving an angle below a right one this often leaves less than the distance of two neighbouring floats.
_NUM_HALVINGS = 64


@cache
def student_t_quantile(num_freedom: int, probability: float) -> float:
    """The value below which a share of Student's t distribution lies.

    Parameters
    ----------
    num_freedom
        Degrees of freedom, 1 or more.
    probability
        Above 0, below 1.

    Returns
    -------
    float
        Right to about 12 digits.

    Raises
    ------
    ValueError
        If an argument is outside its range.
    """
    if num_freedom < 1 or not 0 < probability < 1:
        raise ValueError(f"no quantile: {num_freedom} degrees of freedom, probability {probability}")
    central = abs(2 * probability - 1)
    low, high = 0.0, math.pi / 2
    factors = _factors(num_freedom)
    for _ in range(_NUM_HALVINGS):
        angle = (low + high) / 2
        if _central_probability(angle, num_freedom, factors) < central:
            low = angle
        else:
            high = angle
    return math.copysign(math.sqrt(num_freedom) * math.tan((low + high) / 2), probability - 0.5)


def _factors(num_freedom: int) -> np.ndarray:
    """What each power of the cosine is multiplied by, from the power before."""
    first = 2 + num_freedom % 2
    steps = np.arange(first, num_freedom - 1, 2, dtype=np.float64)
    return (steps - 1) / steps


def _central_probability(angle: float, num_freedom: int, factors: np.ndarray) -> float:
    """Probability of (-t, t) where t = √ν · tan(angle)."""
    sine, cosine = math.sin(angle), math.cos(angle)
    powers = 1 + float(np.cumprod(factors * cosine**2).sum())
    if num_freedom % 2 == 0:
        return sine * powers
    return 2 / math.pi * (angle + (sine * cosine * powers if num_freedom > 1 else 0.0))
