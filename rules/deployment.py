"""The deployment table: which book is in force for a platform, a city and a kind of rider, from which day.

Reads no disk (`shelf.deployment` does). A book of the legacy regime can be studied, never deployed.
"""

import datetime as dt
import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, StrictBool, StringConstraints

from rules.book import Book, BookPart, Sourced
from rules.book_values import BookId, LocalDate, Words
from rules.errors import BookError, Fault
from rules.events import RiderKind
from rules.ids import NO_PLATFORM, PLATFORM_PATTERN, id_fault
from rules.parse import MAX_TABLE_VALUES, Source, read_toml
from rules.validation import validated


class Deploy(Sourced):
    """One row: from this day on, riders of this kind in this city are scored by this book.

    A row without `platform` holds for every platform.
    """

    platform: Annotated[str, StringConstraints(pattern=PLATFORM_PATTERN)] | None = None
    city: Words
    rider_kind: RiderKind
    book: BookId
    from_: LocalDate = Field(alias="from")
    example: StrictBool = False


class _Table(BookPart):
    deploy: tuple[Deploy, ...]


@dataclass(frozen=True, slots=True)
class AmbiguousPlatform:
    """Riders of a kind in a city for whom rows of several platforms hold, from the day on which the second begins.

    Parameters
    ----------
    city
        The city.
    rider_kind
        The kind of rider.
    from_
        The day on which the second platform begins.
    platforms
        Those that are named, in order.
    """

    city: str
    rider_kind: str
    from_: dt.date
    platforms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deployment:
    """All rows, oldest first.

    Parameters
    ----------
    rows
        By the day from which they hold.
    """

    rows: tuple[Deploy, ...]

    @property
    def platforms(self) -> tuple[str, ...]:
        """The platforms that rows name, in order."""
        return tuple(sorted({row.platform for row in self.rows if row.platform is not None}))

    def of(self, platform: str) -> "Deployment":
        """The rows that hold for a platform: its own, and those that name none."""
        return Deployment(tuple(row for row in self.rows if row.platform in (None, platform)))

    def without_ambiguous(self) -> tuple["Deployment", tuple[AmbiguousPlatform, ...]]:
        """For who names no platform: the rows that hold whichever is meant, and where it must be named."""
        places: dict[tuple[str, str], list[Deploy]] = {}
        for row in self.rows:
            places.setdefault((row.city, row.rider_kind), []).append(row)
        doubts = [doubt for doubt in map(_doubt, places.values()) if doubt is not None]
        until = {(doubt.city, doubt.rider_kind): doubt.from_ for doubt in doubts}
        sure = (row for row in self.rows if row.from_ < until.get((row.city, row.rider_kind), dt.date.max))
        return Deployment(tuple(sure)), tuple(doubts)


FindVersions = Callable[[str], tuple[Book, ...]]
"""`find(book id)`: all versions of a book, oldest first. Raises `BookError` for a book that is not there."""


def _doubt(rows: list[Deploy]) -> AmbiguousPlatform | None:
    """Where rows of one city and kind, oldest first, are of several platforms."""
    begins: dict[str | None, dt.date] = {}
    for row in rows:
        begins.setdefault(row.platform, row.from_)
    if len(begins) < 2:
        return None
    second = sorted(begins.values())[1]
    named = tuple(sorted(platform for platform in begins if platform is not None))
    return AmbiguousPlatform(rows[0].city, rows[0].rider_kind, second, named)


