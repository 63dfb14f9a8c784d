"""Triggers that let the database itself refuse to change or remove rows, on SQLite and PostgreSQL."""

from alembic import op

_POSTGRESQL_FUNCTION = """
CREATE FUNCTION riderscore_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$
"""


def is_postgresql() -> bool:
    """Whether the database being migrated is PostgreSQL."""
    return op.get_bind().dialect.name == "postgresql"


def create_function() -> None:
    """What the triggers call; PostgreSQL only."""
    if is_postgresql():
        op.execute(_POSTGRESQL_FUNCTION)


def drop_function() -> None:
    """Undo `create_function`."""
    if is_postgresql():
        op.execute("DROP FUNCTION riderscore_refuse()")


def seal(table: str, key: tuple[str, ...]) -> None:
    """Refuse UPDATE and DELETE (and TRUNCATE) on a table from now on.

    Parameters
    ----------
    key
        Columns of the primary key: SQLite's INSERT OR REPLACE removes a row without telling a delete trigger.
    """
    if is_postgresql():
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION riderscore_refuse()"
        )
        return
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    same = " AND ".join(f"{column} = NEW.{column}" for column in key)
    op.execute(f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {refuse}")
    op.execute(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}")
    there = f"EXISTS (SELECT 1 FROM {table} WHERE {same})"  # noqa: S608 names from our own migrations
    op.execute(f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {there} {refuse}")
