"""A carried state in bytes, rider by rider, for a database; `scoring.carried_tables` has the same records for files.

The bytes of a rider are a head of counts, then arrays as NumPy holds them, then the bytes of texts. Books, rule ids and
sums stand in them as positions in a `StateLayout`. They can always be made again from the rider's events: they are what the
next post needs, not a record of anything.

The bytes of many riders are cut out of, and put together to, arrays over all of them: `_Arrays`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rules.compile import Program
from scoring.carry import Carried, carried_riders, joined, no_riders
from scoring.columns import CARRIED, ENTRY, I64, NO_EVENT, NO_TIME, WINDOW_SCHEMA, filled
from scoring.layout import MARK_COLUMNS, NUMBER_COLUMNS, TEXT_COLUMNS, StateLayout, layout_of, renumbered
from scoring.state import FADE_DUE, ORDER_POINTS, RIDER_STATE, State

# Of each rider: slots, kinds counted by month, fades, points of orders, entries, rows, names, bytes of names, of texts.
_COUNTS: Final = 9
_HEAD_BYTES: Final = 4 * _COUNTS
# Many riders are read at once; none is anywhere near this.
_BYTES_MAX: Final = 1 << 28
_NUM_NUMBERS: Final = len(NUMBER_COLUMNS) + len(MARK_COLUMNS)
_BOOK: Final = len(NUMBER_COLUMNS) + MARK_COLUMNS.index("book")


class StoredRider(NamedTuple):
    """One rider as stored.

    Parameters
    ----------
    rider_id, city, rider_kind, score_mp, seq
        As in `Carried`.
    layout
        What positions in `content` mean.
    content
        The bytes that `rider_bytes` made.
    """

    rider_id: str
    city: str | None
    rider_kind: int
    score_mp: int
    seq: int
    layout: StateLayout
    content: bytes


@dataclass(slots=True)
class _Arrays:
    """Riders one after the other.

    Parameters
    ----------
    riders, day_sum_mp, month_count
        A row of each rider.
    fades, orders, written
        Records; `num_fades`, … are int64[rider].
    numbers
        int64[row, column] of the window, `NO_TIME` where null; `num_rows` is int64[rider].
    texts
        Text columns of the window, row by row.
    names
        Event ids of deductions that are older than the window; `num_names` is int64[rider].

    References to events (`ev`) are rows of the rider's own window, or `CARRIED - k` for the rider's own name k.
    """

    riders: np.ndarray
    day_sum_mp: I64
    month_count: I64
    fades: np.ndarray
    num_fades: I64
    orders: np.ndarray
    num_orders: I64
    written: np.ndarray
    num_written: I64
    numbers: I64
    num_rows: I64
    texts: pa.Array
    names: pa.Array
    num_names: I64

    @property
    def num_riders(self) -> int:
        """How many riders there are."""
        return int(self.riders.size)

    def references(self) -> tuple[tuple[np.ndarray, I64], ...]:
        """Each column of references, and how many of them are each rider's."""
        written = self.written
        return (
            (written["ev"], self.num_written),
            (written["cause_ev"], self.num_written),
            (self.fades["ev"], self.num_fades),
        )


def rider_bytes(carried: Carried) -> list[bytes]:
    """The bytes of each rider of `carried.riders`, in the layout of the carried state.

    The rows of its window stand by rider, as a run, `carried_riders` and `carried_from_bytes` leave them.

    Parameters
    ----------
    carried
        R riders.

    Returns
    -------
    list[bytes]
        R contents, in the order of `carried.riders`.
    """
    window, base = carried.window, carried.base
    num_riders = len(carried.riders)
    bounds = np.arange(num_riders + 1)
    position = pc.index_in(window.column("rider_id").cast(pa.string()), carried.riders.cast(pa.string())).to_numpy()
    columns = [window.column(name).combine_chunks().cast(pa.string()) for name in TEXT_COLUMNS]
    by_row = np.arange(window.num_rows * len(TEXT_COLUMNS)).reshape(len(TEXT_COLUMNS), window.num_rows).T.ravel()
    written = carried.written.copy()
    written["rider"] = 0
    rows = _Arrays(
        riders=base.riders,
        day_sum_mp=base.day_sum_mp,
        month_count=base.month_count,
        fades=base.fades.copy(),
        num_fades=np.diff(base.fade_start),
        orders=base.orders,
        num_orders=np.diff(base.order_start),
        written=written,
        num_written=np.diff(np.searchsorted(carried.written["rider"], bounds)),
        numbers=_numbers(window),
        num_rows=np.diff(np.searchsorted(position, bounds)),
        texts=_joined_texts(columns).take(pa.array(by_row)),
        names=carried.faded,
        num_names=np.zeros(num_riders, np.int64),
    )
    _refer_within(rows)
    return _cut(rows)


