"""When the past changes: late events, corrections and upheld appeals, entered by reversal and re-entry.

The effective ledger of a rider is always the fold of the history as it is now known. What was written before stays;
an entry that no longer holds is reversed, one that now holds is (re-)entered, and nothing else is touched.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from rules.compile import Program
from rules.events import KIND_CODE
from scoring.columns import ENTRY, EVENT, I64, NO_EVENT, REENTER, REVERSE, U8, Entries, Events
from scoring.compiled import compiled
from scoring.kernel import fold
from scoring.liability import attribute
from scoring.state import State, rows_of

APPEAL_UPHELD = KIND_CODE["appeal_upheld"]
# A correction changes all that an event says but who, what and when it was.
_KEPT = ("rider", "book", "kind", "rider_kind", "occurred_us", "order_key", "waived")
CORRECTED_COLUMNS = tuple(name for name in EVENT.names or () if name not in _KEPT)


class Row(NamedTuple):
    """One entry of one rider in the form that is compared; columns as in `Entries`."""

    ev: int
    label: int
    kind: int
    delta_mp: int
    money_fen: int
    party: int
    late_s: int
    given_s: int
    book: int
    item_us: int

    @property
    def item(self) -> tuple[int, int]:
        """The event or due instant that the entry belongs to."""
        return self.item_us, self.ev

    @property
    def key(self) -> tuple[int, int, int, int]:
        """What makes two entries of two readings the same entry."""
        return self.item_us, self.ev, self.label, self.kind


class Line(NamedTuple):
    """A ledger line to be written: an entry, how it is entered, and why."""

    row: Row
    kind: int
    delta_mp: int
    money_fen: int
    occurred_us: int
    cause_ev: int


@dataclass(slots=True)
class Page:
    """One rider's ledger while it is being revised: what stands (in time order), up to when, the lines of this run."""

    rider: int
    score_mp: int
    until_us: int
    standing: Entries
    lines: list[Line] = field(default_factory=list)

    def write(self, line: Line) -> None:
        """Append a line and move the score."""
        self.lines.append(line)
        self.score_mp += line.delta_mp


def _rows(entries: Entries) -> list[Row]:
    """Entries as rows."""
    return [Row(*values) for values in zip(*(entries[name].tolist() for name in Row._fields), strict=True)]


@compiled
def _mark_alike(a: Entries, b: Entries, forced_ev: int, alike_a: U8, alike_b: U8) -> None:
    """Mark the entries of two readings, each in time order, whose instants read the same in both."""
    i = j = 0
    while i < a.size and j < b.size:
        if a[i].item_us < b[j].item_us:
            i += 1
        elif a[i].item_us > b[j].item_us:
            j += 1
        else:
            at_us, first_a, first_b, same = a[i].item_us, i, j, True
            while i < a.size and a[i].item_us == at_us:
                one = a[i]
                same = same and (forced_ev < 0 or one.ev != forced_ev) and j < b.size
                if same:
                    other = b[j]
                    same = (
                        one.item_us == other.item_us
                        and one.ev == other.ev
                        and one.label == other.label
                        and one.kind == other.kind
                        and one.delta_mp == other.delta_mp
                        and one.money_fen == other.money_fen
                        and one.party == other.party
                        and one.late_s == other.late_s
                        and one.given_s == other.given_s
                        and one.book == other.book
                    )
                    j += 1
                i += 1
            while j < b.size and b[j].item_us == at_us:
                same = False
                j += 1
            if same:
                alike_a[first_a:i] = 1
                alike_b[first_b:j] = 1


def _unlike(a: Entries, b: Entries, forced_ev: int) -> tuple[list[Row], list[Row]]:
    """The entries of two readings at instants that read differently, and those of an event that is entered anew.

    A long history differs in few places: only those become rows.
    """
    alike_a, alike_b = np.zeros(a.size, np.uint8), np.zeros(b.size, np.uint8)
    _mark_alike(a, b, forced_ev, alike_a, alike_b)
    return _rows(a[alike_a == 0]), _rows(b[alike_b == 0])


@dataclass(slots=True)
class _Block:
    """All that changes for one item: what is taken back, newest first, and what is entered, in order."""

    reverse: list[Row] = field(default_factory=list)
    enter: list[tuple[Row, bool]] = field(default_factory=list)

    def delta_mp(self) -> int:
        return sum(row.delta_mp for row, _ in self.enter) - sum(row.delta_mp for row in self.reverse)


def _reversal(row: Row, at_us: int | None, cause_ev: int) -> Line:
    occurred_us = row.item_us if at_us is None else at_us
    return Line(row, REVERSE, -row.delta_mp, -row.money_fen, occurred_us, cause_ev)


