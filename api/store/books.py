"""Rule books in the store: immutable versions by digest, where they are in force, and the law that judges events."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import select

from api.batch.plan import deployed_starts
from api.store.bulk import add_missing
from api.store.tables import books, deployments
from api.store.units import ReadUnit, WriteUnit
from rules.book import Book
from rules.compile import Program, compile_books
from rules.deployment import Deploy
from rules.errors import BookError, Fault
from rules.parse import parse
from rules.shelf import shipped_parent, to_toml
from scoring.intake import Schedule, schedule_versions

# Compiled books by their digests. A digest is the content, so this holds for every database of the process.
_PROGRAMS: Final[dict[tuple[str, ...], Program]] = {}
_NUM_PROGRAMS_MAX: Final = 8


@dataclass(frozen=True, slots=True)
class Law:
    """All stored books, compiled, and which of them judges which event."""

    program: Program
    schedule: Schedule


def publish(unit: WriteUnit, versions: Iterable[Book]) -> None:
    """Store book versions; those already there stay as they are."""
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


def deploy(unit: WriteUnit, rows: Sequence[Deploy]) -> None:
    """Put books in force by city and rider kind; rows already there stay as they are.

    Raises
    ------
    BookError
        If a row names a book that is not stored, one of the legacy regime, or a day that has another book already.
    """
    stored = _books(unit)
    known = {(row.city, row.rider_kind, row.from_): row.book for row in _deployments(unit)}
    faults = [fault for row in rows for fault in _faults(row, stored, known)]
    if faults:
        raise BookError(tuple(faults))
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
            for row in rows
            if (row.city, row.rider_kind, row.from_) not in known
        ],
    )


def _faults(row: Deploy, stored: Sequence[Book], known: Mapping[tuple[str, str, dt.date], str]) -> Iterable[Fault]:
    own = [book for book in stored if book.id == row.book]
    place = "deployments"
    if not own:
        allowed = ", ".join(sorted({book.id for book in stored}))
        yield Fault("unknown_book", place, given=row.book, allowed=allowed, params=(("near", row.book),))
    elif own[0].model.regime == "legacy":
        yield Fault("legacy_deployed", place, row.city, "book", row.book, part="deploy")
    if known.get((row.city, row.rider_kind, row.from_), row.book) != row.book:
        yield Fault("repeated_deploy", place, row.city, "from", row.from_.isoformat(), part="deploy")


def _books(unit: ReadUnit | WriteUnit) -> tuple[Book, ...]:
    return stored_program(unit).books


def stored_program(unit: ReadUnit | WriteUnit) -> Program:
    """All stored books, by id and day.

    Raises
    ------
    BookError
        If no book is stored.
    """
    order = (books.c.book_id, books.c.effective_from, books.c.digest)
    return program_of(unit, tuple(unit.connection.scalars(select(books.c.digest).order_by(*order))))


def program_of(unit: ReadUnit | WriteUnit, digests: tuple[str, ...]) -> Program:
    """Stored books as a program, in the order named.

    Raises
    ------
    BookError
        If no book is stored.
    """
    if not digests:
        raise BookError((Fault("store_no_books", "books"),))
    if digests not in _PROGRAMS:
        rows = unit.connection.execute(select(books.c.digest, books.c.document)).all()
        documents = {row.digest: row.document for row in rows}
        while len(_PROGRAMS) >= _NUM_PROGRAMS_MAX:
            _PROGRAMS.pop(next(iter(_PROGRAMS)))
        _PROGRAMS[digests] = compile_books([_book(name, documents[name]) for name in digests])
    return _PROGRAMS[digests]


def _book(digest: str, document: str) -> Book:
    book = parse(document, f"{digest}.toml", shipped_parent)
    if book.digest != digest:
        raise BookError((Fault("store_book_changed", f"{digest}.toml", given=book.digest),))
    return book


def _deployments(unit: ReadUnit | WriteUnit) -> list[Deploy]:
    rows = unit.connection.execute(select(deployments).order_by(deployments.c.from_date))
    return [
        Deploy.model_validate(
            {
                "city": row.city,
                "rider_kind": row.rider_kind,
                "book": row.book_id,
                "from": row.from_date,
                "source": row.source,
                "confidence": row.confidence,
            }
        )
        for row in rows
    ]


def law_of(unit: ReadUnit | WriteUnit, book_id: str | None = None) -> Law:
    """The law in force: the deployment table, or all versions of one stored book for everybody.

    Either way no book applies to events before it took effect.

    Raises
    ------
    BookError
        If no book is stored, or none of that id.
    """
    stored = _books(unit)
    program = program_of(unit, tuple(book.digest for book in stored))
    if book_id is None:
        position = {book.digest: k for k, book in enumerate(stored)}

        def versions_of(name: str) -> tuple[Book, ...]:
            return tuple(book for book in stored if book.id == name)

        return Law(program, Schedule(deployed_starts(_deployments(unit), versions_of, position), reach_back=False))
    positions = [k for k, book in enumerate(stored) if book.id == book_id]
    if not positions:
        allowed = ", ".join(sorted({book.id for book in stored}))
        raise BookError((Fault("unknown_book", book_id, given=book_id, allowed=allowed, params=(("near", book_id),)),))
    return Law(program, replace(schedule_versions(program, positions), reach_back=False))
