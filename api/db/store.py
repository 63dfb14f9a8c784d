"""Databases and units of work: a read unit cannot write, a write unit commits once, at its edge.

Nothing inside a unit commits. On PostgreSQL a read unit is a read-only snapshot and writers of one rider wait for each
other at the rider's row; on SQLite writers take turns from their first statement on.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from api.db.locks import lock_of_file
from api.db.seals import seal_waiting
from api.db.unit_of_work import ReadUnit, WriteUnit

BUSY_MS: Final = 60_000
# How long somebody waits for a connection that is free; they may ask again.
POOL_WAIT_S: Final = 2
POOL_SIZE: Final = 16
CONNECT_S: Final = 5
SCRUB_S: Final = 0.5
# What stands between a name and a host in a URL that is none.
_PASSWORD: Final = re.compile(r"(:/+[^/@:]*:)[^@]*@")
DRIVERS: Final = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}


class DatabaseError(Exception):
    """The family of errors of the database."""


class UnknownDatabaseError(DatabaseError):
    """A URL that names neither SQLite nor PostgreSQL."""


class InMemoryError(DatabaseError):
    """A URL of an SQLite database in memory, which every connection would have to itself."""


class UnreachableError(DatabaseError):
    """A database that cannot be opened, or has not the tables expected; says what the driver said, in one line."""


class BusyError(UnreachableError):
    """A database that is there, but of which nothing was free in time, or for which too many wait already."""


@contextmanager
def driver_errors() -> Iterator[None]:
    """Turn what a driver says of a database into `UnreachableError`."""
    try:
        yield
    except DBAPIError as error:
        raise UnreachableError(str(error.orig).strip().partition("\n")[0]) from error


@contextmanager
def connection_errors() -> Iterator[None]:
    """Turn a database that is away, or in whose queue nobody is served, into `UnreachableError`."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise UnreachableError(str(error.orig).strip().partition("\n")[0]) from error
    except PoolTimeoutError as error:
        raise BusyError("no connection is free") from error


