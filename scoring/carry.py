"""The carried state between runs: a window of recent events with their entries, and each rider's state before it.

The next run folds the window again together with its own events; what reads the same is not touched.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rules.compile import Program
from rules.events import KIND_CODE
from scoring.columns import CARRIED, ENTRY, I64, NO_TIME, WINDOW_SCHEMA, Entries, Events
from scoring.liability import DELIVERED, EXTENDED, FIRST_REPORT, LAST_REPORT
from scoring.prepare import PreparedEvents, corrected_contents
from scoring.state import State, concatenated, fresh_state, riders_of

APPEAL_UPHELD = KIND_CODE["appeal_upheld"]


@dataclass(frozen=True, slots=True)
class Carried:
    """What a run hands to the next one.

    Parameters
    ----------
    until_us
        How far fades and resets are written.
    keep_us
        Start of the window; nothing older can be entered any more.
    riders
        Rider ids, ascending; the rows of `base`, `score_mp`, `seq`, `city` and `rider_kind`.
    city
        Of each rider's last event; null where unknown.
    rider_kind
        int64[R], code of `RIDER_KINDS`; -1 where unknown.
    base
        Each rider before the first thing in the window; `ev` of its fades is a row of `window` or `CARRIED - k`.
    faded
        Event ids of deductions that wait to be returned and are older than the window.
    score_mp, seq
        Score and number of the last entry written.
    window
        Recent rows: canonical columns, `content`, `waived`, `context`, `book` (position in the program).
    written
        The entries that stand for the window, by rider in time order; `ev` is a row of `window` or `CARRIED - k`.
    """

    until_us: int
    keep_us: int
    riders: pa.Array
    city: pa.Array
    rider_kind: I64
    base: State
    faded: pa.Array
    score_mp: I64
    seq: I64
    window: pa.Table
    written: Entries


def no_riders(program: Program, until_us: int) -> Carried:
    """A carried state without riders, as `Carried` has it; nothing is too old for it.

    Parameters
    ----------
    program
        Says which sums and counts a state has.
    until_us
        How far fades and resets are written (µs UTC).

    Returns
    -------
    Carried
        A state with an empty window.
    """
    return Carried(
        until_us=until_us,
        keep_us=NO_TIME,
        riders=pa.array([], pa.string()),
        city=pa.array([], pa.string()),
        rider_kind=np.zeros(0, np.int64),
        base=fresh_state(program, 0),
        faded=pa.array([], pa.string()),
        score_mp=np.zeros(0, np.int64),
        seq=np.zeros(0, np.int64),
        window=WINDOW_SCHEMA.empty_table(),
        written=np.zeros(0, ENTRY),
    )


def moved_references(refs: I64, rows: I64, names: I64 | None = None) -> I64:
    """References (`ev`, `cause_ev`) to a window and its `faded` whose rows stand elsewhere now.

    Parameters
    ----------
    refs
        Rows of a window, `CARRIED - k` for name k of `faded`, or `NO_EVENT`.
    rows
        The new reference to each row of the window.
    names
        The new position of each name of `faded`; by default names stay.

    Returns
    -------
    I64
        As many references; `NO_EVENT` stays.
    """
    out = refs.copy()
    to_row = refs >= 0
    out[to_row] = rows[refs[to_row]]
    if names is not None:
        to_name = refs <= CARRIED
        out[to_name] = CARRIED - names[CARRIED - refs[to_name]]
    return out


def with_references(base: State, written: Entries, rows: I64, names: I64 | None = None) -> tuple[State, Entries]:
    """Everything that refers to a window: the entries that stand for it, and the fades that wait."""
    written, fades = written.copy(), base.fades.copy()
    for name in ("ev", "cause_ev"):
        written[name] = moved_references(written[name], rows, names)
    fades["ev"] = moved_references(fades["ev"], rows, names)
    return base._replace(fades=fades), written


def _names_in_use(base: State, written: Entries) -> I64:
    """Positions in `faded` that anything refers to, ascending."""
    refs = np.concatenate([base.fades["ev"], written["ev"], written["cause_ev"]])
    return np.unique(CARRIED - refs[refs <= CARRIED])


def _positions(chosen: I64, size: int) -> I64:
    """Where each of `size` things stands among the chosen ones; -1 for those that are left out."""
    position = np.full(size, -1, np.int64)
    position[chosen] = np.arange(chosen.size)
    return position


def carried_riders(carried: Carried, riders: I64) -> Carried:
    """Some riders of a carried state with all that is theirs.

    Parameters
    ----------
    carried
        Any carried state.
    riders
        Positions in `carried.riders`, each once; the result has them, and their rows of the window, in this order.

    Returns
    -------
    Carried
        Their state, rows of the window, entries that stand, and the names that these refer to.
    """
    num_riders = len(carried.riders)
    if np.array_equal(riders, np.arange(num_riders)):
        return carried
    position = _positions(riders, num_riders)
    ids = carried.riders.cast(pa.string())
    rider_of_row = pc.index_in(carried.window.column("rider_id").cast(pa.string()), ids).to_numpy()
    rows = np.argsort(position[rider_of_row], kind="stable")
    rows = rows[position[rider_of_row[rows]] >= 0]
    written = carried.written[position[carried.written["rider"]] >= 0]
    written["rider"] = position[written["rider"]]
    written = written[np.argsort(written["rider"], kind="stable")]
    base = riders_of(carried.base, riders)
    names = _names_in_use(base, written)
    base, written = with_references(
        base, written, _positions(rows, rider_of_row.size), _positions(names, len(carried.faded))
    )
    return replace(
        carried,
        riders=carried.riders.take(pa.array(riders)),
        city=carried.city.take(pa.array(riders)),
        rider_kind=carried.rider_kind[riders],
        base=base,
        faded=carried.faded.take(pa.array(names)),
        score_mp=carried.score_mp[riders],
        seq=carried.seq[riders],
        window=carried.window.take(pa.array(rows)),
        written=written,
    )


def joined(states: Sequence[Carried]) -> Carried:
    """The riders of at least one carried state of one layout and one window, state after state; no rider is in two."""
    first = states[0]
    if len(states) == 1:
        return first
    bases, written = [], []
    num_riders = num_rows = num_names = 0
    for carried in states:
        rows = num_rows + np.arange(carried.window.num_rows)
        names = num_names + np.arange(len(carried.faded))
        base, entries = with_references(carried.base, carried.written, rows, names)
        entries["rider"] += num_riders
        bases.append(base)
        written.append(entries)
        num_riders, num_rows, num_names = num_riders + len(carried.riders), num_rows + rows.size, num_names + names.size
    return replace(
        first,
        riders=pa.concat_arrays([carried.riders.cast(first.riders.type) for carried in states]),
        city=pa.concat_arrays([carried.city.cast(first.city.type) for carried in states]),
        rider_kind=np.concatenate([carried.rider_kind for carried in states]),
        base=concatenated(bases),
        faded=pa.concat_arrays([carried.faded.cast(pa.string()) for carried in states]),
        score_mp=np.concatenate([carried.score_mp for carried in states]),
        seq=np.concatenate([carried.seq for carried in states]),
        window=pa.concat_tables([carried.window.cast(first.window.schema) for carried in states]),
        written=np.concatenate(written),
    )


def with_histories(carried: Carried, whole: Carried) -> Carried:
    """A carried state in which some riders start from their first event again.

    Parameters
    ----------
    carried
        All riders.
    whole
        Those riders' complete histories as one window; a state of the same program.

    Returns
    -------
    Carried
        All riders in the order of `carried`; scores and numbers of entries are those of `carried`.
    """
    again = pc.index_in(whole.riders.cast(carried.riders.type), carried.riders).to_numpy()
    others = np.setdiff1d(np.arange(len(carried.riders)), again)
    both = joined([carried_riders(carried, others), whole])
    in_order = carried_riders(both, np.argsort(np.concatenate([others, again])))
    # Where they stand, and what was written last, is as it was carried.
    return replace(
        in_order, city=carried.city, rider_kind=carried.rider_kind, score_mp=carried.score_mp, seq=carried.seq
    )


def cut_window(
    prepared: PreparedEvents, events: Events, entries: Entries, kept: State, names: pa.Array, keep_us: int, late_us: int
) -> tuple[State, pa.Array, pa.Table, Entries]:
    """The `base`, `faded`, `window` and `written` of a `Carried`.

    Parameters
    ----------
    events
        The rows of `prepared` with corrections applied.
    entries
        All entries that stand, by rider in time order.
    kept
        The riders before `keep_us`.
    names
        Event ids that carried references mean.
    keep_us, late_us
        Start of the window, and how far a fact may be from the order it bears on (µs).
    """
    recent = events["occurred_us"] >= keep_us
    context = _context_rows(events, prepared.start, keep_us, late_us)
    rows = np.flatnonzero(recent | context)
    window = _window(prepared, events, rows, context[rows])
    written = entries[entries["item_us"] >= keep_us]
    # Older deductions that wait for their return leave the window; only their event ids stay.
    known = _names_in_use(kept, written)
    position = _positions(rows, events.size)
    refs = np.concatenate([kept.fades["ev"], written["ev"]])
    refs = refs[refs >= 0]
    gone = np.unique(refs[position[refs] < 0])
    position[gone] = CARRIED - (known.size + np.arange(gone.size))
    base, written = with_references(kept, written, position, _positions(known, len(names)))
    faded = pa.concat_arrays(
        [
            names.take(pa.array(known)).cast(pa.string()),
            prepared.column("event_id", gone).combine_chunks().cast(pa.string()),
        ]
    )
    return base, faded, window, written


def _context_rows(events: Events, start: I64, keep_us: int, late_us: int) -> np.ndarray:
    """Rows older than the window that bear on the liability of what is inside it.

    Deliveries that were in hand together with one inside, and reports and extensions near enough to one.
    """
    old = events["occurred_us"] < keep_us
    delivered = events["kind"] == DELIVERED
    held_from = events["delivered_us"] - late_us
    for name in ("arrived_us", "placed_us", "accepted_us"):
        held_from = np.where(events[name] != NO_TIME, events[name], held_from)
    inside = delivered & ~old
    first_held = np.full(start.size - 1, keep_us)
    np.minimum.at(first_held, events["rider"][inside], held_from[inside])
    last = np.maximum(events["delivered_us"], events["ready_us"])
    together = delivered & (last >= first_held[events["rider"]])
    word = (events["kind"] == EXTENDED) | ((events["kind"] >= FIRST_REPORT) & (events["kind"] <= LAST_REPORT))
    return old & (together | (word & (events["occurred_us"] >= keep_us - late_us)))


def _window(prepared: PreparedEvents, events: Events, rows: I64, context: np.ndarray) -> pa.Table:
    """Rows to carry, with corrections applied to their contents."""
    window = prepared.rows(rows)
    content = prepared.content(rows, window)
    controls = np.flatnonzero((prepared.ref >= 0) & (prepared.is_new == 1) & (prepared.overtaken == 0))
    controls = controls[events["kind"][controls] != APPEAL_UPHELD]
    if controls.size:
        latest = {
            int(prepared.ref[row]): int(row)
            for row in controls[np.argsort(events["occurred_us"][controls], kind="stable")]
        }
        at = np.arange(window.num_rows)
        replaced = [(int(np.searchsorted(rows, target)), target, row) for target, row in latest.items()]
        replaced = [(k, target, row) for k, target, row in replaced if k < rows.size and rows[k] == target]
        if replaced:
            places, targets, by = np.array(replaced, np.int64).T
            at[places] = window.num_rows + np.arange(places.size)
            contents = corrected_contents(prepared.source, prepared.order[targets], prepared.order[by]).cast(
                window.schema
            )
            window = pa.concat_tables([window, contents]).take(pa.array(at))
    return (
        window.append_column("content", pa.array(content))
        .append_column("waived", pa.array(events["waived"][rows]))
        .append_column("context", pa.array(context.astype(np.uint8)))
        .append_column("book", pa.array(events["book"][rows].astype(np.int64)))
    )
