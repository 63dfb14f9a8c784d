"""`scoring.carry.Carried`, taken apart by rider for the database and put together again for a block of riders.

A part is bytes: a head of counts, then arrays as NumPy holds them, then texts as JSON. Books, rule ids and sums stand
in it as positions; the `Layout` that a part names says what they mean, so that a program with more books can go on.
A part can always be made again from the rider's events: it is what the next post needs, not a record of anything.
"""

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from api.batch.canonical import EVENT_SCHEMA
from rules.compile import Program
from rules.events import KINDS
from rules.ids import digest
from scoring.carry import Carried
from scoring.columns import CARRIED, ENTRY, I64, NO_TIME
from scoring.state import FADE_DUE, ORDER_POINTS, RIDER_STATE, fresh_state

FORMAT: Final = 1
_HEAD: Final = struct.Struct("<7I")
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


def _local_refs(ev: NDArray[np.int64], first_row: int, names: Sequence[str], own: list[str]) -> None:
    """Number the event references of one rider within the rider; `own` gets the ids of carried events."""
    ev[ev >= 0] -= first_row
    for i in np.flatnonzero(ev <= CARRIED):
        name = names[CARRIED - int(ev[i])]
        if name not in own:
            own.append(name)
        ev[i] = CARRIED - own.index(name)


def parts_of(carried: Carried) -> list[bytes]:
    """A part per rider of `carried.riders`."""
    window = carried.window
    num_riders = len(carried.riders)
    bounds = np.arange(num_riders + 1)
    position = pc.index_in(window.column("rider_id").cast(pa.string()), carried.riders.cast(pa.string())).to_numpy()
    rows = np.searchsorted(position, bounds).tolist()
    lines = np.searchsorted(carried.written["rider"], bounds).tolist()
    numbers = _numbers(window)
    texts = [window.column(name).to_pylist() for name in _TEXTS]
    names = carried.faded.to_pylist()
    base = carried.base
    fade_start, order_start = base.fade_start.tolist(), base.order_start.tolist()
    parts = []
    for r in range(num_riders):
        first, stop = rows[r], rows[r + 1]
        written = carried.written[lines[r] : lines[r + 1]].copy()
        fades = base.fades[fade_start[r] : fade_start[r + 1]].copy()
        orders = base.orders[order_start[r] : order_start[r + 1]]
        written["rider"] = 0
        own: list[str] = []
        for refs in (written["ev"], written["cause_ev"], fades["ev"]):
            _local_refs(refs, first, names, own)
        words = json.dumps([own, *(column[first:stop] for column in texts)], ensure_ascii=False).encode()
        sizes = (stop - first, written.size, fades.size, orders.size, base.day_sum_mp.shape[1],
                 base.month_count.shape[1], len(words))  # fmt: skip
        parts.append(
            b"".join(
                [
                    _HEAD.pack(*sizes),
                    base.riders[r : r + 1].tobytes(),
                    base.day_sum_mp[r].tobytes(),
                    base.month_count[r].tobytes(),
                    fades.tobytes(),
                    orders.tobytes(),
                    written.tobytes(),
                    numbers[:, first:stop].tobytes(),
                    words,
                ]
            )
        )
    return parts


def _numbers(window: pa.Table) -> I64:
    """Numeric columns of a window as int64[column, row], `NO_TIME` where null."""
    columns = [pc.fill_null(window.column(name), NO_TIME).to_numpy() for name in _INTS]
    # `astype` keeps the bits of a 64-bit hash.
    columns += [window.column(name).to_numpy() for name in _MARKS]
    return np.stack([column.astype(np.int64, copy=False) for column in columns])


class _Reader:
    """Takes arrays off the front of a part."""

    def __init__(self, part: bytes) -> None:
        self._part = part
        self._at = 0

    def head(self) -> tuple[int, ...]:
        self._at = _HEAD.size
        return _HEAD.unpack_from(self._part)

    def take(self, dtype: Any, size: int) -> np.ndarray:
        out = np.frombuffer(self._part, dtype, size, self._at)
        self._at += out.nbytes
        return out.copy()

    def words(self) -> list[list[Any]]:
        return json.loads(self._part[self._at :])


@dataclass(slots=True)
class _Opened:
    """One part, its positions those of the program."""

    rider: np.ndarray
    day_sum_mp: I64
    month_count: I64
    fades: np.ndarray
    orders: np.ndarray
    written: np.ndarray
    numbers: I64
    faded: list[str]
    texts: list[list[Any]]


def _opened(part: bytes) -> _Opened:
    reader = _Reader(part)
    num_rows, num_written, num_fades, num_orders, num_slots, num_counted, _ = reader.head()
    rider = reader.take(RIDER_STATE, 1)
    day_sum_mp = reader.take(np.int64, num_slots * 2).reshape(num_slots, 2)
    month_count = reader.take(np.int64, num_counted)
    fades, orders = reader.take(FADE_DUE, num_fades), reader.take(ORDER_POINTS, num_orders)
    written = reader.take(ENTRY, num_written)
    width = len(_INTS) + len(_MARKS)
    numbers = reader.take(np.int64, width * num_rows).reshape(width, num_rows)
    faded, *texts = reader.words()
    return _Opened(rider, day_sum_mp, month_count, fades, orders, written, numbers, faded, texts)


