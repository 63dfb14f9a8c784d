"""Which version judges whom, where and when, read off the law. A place is a city and a kind of riders."""

from dataclasses import dataclass

from api.store.books import Law
from rules.book import Book


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Riders of one kind in one city."""

    city: str
    rider_kind: str

    @property
    def words(self) -> str:
        """How messages name it."""
        return f"{self.city}/{self.rider_kind}"


@dataclass(frozen=True, slots=True)
class Stretch:
    """From when a version judges a place, until the next stretch begins."""

    from_us: int
    book: Book


def places(law: Law) -> tuple[Place, ...]:
    """Every place that has a book at some time, in order."""
    return tuple(sorted(Place(*key) for key in law.schedule.rules))


def stretches(law: Law, place: Place) -> tuple[Stretch, ...]:
    """The versions that judge a place, in time order."""
    rows = law.schedule.rules.get((place.city, place.rider_kind), ())
    return tuple(Stretch(from_us, law.program.books[position]) for from_us, position in rows)


def judging(law: Law, place: Place, at_us: int) -> Book | None:
    """The version that judges an event of a place at an instant; None where no score is in use then."""
    begun = [stretch.book for stretch in stretches(law, place) if stretch.from_us <= at_us]
    return begun[-1] if begun else None


def places_of(law: Law, book_id: str, at_us: int) -> tuple[Place, ...]:
    """Where a book judges at an instant, in whichever version."""
    found = ((place, judging(law, place, at_us)) for place in places(law))
    return tuple(place for place, book in found if book is not None and book.id == book_id)
