"""Columns as files hold them → the canonical table that scoring reads, and the rows that are left out.

Works on one chunk at a time and keeps nothing between chunks, so files larger than memory can be streamed.
"""

from collections.abc import Collection
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from api.files.columns import read_id, read_int, read_reports, read_text, read_time_at, read_time_us
from api.files.id_checks import ID_FIELDS, unsound_ids
from api.files.reading_options import DEFAULT_READING, ReadingOptions
from api.files.rejects import Reject, RowFaults
from rules.events import FIELDS, Field
from scoring.columns import EVENT_SCHEMA, column_type

TIME_NAMES: Final = tuple(field.name for field in FIELDS if field.type == "time")
# Every column that a native file may have: a time stands under either of two names.
KNOWN_COLUMNS: Final = frozenset(EVENT_SCHEMA.names) | {f"{name}_at" for name in TIME_NAMES}
REQUIRED_COLUMNS: Final = (
    ("event_id",),
    ("rider_id",),
    ("city",),
    ("rider_kind",),
    ("kind",),
    ("occurred_at", "occurred_us"),
)
# What every row must hold.
_ALWAYS_REQUIRED: Final = ("event_id", "rider_id", "city", "rider_kind", "kind", "occurred")
# (earlier, later): the earlier step is the one that a reject names.
_STEPS: Final = (
    ("placed", "delivered"),
    ("accepted", "delivered"),
    ("arrived_store", "delivered"),
    ("picked_up", "delivered"),
    ("arrived_store", "picked_up"),
)

Mask = NDArray[np.bool_]


def to_canonical(
    columns: pa.Table, file: str, rows: NDArray[np.int64], reading: ReadingOptions = DEFAULT_READING
) -> tuple[pa.Table, list[Reject]]:
    """One chunk of native columns as canonical rows and rejects.

    Parameters
    ----------
    columns
        Any of `KNOWN_COLUMNS` in any type that can be read without guessing; others are ignored.
    file
        Name of the file for messages.
    rows
        Row number in the file, one per row of `columns`.
    reading
        How the file is read.

    Returns
    -------
    table
        `CANONICAL_SCHEMA`; the good rows in their order.
    rejects
        One per bad row, in order.
    """
    marks = RowFaults(columns.num_rows)
    arrays = [_read(columns, field, marks, reading) for field in FIELDS]
    table = pa.table(arrays, schema=EVENT_SCHEMA)
    _check_rows(table, columns.column_names, marks)
    good = marks.good
    rejects: list[Reject] = []
    if not good.all():
        rejects = marks.rejects(columns, file, rows)
        table, rows = table.filter(pa.array(good)), rows[good]
    return with_place(table, file, rows), rejects


def with_place(table: pa.Table, file: str, rows: NDArray[np.int64]) -> pa.Table:
    """`table` (`EVENT_SCHEMA`) with the columns `file` and `row`: `CANONICAL_SCHEMA`."""
    codes = pa.array(np.zeros(len(rows), np.int32))
    table = table.append_column("file", pa.DictionaryArray.from_arrays(codes, pa.array([file], pa.string())))
    return table.append_column("row", pa.array(rows, pa.int64()))


def _read(columns: pa.Table, field: Field, marks: RowFaults, reading: ReadingOptions) -> pa.Array:
    if field.type == "time":
        return _read_time(columns, field, marks, reading.zone)
    if field.name not in columns.column_names:
        return pa.nulls(columns.num_rows, column_type(field))
    source = _whole(columns, field.name)
    if field.type == "int":
        return read_int(source, field.name, field, marks)
    if field.type == "reports":
        return read_reports(source, field.name, marks)
    if field.name in ID_FIELDS:
        return _read_id(columns, source, field.name, marks, reading)
    return read_text(source, field.name, field, marks)


def _read_id(columns: pa.Table, source: pa.Array, name: str, marks: RowFaults, reading: ReadingOptions) -> pa.Array:
    values = read_id(source, name, marks)

    def riders() -> pa.Array:
        if "rider_id" not in columns.column_names:
            return pa.nulls(columns.num_rows, pa.string())
        return read_id(_whole(columns, "rider_id"), "rider_id", RowFaults(columns.num_rows))

    marks.mark(unsound_ids(values, name, reading, riders), name, "bad_id")
    return values.dictionary.take(values.indices) if pa.types.is_dictionary(values.type) else values


def _read_time(columns: pa.Table, field: Field, marks: RowFaults, zone: str) -> pa.Array:
    at_name, us_name = f"{field.name}_at", f"{field.name}_us"
    at = read_time_at(_whole(columns, at_name), at_name, marks, zone) if at_name in columns.column_names else None
    us = read_time_us(_whole(columns, us_name), us_name, marks, zone) if us_name in columns.column_names else None
    if at is None or us is None:
        times = at if us is None else us
        return pa.nulls(columns.num_rows, pa.int64()) if times is None else times
    differ = pc.not_equal(at, us).fill_null(False)
    marks.mark(differ.to_numpy(zero_copy_only=False), at_name, "two_times")
    return pc.coalesce(us, at)


def _whole(columns: pa.Table, name: str) -> pa.Array:
    return columns.column(name).combine_chunks()


def _check_rows(table: pa.Table, names: Collection[str], marks: RowFaults) -> None:
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
    for name in _ALWAYS_REQUIRED:
        if not table[_column_of(name)].null_count:
            continue
        marks.mark(_missing(table, name), _name_in_file(name, names), "missing_value")
    kinds = table["kind"].combine_chunks()
    delivered, extended = _is(kinds, "delivered"), _is(kinds, "deadline_extended")
    marks.mark((delivered | extended) & _missing(table, "order_id"), "order_id", "missing_value")
    referring = _is(kinds, "correction") | _is(kinds, "appeal_upheld")
    marks.mark(referring & _missing(table, "ref_event_id"), "ref_event_id", "missing_reference")
    marks.mark(extended & _missing(table, "cause"), "cause", "missing_cause")
    marks.mark(extended & _missing(table, "extend_s"), "extend_s", "missing_extension")
    _check_steps(table, delivered, names, marks)


def _check_steps(table: pa.Table, delivered: Mask, names: Collection[str], marks: RowFaults) -> None:
    ends = pc.if_else(pa.array(delivered), table["occurred_us"], pa.scalar(None, pa.int64()))
    end = pc.coalesce(table["delivered_us"], ends)
    for earlier, later in _STEPS:
        if table[f"{earlier}_us"].null_count == table.num_rows:
            continue
        limit = end if later == "delivered" else table[f"{later}_us"]
        after = pc.greater(table[f"{earlier}_us"], limit).fill_null(False)
        marks.mark(after.to_numpy(), _name_in_file(earlier, names), "times_out_of_order")


def _missing(table: pa.Table, name: str) -> Mask:
    mask: Mask = table[_column_of(name)].is_null().to_numpy()
    return mask


def _column_of(name: str) -> str:
    return f"{name}_us" if name == "occurred" else name


def _is(kinds: pa.Array, kind: str) -> Mask:
    mask: Mask = pc.equal(kinds, kind).fill_null(False).to_numpy(zero_copy_only=False)
    return mask


def _name_in_file(name: str, names: Collection[str]) -> str:
    if f"{name}_us" in names and f"{name}_at" not in names:
        return f"{name}_us"
    return f"{name}_at" if f"{name}_at" in names or name == "occurred" else name
