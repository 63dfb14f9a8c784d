"""A server that is told to stop: in process with an application of ours, and as a process under load, on both engines."""

import asyncio
import datetime as dt
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from api.access import keys
from api.app.background import STOP_S
from api.cli.serve import GRACE_S
from api.clock import now_us
from api.db import schema
from api.db.audit_notes import add_audit_note
from api.db.store import Store
from api.db.tables import events
from api.endpoints.common.stopping import StoppingMiddleware
from api.shutdown import Shutdown
from api.studies import jobs
from tests.api.db.databases import create_tables
from tests.api.endpoints import own_loop
from tests.api.law import seed_in_force
from tests.api.studies.worlds import study, wait_for, working

pytestmark = pytest.mark.slow

DEADLINE_S = 300
SHORT = {
    "scenario": "ordinary-week", "books": ["legacy-fine", "taobao-crowdsourced"], "seeds": 2, "days": 1,
    "sets": ["riders=20"], "sensitivity": "off", "sweeps": [], "lang": "en",
}  # fmt: skip
LONG = SHORT | {"seeds": 200, "days": 28}
NUM_CLIENTS = 8
SERVE = [sys.executable, "-c", "from api.cli.main import main; main()", "serve", "--port", "0", "--lang", "en"]


async def said(app: Any, method: str = "POST") -> list[dict[str, Any]]:
    """What an application answers to a request without a body."""
    heard: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        heard.append(message)

    await app({"type": "http", "method": method, "path": "/v1/events", "headers": []}, receive, send)
    return heard


async def fine(_scope: Any, _receive: Any, send: Any) -> None:
    """Answers at once."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def test_who_asks_after_the_signal_is_told_to_ask_elsewhere() -> None:
    """Before any work, with the time after which to come back."""
    shutdown = Shutdown()
    shutdown.begin()

    start, body = own_loop.run(said(StoppingMiddleware(fine, shutdown)))

    assert start["status"] == 503
    assert (b"retry-after", b"1") in start["headers"]
    assert b'"stopping"' in body["body"]


def test_what_is_under_way_is_answered_truly() -> None:
    """What ends in time has its own answer; what does not is unknown, goes on to its end, and says nothing more."""

    async def story() -> tuple[Any, Any, list[str]]:
        shutdown, may_end, ended = Shutdown(answer_s=0), asyncio.Event(), []
        shutdown.attach(asyncio.get_running_loop())

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            await may_end.wait()
            await fine(scope, receive, send)
            ended.append("ended")

        prompt = asyncio.ensure_future(said(StoppingMiddleware(fine, shutdown)))
        late = asyncio.ensure_future(said(StoppingMiddleware(slow, shutdown)))
        first = await prompt
        shutdown.begin()
        second = await late
        may_end.set()
        await shutdown.rest()
        return first, second, ended

    first, second, ended = own_loop.run(story())

    assert first[0]["status"] == 200
    assert [message["type"] for message in second] == ["http.response.start", "http.response.body"]
    assert second[0]["status"] == 503
    assert b'"outcome_unknown"' in second[1]["body"]
    assert ended == ["ended"]


def event_of(name: str) -> dict[str, Any]:
    """A delivery of a rider of its own, a moment ago."""
    now = dt.datetime.now(dt.UTC)
    return {
        "event_id": name, "rider_id": f"r-{name}", "city": "hangzhou", "rider_kind": "crowdsourced", "kind": "delivered",
        "order_id": name, "occurred_at": now.isoformat(), "promised_at": now.isoformat(),
        "accepted_at": (now - dt.timedelta(minutes=20)).isoformat(), "fee_fen": 500,
    }  # fmt: skip


def post_until_gone(address: str, token: str, name: str, answers: dict[str, int], enough: threading.Event) -> None:
    """Post one event after the other until the server answers no more; `answers` gets the status of each."""
    with httpx2.Client(timeout=DEADLINE_S) as client:
        for number in itertools.count():
            event_id = f"{name}-{number}"
            headers = {"Authorization": f"Bearer {token}"} | ({"Idempotency-Key": event_id} if number % 2 else {})
            try:
                answer = client.post(f"{address}/v1/events", json=event_of(event_id), headers=headers)
            except httpx2.HTTPError:
                return  # no answer, nothing claimed
            answers[event_id] = answer.status_code
            if number > 3:
                enough.set()


def test_every_answer_agrees_with_the_store(store: Store, url: str, tmp_path: Path) -> None:
    """SIGTERM under load: 200 is stored, an error is not or says that it is unknown; the process ends in good order."""
    with store.writing(now_us()) as unit:
        seed_in_force(unit)
        _, token = keys.create_key(unit, "platform", "p", (), actor="test:test")
    env = os.environ | {"PYTHONPATH": str(Path.cwd())}
    answers: dict[str, int] = {}
    enough = threading.Event()
    with (tmp_path / "log").open("w") as log:
        command = [*SERVE, "--database-url", url]
        server = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split()[3]
            clients = [
                threading.Thread(target=post_until_gone, args=(address, token, f"c{k}", answers, enough))
                for k in range(NUM_CLIENTS)
            ]
            for client in clients:
                client.start()
            assert enough.wait(DEADLINE_S)
            server.send_signal(signal.SIGTERM)
            code = server.wait(DEADLINE_S)
            for client in clients:
                client.join(DEADLINE_S)
        finally:
            server.kill()
            server.communicate()

    with store.reading() as unit:
        stored = set(unit.connection.scalars(select(events.c.event_id)))
    assert code == 0
    assert {name for name, status in answers.items() if status == 200} <= stored
    assert set(answers.values()) <= {200, 503}
    assert schema.revision_of(store) == schema.head()


@contextmanager
def serving(url: str, folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server with its background work, and its address; gone in the end."""
    env = os.environ | {"PYTHONPATH": str(Path.cwd())}
    with (folder / "log").open("w") as log:
        command = [*SERVE, "--database-url", url]
        server = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert server.stdout is not None
            yield server, server.stdout.readline().split()[3]
        finally:
            server.kill()
            server.communicate()


