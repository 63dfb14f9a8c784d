"""Corrections and upheld appeals that reach back beyond `late_days`: stored at once, entered by a replay in the background.

The line is drawn by the event that they are about: more than its book's `late_days` older than the store's clock. It
asks nothing of the rider's history or of how busy anybody is, so the same post has the same answer everywhere. What
would be rejected is rejected at once, for the same reasons.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from sqlalchemy import select

from api.books.in_force import RulesInForce
from api.db.bulk import add_rows, add_table, rows_of_pairs
from api.db.tables import events, replays
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.ledger.reach import CONTROLS, Identity, Target, targets_of
from api.ledger.stored_events import as_window, book_positions
from rules.compile import Program
from rules.units import US_PER_DAY
from scoring.columns import EVENT_SCHEMA, I64, NO_TIME
from scoring.prepare import REASONS, PreparedEvents, prepare_events


@dataclass(frozen=True, slots=True)
class AcceptedChanges:
    """Rows that are not scored now: stored for a replay, or rejected with a reason of `REASONS`."""

    rows: frozenset[int]
    rejected: Mapping[int, str]
    riders: frozenset[str]


def accept_late_changes(unit: WriteUnit, law: RulesInForce, table: pa.Table, content: Sequence[int]) -> AcceptedChanges:
    """Store the rows of a table that correct or take back what is older than `late_days`; their riders are held.

    Parameters
    ----------
    table
        Rows that are not stored yet.
    content
        Hash of each.
    """
    identities = _identities(table)
    versions = {identity: set[int]() for identity in identities}
    for identity, hash_of_row in zip(identities, content, strict=True):
        versions[identity].add(hash_of_row)
    # One identity with two contents is a conflict, whichever is looked at.
    conflicts = {identity for identity, known in versions.items() if len(known) > 1}
    old = _old(unit, law, table, conflicts, conflicts)
    if not old:
        return AcceptedChanges(frozenset(), {}, frozenset())
    rows, prepared, rejected = _sorted_out(unit, law, table, old)
    if rejected:
        # What is about a row that is not stored is about nothing; the others are judged as before.
        old = _old(unit, law, table, conflicts, conflicts | {identities[k] for k in rejected})
        if not old:
            return AcceptedChanges(frozenset(), {}, frozenset())
        rows, prepared, rejected = _sorted_out(unit, law, table, old)
    _store(unit, law.program, table, content, rows, prepared, old)
    accepted = frozenset(rows.tolist()) - rejected.keys()
    return AcceptedChanges(accepted, rejected, frozenset(identities[k][0] for k in accepted))


def _old(
    unit: WriteUnit, law: RulesInForce, table: pa.Table, conflicts: Collection[Identity], left_out: Collection[Identity]
) -> dict[int, Target]:
    """What those rows are about that reach back beyond `late_days`.

    Parameters
    ----------
    conflicts
        Rows that are not looked at.
    left_out
        Rows that will not be stored.
    """
    late_us = {book.digest: book.model.late_days * US_PER_DAY for book in law.program.books}
    identities = _identities(table)
    return {
        k: target
        for k, target in targets_of(unit, table, left_out).items()
        if target.row["kind"] not in CONTROLS
        and target.row["occurred_us"] < unit.recorded_us - late_us[target.row["book_digest"]]
        and identities[k] not in conflicts
    }


def _sorted_out(
    unit: WriteUnit, law: RulesInForce, table: pa.Table, old: Mapping[int, Target]
) -> tuple[I64, PreparedEvents, dict[int, str]]:
    """The rows that reach back, what scoring says of them, and why which of them are rejected."""
    rows = np.array(sorted(old), np.int64)
    prepared = _judged(unit, law, table.take(pa.array(rows)), [old[k] for k in rows.tolist()])
    identities = _identities(table)
    refused = zip(rows[prepared.refused_rows].tolist(), prepared.refused_reasons.tolist(), strict=True)
    reasons = {identities[k]: REASONS[code] for k, code in refused}
    # A row that came twice is rejected twice.
    return rows, prepared, {k: reasons[identities[k]] for k in old if identities[k] in reasons}


def _identities(table: pa.Table) -> list[Identity]:
    return list(zip(table["rider_id"].to_pylist(), table["event_id"].to_pylist(), strict=True))


def _judged(unit: WriteUnit, law: RulesInForce, table: pa.Table, targets: Sequence[Target]) -> PreparedEvents:
    """What scoring would take in and refuse: the rows beside what they are about, each named directly."""
    named = pa.array([target.row["event_id"] for target in targets], pa.string())
    table = table.set_column(table.schema.get_field_index("ref_event_id"), "ref_event_id", named)
    about = {target.identity: target.row for target in targets}
    known = [{name: row.get(name) for name in EVENT_SCHEMA.names} for row in about.values()]
    position = book_positions(law.program)
    books = np.array([position[row["book_digest"]] for row in about.values()], np.int64)
    none = np.zeros(len(about), np.uint8)
    window = as_window(pa.Table.from_pylist(known, schema=EVENT_SCHEMA), none.astype(np.uint64), none, none, books)
    return prepare_events(table, law.program, law.schedule, window, unit.recorded_us, NO_TIME)


def _store(
    unit: WriteUnit, program: Program, table: pa.Table, content: Sequence[int], rows: np.ndarray, prepared: PreparedEvents,
    old: Mapping[int, Target],
) -> None:  # fmt: skip
    """Write what was taken in: the events as they came, and that they wait."""
    new = np.flatnonzero(prepared.is_new == 1)
    at = rows[prepared.order[new]]
    digests = [program.books[book].digest for book in prepared.events["book"][new].tolist()]
    fresh = (
        table.select(EVENT_SCHEMA.names)
        .take(pa.array(at))
        .append_column("content", pa.array([content[k] for k in at.tolist()], pa.int64()))
        .append_column("book_digest", pa.array(digests, pa.string()))
        .append_column("recorded_us", pa.array(np.full(at.size, unit.recorded_us)))
    )
    add_table(unit, events, fresh)
    identities = _identities(fresh)
    waits = [
        {"rider_id": rider, "event_id": event, "about_us": old[k].row["occurred_us"], "recorded_us": unit.recorded_us}
        for k, (rider, event) in zip(at.tolist(), identities, strict=True)
    ]
    add_rows(unit, replays, waits)


def waiting_for_replay(unit: ReadUnit | WriteUnit, identities: Iterable[Identity]) -> frozenset[Identity]:
    """Which of some stored events wait for their replay."""
    identity = (replays.c.rider_id, replays.c.event_id)
    return frozenset(
        (row.rider_id, row.event_id) for row in rows_of_pairs(unit, select(*identity), identity, identities)
    )
