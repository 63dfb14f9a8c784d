"""Why a change was necessary: the new event without which what stood would still stand."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from rules.compile import Program
from scoring.columns import I64
from scoring.history import CONTROLS, History, folded
from scoring.page import Changes, Key, rows_of

# Rows of one rider that are folded at most to find what changed them: half a second.
MOST_FOLDED: Final = 4_000_000
_AT_ONCE: Final = 1_000


@dataclass(frozen=True, slots=True)
class _Question:
    """With which new event some entries of local rider `rider` changed.

    With the first `before` of the rider's new events they read as they stood, with the first `by` they do not.
    """

    rider: int
    keys: frozenset[Key]
    before: int
    by: int


def find_causes(program: Program, history: History, until_us: I64, changed: Mapping[int, Changes]) -> None:
    """Name the cause of each change: the first new event, in order of time, with which the entry reads differently.

    The rider is read again with ever fewer of the new events, by halves. Where that would take more than `MOST_FOLDED`
    rows of one rider, the last of the events in question is named: with it the entry had changed.

    Parameters
    ----------
    changed
        By local rider; gets the causes.
    """
    asking = {k: frozenset(own.asking()) for k, own in changed.items()}
    new = {k: _new_rows(history, k) for k, keys in asking.items() if keys}
    waiting = [_Question(k, asking[k], 0, rows.size) for k, rows in new.items() if rows.size]
    spent = dict.fromkeys(new, 0)
    while waiting:
        asked: list[_Question] = []
        for question in waiting:
            k = question.rider
            if question.by - question.before > 1 and spent[k] < MOST_FOLDED:
                spent[k] += int(history.start[k + 1] - history.start[k])
                asked.append(question)
            else:
                changed[k].causes.update(dict.fromkeys(question.keys, int(history.rows[new[k][question.by - 1]])))
        waiting = []
        for first in range(0, len(asked), _AT_ONCE):
            waiting += _halves(program, history, until_us, new, changed, asked[first : first + _AT_ONCE])


def _new_rows(history: History, k: int) -> I64:
    """New events of local rider k, in order of time, that change others by being there: all but corrections and appeals."""
    lo, hi = history.start[k], history.start[k + 1]
    is_control = np.isin(history.events["kind"][lo:hi], CONTROLS)
    rows: I64 = lo + np.flatnonzero((history.is_new[lo:hi] == 1) & ~is_control)
    return rows


def _halves(
    program: Program, history: History, until_us: I64, new: Mapping[int, I64], changed: Mapping[int, Changes],
    questions: Sequence[_Question],
) -> Iterator[_Question]:  # fmt: skip
    """Each question asked of half of its events: which entries have changed with the first half, and which have not."""
    riders = np.array([question.rider for question in questions], np.int64)
    middle = [(question.before + question.by) // 2 for question in questions]
    part = history.without(riders, [new[k][half:] for k, half in zip(riders.tolist(), middle, strict=True)])
    readings, _ = folded(program, part, until_us[riders])
    for question, half, reading in zip(questions, middle, readings, strict=True):
        concerned = np.isin(reading["item_us"], [key[0] for key in question.keys])
        found = {row.key: row for row in rows_of(reading[concerned])}
        stood = changed[question.rider].stood
        different = frozenset(key for key in question.keys if found.get(key) != stood.get(key))
        if different:
            yield _Question(question.rider, different, question.before, half)
        if different != question.keys:
            yield _Question(question.rider, question.keys - different, half, question.by)
