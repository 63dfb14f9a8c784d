"""What requests that want to cost much do cost: `python -m tests.benchmarks.http.nasty [WORD]…`.

CPU seconds of the server, and MiB at its peak above what it held when it had just started: what is over the bar after
others is looked at again by itself, on a new server. Posts with rows that count may cost what those rows cost by
themselves. The bar is 2 s and 64 MiB; the command fails where a request is over it. Words choose requests whose names
hold one of them.
"""

import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from api.access import keys
from api.access.keys import role_of
from api.access.sessions import begin_session
from api.clock import now_us
from api.db import schema
from api.db.store import Store
from tests.api.db import cluster
from tests.api.endpoints.crowd import prepare
from tests.api.endpoints.nasty import Body
from tests.api.endpoints.served import served
from tests.api.ledger.posts import FADING, later, newest_us, post
from tests.benchmarks.http.nasty_odd import ODD
from tests.benchmarks.http.nasty_requests import REQUESTS, Nasty
from tests.builders import MINUTE_US, delivered

CPU_S, MIB = 2.0, 64.0
ENTRIES = 20_000
FORM_TOKEN = "f" * 40
ROLES = ("platform", "ops", "policy", "approver", "rider")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class World:
    """A store that was filled, keys and sessions by role, and ids that paths name."""

    url: str
    keys: dict[str, str]
    sessions: dict[str, str]
    ids: dict[str, str] = field(default_factory=dict)


def world(url: str) -> World:
    """A rider with a long history, and somebody of each role."""
    store = Store(url)
    schema.upgrade(store)
    found = {"platform": prepare(store)}
    rows = [delivered(f"e{k}", rider_id="r1", at_min=k / 10) for k in range(ENTRIES)]
    rows = later(rows, now_us() - newest_us(rows) - MINUTE_US)
    for first in range(0, ENTRIES, 5_000):
        post(store, rows[first : first + 5_000], FADING)
    sessions = {}
    with store.writing(now_us()) as unit:
        for role in ROLES:
            subject = "r1" if role == "rider" else "p"
            if role not in found:
                found[role] = keys.create_key(unit, role, subject, actor="bench:bench")[1]
            sessions[role] = begin_session(unit, role_of(role), subject, (), found[role].split("_")[1])
    store.close()
    return World(url, found, sessions)


@dataclass(frozen=True)
class Cost:
    """What a request cost, and how it was answered."""

    cpu_s: float
    mib: float
    status: int
    num_bytes: int


