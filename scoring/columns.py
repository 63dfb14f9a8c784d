"""Names, dtypes and shapes of what the score reads and writes.

Rows are records of structured arrays, so that compiled code takes a whole run as one argument. Rows of one rider
stand together; within a rider, events are in order of (occurred_us, event_id).
"""

from typing import Any, Final, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rules.events import FIELDS, Field

I64 = NDArray[np.int64]
I32 = NDArray[np.int32]
I8 = NDArray[np.int8]
U64 = NDArray[np.uint64]
U8 = NDArray[np.uint8]

NO_TIME = -(2**63)
FAR_US = 2**62

EntryKind = Literal[
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
]
ENTRY_KINDS: tuple[EntryKind, ...] = get_args(EntryKind)
AWARD, DEDUCT, CAP, CLAMP, FADE, RESET, REVERSE, REENTER, TRAINING, REVIEW = range(10)


def column_name(field: Field) -> str:
    """Name of the column of a field of events: a time stands in microseconds.

    Parameters
    ----------
    field
        A field of events.

    Returns
    -------
    str
        Such as `occurred_us`.
    """
    return f"{field.name}_us" if field.type == "time" else field.name


def column_type(field: Field) -> pa.DataType:
    """Type of the column of a field of events; reports are one text, their names joined by `;`.

    Parameters
    ----------
    field
        A field of events.

    Returns
    -------
    pa.DataType
        int64 for times and whole numbers, string for all others.
    """
    return pa.int64() if field.type in ("time", "int") else pa.string()


# The canonical table of events: a column per field, in the order of `FIELDS`. Times are int64 µs UTC; null is unknown.
EVENT_SCHEMA: Final = pa.schema([(column_name(field), column_type(field)) for field in FIELDS])
FILE_TYPE: Final = pa.dictionary(pa.int32(), pa.string())
# The same with the place that each row was read from.
CANONICAL_SCHEMA: Final = EVENT_SCHEMA.append(pa.field("file", FILE_TYPE)).append(pa.field("row", pa.int64()))
# Rows that one run hands to the next: `content` is the hash of the row as it first came, `waived` says that an appeal
# was upheld, `context` that the row is scored for good and bears on others only, `book` is a position in the program.
WINDOW_SCHEMA: Final = (
    EVENT_SCHEMA.append(pa.field("content", pa.uint64()))
    .append(pa.field("waived", pa.int8()))
    .append(pa.field("context", pa.uint8()))
    .append(pa.field("book", pa.int64()))
)

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
