"""A rider's card while a hundred downloads are not read: `python -m tests.benchmarks.http.unread`; the bar is 2 x.

The 99th percentile of cards over one connection after the other: alone, while the downloads fill what is sent ahead of
their readers, and after that; in turns within one run. The server has one core.
"""

import json
import socket
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import httpx2

from api.access import keys
from api.clock import now_us
from api.db import schema
from api.db.audit_notes import add_audit_note
from api.db.store import Store
from tests.api.db import cluster
from tests.api.endpoints.crowd import prepare
from tests.api.ledger.posts import later, newest_us
from tests.benchmarks.http.posts import PORT, serving
from tests.builders import MINUTE_US, delivered

UNREAD = 100
LINES = 20_000
ASKED = 1_000
ROUNDS = 3
# Until all that is sent ahead is made.
FILLED_S = 8


def fill(url: str) -> tuple[str, str]:
    """A rider, an audit trail that no socket holds, and keys of a platform and of ops."""
    store = Store(url)
    schema.upgrade(store)
    platform = prepare(store)
    with store.writing(now_us()) as unit:
        for number in range(LINES):
            add_audit_note(unit, "ops:bench", "person_erased", f"rider-{number:06}-" + "x" * 60)
        ops = keys.create_key(unit, "ops", "bench", actor="bench:bench")[1]
    store.close()
    return platform, ops


def unread(key: str) -> socket.socket:
    """A download that was asked for and is not read."""
    asking = socket.socket()
    asking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    asking.connect(("127.0.0.1", PORT))
    asking.sendall(f"GET /v1/audit?format=csv HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
    return asking


def p99_ms(http: httpx2.Client) -> float:
    """Of some cards, one after the other."""
    took = []
    for _ in range(ASKED):
        began = time.perf_counter()
        assert http.get("/v1/riders/r1/card").status_code == 200
        took.append(1_000 * (time.perf_counter() - began))
    return statistics.quantiles(took, n=100)[98]


def compare(url: str) -> dict[str, float]:
    """Alone and beside the downloads, in turns."""
    platform, ops = fill(url)
    alone, filling, beside = [], [], []
    with serving(url) as at, httpx2.Client(base_url=at, timeout=60, trust_env=False) as http:
        http.headers["Authorization"] = f"Bearer {platform}"
        rows = [delivered("e1", rider_id="r1")]
        rows = later(rows, now_us() - newest_us(rows) - MINUTE_US)
        assert http.post("/v1/events", json=rows).json()["num_scored"] == 1
        p99_ms(http)
        for _ in range(ROUNDS):
            alone.append(p99_ms(http))
            with ExitStack() as stack:
                for _ in range(UNREAD):
                    stack.enter_context(unread(ops))
                filling.append(p99_ms(http))
                time.sleep(FILLED_S)
                beside.append(p99_ms(http))
    times = {"alone": alone, "filling": filling, "beside": beside}
    found = {f"{name}_ms": round(statistics.median(some), 2) for name, some in times.items()}
    ratios = {f"times_{name}": round(found[f"{name}_ms"] / found["alone_ms"], 2) for name in ("filling", "beside")}
    return found | ratios


def main() -> None:
    """Both engines."""
    bin_ = cluster.programs()
    with tempfile.TemporaryDirectory(prefix="riderscore-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        embedded = f"sqlite:///{folder / 'store.db'}"
        sys.stdout.write(f"sqlite {json.dumps(compare(embedded))}\n")
        sys.stdout.flush()
        if bin_ is not None:
            with cluster.running(bin_, folder / "cluster") as url:
                sys.stdout.write(f"postgresql {json.dumps(compare(cluster.new_database(url)))}\n")


if __name__ == "__main__":
    main()
