"""Score a run: events and a carried state in, ledger entries and a new state out.

This is the whole way of an event: identity and order (`prepared`), who answers for it (`liability`), points (`kernel`),
and, where the past has changed, reversal and re-entry (`revise`).
"""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rules.compile import Program
from rules.compiled import compiled_with_runtime
from rules.events import KIND_CODE
from rules.units import US_PER_DAY
from scoring.carry import Carried, cut_window, with_references
from scoring.columns import ENTRY, I64, NO_TIME, Entries, Events, Liability
from scoring.history import apply_control, histories_of
from scoring.kernel import fold
from scoring.liability import attribute
from scoring.opening import first_base_mp, first_rows, opened_mp, with_openings
from scoring.prepare import PreparedEvents, Schedule, prepare_events
from scoring.revise import revise
from scoring.rider_ledger import RiderLedger, new_lines
from scoring.state import State, fresh_state, spread_over

APPEAL_UPHELD = KIND_CODE["appeal_upheld"]


@dataclass(frozen=True, slots=True)
class ScoredRun:
    """The result of a run.

    Parameters
    ----------
    program
        The books; `entries.book` and `entries.label` are positions in it.
    prepared
        The rows that were scored, contents as they first came.
    events, liability
        The same rows with corrections applied, and who answers for them.
    entries
        Ledger lines of this run, by rider in the order written.
    seq
        Number of each line within its rider, from 1 on over all runs.
    opening_mp
        int64[R], score before the first line.
    head
        The riders at the end.
    city, rider_kind
        Of each rider's last event; the kind as a code of `RIDER_KINDS`, -1 where unknown.
    faded
        Event ids that carried fades refer to.
    until_us
        How far fades and resets are written.
    standing, kept, keep_us, last_seq
        What `carried` is made of: the entries that stand for all rows, the riders before the window, its start, and
        the number of each rider's last line.
    """

    program: Program
    prepared: PreparedEvents
    events: Events
    liability: Liability
    entries: Entries
    seq: I64
    opening_mp: I64
    head: State
    city: pa.Array
    rider_kind: I64
    faded: pa.Array
    until_us: int
    standing: Entries
    kept: State
    keep_us: int
    last_seq: I64

    @property
    def carried(self) -> Carried:
        """What the next run needs; made when it is asked for."""
        base, faded, window, written = cut_window(
            self.prepared,
            self.events,
            self.standing,
            self.kept,
            self.faded,
            self.keep_us,
            int(self.program.tables.books["late_us"].max()),
        )
        return Carried(
            until_us=self.until_us,
            keep_us=self.keep_us,
            riders=self.prepared.riders,
            city=self.city,
            rider_kind=self.rider_kind,
            base=base,
            faded=faded,
            score_mp=np.ascontiguousarray(self.head.riders["score_mp"]),
            seq=self.last_seq,
            window=window,
            written=written,
        )


@compiled_with_runtime(rows=0)
def _compare(entries: Entries, at: I64, written: Entries, written_at: I64, out: I64) -> None:
    """Per rider, how many entries stand already; -1 where they no longer read the same."""
    for r in range(out.size):
        first, written_first = at[r], written_at[r]
        n = written_at[r + 1] - written_first
        out[r] = n
        if n > at[r + 1] - first:
            out[r] = -1
            continue
        for k in range(n):
            a, b = entries[first + k], written[written_first + k]
            if (
                a.ev != b.ev
                or a.label != b.label
                or a.kind != b.kind
                or a.delta_mp != b.delta_mp
                or a.money_fen != b.money_fen
                or a.party != b.party
                or a.late_s != b.late_s
                or a.given_s != b.given_s
                or a.book != b.book
                or a.nth != b.nth
                or a.item_us != b.item_us
            ):
                out[r] = -1
                break


@compiled_with_runtime(rows=0)
def _names_own_events(entries: Entries, events: Events) -> bool:
    """Whether each entry, and what made it necessary, is an event of the entry's own rider."""
    for i in range(entries.size):
        for ev in (entries[i].ev, entries[i].cause_ev):
            if ev >= 0 and events[ev].rider != entries[i].rider:
                return False
    return True


def _check_references(entries: Entries, events: Events) -> None:
    """Stop where a mistake of ours would put an event of one rider into the ledger of another."""
    if not _names_own_events(entries, events):
        raise AssertionError("a line names an event of another rider: a reference was not renumbered")


def _offsets(rider: np.ndarray, num_riders: int) -> I64:
    return np.searchsorted(rider, np.arange(num_riders + 1)).astype(np.int64)


@dataclass(frozen=True, slots=True)
class _Before:
    """The carried part in this run's numbering of riders and rows; all zero where nothing was carried."""

    state: State
    score_mp: I64
    seq: I64
    known: np.ndarray
    written: Entries
    until_us: int
    faded: pa.Array
    city: pa.Array
    rider_kind: I64