def compressed(content: bytes) -> bytes:
    """Bytes of a rider as the database holds them: their number, then LZ4.

    They are mostly unknown times and shrink to a third.

    Parameters
    ----------
    content
        As `rider_bytes` made them.

    Returns
    -------
    bytes
        What a database stores.
    """
    return len(content).to_bytes(4, "little") + pa.compress(content, codec="lz4", asbytes=True)


def decompressed(stored: bytes) -> bytes:
    """The bytes that were compressed.

    Parameters
    ----------
    stored
        As `compressed` made them.

    Returns
    -------
    bytes
        As `rider_bytes` made them.

    Raises
    ------
    OSError
        If they are not whole.
    """
    size = int.from_bytes(stored[:4], "little")
    return pa.decompress(memoryview(stored)[4:], decompressed_size=size, codec="lz4", asbytes=True)


def is_compressed(stored: bytes) -> bool:
    """Whether bytes of a database can be decompressed, whatever they hold.

    Parameters
    ----------
    stored
        What a database holds.

    Returns
    -------
    bool
        False also for bytes that are too few, or that claim to be too many.
    """
    try:
        return len(stored) > 4 and int.from_bytes(stored[:4], "little") <= _BYTES_MAX and bool(decompressed(stored))
    except (OSError, ValueError):
        return False


def _joined_texts(columns: Sequence[pa.Array | pa.ChunkedArray]) -> pa.Array:
    chunks = [
        chunk for column in columns for chunk in (column.chunks if isinstance(column, pa.ChunkedArray) else [column])
    ]
    return pa.concat_arrays(chunks) if chunks else pa.array([], pa.string())


def _numbers(window: pa.Table) -> I64:
    """Numeric columns of a window as int64[row, column], `NO_TIME` where null."""
    columns = [filled(window.column(name), NO_TIME) for name in NUMBER_COLUMNS]
    # `astype` keeps the bits of a 64-bit hash.
    columns += [window.column(name).to_numpy() for name in MARK_COLUMNS]
    return np.stack([column.astype(np.int64, copy=False) for column in columns], axis=1)


def _refer_within(rows: _Arrays) -> None:
    """Turn references over all riders into references within each, and give each the names it refers to."""
    first_row = _before(rows.num_rows)
    num_all = max(len(rows.names), 1)
    riders = np.arange(rows.num_riders)
    keys = []
    for refs, counts in rows.references():
        to_row, to_name = refs >= 0, refs <= CARRIED
        refs[to_row] -= np.repeat(first_row, counts)[to_row]
        keys.append(np.repeat(riders, counts)[to_name] * num_all + (CARRIED - refs[to_name]))
    known = np.unique(np.concatenate(keys))
    num_names = np.bincount(known // num_all, minlength=rows.num_riders)
    first_name = _before(num_names)
    for (refs, counts), key in zip(rows.references(), keys, strict=True):
        to_name = refs <= CARRIED
        refs[to_name] = CARRIED - (np.searchsorted(known, key) - np.repeat(first_name, counts)[to_name])
    rows.names, rows.num_names = rows.names.cast(pa.string()).take(pa.array(known % num_all)), num_names


def _refer_across(rows: _Arrays) -> None:
    """The reverse: references within each rider become references over all."""
    first_row, first_name = _before(rows.num_rows), _before(rows.num_names)
    for refs, counts in rows.references():
        to_row, to_name = refs >= 0, refs <= CARRIED
        refs[to_row] += np.repeat(first_row, counts)[to_row]
        refs[to_name] -= np.repeat(first_name, counts)[to_name]


def _before(counts: I64) -> I64:
    """How many belong to earlier riders."""
    return np.cumsum(counts) - counts


def _cut(rows: _Arrays) -> list[bytes]:
    """The bytes of each rider."""
    n, width = rows.num_riders, len(TEXT_COLUMNS)
    name_lengths, name_ends, names = _utf8(rows.names)
    text_lengths, text_ends, texts = _utf8(rows.texts)
    name_bounds, row_bounds = _bounds(rows.num_names), _bounds(rows.num_rows)
    name_bytes, text_bytes = name_ends[name_bounds], text_ends[row_bounds * width]
    each = np.arange(n + 1)
    head = np.stack(
        [
            np.full(n, rows.day_sum_mp.shape[1]), np.full(n, rows.month_count.shape[1]), rows.num_fades, rows.num_orders,
            rows.num_written, rows.num_rows, rows.num_names, np.diff(name_bytes), np.diff(text_bytes),
        ],
        axis=1,
    ).astype(np.uint32)  # fmt: skip
    pieces = (
        (head, each * _COUNTS),
        (rows.riders, each),
        (rows.day_sum_mp, each * rows.day_sum_mp.shape[1] * 2),
        (rows.month_count, each * rows.month_count.shape[1]),
        (rows.fades, _bounds(rows.num_fades)),
        (rows.orders, _bounds(rows.num_orders)),
        (rows.written, _bounds(rows.num_written)),
        (rows.numbers, row_bounds * rows.numbers.shape[1]),
        (name_lengths, name_bounds),
        (text_lengths, row_bounds * width),
        (np.frombuffer(names, np.uint8), name_bytes),
        (np.frombuffer(texts, np.uint8), text_bytes),
    )
    cut = [
        [content[first:stop] for first, stop in pairwise((bounds * array.itemsize).tolist())]
        for array, bounds in pieces
        for content in (array.tobytes(),)
    ]
    return [b"".join(slices) for slices in zip(*cut, strict=True)]


def _bounds(counts: I64) -> I64:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])


