"""What a database is, for good: of which platform (named when it is made or brought up to date), and whether a demo's."""

from typing import Final

from sqlalchemy import insert, select

from api.db.bulk import add_missing
from api.db.store import DatabaseError
from api.db.tables import marks, platform
from api.db.unit_of_work import ReadUnit, WriteUnit

DEFAULT: Final = "default"


class OtherPlatformError(DatabaseError):
    """A database that serves another platform than the one asked for."""

    def __init__(self, stored: str, asked: str) -> None:
        self.stored = stored
        self.asked = asked
        super().__init__(f"{stored}, not {asked}")


def platform_of(unit: ReadUnit | WriteUnit) -> str:
    """The platform of a database; `default` where none was named yet."""
    return unit.connection.scalar(select(platform.c.name)) or DEFAULT


def claim_platform(unit: WriteUnit, name: str) -> None:
    """Name the platform that a database serves.

    Raises
    ------
    OtherPlatformError
        If it serves another one already.
    """
    if unit.connection.scalar(select(platform.c.name)) is None:
        # Of several who come first at once, one names it.
        add_missing(unit, platform, [{"platform_id": 1, "name": name, "recorded_us": unit.recorded_us}])
    stored = platform_of(unit)
    if stored != name:
        raise OtherPlatformError(stored, name)


DEMO: Final = "demo"


def mark_demo(unit: WriteUnit) -> None:
    """Say that a new database is a demo's, for good."""
    unit.connection.execute(insert(marks), {"name": DEMO, "recorded_us": unit.recorded_us})


def is_demo(unit: ReadUnit | WriteUnit) -> bool:
    """Whether a database was made for a demo: everybody may come in as anybody there."""
    return unit.connection.execute(select(marks.c.name).where(marks.c.name == DEMO)).first() is not None
