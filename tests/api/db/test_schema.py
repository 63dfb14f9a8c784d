"""Migrations: up and down on a populated database, and the same tables as the code thinks there are."""

import datetime as dt
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Date, LargeBinary, Table, Text, delete, insert, inspect, select, text, update
from sqlalchemy.exc import DBAPIError

from api.books import in_force
from api.db import schema
from api.db.store import Store, UnknownDatabaseError
from api.db.tables import APPEND_ONLY, approvals, drafts, entries, metadata
from api.riders.people import Person, save_person
from rules.deployment import Deploy
from tests.api.ledger.posts import BOOK, START_US, later, post, publish, same_ledger
from tests.builders import delivered

# Seconds of work.
pytestmark = pytest.mark.slow

EVENTS = later([delivered("e1"), delivered("e2", at_min=60, late_min=9)])


def populate(store: Store) -> None:
    """Rows in every table of the ledger."""
    publish(store, BOOK)
    with store.writing(START_US) as unit:
        save_person(unit, Person("r1", "张三", "13800000000"), "ops")
        row = {"source": "a test", "confidence": "ours", "from": dt.date(2025, 12, 3), "city": "hangzhou"}
        in_force.deploy(unit, [Deploy.model_validate(row | {"rider_kind": "crowdsourced", "book": BOOK})])
    post(store, EVENTS)
    fill_the_rest(store)


def fill_the_rest(store: Store) -> None:
    """One made-up row in every table of the service."""
    with store.writing(START_US) as unit:
        for table in metadata.sorted_tables:
            if unit.connection.execute(select(table).limit(1)).first() is None and table.name != "approvals":
                unit.connection.execute(insert(table), made_up(table))
        unit.connection.execute(update(drafts).values(state="submitted"))
        unit.connection.execute(insert(approvals), made_up(approvals) | {"approver": "b"})


def made_up(table: Table) -> dict[str, object]:
    """A row of a table; every text is x but where the database wants one of its own words."""
    kinds: dict[type, object] = {Text: "x", LargeBinary: b"x", Date: dt.date(2026, 1, 1)}
    words: dict[tuple[str, str], object] = {
        ("drafts", "state"): "open",
        ("appeal_decisions", "decision"): "upheld",
        ("appeal_decisions", "decided_by"): "ops:x",
        ("review_decisions", "outcome"): "suspend",
        ("review_decisions", "decided_by"): "ops:x",
        ("suspension_lifts", "lifted_by"): "ops:x",
    }
    return {column.name: words.get((table.name, column.name), kinds.get(type(column.type), 1)) for column in table.c}


def tables_of(store: Store) -> set[str]:
    """Tables in the database but Alembic's own."""
    with store.reading() as unit:
        return set(inspect(unit.connection).get_table_names()) - {"alembic_version"}


def test_migrations_make_the_tables_of_the_code(store: Store) -> None:
    """What the migrations made is what `tables` says: nothing missing, nothing left over."""
    with store.reading() as unit:
        found = compare_metadata(MigrationContext.configure(unit.connection), metadata)

    assert found == []


def test_every_migration_goes_down_and_up_on_a_populated_database(empty: Store) -> None:
    """One revision at a time, each with rows in its tables; afterwards the database works as before."""
    schema.upgrade(empty)
    populate(empty)

    steps = [*reversed((schema.BASE, *schema.revisions()[:-1]))]
    for revision in steps:
        schema.downgrade(empty, revision)
    assert tables_of(empty) == set()
    for revision in schema.revisions():
        schema.upgrade(empty, revision)

    assert tables_of(empty) == set(metadata.tables)
    populate(empty)
    same_ledger(empty, EVENTS, START_US + 60 * 60_000_000, BOOK)


def test_rows_survive_the_migrations_after_theirs(empty: Store) -> None:
    """Taking back the newest revision and entering it again leaves the older tables' rows alone."""
    schema.upgrade(empty)
    populate(empty)

    schema.downgrade(empty, "r0001")
    schema.upgrade(empty)

    with empty.reading() as unit:
        held = {
            name: unit.connection.execute(select(metadata.tables[name])).all() for name in ("books", "people", "audit")
        }
    assert {name: len(rows) for name, rows in held.items()} == {"books": 1, "people": 1, "audit": 1}


def test_an_upgrade_of_an_up_to_date_database_changes_nothing(store: Store) -> None:
    """It can be run as often as one likes."""
    populate(store)

    schema.upgrade(store)

    assert schema.revision_of(store) == schema.head()
    assert tables_of(store) == set(metadata.tables)


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_the_database_refuses_to_change_what_is_written_once(store: Store, table: str) -> None:
    """UPDATE and DELETE fail in the database itself, whatever program sends them."""
    populate(store)
    here = metadata.tables[table]
    column = next(iter(here.c))

    for statement in (delete(here), update(here).values({column.name: column})):
        with pytest.raises(DBAPIError, match="append-only"), store.writing(START_US) as unit:
            unit.connection.execute(statement)


def test_no_detour_changes_an_entry(store: Store) -> None:
    """Neither REPLACE (SQLite) nor TRUNCATE (PostgreSQL)."""
    populate(store)
    with store.reading() as unit:
        row = dict(unit.connection.execute(select(entries).limit(1)).mappings().one())
        is_sqlite = unit.connection.dialect.name == "sqlite"
    detour = (
        insert(entries).prefix_with("OR REPLACE").values(row | {"delta_mp": 5})
        if is_sqlite
        else text("TRUNCATE entries")
    )

    with pytest.raises(DBAPIError, match="append-only"), store.writing(START_US) as unit:
        unit.connection.execute(detour)


def test_a_read_unit_cannot_write(store: Store) -> None:
    """The database refuses it, not only the types."""
    populate(store)

    with pytest.raises(DBAPIError, match=r"read-?only"), store.reading() as unit:
        unit.connection.execute(delete(metadata.tables["people"]))
    with store.writing(START_US) as unit:
        assert unit.connection.execute(delete(metadata.tables["people"])).rowcount == 1


@pytest.mark.parametrize("url", ["mysql://host/name", "nothing", "sqlite+nowhere"])
def test_other_databases_are_refused_by_name(url: str) -> None:
    """No driver is asked for a database that the store does not know."""
    with pytest.raises(UnknownDatabaseError):
        Store(url)


def test_looking_at_a_missing_file_does_not_create_it(tmp_path: Path) -> None:
    """`db check` leaves no empty database behind."""
    path = tmp_path / "none.db"

    assert schema.revision_of(Store(f"sqlite:///{path}")) is None
    assert not path.exists()
