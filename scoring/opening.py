"""A rider's opening score, and the correction of it when an earlier first event arrives later.

The opening is the base of the book that judges the rider's first event. It is no entry, and a ledger that has begun keeps
the one it has: where a late event comes before the first one, under a book of another base, the difference is a `reset`.
"""

import numpy as np

from rules.compile import Tables
from rules.events import KIND_CODE
from scoring.columns import ENTRY, I64, NO_EVENT, NO_TIME, RESET, Entries, Events
from scoring.kernel import L_BASE, NOBODY
from scoring.state import State

CORRECTION = KIND_CODE["correction"]
APPEAL_UPHELD = KIND_CODE["appeal_upheld"]
# A book entered again at the same instant counts from 0: nothing else has this number.
OPENING = -1


def first_rows(events: Events, first: I64, stop: I64) -> I64:
    """Row of each rider's first event in `first:stop`, corrections and appeals left out; -1 where there is none."""
    row = first.copy()
    here = np.flatnonzero(row < stop)
    while here.size:
        kind = events["kind"][row[here]]
        here = here[(kind == CORRECTION) | (kind == APPEAL_UPHELD)]
        row[here] += 1
        here = here[row[here] < stop[here]]
    return np.where(row < stop, row, -1)


def first_base_mp(tables: Tables, events: Events, row: I64) -> I64:
    """Base of the book of each first event; 0 where there is none."""
    if not events.size:
        return np.zeros(row.size, np.int64)
    return np.where(row >= 0, tables.books["base_mp"][events["book"][np.maximum(row, 0)]], 0)


def opened_mp(state: State, known: np.ndarray, score_mp: I64, written: Entries) -> I64:
    """With what the ledgers of known riders opened whose first event may still change; `NO_TIME` for all others.

    Parameters
    ----------
    state
        The riders before their window: without a book where the window holds all their events.
    written
        The entries that stand for the window.
    """
    total = np.zeros(score_mp.size, np.int64)
    np.add.at(total, written["rider"], written["delta_mp"])
    return np.where(known & (state.riders["book"] < 0), score_mp - total, NO_TIME)


def with_openings(tables: Tables, entries: Entries, events: Events, first: I64, stop: I64, opened: I64) -> Entries:
    """The entries of a fold, each rider's led by the `reset` that their other opening makes necessary, if any."""
    row = np.full(first.size, -1, np.int64)
    asked = np.flatnonzero(opened > NO_TIME)
    row[asked] = first_rows(events, first[asked], stop[asked])
    base_mp = first_base_mp(tables, events, row)
    riders = np.flatnonzero((row >= 0) & (base_mp != opened))
    if not riders.size:
        return entries
    lines = np.zeros(riders.size, ENTRY)
    lines["ev"] = lines["cause_ev"] = NO_EVENT
    lines["occurred_us"] = lines["item_us"] = events["occurred_us"][row[riders]]
    lines["rider"], lines["book"] = riders, events["book"][row[riders]]
    lines["label"], lines["kind"], lines["of_kind"], lines["party"] = L_BASE, RESET, RESET, NOBODY
    lines["delta_mp"] = base_mp[riders] - opened[riders]
    lines["score_after_mp"] = base_mp[riders]
    lines["nth"] = OPENING
    both = np.concatenate([lines, entries])
    return both[np.argsort(both["rider"], kind="stable")]
