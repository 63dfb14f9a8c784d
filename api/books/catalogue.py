"""Books as people look for them: by place (in force, to come, being changed, before), by id, one version in full."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from api.access.requester import Requester
from api.books.draft_rows import CLOSED, DraftBrief, brief_of, may_see
from api.books.in_force import RulesInForce, rules_in_force_or_none, stored_book, stored_program
from api.books.places import BookPlace, judging, places, places_of, version_starts
from api.books.scheduling import ScheduledChange, scheduled_for
from api.db.tables import drafts
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.refusals import Refused
from rules.book import Bilingual, Book
from rules.check import check
from rules.clauses import PartClause, clauses_for
from rules.compile import start_us
from rules.diff import Change, diff
from rules.edits import pointer_of
from rules.errors import Fault
from rules.shelf import extends_of, to_toml
from scoring.examples import check_examples


@dataclass(frozen=True, slots=True)
class VersionBrief:
    """A version in a list; `since_us` is when it began to judge (in a place, or at all)."""

    digest: str
    book_id: str
    title: Bilingual
    effective_from: dt.date
    since_us: int
    regime: str


@dataclass(frozen=True, slots=True)
class PlaceShelf:
    """What there is for riders of one kind in one city; `history` is what judged before, newest first."""

    city: str
    rider_kind: str
    in_force: VersionBrief | None
    scheduled: tuple[ScheduledChange, ...]
    drafts: tuple[DraftBrief, ...]
    history: tuple[VersionBrief, ...]


@dataclass(frozen=True, slots=True)
class BookBrief:
    """A book by its id: its versions, newest first, and where it is in force."""

    book_id: str
    title: Bilingual
    versions: tuple[VersionBrief, ...]
    places: tuple[BookPlace, ...]


@dataclass(frozen=True, slots=True)
class Version:
    """A version in full.

    Parameters
    ----------
    document, toml
        All that it inherits included.
    extends
        The shipped book that it was written on top of; None where it stands alone.
    places
        Where it is in force.
    faults
        What checks, standard and examples say of it today.
    clauses
        The law beside each part.
    before, after
        The versions of the same book on either side of it.
    """

    brief: VersionBrief
    book: Book
    document: dict[str, Any] = field(hash=False)
    toml: str
    extends: str | None
    places: tuple[BookPlace, ...]
    faults: tuple[Fault, ...]
    clauses: tuple[PartClause, ...]
    before: str | None
    after: str | None

    def pointer(self, fault: Fault) -> str:
        """The cell a fault stands in, as a JSON pointer."""
        return pointer_of(self.document, fault)


def _brief(book: Book, since_us: int | None = None) -> VersionBrief:
    model = book.model
    since_us = start_us(model) if since_us is None else since_us
    return VersionBrief(book.digest, book.id, model.title, model.effective_from, since_us, model.regime)


def books_by_place(
    unit: ReadUnit | WriteUnit, who: Requester, at_us: int, city: str | None = None
) -> tuple[PlaceShelf, ...]:
    """Every place that a person may look into, or those of one city, in order."""
    rules = rules_in_force_or_none(unit)
    open_drafts = tuple(draft for draft in _unfinished(unit) if may_see(who, draft))
    coming = scheduled_for(unit, at_us)
    known = set() if rules is None else set(places(rules))
    known |= {place for draft in open_drafts for place in draft.places}
    wanted = [place for place in sorted(known) if city in (None, place.city)]
    return tuple(
        _place_shelf(rules, place, at_us, coming, open_drafts)
        for place in wanted
        if not who.cities or place.city in who.cities
    )


def _unfinished(unit: ReadUnit | WriteUnit) -> tuple[DraftBrief, ...]:
    query = (
        select(drafts)
        .where(drafts.c.state.not_in(CLOSED))
        .order_by(drafts.c.changed_us.desc(), drafts.c.draft_id.desc())
    )
    return tuple(brief_of(row) for row in unit.connection.execute(query))


def _place_shelf(
    rules: RulesInForce | None,
    place: BookPlace,
    at_us: int,
    coming: Iterable[ScheduledChange],
    open_drafts: Iterable[DraftBrief],
) -> PlaceShelf:
    begun = [] if rules is None else [version for version in version_starts(rules, place) if version.from_us <= at_us]
    past = [_brief(version.book, version.from_us) for version in reversed(begun)]
    return PlaceShelf(
        city=place.city,
        rider_kind=place.rider_kind,
        in_force=past[0] if past else None,
        scheduled=tuple(version for version in coming if BookPlace(version.city, version.rider_kind) == place),
        drafts=tuple(draft for draft in open_drafts if place in draft.places),
        history=tuple(past[1:]),
    )


def books_of(unit: ReadUnit | WriteUnit, at_us: int) -> tuple[BookBrief, ...]:
    """Every stored book, by id."""
    rules = rules_in_force_or_none(unit)
    if rules is None:
        return ()
    by_id: dict[str, list[Book]] = {}
    for book in rules.program.books:
        by_id.setdefault(book.id, []).append(book)
    return tuple(
        BookBrief(
            book_id, versions[-1].model.title, tuple(map(_brief, reversed(versions))), places_of(rules, book_id, at_us)
        )
        for book_id, versions in sorted(by_id.items())
    )


def book_of_id(unit: ReadUnit | WriteUnit, book_id: str, at_us: int) -> BookBrief:
    """One stored book.

    Raises
    ------
    Refused
        `book_unknown`.
    """
    for book in books_of(unit, at_us):
        if book.book_id == book_id:
            return book
    raise Refused("book_unknown", book_id=book_id)


def version_of(unit: ReadUnit | WriteUnit, digest: str, at_us: int) -> Version:
    """A version in full, with what is to be said of it.

    Raises
    ------
    Refused
        `version_unknown`.
    """
    book = stored_book(unit, digest)
    versions = [each for each in stored_program(unit).books if each.id == book.id]
    position = [each.digest for each in versions].index(digest)
    rules = rules_in_force_or_none(unit)
    check_faults = [fault for fault in check(versions[max(0, position - 1) : position + 1]) if fault.file == book.file]
    return Version(
        brief=_brief(book),
        book=book,
        document=book.document,
        toml=to_toml(book),
        extends=extends_of(book),
        places=() if rules is None else _judged_by(rules, digest, at_us),
        faults=(*check_faults, *check_examples(book)),
        clauses=clauses_for(book.model),
        before=versions[position - 1].digest if position else None,
        after=versions[position + 1].digest if position + 1 < len(versions) else None,
    )


def _judged_by(rules: RulesInForce, digest: str, at_us: int) -> tuple[BookPlace, ...]:
    judged = ((place, judging(rules, place, at_us)) for place in places(rules))
    return tuple(place for place, book in judged if book is not None and book.digest == digest)


def compare_versions(unit: ReadUnit | WriteUnit, before: str, after: str) -> tuple[Change, ...]:
    """What differs between any two stored versions."""
    return diff(stored_book(unit, before), stored_book(unit, after))
