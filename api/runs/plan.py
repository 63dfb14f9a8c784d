"""Which books a run uses: a reference such as `taobao-crowdsourced`, `id@2025-12-03`, a file, or `auto`.

A TOML file is a book, or a deployment table (`[[deploy]]`): then each city and kind of rider has its own books.
"""

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from api.files.errors import InputError
from rules.book import Book
from rules.calendar import calendar
from rules.compile import Program, compile_books, start_us
from rules.deployment import (
    AmbiguousPlatform,
    Deploy,
    Deployment,
    FindVersions,
    need_platform,
    parse_deployment,
    several_platforms,
)
from rules.errors import BookError, Fault
from rules.ids import NO_PLATFORM
from rules.parse import MAX_BYTES, MAX_TABLE_VALUES, Source, decode, read_toml
from rules.readings_0_1_0 import with_old_readings
from rules.shelf import deployable, deployment, early_note, find, pilots
from scoring.columns import NO_TIME
from scoring.prepare import Schedule, schedule_versions

AUTO = "auto"
# The shipped deployment table, for `serve --deployment`.
PUBLISHED = "published"


@dataclass(frozen=True, slots=True)
class RunPlan:
    """The books of a run and which of them judges which event.

    Parameters
    ----------
    reference
        What the person typed.
    deployment
        SHA-256 of the deployment table that the person named; empty where they named none.
    notes
        What a person should know of the reference.
    platform, rows
        Whose events are judged, and the rows of the deployment table that hold for it.
    doubts
        From which instant (µs) on, for a city and kind of riders, the platform must be named.
    """

    reference: str
    program: Program
    schedule: Schedule
    deployment: str = ""
    notes: tuple[Fault, ...] = ()
    platform: str = NO_PLATFORM
    rows: tuple[Deploy, ...] = ()
    doubts: Mapping[tuple[str, str], tuple[int, AmbiguousPlatform]] = field(default_factory=dict)

    @property
    def time_zone(self) -> str:
        """Zone of the first book; day 0 of an `mdrp` instance is a day of this zone."""
        return self.program.books[0].model.time_zone


def _day_us(book: Book, date: dt.date) -> int:
    """First instant (UTC µs) of a local day of a book."""
    return calendar(book.model.time_zone, book.model.day_starts).start_of(date)


StartsByPlace = dict[tuple[str, str], tuple[tuple[int, int], ...]]
"""(city, rider kind) → ascending instants (µs) and positions of books, as `Schedule.rules`."""


def deployed_starts(rows: Iterable[Deploy], versions_of: FindVersions, position: Mapping[str, int]) -> StartsByPlace:
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
        versions = versions_of(row.book)
        from_us = _day_us(versions[0], row.from_)
        # The version in force on the first day judges from then on, later versions from their own day.
        in_force = [book for book in versions if start_us(book.model) <= from_us] or [versions[0]]
        starts = [(from_us, position[in_force[-1].digest])]
        starts += [(start_us(book.model), position[book.digest]) for book in versions if start_us(book.model) > from_us]
        before = [start for start in rules.get((row.city, row.rider_kind), []) if start[0] < from_us]
        rules[row.city, row.rider_kind] = before + starts
    return {key: tuple(starts) for key, starts in rules.items()}


@dataclass(frozen=True, slots=True)
class ChosenTable:
    """A deployment table as somebody named it.

    Parameters
    ----------
    digest
        SHA-256 of the file; empty for the shipped table.
    versions_of
        Where the books are that it names.
    """

    table: Deployment
    digest: str
    versions_of: FindVersions

    @property
    def books(self) -> list[Book]:
        """All versions of the books that rows name."""
        return [book for name in dict.fromkeys(row.book for row in self.table.rows) for book in self.versions_of(name)]


def chosen_table(reference: str, takes_city: Callable[[str], bool] | None = None) -> ChosenTable | None:
    """The table that `auto` or a file of `[[deploy]]` rows names; None where the reference is a book.

    Raises
    ------
    BookError
        With every fault of the table.
    """
    if reference == AUTO:
        versions_of: FindVersions = deployable
        table, digest = deployment(), ""
    else:
        content = _table_of(reference)
        if content is None:
            return None
        versions_of, digest = _beside(Path(reference)), hashlib.sha256(content).hexdigest()
        table = _read_table(content, reference, versions_of, takes_city)
    return ChosenTable(table, digest, _as_early_as(table, versions_of))


def table_of_platform(reference: str, platform: str) -> ChosenTable:
    """The rows of a deployment table that a database of a platform puts in force.

    Parameters
    ----------
    reference
        `published` for the shipped table, without its examples; else a file.
    platform
        That of the database; a table that names platforms wants one of them.

    Raises
    ------
    BookError
        If the reference is no deployment table, has faults, or has no row for the platform.
    """
    is_published = reference in (PUBLISHED, AUTO)
    chosen = chosen_table(AUTO if is_published else reference)
    if chosen is None:
        if not Path(reference).is_file():
            raise BookError((Fault("not_found", reference),))
        raise BookError((Fault("no_deployment", reference),))
    table = chosen.table
    if is_published:
        table = Deployment(tuple(row for row in table.rows if not row.example))
    if platform == NO_PLATFORM and table.platforms:
        allowed = ", ".join(table.platforms)
        params = (("first", table.platforms[0]),)
        raise BookError((Fault("deployment_platform", reference, given=platform, allowed=allowed, params=params),))
    need_platform(table, platform, reference)
    return ChosenTable(table.of(platform), chosen.digest, chosen.versions_of)