def _entry(row: Row, plain: bool, at_us: int | None, cause_ev: int) -> Line:
    if plain:
        return Line(row, row.kind, row.delta_mp, row.money_fen, row.item_us, NO_EVENT)
    return Line(row, REENTER, row.delta_mp, row.money_fen, row.item_us if at_us is None else at_us, cause_ev)


def _blocks(
    stood: Sequence[Row], past: Sequence[Row], is_first: Iterable[int], forced_ev: int
) -> dict[tuple[int, int], _Block]:
    """What must change for what stood to read as `past`, by item in time order."""
    fresh = set(is_first)
    standing = {row.key: row for row in stood}
    wanted = {row.key: row for row in past}
    blocks: dict[tuple[int, int], _Block] = {}
    for row in sorted([*stood, *past], key=lambda row: row.item):
        blocks.setdefault(row.item, _Block())

    def stays(row: Row) -> bool:
        forced = row.ev == forced_ev and forced_ev >= 0
        return standing.get(row.key) == wanted.get(row.key) and not forced

    for row in stood:
        if not stays(row):
            blocks[row.item].reverse.insert(0, row)
    for row in past:
        if not stays(row):
            blocks[row.item].enter.append((row, row.ev in fresh))
    return {item: block for item, block in blocks.items() if block.reverse or block.enter}


def _write_in_range(
    page: Page, blocks: dict[tuple[int, int], _Block], limits: tuple[int, int], at_us: int | None, cause_ev: int
) -> bool:
    """Write the blocks, oldest first where the score then stays within its limits; False if no order does."""
    floor, ceiling = limits
    order: list[_Block] = []
    waiting = list(blocks.values())
    score = page.score_mp
    while waiting:
        fits = next((block for block in waiting if floor <= score + block.delta_mp() <= ceiling), None)
        if fits is None:
            return False
        waiting.remove(fits)
        order.append(fits)
        score += fits.delta_mp()
    for block in order:
        for row in block.reverse:
            page.write(_reversal(row, at_us, cause_ev))
        for row, plain in block.enter:
            page.write(_entry(row, plain, at_us, cause_ev))
    return True


def settle(
    page: Page,
    folded: Entries,
    until_us: int,
    is_first: Iterable[int],
    limits: tuple[int, int],
    cause_ev: int,
    at_us: int | None = None,
    forced_ev: int = NO_EVENT,
) -> None:
    """Bring a page to what a new fold says.

    Parameters
    ----------
    folded
        All entries of the fold, in order, up to `until_us`.
    is_first
        Events (rows) that have never been entered; their entries are plain, others are re-entries.
    limits
        Floor and ceiling (mp) of the book in force.
    cause_ev, at_us
        The event that makes the change necessary, and the time it is entered at (None: each entry's own).
    forced_ev
        An event whose entries are reversed and re-entered even if nothing changed.
    """
    written = int(np.searchsorted(folded["item_us"], page.until_us, side="right"))
    stood, past = _unlike(page.standing, folded[:written], forced_ev)
    blocks = _blocks(stood, past, is_first, forced_ev)
    if blocks and not _write_in_range(page, blocks, limits, at_us, cause_ev):
        # No order of the changes alone keeps the score in range: the whole suffix is entered again.
        first_item = min(blocks)
        for row in reversed([row for row in _rows(page.standing) if row.item >= first_item]):
            page.write(_reversal(row, at_us, cause_ev))
        fresh = set(is_first)
        for row in _rows(folded[:written]):
            if row.item >= first_item:
                page.write(_entry(row, row.ev in fresh, at_us, cause_ev))
    for row in _rows(folded[written:]):
        page.write(_entry(row, True, None, NO_EVENT))
    page.standing = folded
    page.until_us = max(page.until_us, until_us)


@dataclass(frozen=True, slots=True)
class Control:
    """A correction or upheld appeal: its row, the row it is about, when, and which of the two."""

    row: int
    target: int
    at_us: int
    waives: bool


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
class History:
    """Riders whose past changes, cut out of a run: columns of their rows only.

    `rows` maps local rows to the run's; `controls[k]` are those of local rider k in time order, in local rows.
    """

    events: Events
    rows: I64
    start: I64
    fold_from: I64
    state: State
    is_new: np.ndarray
    has_delivered: np.ndarray
    controls: list[list[Control]]


