"""Which version judges whom, where and when, read off the rules. A place is a city and a kind of riders."""

from dataclasses import dataclass
from typing import Protocol

from api.runs.plan import StartsByPlace
from rules.book import Book


class Rules(Protocol):
    """Books, and which of them judges which place from when: the rules in force, or with what is to come."""

    @property
    def books(self) -> tuple[Book, ...]:
        """Versions, those of one id by day."""

    @property
    def starts(self) -> StartsByPlace:
        """By place, instants and positions in `books`."""


@dataclass(frozen=True, slots=True, order=True)
class BookPlace:
    """Riders of one kind in one city."""

    city: str
    rider_kind: str

    @property
    def words(self) -> str:
        """How messages name it."""
        return f"{self.city}/{self.rider_kind}"


@dataclass(frozen=True, slots=True)
class VersionStart:
    """From when a version judges a place, until the next stretch begins."""

    from_us: int
    book: Book


def places(rules: Rules) -> tuple[BookPlace, ...]:
    """Every place that has a book at some time, in order."""
    return tuple(sorted(BookPlace(*key) for key in rules.starts))


def version_starts(rules: Rules, place: BookPlace) -> tuple[VersionStart, ...]:
    """The versions that judge a place, in time order."""
    rows = rules.starts.get((place.city, place.rider_kind), ())
    return tuple(VersionStart(from_us, rules.books[position]) for from_us, position in rows)


def judging(rules: Rules, place: BookPlace, at_us: int) -> Book | None:
    """The version that judges an event of a place at an instant.

    Parameters
    ----------
    at_us
        In microseconds UTC.

    Returns
    -------
    Book or None
        None where no score is in use then.
    """
    begun = [stretch.book for stretch in version_starts(rules, place) if stretch.from_us <= at_us]
    return begun[-1] if begun else None


def places_of(rules: Rules, book_id: str, at_us: int) -> tuple[BookPlace, ...]:
    """Where a book judges at an instant, in whichever version.

    Parameters
    ----------
    at_us
        In microseconds UTC.

    Returns
    -------
    tuple of BookPlace
        In order.
    """
    judged = ((place, judging(rules, place, at_us)) for place in places(rules))
    return tuple(place for place, book in judged if book is not None and book.id == book_id)
