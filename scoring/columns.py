"""Names, dtypes and shapes of what the score reads and writes.

Columns are parallel arrays in NamedTuples, so that compiled code takes them as they are. Rows of one rider stand
together; within a rider, events are in order of (occurred_us, event_id).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
I32 = NDArray[np.int32]
I16 = NDArray[np.int16]
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


class Events(NamedTuple):
    """Events of a run, n rows; times are int64 µs UTC with `NO_TIME` where unknown.

    `rider` is the position of the rider (0 … R-1, ascending), `book` that of the book in the program,
    `order_key` a 64-bit identity of the order within the rider (0: none), `key` a 64-bit hash of the event id.
    `reports` holds a bit per `rules.events.REPORT_KINDS`; unknown ints are -1.
    """

    rider: I32
    book: I16
    kind: I8
    rider_kind: I8
    occurred_us: I64
    order_key: U64
    placed_us: I64
    deadline_us: I64
    accepted_us: I64
    arrived_us: I64
    ready_us: I64
    promised_ready_us: I64
    picked_us: I64
    delivered_us: I64
    joined_us: I64
    distance_m: I32
    fee_fen: I32
    reports: I16
    level: I8
    cause: I8
    extend_s: I32
    party: I8
    waived: U8  # an appeal against this event was upheld


class Liability(NamedTuple):
    """Who answers for each event, n rows. `late_s` is gross, `given_s` what was given back (whole seconds)."""

    late_s: I32
    given_s: I32
    exempt: U8
    party: I8
    weather: I8


class Entries(NamedTuple):
    """Ledger entries, m rows, in the order in which they are written for each rider."""

    rider: I32
    ev: I64
    label: I32
    kind: I8
    of_kind: I8  # kind of the entry that a reverse or reenter concerns, else the own kind
    delta_mp: I32
    score_after_mp: I32
    money_fen: I32
    party: I8
    late_s: I32
    given_s: I32
    book: I16
    occurred_us: I64
    item_us: I64  # time of the event or due instant that the entry concerns; differs for corrections
    cause_ev: I64  # row of the event that made a reversal necessary, else NO_EVENT


def empty_entries(capacity: int) -> Entries:
    """Entries with room for `capacity` rows, not yet filled."""
    wide = {"ev", "occurred_us", "item_us", "cause_ev"}
    small = {"kind", "of_kind", "party"}
    return Entries(
        **{
            name: np.empty(
                capacity,
                np.int64 if name in wide else np.int8 if name in small else np.int16 if name == "book" else np.int32,
            )
            for name in Entries._fields
        }
    )
