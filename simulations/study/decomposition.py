"""Where the difference of income comes from: fines removed + bonus added + behaviour + dispatch, exactly.

Four runs of one seed answer it. `a`: the old book goes on. `base`: the same, dispatch blind to tiers (the same run as `a`
where the old book's tiers give no priority). `blind`: the new book, dispatch blind to its tiers. `b`: the new book.

- fines removed: fines in `base`, less the fines of the very same deliveries under the new book;
- bonus added: bonus of the same deliveries under the new book, less the bonus in `base`;
- behaviour: income in `blind`, less the income of the deliveries of `base` under the new book: riders answer the rule, dispatch does not;
- dispatch: (income in `b` − in `blind`) − (income in `a` − in `base`): what tiers do through the orders a rider is given.

The terms telescope, so they sum to income in `b` less income in `a`, to the fen, for every rider and seed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulations.study.metrics import Columns

I64 = NDArray[np.int64]
PARTS = ("fines_removed", "bonus_added", "behaviour", "dispatch")


@dataclass(frozen=True, slots=True)
class Parts:
    """Fen by rider day of one seed; `total` is the sum of the others."""

    fines_removed: I64
    bonus_added: I64
    behaviour: I64
    dispatch: I64
    total: I64


def parts_of(a: Columns, base: Columns, blind: Columns, b: Columns) -> Parts:
    """Split one seed's difference.

    Parameters
    ----------
    a, base, blind, b
        Rider days of the four runs, the same riders and days in the same order; `base` holds `fixed_fines_fen` and
        `fixed_bonus_fen`, the money of its deliveries under the new book.
    """
    fixed_income = base["fees_fen"] - base["fixed_fines_fen"] + base["fixed_bonus_fen"]
    seen_by_dispatch = (b["income_fen"] - blind["income_fen"]) - (a["income_fen"] - base["income_fen"])
    return Parts(
        fines_removed=base["fines_fen"] - base["fixed_fines_fen"],
        bonus_added=base["fixed_bonus_fen"] - base["bonus_fen"],
        behaviour=blind["income_fen"] - fixed_income,
        dispatch=seen_by_dispatch,
        total=b["income_fen"] - a["income_fen"],
    )
