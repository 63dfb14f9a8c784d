"""The rows of riders whose past changes, cut out of a run so that their contents may change, and folded again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rules.compile import Program
from rules.events import KIND_CODE
from scoring.carry import moved_references
from scoring.columns import EVENT, I64, U8, Entries, Events
from scoring.kernel import fold
from scoring.liability import attribute
from scoring.opening import with_openings
from scoring.state import State, riders_of

APPEAL_UPHELD = KIND_CODE["appeal_upheld"]
CONTROLS = (KIND_CODE["correction"], APPEAL_UPHELD)
# A correction changes all that an event says but who, what and when it was.
_KEPT = ("rider", "book", "kind", "rider_kind", "occurred_us", "order_key", "waived")
CORRECTED_COLUMNS = tuple(name for name in EVENT.names or () if name not in _KEPT)


@dataclass(frozen=True, slots=True)
class ControlEvent:
    """A correction or upheld appeal: its row, the row it is about, when, and which of the two.

    One that is overtaken changes nothing any more: a later correction, entered before, says what the event was.
    """

    row: int
    target: int
    at_us: int
    waives: bool
    is_overtaken: bool


def apply_control(events: Events, row: int, target: int, waives: bool, has_delivered: bool) -> None:
    """Change the content of `target` in place as the control event in `row` says."""
    if waives:
        events[target]["waived"] = 1
        return
    for name in CORRECTED_COLUMNS:
        events[target][name] = events[row][name]
    if not has_delivered:
        events[target]["delivered_us"] = events[target]["occurred_us"]


@dataclass(frozen=True, slots=True)
class RiderHistories:
    """Riders whose past changes, cut out of a run: columns of their rows only.

    `rows` maps local rows to the run's; `controls[k]` are those of local rider k in time order, in local rows; `opened` is
    as `opening.opened_mp` has it.
    """

    events: Events
    rows: I64
    start: I64
    fold_from: I64
    state: State
    is_new: np.ndarray
    has_delivered: np.ndarray
    controls: list[list[ControlEvent]]
    opened: I64

    def without(self, riders: I64, left_out: Sequence[I64]) -> "RiderHistories":
        """Some of the riders, each time without some of their rows, none of which lies before `fold_from`."""
        rows_left = [
            np.setdiff1d(np.arange(self.start[k], self.start[k + 1]), rows, assume_unique=True)
            for k, rows in zip(riders.tolist(), left_out, strict=True)
        ]
        rows = np.concatenate(rows_left)
        start = np.concatenate([np.zeros(1, np.int64), np.cumsum([left.size for left in rows_left])]).astype(np.int64)
        events = self.events[rows]
        events["rider"] = np.repeat(np.arange(riders.size), np.diff(start))
        return replace(
            self,
            events=events,
            rows=self.rows[rows],
            start=start,
            fold_from=start[:-1] + self.fold_from[riders] - self.start[riders],
            state=riders_of(self.state, riders),
            is_new=self.is_new[rows],
            has_delivered=self.has_delivered[rows],
            controls=[[] for _ in rows_left],
            opened=self.opened[riders],
        )


def histories_of(
    events: Events,
    start: I64,
    fold_from: I64,
    state: State,
    riders: I64,
    is_new: np.ndarray,
    ref: I64,
    has_delivered: np.ndarray,
    opened: I64,
    overtaken: U8,
) -> RiderHistories:
    """The histories of some riders, as a small run of their own whose contents may be changed."""
    rows = np.concatenate([np.arange(start[r], start[r + 1]) for r in riders]) if riders.size else np.zeros(0, np.int64)
    lengths = start[riders + 1] - start[riders]
    local_start = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    local = events[rows]
    local["rider"] = np.repeat(np.arange(riders.size), lengths)
    controls: list[list[ControlEvent]] = []
    is_control = (ref >= 0) & (is_new != 0)
    for k, r in enumerate(riders):
        offset = int(local_start[k] - start[r])
        controls.append(
            [
                ControlEvent(
                    int(row) + offset,
                    int(ref[row]) + offset,
                    int(events["occurred_us"][row]),
                    bool(events["kind"][row] == APPEAL_UPHELD),
                    bool(overtaken[row]),
                )
                for row in (start[r] + np.flatnonzero(is_control[start[r] : start[r + 1]])).tolist()
            ]
        )
    return RiderHistories(
        events=local,
        rows=rows,
        start=local_start,
        fold_from=local_start[:-1] + fold_from[riders] - start[riders],
        state=riders_of(state, riders),
        is_new=is_new[rows],
        has_delivered=has_delivered[rows],
        controls=controls,
        opened=opened[riders],
    )


def fold_histories(program: Program, history: RiderHistories, until_us: I64) -> tuple[list[Entries], State]:
    """Fold every rider of a history up to an instant of its own: each rider's entries in the run's numbering, and the riders then."""
    events = history.events
    num_riders = history.fold_from.size
    stop = np.array(
        [
            first + np.searchsorted(events["occurred_us"][first:end], until, side="right")
            for first, end, until in zip(history.fold_from, history.start[1:], until_us, strict=True)
        ],
        np.int64,
    )
    liability = attribute(program.tables, events, history.start)
    entries, head, _ = fold(
        program, events, liability, history.fold_from, stop, history.state, until_us, int(until_us.max(initial=0))
    )
    entries = with_openings(program.tables, entries, events, history.fold_from, stop, history.opened)
    entries["ev"] = moved_references(entries["ev"], history.rows)
    bounds = np.searchsorted(entries["rider"], np.arange(num_riders + 1))
    return [entries[bounds[k] : bounds[k + 1]] for k in range(num_riders)], head
