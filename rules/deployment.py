"""The deployment table: which book is in force for a city and a kind of rider, from which day.

Reads no disk (`shelf.deployment` does). A book of the legacy regime can be studied, never deployed.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import Field, StrictBool

from rules.book import Book, BookId, LocalDate, Part, RiderKind, Sourced, Words
from rules.errors import BookError, Fault
from rules.ids import id_fault
from rules.parse import MAX_TABLE_VALUES, Source, read_toml
from rules.validation import validated


class Deploy(Sourced):
    """One row: from this day on, riders of this kind in this city are scored by this book."""

    city: Words
    rider_kind: RiderKind
    book: BookId
    from_: LocalDate = Field(alias="from")
    example: StrictBool = False


class _Table(Part):
    deploy: tuple[Deploy, ...]


@dataclass(frozen=True, slots=True)
class Deployment:
    """All rows, oldest first."""

    rows: tuple[Deploy, ...]

    def book_for(self, city: str, rider_kind: str, local_date: dt.date) -> str | None:
        """The id of the book in force, or None where no score is in use on that day."""
        found: str | None = None
        for row in self.rows:
            if (row.city, row.rider_kind) == (city, rider_kind) and row.from_ <= local_date:
                found = row.book
        return found


FindVersions = Callable[[str], tuple[Book, ...]]
"""`find(book id)`: all versions of a book, oldest first. Raises `BookError` for a book that is not there."""


def parse_deployment(text: str, file: str, find: FindVersions) -> Deployment:
    """Read a deployment table and the books it names.

    Raises
    ------
    BookError
        With every fault found.
    """
    table, faults = validated(_Table, read_toml(Source(text, file), MAX_TABLE_VALUES), file)
    if table is not None and not table.deploy:
        faults.append(Fault("empty_list", file, key="deploy", given="[]"))
    seen: set[tuple[str, str, dt.date]] = set()
    for row in table.deploy if table else ():
        identity = (row.city, row.rider_kind, row.from_)
        if identity in seen:
            faults.append(Fault("repeated_deploy", file, row.city, "from", row.from_.isoformat(), part="deploy"))
        seen.add(identity)
        unsound = id_fault(row.city)
        if unsound is not None:
            hint = (("hint", f"@id.{unsound}"),)
            faults.append(Fault("deployed_bad_city", file, row.city, "city", row.city, params=hint, part="deploy"))
        faults += _book_faults(row, file, find)
    if faults or table is None:
        raise BookError(tuple(faults))
    return Deployment(tuple(sorted(table.deploy, key=lambda row: row.from_)))


def _book_faults(row: Deploy, file: str, find: FindVersions) -> list[Fault]:
    try:
        first = find(row.book)[0].model
    except BookError as error:
        return list(error.faults)
    faults = []
    if first.regime == "legacy":
        faults.append(Fault("legacy_deployed", file, row.city, "book", row.book, part="deploy"))
    if row.from_ < first.effective_from:
        given, allowed = row.from_.isoformat(), first.effective_from.isoformat()
        faults.append(Fault("deployed_early", file, row.city, "from", given, allowed, part="deploy"))
    if row.rider_kind not in first.rider_kinds:
        allowed = ", ".join(first.rider_kinds)
        faults.append(Fault("deployed_to_others", file, row.city, "rider_kind", row.rider_kind, allowed, part="deploy"))
    return faults
