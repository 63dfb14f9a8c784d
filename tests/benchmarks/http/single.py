"""Events posted one at a time: `python -m tests.benchmarks.http.single [--against FOLDER] [CLIENTS]…`.

The bar: 400 posts a second of 32 clients, 99 of 100 answered within 300 ms, on both engines, with Idempotency-Keys and
without. Server, client (wrk) and database share the machine; the load that it had before stands beside each figure. With
`--against` a checkout of another version is measured in turn with this one, and the ratios are of the same run.
"""

import argparse
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

from tests.api.db import cluster
from tests.api.endpoints.served import SETTINGS

HERE = Path(__file__).resolve().parents[3]
PORT = 8196
RIDERS = 2_000
WARM_S, SECONDS = 3, 8
FIGURES = re.compile(r"50%\s+([\d.]+)(us|ms|s).*?99%\s+([\d.]+)(us|ms|s).*?Requests/sec:\s+([\d.]+)", re.DOTALL)
MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}
PREPARE = """
import sys
try:
    from api.db import schema
    from api.db.store import Store
except ImportError:  # a checkout before the folders by subject
    from api.store import schema
    from api.store.units import Store
from tests.api.endpoints.crowd import prepare
store = Store(sys.argv[1])
schema.upgrade(store)
print(prepare(store))
"""
SCRIPT = """
local n, bad = 0, 0
local base = string.format("%d", os.time())
request = function()
  n = n + 1
  local us = (os.time() - 120) * 1000000 + n % 1000000
  local body = string.format('{"event_id":"e%s-RUN-%d","rider_id":"r%05d","city":"hangzhou","rider_kind":"crowdsourced",' ..
    '"kind":"delivered","order_id":"o%s-RUN-%d","occurred_us":%d,"promised_us":%d,"accepted_us":%d,' ..
    '"arrived_store_us":%d,"merchant_ready_us":%d,"picked_up_us":%d,"delivered_us":%d,"distance_m":3000,"fee_fen":480}',
    base, n, (n * 7919) % RIDERS, base, n, us, us - (n % 3 - 1) * 240000000, us - 2400000000, us - 1800000000,
    us - 1500000000, us - 1500000000, us)
  local headers = {["Content-Type"] = "application/json", ["Authorization"] = "Bearer TOKEN"}
  if KEYED then headers["Idempotency-Key"] = base .. "-RUN-" .. n end
  return wrk.format("POST", "/v1/events", headers, body)
end
response = function(status, headers, body)
  if status ~= 200 or not body:find('"num_scored":1', 1, true) then
    bad = bad + 1
    if bad < 4 then io.stderr:write("refused: ", status, " ", body, "\\n") end
  end
end
"""


def cpu_s(pid: int) -> float:
    """Seconds of processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(code: Path, url: str) -> Iterator[int]:
    """The service of a checkout; its process."""
    command = [sys.executable, "-c", "from api.cli.main import main; main()", "serve", "--database-url", url]
    environ = os.environ | SETTINGS | {"PYTHONPATH": str(code)}
    server = subprocess.Popen([*command, "--port", str(PORT)], env=environ, cwd=code, stdout=subprocess.DEVNULL)
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{PORT}/readyz", timeout=2).read()
                break
            except OSError:
                time.sleep(0.2)
        yield server.pid
    finally:
        server.terminate()
        server.wait(60)


def measured(pid: int, token: str, clients: int, run: str, *, keyed: bool) -> tuple[float, float, float, float]:
    """Posts a second, median and 99th percentile in ms, the server's CPU ms a post; after a warm-up."""
    used_s = 0.0
    script = SCRIPT.replace("RIDERS", str(RIDERS)).replace("TOKEN", token).replace("KEYED", str(keyed).lower())
    for part, seconds in (("w", WARM_S), ("m", SECONDS)):
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
            file.write(script.replace("RUN", f"{run}{part}"))
            file.flush()
            command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "30s", "--latency", "-s", file.name]
            used_s = cpu_s(pid)
            out = subprocess.run([*command, f"http://127.0.0.1:{PORT}"], capture_output=True, text=True, check=True)
        if "refused" in out.stderr:
            raise RuntimeError(out.stderr)
    found = FIGURES.search(out.stdout)
    assert found, out.stdout
    num = int(re.search(r"(\d+) requests in", out.stdout)[1])  # type: ignore[index]
    if not num:
        raise RuntimeError(f"nothing was answered: {out.stdout}{out.stderr}")
    cpu_ms = 1_000 * (cpu_s(pid) - used_s) / num
    return float(found[5]), float(found[1]) * MS[found[2]], float(found[3]) * MS[found[4]], round(cpu_ms, 2)


def main() -> None:
    """Both engines, with and without keys, for each number of clients."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--against", type=Path)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), action="append")
    parser.add_argument("clients", type=int, nargs="*")
    given = parser.parse_args()
    codes = {"this": HERE} | ({} if given.against is None else {"other": given.against.resolve()})
    bin_ = cluster.programs()
    if bin_ is None:
        raise RuntimeError("PostgreSQL is not installed")
    with tempfile.TemporaryDirectory(prefix="riderscore-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with cluster.running(bin_, folder / "cluster") as postgresql:
            for engine in given.engine or ("sqlite", "postgresql"):
                stores = {}
                for who, code in codes.items():
                    url = f"sqlite:///{folder / who}.db" if engine == "sqlite" else cluster.new_database(postgresql)
                    environ = os.environ | {"PYTHONPATH": str(code)}
                    made = subprocess.run(
                        [sys.executable, "-c", PREPARE, url],
                        env=environ,
                        cwd=code,
                        capture_output=True,
                        text=True,
                        check=True,
                    )
                    stores[who] = (url, made.stdout.strip())
                for clients in given.clients or (32, 64):
                    for keyed in (False, True):
                        compare(engine, codes, stores, clients, keyed=keyed)


def compare(
    engine: str, codes: dict[str, Path], stores: dict[str, tuple[str, str]], clients: int, *, keyed: bool
) -> None:
    """One line a version."""
    found = {}
    for who, code in codes.items():
        load = os.getloadavg()[0]
        with serving(code, stores[who][0]) as pid:
            figures = measured(pid, stores[who][1], clients, f"{clients}{'k' if keyed else 'p'}", keyed=keyed)
        found[who] = dict(zip(("per_s", "p50_ms", "p99_ms", "cpu_ms"), figures, strict=True))
        about = {"engine": engine, "clients": clients, "keys": keyed, "who": who, "load": round(load, 1)}
        ratio = {} if who == "this" else {"times": round(found["this"]["per_s"] / found[who]["per_s"], 1)}
        sys.stdout.write(json.dumps(about | found[who] | ratio) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