def test_open_streams_and_unread_downloads_hold_nobody_up(store: Store, url: str, tmp_path: Path) -> None:
    """SIGTERM: the stream of work that waits ends as a whole answer, what nobody reads is cut, the process is gone."""
    with store.writing(now_us()) as unit:
        seed_in_force(unit)
        _, policy = keys.create_key(unit, "policy", "wang", (), actor="test:test")
        _, ops = keys.create_key(unit, "ops", "li.na", (), actor="test:test")
        for number in range(20_000):
            add_audit_note(unit, "test:test", "noted", f"{number}-" + "x" * 100)
        # More than may be under way at a time: the last one waits.
        asked = [jobs.start_study(unit, "policy:wang", LONG) for _ in range(4)]
    with serving(url, tmp_path) as (server, address):
        host, port = address.removeprefix("http://").split(":")
        head = f"GET /v1/audit?format=csv HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ops}\r\n\r\n"
        with (
            socket.create_connection((host, int(port)), DEADLINE_S) as unread,
            httpx2.Client(timeout=DEADLINE_S) as client,
        ):
            unread.sendall(head.encode())
            headers = {"Authorization": f"Bearer {policy}"}
            with client.stream("GET", f"{address}/v1/studies/{asked[-1]}/events", headers=headers) as stream:
                lines = stream.iter_lines()
                assert next(line for line in lines if line.startswith("data"))
                server.send_signal(signal.SIGTERM)
                rest = list(lines)
            code = server.wait(GRACE_S + STOP_S + 30)

    assert code == 0
    assert not any(line.startswith("event: done") for line in rest)


def test_a_study_under_way_is_given_back_and_goes_on(store: Store, url: str, tmp_path: Path) -> None:
    """SIGTERM in the middle of long work: it waits again, its start does not count, and another server ends it."""
    with store.writing(now_us()) as unit:
        seed_in_force(unit)
        study_id = jobs.start_study(unit, "policy:wang", SHORT)
    with serving(url, tmp_path) as (server, _):
        wait_for(lambda: study(store, study_id).state != "waiting")
        server.send_signal(signal.SIGTERM)
        code = server.wait(DEADLINE_S)
    after = study(store, study_id).state

    with working(store):
        wait_for(lambda: study(store, study_id).has_ended)

    assert code == 0
    assert after in ("waiting", "done")
    assert study(store, study_id).state == "done"


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    """Whoever cannot wait need not."""
    store = Store(f"sqlite:///{tmp_path / 'store.db'}")
    create_tables(store)
    with store.writing(now_us()) as unit:
        _, token = keys.create_key(unit, "platform", "p", (), actor="test:test")
    store.close()
    env = os.environ | {"PYTHONPATH": str(Path.cwd()), "RIDERSCORE_BACKGROUND": "0"}
    with (tmp_path / "log").open("w") as log:
        command = [*SERVE, "--database-url", f"sqlite:///{tmp_path / 'store.db'}"]
        server = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split()[3]
            httpx2.get(f"{address}/healthz", timeout=DEADLINE_S)
            host, port = address.removeprefix("http://").split(":")
            # Half a body: the server waits for the rest.
            with socket.create_connection((host, int(port)), DEADLINE_S) as client:
                head = ("POST /v1/events HTTP/1.1", "host: x", f"authorization: Bearer {token}", "content-length: 9")
                client.sendall(
                    "\r\n".join((*head, "content-type: application/json", "expect: 100-continue", "", "")).encode()
                )
                assert b" 100 " in client.recv(100)
                server.send_signal(signal.SIGTERM)
                with pytest.raises(subprocess.TimeoutExpired):
                    server.wait(1)
                server.send_signal(signal.SIGTERM)
                code = server.wait(DEADLINE_S)
        finally:
            server.kill()
            server.communicate()

    assert code == 128 + signal.SIGTERM
