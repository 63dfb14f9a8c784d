"""Verifies the database: hash chains, seals, triggers, and scores recomputed from events.

Every rider's chain, every invariant of any ledger, and what the database alone can show: its triggers, riders and their
state, events and the lines that speak of them, decisions and the audit trail. Riders are read in blocks and seals in
pages, so that memory does not grow with the ledger.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from sqlalchemy import Row, and_, exists, func, or_, select

from api.books.in_force import RulesInForce, old_readings_until, program_of, rules_in_force
from api.db.decision_words import changed_words
from api.db.rider_rows import RiderRow
from api.db.seals import verify_seals
from api.db.tables import (
    appeal_decisions,
    appeals,
    books,
    entries,
    events,
    open_appeals,
    open_reviews,
    review_decisions,
    reviews,
    rider_moves,
    rider_state,
)
from api.db.triggers import missing_triggers
from api.db.unit_of_work import ReadUnit
from api.ledger.chain import breaks_in
from api.ledger.recompute import Difference, differences
from api.refusals import StoredBooksError
from rules.book import Book
from rules.errors import BookError
from rules.events import RIDER_KINDS
from scoring.invariant_columns import MOST_SHOWN, LedgerViolation
from scoring.invariants import CHECKS, OF_FILES, CheckResult, Ledger, added_results, check_ledger
from scoring.ledger import standing_figures
from scoring.ledger_columns import ENTRY_SCHEMA

CHAIN: Final = "chain"
TRIGGERS: Final = "triggers"
RIDERS_HAVE_STATE: Final = "riders_have_state"
STATES_HAVE_EVENTS: Final = "states_have_events"
EVENTS_SPOKEN_OF: Final = "events_spoken_of"
ENTRIES_FOLLOW: Final = "entries_follow"
STATE_FOLLOWS: Final = "state_follows"
SEALED: Final = "sealed"
WORDS: Final = "decision_words"
FILES_OF_RIDERS: Final = "files_of_riders"
FILES_WAIT: Final = "files_wait"
CITIES_FOLLOW: Final = "cities_follow"
# In the order in which they are told, after the chain and before the invariants of any ledger.
OF_DATABASES: Final = (
    TRIGGERS, SEALED, WORDS, FILES_OF_RIDERS, FILES_WAIT, CITIES_FOLLOW, RIDERS_HAVE_STATE, STATES_HAVE_EVENTS,
    EVENTS_SPOKEN_OF, ENTRIES_FOLLOW, STATE_FOLLOWS,
)  # fmt: skip
BLOCK_RIDERS: Final = 2_000
# Entries and events of a block, unless one rider alone has more.
BLOCK_ROWS: Final = 100_000
_CHECKS: Final = tuple(check for check in CHECKS if check not in OF_FILES)
_ENTRY_TYPES: Final = {
    field.name: field.type.value_type if pa.types.is_dictionary(field.type) else field.type for field in ENTRY_SCHEMA
}

Tell = Callable[[int, int], None]
Lines = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was looked at, the outcome of each check, and how often what is no fault was found.

    `notes`: `delivered_twice`, deliveries of an order that their own rider had delivered already, which stand as version
    0.1.0 scored them; `shared_orders`, orders that two riders delivered.
    """

    num_riders: int
    num_entries: int
    found: tuple[CheckResult, ...]
    notes: Mapping[str, int]

    @property
    def holds(self) -> bool:
        """Whether all do."""
        return all(check.holds for check in self.found)


def verify_store(
    unit: ReadUnit, block_riders: int = BLOCK_RIDERS, tell: Tell = lambda _done, _total: None
) -> VerifyReport:
    """Check everything.

    Parameters
    ----------
    tell
        Hears after each block how many riders are done, and of how many.

    Raises
    ------
    StoredBooksError
        If a stored book is not the one it was stored as.
    """
    digests = tuple(unit.connection.scalars(select(books.c.digest).order_by(books.c.digest)))
    known = _known_books(unit, digests)
    law = _law(unit)
    names = (CHAIN, *OF_DATABASES, *(check.__name__ for check in _CHECKS))
    checks = added_results(
        tuple(CheckResult(name, 0, ()) for name in names), (_triggers(unit), _seals(unit), _words(unit))
    )
    loose = ((FILES_OF_RIDERS, misnamed), (FILES_WAIT, miswaiting), (CITIES_FOLLOW, misplaced))
    checks = added_results(checks, tuple(counted(name, look(unit)) for name, look in loose))
    total = unit.connection.scalar(select(func.count()).select_from(rider_state)) or 0
    num_riders = num_entries = 0
    old_until_us = old_readings_until(unit)
    tell(0, total)
    for block in _blocks(unit, block_riders):
        checks = added_results(checks, (_chain(block.riders, block.lines), *_of_block(unit, block, law)))
        checks = added_results(checks, check_ledger(_ledger(block, known, old_until_us), _CHECKS))
        num_riders += len(block.riders)
        num_entries += len(block.lines)
        tell(num_riders, total)
    return VerifyReport(num_riders, num_entries, checks, _notes(unit))