class Store:
    """A database by URL: `sqlite:///file.db` or `postgresql://…` (psycopg 3)."""

    def __init__(self, url: str) -> None:
        self.engine: Engine = _engine(url)
        self._is_to_scrub = False
        # Taken before a connection is: who waits to write holds nothing.
        self._turns = lock_of_file(str(Path(self.engine.url.database or "").resolve())) if self.is_sqlite else None

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is a file of one writer at a time."""
        return self.engine.dialect.name == "sqlite"

    @property
    def path(self) -> Path | None:
        """The file of an SQLite database, in full."""
        return Path(self.engine.url.database or "").resolve() if self.is_sqlite else None

    @property
    def is_missing(self) -> bool:
        """Whether it is a file that is not there: opening it would make it."""
        return self.path is not None and not self.path.exists()

    @property
    def shown_url(self) -> str:
        """The URL without its password."""
        return _shown(self.engine.url)

    @property
    def url(self) -> str:
        """The URL as another process needs it, password and all: never for people or logs."""
        return self.engine.url.render_as_string(hide_password=False)

    @contextmanager
    def reading(self) -> Iterator[ReadUnit]:
        """A unit that only reads; the database refuses anything else."""
        options: dict[str, Any] = {"riderscore_writes": False}
        if self.engine.dialect.name == "postgresql":
            options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with self.engine.connect() as connection:
            connection.execution_options(**options)
            with connection.begin():
                yield ReadUnit(connection)

    @contextmanager
    def writing(self, recorded_us: int) -> Iterator[WriteUnit]:
        """A unit that is sealed and committed when its block ends, and rolled back if the block raises.

        One post or one tick a unit: riders are locked in order once.
        """
        with self.changing(recorded_us) as unit:
            yield unit
            # What was undone inside of the block leaves nothing to seal.
            if unit.connection.in_transaction():
                seal_waiting(unit)

    @contextmanager
    def changing(self, recorded_us: int) -> Iterator[WriteUnit]:
        """As `writing`, on a database whose tables are being made: nothing is sealed."""
        with self._turn(), self.engine.connect() as connection:
            # READ COMMITTED: who has waited for a rider's row must see what the other writer wrote.
            options = {"isolation_level": "READ COMMITTED"} if self.engine.dialect.name == "postgresql" else {}
            connection.execution_options(riderscore_writes=True, **options)
            with connection.begin():
                yield WriteUnit(connection, recorded_us)

    def scrub(self, *, again: bool = False) -> bool:
        """Let an SQLite file forget what was erased: bring the log into the file, where erased bytes are zeros.

        Readers may be in the way for a moment; `again` does only what was left undone before. On PostgreSQL its own
        VACUUM does this.

        Returns
        -------
        Whether nothing is left to do.
        """
        path = self.engine.url.database
        if self.engine.dialect.name != "sqlite" or not path or (again and not self._is_to_scrub):
            return True
        with closing(sqlite3.connect(path, timeout=SCRUB_S, isolation_level=None)) as connection:
            is_busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        self._is_to_scrub = bool(is_busy)
        return not is_busy

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """On SQLite: the turn to write, in the order of asking."""
        if self._turns is None:
            yield
            return
        with self._turns.turn(BUSY_MS / 1_000) as has_turn:
            if not has_turn:
                raise BusyError("database is locked")
            yield

    def close(self) -> None:
        """Give back all connections."""
        self.engine.dispose()


class HeldTransaction:
    """One transaction for all that is written while something is done; whoever began it says whether it stands.

    A block that raises undoes all that was written before it, too.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stack = ExitStack()
        self._unit: WriteUnit | None = None

    @contextmanager
    def reading(self) -> Iterator[ReadUnit]:
        """A unit that sees what was written so far."""
        if self._unit is None:
            with self._store.reading() as unit:
                yield unit
        else:
            yield ReadUnit(self._unit.connection)

    @contextmanager
    def writing(self, recorded_us: int) -> Iterator[WriteUnit]:
        """The unit, begun where it was not; its end commits nothing."""
        if self._unit is None:
            self._unit = self._stack.enter_context(self._store.writing(recorded_us))
        try:
            yield self._unit
        except BaseException:
            self.undo()
            raise

    def commit(self) -> None:
        """Let what was written stand."""
        self._unit = None
        self._stack.close()

    def undo(self) -> None:
        """Undo what was written."""
        if self._unit is not None:
            self._unit.connection.rollback()
        self.commit()


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise UnknownDatabaseError(_PASSWORD.sub(r"\1***@", url)) from None
    backend = parsed.get_backend_name()
    if backend not in DRIVERS:
        raise UnknownDatabaseError(_shown(parsed))
    if backend == "sqlite" and _is_in_memory(parsed):
        raise InMemoryError(_shown(parsed))
    driver_options: dict[str, Any] = {} if backend == "sqlite" else {"connect_args": {"connect_timeout": CONNECT_S}}
    engine = create_engine(
        parsed.set(drivername=DRIVERS[backend]),
        pool_size=POOL_SIZE,
        max_overflow=POOL_SIZE,
        pool_timeout=POOL_WAIT_S,
        **driver_options,
    )
    if backend == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _shown(url: URL) -> str:
    """A URL without its password, whichever way it is written."""
    hidden = {name: "***" for name in url.query if "password" in name.lower()}
    return url.update_query_dict(hidden).render_as_string()


def _is_in_memory(url: URL) -> bool:
    name = url.database or ":memory:"
    return ":memory:" in name or url.query.get("mode") == "memory" or "mode=memory" in name


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver must not begin transactions by itself: `_begin_sqlite` does.
    connection.isolation_level = None
    cursor = connection.cursor()
    # FULL: what was answered is on disk; REPLACE fires delete triggers only with recursive_triggers.
    for pragma in (
        f"busy_timeout = {BUSY_MS}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "recursive_triggers = ON",
        # What is deleted leaves zeros behind, not words.
        "secure_delete = ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("riderscore_writes", True)
    connection.exec_driver_sql(f"PRAGMA query_only = {'OFF' if writes else 'ON'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
