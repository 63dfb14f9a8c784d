"""Entries with what they follow from: the sentence, the because-tree, and whether they can be appealed.

A rider's events are read again from the store as far as they bear on the entries asked for.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, and_, or_, select

from api.books.in_force import stored_program
from api.db.bulk import among, in_chunks
from api.db.records import record_of
from api.db.tables import entries, events, rider_state
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.decisions.appeal_records import Appeal, AppealRight, appeals_against, right_of
from api.ledger.entries import entries_of
from api.ledger.recalculation import Recalculation, recalculation_of
from api.ledger.stored_events import StoredEvents, stored_events_of
from api.words import Translated, translated
from rules.compile import Program
from rules.units import US_PER_DAY
from scoring.because import Because, EntryLine, because
from scoring.columns import FAR_US
from scoring.explain import sentence
from scoring.explain_facts import KnownEvents, known_events
from scoring.prepare import Schedule

# When an order was in hand.
_HELD: Final = ("accepted_us", "placed_us", "arrived_store_us")
_BY_BOOKS: Final = Schedule({}, reach_back=False)


@dataclass(frozen=True, slots=True)
class ExplainedEntry:
    """One entry as its rider should hear of it.

    Parameters
    ----------
    city
        Of its event; None where it belongs to none (a reset).
    sentence
        What happened and why, in one sentence.
    why
        All that it follows from (`scoring.explain.tree` tells it).
    appeal
        Whether it can be appealed, and until when; the appeal against it.
    recalculating
        Something about its event, or about one before it, is stored and not entered yet: the entry may change.
    """

    line: EntryLine
    city: str | None
    order_id: str | None
    event_kind: str | None
    sentence: Translated
    why: Because
    appeal: AppealRight
    recalculating: bool


@dataclass(frozen=True, slots=True)
class ExplainedPage:
    """Entries of a rider, newest first; `cursor` (the number of the last) asks for the older ones, None at the end.

    `recalculating` is what waits about the rider: entries of then and later may change, and others may come.
    """

    items: tuple[ExplainedEntry, ...]
    cursor: int | None
    recalculating: Recalculation | None


def entries_page(
    unit: ReadUnit | WriteUnit, rider_id: str, now_us: int, cursor: int | None = None, limit: int = 50
) -> ExplainedPage:
    """A page of a rider's ledger, each entry with its sentence; parameters as for `queries.entries_of`."""
    page = entries_of(unit, rider_id, cursor, limit)
    items = explain_entries(unit, rider_id, [line_of(row) for row in page.entries], now_us)
    return ExplainedPage(items, page.cursor, recalculation_of(unit, rider_id))


class EntryOwner(NamedTuple):
    """Whose an entry is, and the city they belong to."""

    rider_id: str
    city: str | None


def entries_of_event(
    unit: ReadUnit | WriteUnit, rider_id: str, event_id: str, now_us: int
) -> tuple[ExplainedEntry, ...]:
    """All entries of one event, newest first."""
    return explain_entries(unit, rider_id, _lines_of_events(unit, rider_id, [event_id])[::-1], now_us)


def owner_of_entry(unit: ReadUnit | WriteUnit, entry_id: str) -> EntryOwner | None:
    """Whose an entry is, in one statement; None for an id that no entry has."""
    query = (
        select(entries.c.rider_id, rider_state.c.city)
        .outerjoin(rider_state, rider_state.c.rider_id == entries.c.rider_id)
        .where(entries.c.entry_id == entry_id)
    )
    row = unit.connection.execute(query).one_or_none()
    return None if row is None else EntryOwner(*row)


def entry_of(unit: ReadUnit | WriteUnit, entry_id: str, now_us: int) -> ExplainedEntry | None:
    """One entry with all that its rider's events say of it; None for an id that no entry has."""
    row = unit.connection.execute(select(entries).where(entries.c.entry_id == entry_id)).mappings().one_or_none()
    if row is None:
        return None
    return explain_entries(unit, row["rider_id"], [line_of(row)], now_us, is_whole=True)[0]


def line_of(row: Any) -> EntryLine:
    """A row of the ledger as explanations read it."""
    return record_of(EntryLine, row)