def _before(program: Program, prepared: PreparedEvents, carried: Carried | None) -> _Before:
    num_riders = len(prepared.riders)
    fresh = fresh_state(program, num_riders)
    zero = np.zeros(num_riders, np.int64)
    if carried is None:
        none = pa.nulls(num_riders, pa.string())
        return _Before(
            fresh, zero, zero, zero.astype(bool), np.zeros(0, ENTRY), NO_TIME, pa.array([], pa.string()), none, zero - 1
        )
    rider = pc.index_in(carried.riders, prepared.riders).to_numpy()
    score_mp, seq, known = zero.copy(), zero.copy(), np.zeros(num_riders, bool)
    score_mp[rider], seq[rider], known[rider] = carried.score_mp, carried.seq, True
    base, written = with_references(carried.base, carried.written, prepared.carried_row)
    written["rider"] = rider[written["rider"]]
    state = spread_over(base, fresh, rider)
    known_kind = np.full(num_riders, -1, np.int64)
    known_kind[rider] = carried.rider_kind
    at = pc.index_in(prepared.riders, carried.riders)
    city = carried.city.take(at)
    return _Before(state, score_mp, seq, known, written, carried.until_us, carried.faded, city, known_kind)


def _with_corrections(prepared: PreparedEvents, has_delivered: np.ndarray) -> Events:
    """The rows as they are finally known."""
    controls = np.flatnonzero((prepared.ref >= 0) & (prepared.is_new == 1) & (prepared.overtaken == 0))
    if not controls.size:
        return prepared.events
    events = prepared.events.copy()
    for row in controls[np.argsort(events["occurred_us"][controls], kind="stable")]:
        waives = events["kind"][row] == APPEAL_UPHELD
        apply_control(events, int(row), int(prepared.ref[row]), bool(waives), bool(has_delivered[row]))
    return events


def score(
    program: Program,
    schedule: Schedule,
    table: pa.Table,
    carried: Carried | None = None,
    as_of_us: int | None = None,
    keep_from_us: int | None = None,
    books: I64 | None = None,
    late_from_us: int | None = None,
) -> ScoredRun:
    """Score the events of whole riders.

    Parameters
    ----------
    program, schedule
        The books in play, those of the carried state included; which of them judges which event.
    table
        New rows, canonical columns, in any order.
    carried
        What an earlier run handed on.
    as_of_us
        Fades and resets are written up to here; by default up to the newest event.
    keep_from_us
        Start of the window that is handed on; by default the books' longest `late_days` before the end.
    books
        Position in the program of the book of each row, where it is known from before; else `schedule` decides.
    late_from_us
        New rows more than a book's `late_days` before this are too late; by default how far the earlier run went.

    Returns
    -------
    ScoredRun
        Entries by rider in the order written. Any split by rider gives the same lines.
    """
    prepared = prepare_events(
        table,
        program,
        schedule,
        None if carried is None else carried.window,
        NO_TIME if carried is None else carried.until_us if late_from_us is None else late_from_us,
        NO_TIME if carried is None else carried.keep_us,
        None if carried is None else carried.riders,
        books,
    )
    before = _before(program, prepared, carried)
    newest_us = int(prepared.events["occurred_us"].max(initial=NO_TIME))
    until_us = max(newest_us if as_of_us is None else as_of_us, before.until_us)
    has_delivered = pc.is_valid(prepared.column("delivered_us")).to_numpy()
    events = _with_corrections(prepared, has_delivered)
    liability = attribute(program.tables, events, prepared.start)
    keep_us = _window_start(program, until_us) if keep_from_us is None else keep_from_us
    num_riders = len(prepared.riders)
    entries, head, kept = fold(
        program, events, liability, prepared.fold_from, prepared.start[1:], before.state,
        np.full(num_riders, until_us, np.int64), keep_us,
    )  # fmt: skip
    opened, opening_mp = _openings(program, prepared, before)
    entries = with_openings(program.tables, entries, prepared.events, prepared.fold_from, prepared.start[1:], opened)
    lines = _lines(program, prepared, entries, before, opening_mp, opened, has_delivered, until_us)
    _check_references(lines, events)
    at = _offsets(lines["rider"], num_riders)
    seq = before.seq[lines["rider"]] + np.arange(lines.size) - at[lines["rider"]] + 1
    city, rider_kind = _profile(prepared, before)
    return ScoredRun(
        program, prepared, events, liability, lines, seq, opening_mp, head, city, rider_kind, before.faded, until_us,
        entries, kept, keep_us, before.seq + np.diff(at),
    )  # fmt: skip


