"""Rule books in the store: immutable versions by digest, where they are in force, and the rules that judge events.

The rules are kept compiled in memory under the stamp of the one row of the table `law`: whoever publishes or deploys locks
that row first and writes a new stamp, a digest of the old one and of what was added. Same stamp, same rules, in any process.
"""

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Final

from sqlalchemy import select, update

from api.db.bulk import add_missing, among
from api.db.tables import books, deployments, law
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.refusals import Refused
from api.runs.plan import StartsByPlace, deployed_starts
from rules.book import Book
from rules.compile import Program, compile_books
from rules.deployment import Deploy
from rules.errors import BookError, Fault
from rules.parse import parse
from rules.readings_0_1_0 import with_old_readings
from rules.shelf import shipped_parent, to_toml, unknown_book
from scoring.prepare import Schedule, schedule_versions

# Compiled books by their digests. A digest is the content, so this holds for every database of the process.
_PROGRAMS: Final[dict[tuple[str, ...], Program]] = {}
_NUM_PROGRAMS_MAX: Final = 32


@dataclass(frozen=True, slots=True)
class RulesInForce:
    """All stored books, compiled, and which of them judges which event."""

    program: Program
    schedule: Schedule

    @property
    def books(self) -> tuple[Book, ...]:
        """All stored books, those of one id by day."""
        return self.program.books

    @property
    def starts(self) -> StartsByPlace:
        """Which of them judges which place from when."""
        return self.schedule.rules


# Laws by stamp and book id (None: as deployed), and all books by stamp. A stamp covers all that it was made from.
_RULES: Final[dict[tuple[str, str | None], RulesInForce]] = {}
_STORED: Final[dict[str, Program]] = {}
_NUM_STAMPS_MAX: Final = 32
_MEMORY: Final = Lock()


def rules_stamp(unit: ReadUnit | WriteUnit) -> str:
    """A text that changes with the rules in force: the same books in force in the same places, read alike, have one stamp."""
    row = unit.connection.execute(select(law.c.stamp, law.c.old_until_us)).one()
    return str(row.stamp) if row.old_until_us is None else f"{row.stamp} {row.old_until_us}"


def old_readings_until(unit: ReadUnit | WriteUnit) -> int | None:
    """Up to when version 0.1.0 wrote the ledger (`rules.readings_0_1_0`)."""
    until_us: int | None = unit.connection.scalar(select(law.c.old_until_us))
    return until_us


def note_old_readings(unit: WriteUnit, until_us: int | None) -> None:
    """Note that version 0.1.0 wrote the ledger, up to an instant (None: it did not); the caller has locked the rules."""
    unit.connection.execute(update(law).values(old_until_us=until_us))


def lock_rules(unit: WriteUnit) -> str:
    """Keep others from changing the rules in force, or the schedule, until the unit ends.

    Whoever also locks drafts or riders takes this lock first.

    Returns
    -------
    str
        The stamp of the rules.
    """
    return str(unit.connection.scalar(select(law.c.stamp).with_for_update()))


def _stamp(unit: WriteUnit, before: str, added: Iterable[str]) -> None:
    words = list(added)
    if words:
        stamp = hashlib.sha256("\n".join([before, *words]).encode()).hexdigest()
        unit.connection.execute(update(law).values(stamp=stamp))


def publish(unit: WriteUnit, versions: Iterable[Book]) -> None:
    """Store book versions; those already there stay as they are.

    Parameters
    ----------
    versions
        In force nowhere yet, unless another version of the same book is.
    """
    stamp = lock_rules(unit)
    known = set(unit.connection.scalars(select(books.c.digest)))
    rows = [
        {
            "digest": book.digest,
            "book_id": book.id,
            "effective_from": book.model.effective_from,
            "document": to_toml(book),
            "recorded_us": unit.recorded_us,
        }
        for book in versions
        if book.digest not in known
    ]
    add_missing(unit, books, rows)
    _stamp(unit, stamp, [str(row["digest"]) for row in rows])


