"""A replay that was folded outside of the rider's lock, made good for the rider as they are now.

While a long past is folded, the rider goes on. What came meanwhile is late by `late_days` at most, so it is taken into
the last days of the result, and the changes of those days are found anew against what stands now:

lines of the replay before those days → what the last days should read → what they read → the lines between the two

That takes as long as those days, not as the history. Where something older has changed, nothing can be made good.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa
from sqlalchemy import select

from api.batch.canonical import EVENT_SCHEMA
from api.store.books import Law
from api.store.bulk import among, in_chunks
from api.store.history import History, history_of
from api.store.posting import WINDOW_US
from api.store.reach import reach_of
from api.store.rider_rows import RiderRow
from api.store.tables import events, replays
from api.store.units import ReadUnit, WriteUnit
from rules.compile import Program
from rules.units import US_PER_DAY
from scoring.carry import Carried
from scoring.columns import CARRIED, I64, NO_EVENT, NO_TIME, Entries
from scoring.ledger import event_ids
from scoring.page import Page, Scale, changes, entries_of, settle
from scoring.score import Scored, score

# The last days begin this much before what may come late, since what comes late may bear on orders before it.
_BEFORE_US: Final = 3 * US_PER_DAY
_NONE: Final = EVENT_SCHEMA.empty_table()


@dataclass(frozen=True, slots=True)
class Folded:
    """What a replay comes to.

    Parameters
    ----------
    row
        The rider as they were read.
    scored
        The run that enters what waits; its window begins with the last days.
    old, new
        What scoring carries without and with it.
    """

    row: RiderRow
    law: Law
    scored: Scored
    old: Carried
    new: Carried


def last_days_us(program: Program, until_us: int) -> int:
    """When the last days begin: nothing that comes later can be older."""
    return until_us - int(program.tables.books["late_us"].max()) - _BEFORE_US


def folded(law: Law, row: RiderRow, scored: Scored, carried: Carried) -> Folded:
    """A replay with what is needed to make it good later; `carried` is what `scored` began with."""
    before = score(law.program, law.schedule, _NONE, carried, scored.until_us, scored.keep_us)
    return Folded(row, law, scored, before.carried, scored.carried)


def made_good(unit: ReadUnit | WriteUnit, found: Folded, row: RiderRow) -> Scored | None:
    """The run to save for a rider as they are now; None where the past itself has changed."""
    if row == found.row:
        new = _went_on(found, found.new, History(_NONE, np.zeros(0, np.int64)), found.scored.until_us)
        names = _Names(new)
        return _assembled(new, names, row, [names.translated(found.scored, found.scored.entries)])
    since = _since(unit, found, row)
    if since is None:
        return None
    until_us = max(row.until_us, found.scored.until_us)
    old, new = (_went_on(found, carried, since, until_us) for carried in (found.old, found.new))
    if old.intake.order.size < found.old.window.num_rows + since.table.num_rows or _score_mp(old) != row.score_mp:
        return None
    names = _Names(new)
    lines = found.scored.entries
    first = names.translated(found.scored, lines[lines["item_us"] < found.scored.keep_us])
    if not _is_in_range(new, first, row.score_mp):
        return None
    last = _changes(found, names, old, new, row.score_mp + int(first["delta_mp"].sum()))
    return _assembled(new, names, row, [first, last])


def _since(unit: ReadUnit | WriteUnit, found: Folded, row: RiderRow) -> History | None:
    """What was entered since the rider was read; None where it bears on more than the last days."""
    own = (events.c.rider_id == row.rider_id, events.c.occurred_us >= found.scored.keep_us)
    waiting = select(replays.c.event_id).where(replays.c.rider_id == row.rider_id)
    there = set(unit.connection.scalars(select(events.c.event_id).where(*own, events.c.event_id.not_in(waiting))))
    ids = sorted(there.difference(found.old.window["event_id"].to_pylist()))
    since = History(_NONE, np.zeros(0, np.int64))
    for some in in_chunks(ids):
        since = since.beside(history_of(unit, found.law.program, own[0], among(unit, events.c.event_id, some)))
    reaches = reach_of(unit, found.law.program, since.table, {row.rider_id: found.scored.keep_us})
    return None if reaches else since


def _went_on(found: Folded, carried: Carried, since: History, until_us: int) -> Scored:
    """What is carried after what was entered since, with nothing new in it."""
    law, keep_us = found.law, found.scored.keep_us
    if since.table.num_rows:
        carried = score(
            law.program, law.schedule, since.table, carried, until_us, keep_us, books=since.books, late_from_us=NO_TIME
        ).carried
    return score(law.program, law.schedule, _NONE, carried, until_us, until_us - WINDOW_US)


def _score_mp(scored: Scored) -> int:
    return int(scored.head.riders["score_mp"][0])


class _Names:
    """Events by their ids, as a run refers to them; those that it does not know become carried ones."""

    def __init__(self, run: Scored) -> None:
        self.faded: list[str] = run.faded.cast(pa.string()).to_pylist()
        self._ev = {event_id: CARRIED - k for k, event_id in enumerate(self.faded)}
        ids = run.intake.column("event_id").cast(pa.string()).to_pylist()
        self._ev |= {event_id: row for row, event_id in enumerate(ids)}

    def ev(self, event_id: str) -> int:
        """The reference to an event."""
        if event_id not in self._ev:
            self._ev[event_id] = CARRIED - len(self.faded)
            self.faded.append(event_id)
        return self._ev[event_id]

    def translated(self, other: Scored, entries: Entries) -> Entries:
        """Entries of another run of the same rider."""
        out = entries.copy()
        for name in ("ev", "cause_ev"):
            ids = event_ids(other, entries[name]).to_pylist()
            out[name] = [NO_EVENT if event_id is None else self.ev(event_id) for event_id in ids]
        return out


def _scale(run: Scored) -> Scale:
    books = run.program.tables.books
    return Scale(books["floor_mp"].tolist(), books["ceiling_mp"].tolist(), max(int(run.head.riders["book"][0]), 0))


def _is_in_range(run: Scored, lines: Entries, score_mp: int) -> bool:
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


def _changes(found: Folded, names: _Names, old: Scored, new: Scored, score_mp: int) -> Entries:
    """The lines that bring the last days from what they read to what they should read."""
    standing = names.translated(old, old.standing)
    until_us = max(new.until_us, *(int(own["item_us"].max(initial=NO_TIME)) for own in (standing, new.standing)))
    page = Page(0, score_mp, until_us, standing)
    intake = found.scored.intake
    controls = np.flatnonzero((intake.ref >= 0) & (intake.is_new == 1))
    by, about = (_ids(found.scored, rows) for rows in (controls, intake.ref[controls]))
    changed = changes(page, new.standing, set(), {names.ev(event_id) for event_id in about})
    causes = {names.ev(event_id): at for event_id, at in zip(about, map(names.ev, by), strict=True)}
    changed.causes = {key: causes[key[1]] for key in changed.asking() if key[1] in causes}
    changed.cause_ev = names.ev(by[-1])
    times = found.scored.events["occurred_us"][controls].tolist()
    changed.entered_us = dict(zip(map(names.ev, by), times, strict=True))
    settle(page, new.standing, until_us, changed, set(), _scale(new))
    return entries_of([page], [score_mp])


def _ids(run: Scored, rows: I64) -> list[str]:
    return list(run.intake.column("event_id", rows).cast(pa.string()).to_pylist())


def _assembled(new: Scored, names: _Names, row: RiderRow, parts: list[Entries]) -> Scored:
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
