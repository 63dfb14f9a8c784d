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
        _refuse_statements(table, "UPDATE OR DELETE OR TRUNCATE")
        return
    _refuse_rows(table, key)
    op.execute(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {_refusal(table)}")


def seal_while(table: str, key: tuple[str, ...], needed: str) -> None:
    """Refuse UPDATE (and TRUNCATE) on a table from now on, and DELETE of a row as long as it is needed.

    Parameters
    ----------
    key
        As of `seal`.
    needed
        A condition on the columns of `OLD`.
    """
    if not is_postgresql():
        _refuse_rows(table, key)
        op.execute(f"CREATE TRIGGER {table}_needed BEFORE DELETE ON {table} WHEN {needed} {_refusal(table)}")
        return
    _refuse_statements(table, "UPDATE OR TRUNCATE")
    op.execute(
        f"CREATE FUNCTION {table}_needed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF {needed} THEN "
        f"RAISE EXCEPTION '{table} is append-only' USING ERRCODE = 'integrity_constraint_violation'; "
        "END IF; RETURN OLD; END $$"
    )
    op.execute(f"CREATE TRIGGER {table}_needed BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_needed()")


def unseal_while(table: str) -> None:
    """What is left of `seal_while` when its table is gone."""
    if is_postgresql():
        op.execute(f"DROP FUNCTION {table}_needed()")


def _refuse_statements(table: str, verbs: str) -> None:
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE {verbs} ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION riderscore_refuse()"
    )


def _refuse_rows(table: str, key: tuple[str, ...]) -> None:
    same = " AND ".join(f"{column} = NEW.{column}" for column in key)
    there = f"EXISTS (SELECT 1 FROM {table} WHERE {same})"  # noqa: S608 names from our own migrations
    op.execute(f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {_refusal(table)}")
    op.execute(f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {there} {_refusal(table)}")


def _refusal(table: str) -> str:
    return f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
