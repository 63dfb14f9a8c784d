"""A lock by which one server at a time does what is due; the others skip it."""

from typing import Final

from sqlalchemy import text

from api.db.unit_of_work import WriteUnit

_TICK: Final = 7_286_146_126


def holds_tick_lock(unit: WriteUnit) -> bool:
    """Whether no other server does this now; held until the unit ends. SQLite has one writer at a time anyway."""
    if unit.connection.dialect.name != "postgresql":
        return True
    return bool(unit.connection.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _TICK}))
