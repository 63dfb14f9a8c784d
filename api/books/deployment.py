"""Books put in force where nothing is: by a deployment table, with a ledger, or for one place by the command on the server.

A fresh database begins with the shipped books, in force nowhere (`seed_shipped`); an event that finds no book in force is
told the command that puts one there (`deploy_command`).

Where a place has a book, in force or to come, it stays as it is: what follows goes through a draft and its approval.
"""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from sqlalchemy import select

from api.books.draft_content import today_of
from api.books.in_force import books_stored, deploy, deployed, lock_rules, publish, rules_in_force_or_none
from api.books.places import BookPlace, judging, places
from api.db.audit_notes import add_audit_note
from api.db.tables import books
from api.db.unit_of_work import ReadUnit, WriteUnit
from rules.book import Book
from rules.compile import start_us
from rules.deployment import Deploy
from rules.errors import BookError, Fault
from rules.shelf import deployable, deployment, shipped, versions

COMMAND: Final = "riderscore deploy set"
# The book for whoever has none of their own yet.
REFERENCE: Final = "gbt-46862-reference"


@dataclass(frozen=True, slots=True)
class PutInForce:
    """Rows that are new, and places that had a book already: those whose rows are others stay as they are."""

    rows: tuple[Deploy, ...] = ()
    kept: tuple[BookPlace, ...] = ()


def put_in_force(unit: WriteUnit, actor: str, rows: Sequence[Deploy], versions: Iterable[Book] = ()) -> PutInForce:
    """Put books in force in places that have none; a line of the audit trail a city.

    Parameters
    ----------
    rows
        Those of one platform, any number a place.
    versions
        Books that rows may name; of those the ones needed are stored.

    Raises
    ------
    BookError
        If a book cannot be in force, or would change what is in force elsewhere.
    """
    lock_rules(unit)
    existing = deployed(unit)
    taken = {BookPlace(row.city, row.rider_kind) for row in existing}
    new = tuple(row for row in rows if BookPlace(row.city, row.rider_kind) not in taken)
    existing_rows = {(row.city, row.rider_kind, row.from_, row.book) for row in existing}
    others = (
        row for row in rows if row not in new and (row.city, row.rider_kind, row.from_, row.book) not in existing_rows
    )
    kept = tuple(sorted({BookPlace(row.city, row.rider_kind) for row in others}))
    if new:
        needed = _needed(versions, new, unit.recorded_us)
        need_unchanged(unit, needed)
        publish(unit, needed)
        # A table need not say where its rows come from.
        deploy(
            unit,
            [
                row.model_copy(update={"source": row.source or actor, "confidence": row.confidence or "ours"})
                for row in new
            ],
        )
    for city in sorted({row.city for row in new}):
        city_rows = [row for row in new if row.city == city]
        detail = [{"rider_kind": row.rider_kind, "book": row.book, "from": row.from_.isoformat()} for row in city_rows]
        add_audit_note(unit, actor, "book_deployed", city, city=city, rows=detail)
    return PutInForce(new, kept)


def _needed(versions: Iterable[Book], rows: Iterable[Deploy], at_us: int) -> list[Book]:
    """Of the books of rows the versions that judge from their first days on; shipped ones only as far as they have begun.

    What is shipped for a later day takes effect through a draft and its approval.
    """
    first = {row.book: row.from_ for row in sorted(rows, key=lambda row: row.from_, reverse=True)}
    named = [book for book in versions if book.id in first]
    ended = {a.digest for a, b in pairwise(named) if a.id == b.id and b.model.effective_from <= first[b.id]}
    to_come = {book.digest for book in named if book.id in shipped() and start_us(book.model) > at_us}
    to_come -= {book.digest for book in named if book.model.effective_from <= first[book.id]}
    return [book for book in named if book.digest not in ended | to_come]


