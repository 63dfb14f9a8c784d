"""Which books a run uses: a reference such as `taobao-crowdsourced`, `id@2025-12-03`, a file, or `auto`.

A TOML file is a book, or a deployment table (`[[deploy]]`): then each city and kind of rider has its own books.
"""

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from rules.book import Book
from rules.calendar import calendar
from rules.compile import Program, compile_books, start_us
from rules.deployment import Deploy, Deployment, FindVersions, parse_deployment
from rules.errors import BookError, Fault
from rules.parse import MAX_BYTES, MAX_TABLE_VALUES, Source, decode, read_toml
from rules.readings import with_old_readings
from rules.shelf import deployment, early_note, find, versions
from scoring.intake import Schedule, schedule_versions

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Plan:
    """The books of a run and which of them judges which event.

    Parameters
    ----------
    reference
        What the person typed.
    deployment
        SHA-256 of the deployment table that the person named; empty where they named none.
    notes
        What a person should know of the reference.
    """

    reference: str
    program: Program
    schedule: Schedule
    deployment: str = ""
    notes: tuple[Fault, ...] = ()

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


def _deployed(table: Deployment, versions_of: FindVersions) -> tuple[tuple[Book, ...], Starts]:
    """Books of a deployment table, and for each city and rider kind which one judges from when."""
    books = [book for book_id in dict.fromkeys(row.book for row in table.rows) for book in versions_of(book_id)]
    position = {book.digest: k for k, book in enumerate(books)}
    return tuple(books), deployed_starts(table.rows, versions_of, position)


def _table_of(reference: str) -> bytes | None:
    """The content of a file that is a deployment table; None for all else."""
    path = Path(reference)
    if path.suffix != ".toml" or not path.is_file():
        return None
    try:
        content = path.read_bytes()
        document = read_toml(Source(_text(content, reference), reference), MAX_TABLE_VALUES)
    except (OSError, BookError):
        # Who reads it as a book says what is wrong with it.
        return None
    return content if "deploy" in document else None


def _text(content: bytes, file: str) -> str:
    """Content as text; a country has more rows than a book may have bytes."""
    return decode(content, file) if len(content) <= MAX_BYTES else content.decode("utf-8", errors="replace")


def _beside(table: Path) -> FindVersions:
    """Books that a table names: a folder or a file of that id beside it, else a shipped book."""

    @cache
    def versions_of(book_id: str) -> tuple[Book, ...]:
        for name in (book_id, f"{book_id}.toml"):
            if not (table.parent / name).exists():
                continue
            path = f"{table.parent}/{name}"
            found = find(path)
            if found[0].id != book_id:
                raise BookError((Fault("deployed_misnamed", path, key="id", given=found[0].id, allowed=book_id),))
            return found
        try:
            return versions(book_id)
        except BookError as error:
            raise BookError(tuple(replace(fault, file=str(table), key="book") for fault in error.faults)) from None

    return versions_of


def _read_table(content: bytes, reference: str, versions_of: FindVersions) -> Deployment:
    """A deployment table that a person named; what is wrong with a book is said once, however many rows name it."""
    try:
        return parse_deployment(_text(content, reference), reference, versions_of)
    except BookError as error:
        raise BookError(tuple(dict.fromkeys(error.faults))) from None


def plan(reference: str, also: Sequence[Book] = (), old_until_us: int | None = None) -> Plan:
    """The plan of a reference.

    Parameters
    ----------
    reference
        A book as `rules.shelf.find` takes it, a deployment table, or `auto` for the shipped one.
    also
        Books that must be in the program because a carried state refers to them.
    old_until_us
        Up to when a carried state was written by version 0.1.0 (`rules.readings`).

    Raises
    ------
    BookError
        If a book is not found or has faults.
    """
    rules, digest = None, ""
    if reference == AUTO:
        books, rules = _deployed(deployment(), versions)
    elif (content := _table_of(reference)) is not None:
        versions_of, digest = _beside(Path(reference)), hashlib.sha256(content).hexdigest()
        books, rules = _deployed(_read_table(content, reference, versions_of), versions_of)
    else:
        books = find(reference)
    digests = {book.digest for book in books}
    others = [book for book in also if book.digest not in digests]
    program = with_old_readings(compile_books([*books, *others]), old_until_us)
    if rules is not None:
        return Plan(reference, program, Schedule(rules, reach_back=False), digest)
    note = early_note(reference)
    schedule = schedule_versions(program, range(len(books)))
    return Plan(reference, program, schedule, notes=(note,) if note else ())


def deployment_named(chosen: Plan) -> dict[str, str] | None:
    """The deployment table that a person named, as `run.json` has it."""
    return {"path": chosen.reference, "sha256": chosen.deployment} if chosen.deployment else None
