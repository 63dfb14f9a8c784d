"""`scoring.carry.Carried`, taken apart by rider for the database and put together again for a block of riders.

A part is bytes: a head of counts, then arrays as NumPy holds them, then the bytes of texts. Books, rule ids and sums
stand in it as positions; the `Layout` that a part names says what they mean, so that a program with more books can go
on. A part can always be made again from the rider's events: it is what the next post needs, not a record of anything.

Parts of many riders are cut out of, and put together to, arrays over all of them: `_Rows`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rules.compile import Program
from rules.events import KINDS
from rules.ids import digest
from scoring.carry import Carried
from scoring.columns import CARRIED, ENTRY, EVENT_SCHEMA, I64, NO_EVENT, NO_TIME, filled
from scoring.state import FADE_DUE, ORDER_POINTS, RIDER_STATE, fresh_state

FORMAT: Final = 3
# Of each part: slots, kinds counted by month, fades, points of orders, entries, rows, names, bytes of names, of texts.
_COUNTS: Final = 9
_HEAD_BYTES: Final = 4 * _COUNTS
# A part is read for many riders at once; none is anywhere near this.
_PART_BYTES_MAX: Final = 1 << 28
_TEXTS: Final = tuple(
    field.name for field in EVENT_SCHEMA if pa.types.is_string(field.type) and field.name != "rider_id"
)
_INTS: Final = tuple(field.name for field in EVENT_SCHEMA if pa.types.is_int64(field.type))
# What a window row holds beside the event, and how `scoring` types it.
_MARKS: Final = {"content": np.uint64, "waived": np.int8, "context": np.uint8, "book": np.int64}


@dataclass(frozen=True, slots=True)
class Layout:
    """What positions in a part mean.

    Parameters
    ----------
    books, labels
        Digests and rule ids.
    slots
        Event kinds (bit sets) whose points of the day are summed.
    counted
        Event kinds that are counted by month.
    """

    books: tuple[str, ...]
    labels: tuple[str, ...]
    slots: tuple[int, ...]
    counted: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """Plain values; what records look like included, so that another build cannot misread them."""
        records = {"rider": RIDER_STATE, "fade": FADE_DUE, "order": ORDER_POINTS, "entry": ENTRY}
        return {
            "format": FORMAT,
            "records": {name: [list(map(str, field)) for field in record.descr] for name, record in records.items()},
            "columns": [*_INTS, *_MARKS, *_TEXTS],
            "books": list(self.books),
            "labels": list(self.labels),
            "slots": list(self.slots),
            "counted": list(self.counted),
        }

    @property
    def digest(self) -> str:
        """Identity by content."""
        return digest(self.document())


def layout_of(program: Program) -> Layout:
    """The layout in which a program's riders are kept."""
    nth = program.tables.nth_slot
    counted = sorted((int(slot), kind) for kind, slot in zip(KINDS, nth, strict=True) if slot >= 0)
    return Layout(
        tuple(book.digest for book in program.books),
        program.labels,
        tuple(program.tables.slots["kinds"].tolist()),
        tuple(kind for _, kind in counted),
    )


@cache
def read_layout(document: str) -> Layout | None:
    """A stored layout; None if its parts are of another format and must be made again from events."""
    raw = json.loads(document)
    layout = Layout(*(tuple(raw[name]) for name in ("books", "labels", "slots", "counted")))
    return layout if layout.document() == raw else None


class Kept(NamedTuple):
    """One rider as stored: who, where they stand, and their part in its layout."""

    rider_id: str
    city: str | None
    rider_kind: int
    score_mp: int
    seq: int
    layout: Layout
    part: bytes


@dataclass(slots=True)
class _Rows:
    """Riders one after the other.

    Parameters
    ----------
    riders, day_sum_mp, month_count
        A row each.
    fades, orders, written
        Records; `num_…` a rider.
    numbers
        int64[row, column] of the window, `NO_TIME` where null; `num_rows` a rider.
    texts
        Text columns of the window, row by row.
    names
        Event ids of deductions that are older than the window; `num_names` a rider.

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
        """How many."""
        return int(self.riders.size)

    def references(self) -> tuple[tuple[np.ndarray, I64], ...]:
        """Each column of references, and how many of them are each rider's."""
        written = self.written
        return (
            (written["ev"], self.num_written),
            (written["cause_ev"], self.num_written),
            (self.fades["ev"], self.num_fades),
        )