def explain_entries(
    unit: ReadUnit | WriteUnit, rider_id: str, lines: Sequence[EntryLine], now_us: int, *, is_whole: bool = False
) -> tuple[ExplainedEntry, ...]:
    """Tell entries of one rider, in the order given.

    Parameters
    ----------
    is_whole
        Read all events of the rider, so that facts counted from the first on are known, too; otherwise those that
        may bear on these entries.
    """
    if not lines:
        return ()
    program = stored_program(unit)
    books = {book.digest: book for book in program.books}
    around = _lines_of_events(unit, rider_id, {line.event_id for line in lines})
    bearing = () if is_whole else tuple(lines)
    known = _known(unit, program, rider_id, bearing)
    waits = recalculation_of(unit, rider_id)
    filed = appeals_against(unit, rider_id, [line.entry_id for line in lines])

    @cache
    def known_then(recorded_us: int) -> KnownEvents | None:
        return _known(unit, program, rider_id, bearing, events.c.recorded_us <= recorded_us)

    def why(line: EntryLine) -> Because:
        """By what is known now, or where that has changed since, by what was known when the entry was first written."""
        now = because(line, around, books, known)
        if now.agrees is not False:
            return now
        first = line if now.undone is None or now.undone.line is None else now.undone.line
        then = because(line, around, books, known_then(first.recorded_us))
        return replace(then, undone=now.undone) if then.agrees else now

    return tuple(_explained(why(line), known, filed.get(line.entry_id), waits, now_us) for line in lines)


def _explained(
    why: Because, known: KnownEvents | None, appeal: Appeal | None, waits: Recalculation | None, now_us: int
) -> ExplainedEntry:
    line = why.line
    row = None if known is None else known.row_of.get(line.event_id)
    is_taken_back = any(later.kind == "reverse" for later in why.later)
    return ExplainedEntry(
        line=line,
        city=None if known is None or row is None else known.rows[row]["city"],
        order_id=why.order_id,
        event_kind=why.event_kind,
        sentence=translated(lambda lang: sentence(why, lang)),
        why=why,
        appeal=right_of(line, is_taken_back, why.book, now_us, appeal),
        recalculating=waits is not None and line.at_us >= waits.from_us,
    )


def _lines_of_events(unit: ReadUnit | WriteUnit, rider_id: str, event_ids: Iterable[str]) -> tuple[EntryLine, ...]:
    """All entries of some events of a rider, by number: what because-trees compare an entry with."""
    of_events = (entries.c.rider_id == rider_id, among(unit, entries.c.event_id, sorted(event_ids)))
    # Sorted here: asked for in order, SQLite goes over all entries of the rider.
    rows = unit.connection.execute(select(entries).where(*of_events)).mappings()
    return tuple(line_of(row) for row in sorted(rows, key=lambda row: int(row["seq"])))


def _known(
    unit: ReadUnit | WriteUnit, program: Program, rider_id: str, lines: Sequence[EntryLine], *also: ColumnElement[bool]
) -> KnownEvents | None:
    """A rider's events: all, or those that may bear on some entries; those only that meet other conditions, too."""
    which = (events.c.rider_id == rider_id, *also)
    past = _bearing(unit, program, lines, which) if lines else stored_events_of(unit, program, *which)
    if not past.table.num_rows:
        return None
    return known_events(program, _BY_BOOKS, past.table, is_whole=not lines, books=past.books)


def _bearing(
    unit: ReadUnit | WriteUnit, program: Program, lines: Sequence[EntryLine], which: Sequence[ColumnElement[bool]]
) -> StoredEvents:
    """The events of entries, those that were in hand with them or say something of them, and what corrects any of these.

    As many as there were around these entries, however long the rider's history is.
    """
    named = sorted({line.event_id for line in lines})
    past = stored_events_of(unit, program, *which, among(unit, events.c.event_id, named))
    reach_us = int(program.tables.books["late_us"].max())
    for around in _around(lines, past, reach_us):
        past = past.beside(stored_events_of(unit, program, *which, around))
    read: set[str] = set()
    while unread := set(past.table["event_id"].to_pylist()) - read:
        read |= unread
        for ids in in_chunks(sorted(unread)):
            past = past.beside(stored_events_of(unit, program, *which, among(unit, events.c.ref_event_id, ids)))
    return past


def _around(lines: Sequence[EntryLine], past: StoredEvents, reach_us: int) -> Iterator[ColumnElement[bool]]:
    """What may bear on some entries: for each stretch of time in which they are, so that what lies between two is left out.

    An entry of today may be about an order of long ago.
    """
    table = past.table.select(["event_id", *_HELD])
    held_us = {
        row["event_id"]: min((row[name] for name in _HELD if row[name]), default=FAR_US) for row in table.to_pylist()
    }
    in_order = sorted(lines, key=lambda line: line.at_us)
    stretches: list[list[EntryLine]] = []
    for line in in_order:
        if stretches and line.at_us - stretches[-1][-1].at_us <= 2 * reach_us:
            stretches[-1].append(line)
        else:
            stretches.append([line])
    for some in stretches:
        first_us, last_us = some[0].at_us, some[-1].at_us
        earliest_us = min([first_us, *(held_us.get(line.event_id, FAR_US) for line in some)])
        from_us = max(earliest_us, first_us - reach_us) - US_PER_DAY
        span = events.c.occurred_us.between(first_us - reach_us, last_us + reach_us)
        # What was in hand together with one of them was delivered within a day.
        in_hand = events.c.occurred_us.between(from_us, last_us + US_PER_DAY)
        yield and_(span, or_(events.c.kind != "delivered", in_hand))
