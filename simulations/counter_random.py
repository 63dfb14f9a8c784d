"""Counter-based random draws: every draw is a pure function of (seed, purpose, entity, day, occurrence).

Nothing is shared between draws, so that one more rider, or a decision made differently, changes nothing that is drawn for others.
Integers throughout: the same seed gives the same draws on every machine.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rules.units import PERMILLE

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
Bools = NDArray[np.bool_]

MILLION = 1_000_000
_MASK = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Quantiles:
    """A distribution of whole numbers by its quantiles, linear in between.

    Parameters
    ----------
    corners
        (per-mille, value), ascending, from per-mille 0 to 1000: `((0, 3), (500, 7), (1000, 30))` reads "at least
        3, half of them up to 7, never more than 30".
    """

    corners: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        shares = [share for share, _ in self.corners]
        if len(shares) < 2 or shares[0] != 0 or shares[-1] != PERMILLE:
            raise ValueError(f"quantiles must run from 0 to {PERMILLE} per-mille: {self.corners}")
        for (share, value), (next_share, next_value) in pairwise(self.corners):
            if next_share <= share or next_value < value:
                raise ValueError(f"quantiles must ascend: {self.corners}")

    @property
    def lowest(self) -> int:
        """The smallest value that can be drawn."""
        return self.corners[0][1]

    def at(self, millionths: I64) -> I64:
        """Values at ranks of 0 … 999 999 millionths."""
        ranks = np.array([share for share, _ in self.corners], np.int64) * (MILLION // PERMILLE)
        values = np.array([value for _, value in self.corners], np.int64)
        piece = np.searchsorted(ranks, millionths, side="right") - 1
        low, width = values[piece], ranks[piece + 1] - ranks[piece]
        drawn: I64 = low + (values[piece + 1] - low) * (millionths - ranks[piece]) // width
        return drawn


@dataclass(frozen=True, slots=True)
class CounterRandom:
    """All draws of one seed. Arguments broadcast; `purpose` names what is drawn, so that no two draws coincide.

    Parameters
    ----------
    seed
        Any whole number from 0 to 2^64 − 1; the same seed gives the same draws on every machine.
    """

    seed: int

    def bits(self, purpose: str, entity: ArrayLike, day: ArrayLike = 0, occurrence: ArrayLike = 0) -> U64:
        """64 random bits per (entity, day, occurrence)."""
        state = np.asarray([purpose_state(self, purpose)])
        for part in (entity, day, occurrence):
            state = _mixed(state ^ _mixed(np.atleast_1d(np.asarray(part, np.int64)).astype(np.uint64) + _GOLDEN))
        return state

    def below(self, limit: int, purpose: str, entity: ArrayLike, day: ArrayLike = 0, occurrence: ArrayLike = 0) -> I64:
        """Whole numbers 0 … limit − 1, `limit` at most 2³¹."""
        high = self.bits(purpose, entity, day, occurrence) >> np.uint64(32)
        return ((high * np.uint64(limit)) >> np.uint64(32)).astype(np.int64)

    def chance(
        self, per_million: ArrayLike, purpose: str, entity: ArrayLike, day: ArrayLike = 0, occurrence: ArrayLike = 0
    ) -> Bools:
        """True with a probability in millionths."""
        return self.below(MILLION, purpose, entity, day, occurrence) < np.asarray(per_million)

    def draw(
        self, quantiles: Quantiles, purpose: str, entity: ArrayLike, day: ArrayLike = 0, occurrence: ArrayLike = 0
    ) -> I64:
        """Values of a distribution."""
        return quantiles.at(self.below(MILLION, purpose, entity, day, occurrence))


def purpose_state(rng: CounterRandom, purpose: str) -> np.uint64:
    """What all draws of a purpose start from."""
    state: np.uint64 = _mixed(np.asarray([rng.seed & _MASK], np.uint64) ^ _purpose_key(purpose))[0]
    return state


_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mixed(state: U64) -> U64:
    """Finaliser of SplitMix64 (Steele, Lea, Flood 2014); arrays, since scalars would warn of the intended overflow."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


@cache
def _purpose_key(purpose: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:8], "big"))
