"""Canonical rows as the columns that the kernel reads: codes for words, defaults for what is not known."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rules.events import CAUSE_CODE, KIND_CODE, PARTY_CODE, REPORT_KINDS, RIDER_KINDS
from scoring.columns import EVENT, I8, I32, I64, NO_TIME, U8, Events, filled
from scoring.hashing import hash_strings

_RECORDS_IN_CACHE = 4_096


def event_columns(table: pa.Table, rider: I32, book: np.ndarray, waived: U8) -> Events:
    """Canonical rows as kernel columns, row for row; defaults that liability relies on are filled in."""
    deadline = _times(table, "assess_deadline")
    delivered = _times(table, "delivered")
    occurred = _times(table, "occurred")
    columns: dict[str, np.ndarray] = {
        "rider": rider,
        "book": book,
        "kind": _codes(table, "kind", KIND_CODE),
        "rider_kind": _codes(table, "rider_kind", {kind: code for code, kind in enumerate(RIDER_KINDS)}),
        "occurred_us": occurred,
        "order_key": hash_strings(table.column("order_id")),
        "placed_us": _times(table, "placed"),
        "deadline_us": np.where(deadline == NO_TIME, _times(table, "promised"), deadline),
        "accepted_us": _times(table, "accepted"),
        "arrived_us": _times(table, "arrived_store"),
        "ready_us": _times(table, "merchant_ready"),
        "promised_ready_us": _times(table, "merchant_promised_ready"),
        "picked_us": _times(table, "picked_up"),
        "delivered_us": np.where(delivered == NO_TIME, occurred, delivered),
        "joined_us": _times(table, "rider_joined"),
        "distance_m": _ints(table, "distance_m", -1),
        "fee_fen": _ints(table, "fee_fen", 0),
        "reports": _report_masks(table),
        "level": _ints(table, "level", -1),
        "cause": _codes(table, "cause", CAUSE_CODE),
        "extend_s": _ints(table, "extend_s", 0),
        "party": _codes(table, "party", PARTY_CODE),
        "waived": waived,
    }
    events = np.empty(table.num_rows, EVENT)
    # Field after field of as many records as stay in the cache: the memory is written once.
    for first in range(0, events.size, _RECORDS_IN_CACHE):
        some = slice(first, first + _RECORDS_IN_CACHE)
        for name, values in columns.items():
            events[name][some] = values[some]
    return events


def _times(table: pa.Table, name: str) -> I64:
    return np.ascontiguousarray(filled(table.column(f"{name}_us"), NO_TIME))


def _ints(table: pa.Table, name: str, missing: int) -> I64:
    return filled(table.column(name), missing)


def _codes(table: pa.Table, name: str, codes: dict[str, int]) -> I8:
    """Codes of a column of known words; -1 where null or unknown."""
    encoded = table.column(name).combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    words = encoded.dictionary.to_pylist()
    lookup = np.array([codes.get(word, -1) for word in words] + [-1], np.int8)
    positions = pc.fill_null(encoded.indices, len(words)).to_numpy()
    return lookup[positions]


def _report_masks(table: pa.Table) -> np.ndarray:
    encoded = table.column("reports").combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    masks = [
        sum(1 << REPORT_KINDS.index(name) for name in set((word or "").split(";")) if name in REPORT_KINDS)
        for word in encoded.dictionary.to_pylist()
    ]
    lookup = np.array([*masks, 0], np.int16)
    return lookup[pc.fill_null(encoded.indices, len(masks)).to_numpy()]
