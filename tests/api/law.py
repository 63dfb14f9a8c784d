"""A database with the shipped books in force somewhere, for tests that are about something else."""

from api.books.deployment import put_in_force, seed_shipped
from api.db.unit_of_work import WriteUnit
from rules.deployment import parse_deployment
from rules.shelf import versions
from tests.fixtures.v0_1_0.kept import TABLE


def seed_in_force(unit: WriteUnit) -> None:
    """The shipped books, in force where the table of 0.1.0 has them: thirteen cities and kinds of riders."""
    seed_shipped(unit)
    put_in_force(unit, "service:test", parse_deployment(TABLE.read_text(encoding="utf-8"), TABLE.name, versions).rows)