def _known_books(unit: ReadUnit, digests: tuple[str, ...]) -> dict[str, Book]:
    try:
        return {book.digest: book for book in program_of(unit, digests).books} if digests else {}
    except BookError as error:
        raise StoredBooksError(error.faults) from error


def _notes(unit: ReadUnit) -> dict[str, int]:
    """Counted from the events themselves."""
    delivered = (events.c.kind == "delivered", events.c.order_id.is_not(None))
    of_rider = select(func.count().label("num")).where(*delivered).group_by(events.c.rider_id, events.c.order_id)
    twice = of_rider.having(func.count() > 1).subquery()
    of_order = select(events.c.order_id).where(*delivered).group_by(events.c.order_id)
    shared = of_order.having(func.min(events.c.rider_id) != func.max(events.c.rider_id)).subquery()
    return {
        "delivered_twice": int(unit.connection.scalar(select(func.sum(twice.c.num - 1))) or 0),
        "shared_orders": unit.connection.scalar(select(func.count()).select_from(shared)) or 0,
    }


def _law(unit: ReadUnit) -> RulesInForce | None:
    try:
        return rules_in_force(unit)
    except BookError:
        # No book is stored yet: nothing was scored. A book that is not what it was is told by `program_of`.
        return None


@dataclass(frozen=True, slots=True)
class _RiderBlock:
    """Riders' rows by id, all entries up to the last of them, and their events: id and digest of the book by rider.

    The last block has no riders: what is beyond all of them, or of nobody, comes with it.
    """

    riders: Sequence[Row[Any]]
    lines: Lines
    events: Mapping[str, dict[str, str]]


def _blocks(unit: ReadUnit, size: int) -> Iterator[_RiderBlock]:
    after = ""
    while True:
        riders = _next_riders(unit, after, size)
        last = riders[-1].rider_id if riders else None
        entries_query = select(entries).where(entries.c.rider_id > after).order_by(entries.c.rider_id, entries.c.seq)
        event_rows = select(events.c.rider_id, events.c.event_id, events.c.book_digest).where(events.c.rider_id > after)
        if last is not None:
            entries_query, event_rows = (
                entries_query.where(entries.c.rider_id <= last),
                event_rows.where(events.c.rider_id <= last),
            )
        lines = [dict(row) for row in unit.connection.execute(entries_query).mappings()]
        of_riders: dict[str, dict[str, str]] = {}
        for row in unit.connection.execute(event_rows):
            of_riders.setdefault(row.rider_id, {})[row.event_id] = row.book_digest
        if riders or lines or of_riders:
            yield _RiderBlock(riders, lines, of_riders)
        if last is None:
            return
        after = last


def _next_riders(unit: ReadUnit, after: str, size: int) -> list[Row[Any]]:
    """The next rows by id: as many as have `BLOCK_ROWS` entries and events together, but one at least."""
    query = select(rider_state).where(rider_state.c.rider_id > after).order_by(rider_state.c.rider_id).limit(size)
    riders = list(unit.connection.execute(query))
    if not riders:
        return riders
    counted = (
        select(events.c.rider_id, func.count().label("num"))
        .where(events.c.rider_id > after, events.c.rider_id <= riders[-1].rider_id)
        .group_by(events.c.rider_id)
    )
    num_events = {row.rider_id: row.num for row in unit.connection.execute(counted)}
    num_rows = np.cumsum([row.seq + num_events.get(row.rider_id, 0) for row in riders])
    return riders[: max(int(np.searchsorted(num_rows, BLOCK_ROWS, side="right")), 1)]


def counted(check: str, violations: Iterable[LedgerViolation]) -> CheckResult:
    """What a check found: the number of its violations, and the first of them."""
    number, shown = 0, list[LedgerViolation]()
    for number, violation in enumerate(violations, start=1):
        if number <= MOST_SHOWN:
            shown.append(violation)
    return CheckResult(check, number, tuple(shown))


