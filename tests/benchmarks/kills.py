"""`python -m tests.benchmarks.kills [KILLS]`: SIGKILL to the service again and again while clients post; none lost, none twice.

On SQLite and on PostgreSQL, each with a database of its own in a temporary folder. Says how it went, or raises.
"""

import random
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from api.db import schema
from api.db.store import Store
from tests.api.db import cluster
from tests.api.endpoints.crowd import Crowd, assert_exactly_once, day, prepare
from tests.api.endpoints.served import served

NUM_KILLS = 50
NUM_CLIENTS = 8
NUM_RIDERS = 120


@contextmanager
def databases(folder: Path) -> Iterator[list[str]]:
    """An empty database of each engine."""
    bin_ = cluster.programs()
    if bin_ is None:
        raise RuntimeError("PostgreSQL is not installed")
    with cluster.running(bin_, folder / "cluster") as url:
        yield [f"sqlite:///{folder / 'store.db'}", cluster.new_database(url)]


def endure(url: str, num_kills: int) -> str:
    """Post and kill; what happened, in a line."""
    store = Store(url)
    schema.upgrade(store)
    token, events = prepare(store), day(NUM_RIDERS)
    with served(url) as server:
        crowd = Crowd(server.at, token, events, share=1, size=8)
        answers = threading.Semaphore(0)
        killer = threading.Thread(
            target=server.kill_again_and_again, args=(answers, num_kills, random.Random(11)), daemon=True
        )
        killer.start()
        crowd.post(NUM_CLIENTS, answers.release)
        killer.join(300)
    if killer.is_alive():
        raise RuntimeError("the clients were done before the last kill: give them more to post")
    assert crowd.scored_more_than_once() == []
    assert_exactly_once(store, events)
    store.close()
    return (
        f"{store.engine.dialect.name}: {num_kills} kills, {len(events)} events posted by {NUM_CLIENTS} clients, "
        f"{crowd.num_unanswered} requests unanswered and repeated: none lost, none twice"
    )


def main() -> None:
    """Both engines."""
    num_kills = int(sys.argv[1]) if len(sys.argv) > 1 else NUM_KILLS
    with tempfile.TemporaryDirectory(prefix="riderscore-") as name:
        Path(name).chmod(0o755)
        with databases(Path(name)) as urls:
            for url in urls:
                sys.stdout.write(endure(url, num_kills) + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
