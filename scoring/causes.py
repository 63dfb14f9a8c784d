"""The cause of a reversal: the new event, or the correction, that made the earlier entry wrong."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from rules.compile import Program
from scoring.columns import I64, Entries, Events
from scoring.history import CONTROLS, ControlEvent, RiderHistories, fold_histories
from scoring.rider_ledger import EntryKey, EntryRow, LedgerChanges, entry_rows

# Rows of one rider that are folded at most to find what changed them: half a second.
MOST_FOLDED: Final = 4_000_000
_AT_ONCE: Final = 1_000
_NOTHING: Final = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class AppliedControls:
    """Corrections and appeals of one rider, each about another event, and what those events said `before`, in the same order."""

    controls: list[ControlEvent]
    before: Events


@dataclass(frozen=True, slots=True)
class _Question:
    """With which of the things asked about some entries of local rider `rider` changed.

    With the first `before` of them they read as they stood, with the first `by` they do not.
    """

    rider: int
    keys: frozenset[EntryKey]
    before: int
    by: int


def find_causes(program: Program, history: RiderHistories, until_us: I64, changed: Mapping[int, LedgerChanges]) -> None:
    """Name the cause of each change: the first new event, in order of time, with which the entry reads differently.

    The rider is read again with ever fewer of the new events, by halves. Where that would take more than `MOST_FOLDED`
    rows of one rider, the last of the events in question is named: with it the entry had changed.

    Parameters
    ----------
    changed
        By local rider; gets the causes.
    """
    asking = {k: frozenset(changes.asking()) for k, changes in changed.items()}
    new = {k: _new_rows(history, k) for k, keys in asking.items() if keys}
    waiting = [_Question(k, asking[k], 0, rows.size) for k, rows in new.items() if rows.size]

    def read(questions: Sequence[_Question], middle: Sequence[int]) -> list[Entries]:
        riders = np.array([question.rider for question in questions], np.int64)
        left_out = [new[k][half:] for k, half in zip(riders.tolist(), middle, strict=True)]
        return fold_histories(program, history.without(riders, left_out), until_us[riders])[0]

    for question in _narrowed(history, waiting, changed, read):
        cause_ev = int(history.rows[new[question.rider][question.by - 1]])
        changed[question.rider].causes.update(dict.fromkeys(question.keys, cause_ev))


def find_controls(
    program: Program,
    history: RiderHistories,
    until_us: I64,
    applied: Mapping[int, AppliedControls],
    changed: Mapping[int, LedgerChanges],
) -> None:
    """Name the cause of each change that several corrections and appeals of one rider made: the first by which the entry reads differently.

    An entry of an event that one of them is about is changed by that one; the others are found as by `find_causes`.

    Parameters
    ----------
    applied
        By local rider; each about another event. The history holds what they say.
    """
    waiting = []
    for k, done in applied.items():
        control_rows = {int(history.rows[control.target]): int(history.rows[control.row]) for control in done.controls}
        asking = changed[k].asking()
        changed[k].causes.update({key: control_rows[key[1]] for key in asking if key[1] in control_rows})
        others = frozenset(key for key in asking if key[1] not in control_rows)
        if others:
            waiting.append(_Question(k, others, 0, len(done.controls)))

    def read(questions: Sequence[_Question], middle: Sequence[int]) -> list[Entries]:
        riders = np.array([question.rider for question in questions], np.int64)
        part = history.without(riders, [_NOTHING] * riders.size)
        for k, half, start in zip(riders.tolist(), middle, part.start[:-1].tolist(), strict=True):
            targets = [control.target for control in applied[k].controls[half:]]
            part.events[np.array(targets, np.int64) - history.start[k] + start] = applied[k].before[half:]
        return fold_histories(program, part, until_us[riders])[0]

    for question in _narrowed(history, waiting, changed, read):
        cause_ev = int(history.rows[applied[question.rider].controls[question.by - 1].row])
        changed[question.rider].causes.update(dict.fromkeys(question.keys, cause_ev))


def _narrowed(
    history: RiderHistories, waiting: list[_Question], changed: Mapping[int, LedgerChanges],
    read: Callable[[Sequence[_Question], Sequence[int]], list[Entries]],
) -> Iterator[_Question]:  # fmt: skip
    """Questions that are answered by the last of what they ask about; `read` reads riders with the first so many."""
    spent = dict.fromkeys((question.rider for question in waiting), 0)
    while waiting:
        asked: list[_Question] = []
        for question in waiting:
            k = question.rider
            if question.by - question.before > 1 and spent[k] < MOST_FOLDED:
                spent[k] += int(history.start[k + 1] - history.start[k])
                asked.append(question)
            else:
                yield question
        waiting = []
        for first in range(0, len(asked), _AT_ONCE):
            some = asked[first : first + _AT_ONCE]
            middle = [(question.before + question.by) // 2 for question in some]
            for question, half, reading in zip(some, middle, read(some, middle), strict=True):
                waiting += _halves(question, half, reading, changed[question.rider].stood)


def _new_rows(history: RiderHistories, k: int) -> I64:
    """New events of local rider k, in order of time, that change others by being there: all but corrections and appeals."""
    lo, hi = history.start[k], history.start[k + 1]
    is_control = np.isin(history.events["kind"][lo:hi], CONTROLS)
    rows: I64 = lo + np.flatnonzero((history.is_new[lo:hi] == 1) & ~is_control)
    return rows


def _halves(
    question: _Question, half: int, reading: Entries, rows_before: Mapping[EntryKey, EntryRow]
) -> Iterator[_Question]:
    """A question asked of half of its things: which entries have changed with the first half, and which have not."""
    concerned = np.isin(reading["item_us"], [key[0] for key in question.keys])
    rows_now = {row.key: row for row in entry_rows(reading[concerned])}
    different = frozenset(key for key in question.keys if rows_now.get(key) != rows_before.get(key))
    if different:
        yield _Question(question.rider, different, question.before, half)
    if different != question.keys:
        yield _Question(question.rider, question.keys - different, half, question.by)
