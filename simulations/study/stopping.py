"""When a study has enough seeds: decided by the precision of its primary metrics alone, never by their values.

A rule that looks at the difference would stop where chance is large. This one looks at the width of the interval, from the
20th seed on and at fixed numbers of seeds, so that neither the order in which runs finish nor the number of workers matters.
"""

from collections.abc import Sequence

import numpy as np

from simulations.study.intervals import F64, paired_t

FIRST_LOOK = 20
STEP = 5


def looks(num_max: int) -> tuple[int, ...]:
    """List the numbers of seeds at which the rule may act.

    Parameters
    ----------
    num_max
        Seeds at which the study ends anyway.

    Returns
    -------
    tuple[int, ...]
        20, 25, 30, … below `num_max`.
    """
    return tuple(range(FIRST_LOOK, num_max, STEP))


def seeds_needed(pairs: Sequence[tuple[F64, F64]], precision: float) -> int | None:
    """Find the first look at which every metric is as precise as asked for.

    Parameters
    ----------
    pairs
        Values under A and under B by seed, for each primary metric; as many seeds as have been run.
    precision
        Half the width of the 95 % interval of the difference, as a share of the mean under A.

    Returns
    -------
    int | None
        The number of seeds; None if no look is precise enough.
    """
    num = min((a.size for a, _ in pairs), default=0)
    for look in looks(num + 1):
        if all(is_precise(a[:look], b[:look], precision) for a, b in pairs):
            return look
    return None


def is_precise(a: F64, b: F64, precision: float) -> bool:
    """Whether one metric's interval is narrow enough; undefined values are left out."""
    defined = ~(np.isnan(a) | np.isnan(b))
    half_width = paired_t((b - a)[defined]).half_width
    scale = abs(float(a[defined].mean())) if defined.any() else 0.0
    return half_width is not None and half_width <= precision * scale
