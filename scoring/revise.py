"""When the past changes: late events, corrections and upheld appeals, entered by reversal and re-entry.

The effective ledger of a rider is always the fold of the history as it is now known. What was written before stays;
an entry that no longer holds is reversed, one that now holds is (re-)entered, and nothing else is touched.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from rules.compile import Program
from scoring.causes import Applied, find_causes, find_controls
from scoring.columns import I64, Entries
from scoring.history import CONTROLS, Control, History, apply_control, folded
from scoring.page import Page, Scale, changes, settle


def revise(program: Program, history: History, pages: list[Page], until_us: int) -> None:
    """Write the pages of riders whose past changes: before, at and after their control events, then to the end.

    Controls that come one after the other with nothing in between, each about another event, are one step: however
    many they are, the history is read as often as for one.

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
    floor_mp, ceiling_mp = (program.tables.books[name].tolist() for name in ("floor_mp", "ceiling_mp"))
    # Corrections and appeals have no entries of their own.
    is_entered = (history.is_new != 0) & ~np.isin(history.events["kind"], CONTROLS)
    unseen = [
        set(history.rows[lo + np.flatnonzero(is_entered[lo:hi])].tolist())
        for lo, hi in zip(history.start[:-1], history.start[1:], strict=True)
    ]
    is_new = np.flatnonzero(is_entered)
    occurred_us = dict(zip(history.rows[is_new].tolist(), history.events["occurred_us"][is_new].tolist(), strict=True))

    def reading(horizon: I64) -> tuple[list[Entries], list[Scale]]:
        entries, head = folded(program, history, horizon)
        books = np.maximum(head.riders["book"], 0).tolist()
        return entries, [Scale(floor_mp, ceiling_mp, book) for book in books]

    steps = [_steps(controls, page.until_us) for controls, page in zip(history.controls, pages, strict=True)]
    for step in range(max((len(own) for own in steps), default=0) + 1):
        active = [k for k, own in enumerate(steps) if step <= len(own)]
        horizon = np.array([page.until_us for page in pages], np.int64)
        for k in active:
            horizon[k] = max(steps[k][step][-1].at_us, pages[k].until_us) if step < len(steps[k]) else ends_us[k]
        # After a first step, a page that is at its horizon reads as it was left.
        moved = [k for k in active if step == 0 or horizon[k] > pages[k].until_us]
        if moved:
            entries, scales = reading(horizon)
            changed = {k: changes(pages[k], entries[k], unseen[k]) for k in moved}
            find_causes(program, history, horizon, changed)
            for k in moved:
                settle(pages[k], entries[k], int(horizon[k]), changed[k], unseen[k], scales[k])
                unseen[k] = {row for row in unseen[k] if occurred_us[row] > horizon[k]}
        applied = {k: _apply(history, steps[k][step]) for k in active if step < len(steps[k])}
        if applied:
            entries, scales = reading(horizon)
            _enter(program, history, horizon, applied, {k: pages[k] for k in applied}, entries, scales, unseen)


def _steps(controls: Sequence[Control], until_us: int) -> list[list[Control]]:
    """Controls in time order, divided where one is entered later than those before it, or is about the same event."""
    found: list[list[Control]] = []
    targets: set[int] = set()
    for control in controls:
        goes_on = found and max(control.at_us, until_us) == max(found[-1][-1].at_us, until_us)
        if goes_on and control.target not in targets:
            found[-1].append(control)
        else:
            found.append([control])
            targets = set()
        targets.add(control.target)
    return found


def _apply(history: History, controls: list[Control]) -> Applied:
    """Change what events say; what they said before is kept."""
    before = history.events[np.array([control.target for control in controls], np.int64)]
    for control in controls:
        if not control.is_overtaken:
            has_delivered = bool(history.has_delivered[control.row])
            apply_control(history.events, control.row, control.target, control.waives, has_delivered)
    return Applied(controls, before)


def _enter(
    program: Program, history: History, horizon: I64, applied: Mapping[int, Applied], pages: Mapping[int, Page],
    entries: Sequence[Entries], scales: Sequence[Scale], unseen: Sequence[set[int]],
) -> None:  # fmt: skip
    """Write what controls changed, which were applied, each at its own time."""
    changed = {}
    for k, done in applied.items():
        forced = {int(history.rows[control.target]) for control in done.controls}
        changed[k] = changes(pages[k], entries[k], unseen[k], forced)
        changed[k].entered_us = {int(history.rows[control.row]): control.at_us for control in done.controls}
        changed[k].cause_ev = int(history.rows[done.controls[-1].row])
    several = {k: done for k, done in applied.items() if len(done.controls) > 1}
    find_controls(program, history, horizon, several, changed)
    for k in applied:
        settle(pages[k], entries[k], int(horizon[k]), changed[k], unseen[k], scales[k])
