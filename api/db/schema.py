"""Migrations from code: bring a database up to date, or say that it is not. No alembic.ini, no working directory."""

from importlib.util import find_spec

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from api.clock import now_us
from api.db.store import Store
from api.db.unit_of_work import ReadUnit, WriteUnit

HEAD = "head"
BASE = "base"
_HAS_TABLES = text(
    "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'f', 'm') AND NOT EXISTS (SELECT FROM pg_depend d"
    " WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))"
)


def _config() -> Config:
    package = find_spec("migrations")
    if package is None or not package.submodule_search_locations:
        raise RuntimeError("the package `migrations` is not installed")
    config = Config()
    # ConfigParser reads % as the start of a name.
    config.set_main_option("script_location", next(iter(package.submodule_search_locations)).replace("%", "%%"))
    return config


def head() -> str:
    """The newest revision that this build knows."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    if newest is None:
        raise RuntimeError("there are no migrations")
    return newest


def revisions() -> tuple[str, ...]:
    """All revisions, oldest first."""
    return tuple(reversed([script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()]))


def current(unit: ReadUnit | WriteUnit) -> str | None:
    """The revision that a database is at; None for an empty one."""
    return MigrationContext.configure(unit.connection).get_current_revision()


def revision_of(store: Store) -> str | None:
    """The revision of a database; looking creates no SQLite file."""
    if store.is_missing:
        return None
    with store.reading() as unit:
        return current(unit)


def is_of_others(store: Store, revision: str | None) -> bool:
    """Whether a database holds what this program did not make: tables without a revision, or a revision of others.

    Tables of other servers count as well; those that belong to an extension of PostgreSQL are nobody's data.
    """
    if revision is not None:
        return revision not in revisions()
    if store.is_missing:
        return False
    with store.reading() as unit:
        if unit.connection.dialect.name == "postgresql":
            return bool(unit.connection.scalar(_HAS_TABLES))
        return bool(inspect(unit.connection).get_table_names())


def upgrade(store: Store, revision: str = HEAD) -> None:
    """Bring a database up to a revision, in one transaction; two processes at once take turns."""
    with store.changing(0) as unit:
        if unit.connection.dialect.name == "postgresql":
            unit.connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7286146125)")
        config = _config()
        config.attributes |= {"connection": unit.connection, "now_us": now_us()}
        command.upgrade(config, revision)


def downgrade(store: Store, revision: str = BASE) -> None:
    """Take a database back to a revision; what newer tables hold is lost."""
    with store.changing(0) as unit:
        config = _config()
        config.attributes["connection"] = unit.connection
        command.downgrade(config, revision)
