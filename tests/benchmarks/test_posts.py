"""Events posted one at a time by 32 clients, beside posts of 200 and beside somebody's posts of 10 000, in one run.

The bar: 400 single posts a second, 99 of 100 answered within 300 ms, on both engines, with Idempotency-Keys and without.
It stands here as a share of the events a second in posts of 200, measured a moment before on the same machine; rates and
times are reported beside it, never asserted. Server, client (wrk) and database share the machine.
"""

import json
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.clock import now_us
from api.db import schema
from api.db.store import Store
from tests.api.db import cluster
from tests.api.endpoints.crowd import prepare
from tests.api.ledger.posts import newest_us
from tests.benchmarks.http import posts, single
from tests.builders import MINUTE_US, delivered

CLIENTS = 32
# Posts of so many events come one after the other, from somebody else.
LARGE, LARGE_RIDERS = 10_000, 2_000

NewDatabase = Callable[[], str]

pytestmark = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")


@pytest.fixture(params=["postgresql", "sqlite"])
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewDatabase]:
    """Makes an empty database."""
    names = iter("abcdef")
    if request.param == "sqlite":
        yield lambda: f"sqlite:///{tmp_path / next(names)}.db"
        return
    bin_ = cluster.programs()
    if bin_ is None:
        pytest.skip("PostgreSQL is not installed")
    with tempfile.TemporaryDirectory(prefix="riderscore-") as folder:
        Path(folder).chmod(0o755)
        with cluster.running(bin_, Path(folder) / "cluster") as url:
            yield lambda: cluster.new_database(url)


def prepared(url: str, num_keys: int) -> list[str]:
    """A database with a book in force; keys of some platforms."""
    store = Store(url)
    schema.upgrade(store)
    keys = [prepare(store) for _ in range(num_keys)]
    store.close()
    return keys


def large(number: int) -> bytes:
    """A body of many riders' orders of a minute ago."""
    rows = [
        delivered(f"large-{number}-{k}", rider_id=f"large{k % LARGE_RIDERS:05}", at_min=k / 1_000, late_min=k % 5 - 3)
        for k in range(LARGE)
    ]
    by_us = now_us() - newest_us(rows) - MINUTE_US
    return json.dumps(
        [{k: v + by_us if k.endswith("_us") else v for k, v in row.items() if v is not None} for row in rows]
    ).encode()


def named(figures: tuple[float, ...]) -> dict[str, float]:
    """What `single.measured` found."""
    return dict(zip(("per_s", "p50_ms", "p99_ms", "cpu_ms"), figures, strict=True))


@pytest.mark.parametrize("keyed", [False, True])
def test_single_posts(benchmark: Any, new_database: NewDatabase, *, keyed: bool) -> None:
    """Single posts of 32 clients, as a share of the events a second in posts of 200 of four."""
    of_200, url = posts.rate(new_database(), 4), new_database()
    [key] = prepared(url, 1)

    with single.serving(single.HERE, url) as pid:
        took = benchmark.pedantic(single.measured, (pid, key, CLIENTS, "p"), {"keyed": keyed}, rounds=1)

    found = named(took)
    benchmark.group = "single posts of 32 clients"
    benchmark.extra_info.update(found, of_200=round(of_200), share=round(found["per_s"] / of_200, 3))


def test_beside_large_posts(benchmark: Any, new_database: NewDatabase) -> None:
    """Single posts of 32 clients while somebody else posts 10 000 events again and again, against the same alone."""
    url = new_database()
    key, other = prepared(url, 2)
    bodies, took_s = [large(k) for k in range(20)], []
    is_over = threading.Event()

    def post() -> None:
        headers = {"Authorization": f"Bearer {other}", "Content-Type": "application/json"}
        with httpx2.Client(base_url=f"http://127.0.0.1:{single.PORT}", headers=headers, trust_env=False) as http:
            while bodies and not is_over.is_set():
                began = time.perf_counter()
                answer = http.post("/v1/events", content=bodies.pop(), timeout=120)
                assert answer.json()["num_scored"] == LARGE
                took_s.append(time.perf_counter() - began)

    with single.serving(single.HERE, url) as pid:
        alone = named(single.measured(pid, key, CLIENTS, "a", keyed=False))
        thread = threading.Thread(target=post)
        thread.start()
        try:
            took = benchmark.pedantic(single.measured, (pid, key, CLIENTS, "b"), {"keyed": False}, rounds=1)
        finally:
            is_over.set()
            thread.join()

    found = named(took)
    benchmark.group = "single posts beside posts of 10 000"
    times = {"times_p99": round(found["p99_ms"] / alone["p99_ms"], 2), "large_s": round(statistics.median(took_s), 1)}
    benchmark.extra_info.update(found, alone=alone, **times)
