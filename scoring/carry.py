"""The carried state between runs: a window of recent events with their entries, and each rider's state before it.

The next run folds the window again together with its own events; what reads the same is not touched.
"""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rules.events import KIND_CODE
from scoring.columns import CARRIED, I64, NO_TIME, Entries, Events
from scoring.intake import Intake, corrected
from scoring.liability import DELIVERED, EXTENDED, FIRST_REPORT, LAST_REPORT
from scoring.state import State, placed, rows_of

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


def renumbered(ev: I64, rows: I64) -> I64:
    """References whose window rows stand elsewhere now: row k is `rows[k]`; references to no row stay.

    All that refers to a window is renumbered by this: `written`, and the pending fades of `base`.
    """
    out = ev.copy()
    own = ev >= 0
    out[own] = rows[ev[own]]
    return out


def cut_window(
    intake: Intake, events: Events, entries: Entries, kept: State, names: pa.Array, keep_us: int, late_us: int
) -> tuple[State, pa.Array, pa.Table, Entries]:
    """The `base`, `faded`, `window` and `written` of a `Carried`.

    Parameters
    ----------
    events
        The rows of `intake` with corrections applied.
    entries
        All entries that stand, by rider in time order.
    kept
        The riders before `keep_us`.
    names
        Event ids that carried references mean.
    keep_us, late_us
        Start of the window, and how far a fact may be from the order it bears on.
    """
    recent = events["occurred_us"] >= keep_us
    context = _context_rows(events, intake.start, keep_us, late_us)
    rows = np.flatnonzero(recent | context)
    position = np.full(events.size, -1, np.int64)
    position[rows] = np.arange(rows.size)
    window = _window(intake, events, rows, context[rows])
    # Older deductions that wait for their return leave the window; only their event ids stay.
    standing = entries["item_us"] >= keep_us
    referred = np.concatenate([kept.fades["ev"], entries["ev"][standing]])
    own = referred[referred >= 0]
    gone = np.unique(own[position[own] < 0])
    old = np.unique(referred[referred <= CARRIED])
    faded = pa.concat_arrays(
        [
            names.take(pa.array(CARRIED - old)).cast(pa.string()),
            intake.column("event_id", gone).combine_chunks().cast(pa.string()),
        ]
    )
    number = {int(ev): k for k, ev in enumerate([*old.tolist(), *gone.tolist()])}

    def renamed(ev: I64) -> I64:
        out = ev.copy()
        out[ev >= 0] = position[ev[ev >= 0]]
        for i in np.flatnonzero((ev <= CARRIED) | ((ev >= 0) & (out < 0))):
            out[i] = CARRIED - number[int(ev[i])]
        return out

    written = entries[standing]
    written["ev"] = renamed(written["ev"])
    fades = kept.fades.copy()
    fades["ev"] = renamed(fades["ev"])
    return kept._replace(fades=fades), faded, window, written


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


def _window(intake: Intake, events: Events, rows: I64, context: np.ndarray) -> pa.Table:
    """Rows to carry, with corrections applied to their contents."""
    window = intake.rows(rows)
    content = intake.content(rows, window)
    controls = np.flatnonzero((intake.ref >= 0) & (intake.is_new == 1) & (intake.overtaken == 0))
    controls = controls[events["kind"][controls] != APPEAL_UPHELD]
    if controls.size:
        latest = {
            int(intake.ref[row]): int(row)
            for row in controls[np.argsort(events["occurred_us"][controls], kind="stable")]
        }
        at = np.arange(window.num_rows)
        replaced = [(int(np.searchsorted(rows, target)), target, row) for target, row in latest.items()]
        replaced = [(k, target, row) for k, target, row in replaced if k < rows.size and rows[k] == target]
        if replaced:
            places, targets, by = np.array(replaced, np.int64).T
            at[places] = window.num_rows + np.arange(places.size)
            contents = corrected(intake.source, intake.order[targets], intake.order[by]).cast(window.schema)
            window = pa.concat_tables([window, contents]).take(pa.array(at))
    return (
        window.append_column("content", pa.array(content))
        .append_column("waived", pa.array(events["waived"][rows]))
        .append_column("context", pa.array(context.astype(np.uint8)))
        .append_column("book", pa.array(events["book"][rows].astype(np.int64)))
    )


def exchanged(carried: Carried, whole: Carried, fresh: State) -> Carried:
    """A carried state in which some riders start from their first event again.

    Parameters
    ----------
    whole
        Those riders' complete history as one window.
    fresh
        State of all riders of `carried` without history.
    """
    position = pc.index_in(whole.riders.cast(carried.riders.type), carried.riders).to_numpy()
    stays = np.ones(len(carried.riders), bool)
    stays[position] = False
    others = np.flatnonzero(stays)
    names = pc.is_in(carried.window.column("rider_id"), whole.riders.cast(carried.window.schema.field("rider_id").type))
    kept_rows = ~names.to_numpy()
    moved = np.cumsum(kept_rows) - 1
    written = carried.written[stays[carried.written["rider"]]]
    written["ev"] = renumbered(written["ev"], moved)
    base = placed(rows_of(carried.base, others), fresh, others)
    base.fades["ev"] = renumbered(base.fades["ev"], moved)
    again = whole.written.copy()
    again["ev"][again["ev"] >= 0] += int(kept_rows.sum())
    again["rider"] = position[again["rider"]]
    both = np.concatenate([written, again])
    window = pa.concat_tables([carried.window.filter(pa.array(kept_rows)), whole.window.cast(carried.window.schema)])
    return replace(
        carried,
        base=base,
        window=window,
        written=both[np.argsort(both["rider"], kind="stable")],
    )
