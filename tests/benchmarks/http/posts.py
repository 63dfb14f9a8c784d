"""Events a second over HTTP in posts of 200: `python -m tests.benchmarks.http.posts [CLIENTS]…`; the bar is 4 000.

The server has one core; clients and PostgreSQL share the other. Riders' orders as they come, each rider once a post; all
that an answer says is checked. Bodies are made before the clock starts.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx2

from api.clock import now_us
from api.db import schema
from api.db.store import Store
from tests.api.db import cluster
from tests.api.endpoints.crowd import prepare
from tests.api.endpoints.served import SETTINGS
from tests.api.ledger.posts import newest_us
from tests.benchmarks.rider_hours import BATCH, hours
from tests.builders import MINUTE_US

PORT = 8194
SERVER_CORE, OTHER_CORE = 0, 1


def bodies(client: int) -> list[bytes]:
    """Some hours of one client's riders that ended a minute ago."""
    posts = hours(client)
    by_us = now_us() - max(newest_us(some) for some in posts) - MINUTE_US
    return [
        json.dumps(
            {
                "events": [
                    {k: v + by_us if k.endswith("_us") else v for k, v in row.items() if v is not None} for row in some
                ]
            }
        ).encode()
        for some in posts
    ]


@contextmanager
def serving(url: str) -> Iterator[str]:
    """The service on a core of its own; its address."""
    command = [str(Path(sys.executable).parent / "riderscore"), "serve", "--database-url", url, "--port", str(PORT)]
    server = subprocess.Popen(
        ["taskset", "-c", str(SERVER_CORE), *command], env=os.environ | SETTINGS, stdout=subprocess.DEVNULL
    )
    at = f"http://127.0.0.1:{PORT}"
    try:
        while True:
            try:
                if httpx2.get(f"{at}/readyz", trust_env=False).status_code == 200:
                    break
            except httpx2.TransportError:
                time.sleep(0.2)
        yield at
    finally:
        server.terminate()
        server.wait()


def rate(url: str, num_clients: int) -> float:
    """Events a second of so many clients at once."""
    store = Store(url)
    schema.upgrade(store)
    headers = {"Authorization": f"Bearer {prepare(store)}", "Content-Type": "application/json"}
    store.close()
    posts = [bodies(client) for client in range(num_clients)]
    with serving(url) as at:

        def client(mine: list[bytes]) -> int:
            with httpx2.Client(base_url=at, headers=headers, timeout=60, trust_env=False) as http:
                scored = [http.post("/v1/events", content=body).json()["num_scored"] for body in mine]
            assert set(scored) == {BATCH}
            return sum(scored)

        with ThreadPoolExecutor(num_clients) as pool:
            client(posts[0][:2])
            posts[0] = posts[0][2:]
            began = time.perf_counter()
            total = sum(pool.map(client, posts))
            return total / (time.perf_counter() - began)


def main() -> None:
    """Both engines, for each number of clients."""
    numbers = [int(word) for word in sys.argv[1:]] or [1, 4]
    os.sched_setaffinity(0, {OTHER_CORE})
    bin_ = cluster.programs()
    if bin_ is None:
        raise RuntimeError("PostgreSQL is not installed")
    with tempfile.TemporaryDirectory(prefix="riderscore-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with cluster.running(bin_, folder / "cluster") as url:
            for number in numbers:
                for engine, own in (
                    ("postgresql", cluster.new_database(url)),
                    ("sqlite", f"sqlite:///{folder / f'{number}.db'}"),
                ):
                    sys.stdout.write(f"{engine}, {number} client(s): {rate(own, number):.0f} events/s\n")
                    sys.stdout.flush()


if __name__ == "__main__":
    main()
