"""Databases of tests on both engines: empty ones, and ones with all tables, copied from one that was migrated once."""

import secrets
import tempfile
from functools import cache
from pathlib import Path

import pytest

from api.db import schema
from api.db.store import Store
from api.db.tables import law
from tests.api.db import cluster

ENGINES = ("sqlite", "postgresql")


def url_for(engine: str, request: pytest.FixtureRequest, folder: Path) -> str:
    """An empty database of an engine; a PostgreSQL one is dropped with the fixture or test that asked for it."""
    if engine == "sqlite":
        return f"sqlite:///{folder / 'store.db'}"
    url = cluster.new_database(request.getfixturevalue("postgresql"))
    request.addfinalizer(lambda: cluster.drop_database(url))
    return url


def create_tables(store: Store) -> None:
    """Give an empty database all tables: what `schema.upgrade` does, in a tenth of the time."""
    if store.path is not None:
        store.path.write_bytes(_migrated_sqlite())
    else:
        store.engine.dispose()
        cluster.create_tables(store.url)
    # Rules are kept in memory by this stamp, which is another in each database that is migrated.
    with store.changing(0) as unit:
        unit.connection.execute(law.update().values(stamp=secrets.token_hex(32)))


@cache
def _migrated_sqlite() -> bytes:
    with tempfile.TemporaryDirectory(prefix="riderscore-") as folder:
        path = Path(folder) / "template.db"
        store = Store(f"sqlite:///{path}")
        schema.upgrade(store)
        store.close()
        return path.read_bytes()
