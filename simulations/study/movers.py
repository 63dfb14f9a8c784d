"""Winners and losers: each rider's difference averaged over seeds, beside what two runs of one book differ by.

A single day's differences are mostly noise of who happened to be nearest, so no count of winners means anything without the count
that comparing a book with itself gives (A against A, the riders' answers to offers drawn again).
"""

from dataclasses import dataclass

import numpy as np

from simulations.study.intervals import F64

# A rider has moved beyond noise when the difference is outside the middle 95 % of what A against A gives.
NOISE_SHARE = 0.95


@dataclass(frozen=True, slots=True)
class Movers:
    """How many riders have more or less, all of them and beyond the noise floor.

    Parameters
    ----------
    noise_fen
        Half-width of the noise floor: 95 % of riders differ by at most this when a book is compared with itself.
    num_gain, num_lose, num_same
        By the sign of the mean difference.
    num_gain_clear, num_lose_clear
        Beyond the noise floor.
    aa_gain, aa_lose, aa_gain_clear, aa_lose_clear
        The same counts for A against A; None without that run.
    """

    noise_fen: float | None
    num_gain: int
    num_lose: int
    num_same: int
    num_gain_clear: int | None
    num_lose_clear: int | None
    aa_gain: int | None
    aa_lose: int | None
    aa_gain_clear: int | None
    aa_lose_clear: int | None


def movers(difference: F64, again: F64 | None) -> Movers:
    """Count riders.

    Parameters
    ----------
    difference, again
        Mean difference over seeds of each rider, in fen a day: B against A, and A against A.
    """
    gain, lose = int((difference > 0).sum()), int((difference < 0).sum())
    same = difference.size - gain - lose
    if again is None or not again.size:
        return Movers(None, gain, lose, same, None, None, None, None, None, None)
    noise = float(np.quantile(np.abs(again), NOISE_SHARE))
    return Movers(
        noise_fen=noise,
        num_gain=gain,
        num_lose=lose,
        num_same=same,
        num_gain_clear=int((difference > noise).sum()),
        num_lose_clear=int((difference < -noise).sum()),
        aa_gain=int((again > 0).sum()),
        aa_lose=int((again < 0).sum()),
        aa_gain_clear=int((again > noise).sum()),
        aa_lose_clear=int((again < -noise).sum()),
    )
