"""When all are busy: who waits is told so soon, and who does not read holds nothing."""

import contextlib
import csv
import io
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import anyio
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.access.audit import ROWS_AT_ONCE
from api.db.audit_notes import add_audit_note
from api.db.store import POOL_SIZE, Store
from api.endpoints.common import threads
from api.endpoints.common.downloads import in_parts
from rules.shelf import versions
from rules.toml_text import toml_of
from tests.api.endpoints.conftest import Bearer, Clock
from tests.api.ledger.posts import later
from tests.builders import delivered

pytestmark = pytest.mark.usefixtures("_law")


def own_store(client: TestClient) -> Store:
    """The store of the service that is asked."""
    assert isinstance(client.app, FastAPI)
    store: Store = client.app.state.service.store
    return store


@contextlib.contextmanager
def all_taken(store: Store) -> Iterator[None]:
    """No connection of the pool is free, and nobody waits long for one."""
    store.engine.pool._timeout = 0.05  # type: ignore[attr-defined]
    with ExitStack() as stack:
        for _ in range(2 * POOL_SIZE):
            stack.enter_context(store.engine.connect())
        yield


def sign_in(client: TestClient, headers: dict[str, str]) -> None:
    """A session of somebody's in the client."""
    client.get("/login")
    form = {"form_token": client.cookies["rs_form"], "credential": headers["Authorization"].removeprefix("Bearer ")}
    client.post("/login", data=form, headers={"Origin": str(client.base_url)}, follow_redirects=False)


def test_no_free_connection_is_a_503_with_a_time(client: TestClient, bearer: Bearer) -> None:
    """Routes, cards, posts and pages: asked again soon, never a 500; what needs no connection is answered."""
    platform, ops = bearer("platform"), bearer("ops")
    client.post("/v1/events", headers=platform, json=later([delivered("e1", rider_id="r1")]))
    sign_in(client, ops)

    with all_taken(own_store(client)):
        answers = [
            client.get("/v1/riders/r1/entries", headers=platform),
            client.get("/v1/riders/r1/card", headers=platform),
            client.post("/v1/events", headers=platform, json=later([delivered("e2", rider_id="r1")])),
            client.post("/v1/events", headers=platform | {"Idempotency-Key": "k"}, json=later([delivered("e3")])),
            client.get("/v1/audit?format=csv", headers=ops),
            client.get("/console/audit", headers={"Accept": "text/html"}),
        ]
        alive, meters = client.get("/healthz"), client.get("/metrics")
    after = client.get("/v1/riders/r1/card", headers=platform)

    assert [answer.status_code for answer in answers] == [503] * 6
    assert all(answer.headers["retry-after"] == "1" for answer in answers)
    assert {answer.json()["code"] for answer in answers[:5]} == {"busy"}
    assert answers[5].text.startswith("<!")
    assert (alive.status_code, meters.status_code, after.status_code) == (200, 200, 200)


def test_who_does_not_read_holds_no_connection(client: TestClient, bearer: Bearer, store: Store, clock: Clock) -> None:
    """A hundred downloads are begun and not read: no connection of the pool is out, and all lines come in the end."""
    with store.writing(clock()) as unit:
        for number in range(2 * ROWS_AT_ONCE + 5):
            add_audit_note(unit, "ops:a", "person_erased", f"r{number}")
    headers = bearer("ops")
    # Many who come at once wait for each other when they are looked up.
    client.app.state.authenticator._lookers.total_tokens = 100  # type: ignore[attr-defined]
    app, pool = client.app, own_store(client).engine.pool
    assert isinstance(app, FastAPI)

    async def begun_and_read() -> tuple[int, list[bytes]]:
        read, all_begun, started = anyio.Event(), anyio.Event(), 0
        bodies: list[list[bytes]] = [[] for _ in range(100)]

        async def ask(body: list[bytes]) -> None:
            async def send(message: Any) -> None:
                nonlocal started
                if message["type"] == "http.response.body":
                    if not body:
                        started += 1
                        if started == len(bodies):
                            all_begun.set()
                        await read.wait()
                    body.append(message["body"])

            await app(_scope("/v1/audit", b"format=csv", headers), _silent, send)

        async with anyio.create_task_group() as group:
            for body in bodies:
                group.start_soon(ask, body)
            await all_begun.wait()
            num_out = pool.checkedout()  # type: ignore[attr-defined]
            read.set()
        return num_out, [b"".join(body) for body in bodies]

    assert client.portal is not None
    num_out, taken = client.portal.call(begun_and_read)

    assert num_out == 0
    assert len(set(taken)) == 1
    rows = list(csv.reader(io.StringIO(taken[0].decode("utf-8-sig"))))
    subjects = [row[4] for row in rows[1:] if row[3] == "person_erased"]
    assert subjects == [f"r{number}" for number in range(2 * ROWS_AT_ONCE + 5)]


async def _silent() -> dict[str, Any]:
    await anyio.sleep_forever()
    return {}


def _scope(path: str, query: bytes, headers: dict[str, str]) -> dict[str, Any]:
    return {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": query,
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "http_version": "1.1", "scheme": "http", "root_path": "", "client": ("127.0.0.1", 1), "asgi": {"spec_version": "2.3"},
    }  # fmt: skip


def test_parts_are_worth_sending() -> None:
    """Short lines go together, and nothing is lost or changed."""
    lines = [f"line {number}\n" for number in range(20_000)]

    parts = list(in_parts(iter(lines)))

    assert "".join(parts) == "".join(lines)
    assert len(parts) < len(lines) / 500


def test_rounds_run_few_at_a_time(client: TestClient, bearer: Bearer, monkeypatch: pytest.MonkeyPatch) -> None:
    """While as many run as may run at once, one more is told to ask again; then it is solved."""
    monkeypatch.setattr(threads, "THREAD_WAIT_S", 0.05)
    assert isinstance(client.app, FastAPI)
    headers, body = bearer("platform"), {"now_s": 1, "riders": [], "orders": []}
    running = client.app.state.rounds
    others = [object() for _ in range(int(running.total_tokens))]

    assert client.portal is not None
    for other in others:
        client.portal.call(running.acquire_on_behalf_of_nowait, other)
    refused = client.post("/v1/dispatch/rounds", headers=headers, json=body)
    for other in others:
        client.portal.call(running.release_on_behalf_of, other)
    solved = client.post("/v1/dispatch/rounds", headers=headers, json=body)

    assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (503, "busy", "1")
    assert solved.status_code == 200


def test_documents_are_read_few_at_a_time(client: TestClient, bearer: Bearer) -> None:
    """While as many are read as may be at once, one more is told to ask again; then it is read."""
    assert isinstance(client.app, FastAPI)
    headers, uploads = bearer("ops"), client.app.state.uploads
    body = {"toml": toml_of(versions("taobao-crowdsourced")[-1].document), "targets": []}

    with ExitStack() as stack:
        for _ in range(client.app.state.service.settings.uploads_at_once):
            stack.enter_context(uploads.taken())
        refused = client.post("/v1/books/drafts", headers=headers, json=body)
    read = client.post("/v1/books/drafts", headers=headers, json=body)

    assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (503, "busy", "1")
    assert read.status_code == 201