def _utf8(words: pa.Array) -> tuple[np.ndarray, I64, bytes]:
    """Words as lengths in bytes (-1 where null), their ends (0 first), and all their bytes."""
    lengths = pc.fill_null(pc.binary_length(words), 0).to_numpy(zero_copy_only=False)
    ends = _bounds(lengths)
    marked = np.where(pc.is_valid(words).to_numpy(zero_copy_only=False), lengths, -1).astype(np.int32)
    content = words.buffers()[2]
    at = int(np.frombuffer(words.buffers()[1], np.int32)[words.offset]) if len(words) else 0
    return marked, ends, b"" if content is None else content.to_pybytes()[at : at + int(ends[-1])]


def _texts_of(lengths: np.ndarray, content: bytes) -> pa.Array:
    """The reverse of `_utf8`."""
    valid = lengths >= 0
    ends = _bounds(np.where(valid, lengths, 0)).astype(np.int32)
    bits = pa.py_buffer(np.packbits(valid, bitorder="little").tobytes())
    return pa.StringArray.from_buffers(lengths.size, pa.py_buffer(ends.tobytes()), pa.py_buffer(content), bits)


def _put_together(contents: Sequence[bytes]) -> _Arrays:
    """Riders of one layout from their bytes; references stay within each rider."""
    n, width = len(contents), len(TEXT_COLUMNS)
    head = (
        np.frombuffer(b"".join([content[:_HEAD_BYTES] for content in contents]), np.uint32)
        .reshape(n, _COUNTS)
        .astype(np.int64)
    )
    slots, counted, fades, orders, written, rows, names, name_bytes, text_bytes = head.T
    sizes = np.stack(
        [
            np.full(n, RIDER_STATE.itemsize), slots * 16, counted * 8, fades * FADE_DUE.itemsize,
            orders * ORDER_POINTS.itemsize, written * ENTRY.itemsize, rows * _NUM_NUMBERS * 8, names * 4,
            rows * width * 4, name_bytes, text_bytes,
        ]
    )  # fmt: skip
    starts = _HEAD_BYTES + np.cumsum(sizes, axis=0) - sizes
    pieces = [
        b"".join([content[at : at + size] for content, at, size in zip(contents, ats, of, strict=True)])
        for ats, of in zip(starts.tolist(), sizes.tolist(), strict=True)
    ]
    return _Arrays(
        riders=np.frombuffer(pieces[0], RIDER_STATE).copy(),
        day_sum_mp=np.frombuffer(pieces[1], np.int64).reshape(n, -1, 2).copy(),
        month_count=np.frombuffer(pieces[2], np.int64).reshape(n, int(counted[0])).copy(),
        fades=np.frombuffer(pieces[3], FADE_DUE).copy(),
        num_fades=fades,
        orders=np.frombuffer(pieces[4], ORDER_POINTS).copy(),
        num_orders=orders,
        written=np.frombuffer(pieces[5], ENTRY).copy(),
        num_written=written,
        numbers=np.frombuffer(pieces[6], np.int64).reshape(-1, _NUM_NUMBERS).copy(),
        num_rows=rows,
        texts=_texts_of(np.frombuffer(pieces[8], np.int32), pieces[10]),
        names=_texts_of(np.frombuffer(pieces[7], np.int32), pieces[9]),
        num_names=names,
    )


def readable_riders(stored: Sequence[StoredRider], program: Program) -> list[StoredRider]:
    """Those of some riders whose bytes can be read: whole, and with no position or reference outside what is there.

    Parameters
    ----------
    stored
        Riders as a database holds them, decompressed.
    program
        The books that they are to be read with.

    Returns
    -------
    list[StoredRider]
        Those that can be read, in the same order; all others must be made again from events.
    """
    layout = layout_of(program)
    return [rider for rider in stored if layout.holds(rider.layout) and _is_readable(rider)]


