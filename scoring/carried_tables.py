"""A carried state as tables, for files: books and rule ids stand in them by name.

`riders` (a row each, with their sums and counts), `fades` and `orders` (lists of riders), `written` (the entries that
stand for the window) and `window`. `scoring.carried_bytes` has the same records rider by rider, for a database.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rules.events import PARTIES, RIDER_KINDS
from scoring.carry import Carried
from scoring.columns import ENTRY, ENTRY_KINDS, I64, Entries
from scoring.layout import StateLayout
from scoring.state import FADE_DUE, ORDER_POINTS, RIDER_STATE, State

_WORDS: Final = {"kind": ENTRY_KINDS, "of_kind": ENTRY_KINDS, "party": PARTIES}
TABLES: Final = ("riders", "fades", "orders", "written", "window")


def tables_of(carried: Carried, layout: StateLayout) -> dict[str, pa.Table]:
    """The tables of a carried state.

    Parameters
    ----------
    carried
        The state; its `until_us`, `keep_us` and `faded` are in none of the tables.
    layout
        What its positions mean.

    Returns
    -------
    dict[str, pa.Table]
        A table for each name in `TABLES`. References to events (`ev`) are rows of `window`, or `CARRIED - k` for name
        k of `carried.faded`; `rider` is a row of `riders`; `slot` and the lists of sums are in the order of
        `layout.slots`.
    """
    base, books = carried.base, pa.array(layout.books, pa.string())
    riders = (
        _table(base.riders, books)
        .append_column("rider_id", carried.riders.cast(pa.string()))
        .append_column("city", carried.city.cast(pa.string()))
        .append_column("rider_kind", _words(carried.rider_kind, RIDER_KINDS))
        .append_column("head_score_mp", pa.array(carried.score_mp))
        .append_column("seq", pa.array(carried.seq))
        .append_column("day_sum_mp", _lists(base.day_sum_mp))
        .append_column("month_count", _lists(base.month_count))
    )
    labels = pa.array(layout.labels, pa.string()).take(pa.array(carried.written["label"]))
    written = _table(carried.written, books).drop_columns(["label"]).append_column("label", labels)
    for name, words in _WORDS.items():
        at = written.schema.get_field_index(name)
        written = written.set_column(at, name, _words(carried.written[name], words))
    at = carried.window.schema.get_field_index("book")
    window = carried.window.set_column(at, "book", _names(books, carried.window.column("book").to_numpy()))
    return {
        "riders": riders,
        "fades": _of_riders(_table(base.fades, books), base.fade_start),
        "orders": _of_riders(_table(base.orders, books), base.order_start),
        "written": written,
        "window": window,
    }


def carried_of(
    tables: Mapping[str, pa.Table],
    books: Sequence[str],
    slots: Sequence[int],
    counted: Sequence[str],
    until_us: int,
    keep_us: int,
    faded: Sequence[str],
) -> tuple[Carried, StateLayout]:
    """The carried state that stands in tables, in a layout of its own.

    Parameters
    ----------
    tables
        As `tables_of` makes them; `nth` may be missing from `written`, as version 0.1.0 left it out.
    books, slots, counted
        Of the layout in which the state was written; rule ids are those that `written` names.
    until_us, keep_us, faded
        As in `Carried`.

    Returns
    -------
    tuple[Carried, StateLayout]
        The state, and what its positions mean.

    Raises
    ------
    KeyError
        If a table or a column is missing.
    ValueError
        If a column does not hold what it should.
    """
    riders, fades, orders = tables["riders"], tables["fades"], tables["orders"]
    labels = pc.unique(tables["written"].column("label").combine_chunks().cast(pa.string()))
    layout = StateLayout(tuple(books), tuple(labels.to_pylist()), tuple(slots), tuple(counted))
    digests = pa.array(layout.books, pa.string())
    num_riders = riders.num_rows
    window = tables["window"]
    at = window.schema.get_field_index("book")
    carried = Carried(
        until_us=until_us,
        keep_us=keep_us,
        riders=riders.column("rider_id").combine_chunks(),
        city=riders.column("city").combine_chunks(),
        rider_kind=_codes(riders.column("rider_kind"), RIDER_KINDS),
        base=State(
            riders=_records(riders, RIDER_STATE, digests),
            day_sum_mp=_values(riders, "day_sum_mp").reshape(num_riders, len(layout.slots), 2),
            month_count=_values(riders, "month_count").reshape(num_riders, len(layout.counted)),
            fade_start=_starts(fades, num_riders),
            fades=_records(fades, FADE_DUE, digests),
            order_start=_starts(orders, num_riders),
            orders=_records(orders, ORDER_POINTS, digests),
        ),
        faded=pa.array(faded, pa.string()),
        score_mp=riders.column("head_score_mp").to_numpy(),
        seq=riders.column("seq").to_numpy(),
        window=window.set_column(at, "book", pa.array(_positions(window.column("book"), digests))),
        written=_entries(tables["written"], digests, labels),
    )
    return carried, layout


def _table(records: np.ndarray, books: pa.Array) -> pa.Table:
    """Records as columns; `book` by name, last."""
    names = [name for name in records.dtype.names or () if name != "book"]
    table = pa.table({name: np.ascontiguousarray(records[name]) for name in names})
    return (
        table.append_column("book", _names(books, records["book"])) if "book" in (records.dtype.names or ()) else table
    )


def _records(table: pa.Table, dtype: np.dtype[np.void], books: pa.Array) -> np.ndarray:
    """The reverse of `_table`."""
    out = np.zeros(table.num_rows, dtype)
    for name in dtype.names or ():
        column = table.column(name)
        out[name] = _positions(column, books) if name == "book" else column.to_numpy()
    return out


def _words(codes: np.ndarray, words: Sequence[str]) -> pa.Array:
    """Codes as words; null where unknown."""
    return pa.array(words, pa.string()).take(pa.array(codes, mask=codes < 0))


def _codes(column: pa.ChunkedArray, words: Sequence[str]) -> I64:
    """The reverse; version 0.1.0 wrote the codes themselves."""
    if pa.types.is_integer(column.type):
        return column.to_numpy().astype(np.int64)
    codes = pc.fill_null(pc.index_in(column, pa.array(words, pa.string())), -1)
    return codes.to_numpy().astype(np.int64)


def _entries(table: pa.Table, books: pa.Array, labels: pa.Array) -> Entries:
    positions = _positions(table.column("label"), labels)
    table = table.set_column(table.schema.get_field_index("label"), "label", pa.array(positions))
    for name, words in _WORDS.items():
        codes = pa.array(_codes(table.column(name), words))
        table = table.set_column(table.schema.get_field_index(name), name, codes)
    if "nth" not in table.column_names:
        table = table.append_column("nth", pa.array(np.zeros(table.num_rows, np.int16)))
    return _records(table, ENTRY, books)


def _names(names: pa.Array, positions: np.ndarray) -> pa.Array:
    """Names by position; -1 gives null."""
    return names.take(pa.array(positions, mask=positions < 0))


def _positions(column: pa.ChunkedArray, names: pa.Array) -> I64:
    """The reverse of `_names`."""
    return pc.fill_null(pc.index_in(column.cast(pa.string()), names), -1).to_numpy().astype(np.int64)


def _of_riders(table: pa.Table, starts: I64) -> pa.Table:
    """Lists of riders with the rider that each row belongs to."""
    return table.append_column("rider", pa.array(np.repeat(np.arange(starts.size - 1), np.diff(starts))))


def _starts(table: pa.Table, num_riders: int) -> I64:
    """The reverse of `_of_riders`: where each rider's rows begin."""
    return np.searchsorted(table.column("rider").to_numpy(), np.arange(num_riders + 1)).astype(np.int64)


def _lists(values: I64) -> pa.Array:
    """One flat list per rider."""
    return pa.array(values.reshape(values.shape[0], math.prod(values.shape[1:])).tolist(), pa.list_(pa.int64()))


def _values(riders: pa.Table, name: str) -> I64:
    """The reverse of `_lists`: the values of all riders, one after the other."""
    return riders.column(name).combine_chunks().flatten().to_numpy(zero_copy_only=False).astype(np.int64)
