"""Which books a run uses: a reference such as `taobao-crowdsourced`, `id@2025-12-03`, a file, or `auto`."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rules.book import Book
from rules.calendar import calendar
from rules.compile import Program, compile_books, start_us
from rules.deployment import Deploy, FindVersions
from rules.shelf import deployment, find, versions
from scoring.intake import Schedule, schedule_versions

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Plan:
    """The books of a run and which of them judges which event; `reference` is what the person typed."""

    reference: str
    program: Program
    schedule: Schedule

    @property
    def time_zone(self) -> str:
        """Zone of the first book; day 0 of an `mdrp` instance is a day of this zone."""
        return self.program.books[0].model.time_zone


def _day_us(book: Book, date: dt.date) -> int:
    """First instant (UTC µs) of a local day of a book."""
    return calendar(book.model.time_zone, book.model.day_starts).start_of(date)


Starts = dict[tuple[str, str], tuple[tuple[int, int], ...]]
"""(city, rider kind) → ascending instants (µs) and positions of books, as `Schedule.rules`."""


def deployed_starts(rows: Iterable[Deploy], versions_of: FindVersions, position: Mapping[str, int]) -> Starts:
    """For each city and rider kind, which book judges from when.

    Parameters
    ----------
    rows
        Of a deployment table, oldest first.
    position
        Of each book in the program, by digest.
    """
    rules: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for row in rows:
        own = versions_of(row.book)
        from_us = _day_us(own[0], row.from_)
        # The version in force on the first day judges from then on, later versions from their own day.
        in_force = [book for book in own if start_us(book.model) <= from_us] or [own[0]]
        starts = [(from_us, position[in_force[-1].digest])]
        starts += [(start_us(book.model), position[book.digest]) for book in own if start_us(book.model) > from_us]
        before = [start for start in rules.get((row.city, row.rider_kind), []) if start[0] < from_us]
        rules[row.city, row.rider_kind] = before + starts
    return {key: tuple(starts) for key, starts in rules.items()}


def _deployed() -> tuple[tuple[Book, ...], Starts]:
    """Books of the deployment table, and for each city and rider kind which one judges from when."""
    rows = deployment().rows
    books = [book for book_id in dict.fromkeys(row.book for row in rows) for book in versions(book_id)]
    position = {book.digest: k for k, book in enumerate(books)}
    return tuple(books), deployed_starts(rows, versions, position)


def plan(reference: str, also: Sequence[Book] = ()) -> Plan:
    """The plan of a reference.

    Parameters
    ----------
    reference
        A book as `rules.shelf.find` takes it, or `auto` for the deployment table.
    also
        Books that must be in the program because a carried state refers to them.

    Raises
    ------
    BookError
        If a book is not found or has faults.
    """
    if reference == AUTO:
        books, rules = _deployed()
    else:
        books, rules = find(reference), None
    digests = {book.digest for book in books}
    others = [book for book in also if book.digest not in digests]
    program = compile_books([*books, *others])
    if rules is not None:
        return Plan(reference, program, Schedule(rules, reach_back=False))
    return Plan(reference, program, schedule_versions(program, range(len(books))))
