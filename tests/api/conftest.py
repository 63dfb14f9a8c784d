"""Every test that takes `empty` or `store` runs on SQLite and on PostgreSQL."""

import io
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.db.store import Store
from api.endpoints.common import logs
from tests.api.db import cluster
from tests.api.db.databases import ENGINES, create_tables, url_for
from tests.fixtures.v0_1_0 import kept


class _Captured(io.TextIOBase):
    """Log lines where pytest reads them, which shows them with the test that fails."""

    def write(self, text: str, /) -> int:
        return sys.stderr.write(text)


@pytest.fixture(scope="session", autouse=True)
def _logs_are_captured() -> Iterator[None]:
    """The service writes to its descriptor in a thread of its own: between the dots of other tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logs, "stderr_output", _Captured)
        yield


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """A cluster for the session. Where PostgreSQL is not installed, tests are skipped; in CI they fail."""
    bin_ = cluster.programs()
    if bin_ is None:
        message = "PostgreSQL is not installed (Debian: apt-get install postgresql)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    # Not below pytest's own folder, which other users may not enter.
    with tempfile.TemporaryDirectory(prefix="riderscore-") as folder:
        Path(folder).chmod(0o755)
        with cluster.running(bin_, Path(folder) / "cluster") as url:
            yield url


@pytest.fixture(params=ENGINES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database."""
    return url_for(request.param, request, tmp_path)


@pytest.fixture
def empty(url: str) -> Iterator[Store]:
    """An empty database."""
    store = Store(url)
    yield store
    store.close()


@pytest.fixture
def store(empty: Store) -> Store:
    """A database with all tables and no rows."""
    create_tables(empty)
    return empty


@pytest.fixture(params=ENGINES)
def v0_1_0(request: pytest.FixtureRequest, tmp_path: Path) -> kept.Kept:
    """A filled database as 0.1.0 left it: at its revision, not upgraded."""
    if request.param == "sqlite":
        return kept.sqlite_database(tmp_path)
    return kept.postgresql_database(request.getfixturevalue("postgresql"))