def parts_of(carried: Carried) -> list[bytes]:
    """A part per rider of `carried.riders`."""
    window, base = carried.window, carried.base
    num_riders = len(carried.riders)
    bounds = np.arange(num_riders + 1)
    position = pc.index_in(window.column("rider_id").cast(pa.string()), carried.riders.cast(pa.string())).to_numpy()
    columns = [window.column(name).combine_chunks().cast(pa.string()) for name in _TEXTS]
    by_row = np.arange(window.num_rows * len(_TEXTS)).reshape(len(_TEXTS), window.num_rows).T.ravel()
    written = carried.written.copy()
    written["rider"] = 0
    rows = _Rows(
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


def packed(part: bytes) -> bytes:
    """A part as the database holds it: its length, then LZ4. Parts are mostly unknown times and shrink to a third."""
    return len(part).to_bytes(4, "little") + pa.compress(part, codec="lz4", asbytes=True)


def unpacked(stored: bytes) -> bytes:
    """The part that was packed."""
    size = int.from_bytes(stored[:4], "little")
    return pa.decompress(memoryview(stored)[4:], decompressed_size=size, codec="lz4", asbytes=True)


def is_packed(stored: bytes) -> bool:
    """Whether bytes of a database are a packed part, whatever it holds."""
    try:
        return len(stored) > 4 and int.from_bytes(stored[:4], "little") <= _PART_BYTES_MAX and bool(unpacked(stored))
    except (OSError, ValueError):
        return False


def _joined_texts(columns: Sequence[pa.Array | pa.ChunkedArray]) -> pa.Array:
    chunks = [chunk for one in columns for chunk in (one.chunks if isinstance(one, pa.ChunkedArray) else [one])]
    return pa.concat_arrays(chunks) if chunks else pa.array([], pa.string())


def _numbers(window: pa.Table) -> I64:
    """Numeric columns of a window as int64[row, column], `NO_TIME` where null."""
    columns = [filled(window.column(name), NO_TIME) for name in _INTS]
    # `astype` keeps the bits of a 64-bit hash.
    columns += [window.column(name).to_numpy() for name in _MARKS]
    return np.stack([column.astype(np.int64, copy=False) for column in columns], axis=1)


def _refer_within(rows: _Rows) -> None:
    """Turn references over all riders into references within each, and give each the names it refers to."""
    first_row = _before(rows.num_rows)
    num_all = max(len(rows.names), 1)
    riders = np.arange(rows.num_riders)
    keys = []
    for refs, counts in rows.references():
        own = refs >= 0
        refs[own] -= np.repeat(first_row, counts)[own]
        old = refs <= CARRIED
        keys.append(np.repeat(riders, counts)[old] * num_all + (CARRIED - refs[old]))
    known = np.unique(np.concatenate(keys))
    num_names = np.bincount(known // num_all, minlength=rows.num_riders)
    first_name = _before(num_names)
    for (refs, counts), key in zip(rows.references(), keys, strict=True):
        old = refs <= CARRIED
        refs[old] = CARRIED - (np.searchsorted(known, key) - np.repeat(first_name, counts)[old])
    rows.names, rows.num_names = rows.names.cast(pa.string()).take(pa.array(known % num_all)), num_names


def _refer_across(rows: _Rows) -> None:
    """The reverse: references within each rider become references over all."""
    first_row, first_name = _before(rows.num_rows), _before(rows.num_names)
    for refs, counts in rows.references():
        own, old = refs >= 0, refs <= CARRIED
        refs[own] += np.repeat(first_row, counts)[own]
        refs[old] -= np.repeat(first_name, counts)[old]


def _before(counts: I64) -> I64:
    """How many belong to earlier riders."""
    return np.cumsum(counts) - counts


def _cut(rows: _Rows) -> list[bytes]:
    """The parts."""
    n, width = rows.num_riders, len(_TEXTS)
    name_lengths, name_ends, names = _spelt(rows.names)
    text_lengths, text_ends, texts = _spelt(rows.texts)
    name_bounds, row_bounds = _bounds(rows.num_names), _bounds(rows.num_rows)
    name_bytes, text_bytes = name_ends[name_bounds], text_ends[row_bounds * width]
    one = np.arange(n + 1)
    head = np.stack(
        [
            np.full(n, rows.day_sum_mp.shape[1]), np.full(n, rows.month_count.shape[1]), rows.num_fades, rows.num_orders,
            rows.num_written, rows.num_rows, rows.num_names, np.diff(name_bytes), np.diff(text_bytes),
        ],
        axis=1,
    ).astype(np.uint32)  # fmt: skip
    pieces = (
        (head, one * _COUNTS),
        (rows.riders, one),
        (rows.day_sum_mp, one * rows.day_sum_mp.shape[1] * 2),
        (rows.month_count, one * rows.month_count.shape[1]),
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
    return [b"".join(own) for own in zip(*cut, strict=True)]


def _bounds(counts: I64) -> I64:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])


def _spelt(words: pa.Array) -> tuple[np.ndarray, I64, bytes]:
    """Words as lengths in bytes (-1 where null), their ends (0 first), and all their bytes."""
    lengths = pc.fill_null(pc.binary_length(words), 0).to_numpy(zero_copy_only=False)
    ends = _bounds(lengths)
    marked = np.where(pc.is_valid(words).to_numpy(zero_copy_only=False), lengths, -1).astype(np.int32)
    content = words.buffers()[2]
    at = int(np.frombuffer(words.buffers()[1], np.int32)[words.offset]) if len(words) else 0
    return marked, ends, b"" if content is None else content.to_pybytes()[at : at + int(ends[-1])]


def _words(lengths: np.ndarray, content: bytes) -> pa.Array:
    """The reverse of `_spelt`."""
    valid = lengths >= 0
    ends = _bounds(np.where(valid, lengths, 0)).astype(np.int32)
    bits = pa.py_buffer(np.packbits(valid, bitorder="little").tobytes())
    return pa.StringArray.from_buffers(lengths.size, pa.py_buffer(ends.tobytes()), pa.py_buffer(content), bits)


def _put_together(parts: Sequence[bytes]) -> _Rows:
    """Parts of one layout; references stay within each rider."""
    n, width = len(parts), len(_TEXTS)
    head = (
        np.frombuffer(b"".join([part[:_HEAD_BYTES] for part in parts]), np.uint32).reshape(n, _COUNTS).astype(np.int64)
    )
    slots, counted, fades, orders, written, rows, names, name_bytes, text_bytes = head.T
    num_columns = len(_INTS) + len(_MARKS)
    sizes = np.stack(
        [
            np.full(n, RIDER_STATE.itemsize), slots * 16, counted * 8, fades * FADE_DUE.itemsize,
            orders * ORDER_POINTS.itemsize, written * ENTRY.itemsize, rows * num_columns * 8, names * 4,
            rows * width * 4, name_bytes, text_bytes,
        ]
    )  # fmt: skip
    starts = _HEAD_BYTES + np.cumsum(sizes, axis=0) - sizes
    pieces = [
        b"".join([part[at : at + size] for part, at, size in zip(parts, ats, of, strict=True)])
        for ats, of in zip(starts.tolist(), sizes.tolist(), strict=True)
    ]
    return _Rows(
        riders=np.frombuffer(pieces[0], RIDER_STATE).copy(),
        day_sum_mp=np.frombuffer(pieces[1], np.int64).reshape(n, -1, 2).copy(),
        month_count=np.frombuffer(pieces[2], np.int64).reshape(n, int(counted[0])).copy(),
        fades=np.frombuffer(pieces[3], FADE_DUE).copy(),
        num_fades=fades,
        orders=np.frombuffer(pieces[4], ORDER_POINTS).copy(),
        num_orders=orders,
        written=np.frombuffer(pieces[5], ENTRY).copy(),
        num_written=written,
        numbers=np.frombuffer(pieces[6], np.int64).reshape(-1, num_columns).copy(),
        num_rows=rows,
        texts=_words(np.frombuffer(pieces[8], np.int32), pieces[10]),
        names=_words(np.frombuffer(pieces[7], np.int32), pieces[9]),
        num_names=names,
    )


def _moved(rows: _Rows, old: Layout, new: Layout) -> _Rows:
    """Riders in the positions of another layout; sums that no book of it reads are left out."""
    # The last element answers -1, "no book".
    books = np.array([*(new.books.index(name) for name in old.books), -1], np.int64)
    code = {label: k for k, label in enumerate(new.labels)}
    labels = np.array([code[label] for label in old.labels], np.int64)
    slots = np.array([new.slots.index(kinds) if kinds in new.slots else -1 for kinds in old.slots], np.int64)
    for records in (rows.riders, rows.fades, rows.written):
        records["book"] = books[records["book"]]
    rows.numbers[:, -1] = books[rows.numbers[:, -1]]
    rows.written["label"] = labels[rows.written["label"]]
    rows.orders["slot"] = slots[rows.orders["slot"]] if rows.orders.size else rows.orders["slot"]
    stays = rows.orders["slot"] >= 0
    rider = np.repeat(np.arange(rows.num_riders), rows.num_orders)[stays]
    rows.orders, rows.num_orders = rows.orders[stays], np.bincount(rider, minlength=rows.num_riders)
    day_sum_mp = np.zeros((rows.num_riders, len(new.slots), 2), np.int64)
    for was, now in enumerate(slots.tolist()):
        if now >= 0:
            day_sum_mp[:, now] = rows.day_sum_mp[:, was]
    month_count = np.zeros((rows.num_riders, len(new.counted)), np.int64)
    for was, kind in enumerate(old.counted):
        if kind in new.counted:
            month_count[:, new.counted.index(kind)] = rows.month_count[:, was]
    rows.day_sum_mp, rows.month_count = day_sum_mp, month_count
    return rows


def _in_layout(kept: Sequence[Kept], layout: Layout) -> list[bytes]:
    """Parts in one layout, in order."""
    parts = [rider.part for rider in kept]
    for old in {rider.layout for rider in kept} - {layout}:
        at = [k for k, rider in enumerate(kept) if rider.layout == old]
        moved = _cut(_moved(_put_together([parts[k] for k in at]), old, layout))
        for k, part in zip(at, moved, strict=True):
            parts[k] = part
    return parts


def sound_parts(kept: Sequence[Kept], program: Program) -> list[Kept]:
    """Those of some riders whose parts can be read: whole, and with no reference to what is not there."""
    layout = layout_of(program)
    return [rider for rider in kept if _is_sound(rider, layout)]


def _is_sound(rider: Kept, layout: Layout) -> bool:
    try:
        head = np.frombuffer(rider.part[:_HEAD_BYTES], np.uint32)
        if head.size != _COUNTS or head.max(initial=0) > len(rider.part) or len(rider.part) > _PART_BYTES_MAX:
            return False
        if int(head[0]) != len(rider.layout.slots) or int(head[1]) != len(rider.layout.counted):
            return False
        rows = _put_together([rider.part])
        if len(_cut(rows)[0]) != len(rider.part):
            return False
        rows = _moved(rows, rider.layout, layout)
    except (ValueError, IndexError, KeyError, OverflowError):
        return False
    num_rows, num_names = int(rows.num_rows[0]), int(rows.num_names[0])
    refs = np.concatenate([column for column, _ in rows.references()])
    in_reach = (refs < num_rows) & ((refs >= NO_EVENT) | (refs <= CARRIED) & (refs > CARRIED - num_names))
    books = np.concatenate([rows.riders["book"], rows.fades["book"], rows.written["book"], rows.numbers[:, -1]])
    labels = rows.written["label"]
    return bool(
        in_reach.all()
        and ((books >= -1) & (books < len(layout.books))).all()
        and ((labels >= 0) & (labels < len(layout.labels))).all()
    )


def joined(kept: Sequence[Kept], program: Program, until_us: int) -> Carried:
    """Riders as stored (ascending ids) as one carried state.

    Parameters
    ----------
    until_us
        Up to where nothing is due for any of them that is not written.
    """
    base, names = fresh_state(program, len(kept)), pa.array([], pa.string())
    written, window = np.zeros(0, ENTRY), _window((), None)
    if kept:
        rows = _put_together(_in_layout(kept, layout_of(program)))
        _refer_across(rows)
        written, names = rows.written, rows.names
        written["rider"] = np.repeat(np.arange(rows.num_riders), rows.num_written)
        window = _window([rider.rider_id for rider in kept], rows)
        base = base._replace(
            riders=rows.riders,
            day_sum_mp=rows.day_sum_mp,
            month_count=rows.month_count,
            fade_start=_bounds(rows.num_fades),
            fades=rows.fades,
            order_start=_bounds(rows.num_orders),
            orders=rows.orders,
        )
    return Carried(
        until_us=until_us,
        # Riders for whom something older than their window matters come with their whole history.
        keep_us=NO_TIME,
        riders=pa.array([rider.rider_id for rider in kept], pa.string()),
        city=pa.array([rider.city for rider in kept], pa.string()),
        rider_kind=np.array([rider.rider_kind for rider in kept], np.int64),
        base=base,
        faded=names,
        score_mp=np.array([rider.score_mp for rider in kept], np.int64),
        seq=np.array([rider.seq for rider in kept], np.int64),
        window=window,
        written=written,
    )


def _window(riders: Sequence[str], rows: _Rows | None) -> pa.Table:
    """The riders' windows one after the other."""
    width = len(_TEXTS)
    if rows is None:
        num_rows, numbers, texts = np.zeros(0, np.int64), np.zeros((0, len(_INTS) + len(_MARKS)), np.int64), None
    else:
        num_rows, numbers, texts = rows.num_rows, np.ascontiguousarray(rows.numbers.T).T, rows.texts
    total = numbers.shape[0]
    of_rider = np.repeat(np.arange(len(riders)), num_rows)
    columns: dict[str, pa.Array] = {"rider_id": pa.array(list(riders), pa.string()).take(pa.array(of_rider))}
    for k, name in enumerate(_TEXTS):
        columns[name] = (
            pa.array([], pa.string()) if texts is None else texts.take(pa.array(np.arange(total) * width + k))
        )
    for k, name in enumerate(_INTS):
        columns[name] = pa.array(numbers[:, k], pa.int64(), mask=numbers[:, k] == NO_TIME)
    marks = {}
    for k, (name, dtype) in enumerate(_MARKS.items(), len(_INTS)):
        # The hash keeps its bits.
        column = np.ascontiguousarray(numbers[:, k])
        marks[name] = pa.array(column.view(dtype) if name == "content" else column.astype(dtype))
    return pa.table({name: columns[name] for name in EVENT_SCHEMA.names} | marks)