def _moved(opened: _Opened, old: Layout, new: Layout) -> _Opened:
    """A part in the positions of another layout; sums that no book of it reads are left out."""
    # The last element answers -1, "no book".
    books = np.array([*(new.books.index(name) for name in old.books), -1], np.int64)
    code = {label: k for k, label in enumerate(new.labels)}
    labels = np.array([code[label] for label in old.labels], np.int64)
    slots = np.array([new.slots.index(kinds) if kinds in new.slots else -1 for kinds in old.slots], np.int64)
    for records in (opened.rider, opened.fades, opened.written):
        records["book"] = books[records["book"]]
    opened.numbers[-1] = books[opened.numbers[-1]]
    opened.written["label"] = labels[opened.written["label"]]
    opened.orders["slot"] = slots[opened.orders["slot"]] if opened.orders.size else opened.orders["slot"]
    opened.orders = opened.orders[opened.orders["slot"] >= 0]
    day_sum_mp = np.zeros((len(new.slots), 2), np.int64)
    for was, now in enumerate(slots.tolist()):
        if now >= 0:
            day_sum_mp[now] = opened.day_sum_mp[was]
    month_count = np.zeros(len(new.counted), np.int64)
    for was, kind in enumerate(old.counted):
        if kind in new.counted:
            month_count[new.counted.index(kind)] = opened.month_count[was]
    opened.day_sum_mp, opened.month_count = day_sum_mp, month_count
    return opened


def joined(kept: Sequence[Kept], program: Program, until_us: int) -> Carried:
    """Riders as stored (ascending ids) as one carried state.

    Parameters
    ----------
    until_us
        Up to where nothing is due for any of them that is not written.
    """
    layout = layout_of(program)
    opened = []
    for rider in kept:
        part = _opened(rider.part)
        opened.append(part if rider.layout == layout else _moved(part, rider.layout, layout))
    fresh = fresh_state(program, len(kept))
    row = faded = 0
    for r, part in enumerate(opened):
        part.written["rider"] = r
        for refs in (part.written["ev"], part.written["cause_ev"], part.fades["ev"]):
            own, old = refs >= 0, refs <= CARRIED
            refs[own] += row
            refs[old] -= faded
        row += part.numbers.shape[1]
        faded += len(part.faded)
    if opened:
        fresh = fresh._replace(
            riders=_stacked([part.rider for part in opened], RIDER_STATE),
            day_sum_mp=np.stack([part.day_sum_mp for part in opened]),
            month_count=np.stack([part.month_count for part in opened]),
            fade_start=_starts([part.fades.size for part in opened]),
            fades=_stacked([part.fades for part in opened], FADE_DUE),
            order_start=_starts([part.orders.size for part in opened]),
            orders=_stacked([part.orders for part in opened], ORDER_POINTS),
        )
    return Carried(
        until_us=until_us,
        # Riders for whom something older than their window matters come with their whole history.
        keep_us=NO_TIME,
        riders=pa.array([rider.rider_id for rider in kept], pa.string()),
        city=pa.array([rider.city for rider in kept], pa.string()),
        rider_kind=np.array([rider.rider_kind for rider in kept], np.int64),
        base=fresh,
        faded=pa.array([name for part in opened for name in part.faded], pa.string()),
        score_mp=np.array([rider.score_mp for rider in kept], np.int64),
        seq=np.array([rider.seq for rider in kept], np.int64),
        window=_window([rider.rider_id for rider in kept], opened),
        written=_stacked([part.written for part in opened], ENTRY),
    )


def _stacked(arrays: Sequence[np.ndarray], dtype: np.dtype[np.void]) -> np.ndarray:
    """Records one after the other; NumPy's own way compares the fields of each array first."""
    return np.frombuffer(b"".join([array.tobytes() for array in arrays]), dtype).copy()


def _starts(sizes: Sequence[int]) -> I64:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(np.array(sizes, np.int64))])


def _window(riders: Sequence[str], opened: Sequence[_Opened]) -> pa.Table:
    width = len(_INTS) + len(_MARKS)
    numbers = np.concatenate([np.zeros((width, 0), np.int64), *(part.numbers for part in opened)], axis=1)
    columns: dict[str, pa.Array] = {
        "rider_id": pa.array(
            [rider for rider, part in zip(riders, opened, strict=True) for _ in range(part.numbers.shape[1])],
            pa.string(),
        )
    }
    for k, name in enumerate(_TEXTS):
        columns[name] = pa.array([value for part in opened for value in part.texts[k]], pa.string())
    for k, name in enumerate(_INTS):
        columns[name] = pa.array(numbers[k], pa.int64(), mask=numbers[k] == NO_TIME)
    marks = {
        name: pa.array(
            numbers[len(_INTS) + k].view(dtype) if name == "content" else numbers[len(_INTS) + k].astype(dtype)
        )
        for k, (name, dtype) in enumerate(_MARKS.items())
    }
    return pa.table({name: columns[name] for name in EVENT_SCHEMA.names} | marks)
