"""The hidden fine: income that riders lose because a low score brings them fewer orders.

Measured against the third arm, the same seeds with a dispatcher that does not see the score: the same riders on the same days.
"""

from dataclasses import dataclass

import numpy as np

from rules.book import Book
from rules.units import PERMILLE
from simulations.study.metrics import Columns


@dataclass(frozen=True, slots=True)
class HiddenFine:
    """Of one seed, over rider days that began in a tier with a priority below 1.

    Parameters
    ----------
    num_days
        Such rider days.
    lost_fen
        Delivery fees under the blind dispatcher less those under the one that sees tiers; negative where low scores lost nothing.
    blind_fees_fen
        Fees of those rider days under the blind dispatcher.
    """

    num_days: int
    lost_fen: int
    blind_fees_fen: int

    @property
    def share(self) -> float:
        """The hidden-fine share: what is lost of the fees that the same days would have earned; 0 without such days."""
        return self.lost_fen / self.blind_fees_fen if self.blind_fees_fen else 0.0


def hidden_fine(book: tuple[Book, ...], blind: Columns, b: Columns) -> HiddenFine:
    """Of one seed: `b` saw the tiers, `blind` did not."""
    low = low_days(book, b)
    blind_fees, fees = int(blind["fees_fen"][low].sum()), int(b["fees_fen"][low].sum())
    return HiddenFine(int(low.sum()), blind_fees - fees, blind_fees)


def low_days(book: tuple[Book, ...], days: Columns) -> np.ndarray:
    """Rider days that began in a tier whose priority is below 1 (of the last version)."""
    priority = np.array([tier.priority_permille for tier in book[-1].model.tier])
    low: np.ndarray = priority[np.clip(days["tier_idx"], 0, priority.size - 1)] < PERMILLE
    return low


def gives_priority(book: tuple[Book, ...]) -> bool:
    """Whether any tier of any version changes who is offered orders first.

    Parameters
    ----------
    book
        Versions of one book.

    Returns
    -------
    bool
        False if every tier has the priority 1 000 ‰.
    """
    return any(tier.priority_permille != PERMILLE for version in book for tier in version.model.tier)