def deploy(unit: WriteUnit, rows: Sequence[Deploy]) -> None:
    """Put books in force by city and rider kind; rows already there stay as they are.

    Parameters
    ----------
    rows
        From which local day on a book judges a place.

    Raises
    ------
    BookError
        If a row names a book that is not stored, one of the legacy regime, or a day that has another book already.
    """
    stamp = lock_rules(unit)
    before = deployed(unit)
    faults = deploy_faults(rows, stored_program(unit).books, before)
    if faults:
        raise BookError(faults)
    known = {(row.city, row.rider_kind, row.from_) for row in before}
    new = [row for row in rows if (row.city, row.rider_kind, row.from_) not in known]
    add_missing(
        unit,
        deployments,
        [
            {
                "city": row.city,
                "rider_kind": row.rider_kind,
                "from_date": row.from_,
                "book_id": row.book,
                "source": row.source,
                "confidence": row.confidence,
                "recorded_us": unit.recorded_us,
            }
            for row in new
        ],
    )
    _stamp(unit, stamp, [f"{row.city} {row.rider_kind} {row.from_} {row.book}" for row in new])


def deploy_faults(rows: Iterable[Deploy], stored: Sequence[Book], before: Iterable[Deploy]) -> tuple[Fault, ...]:
    """What stands in the way of deploying books beside the rows that are there."""
    known: dict[tuple[str, str, dt.date], str] = {(row.city, row.rider_kind, row.from_): row.book for row in before}
    return tuple(fault for row in rows for fault in _faults(row, stored, known))


def _faults(row: Deploy, stored: Sequence[Book], known: Mapping[tuple[str, str, dt.date], str]) -> Iterable[Fault]:
    versions = [book for book in stored if book.id == row.book]
    place = "deployments"
    if not versions:
        yield unknown_book(row.book, sorted({book.id for book in stored}), place)
    elif versions[0].model.regime == "legacy":
        yield Fault("legacy_deployed", place, row.city, "book", row.book, part="deploy")
    if known.get((row.city, row.rider_kind, row.from_), row.book) != row.book:
        yield Fault("repeated_deploy", place, row.city, "from", row.from_.isoformat(), part="deploy")


def books_stored(unit: ReadUnit | WriteUnit) -> tuple[Book, ...]:
    """All stored books, by id and day; none in a database without a book."""
    try:
        return stored_program(unit).books
    except BookError:
        return ()


def stored_book(unit: ReadUnit | WriteUnit, digest: str) -> Book:
    """A stored version by its digest.

    Raises
    ------
    Refused
        `version_unknown`.
    """
    rules = rules_in_force_or_none(unit)
    for book in () if rules is None else rules.books:
        if book.digest == digest:
            return book
    raise Refused("version_unknown", digest=digest)


def stored_program(unit: ReadUnit | WriteUnit) -> Program:
    """All stored books, by id and day.

    Returns
    -------
    Program
        Compiled, whether in force anywhere or not.

    Raises
    ------
    BookError
        If no book is stored.
    """
    return _stored(unit, rules_stamp(unit))


def _stored(unit: ReadUnit | WriteUnit, stamp: str) -> Program:
    program = _STORED.get(stamp)
    if program is None:
        # Of two versions of one day the one stored first stands last, where it is the one that judges.
        order = (books.c.book_id, books.c.effective_from, books.c.recorded_us.desc(), books.c.digest)
        program = program_of(unit, tuple(unit.connection.scalars(select(books.c.digest).order_by(*order))))
        _keep(unit, stamp, _STORED, stamp, program)
    return program


def _keep(unit: ReadUnit | WriteUnit, stamp: str, memory: dict[Any, Any], key: object, value: object) -> None:
    """Remember what was read under a stamp, unless the rules were changed while they were read."""
    if rules_stamp(unit) == stamp:
        with _MEMORY:
            while len(memory) >= _NUM_STAMPS_MAX:
                memory.pop(next(iter(memory)))
            memory[key] = value


