"""Events in, entries out, in one transaction: what `POST /v1/events` and the durable tick do.

lock the riders → leave out what is stored → settle what is due → load what scoring carries → score → save

The answer to an event is the same however often, in whatever company and by however many clients it is posted.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sqlalchemy import or_, select

from api.books.in_force import RulesInForce, overtaken
from api.clock import AHEAD_US
from api.db.rider_rows import RiderRow, lock_riders, raise_revision
from api.db.tables import rider_state
from api.db.unit_of_work import WriteUnit
from api.ledger.admission import (
    Admission,
    PostedColumns,
    admission_rounds,
    city_refusals,
    refused_at_once,
    riders_offered_course,
)
from api.ledger.checkpoints import replace_checkpoints_after
from api.ledger.late_changes import accept_late_changes, waiting_for_replay
from api.ledger.reach import CONTROLS, reach_of
from api.ledger.rider_states import load_riders, save_run
from api.ledger.shared_orders import note_shared
from api.ledger.stored_events import OrderEvents, RiderOrder, delivering_event, events_among, order_events
from rules.units import US_PER_S
from scoring.columns import EVENT_SCHEMA
from scoring.hashing import hash_rows
from scoring.prepare import REASONS
from scoring.score import ScoredRun, score

# How far a rider's part reaches back. Longer: more is folded again at each post; shorter: more posts need all events.
WINDOW_US: Final = 6 * 3_600 * US_PER_S
BLOCK_RIDERS: Final = 1_000
_NOBODY: Final[Mapping[str, RiderRow]] = {}

Status = Literal["scored", "accepted", "repeated", "rejected"]


@dataclass(frozen=True, slots=True)
class EventOutcome:
    """The answer to one event; `reason` (of `api.files.rejects.REASONS`) says why one was rejected.

    `stands`: of an order that was delivered before, the event that delivered it.
    `accepted`: stored, and entered by a replay (`api.ledger.replays`); posted again before that it is `accepted` again.
    """

    rider_id: str
    event_id: str
    status: Status
    reason: str | None = None
    stands: str | None = None

    @property
    def is_stored(self) -> bool:
        """Whether the event is stored."""
        return self.status != "rejected"


@dataclass(frozen=True, slots=True)
class PostOutcome:
    """An answer to each event, in the order of the table; the entries written for them, by rider in order.

    `orders`: those that were delivered, for `api.ledger.shared_orders.note_shared` once all posts of the unit are scored.
    """

    answers: list[EventOutcome]
    lines: list[dict[str, Any]]
    orders: frozenset[str]


def post_events(unit: WriteUnit, law: RulesInForce, table: pa.Table) -> list[EventOutcome]:
    """As `score_and_store`, the only one of its unit; the answers alone."""
    done = score_and_store(unit, law, table)
    note_shared(unit, done.orders)
    return done.answers


def score_and_store(
    unit: WriteUnit,
    law: RulesInForce,
    table: pa.Table,
    admission: Admission | None = None,
    held: Mapping[str, RiderRow] = _NOBODY,
) -> PostOutcome:
    """Score events that are not stored yet.

    Parameters
    ----------
    table
        Canonical columns (`scoring.columns.EVENT_SCHEMA`), any number of rows of any riders in any order.
        An event is too late when it is more than its book's `late_days` older than the store's clock
        (`unit.recorded_us`), whoever else is in the post; history is replayed with the clock of its time.
    admission
        Who posts, where it is somebody from outside: what they may not post is rejected.
    held
        Rows of riders that the unit holds already, as they are.

    Rejected rows leave no trace in the store.
    """
    table = table.select(EVENT_SCHEMA.names)
    identities = list(zip(table["rider_id"].to_pylist(), table["event_id"].to_pylist(), strict=True))
    columns = PostedColumns.of(table)
    refused = {} if admission is None else refused_at_once(unit, columns, admission)
    welcome = [k for k in range(len(identities)) if k not in refused]
    riders = lock_riders(unit, (identities[k][0] for k in welcome), held)
    elsewhere: dict[int, str] = {}
    if admission is not None:
        by_city = city_refusals(unit, columns, welcome, riders, admission)
        refused, elsewhere = refused | by_city.strangers, by_city.elsewhere
    answers = {k: EventOutcome(*identities[k], "rejected", reason) for k, reason in refused.items()}
    events_there = events_among(unit, (identities[k] for k in welcome), ("content",))
    stored = {identity: row.content for identity, row in events_there.items()}
    waiting = waiting_for_replay(unit, stored.keys()) if stored else frozenset()
    hashes = hash_rows(table, EVENT_SCHEMA.names)
    content = hashes.view(np.int64).tolist()
    table = table.append_column("content", pa.array(hashes))
    latest_us = unit.recorded_us + AHEAD_US
    for k, (identity, occurred_us) in enumerate(zip(identities, table["occurred_us"].to_pylist(), strict=True)):
        if k in answers:
            continue
        if identity in stored and stored[identity] == content[k]:
            answers[k] = EventOutcome(*identity, "accepted" if identity in waiting else "repeated")
        elif identity in stored:
            answers[k] = EventOutcome(*identity, "rejected", "duplicate_conflict")
        elif occurred_us > latest_us:
            answers[k] = EventOutcome(*identity, "rejected", "implausible_time")
        elif k in elsewhere:
            answers[k] = EventOutcome(*identity, "rejected", elsewhere[k])
    if not set(CONTROLS).isdisjoint(columns.kind):
        _accept(unit, law, table, content, answers, riders)
    lines: list[dict[str, Any]] = []
    for turn in _turns(unit, law, columns, answers, riders, admission):
        order_history = order_events(unit, _orders(columns, turn).values())
        fresh = _first_deliveries(columns, turn, order_history, answers)
        for until_us, rows in _blocks(identities, fresh, riders, unit.recorded_us):
            block = table.take(pa.array(rows))
            scored, entries_of_block = _score_block(unit, law, block, until_us, riders, order_history)
            lines += entries_of_block
            answers |= zip(rows.tolist(), _answers([identities[k] for k in rows.tolist()], scored), strict=True)
    return PostOutcome([answers[k] for k in range(len(identities))], lines, _delivered(columns, answers))


def _delivered(columns: PostedColumns, answers: Mapping[int, EventOutcome]) -> frozenset[str]:
    """The orders that events delivered which were scored just now."""
    return frozenset(
        order
        for k, (kind, order) in enumerate(zip(columns.kind, columns.order_id, strict=True))
        if kind == "delivered" and order and answers[k].status == "scored"
    )


def _turns(
    unit: WriteUnit, law: RulesInForce, columns: PostedColumns, answers: dict[int, EventOutcome], riders: dict[str, RiderRow],
    admission: Admission | None,
) -> Iterator[NDArray[np.int64]]:  # fmt: skip
    """Rows that have no answer yet, some at a time; `answers` gets those that are refused meanwhile."""
    fresh = [k for k in range(len(columns.rider_id)) if k not in answers]
    if admission is None:
        yield np.array(fresh, np.int64)
        return

    stored: set[tuple[str, str]] = set()

    def offered(rider_ids: Collection[str]) -> frozenset[str]:
        chosen = {rider: riders[rider] for rider in rider_ids}
        _write_due_of(unit, law, chosen, unit.recorded_us)
        riders.update(chosen)
        return riders_offered_course(unit, law, list(chosen.values()))

    def is_stored(k: int) -> bool:
        return (columns.rider_id[k], columns.event_id[k]) in stored

    for turn in admission_rounds(columns, fresh, riders, offered, is_stored):
        by_city = city_refusals(unit, columns, turn.rows, riders, admission)
        for k, reason in (turn.refused | by_city.strangers | by_city.elsewhere).items():
            answers[k] = EventOutcome(columns.rider_id[k], columns.event_id[k], "rejected", reason)
        taken = [k for k in turn.rows if k not in answers]
        yield np.array(taken, np.int64)
        stored |= {(columns.rider_id[k], columns.event_id[k]) for k in taken if answers[k].is_stored}


def _orders(columns: PostedColumns, rows: NDArray[np.int64]) -> dict[int, RiderOrder]:
    """The order that each row is about, where it is about one."""
    return {k: (columns.rider_id[k], order) for k in rows.tolist() if (order := columns.order_id[k])}


def _first_deliveries(
    columns: PostedColumns, rows: NDArray[np.int64], order_history: OrderEvents, answers: dict[int, EventOutcome]
) -> NDArray[np.int64]:
    """Those rows that do not deliver an order again; the others are answered. Within the rows scoring sees to it."""
    for k, order in _orders(columns, rows).items():
        stands = delivering_event(order_history[order]) if columns.kind[k] == "delivered" else None
        if stands is not None:
            answers[k] = EventOutcome(columns.rider_id[k], columns.event_id[k], "rejected", "duplicate_order", stands)
    return np.array([k for k in rows.tolist() if k not in answers], np.int64)


def _accept(
    unit: WriteUnit, law: RulesInForce, table: pa.Table, content: Sequence[int], answers: dict[int, EventOutcome],
    riders: dict[str, RiderRow],
) -> None:  # fmt: skip
    """Answer those rows without an answer that reach back beyond `late_days`."""
    fresh = [k for k in range(table.num_rows) if k not in answers]
    some = table.take(pa.array(fresh, pa.int64()))
    done = accept_late_changes(unit, law, some, [content[k] for k in fresh])
    named = zip(fresh, some["rider_id"].to_pylist(), some["event_id"].to_pylist(), strict=True)
    for k, (row, rider, event) in enumerate(named):
        if k in done.rejected:
            answers[row] = EventOutcome(rider, event, "rejected", done.rejected[k])
        elif k in done.rows:
            answers[row] = EventOutcome(rider, event, "accepted")
    if done.riders:
        # Their cards are others from now on.
        raise_revision(unit, done.riders)
        riders |= {rider: replace(riders[rider], revision=riders[rider].revision + 1) for rider in done.riders}


def write_due(unit: WriteUnit, law: RulesInForce, as_of_us: int, limit: int = BLOCK_RIDERS) -> int:
    """Write fades and resets that are due, and take riders to the version of their book that is in force now.

    Parameters
    ----------
    as_of_us
        Up to when; not later than the unit's clock.
    limit
        Riders at most; call again in a new unit until nothing is left.

    Returns
    -------
    How many riders were brought up to date.
    """
    if as_of_us > unit.recorded_us:
        raise ValueError("what is not due yet cannot be written")
    of_old_version = rider_state.c.book_digest.in_(overtaken(law, as_of_us))
    due = select(rider_state.c.rider_id).where(or_(rider_state.c.due_us <= as_of_us, of_old_version))
    rider_ids = list(unit.connection.scalars(due.order_by(rider_state.c.rider_id).limit(limit)))
    riders = lock_riders(unit, rider_ids)
    # Another writer may have been here before the lock.
    _write_due_of(unit, law, riders, as_of_us)
    return len(rider_ids)


def write_due_of_rider(unit: WriteUnit, law: RulesInForce, rider_id: str) -> None:
    """As `write_due`, for one rider up to now."""
    _write_due_of(unit, law, lock_riders(unit, [rider_id]), unit.recorded_us)


def _write_due_of(unit: WriteUnit, law: RulesInForce, riders: dict[str, RiderRow], as_of_us: int) -> None:
    for until_us, some in _by_until(riders.values(), as_of_us):
        old = overtaken(law, until_us)
        due = [row for row in some if row.carried is not None and (row.due_us <= until_us or row.book_digest in old)]
        if due:
            carried = load_riders(unit, law, due, min(row.until_us for row in due))
            empty = EVENT_SCHEMA.empty_table()
            save_run(unit, score(law.program, law.schedule, empty, carried, until_us, until_us - WINDOW_US), riders)


def _by_until(rows: Iterable[RiderRow], as_of_us: int) -> Iterator[tuple[int, list[RiderRow]]]:
    """Riders by the instant up to which theirs is written, each in order.

    That is `as_of_us`, but for those whom a writer with a later clock has brought further: nobody is taken along with
    another rider.
    """
    by_until: dict[int, list[RiderRow]] = {}
    for row in sorted(rows, key=lambda row: row.rider_id.encode()):
        by_until.setdefault(max(as_of_us, row.until_us), []).append(row)
    yield from sorted(by_until.items())


def _score_block(
    unit: WriteUnit,
    law: RulesInForce,
    table: pa.Table,
    until_us: int,
    riders: dict[str, RiderRow],
    order_history: OrderEvents,
) -> tuple[ScoredRun, list[dict[str, Any]]]:
    """Score new rows of locked riders, whose ledgers are brought to `until_us`; `riders` gets the new rows."""
    rows_of_block = {rider: riders[rider] for rider in sorted(table["rider_id"].unique().to_pylist(), key=str.encode)}
    # From here on nothing is due up to `until_us` that is not written, whatever the riders were at before.
    _write_due_of(unit, law, rows_of_block, until_us)
    keep_us = {rider: row.keep_us for rider, row in rows_of_block.items() if row.carried is not None}
    from_us = reach_of(unit, law.program, table, keep_us, order_history)
    carried = load_riders(unit, law, list(rows_of_block.values()), until_us, from_us)
    scored = score(
        law.program, law.schedule, table, carried, until_us, until_us - WINDOW_US, late_from_us=unit.recorded_us
    )
    lines = save_run(unit, scored, rows_of_block)
    replace_checkpoints_after(unit, scored, carried, from_us)
    riders |= rows_of_block
    return scored, lines


def _blocks(
    identities: Sequence[tuple[str, str]], rows: NDArray[np.int64], riders: Mapping[str, RiderRow], clock_us: int
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Rows in blocks of whole riders whose ledgers go to one instant, and that instant."""
    by_rider: dict[str, list[int]] = {}
    for k in rows.tolist():
        by_rider.setdefault(identities[k][0], []).append(k)
    # Found before the first block is scored, which changes the rows.
    for until_us, some in list(_by_until((riders[rider] for rider in by_rider), clock_us)):
        for first in range(0, len(some), BLOCK_RIDERS):
            rows_of_riders = some[first : first + BLOCK_RIDERS]
            yield until_us, np.array([k for row in rows_of_riders for k in by_rider[row.rider_id]], np.int64)


def _answers(identities: Sequence[tuple[str, str]], scored: ScoredRun) -> list[EventOutcome]:
    """The answer to each row of a block."""
    prepared = scored.prepared
    new = prepared.table.filter(pa.array(prepared.is_new == 1))
    accepted = set(zip(new["rider_id"].to_pylist(), new["event_id"].to_pylist(), strict=True))
    reasons = {
        identities[row]: REASONS[code]
        for row, code in zip(prepared.refused_rows.tolist(), prepared.refused_reasons.tolist(), strict=True)
    }
    second = prepared.refused_for >= 0
    stands = dict(
        zip(
            (identities[row] for row in prepared.refused_rows[second].tolist()),
            prepared.event_ids(prepared.refused_for[second]),
            strict=True,
        )
    )
    answers = []
    for identity in identities:
        if identity in accepted:
            answers.append(EventOutcome(*identity, "scored"))
            accepted.remove(identity)
            reasons[identity] = ""
        elif reasons.get(identity):
            answers.append(EventOutcome(*identity, "rejected", reasons[identity], stands.get(identity)))
        else:
            answers.append(EventOutcome(*identity, "repeated"))
    return answers
