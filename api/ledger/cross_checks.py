"""What appeals, reviews and moves say of riders, against the ledger and what waits: for whoever verifies a database."""

from collections.abc import Iterator

from sqlalchemy import and_, exists, func, or_, select

from api.db.tables import (
    appeal_decisions,
    appeals,
    entries,
    events,
    open_appeals,
    open_reviews,
    review_decisions,
    reviews,
    rider_moves,
    rider_state,
)
from api.db.unit_of_work import ReadUnit
from scoring.invariant_columns import LedgerViolation

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
