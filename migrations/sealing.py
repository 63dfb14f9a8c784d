"""Triggers that note each new row of a table for sealing (`api.db.seals`), on SQLite and PostgreSQL."""

from alembic import op

from migrations.append_only import is_postgresql


def note_rows(table: str, key: str) -> None:
    """From now on each row that is added to a table waits for its seal.

    Parameters
    ----------
    key
        The column by which the row is found again.
    """
    noted = f"INSERT INTO seal_queue (sealed_table, row_key) VALUES ('{table}', CAST(NEW.{key} AS TEXT));"  # noqa: S608 names from our own migrations
    if is_postgresql():
        op.execute(
            f"CREATE FUNCTION {table}_noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {noted} RETURN NULL; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {table}_noted AFTER INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_noted()"
        )
    else:
        op.execute(f"CREATE TRIGGER {table}_noted AFTER INSERT ON {table} BEGIN {noted} END")


def forget_rows(table: str) -> None:
    """Undo `note_rows`."""
    if is_postgresql():
        op.execute(f"DROP TRIGGER {table}_noted ON {table}")
        op.execute(f"DROP FUNCTION {table}_noted()")
    else:
        op.execute(f"DROP TRIGGER {table}_noted")
