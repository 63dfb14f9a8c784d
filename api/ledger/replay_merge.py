"""Merges a replay that was computed without the rider's lock with what the rider did meanwhile.

While a long past is folded, the rider goes on. What came meanwhile is late by `late_days` at most, so it is taken into
the last days of the result, and the changes of those days are found anew against what stands now:

lines of the replay before those days → what the last days should read → what they read → the lines between the two

That takes as long as those days, not as the history. Where something older has changed, the replay is computed again.
"""

from dataclasses import dataclass, replace
from itertools import compress
from typing import Final

import numpy as np
import pyarrow as pa
from sqlalchemy import select

from api.books.in_force import RulesInForce
from api.db.bulk import among, in_chunks
from api.db.rider_rows import RiderRow
from api.db.tables import events, replays
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.ledger.posting import WINDOW_US
from api.ledger.reach import reach_of
from api.ledger.stored_events import StoredEvents, stored_events_of
from rules.compile import Program
from rules.units import US_PER_DAY
from scoring.carry import Carried
from scoring.columns import CARRIED, EVENT_SCHEMA, I64, NO_EVENT, NO_TIME, Entries
from scoring.ledger import event_ids
from scoring.rider_ledger import RiderLedger, ScoreLimits, changes, new_lines, write_changes
from scoring.score import ScoredRun, score

# The last days begin this much before what may come late, since what comes late may bear on orders before it.
_BEFORE_US: Final = 3 * US_PER_DAY
_NONE: Final = EVENT_SCHEMA.empty_table()


@dataclass(frozen=True, slots=True)
class ReplayEntries:
    """Entries of a run, and the ids of the events that they are about and that caused them."""

    entries: Entries
    event_ids: tuple[str | None, ...]
    cause_ids: tuple[str | None, ...]

    def before(self, at_us: int) -> "ReplayEntries":
        """Those about an earlier time."""
        is_before = self.entries["item_us"] < at_us
        ids = (tuple(compress(ids_of_column, is_before.tolist())) for ids_of_column in (self.event_ids, self.cause_ids))
        return ReplayEntries(self.entries[is_before], *ids)


@dataclass(frozen=True, slots=True)
class ReplayedChange:
    """A correction or appeal that a replay enters: its event, the event it is about, and its time."""

    event_id: str
    about_id: str
    at_us: int


@dataclass(frozen=True, slots=True)
class FoldedReplay:
    """What a replay comes to; small, however long the history is, since it may come from another process.

    Parameters
    ----------
    row
        The rider as they were read.
    until_us, keep_us
        How far the run that enters what waits has come, and when the last days begin.
    lines
        What it writes.
    controls
        What it enters that is about another event.
    old, new
        What scoring carries without and with it.
    """

    row: RiderRow
    law: RulesInForce
    until_us: int
    keep_us: int
    lines: ReplayEntries
    controls: tuple[ReplayedChange, ...]
    old: Carried
    new: Carried


def last_days_us(program: Program, until_us: int) -> int:
    """When the last days begin: nothing that comes later can be older."""
    return until_us - int(program.tables.books["late_us"].max()) - _BEFORE_US


def folded_replay(law: RulesInForce, row: RiderRow, scored: ScoredRun, carried: Carried) -> FoldedReplay:
    """A replay with what is needed to make it good later; `carried` is what `scored` began with."""
    before = score(law.program, law.schedule, _NONE, carried, scored.until_us, scored.keep_us)
    lines = _lines(scored, scored.entries)
    return FoldedReplay(
        row, law, scored.until_us, scored.keep_us, lines, _controls(scored), before.carried, scored.carried
    )


def _controls(scored: ScoredRun) -> tuple[ReplayedChange, ...]:
    prepared = scored.prepared
    rows = np.flatnonzero((prepared.ref >= 0) & (prepared.is_new == 1))
    times = scored.events["occurred_us"][rows].tolist()
    return tuple(map(ReplayedChange, _ids(scored, rows), _ids(scored, prepared.ref[rows]), times))


def merged_run(unit: ReadUnit | WriteUnit, replay: FoldedReplay, row: RiderRow) -> ScoredRun | None:
    """The run to save for a rider as they are now; None where the past itself has changed."""
    if row == replay.row:
        new = _went_on(replay, replay.new, StoredEvents(_NONE, np.zeros(0, np.int64)), replay.until_us)
        names = _EventReferences(new)
        return _assembled(new, names, row, [names.translated(replay.lines)])
    since = _since(unit, replay, row)
    if since is None:
        return None
    until_us = max(row.until_us, replay.until_us)
    old, new = (_went_on(replay, carried, since, until_us) for carried in (replay.old, replay.new))
    if old.prepared.order.size < replay.old.window.num_rows + since.table.num_rows or _score_mp(old) != row.score_mp:
        return None
    names = _EventReferences(new)
    first = names.translated(replay.lines.before(replay.keep_us))
    if not _is_in_range(new, first, row.score_mp):
        return None
    last = _changes(replay, names, old, new, row.score_mp + int(first["delta_mp"].sum()))
    return _assembled(new, names, row, [first, last])