def _as_early_as(table: Deployment, versions_of: FindVersions) -> FindVersions:
    """The versions of the books of a table, those of pilots only where a row begins before what was published."""
    first = {row.book: row.from_ for row in reversed(table.rows)}

    def needed(book_id: str) -> tuple[Book, ...]:
        versions = versions_of(book_id)
        published = tuple(book for book in versions if book not in pilots(book_id))
        return versions if first[book_id] < published[0].model.effective_from else published

    return needed


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
            versions = find(path)
            if versions[0].id != book_id:
                raise BookError((Fault("deployed_misnamed", path, key="id", given=versions[0].id, allowed=book_id),))
            return versions
        try:
            return deployable(book_id)
        except BookError as error:
            raise BookError(tuple(replace(fault, file=str(table), key="book") for fault in error.faults)) from None

    return versions_of


def _read_table(
    content: bytes, reference: str, versions_of: FindVersions, takes_city: Callable[[str], bool] | None
) -> Deployment:
    """A deployment table that a person named; what is wrong with a book is said once, however many rows name it."""
    try:
        return parse_deployment(_text(content, reference), reference, versions_of, takes_city)
    except BookError as error:
        raise BookError(tuple(dict.fromkeys(error.faults))) from None


def plan_books(
    reference: str, also: Sequence[Book] = (), old_until_us: int | None = None, platform: str = NO_PLATFORM,
    takes_city: Callable[[str], bool] | None = None,
) -> RunPlan:  # fmt: skip
    """The plan of a reference.

    Parameters
    ----------
    reference
        A book as `rules.shelf.find` takes it, a deployment table, or `auto` for the shipped one.
    also
        Books that must be in the program because a carried state refers to them.
    old_until_us
        Up to when a carried state was written by version 0.1.0 (`rules.readings_0_1_0`).
    platform
        Whose events are judged: of a deployment table its rows hold, and those that name none.
    takes_city
        As of `rules.deployment.parse_deployment`.

    Raises
    ------
    BookError
        If a book is not found or has faults, or a deployment table says nothing of the platform.
    """
    chosen = chosen_table(reference, takes_city)
    if chosen is None:
        books = find(reference)
        program, note = _program(books, also, old_until_us), early_note(reference)
        schedule = schedule_versions(program, range(len(books)))
        return RunPlan(reference, program, schedule, notes=(note,) if note else ())
    need_platform(chosen.table, platform, reference)
    table, doubts = chosen.table.without_ambiguous() if platform == NO_PLATFORM else (chosen.table.of(platform), ())
    # Which books are known does not depend on the platform.
    program = _program(chosen.books, also, old_until_us)
    position = {book.digest: k for k, book in enumerate(program.books)}
    rules = deployed_starts(table.rows, chosen.versions_of, position)
    schedule = Schedule(rules, reach_back=False)
    doubted = _in_doubt(chosen, doubts)
    return RunPlan(reference, program, schedule, chosen.digest, platform=platform, rows=table.rows, doubts=doubted)


def _program(books: Sequence[Book], also: Sequence[Book], old_until_us: int | None) -> Program:
    """Books of a reference, then those that only a carried state refers to."""
    digests = {book.digest for book in books}
    others = [book for book in also if book.digest not in digests]
    return with_old_readings(compile_books([*books, *others]), old_until_us)


def _in_doubt(
    chosen: ChosenTable, doubts: Iterable[AmbiguousPlatform]
) -> dict[tuple[str, str], tuple[int, AmbiguousPlatform]]:
    """From which instant on each doubt holds: the day begins as the books of its rows have it."""
    books: dict[tuple[str, str, dt.date], str] = {
        (row.city, row.rider_kind, row.from_): row.book for row in chosen.table.rows
    }
    doubts_by_place = {}
    for doubt in doubts:
        book = chosen.versions_of(books[doubt.city, doubt.rider_kind, doubt.from_])[0]
        doubts_by_place[doubt.city, doubt.rider_kind] = (_day_us(book, doubt.from_), doubt)
    return doubts_by_place


def check_one_platform(chosen: RunPlan, table: pa.Table) -> None:
    """Refuse events for which rows of several platforms hold.

    Parameters
    ----------
    table
        Canonical columns.

    Raises
    ------
    InputError
        `several_platforms` for each city and kind of riders, naming the platforms.
    """
    if not chosen.doubts or not table.num_rows:
        return
    cities = pa.array(sorted({city for city, _ in chosen.doubts}))
    of_them = table.select(["city", "rider_kind", "occurred_us"]).filter(pc.is_in(table["city"].cast("string"), cities))
    newest: dict[tuple[str, str], int] = {}
    for city, kind, at_us in zip(*(of_them[name].to_pylist() for name in of_them.column_names), strict=True):
        newest[city, kind] = max(newest.get((city, kind), at_us), at_us)
    unresolved = [
        doubt for place, (from_us, doubt) in sorted(chosen.doubts.items()) if newest.get(place, NO_TIME) >= from_us
    ]
    if unresolved:
        raise InputError(*several_platforms(unresolved, chosen.reference))


def deployment_rows_document(chosen: RunPlan) -> list[dict[str, Any]] | None:
    """The rows of the deployment table that judged, as `run.json` has them; None for a book."""
    if not chosen.rows:
        return None
    return [row.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"example"}) for row in chosen.rows]


def deployment_document(chosen: RunPlan) -> dict[str, str] | None:
    """The deployment table that a person named, as `run.json` has it."""
    return {"path": chosen.reference, "sha256": chosen.deployment} if chosen.deployment else None
