"""From the canonical table to events that can be scored: identity, order, references, columns.

An event's identity is (rider_id, event_id). The same content twice counts once; different content under one
identity is refused. Rows that cannot be scored come back as `Refused`, never silently dropped.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rules.compile import Program, start_us
from rules.events import KIND_CODE
from rules.units import US_PER_DAY
from scoring.columns import EVENT, EVENT_SCHEMA, I8, I32, I64, NO_TIME, U8, U64, Events
from scoring.event_columns import event_columns
from scoring.hashing import hash_rows, hash_strings
from scoring.order import first_of_identity, gather, refuse_second_deliveries, scoring_order, sorted_riders

CORRECTION = KIND_CODE["correction"]
APPEAL_UPHELD = KIND_CODE["appeal_upheld"]
# Columns that a correction keeps from the event it replaces.
KEPT_BY_CORRECTION = ("event_id", "rider_id", "city", "rider_kind", "kind", "order_id", "occurred_us", "ref_event_id")
REASONS = ("duplicate_conflict", "too_late", "ref_unknown", "ref_later", "no_book", "duplicate_order")
DUPLICATE_CONFLICT, TOO_LATE, REF_UNKNOWN, REF_LATER, NO_BOOK, DUPLICATE_ORDER = range(1, 7)
REPEATED = 100


@dataclass(frozen=True, slots=True)
class Schedule:
    """Which book judges an event: by city and rider kind, from an instant on.

    Parameters
    ----------
    rules
        (city, rider kind) → ascending instants (µs UTC) and positions of books in the program; the key ("", "")
        serves all that have no entry of their own.
    reach_back
        Whether the first version judges earlier events, too (a what-if); otherwise such events are refused.
    """

    rules: dict[tuple[str, str], tuple[tuple[int, int], ...]]
    reach_back: bool


def schedule_versions(program: Program, positions: Sequence[int]) -> Schedule:
    """Schedule of the versions of one book, each from the local day it takes effect.

    Parameters
    ----------
    program
        Holds the versions.
    positions
        Where in the program they stand.

    Returns
    -------
    Schedule
        For all cities and kinds of riders; the first version judges earlier events, too.
    """
    starts = [(start_us(program.books[position].model), position) for position in positions]
    return Schedule({("", ""): tuple(sorted(starts))}, reach_back=True)


@dataclass(frozen=True, slots=True)
class PreparedEvents:
    """Events ready to score.

    Parameters
    ----------
    source, order
        Canonical columns as they came, and the n rows of it that are scored, in scoring order: by rider, then
        (occurred_us, event_id). `table` is those rows.
    riders
        R rider ids, ascending by their bytes.
    events
        The same n rows as columns.
    start
        int64[R + 1]; rows of rider r are `start[r]:start[r + 1]`.
    fold_from
        int64[R], first row of each rider that is scored; earlier ones only bear on the liability of later ones.
    carried_row
        int64[c], where each carried row stands now.
    is_new
        uint8[n]; 0 for rows carried from an earlier run.
    key
        uint64[n], hashes of the event ids.
    known_content
        uint64[c], hashes of the carried rows, which stand last in `source`, as they first came.
    ref
        int64[n], row that a correction or appeal is about, -1 elsewhere.
    refused_rows, refused_reasons, refused_for
        Rows of the input table that are not scored, positions in `REASONS`, and of an order that was delivered twice the
        row of `source` that stands (-1 elsewhere).
    num_repeated, num_what_if
        Rows that repeat another's content; rows judged by a version that was not yet in force.
    """

    source: pa.Table
    order: I64
    riders: pa.Array
    events: Events
    start: I64
    fold_from: I64
    carried_row: I64
    is_new: U8
    key: U64
    known_content: U64
    ref: I64
    refused_rows: I64
    refused_reasons: I64
    refused_for: I64
    num_repeated: int
    num_what_if: int

    @property
    def table(self) -> pa.Table:
        """The n rows in scoring order; moves every column, so name a column where one will do."""
        return self.source.take(pa.array(self.order))

    def rows(self, rows: I64) -> pa.Table:
        """Some of the n rows; many of them, so that the source is worth being put in one piece."""
        return self.source.combine_chunks().take(pa.array(self.order[rows]))

    def content(self, rows: I64, taken: pa.Table | None = None) -> U64:
        """Hashes of some of the n rows as they first came; made when asked for, since few runs need them.

        `taken` is those rows, where they are at hand.
        """
        return _content(self.source, self.known_content, self.order[rows], taken)

    @property
    def overtaken(self) -> U8:
        """uint8[n], 1 for new corrections of which a later one, entered by an earlier run, is about the same event.

        The last in time says what the event was, in whatever order they come.
        """
        overtaken = np.zeros(self.ref.size, np.uint8)
        rows = np.flatnonzero((self.ref >= 0) & (self.events["kind"] == CORRECTION))
        known, new = rows[self.is_new[rows] == 0], rows[self.is_new[rows] == 1]
        if known.size and new.size:
            last = np.full(self.ref.size, -1)
            np.maximum.at(last, self.ref[known], known)
            overtaken[new] = new < last[self.ref[new]]
        return overtaken

    def event_ids(self, rows: I64) -> list[str]:
        """Event ids of rows of `source`."""
        ids: list[str] = self.source.column("event_id").take(pa.array(rows)).to_pylist()
        return ids

    def same_rows(self, other: "PreparedEvents") -> bool:
        """Whether both are about the same rows of the same riders."""
        if self.source is other.source:
            return np.array_equal(self.order, other.order)
        if self.order.size != other.order.size or not self.riders.equals(other.riders):
            return False
        rows = np.arange(self.order.size)
        return np.array_equal(self.content(rows), other.content(rows))

    def column(self, name: str, rows: I64 | None = None) -> pa.ChunkedArray:
        """One column of the n rows, or of some of them."""
        return self.source.column(name).take(pa.array(self.order if rows is None else self.order[rows]))


def _content(source: pa.Table, known: U64, rows: I64, taken: pa.Table | None = None) -> U64:
    """Hashes of rows of a table whose last ones have a known hash."""
    num_new = source.num_rows - known.size
    fresh = rows < num_new
    if not fresh.any():
        return known[rows - num_new]
    if taken is None:
        taken = source.select(EVENT_SCHEMA.names).take(pa.array(rows[fresh]))
    elif not fresh.all():
        taken = taken.filter(pa.array(fresh))
    out = np.empty(rows.size, np.uint64)
    out[~fresh] = known[rows[~fresh] - num_new]
    out[fresh] = hash_rows(taken, EVENT_SCHEMA.names)
    return out


def _refuse_repeats(first: I64, content_of: Callable[[I64], U64], is_new: U8, reason: I64) -> None:
    """Mark repeats (`REPEATED`) and conflicts; a carried row always stands."""
    repeats = np.flatnonzero(first != np.arange(first.size))
    alike = np.unique(np.concatenate([first[repeats], repeats]))
    content = np.zeros(first.size, np.uint64)
    content[alike] = content_of(alike)
    order = alike[np.argsort(first[alike], kind="stable")]
    bounds = np.flatnonzero(np.diff(first[order], prepend=-1))
    for rows in np.split(order, bounds[1:]):
        stored = rows[is_new[rows] == 0]
        keep = stored[0] if stored.size else rows[0]
        same = content[rows] == content[keep]
        if stored.size == 0 and not same.all():
            reason[rows] = DUPLICATE_CONFLICT
            continue
        reason[rows[~same]] = DUPLICATE_CONFLICT
        reason[rows[same & (rows != keep)]] = REPEATED


def _assign_books(table: pa.Table, schedule: Schedule) -> tuple[np.ndarray, U8]:
    """Position of the book of each row (-1: none), and whether it was not yet in force."""
    occurred = table.column("occurred_us").to_numpy()
    book = np.full(table.num_rows, -1, np.int64)
    early = np.zeros(table.num_rows, np.uint8)
    if set(schedule.rules) == {("", "")}:
        groups: list[tuple[Any, tuple[str, str]]] = [(slice(None), ("", ""))]
    else:
        cities, kinds = (table.column(name).combine_chunks().dictionary_encode() for name in ("city", "rider_kind"))
        num_kinds = len(kinds.dictionary)
        pair = cities.indices.to_numpy().astype(np.int64) * num_kinds + kinds.indices.to_numpy()
        order = np.argsort(pair, kind="stable")
        values, starts = np.unique(pair[order], return_index=True)
        bounds = [*starts.tolist(), pair.size]
        groups = [
            (
                order[bounds[k] : bounds[k + 1]],
                (cities.dictionary[int(value) // num_kinds].as_py(), kinds.dictionary[int(value) % num_kinds].as_py()),
            )
            for k, value in enumerate(values)
        ]
    for rows, key in groups:
        versions = schedule.rules.get(key, schedule.rules.get(("", "")))
        if versions is None:
            continue
        starts_us = np.array([start for start, _ in versions], np.int64)
        positions = np.array([position for _, position in versions], np.int64)
        at = np.searchsorted(starts_us, occurred[rows], side="right") - 1
        early[rows] = at < 0
        book[rows] = positions[np.maximum(at, 0)]
    if not schedule.reach_back:
        book[early == 1] = -1
    return book, early


def books_of(table: pa.Table, schedule: Schedule) -> I64:
    """Position in the program of the book that judges each row; -1 where none does."""
    return _assign_books(table, schedule)[0]


def _resolve_refs(named: U64, events: Events, start: I64, key: U64, is_new: U8, reason: I64) -> I64:
    """Row that each correction or appeal is about; those that name nothing earlier of their rider are marked."""
    ref = np.full(events.size, -1, np.int64)
    is_control = (events["kind"] == CORRECTION) | (events["kind"] == APPEAL_UPHELD)
    control = np.flatnonzero(is_control & (reason == 0))
    if not control.size:
        return ref
    direct = _named_rows(named, events["rider"], start, key, reason, control)
    ref[control] = _ends(direct, events["kind"], control)
    new = control[is_new[control] == 1]
    about = new[ref[new] >= 0]
    later = about[events["occurred_us"][ref[about]] > events["occurred_us"][about]]
    if later.size:
        # Those are left out: what names one of them is about nothing.
        direct[control[np.isin(direct[control], later)]] = -1
        ref[control] = _ends(direct, events["kind"], control)
    reason[later], ref[later] = np.where(ref[later] < 0, REF_UNKNOWN, REF_LATER), -1
    # What an earlier run has accepted stays, though its event may have left the window.
    reason[new[(ref[new] < 0) & (reason[new] == 0)]] = REF_UNKNOWN
    return ref


def _named_rows(named: U64, rider: I32, start: I64, key: U64, reason: I64, control: I64) -> I64:
    """Row of the same rider that each row of `control` names, unless it is refused or the row itself; -1 elsewhere."""
    direct = np.full(rider.size, -1, np.int64)
    for some in np.split(control, np.flatnonzero(np.diff(rider[control])) + 1):
        rider_now = rider[some[0]]
        rows = np.arange(start[rider_now], start[rider_now + 1])
        rows = rows[reason[rows] == 0]
        rows = rows[np.argsort(key[rows], kind="stable")]
        keys = key[rows]
        candidates = rows[np.minimum(np.searchsorted(keys, named[some]), rows.size - 1)]
        direct[some] = np.where((key[candidates] == named[some]) & (candidates != some), candidates, -1)
    return direct


def _ends(direct: I64, kind: I8, control: I64) -> I64:
    """The event that each row of `control` is about in the end, where `direct` is what each row names.

    A correction of a correction is about the original event; a circle of them is about nothing. An appeal has no facts
    to correct and takes nothing that could be appealed.
    """
    ends = direct.copy()
    # Each round doubles how far a chain is followed.
    for _ in range(control.size.bit_length()):
        onward = control[(ends[control] >= 0) & (kind[ends[control]] == CORRECTION)]
        if not onward.size:
            break
        ends[onward] = ends[ends[onward]]
    targets = ends[control]
    return np.where((targets >= 0) & np.isin(kind[targets], (CORRECTION, APPEAL_UPHELD)), -1, targets)


def prepare_events(
    table: pa.Table,
    program: Program,
    schedule: Schedule,
    carried: pa.Table | None = None,
    carried_until_us: int = NO_TIME,
    carried_from_us: int = NO_TIME,
    riders: pa.Array | None = None,
    books: I64 | None = None,
) -> PreparedEvents:
    """Make a run's rows ready to score.

    Parameters
    ----------
    table
        New rows, canonical columns; `content` (uint64) where the hashes of all are at hand.
    program, schedule
        The books, and which of them judges which event.
    carried
        Rows kept by an earlier run: canonical columns, `content` (uint64), `waived`, `context` (uint8; scored for
        good, kept for the liability of others) and `book` (position in the program).
    carried_until_us
        How far the earlier run went; new rows more than a book's `late_days` older are too late.
    carried_from_us
        Since when rows were kept; new rows older than that are too late, too.
    riders
        Ids of riders who must be present although they may have no row.
    books
        Position in the program of each new row's book, where it is known from before.

    Returns
    -------
    PreparedEvents
        Events in scoring order, and which rows were refused and why.
    """
    num_new = table.num_rows
    fresh, content, waived, is_new, context = _beside_carried(table, carried)
    ids, rider = sorted_riders(fresh.column("rider_id"))
    if books is None:
        book, early = _assign_books(fresh, schedule)
    else:
        book = np.concatenate([books, np.zeros(fresh.num_rows - num_new, np.int64)])
        early = np.zeros(fresh.num_rows, np.uint8)
    if carried is not None:
        book[num_new:] = carried.column("book").to_numpy()
        early[num_new:] = 0
    # Rows become records before they are sorted: one gather of records instead of one per column.
    order = scoring_order(fresh, rider, len(ids))
    events = np.empty(order.size, EVENT)
    gather(event_columns(fresh, rider, np.maximum(book, 0), waived), order, events)
    key = hash_strings(fresh.column("event_id"))[order]
    book, is_new = book[order], is_new[order]
    start = np.searchsorted(rider[order], np.arange(len(ids) + 1, dtype=rider.dtype)).astype(np.int64)
    reason = np.zeros(order.size, np.int64)
    first = np.empty(order.size, np.int64)
    if first_of_identity(start, key, first):
        _refuse_repeats(first, lambda rows: _content(fresh, content, order[rows]), is_new, reason)
    reason[(book < 0) & (reason == 0)] = NO_BOOK
    if carried_until_us > NO_TIME:
        oldest_us = np.maximum(carried_until_us - _late_us(program), carried_from_us)
        late = events["occurred_us"] < oldest_us[book]
        reason[(is_new == 1) & (reason == 0) & late] = TOO_LATE
    # Where the book is known the row was accepted before: what was delivered twice then stays so.
    stands = refuse_second_deliveries(events, start, is_new, reason, DUPLICATE_ORDER if books is None else 0)
    ref = _resolve_refs(hash_strings(fresh.column("ref_event_id"))[order], events, start, key, is_new, reason)
    in_order = _SortedRows(
        fresh, ids, events, is_new, context[order], key, content, ref, reason, stands, order, early[order]
    )
    return _accepted(in_order, riders, num_new)


def _beside_carried(table: pa.Table, carried: pa.Table | None) -> tuple[pa.Table, U64, U8, U8, U8]:
    """New rows and behind them carried ones: events, known hashes, which are waived, which are new, which are context."""
    num_new = table.num_rows
    fresh = table.select(EVENT_SCHEMA.names)
    content = table.column("content").to_numpy() if "content" in table.column_names else np.zeros(0, np.uint64)
    waived = np.zeros(num_new, np.uint8)
    is_new = np.ones(num_new, np.uint8)
    context = np.zeros(num_new, np.uint8)
    if carried is not None:
        fresh = pa.concat_tables([fresh, carried.select(EVENT_SCHEMA.names)])
        content = np.concatenate([content, carried.column("content").to_numpy()])
        waived = np.concatenate([waived, carried.column("waived").to_numpy().astype(np.uint8)])
        is_new = np.concatenate([is_new, np.zeros(carried.num_rows, np.uint8)])
        context = np.concatenate([context, carried.column("context").to_numpy()])
    return fresh, content, waived, is_new, context


def _late_us(program: Program) -> I64:
    return np.array([book.model.late_days for book in program.books], np.int64) * US_PER_DAY


@dataclass(frozen=True, slots=True)
class _SortedRows:
    """All rows in scoring order with the reason why each is left out (0: it stays)."""

    source: pa.Table
    ids: pa.Array
    events: Events
    is_new: U8
    context: U8
    key: U64
    content: U64
    ref: I64
    reason: I64
    stands: I64
    order: I64
    early: U8


def _accepted(in_order: _SortedRows, riders: pa.Array | None, num_new: int) -> PreparedEvents:
    """Leave out what is refused and renumber riders, references and carried rows."""
    keep = in_order.reason == 0
    refused = (in_order.reason > 0) & (in_order.reason < REPEATED)
    position = np.cumsum(keep) - 1
    order = in_order.order[keep]
    carried_row = np.full(in_order.order.size - num_new, -1, np.int64)
    carried_row[order[order >= num_new] - num_new] = np.flatnonzero(order >= num_new)
    events = in_order.events
    if not keep.all():
        events = np.empty(order.size, EVENT)
        gather(in_order.events, np.flatnonzero(keep), events)
    first = np.flatnonzero(np.diff(events["rider"], prepend=-1))
    alive, rider = in_order.ids, np.ascontiguousarray(events["rider"])
    if riders is not None or first.size < len(alive):
        alive = alive.take(pa.array(rider[first]))
        if riders is not None:
            alive = pc.unique(pa.concat_arrays([alive, riders.cast(alive.type)]))
            alive = alive.take(pc.sort_indices(alive))
        rider = pc.index_in(in_order.ids, alive).fill_null(-1).to_numpy()[rider]
        events["rider"] = rider
    start = np.searchsorted(rider, np.arange(len(alive) + 1, dtype=rider.dtype)).astype(np.int64)
    context = in_order.context[keep].astype(np.int64)
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(context)])
    is_new = in_order.is_new[keep]
    ref = in_order.ref[keep]
    return PreparedEvents(
        source=in_order.source,
        order=order,
        riders=alive,
        events=events,
        start=start,
        fold_from=start[:-1] + before[start[1:]] - before[start[:-1]],
        carried_row=carried_row,
        is_new=is_new,
        key=in_order.key[keep],
        known_content=in_order.content,
        ref=np.where(ref >= 0, position[ref], -1),
        refused_rows=in_order.order[refused],
        refused_reasons=in_order.reason[refused] - 1,
        refused_for=np.where(in_order.stands[refused] < 0, -1, in_order.order[in_order.stands[refused]]),
        num_repeated=int((in_order.reason == REPEATED).sum()),
        num_what_if=int((in_order.early[keep] == 1)[is_new == 1].sum()),
    )


def corrected_contents(table: pa.Table, targets: I64, corrections: I64) -> pa.Table:
    """The contents of some rows, each after the correction in the row beside it."""
    old, new = (table.select(EVENT_SCHEMA.names).take(pa.array(rows)) for rows in (targets, corrections))
    columns = {name: old[name] if name in KEPT_BY_CORRECTION else new[name] for name in EVENT_SCHEMA.names}
    return pa.table(columns)