def _since(unit: ReadUnit | WriteUnit, replay: FoldedReplay, row: RiderRow) -> StoredEvents | None:
    """What was entered since the rider was read; None where it bears on more than the last days."""
    is_recent = (events.c.rider_id == row.rider_id, events.c.occurred_us >= replay.keep_us)
    waiting = select(replays.c.event_id).where(replays.c.rider_id == row.rider_id)
    there = set(unit.connection.scalars(select(events.c.event_id).where(*is_recent, events.c.event_id.not_in(waiting))))
    ids = sorted(there.difference(replay.old.window["event_id"].to_pylist()))
    since = StoredEvents(_NONE, np.zeros(0, np.int64))
    for some in in_chunks(ids):
        since = since.beside(
            stored_events_of(unit, replay.law.program, is_recent[0], among(unit, events.c.event_id, some))
        )
    reaches = reach_of(unit, replay.law.program, since.table, {row.rider_id: replay.keep_us})
    return None if reaches else since


def _went_on(replay: FoldedReplay, carried: Carried, since: StoredEvents, until_us: int) -> ScoredRun:
    """What is carried after what was entered since, with nothing new in it."""
    law, keep_us = replay.law, replay.keep_us
    if since.table.num_rows:
        carried = score(
            law.program, law.schedule, since.table, carried, until_us, keep_us, books=since.books, late_from_us=NO_TIME
        ).carried
    return score(law.program, law.schedule, _NONE, carried, until_us, until_us - WINDOW_US)


def _score_mp(scored: ScoredRun) -> int:
    return int(scored.head.riders["score_mp"][0])


class _EventReferences:
    """Events by their ids, as a run refers to them; those that it does not know become carried ones."""

    def __init__(self, run: ScoredRun) -> None:
        self.faded: list[str] = run.faded.cast(pa.string()).to_pylist()
        self._ev = {event_id: CARRIED - k for k, event_id in enumerate(self.faded)}
        ids = run.prepared.column("event_id").cast(pa.string()).to_pylist()
        self._ev |= {event_id: row for row, event_id in enumerate(ids)}

    def ev(self, event_id: str) -> int:
        """The reference to an event."""
        if event_id not in self._ev:
            self._ev[event_id] = CARRIED - len(self.faded)
            self.faded.append(event_id)
        return self._ev[event_id]

    def translated(self, lines: ReplayEntries) -> Entries:
        """Entries of another run of the same rider."""
        out = lines.entries.copy()
        for name, ids in (("ev", lines.event_ids), ("cause_ev", lines.cause_ids)):
            out[name] = [NO_EVENT if event_id is None else self.ev(event_id) for event_id in ids]
        return out


def _lines(run: ScoredRun, entries: Entries) -> ReplayEntries:
    return ReplayEntries(entries, *(tuple(event_ids(run, entries[name]).to_pylist()) for name in ("ev", "cause_ev")))


def _scale(run: ScoredRun) -> ScoreLimits:
    books = run.program.tables.books
    return ScoreLimits(
        books["floor_mp"].tolist(), books["ceiling_mp"].tolist(), max(int(run.head.riders["book"][0]), 0)
    )


def _is_in_range(run: ScoredRun, lines: Entries, score_mp: int) -> bool:
    """Whether the score stays within its limits after all that is written of one event at one instant."""
    scale = _scale(run)
    after_mp = score_mp + np.cumsum(lines["delta_mp"])
    ends = np.ones(lines.size, bool)
    ends[:-1] = (lines["ev"][1:] != lines["ev"][:-1]) | (lines["item_us"][1:] != lines["item_us"][:-1])
    for k in np.flatnonzero(ends).tolist():
        low, high = scale.limits({int(lines["book"][k])})
        if not low <= after_mp[k] <= high:
            return False
    return True


def _changes(replay: FoldedReplay, names: _EventReferences, old: ScoredRun, new: ScoredRun, score_mp: int) -> Entries:
    """The lines that bring the last days from what they read to what they should read."""
    standing = names.translated(_lines(old, old.standing))
    until_us = max(
        new.until_us,
        *(int(entries_of_run["item_us"].max(initial=NO_TIME)) for entries_of_run in (standing, new.standing)),
    )
    page = RiderLedger(0, score_mp, until_us, standing)
    controls = replay.controls
    changed = changes(page, new.standing, set(), {names.ev(control.about_id) for control in controls})
    causes = {names.ev(control.about_id): names.ev(control.event_id) for control in controls}
    changed.causes = {key: causes[key[1]] for key in changed.asking() if key[1] in causes}
    changed.cause_ev = names.ev(controls[-1].event_id)
    changed.entered_us = {names.ev(control.event_id): control.at_us for control in controls}
    write_changes(page, new.standing, until_us, changed, set(), _scale(new))
    return new_lines([page], [score_mp])


def _ids(run: ScoredRun, rows: I64) -> list[str]:
    return list(run.prepared.column("event_id", rows).cast(pa.string()).to_pylist())


def _assembled(new: ScoredRun, names: _EventReferences, row: RiderRow, parts: list[Entries]) -> ScoredRun:
    """A run that leaves the rider as `new` does and has written these lines after those that the row knows."""
    lines = np.concatenate(parts)
    lines["rider"] = 0
    lines["score_after_mp"] = row.score_mp + np.cumsum(lines["delta_mp"])
    if lines.size and lines["score_after_mp"][-1] != _score_mp(new):
        raise AssertionError("the lines of a replay do not lead to its score")
    return replace(
        new,
        entries=lines,
        seq=row.seq + 1 + np.arange(lines.size),
        last_seq=np.array([row.seq + lines.size]),
        opening_mp=np.array([row.score_mp]),
        faded=pa.array(names.faded, pa.string()),
    )