def need_unchanged(unit: WriteUnit, versions: Iterable[Book]) -> None:
    """Refuse to store one more version of a book that is in force somewhere: it would take effect there, unasked.

    Raises
    ------
    BookError
        `deployed_changes`, for each.
    """
    stored, judging_ids = books_stored(unit), {row.book for row in deployed(unit)}
    known = {book.digest for book in stored}
    missing = [book for book in versions if book.digest not in known]
    first = {book.id: book.model.effective_from for book in reversed(stored)}
    faults = tuple(
        Fault("deployed_changes", book.file, key="id", given=book.id, allowed=book.model.effective_from.isoformat())
        for book in missing
        if book.id in judging_ids and book.model.effective_from >= first[book.id]
    )
    if faults:
        raise BookError(faults)


def need_free(unit: ReadUnit | WriteUnit, rows: Iterable[Deploy]) -> None:
    """Refuse rows of places that have a book, in force or to come.

    Raises
    ------
    BookError
        `place_in_force`, for each.
    """
    there = {BookPlace(row.city, row.rider_kind): row for row in reversed(deployed(unit))}
    taken = [there[place] for place in sorted({BookPlace(row.city, row.rider_kind) for row in rows}) if place in there]
    if taken:
        raise BookError(
            tuple(
                Fault(
                    "place_in_force", "deploy set", row.city, "book", row.book, row.from_.isoformat(),
                    params=(("kind", f"@word.{row.rider_kind}"),), part="deploy",
                )
                for row in taken
            )
        )  # fmt: skip


def num_in_force(unit: ReadUnit | WriteUnit, at_us: int, cities: Sequence[str] = ()) -> int:
    """In how many places a book judges at an instant.

    Parameters
    ----------
    at_us
        In microseconds UTC.
    cities
        Places of these cities alone; empty for all.
    """
    rules = rules_in_force_or_none(unit)
    if rules is None:
        return 0
    wanted = (place for place in places(rules) if not cities or place.city in cities)
    return sum(judging(rules, place, at_us) is not None for place in wanted)


def seed_shipped(unit: WriteUnit) -> bool:
    """Store the shipped books; says whether it did.

    Only into a database without a book: what a later release ships, and what is shipped for a later day, takes effect
    through a draft and its approval, like any other change.
    """
    if unit.connection.execute(select(books.c.digest).limit(1)).first() is not None:
        return False
    begun = [book for book_id in shipped() for book in _begun(versions(book_id), unit.recorded_us)]
    publish(unit, begun)
    add_audit_note(unit, "service:seed", "law_seeded", "shipped", books=len(begun))
    return True


def _begun(versions: tuple[Book, ...], at_us: int) -> tuple[Book, ...]:
    """Versions that have begun by an instant, the first in any case."""
    return (versions[0], *(book for book in versions[1:] if start_us(book.model) <= at_us))


def deploy_command(platform: str, city: str, rider_kind: str, at_us: int) -> str | None:
    """The command that puts a book in force for an event; None where no shipped book had taken effect by then.

    The book is the one published for the platform in this city, else elsewhere, else the reference; a person may name
    another.
    """
    for book in _fitting(platform, city, rider_kind, at_us):
        day = today_of(book.model, at_us)
        return f"{COMMAND} --city {shlex.quote(city)} --rider-kind {rider_kind} --book {book.id} --from {day}"
    return None


def _fitting(platform: str, city: str, rider_kind: str, at_us: int) -> Iterator[Book]:
    """Books that may judge such riders on the day, the likeliest first."""
    rows = [row for row in reversed(deployment().rows) if row.rider_kind == rider_kind and not row.example]
    of_platform = [row for row in rows if row.platform == platform]
    names = [row.book for row in of_platform if row.city == city] + [row.book for row in of_platform]
    names += [REFERENCE, *(row.book for row in rows if row.city == city), *shipped()]
    for name in dict.fromkeys(names):
        first = deployable(name)[0]
        is_for_them = rider_kind in first.model.rider_kinds and first.model.regime != "legacy"
        if is_for_them and first.model.effective_from <= today_of(first.model, at_us):
            yield first
