"""What to type where an event found no book in force."""

import datetime as dt
import shlex
from collections.abc import Iterator
from typing import Final

from api.books.deployment import COMMAND
from rules.book import Book
from rules.calendar import calendar
from rules.shelf import deployable, deployment, shipped

# Ours, for whoever has no book of their own yet.
REFERENCE: Final = "gbt-46862-reference"


def deploy_command(platform: str, city: str, rider_kind: str, at_us: int) -> str | None:
    """The command that puts a book in force for an event; None where no shipped book had taken effect by then.

    The book is the one published for the platform in this city, else elsewhere, else the reference; a person may name
    another.
    """
    for book in _fitting(platform, city, rider_kind, at_us):
        day = _day_of(book, at_us)
        return f"{COMMAND} --city {shlex.quote(city)} --rider-kind {rider_kind} --book {book.id} --from {day}"
    return None


def _fitting(platform: str, city: str, rider_kind: str, at_us: int) -> Iterator[Book]:
    """Books that may judge such riders on the day, the likeliest first."""
    rows = [row for row in reversed(deployment().rows) if row.rider_kind == rider_kind and not row.example]
    own = [row for row in rows if row.platform == platform]
    names = [row.book for row in own if row.city == city] + [row.book for row in own]
    names += [REFERENCE, *(row.book for row in rows if row.city == city), *shipped()]
    for name in dict.fromkeys(names):
        first = deployable(name)[0]
        is_for_them = rider_kind in first.model.rider_kinds and first.model.regime != "legacy"
        if is_for_them and first.model.effective_from <= _day_of(first, at_us):
            yield first


def _day_of(book: Book, at_us: int) -> dt.date:
    return calendar(book.model.time_zone, book.model.day_starts).date_of(at_us)
