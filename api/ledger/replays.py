"""Replays: what was accepted about a rider's older past is entered, one rider at a time, behind the service.

what waits → past since then, from a snapshot → score → lock the rider → merged with what came meanwhile → save

The long part holds nothing: other riders, and this one, go on meanwhile, and what they do is taken in (`replay_merge`). What
is written is what any late correction writes, with its messages, in one transaction with the end of the wait: a kill
leaves the wait as it was, and it is done once. Until then card and entries say that they are being recalculated
(`api.ledger.recalculation`). A row that cannot be entered after all is left out, with a line in the audit trail: it does
not keep the others.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

import numpy as np
import pyarrow as pa
from sqlalchemy import delete, exists, func, select

from api.books.in_force import RulesInForce, overtaken, rules_in_force, rules_in_force_or_none, rules_stamp
from api.db.audit_notes import add_audit_note
from api.db.bulk import among, read_table
from api.db.rider_rows import RiderRow, lock_riders, raise_revision, row_of
from api.db.store import Store
from api.db.tables import events, replays, rider_state
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.ledger.checkpoints import add_checkpoints, checkpoints_along, drop_checkpoints_after, replace_checkpoints_after
from api.ledger.filings import note_replayed
from api.ledger.late_changes import waiting_for_replay
from api.ledger.posting import WINDOW_US, write_due_of_rider
from api.ledger.reach import reach_of
from api.ledger.recalculation import recalculation_of
from api.ledger.replay_merge import FoldedReplay, folded_replay, last_days_us, merged_run
from api.ledger.rider_past import load_past
from api.ledger.rider_states import save_entries
from api.ledger.stored_events import JUDGED_SCHEMA, book_positions, looked_up
from rules.compile import Program
from scoring.carry import Carried
from scoring.columns import EVENT_SCHEMA, FAR_US, NO_TIME
from scoring.prepare import REASONS
from scoring.score import ScoredRun, score

# How often a past is folded anew because it has changed itself; then once under the rider's lock.
TRIES: Final = 3
# Checkpoints written in one transaction.
KEPT_AT_ONCE: Final = 8
# A history of more entries than this takes so long to fold that others would notice.
LONG: Final = 5_000
SYSTEM: Final = "system:replays"

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay comes to; `refused` has the reason by event id, `checkpoints` follow from it (`checkpoints.between`).

    `law` is the stamp of the law it was folded under (`books.rules_stamp`).
    """

    law: str
    folded: FoldedReplay
    event_ids: tuple[str, ...]
    refused: Mapping[str, str]
    from_us: int
    checkpoints: Sequence[Mapping[str, Any]]


class HistoryReader(Protocol):
    """Does the part of a replay that takes long: calls a function with a snapshot, a rider and an instant."""

    def __call__(self, work: Callable[[ReadUnit, str, int], R], rider_id: str, now_us: int) -> R:
        """What the function gives."""
        ...


def reader_in_thread(store: Store) -> HistoryReader:
    """Do it in this thread."""

    def read(work: Callable[[ReadUnit, str, int], R], rider_id: str, now_us: int) -> R:
        with store.reading() as unit:
            return work(unit, rider_id, now_us)

    return read


def waiting_riders(unit: ReadUnit | WriteUnit, limit: int, beside: Collection[str] = ()) -> list[str]:
    """Riders about whom something waits, those first who have waited longest; some are left alone."""
    since_us = func.min(replays.c.recorded_us)
    query = select(replays.c.rider_id).where(replays.c.rider_id.not_in(sorted(beside)))
    query = query.group_by(replays.c.rider_id).order_by(since_us, replays.c.rider_id)
    return list(unit.connection.scalars(query.limit(limit)))


def is_long(unit: ReadUnit | WriteUnit, rider_id: str | None = None, more_than: int = LONG) -> bool:
    """Whether a rider, or any rider, has a history of more entries than some."""
    of_rider = () if rider_id is None else (rider_state.c.rider_id == rider_id,)
    return bool(unit.connection.scalar(select(exists().where(rider_state.c.seq > more_than, *of_rider))))


