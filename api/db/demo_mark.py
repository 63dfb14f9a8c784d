"""Marks that a database gets when it is made, such as being a demo."""

from typing import Final

from sqlalchemy import insert, select

from api.db.tables import marks
from api.db.unit_of_work import ReadUnit, WriteUnit

DEMO: Final = "demo"


def mark_demo(unit: WriteUnit) -> None:
    """Say that a new database is a demo's, for good."""
    unit.connection.execute(insert(marks), {"name": DEMO, "recorded_us": unit.recorded_us})


def is_demo(unit: ReadUnit | WriteUnit) -> bool:
    """Whether a database was made for a demo: everybody may come in as anybody there."""
    return unit.connection.execute(select(marks.c.name).where(marks.c.name == DEMO)).first() is not None