def _triggers(unit: ReadUnit) -> CheckResult:
    return counted(
        TRIGGERS,
        (
            LedgerViolation("", None, f"{trigger.guard.table}.{trigger.guard.name}", "in force", trigger.what)
            for trigger in missing_triggers(unit)
        ),
    )


def _seals(unit: ReadUnit) -> CheckResult:
    broken = (LedgerViolation("", None, f"{seal.table} {seal.key}", "sealed", seal.what) for seal in verify_seals(unit))
    return counted(SEALED, broken)


def _words(unit: ReadUnit) -> CheckResult:
    """Words of decisions that are not those decided with; words that were erased are none."""
    return counted(
        WORDS,
        (
            LedgerViolation(rider, None, f"{kind} {key}", "as decided", "changed")
            for kind, key, rider in changed_words(unit)
        ),
    )


def _of_block(unit: ReadUnit, block: _RiderBlock, law: RulesInForce | None) -> Iterator[CheckResult]:
    """What the database alone shows of a block."""
    with_part = {row.rider_id for row in block.riders if row.carried is not None}
    of_lines = {line["rider_id"] for line in block.lines}
    yield counted(
        RIDERS_HAVE_STATE,
        (
            LedgerViolation(rider, None, "entries" if rider in of_lines else "events", "a row in rider_state", "none")
            for rider in sorted((of_lines | block.events.keys()) - with_part)
        ),
    )
    yield counted(
        STATES_HAVE_EVENTS,
        (
            LedgerViolation(rider, None, "rider_state", "events", "none")
            for rider in sorted(with_part - block.events.keys())
        ),
    )
    if law is None:
        return
    violations = list(_replayed(unit, block, law))
    yield counted(EVENTS_SPOKEN_OF, (_of_event(difference) for difference in violations if difference.is_unspoken))
    yield counted(
        ENTRIES_FOLLOW,
        (
            _of_event(difference)
            for difference in violations
            if difference.event_id is not None and not difference.is_unspoken
        ),
    )
    yield counted(
        STATE_FOLLOWS,
        (
            LedgerViolation(difference.rider_id, None, difference.what, difference.expected, difference.found)
            for difference in violations
            if difference.event_id is None
        ),
    )


def _of_event(difference: Difference) -> LedgerViolation:
    return LedgerViolation(
        difference.rider_id, None, f"{difference.event_id} {difference.what}", difference.expected, difference.found
    )


def _replayed(unit: ReadUnit, block: _RiderBlock, law: RulesInForce) -> Iterator[Difference]:
    """Riders with state and events, followed from their events once more."""
    known = {book.digest for book in law.program.books}
    rows = []
    for row in block.riders:
        judged = block.events.get(row.rider_id, {})
        if row.carried is None or not judged:
            continue
        foreign = sorted(name for name, digest in judged.items() if digest not in known)
        if foreign:
            yield Difference(row.rider_id, foreign[0], "book_digest", "a stored book", judged[foreign[0]])
        else:
            rows.append(RiderRow(*tuple(row)))
    yield from differences(unit, law, rows, block.lines)


def _chain(riders: Sequence[Row[Any]], lines: Lines) -> CheckResult:
    """The breaks of a block, as violations."""
    broken = breaks_in(lines, {row.rider_id: row for row in riders})
    return counted(CHAIN, (LedgerViolation(each.rider_id, each.seq, each.what, "whole", "broken") for each in broken))


def _ledger(block: _RiderBlock, known: Mapping[str, Book], old_until_us: int | None) -> Ledger:
    """A block as a ledger: the tier is worked out, and what a rider opened with is what the first entry says."""
    opening: dict[str, int] = {}
    for line in block.lines:
        opening.setdefault(line["rider_id"], line["score_after_mp"] - line["delta_mp"])
    scored = [row for row in block.riders if row.book_digest is not None]
    columns = {name: pa.array([line[name] for line in block.lines], kind) for name, kind in _ENTRY_TYPES.items()}
    pairs = [(rider, event) for rider, judged in block.events.items() for event in judged]
    told = pa.table(
        [pa.array([pair[k] for pair in pairs], pa.string()) for k in (0, 1)], names=["rider_id", "event_id"]
    )
    run = {"old_readings_until_us": old_until_us}
    return Ledger(pa.table(columns), _riders(scored, opening, known), known, run, 0, told)