def as_opened(scored: ScoredRun, opened: I64) -> ScoredRun:
    """A run from nothing for riders whose ledgers opened with another score (`NO_TIME`: with this one).

    The difference is the `reset` entry that it was when an earlier first event turned up.

    Parameters
    ----------
    scored
        A run with nothing carried in.
    opened
        int64[R], the score before each rider's first line (mp).

    Returns
    -------
    ScoredRun
        The same run with those entries in front.
    """
    prepared, tables = scored.prepared, scored.program.tables
    lines, standing = (
        with_openings(tables, entries, prepared.events, prepared.fold_from, prepared.start[1:], opened)
        for entries in (scored.entries, scored.standing)
    )
    at = _offsets(lines["rider"], len(prepared.riders))
    seq = np.arange(lines.size) - at[lines["rider"]] + 1
    return replace(scored, entries=lines, standing=standing, seq=seq, last_seq=np.diff(at))


def _window_start(program: Program, until_us: int) -> int:
    """The books' longest `late_days` before the end of a run."""
    late_days = max((book.model.late_days for book in program.books), default=0)
    return max(until_us, NO_TIME + 2 * late_days * US_PER_DAY) - late_days * US_PER_DAY


def _openings(program: Program, prepared: PreparedEvents, before: _Before) -> tuple[I64, I64]:
    """With what known riders opened whose first event may change (`opened_mp`), and every score before this run."""
    opened = opened_mp(before.state, before.known, before.score_mp, before.written)
    first = first_rows(prepared.events, prepared.fold_from, prepared.start[1:])
    return opened, np.where(before.known, before.score_mp, first_base_mp(program.tables, prepared.events, first))


def _profile(prepared: PreparedEvents, before: _Before) -> tuple[pa.Array, I64]:
    """City and kind of each rider, from the last event or as carried."""
    if not prepared.events.size:
        return before.city, before.rider_kind
    last = np.maximum(prepared.start[1:] - 1, 0)
    seen = np.diff(prepared.start) > 0
    city = prepared.column("city", last).combine_chunks().cast(pa.string())
    return (
        pc.if_else(pa.array(seen), city, before.city.cast(pa.string())),
        np.where(seen, prepared.events["rider_kind"][last], before.rider_kind),
    )


def _lines(
    program: Program, prepared: PreparedEvents, entries: Entries, before: _Before, opening_mp: I64, opened: I64,
    has_delivered: np.ndarray, until_us: int,
) -> Entries:  # fmt: skip
    """Ledger lines of the run: the fold's entries, but for riders whose past changed."""
    num_riders = len(prepared.riders)
    changed = np.zeros(num_riders, bool)
    changed[prepared.events["rider"][(prepared.ref >= 0) & (prepared.is_new == 1)]] = True
    if not before.known.any() and not changed.any():
        return entries
    at, written_at = _offsets(entries["rider"], num_riders), _offsets(before.written["rider"], num_riders)
    standing = np.zeros(num_riders, np.int64)
    _compare(entries, at, before.written, written_at, standing)
    changed |= standing < 0
    place = np.arange(entries.size) - at[entries["rider"]]
    fresh = ~changed[entries["rider"]] & (place >= standing[entries["rider"]])
    # Of the past only new events are entered plainly; what else comes to stand there has a cause.
    at_new = np.zeros(entries.size, bool)
    has_event = entries["ev"] >= 0
    at_new[has_event] = prepared.is_new[entries["ev"][has_event]] == 1
    late = np.zeros(num_riders, bool)
    late[prepared.events["rider"][(prepared.is_new == 1) & (prepared.events["occurred_us"] <= before.until_us)]] = True
    past = fresh & ~at_new & (entries["item_us"] <= before.until_us) & (before.known & late)[entries["rider"]]
    changed[entries["rider"][past]] = True
    plain = entries[fresh & ~changed[entries["rider"]]]
    riders = np.flatnonzero(changed)
    if not riders.size:
        return plain
    written = [before.written[written_at[r] : written_at[r + 1]] for r in riders]
    # An event may be ahead of the instant up to which fades are written.
    ledgers = [
        RiderLedger(
            int(r),
            int(opening_mp[r]),
            max(before.until_us, int(stood["item_us"][-1]) if stood.size else NO_TIME) if before.known[r] else NO_TIME,
            stood,
        )
        for r, stood in zip(riders, written, strict=True)
    ]
    history = histories_of(
        prepared.events, prepared.start, prepared.fold_from, before.state, riders, prepared.is_new, prepared.ref, has_delivered,
        opened, prepared.overtaken,
    )  # fmt: skip
    revise(program, history, ledgers, until_us)
    revised = new_lines(ledgers, [int(opening_mp[r]) for r in riders])
    both = np.concatenate([plain, revised])
    return both[np.argsort(both["rider"], kind="stable")]