class Server:
    """A process that serves, and what it has used."""

    def __init__(self, port: int, pid: int) -> None:
        self.port, self.pid = port, pid
        self.rest_mib = 0.0

    def cpu_s(self) -> float:
        """CPU seconds until now, those of children that have ended too."""
        words = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, words[11:15])) / _TICKS

    def mib(self, name: str) -> float:
        """`VmRSS`, or `VmHWM` since the last `forget`."""
        found = re.search(rf"{name}:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())
        return 0.0 if found is None else int(found[1]) / 1_024

    def forget(self) -> None:
        """Begin a new peak."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def ask(self, world: World, nasty: Nasty, body: bytes | None) -> tuple[int, bytes]:
        """Send a request; a server may answer before it has read all of it."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=120)
        headers = {"Content-Type": nasty.kind} | nasty.headers
        if nasty.role and nasty.is_page:
            headers |= {"Cookie": f"rs_session={world.sessions[nasty.role]}; rs_form={FORM_TOKEN}"}
            headers |= {"Origin": f"http://127.0.0.1:{self.port}", "Accept": "text/html"}
        elif nasty.role:
            headers["Authorization"] = f"Bearer {world.keys[nasty.role]}"
        path = nasty.path.format_map(world.ids)
        try:
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.request(nasty.method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (HTTPException, OSError):
            return 0, b""
        finally:
            connection.close()

    def cost(self, world: World, nasty: Nasty, make: Body | None) -> Cost:
        """What one request costs."""
        body = None if make is None else make()
        self.forget()
        before_s = self.cpu_s()
        status, answer = self.ask(world, nasty, body)
        time.sleep(0.05)
        return Cost(self.cpu_s() - before_s, self.mib("VmHWM") - self.rest_mib, status, len(answer))


@contextmanager
def started(world: World) -> Iterator[Server]:
    """A server that has answered each kind of request once."""
    settings = {"RIDERSCORE_BACKGROUND": "0", "RIDERSCORE_STRANGER_REQUESTS_PER_MINUTE": "0"}
    with served(world.url, **settings) as process:
        if process._process is None:
            raise RuntimeError("no server")
        server = Server(process.port, process._process.pid)
        while server.ask(world, Nasty("", "GET", "/readyz"), None)[0] != 200:
            time.sleep(0.2)
        if not world.ids:
            world.ids.update(_ids(server, world))
        for nasty in WARM:
            server.ask(world, nasty, None if nasty.body is None else nasty.body())
        server.rest_mib = server.mib("VmRSS")
        yield server


def _ids(server: Server, world: World) -> dict[str, str]:
    """A draft, its version, and an entry."""
    asked = Nasty("", "POST", "/v1/books/drafts", "ops")
    begun = {"empty_book_id": "bench", "targets": [{"city": "hangzhou", "rider_kind": "crowdsourced"}]}
    made = json.loads(server.ask(world, asked, json.dumps(begun).encode())[1])
    page = json.loads(server.ask(world, Nasty("", "GET", "/v1/riders/r1/entries?limit=1", "ops"), None)[1])
    if "draft" not in made:
        raise RuntimeError(made)
    return {"draft": made["draft"]["draft_id"], "entry": page["items"][0]["entry_id"]}


def _posted(number: int) -> bytes:
    """Events of a moment ago, each of a rider of its own."""
    name = os.urandom(4).hex()
    rows = [delivered(f"{name}-{k}", rider_id=f"{name}-{k}") for k in range(number)]
    return json.dumps(later(rows, now_us() - newest_us(rows) - MINUTE_US)).encode()


WARM = (
    Nasty("", "POST", "/v1/events", "platform", lambda: _posted(1)),
    Nasty("", "POST", "/v1/events", "platform", lambda: _posted(2_000)),
    Nasty("", "GET", "/v1/riders/r1/card", "ops"),
    Nasty("", "GET", "/v1/riders/r1/entries", "ops"),
    Nasty("", "GET", "/v1/riders/r1/forecast", "ops"),
    Nasty("", "GET", "/console/audit", "ops", is_page=True),
    Nasty("", "GET", "/console/drafts/{draft}", "ops", is_page=True),
    Nasty("", "POST", "/v1/books/drafts/{draft}/check", "ops"),
    Nasty("", "POST", "/v1/webhooks", "platform", lambda: b"{}"),
)


def measured(world: World, chosen: list[Nasty]) -> Iterator[tuple[Nasty, Cost]]:
    """Each request; on a server of its own where it is over the bar after others."""
    waiting = list(chosen)
    while waiting:
        with started(world) as server:
            is_alone = True
            while waiting:
                cost = server.cost(world, waiting[0], waiting[0].body)
                if over(cost) and not is_alone:
                    break
                yield waiting.pop(0), cost
                is_alone = False


def over(cost: Cost) -> bool:
    """Whether a request costs more than it may."""
    return cost.cpu_s > CPU_S or cost.mib > MIB


def measure(engine: str, url: str, chosen: list[Nasty]) -> int:
    """A table of one engine; how many are over the bar."""
    filled = world(url)
    num_over = 0
    for nasty, cost in measured(filled, chosen):
        own = cost
        if nasty.valid is not None:
            with started(filled) as server:
                alone = server.cost(filled, nasty, nasty.valid)
            own = Cost(cost.cpu_s - alone.cpu_s, cost.mib - alone.mib, cost.status, cost.num_bytes)
        num_over += over(own)
        line = f"{engine:10} {'OVER' if over(own) else '':4} {own.cpu_s:6.2f} s {own.mib:7.1f} MiB"
        sys.stdout.write(f"{line} {own.status:3} {own.num_bytes:9} B  {nasty.name}\n")
        sys.stdout.flush()
    return num_over


def main() -> None:
    """Both engines, or those that a word names."""
    engines = [word for word in sys.argv[1:] if word in ("sqlite", "postgresql")]
    words = [word for word in sys.argv[1:] if word not in engines]
    chosen = [nasty for nasty in REQUESTS + ODD if not words or any(word in nasty.name for word in words)]
    num_over = 0
    with tempfile.TemporaryDirectory(prefix="riderscore-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        if "postgresql" not in engines or "sqlite" in engines:
            num_over += measure("sqlite", f"sqlite:///{folder / 'store.db'}", chosen)
        bin_ = cluster.programs()
        if bin_ is not None and ("sqlite" not in engines or "postgresql" in engines):
            with cluster.running(bin_, folder / "cluster") as url:
                num_over += measure("postgresql", cluster.new_database(url), chosen)
    if num_over:
        raise SystemExit(f"{num_over} over the bar of {CPU_S} s and {MIB} MiB")


if __name__ == "__main__":
    main()