def replay(store: Store, rider_id: str, now_us: Callable[[], int], read: HistoryReader | None = None) -> None:
    """Enter all that waits about a rider.

    Parameters
    ----------
    read
        Folds the past; by default here.
    """
    read = reader_in_thread(store) if read is None else read
    tries = 0
    while True:
        with store.reading() as unit:
            if recalculation_of(unit, rider_id) is None:
                return
        folded = read(fold, rider_id, now_us()) if tries < TRIES else None
        with store.reading() as unit:
            ready = None if folded is None else _merged(unit, folded)
        with store.writing(now_us()) as unit:
            write_due_of_rider(unit, rules_in_force(unit), rider_id)
            if folded is None and tries >= TRIES:
                folded = fold(unit, rider_id, unit.recorded_us)
                if folded is None and recalculation_of(unit, rider_id) is not None:
                    raise RuntimeError(f"nothing that waits can be entered: rider {rider_id}")
            saved = None if folded is None else _save(unit, folded, ready)
        tries = tries + 1 if saved is None else 0
        if folded is not None and saved is not None:
            _keep(store, folded, saved, now_us)


def add_missing_checkpoints(store: Store, rider_id: str, now_us: int, read: HistoryReader | None = None) -> None:
    """Leave checkpoints along the history of a rider who has too few: one loaded, or from before there were any."""
    folded = (reader_in_thread(store) if read is None else read)(fold_all, rider_id, now_us)
    if folded is None:
        return
    row, scored, carried = folded
    with store.writing(now_us) as unit:
        # What was read must be what is there: a change of the past drops what does not follow, and so would miss these.
        if lock_riders(unit, [rider_id])[rider_id] == row:
            replace_checkpoints_after(unit, scored, carried, {rider_id: NO_TIME})


def prepare(unit: ReadUnit, _rider_id: str, _now_us: int) -> None:
    """Have at hand what folding needs: the law, and the compiled code."""
    law = rules_in_force_or_none(unit)
    if law is not None:
        score(law.program, law.schedule, EVENT_SCHEMA.empty_table())


def fold_all(unit: ReadUnit, rider_id: str, _now_us: int) -> tuple[RiderRow, ScoredRun, Carried] | None:
    """Fold a rider's whole history: the rider as they are, the run, and what it began with; None for nobody."""
    row, law = row_of(unit, rider_id), rules_in_force(unit)
    if row is None:
        return None
    carried = load_past(unit, law, [row], {rider_id: NO_TIME}, row.until_us)
    nothing = EVENT_SCHEMA.empty_table()
    return row, score(law.program, law.schedule, nothing, carried, row.until_us, row.until_us - WINDOW_US), carried


def fold(unit: ReadUnit | WriteUnit, rider_id: str, now_us: int) -> Replay | None:
    """Fold what waits into the rider's past; None where something is due that is not written yet."""
    row, law = row_of(unit, rider_id), rules_in_force(unit)
    table, books = _waiting(unit, law, rider_id)
    if row is None or not table.num_rows:
        return None
    until_us = max(row.until_us, now_us)
    if row.due_us <= until_us or row.book_digest in overtaken(law, until_us):
        return None
    own_us = reach_of(unit, law.program, table, {rider_id: FAR_US})[rider_id]
    keep_us = last_days_us(law.program, until_us)
    carried = load_past(unit, law, [row], {rider_id: min(own_us, keep_us)}, until_us)
    scored = score(law.program, law.schedule, table, carried, until_us, keep_us, books=books, late_from_us=NO_TIME)
    event_ids, prepared = table["event_id"].to_pylist(), scored.prepared
    codes = zip(prepared.refused_rows.tolist(), prepared.refused_reasons.tolist(), strict=True)
    refused = {event_ids[k]: REASONS[code] for k, code in codes}
    checkpoints = checkpoints_along(scored, carried, rider_id, until_us - WINDOW_US)
    return Replay(
        rules_stamp(unit), folded_replay(law, row, scored, carried), tuple(event_ids), refused, own_us, checkpoints
    )