def _is_readable(rider: StoredRider) -> bool:
    content, layout = rider.content, rider.layout
    head = np.frombuffer(content[:_HEAD_BYTES], np.uint8)
    if head.size != _HEAD_BYTES or len(content) > _BYTES_MAX:
        return False
    counts = head.view(np.uint32)
    if counts.max() > len(content) or (int(counts[0]), int(counts[1])) != (len(layout.slots), len(layout.counted)):
        return False
    try:
        rows = _put_together([content])
        if len(_cut(rows)[0]) != len(content):
            return False
    except (ValueError, IndexError, OverflowError):
        return False
    num_rows, num_names = int(rows.num_rows[0]), int(rows.num_names[0])
    refs = np.concatenate([column for column, _ in rows.references()])
    in_reach = (refs < num_rows) & ((refs >= NO_EVENT) | (refs <= CARRIED) & (refs > CARRIED - num_names))
    books = np.concatenate([rows.riders["book"], rows.fades["book"], rows.written["book"], rows.numbers[:, _BOOK]])
    labels, slots = rows.written["label"], rows.orders["slot"]
    return bool(
        in_reach.all()
        and ((books >= -1) & (books < len(layout.books))).all()
        and ((labels >= 0) & (labels < len(layout.labels))).all()
        and ((slots >= 0) & (slots < len(layout.slots))).all()
    )


def carried_from_bytes(stored: Sequence[StoredRider], program: Program, until_us: int) -> Carried:
    """Riders as stored as one carried state, in the layout of a program.

    Parameters
    ----------
    stored
        Riders by ascending id, each in a layout of its own.
    program
        Holds every book of their layouts.
    until_us
        Up to where nothing is due for any of them that is not written.

    Returns
    -------
    Carried
        Their state, window and entries; the rows of the window stand by rider.

    Raises
    ------
    ValueError
        If the program lacks a book of theirs.
    """
    layout = layout_of(program)
    by_layout: dict[StateLayout, list[int]] = {}
    for k, rider in enumerate(stored):
        by_layout.setdefault(rider.layout, []).append(k)
    if not stored:
        return no_riders(program, until_us)
    states = [
        renumbered(_carried_of([stored[k] for k in riders], until_us), old, layout) for old, riders in by_layout.items()
    ]
    return carried_riders(joined(states), np.argsort(np.concatenate([*by_layout.values()])))


def _carried_of(stored: Sequence[StoredRider], until_us: int) -> Carried:
    """Riders of one layout, in that layout."""
    rows = _put_together([rider.content for rider in stored])
    _refer_across(rows)
    rows.written["rider"] = np.repeat(np.arange(rows.num_riders), rows.num_written)
    ids = [rider.rider_id for rider in stored]
    return Carried(
        until_us=until_us,
        # Riders for whom something older than their window matters come with their whole history.
        keep_us=NO_TIME,
        riders=pa.array(ids, pa.string()),
        city=pa.array([rider.city for rider in stored], pa.string()),
        rider_kind=np.array([rider.rider_kind for rider in stored], np.int64),
        base=State(
            riders=rows.riders,
            day_sum_mp=rows.day_sum_mp,
            month_count=rows.month_count,
            fade_start=_bounds(rows.num_fades),
            fades=rows.fades,
            order_start=_bounds(rows.num_orders),
            orders=rows.orders,
        ),
        faded=rows.names,
        score_mp=np.array([rider.score_mp for rider in stored], np.int64),
        seq=np.array([rider.seq for rider in stored], np.int64),
        window=_window(ids, rows),
        written=rows.written,
    )


def _window(riders: Sequence[str], rows: _Arrays) -> pa.Table:
    """The riders' windows one after the other."""
    numbers = np.ascontiguousarray(rows.numbers.T)
    text_rows = np.arange(numbers.shape[1]) * len(TEXT_COLUMNS)
    of_rider = np.repeat(np.arange(len(riders)), rows.num_rows)
    columns: dict[str, pa.Array] = {"rider_id": pa.array(list(riders), pa.string()).take(pa.array(of_rider))}
    for k, name in enumerate(TEXT_COLUMNS):
        columns[name] = rows.texts.take(pa.array(text_rows + k))
    for name, values in zip(NUMBER_COLUMNS, numbers, strict=False):
        columns[name] = pa.array(values, pa.int64(), mask=values == NO_TIME)
    for name, values in zip(MARK_COLUMNS, numbers[len(NUMBER_COLUMNS) :], strict=True):
        # A 64-bit hash keeps its bits.
        columns[name] = pa.array(values.astype(WINDOW_SCHEMA.field(name).type.to_pandas_dtype()))
    return pa.table(columns).select(WINDOW_SCHEMA.names)
