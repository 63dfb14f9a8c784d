"""The one row that the card's hot path reads, by the raw driver: no pool of threads, no query builder.

On SQLite the row is read on the event loop itself: one look into an index of a file that is mapped in memory takes
less than handing it to a thread. On PostgreSQL each of a few connections holds the statement prepared.

asyncpg stands beside psycopg for this one row: over psycopg's asynchronous connections, prepared and binary, the route answers 40 %
fewer requests (tests/benchmarks/http/card.py: 1 110 to 1 275 a second instead of 2 122).
"""

import asyncio
import sqlite3
from collections import deque
from typing import Final, Protocol

import asyncpg

from api.db.store import POOL_WAIT_S, BusyError, Store, UnreachableError
from api.riders.cards import CARD_COLUMNS, CardRow

_COLUMNS: Final = ", ".join(CARD_COLUMNS)
_BY_RIDER: Final = f"SELECT {_COLUMNS} FROM rider_state WHERE rider_id = "  # noqa: S608 - own names
# More connections than this only make PostgreSQL's processes compete.
_NUM_CONNECTIONS: Final = 4
_CONNECT_S: Final = 2
_BROKEN: Final = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InvalidCachedStatementError,
    # The server has no room for another connection, is shutting down, or is still starting.
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
)


class CardRows(Protocol):
    """Rows of riders, for one event loop."""

    async def card_row(self, rider_id: str) -> CardRow | None:
        """What decides whether a rider's card is still the card.

        Raises
        ------
        UnreachableError
            If the database is away, or (`BusyError`) no connection is free for `POOL_WAIT_S`.
        """

    async def close(self) -> None:
        """Give back all connections."""


def card_rows(store: Store) -> CardRows:
    """Rows of a store, by its driver."""
    if store.engine.dialect.name == "postgresql":
        return _PostgresRows(store.engine.url.set(drivername="postgresql").render_as_string(hide_password=False))
    return _SqliteRows(store.engine.url.database or "")


class _SqliteRows:
    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA query_only = ON")
        self._connection.execute("PRAGMA mmap_size = 1073741824")

    async def card_row(self, rider_id: str) -> CardRow | None:
        try:
            row = self._connection.execute(_BY_RIDER + "?", (rider_id,)).fetchone()
        except sqlite3.OperationalError as error:
            raise UnreachableError(str(error)) from error
        return None if row is None else CardRow(*row)

    async def close(self) -> None:
        self._connection.close()


class _PostgresRows:
    """A few connections, each with the statement prepared; opened when they are first needed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._idle: deque[asyncpg.prepared_stmt.PreparedStatement] = deque()
        self._places = asyncio.Semaphore(_NUM_CONNECTIONS)
        self._open: list[asyncpg.Connection] = []

    async def card_row(self, rider_id: str) -> CardRow | None:
        if not self._places.locked():
            await self._places.acquire()
        else:
            try:
                await asyncio.wait_for(self._places.acquire(), POOL_WAIT_S)
            except TimeoutError:
                raise BusyError("no connection is free") from None
        try:
            return await self._row(rider_id)
        finally:
            self._places.release()

    async def _row(self, rider_id: str) -> CardRow | None:
        # A connection that idled may have been cut meanwhile; a fresh one tells for sure.
        for is_last in (False, True):
            try:
                statement = self._idle.pop() if self._idle else await self._prepared()
                row = await statement.fetchrow(rider_id)
            except _BROKEN as error:
                if is_last:
                    raise UnreachableError(str(error)) from error
                self._idle.clear()
            else:
                self._idle.append(statement)
                return None if row is None else CardRow(*row)
        raise UnreachableError("no connection")

    async def _prepared(self) -> asyncpg.prepared_stmt.PreparedStatement:
        connection = await asyncpg.connect(self._url, timeout=_CONNECT_S, command_timeout=_CONNECT_S)
        self._open = [other for other in self._open if not other.is_closed()]
        self._open.append(connection)
        return await connection.prepare(_BY_RIDER + "$1")

    async def close(self) -> None:
        self._idle.clear()
        for connection in self._open:
            await connection.close(timeout=_CONNECT_S)