def _waiting(unit: ReadUnit | WriteUnit, law: RulesInForce, rider_id: str) -> tuple[pa.Table, np.ndarray]:
    """What waits, and the position of each row's book."""
    query = (
        select(*(events.c[name] for name in JUDGED_SCHEMA.names))
        .join(replays, (replays.c.rider_id == events.c.rider_id) & (replays.c.event_id == events.c.event_id))
        .where(replays.c.rider_id == rider_id)
        .order_by(events.c.occurred_us, events.c.event_id)
    )
    table = read_table(unit, query, JUDGED_SCHEMA)
    return table.select(EVENT_SCHEMA.names), looked_up(table["book_digest"], book_positions(law.program))


def _merged(unit: ReadUnit, folded: Replay) -> tuple[RiderRow, ScoredRun] | None:
    """The rider as they are, and the run to save if they stay so; None where nothing can be said yet."""
    row = row_of(unit, folded.folded.row.rider_id)
    scored = None if row is None else merged_run(unit, folded.folded, row)
    return None if row is None or scored is None else (row, scored)


@dataclass(frozen=True, slots=True)
class _Saved:
    """The rider as a replay left them, and whether nothing had come since they were read."""

    row: RiderRow | None
    program: Program
    is_as_read: bool


def _save(unit: WriteUnit, folded: Replay, ready: tuple[RiderRow, ScoredRun] | None) -> _Saved | None:
    """Write a replay and end the wait; None, and nothing is written, if the rider's past is not as it was read any more."""
    rider_id = folded.folded.row.rider_id
    riders = lock_riders(unit, [rider_id])
    identities = [(rider_id, event_id) for event_id in folded.event_ids]
    if rules_stamp(unit) != folded.law or len(waiting_for_replay(unit, identities)) < len(identities):
        return None
    is_ready = ready is not None and ready[0] == riders[rider_id]
    scored = ready[1] if ready is not None and is_ready else merged_run(unit, folded.folded, riders[rider_id])
    if scored is None:
        return None
    is_as_read = riders[rider_id] == folded.folded.row
    lines = save_entries(unit, scored, riders)
    note_replayed(unit, rider_id, folded.event_ids, lines)
    is_entered = (replays.c.rider_id == rider_id, among(unit, replays.c.event_id, folded.event_ids))
    unit.connection.execute(delete(replays).where(*is_entered))
    for event_id, reason in folded.refused.items():
        add_audit_note(
            unit, SYSTEM, "replay.refuse", rider_id, event_id=event_id, reason=reason, city=folded.folded.row.city
        )
    drop_checkpoints_after(unit, rider_id, folded.from_us)
    raise_revision(unit, [rider_id])
    return _Saved(row_of(unit, rider_id), scored.program, is_as_read=is_as_read)


def _keep(store: Store, folded: Replay, saved: _Saved, now_us: Callable[[], int]) -> None:
    """Leave the checkpoints of a replay, a few at a time: they are large, and others wait to write meanwhile.

    Where the rider goes on before all are there, the rest is left to `add_missing_checkpoints`: they may not follow any more.
    """
    last_us = folded.folded.keep_us
    # Those in the last days do not follow where something came while it was folded.
    rows = [checkpoint for checkpoint in folded.checkpoints if saved.is_as_read or checkpoint["at_us"] <= last_us]
    for first in range(0, len(rows), KEPT_AT_ONCE):
        with store.writing(now_us()) as unit:
            rider_id = folded.folded.row.rider_id
            if lock_riders(unit, [rider_id])[rider_id] != saved.row:
                return
            add_checkpoints(unit, saved.program, rows[first : first + KEPT_AT_ONCE])
