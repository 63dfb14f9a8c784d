"""When the past changes: late events, corrections and upheld appeals, entered by reversal and re-entry.

The effective ledger of a rider is always the fold of the history as it is now known. What was written before stays;
an entry that no longer holds is reversed, one that now holds is (re-)entered, and nothing else is touched.
"""

import numpy as np

from rules.compile import Program
from scoring.causes import find_causes
from scoring.columns import I64, Entries
from scoring.history import History, apply_control, folded
from scoring.page import Page, Scale, changes, settle


def revise(program: Program, history: History, pages: list[Page], until_us: int) -> None:
    """Write the pages of riders whose past changes: before, at and after each control event, then to the end.

    Parameters
    ----------
    history
        The riders' rows; contents are changed in place as control events are reached.
    pages
        One per rider of the history, holding what stood before this run.
    until_us
        End of the run; a rider's own end is their last event where that is later.
    """
    ends_us = [
        max(until_us, int(history.events["occurred_us"][hi - 1])) if hi > lo else until_us
        for lo, hi in zip(history.start[:-1].tolist(), history.start[1:].tolist(), strict=True)
    ]
    rounds = max((len(controls) for controls in history.controls), default=0)
    floor_mp, ceiling_mp = (program.tables.books[name].tolist() for name in ("floor_mp", "ceiling_mp"))
    unseen = [
        set(history.rows[lo + np.flatnonzero(history.is_new[lo:hi])].tolist())
        for lo, hi in zip(history.start[:-1], history.start[1:], strict=True)
    ]
    is_new = np.flatnonzero(history.is_new)
    occurred_us = dict(zip(history.rows[is_new].tolist(), history.events["occurred_us"][is_new].tolist(), strict=True))

    def reading(horizon: I64) -> tuple[list[Entries], list[Scale]]:
        entries, head = folded(program, history, horizon)
        books = np.maximum(head.riders["book"], 0).tolist()
        return entries, [Scale(floor_mp, ceiling_mp, book) for book in books]

    for step in range(rounds + 1):
        active = [k for k, controls in enumerate(history.controls) if step <= len(controls)]
        horizon = np.array([page.until_us for page in pages], np.int64)
        for k in active:
            controls = history.controls[k]
            horizon[k] = max(controls[step].at_us, pages[k].until_us) if step < len(controls) else ends_us[k]
        entries, scales = reading(horizon)
        changed = {k: changes(pages[k], entries[k], unseen[k]) for k in active}
        find_causes(program, history, horizon, changed)
        for k in active:
            settle(pages[k], entries[k], int(horizon[k]), changed[k], unseen[k], scales[k])
            unseen[k] = {row for row in unseen[k] if occurred_us[row] > horizon[k]}
        turned = [k for k in active if step < len(history.controls[k])]
        for k in turned:
            control = history.controls[k][step]
            apply_control(
                history.events, control.row, control.target, control.waives, bool(history.has_delivered[control.row])
            )
        entries, scales = reading(horizon) if turned else ([], [])
        for k in turned:
            control = history.controls[k][step]
            own = changes(pages[k], entries[k], unseen[k], int(history.rows[control.target]))
            own.cause_ev = int(history.rows[control.row])
            settle(pages[k], entries[k], int(horizon[k]), own, unseen[k], scales[k], control.at_us)