def _riders(scored: Sequence[Row[Any]], opening: Mapping[str, int], known: Mapping[str, Book]) -> pa.Table:
    books_ = list(known.values())
    position = {digest: k for k, digest in enumerate(known)}
    scores = np.array([row.score_mp for row in scored], np.int64)
    kinds = np.array([row.rider_kind for row in scored], np.int64)
    judged = np.array([position.get(row.book_digest, 0) for row in scored], np.int64)
    tiers = list(standing_figures(books_, judged, kinds, scores).tier) if scored else []
    return pa.table(
        {
            "rider_id": pa.array([row.rider_id for row in scored], pa.string()),
            "rider_kind": pa.array([RIDER_KINDS[kind] if kind >= 0 else None for kind in kinds.tolist()], pa.string()),
            "book_digest": pa.array([row.book_digest for row in scored], pa.string()),
            "opening_score_mp": pa.array([opening.get(row.rider_id, row.score_mp) for row in scored], pa.int64()),
            "score_mp": pa.array(scores),
            "tier": pa.array(tiers, pa.string()),
            "review_required": pa.array([bool(row.review_required) for row in scored], pa.bool_()),
        }
    )


_FILES = (
    ("appeal", appeals, "appeal_id", open_appeals, appeal_decisions),
    ("review", reviews, "review_id", open_reviews, review_decisions),
)


def misnamed(unit: ReadUnit) -> Iterator[LedgerViolation]:
    """Appeals and reviews that name no line of their rider, or another event than that line does."""
    for kind, table, key, _waiting, _decided in _FILES:
        line = and_(
            entries.c.entry_id == table.c.entry_id,
            entries.c.rider_id == table.c.rider_id,
            entries.c.event_id == table.c.event_id,
        )
        query = select(table.c.rider_id, table.c[key], table.c.entry_id).outerjoin(entries, line)
        for rider, name, entry in unit.connection.execute(query.where(entries.c.entry_id.is_(None)).order_by(key)):
            yield LedgerViolation(rider, None, f"{kind} {name}", "a line of this rider", entry)


def miswaiting(unit: ReadUnit) -> Iterator[LedgerViolation]:
    """Appeals and reviews that wait though they are decided, wait for nobody, or wait under another rider's name."""
    for kind, table, key, waiting, decided in _FILES:
        asked, done, waits = table.c[key], decided.c[key], waiting.c[key]
        query = (
            select(table.c.rider_id, asked, done)
            .outerjoin(waiting, waits == asked)
            .outerjoin(decided, done == asked)
            .where(
                or_(
                    waits.is_(None) & done.is_(None),
                    waits.is_not(None) & done.is_not(None),
                    waiting.c.rider_id != table.c.rider_id,
                )
            )
            .order_by(asked)
        )
        for rider, name, decision in unit.connection.execute(query):
            wanted = "waiting" if decision is None else "decided"
            yield LedgerViolation(rider, None, f"{kind} {name}", wanted, "not" if decision is None else "waiting")
        orphans = select(waiting.c.rider_id, waits).outerjoin(table, asked == waits).where(asked.is_(None))
        for rider, name in unit.connection.execute(orphans.order_by(waits)):
            yield LedgerViolation(rider, None, f"{kind} {name}", "none", "waiting")


def misplaced(unit: ReadUnit) -> Iterator[LedgerViolation]:
    """Riders who are of another city than their last move went to, or of one that neither move nor event speaks of."""
    last = (
        select(rider_moves.c.rider_id, func.max(rider_moves.c.move_no).label("last"), func.count().label("num"))
        .group_by(rider_moves.c.rider_id)
        .subquery()
    )
    query = (
        select(last.c.rider_id, rider_moves.c.to_city, rider_state.c.city)
        .join(rider_moves, and_(rider_moves.c.rider_id == last.c.rider_id, rider_moves.c.move_no == last.c.last))
        .join(rider_state, rider_state.c.rider_id == last.c.rider_id)
        .where(
            or_(
                rider_state.c.city.is_(None),
                rider_state.c.city != rider_moves.c.to_city,
                last.c.num != last.c.last,
            )
        )
        .order_by(last.c.rider_id)
    )
    for rider, wanted, found in unit.connection.execute(query):
        yield LedgerViolation(rider, None, "city", wanted, str(found))
    is_riders, state = events.c.rider_id == rider_state.c.rider_id, rider_state.c
    stray = select(state.rider_id, state.city).where(
        state.city.is_not(None),
        exists().where(is_riders),
        ~exists().where(is_riders, events.c.city == state.city),
        ~exists().where(rider_moves.c.rider_id == state.rider_id),
    )
    for rider, found in unit.connection.execute(stray.order_by(state.rider_id)):
        yield LedgerViolation(rider, None, "city", "a city of their events", found)
