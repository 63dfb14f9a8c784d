"""What one row must hold, across its columns. Faults between rows (identity, references) are scoring's."""

from collections.abc import Collection
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from api.files.rejects import Marks

_ALWAYS: Final = ("event_id", "rider_id", "city", "rider_kind", "kind", "occurred")
# (earlier, later): the earlier step is the one that a reject names.
_STEPS: Final = (
    ("placed", "delivered"),
    ("accepted", "delivered"),
    ("arrived_store", "delivered"),
    ("picked_up", "delivered"),
    ("arrived_store", "picked_up"),
)

Mask = NDArray[np.bool_]


def check_rows(table: pa.Table, names: Collection[str], marks: Marks) -> None:
    """Mark the rows of `table` (`EVENT_SCHEMA`) that say too little or contradict themselves.

    Parameters
    ----------
    table
        One chunk, before bad rows are taken out.
    names
        Columns of the file, so that a mark names a time as the file does (`_at` or `_us`).
    marks
        Gets the marks.
    """
    for name in _ALWAYS:
        if not table[_column(name)].null_count:
            continue
        marks.mark(_missing(table, name), _written(name, names), "missing_value")
    kinds = table["kind"].combine_chunks()
    delivered, extended = _is(kinds, "delivered"), _is(kinds, "deadline_extended")
    marks.mark((delivered | extended) & _missing(table, "order_id"), "order_id", "missing_value")
    referring = _is(kinds, "correction") | _is(kinds, "appeal_upheld")
    marks.mark(referring & _missing(table, "ref_event_id"), "ref_event_id", "missing_reference")
    marks.mark(extended & _missing(table, "cause"), "cause", "missing_cause")
    marks.mark(extended & _missing(table, "extend_s"), "extend_s", "missing_extension")
    _check_steps(table, delivered, names, marks)


def _check_steps(table: pa.Table, delivered: Mask, names: Collection[str], marks: Marks) -> None:
    ends = pc.if_else(pa.array(delivered), table["occurred_us"], pa.scalar(None, pa.int64()))
    end = pc.coalesce(table["delivered_us"], ends)
    for earlier, later in _STEPS:
        if table[f"{earlier}_us"].null_count == table.num_rows:
            continue
        limit = end if later == "delivered" else table[f"{later}_us"]
        after = pc.greater(table[f"{earlier}_us"], limit).fill_null(False)
        marks.mark(after.to_numpy(), _written(earlier, names), "times_out_of_order")


def _missing(table: pa.Table, name: str) -> Mask:
    mask: Mask = table[_column(name)].is_null().to_numpy()
    return mask


def _column(name: str) -> str:
    return f"{name}_us" if name == "occurred" else name


def _is(kinds: pa.Array, kind: str) -> Mask:
    mask: Mask = pc.equal(kinds, kind).fill_null(False).to_numpy(zero_copy_only=False)
    return mask


def _written(name: str, names: Collection[str]) -> str:
    if f"{name}_us" in names and f"{name}_at" not in names:
        return f"{name}_us"
    return f"{name}_at" if f"{name}_at" in names or name == "occurred" else name
