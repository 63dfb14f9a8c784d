"""Events a second into PostgreSQL (and SQLite), posted in batches of 200: stored, scored, chained, committed.

The first figure is one client's, the second that of four at once. Reported, never asserted; targets.md has 4 000.
"""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from api.books import in_force
from api.db import schema
from api.db.store import Store
from api.ledger import posting
from rules.shelf import versions
from tests.api.db import cluster
from tests.api.ledger.posts import START_US, newest_us, table_of
from tests.benchmarks.rider_hours import NUM_RIDERS, ORDERS_EACH, hours
from tests.builders import MINUTE_US

BOOK = "gbt-46862-reference"


@pytest.fixture(params=["postgresql", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A database with a book."""
    bin_ = cluster.programs()
    if request.param == "sqlite":
        store = _filled(f"sqlite:///{tmp_path / 'store.db'}")
        yield store
        store.close()
    elif bin_ is None:
        pytest.skip("PostgreSQL is not installed")
    else:
        with tempfile.TemporaryDirectory(prefix="riderscore-") as folder:
            Path(folder).chmod(0o755)
            with cluster.running(bin_, Path(folder) / "cluster") as url:
                store = _filled(cluster.new_database(url))
                yield store
                store.close()


def _filled(url: str) -> Store:
    store = Store(url)
    schema.upgrade(store)
    with store.writing(START_US) as unit:
        in_force.publish(unit, versions(BOOK))
    return store


@pytest.mark.parametrize("num_clients", [1, 4])
def test_posts_of_200(benchmark: Any, store: Store, num_clients: int) -> None:
    """Riders' orders as they come, none late in coming."""
    posts = [[(newest_us(some) + MINUTE_US, table_of(some)) for some in hours(k)] for k in range(num_clients)]

    def client(mine: list[tuple[int, Any]]) -> int:
        scored = 0
        for clock_us, table in mine:
            with store.writing(clock_us) as unit:
                answers = posting.post_events(unit, in_force.rules_in_force(unit, BOOK), table)
            scored += sum(answer.status == "scored" for answer in answers)
        return scored

    def run() -> int:
        with ThreadPoolExecutor(num_clients) as pool:
            return sum(pool.map(client, posts))

    benchmark.group = "posts of 200 events"
    num_events = num_clients * NUM_RIDERS * ORDERS_EACH
    who = f"{store.engine.dialect.name}, {num_clients} client(s)"
    benchmark.extra_info.update(who=who, events=num_events, peer=False)
    assert benchmark.pedantic(run, rounds=1, warmup_rounds=0) == num_events