def cut_out(
    events: Events,
    start: I64,
    fold_from: I64,
    state: State,
    riders: I64,
    is_new: np.ndarray,
    ref: I64,
    has_delivered: np.ndarray,
) -> History:
    """The history of some riders, as an own small run whose contents may be changed."""
    rows = np.concatenate([np.arange(start[r], start[r + 1]) for r in riders]) if riders.size else np.zeros(0, np.int64)
    lengths = start[riders + 1] - start[riders]
    local_start = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    local = events[rows]
    local["rider"] = np.repeat(np.arange(riders.size), lengths)
    controls: list[list[Control]] = []
    is_control = (ref >= 0) & (is_new != 0)
    for k, r in enumerate(riders):
        offset = int(local_start[k] - start[r])
        controls.append(
            [
                Control(
                    int(row) + offset,
                    int(ref[row]) + offset,
                    int(events["occurred_us"][row]),
                    bool(events["kind"][row] == APPEAL_UPHELD),
                )
                for row in (start[r] + np.flatnonzero(is_control[start[r] : start[r + 1]])).tolist()
            ]
        )
    return History(
        events=local,
        rows=rows,
        start=local_start,
        fold_from=local_start[:-1] + fold_from[riders] - start[riders],
        state=rows_of(state, riders),
        is_new=is_new[rows],
        has_delivered=has_delivered[rows],
        controls=controls,
    )


def _folded(program: Program, history: History, until_us: I64) -> list[Entries]:
    """Fold every rider of a history up to an instant of its own; rows in the run's numbering."""
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
    entries, _, _ = fold(
        program, events, liability, history.fold_from, stop, history.state, until_us, int(until_us.max(initial=0))
    )
    own = entries["ev"] >= 0
    entries["ev"][own] = history.rows[entries["ev"][own]]
    bounds = np.searchsorted(entries["rider"], np.arange(num_riders + 1))
    return [entries[bounds[k] : bounds[k + 1]] for k in range(num_riders)]


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
    tables = program.tables
    ends_us = [
        max(until_us, int(history.events["occurred_us"][hi - 1])) if hi > lo else until_us
        for lo, hi in zip(history.start[:-1].tolist(), history.start[1:].tolist(), strict=True)
    ]
    rounds = max((len(controls) for controls in history.controls), default=0)
    new = [
        history.rows[lo + np.flatnonzero(history.is_new[lo:hi])].tolist()
        for lo, hi in zip(history.start[:-1], history.start[1:], strict=True)
    ]
    first_new = [rows[0] if rows else NO_EVENT for rows in new]
    unseen = [set(rows) for rows in new]
    is_new = np.flatnonzero(history.is_new)
    occurred_us = dict(zip(history.rows[is_new].tolist(), history.events["occurred_us"][is_new].tolist(), strict=True))

    def limits(k: int, folded: Entries) -> tuple[int, int]:
        book = int(folded["book"][-1]) if folded.size else int(max(history.state.riders["book"][k], 0))
        return int(tables.books[book]["floor_mp"]), int(tables.books[book]["ceiling_mp"])

    for step in range(rounds + 1):
        active = [k for k, controls in enumerate(history.controls) if step <= len(controls)]
        horizon = np.array([page.until_us for page in pages], np.int64)
        for k in active:
            controls = history.controls[k]
            horizon[k] = max(controls[step].at_us, pages[k].until_us) if step < len(controls) else ends_us[k]
        readings = _folded(program, history, horizon)
        for k in active:
            settle(pages[k], readings[k], int(horizon[k]), unseen[k], limits(k, readings[k]), first_new[k])
            unseen[k] = {row for row in unseen[k] if occurred_us[row] > horizon[k]}
        turned = [k for k in active if step < len(history.controls[k])]
        for k in turned:
            control = history.controls[k][step]
            apply_control(
                history.events, control.row, control.target, control.waives, bool(history.has_delivered[control.row])
            )
        readings = _folded(program, history, horizon) if turned else []
        for k in turned:
            control = history.controls[k][step]
            settle(
                pages[k], readings[k], int(horizon[k]), unseen[k], limits(k, readings[k]),
                int(history.rows[control.row]), control.at_us, int(history.rows[control.target]),
            )  # fmt: skip


def entries_of(pages: Sequence[Page], opening_mp: Sequence[int]) -> Entries:
    """The lines of pages as entries, page after page; `opening_mp` is each page's score before its first line."""
    out = np.zeros(sum(len(page.lines) for page in pages), ENTRY)
    at = 0
    for page, opening in zip(pages, opening_mp, strict=True):
        score = opening
        for line in page.lines:
            score += line.delta_mp
            for name in ("ev", "label", "party", "late_s", "given_s", "book", "item_us"):
                out[at][name] = getattr(line.row, name)
            out[at]["rider"] = page.rider
            out[at]["kind"] = line.kind
            out[at]["of_kind"] = line.row.kind
            out[at]["delta_mp"] = line.delta_mp
            out[at]["score_after_mp"] = score
            out[at]["money_fen"] = line.money_fen
            out[at]["occurred_us"] = line.occurred_us
            out[at]["cause_ev"] = line.cause_ev
            at += 1
    return out
