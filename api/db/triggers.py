"""The triggers that hold the tables to their rules, as the database shows them: which are missing or do nothing.

The migrations make them; a test holds this list to what they make.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import text

from api.db.seals import SEALED
from api.db.tables import APPEND_ONLY
from api.db.unit_of_work import ReadUnit

# (table, trigger) of what is held to more than being append-only, on either engine.
_LAW: Final = (
    ("approvals", "approvals_by_another"),
    ("approvals", "approvals_of_content"),
    ("drafts", "drafts_approved"),
    ("drafts", "drafts_recorded"),
    ("drafts", "drafts_closed"),
    ("drafts", "drafts_stay"),
    ("drafts", "drafts_born_open"),
    ("outbox", "outbox_needed"),
)
_REFUSES: Final = "RAISE"
_NOTES: Final = "INSERT INTO seal_queue"
# Of triggers that refuse every row: SQLite writes a condition where there is one.
_CONDITION: Final = " WHEN "


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger that must be there; `does` is what its text must hold, `is_for_all` that it has no condition."""

    table: str
    name: str
    does: str = _REFUSES
    is_for_all: bool = False


@dataclass(frozen=True, slots=True)
class MissingTrigger:
    """A trigger that is `missing`, or does not do what it must: switched `off`, or another of its name."""

    guard: Trigger
    what: Literal["missing", "off", "other"]


def expected_triggers(dialect: str) -> Iterator[Trigger]:
    """All triggers that a database of an engine must have."""
    for table in APPEND_ONLY:
        if dialect == "postgresql":
            yield Trigger(table, f"{table}_append_only", is_for_all=True)
        else:
            yield Trigger(table, f"{table}_no_update", is_for_all=True)
            yield Trigger(table, f"{table}_no_replace")
            yield Trigger(table, f"{table}_no_delete", is_for_all=True)
    if dialect == "postgresql":
        yield Trigger("outbox", "outbox_append_only", is_for_all=True)
    else:
        yield Trigger("outbox", "outbox_no_update", is_for_all=True)
        yield Trigger("outbox", "outbox_no_replace")
    for table, name in _LAW:
        yield Trigger(table, name)
    for table in SEALED:
        yield Trigger(table, f"{table}_noted", _NOTES, is_for_all=True)


def missing_triggers(unit: ReadUnit) -> Iterator[MissingTrigger]:
    """Every trigger that is not there, or does not do what it must."""
    dialect = unit.connection.dialect.name
    installed = _postgresql(unit) if dialect == "postgresql" else _sqlite(unit)
    for guard in expected_triggers(dialect):
        there = installed.get((guard.table, guard.name))
        if there is None:
            yield MissingTrigger(guard, "missing")
        elif not there.is_on:
            yield MissingTrigger(guard, "off")
        elif guard.does not in there.body or (guard.is_for_all and there.has_condition):
            yield MissingTrigger(guard, "other")


@dataclass(frozen=True, slots=True)
class _InstalledTrigger:
    body: str
    is_on: bool
    has_condition: bool


def _sqlite(unit: ReadUnit) -> dict[tuple[str, str], _InstalledTrigger]:
    rows = unit.connection.execute(text("SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'trigger'"))
    return {
        (row[0], row[1]): _InstalledTrigger(row[2], True, _CONDITION in row[2].upper().partition("BEGIN")[0])
        for row in rows
    }


def _postgresql(unit: ReadUnit) -> dict[tuple[str, str], _InstalledTrigger]:
    rows = unit.connection.execute(
        text(
            "SELECT c.relname, t.tgname, p.prosrc, t.tgenabled, t.tgqual IS NOT NULL AS has_condition "
            "FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid "
            "WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace"
        )
    )
    return {
        (row.relname, row.tgname): _InstalledTrigger(
            row.prosrc, row.tgenabled in ("O", "A", b"O", b"A"), row.has_condition
        )
        for row in rows
    }
