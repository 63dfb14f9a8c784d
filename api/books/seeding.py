"""What a fresh database begins with: the shipped books, in force nowhere."""

from sqlalchemy import select

from api.books.in_force import publish
from api.db.audit_notes import add_audit_note
from api.db.tables import books
from api.db.unit_of_work import WriteUnit
from rules.book import Book
from rules.compile import start_us
from rules.shelf import shipped, versions


def seed_shipped(unit: WriteUnit) -> bool:
    """Store the shipped books; says whether it did.

    Only into a database without a book: what a later release ships, and what is shipped for a later day, takes effect
    through a draft and its approval, like any other change.
    """
    if unit.connection.execute(select(books.c.digest).limit(1)).first() is not None:
        return False
    found = [book for book_id in shipped() for book in _begun(versions(book_id), unit.recorded_us)]
    publish(unit, found)
    add_audit_note(unit, "service:seed", "law_seeded", "shipped", books=len(found))
    return True


def _begun(found: tuple[Book, ...], at_us: int) -> tuple[Book, ...]:
    """Versions that have begun by an instant, the first in any case."""
    return (found[0], *(book for book in found[1:] if start_us(book.model) <= at_us))
