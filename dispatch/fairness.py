"""Fair shares: income per hour across riders, and the floor under what a low score may cost.

A tier's priority says how much sooner a rider is offered an order, within `problem.PRIORITY_RANGE`. Against a shadow
assignment of the same rounds with every multiplier 1, a rider whom the multiplier hurts may lose at most the book's
stated share of offered orders; who would lose more is neutral for the rest of the day.

Invariant: for every rider and at every moment, lost orders <= share x shadow orders.
"""

from dataclasses import dataclass

import numpy as np

from dispatch.arrays import Flags, Ints
from dispatch.problem import PRIORITY_NEUTRAL

# Who has just begun has no income per hour yet: the first half hour counts as worked.
WORKED_S_MIN = 1800


def income_surcharges(earned: Ints, worked_s: Ints, present: Flags, weight: int) -> Ints:
    """Return the cost of one more order for each rider: `weight` per minor unit an hour above the mean.

    The mean is that of the riders `present`.

    Parameters
    ----------
    earned
        Minor units today, one a rider.
    worked_s
        Seconds of order-taking today, one a rider.
    present
        Whose mean income counts.
    weight
        Cost of a minor unit an hour above the mean.

    Returns
    -------
    Ints
        Cost of one more order, one a rider; 0 up to the mean.
    """
    num = int(present.sum())
    if not num or not weight:
        return np.zeros(len(earned), np.int64)
    per_hour = earned * 3600 // np.maximum(worked_s, WORKED_S_MIN)
    mean = int(per_hour[present].sum()) // num
    return np.asarray(weight * np.maximum(per_hour - mean, 0), np.int64)


@dataclass(frozen=True, slots=True)
class OfferFloor:
    """Orders offered so far, and those the shadow assignment would have offered; one row a rider.

    Parameters
    ----------
    lose_pm_max
        The book's stated share, per mille of the shadow's.
    offered
        Orders offered so far, one a rider.
    shadow
        Orders the shadow assignment would have offered, one a rider.
    neutral
        Whose multiplier is 1 for the rest of the day.
    """

    lose_pm_max: int
    offered: Ints
    shadow: Ints
    neutral: Flags

    def __post_init__(self) -> None:
        if not 0 <= self.lose_pm_max <= 1000:
            raise ValueError(f"lose_pm_max = {self.lose_pm_max}: use 0..1000 per mille")

    def priorities(self, wanted: Ints) -> Ints:
        """Return the multipliers in force: 1 for riders who are neutral."""
        return np.where(self.neutral, PRIORITY_NEUTRAL, wanted)

    def with_round(self, offered: Ints, shadow: Ints) -> "OfferFloor":
        """Return the floor after a round's counts."""
        return OfferFloor(self.lose_pm_max, self.offered + offered, self.shadow + shadow, self.neutral)

    def with_neutral(self, riders: Flags) -> "OfferFloor":
        """Return the floor with more riders neutral for the rest of the day."""
        return OfferFloor(self.lose_pm_max, self.offered, self.shadow, self.neutral | riders)

    def losers(self) -> Flags:
        """Return who lost more than the share."""
        return (self.shadow - self.offered) * 1000 > self.lose_pm_max * self.shadow


def no_floor(num_riders: int, lose_pm_max: int = 100) -> OfferFloor:
    """Return the floor at the beginning of a day.

    Parameters
    ----------
    num_riders
        How many riders.
    lose_pm_max
        The most a low score may lose of its offers, per mille.

    Returns
    -------
    OfferFloor
        The floor with nothing offered yet.
    """
    zeros = np.zeros(num_riders, np.int64)
    return OfferFloor(lose_pm_max, zeros, zeros.copy(), np.zeros(num_riders, np.bool_))
