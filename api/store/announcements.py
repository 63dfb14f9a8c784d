"""The next change of the rules that a rider is told of: when, and its difference to what is in force, in words."""

import datetime as dt
from dataclasses import dataclass

from api.store.books import Law
from api.store.said import Said, both
from rules.book import Book
from rules.calendar import calendar
from rules.diff import diff


@dataclass(frozen=True, slots=True)
class Announced:
    """A rule book that will judge a rider's orders from an instant on, and what it changes."""

    book_id: str
    digest: str
    from_us: int
    date: dt.date
    title: Said
    changes: tuple[Said, ...]


def next_change(law: Law, city: str | None, rider_kind: str | None, book: Book, now_us: int) -> Announced | None:
    """The next book of a place that is stored already and not yet in force there; None where nothing is coming."""
    rules = law.schedule.rules
    starts = rules.get((city or "", rider_kind or ""), rules.get(("", ""), ()))
    coming = [(at_us, position) for at_us, position in starts if at_us > now_us]
    found = next((start for start in coming if law.program.books[start[1]].digest != book.digest), None)
    if found is None:
        return None
    return announced(book, law.program.books[found[1]], found[0])


def announced(book: Book, coming: Book, from_us: int) -> Announced:
    """A coming book compared with the one in force."""
    model = coming.model
    return Announced(
        book_id=coming.id,
        digest=coming.digest,
        from_us=from_us,
        date=calendar(model.time_zone, model.day_starts).date_of(from_us),
        title=Said(model.title.zh, model.title.en),
        changes=tuple(both(change.describe) for change in diff(book, coming)),
    )
