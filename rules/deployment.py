"""The deployment table: which book is in force for a city and a kind of rider, from which day.

Reads no disk (`shelf.deployment` does). A book of the legacy regime can be studied, never deployed.
"""

import datetime as dt
from dataclasses import dataclass

from pydantic import Field, StrictBool

from rules.book import BookId, LocalDate, Part, RiderKind, Sourced, Words
from rules.errors import BookError, Fault
from rules.parse import Source, read_toml
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


def parse_deployment(text: str, file: str) -> Deployment:
    """Read a deployment table.

    Raises
    ------
    BookError
        With every fault found.
    """
    table, faults = validated(_Table, read_toml(Source(text, file)), file)
    seen: set[tuple[str, str, dt.date]] = set()
    for row in table.deploy if table else ():
        identity = (row.city, row.rider_kind, row.from_)
        if identity in seen:
            faults.append(Fault("repeated_deploy", file, row.city, "from", row.from_.isoformat(), part="deploy"))
        seen.add(identity)
    if faults or table is None:
        raise BookError(tuple(faults))
    return Deployment(tuple(sorted(table.deploy, key=lambda row: row.from_)))
