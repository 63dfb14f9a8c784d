"""When the past changes: late events, corrections and upheld appeals, entered by reversal and re-entry.

The effective ledger of a rider is always the fold of the history as it is now known. What was written before stays;
an entry that no longer holds is reversed, one that now holds is (re-)entered, and nothing else is touched.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from rules.compile import Program
from scoring.causes import AppliedControls, find_causes, find_controls
from scoring.columns import I64, Entries
from scoring.history import CONTROLS, ControlEvent, RiderHistories, apply_control, fold_histories
from scoring.rider_ledger import RiderLedger, ScoreLimits, changes, write_changes


def revise(program: Program, history: RiderHistories, ledgers: list[RiderLedger], until_us: int) -> None:
    """Write the ledgers of riders whose past changes: before, at and after their control events, then to the end.

    Controls that come one after the other with nothing in between, each about another event, are one step: however
    many they are, the history is read as often as for one.

    Parameters
    ----------
    history
        The riders' rows; contents are changed in place as control events are reached.
    ledgers
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

    def reading(horizon: I64) -> tuple[list[Entries], list[ScoreLimits]]:
        entries, head = fold_histories(program, history, horizon)
        books = np.maximum(head.riders["book"], 0).tolist()
        return entries, [ScoreLimits(floor_mp, ceiling_mp, book) for book in books]

    steps = [_steps(controls, ledger.until_us) for controls, ledger in zip(history.controls, ledgers, strict=True)]
    for step in range(max((len(rider_steps) for rider_steps in steps), default=0) + 1):
        active = [k for k, rider_steps in enumerate(steps) if step <= len(rider_steps)]
        horizon = np.array([ledger.until_us for ledger in ledgers], np.int64)
        for k in active:
            horizon[k] = max(steps[k][step][-1].at_us, ledgers[k].until_us) if step < len(steps[k]) else ends_us[k]
        # After a first step, a ledger that is at its horizon reads as it was left.
        moved = [k for k in active if step == 0 or horizon[k] > ledgers[k].until_us]
        if moved:
            entries, scales = reading(horizon)
            changed = {k: changes(ledgers[k], entries[k], unseen[k]) for k in moved}
            find_causes(program, history, horizon, changed)
            for k in moved:
                write_changes(ledgers[k], entries[k], int(horizon[k]), changed[k], unseen[k], scales[k])
                unseen[k] = {row for row in unseen[k] if occurred_us[row] > horizon[k]}
        applied = {k: _apply(history, steps[k][step]) for k in active if step < len(steps[k])}
        if applied:
            entries, scales = reading(horizon)
            _enter(program, history, horizon, applied, {k: ledgers[k] for k in applied}, entries, scales, unseen)


def _steps(controls: Sequence[ControlEvent], until_us: int) -> list[list[ControlEvent]]:
    """Controls in time order, divided where one is entered later than those before it, or is about the same event."""
    steps: list[list[ControlEvent]] = []
    targets: set[int] = set()
    for control in controls:
        goes_on = steps and max(control.at_us, until_us) == max(steps[-1][-1].at_us, until_us)
        if goes_on and control.target not in targets:
            steps[-1].append(control)
        else:
            steps.append([control])
            targets = set()
        targets.add(control.target)
    return steps


def _apply(history: RiderHistories, controls: list[ControlEvent]) -> AppliedControls:
    """Change what events say; what they said before is kept."""
    before = history.events[np.array([control.target for control in controls], np.int64)]
    for control in controls:
        if not control.is_overtaken:
            has_delivered = bool(history.has_delivered[control.row])
            apply_control(history.events, control.row, control.target, control.waives, has_delivered)
    return AppliedControls(controls, before)


def _enter(
    program: Program, history: RiderHistories, horizon: I64, applied: Mapping[int, AppliedControls], ledgers: Mapping[int, RiderLedger],
    entries: Sequence[Entries], scales: Sequence[ScoreLimits], unseen: Sequence[set[int]],
) -> None:  # fmt: skip
    """Write what controls changed, which were applied, each at its own time."""
    changed = {}
    for k, done in applied.items():
        forced = {int(history.rows[control.target]) for control in done.controls}
        changed[k] = changes(ledgers[k], entries[k], unseen[k], forced)
        changed[k].entered_us = {int(history.rows[control.row]): control.at_us for control in done.controls}
        changed[k].cause_ev = int(history.rows[done.controls[-1].row])
    several = {k: done for k, done in applied.items() if len(done.controls) > 1}
    find_controls(program, history, horizon, several, changed)
    for k in applied:
        write_changes(ledgers[k], entries[k], int(horizon[k]), changed[k], unseen[k], scales[k])