def parse_deployment(
    text: str, file: str, find: FindVersions, takes_city: Callable[[str], bool] | None = None
) -> Deployment:
    """Read a deployment table and the books it names.

    Parameters
    ----------
    text
        TOML.
    file
        Its name in messages.
    find
        Finds the books that rows name.
    takes_city
        Whether a name that is no id stays valid: of cities known from before.

    Returns
    -------
    Deployment
        At least one row.

    Raises
    ------
    BookError
        With every fault found.
    """
    table, faults = validated(_Table, read_toml(Source(text, file), MAX_TABLE_VALUES), file)
    if table is not None and not table.deploy:
        faults.append(Fault("empty_list", file, key="deploy", given="[]"))
    seen: dict[tuple[str, str, dt.date], set[str | None]] = {}
    for row in table.deploy if table else ():
        platforms = seen.setdefault((row.city, row.rider_kind, row.from_), set())
        # A row that names no platform holds for each of them.
        if platforms and ({row.platform, None} & platforms or row.platform is None):
            faults.append(Fault("repeated_deploy", file, row.city, "from", row.from_.isoformat(), part="deploy"))
        platforms.add(row.platform)
        of_row = row_faults(row, file, find)
        is_taken = takes_city is not None and takes_city(row.city)
        faults += [fault for fault in of_row if not (is_taken and fault.code == "deployed_bad_city")]
    if faults or table is None:
        raise BookError(tuple(faults))
    return Deployment(tuple(sorted(table.deploy, key=lambda row: row.from_)))


def row_faults(row: Deploy, file: str, find: FindVersions) -> list[Fault]:
    """Say what is wrong with a row.

    Its city may be no id; its book may not be there, take fines, not be in force yet, or be for other riders.

    Parameters
    ----------
    row
        One row.
    file
        The table's name in messages.
    find
        Finds the book that the row names.

    Returns
    -------
    list of Fault
        Empty for a sound row.
    """
    faults = []
    unsound = id_fault(row.city)
    if unsound is not None:
        hint = (("hint", f"@id.{unsound}"),)
        faults.append(Fault("deployed_bad_city", file, row.city, "city", row.city, params=hint, part="deploy"))
    try:
        first = find(row.book)[0].model
    except BookError as error:
        return [*faults, *error.faults]
    if first.regime == "legacy":
        faults.append(Fault("legacy_deployed", file, row.city, "book", row.book, part="deploy"))
    if row.from_ < first.effective_from:
        given, allowed = row.from_.isoformat(), first.effective_from.isoformat()
        faults.append(Fault("deployed_early", file, row.city, "from", given, allowed, part="deploy"))
    if row.rider_kind not in first.rider_kinds:
        allowed = ", ".join(first.rider_kinds)
        faults.append(Fault("deployed_to_others", file, row.city, "rider_kind", row.rider_kind, allowed, part="deploy"))
    return faults


def need_platform(table: Deployment, platform: str, file: str) -> None:
    """Refuse a platform of which a table says nothing; one without rows that name a platform says something of all.

    Parameters
    ----------
    table
        The table.
    platform
        The platform that was named.
    file
        The table's name in messages.

    Raises
    ------
    BookError
        `unknown_platform`, naming those that the table has.
    """
    known = table.platforms
    if not known or platform in (NO_PLATFORM, *known):
        return
    near = difflib.get_close_matches(platform, known, n=1)
    if near or all(row.platform is not None for row in table.rows if not row.example):
        params = (("near", near[0] if near else known[0]),)
        raise BookError((Fault("unknown_platform", file, given=platform, allowed=", ".join(known), params=params),))


def several_platforms(doubts: Iterable[AmbiguousPlatform], file: str) -> tuple[Fault, ...]:
    """A fault for each city and kind of riders whose platform must be named.

    Parameters
    ----------
    doubts
        As `Deployment.undoubted` finds them.
    file
        The table's name in messages.

    Returns
    -------
    tuple of Fault
        One a doubt.
    """
    return tuple(
        Fault(
            "several_platforms", file, doubt.city, "platform", doubt.rider_kind, ", ".join(doubt.platforms),
            params=(
                ("kind", f"@word.{doubt.rider_kind}"),
                ("date", doubt.from_.isoformat()),
                ("first", doubt.platforms[0]),
            ),
            part="deploy",
        )
        for doubt in doubts
    )  # fmt: skip