def program_of(unit: ReadUnit | WriteUnit, digests: tuple[str, ...]) -> Program:
    """Stored books as a program, in the order named.

    Parameters
    ----------
    digests
        Of stored versions.

    Raises
    ------
    BookError
        If no book is stored.
    """
    if not digests:
        raise BookError((Fault("store_no_books", "books"),))
    with _MEMORY:
        program = _PROGRAMS.get(digests)
        if program is None:
            wanted = select(books.c.digest, books.c.document).where(among(unit, books.c.digest, digests))
            documents = {row.digest: row.document for row in unit.connection.execute(wanted)}
            program = compile_books([_book(name, documents[name]) for name in digests])
            while len(_PROGRAMS) >= _NUM_PROGRAMS_MAX:
                _PROGRAMS.pop(next(iter(_PROGRAMS)))
            _PROGRAMS[digests] = program
    return program


def _book(digest: str, document: str) -> Book:
    book = parse(document, f"{digest}.toml", shipped_parent)
    if book.digest != digest:
        raise BookError((Fault("store_book_changed", f"{digest}.toml", given=book.digest),))
    return book


def deployed(unit: ReadUnit | WriteUnit) -> list[Deploy]:
    """Where books are in force or will be, oldest day first."""
    rows = unit.connection.execute(select(deployments).order_by(deployments.c.from_date))
    return [
        deploy_row(row.city, row.rider_kind, row.book_id, row.from_date, row.source, row.confidence) for row in rows
    ]


def deploy_row(city: str, rider_kind: str, book: str, from_: dt.date, source: str, confidence: str) -> Deploy:
    """A row of a table of deployments, for whatever platform the store is."""
    about = {"city": city, "rider_kind": rider_kind, "book": book, "from": from_}
    return Deploy.model_validate(about | {"source": source, "confidence": confidence})


def rules_in_force(unit: ReadUnit | WriteUnit, book_id: str | None = None) -> RulesInForce:
    """The rules in force: the deployment table, or all versions of one stored book for everybody.

    Either way no book applies to events before it took effect.

    Parameters
    ----------
    book_id
        The book that is to judge everybody; None for the deployment table.

    Returns
    -------
    RulesInForce
        From memory, as long as they have not changed.

    Raises
    ------
    BookError
        If no book is stored, or none of that id.
    """
    stamp = rules_stamp(unit)
    rules = _RULES.get((stamp, book_id))
    if rules is None:
        program = with_old_readings(_stored(unit, stamp), old_readings_until(unit))
        rules = _read_rules(unit, program, book_id)
        _keep(unit, stamp, _RULES, (stamp, book_id), rules)
    return rules


def rules_in_force_or_none(unit: ReadUnit | WriteUnit) -> RulesInForce | None:
    """The rules in force; None in a database without a book."""
    try:
        return rules_in_force(unit)
    except BookError:
        return None


def _read_rules(unit: ReadUnit | WriteUnit, program: Program, book_id: str | None) -> RulesInForce:
    stored = program.books
    if book_id is None:
        position = {book.digest: k for k, book in enumerate(stored)}

        def versions_of(name: str) -> tuple[Book, ...]:
            return tuple(book for book in stored if book.id == name)

        return RulesInForce(program, Schedule(deployed_starts(deployed(unit), versions_of, position), reach_back=False))
    positions = [k for k, book in enumerate(stored) if book.id == book_id]
    if not positions:
        raise BookError((unknown_book(book_id, sorted({book.id for book in stored})),))
    return RulesInForce(program, replace(schedule_versions(program, positions), reach_back=False))


def overtaken(rules: RulesInForce, as_of_us: int) -> frozenset[str]:
    """Digests of versions whose successor is in force.

    Parameters
    ----------
    as_of_us
        Instant in microseconds UTC.
    """
    versions = zip(rules.program.books, rules.program.tables.books["next_us"].tolist(), strict=True)
    return frozenset(book.digest for book, next_us in versions if next_us <= as_of_us)
