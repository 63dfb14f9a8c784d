"""Names, dtypes and shapes of what the score reads and writes.

Rows are records of structured arrays, so that compiled code takes a whole run as one argument. Rows of one rider
stand together; within a rider, events are in order of (occurred_us, event_id).
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

I64 = NDArray[np.int64]
I32 = NDArray[np.int32]
I8 = NDArray[np.int8]
U64 = NDArray[np.uint64]
U8 = NDArray[np.uint8]

NO_TIME = -(2**63)
FAR_US = 2**62

ENTRY_KINDS = (
    "award",
    "deduct",
    "cap",
    "clamp",
    "fade",
    "reset",
    "reverse",
    "reenter",
    "training",
    "review",
)
AWARD, DEDUCT, CAP, CLAMP, FADE, RESET, REVERSE, REENTER, TRAINING, REVIEW = range(10)

# `ev` of an entry: row of the run's events; a carried faded event k is CARRIED - k; a reset has none.
NO_EVENT = -1
CARRIED = -2


# One event; times are int64 µs UTC with `NO_TIME` where unknown, other unknown ints are -1. `rider` is the position of
# the rider (0 … R-1, ascending), `book` that of the book in the program, `order_key` a 64-bit identity of the order
# (0: none), `reports` a bit per `rules.events.REPORT_KINDS`, `waived` that an appeal against the event was upheld.
EVENT = np.dtype(
    [
        ("occurred_us", np.int64),
        ("placed_us", np.int64),
        ("deadline_us", np.int64),
        ("accepted_us", np.int64),
        ("arrived_us", np.int64),
        ("ready_us", np.int64),
        ("promised_ready_us", np.int64),
        ("picked_us", np.int64),
        ("delivered_us", np.int64),
        ("joined_us", np.int64),
        ("order_key", np.uint64),
        ("rider", np.int32),
        ("distance_m", np.int32),
        ("fee_fen", np.int32),
        ("extend_s", np.int32),
        ("book", np.int16),
        ("reports", np.int16),
        ("kind", np.int8),
        ("rider_kind", np.int8),
        ("level", np.int8),
        ("cause", np.int8),
        ("party", np.int8),
        ("waived", np.int8),
    ],
    align=True,
)

# Who answers for an event. `late_s` is gross, `given_s` what was given back (whole seconds), `weather` the level known.
LIABILITY = np.dtype(
    [("late_s", np.int32), ("given_s", np.int32), ("exempt", np.int8), ("party", np.int8), ("weather", np.int8)],
    align=True,
)

# One ledger entry. `of_kind` is the kind of the entry that a reverse or reenter concerns, else its own; `item_us` the
# time of the event or due instant concerned, which differs from `occurred_us` for corrections; `cause_ev` the row of
# the event that made a reversal necessary, else `NO_EVENT`; `nth` tells entries under one `reset:DATE` apart that are
# otherwise alike: how many came before at that instant.
ENTRY = np.dtype(
    [
        ("ev", np.int64),
        ("occurred_us", np.int64),
        ("item_us", np.int64),
        ("cause_ev", np.int64),
        ("rider", np.int32),
        ("label", np.int32),
        ("delta_mp", np.int32),
        ("score_after_mp", np.int32),
        ("money_fen", np.int32),
        ("late_s", np.int32),
        ("given_s", np.int32),
        ("book", np.int16),
        ("nth", np.int16),
        ("kind", np.int8),
        ("of_kind", np.int8),
        ("party", np.int8),
    ],
    align=True,
)

Events = NDArray[np.void]  # of EVENT
Liability = NDArray[np.void]  # of LIABILITY
Entries = NDArray[np.void]  # of ENTRY


def filled(column: pa.ChunkedArray, missing: int) -> NDArray[Any]:
    """A column of whole numbers, with `missing` where it is null; much is null throughout, or nowhere."""
    if column.null_count == len(column):
        return np.full(len(column), missing, column.type.to_pandas_dtype())
    return (pc.fill_null(column, missing) if column.null_count else column).to_numpy()
