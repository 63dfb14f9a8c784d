"""The rider's card, token check included, against the bare route, in one run: `python -m tests.benchmarks.http.card`.

Each server has one core (`taskset`), wrk the other; 32 connections; the ledger holds as many entries as asked for.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from api.access import keys
from api.books.in_force import rules_in_force
from api.db import schema
from api.db.store import Store
from api.ledger.posting import post_events
from tests.api.db import cluster
from tests.api.law import seed_in_force
from tests.api.ledger.posts import START_US, table_of
from tests.builders import DAY_US, MINUTE_US, delivered

RIDERS = 2_000
# Riders whose cards are asked for over and over; the first time each is made from the store.
ASKED = 200
SECONDS = 8
FIGURES = re.compile(r"50%\s+([\d.]+)(us|ms|s).*?99%\s+([\d.]+)(us|ms|s).*?Requests/sec:\s+([\d.]+)", re.DOTALL)
MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}
SCRIPT = """
local n = 0
request = function()
  n = n + 7
  return wrk.format("GET", string.format("%s", "PATH" .. string.format("r%05d", n % RIDERS) .. "TAIL"))
end
"""


def fill(store: Store, num_entries: int) -> str:
    """A ledger of late deliveries of the last days, posted as they would be; returns a platform's key."""
    schema.upgrade(store)
    with store.writing(START_US) as unit:
        seed_in_force(unit)
    at_us, num, made = START_US, 0, 0
    while made < num_entries:
        at_us += 6 * 3_600_000_000
        rows = [
            delivered(f"e{num + k}", late_min=k % 3, rider_id=f"r{k % RIDERS:05d}")
            | {"occurred_us": at_us + k, "order_id": f"o{num + k}"}
            for k in range(4 * RIDERS)
        ]
        num += len(rows)
        for row in rows:
            shift = row["occurred_us"] - row["delivered_us"]
            row |= {name: row[name] + shift for name in row if name.endswith("_us") and name != "occurred_us"}
        with store.writing(at_us + MINUTE_US) as unit:
            post_events(unit, rules_in_force(unit), table_of(rows))
        with store.reading() as unit:
            made = unit.connection.exec_driver_sql("SELECT sum(seq) FROM rider_state").scalar() or 0
    with store.writing(at_us + DAY_US) as unit:
        return keys.create_key(unit, "platform", "bench", actor="bench")[1]


@contextmanager
def serving(command: list[str], port: int, path: str, **environ: str) -> Iterator[None]:
    """A server on one core, until the block ends."""
    env = os.environ | environ
    server = subprocess.Popen(["taskset", "-c", "0", *command], env=env, stdout=subprocess.DEVNULL, stderr=None)
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=1).read()
                break
            except OSError:
                time.sleep(0.1)
        yield
    finally:
        server.terminate()
        server.wait(30)


def measured(port: int, path: str, tail: str, token: str) -> tuple[float, float, float]:
    """Requests a second, median and 99th percentile in ms, after a warm-up."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(SCRIPT.replace("PATH", path).replace("TAIL", tail).replace("RIDERS", str(ASKED)))
        script.flush()
        command = ["taskset", "-c", "1", "wrk", "-t1", "-c32", "--latency", "-s", script.name]
        command += ["-H", f"Authorization: Bearer {token}", f"http://127.0.0.1:{port}"]
        subprocess.run([*command[:5], "-d5s", *command[5:]], capture_output=True, check=True)
        out = subprocess.run([*command[:5], f"-d{SECONDS}s", *command[5:]], capture_output=True, text=True, check=True)
    if "Non-2xx" in out.stdout:
        raise RuntimeError(out.stdout)
    found = FIGURES.search(out.stdout)
    assert found, out.stdout
    return float(found[5]), float(found[1]) * MS[found[2]], float(found[3]) * MS[found[4]]


def compare(url: str, token: str) -> dict[str, object]:
    """Both routes on one database."""
    python = sys.executable
    bare = [python, "-m", "uvicorn", "tests.benchmarks.http.bare:app", "--port", "8191", "--no-access-log"]
    ours = [str(Path(python).parent / "riderscore"), "serve", "--database-url", url, "--port", "8192"]
    with serving(bare, 8191, "/riders/r00000", BARE_DATABASE_URL=url):
        theirs = measured(8191, "/riders/", "", token)
    quiet = {"RIDERSCORE_BACKGROUND": "0", "RIDERSCORE_REQUESTS_PER_MINUTE": "60000000"}
    with serving(ours, 8192, "/healthz", **quiet):
        own = measured(8192, "/v1/riders/", "/card", token)
    return {
        "bare": dict(zip(("per_s", "p50_ms", "p99_ms"), theirs, strict=True)),
        "card": dict(zip(("per_s", "p50_ms", "p99_ms"), own, strict=True)),
        "share_of_requests": round(own[0] / theirs[0], 3),
        "times_p99": round(own[2] / theirs[2], 2),
    }


def main(num_entries: int) -> None:
    """Both engines."""
    with tempfile.TemporaryDirectory(prefix="riderscore-") as folder:
        Path(folder).chmod(0o755)
        found = {}
        bin_ = cluster.programs()
        assert bin_ is not None
        with cluster.running(bin_, Path(folder) / "cluster") as postgresql:
            for name, url in (("sqlite", f"sqlite:///{folder}/store.db"), ("postgresql", postgresql)):
                store = Store(url)
                token = fill(store, num_entries)
                store.close()
                found[name] = compare(url, token)
                sys.stdout.write(f"{name} {json.dumps(found[name])}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
