"""Streams that are open when the key, session or token behind them ends: they end, too, on every server."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import pytest
from starlette.testclient import TestClient
from starlette.types import Message, Scope

from api.access import keys
from api.access.sessions import begin_session, end_session, session_of
from api.db.store import Store
from api.endpoints.common import open_streams as module
from api.endpoints.common.auth import Authenticator
from api.endpoints.common.open_streams import OpenStreams
from api.service import Actor, Service
from api.settings import Settings
from api.studies.jobs import start_study
from tests.api.endpoints import own_loop
from tests.api.endpoints.conftest import Bearer, Clock

NEVER_S = 600


class Stream:
    """One answer that goes on for ever, asked for by somebody."""

    def __init__(self, open_streams: OpenStreams, actor: Actor | None, content_type: bytes) -> None:
        self._open_streams = open_streams
        self._content_type = content_type
        self._state = {"actor": actor}
        self.said: list[Message] = []
        self.began = anyio.Event()

    async def _app(self, _scope: Scope, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", self._content_type)]})
        self.began.set()
        await anyio.sleep(NEVER_S)

    async def run(self) -> None:
        """Until it ends."""

        async def send(message: Message) -> None:
            self.said.append(message)

        await self._open_streams.answer(self._app, {"type": "http", "state": self._state}, None, send)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.01)


@pytest.fixture
def service(store: Store, settings: Settings, clock: Clock) -> Service:
    """What streams look at."""
    return Service(store, settings, clock)


async def ended(open_streams: OpenStreams, actor: Actor | None, end: Any, content_type: bytes) -> list[Message]:
    """What was said until a stream ended, after something had ended that it was opened with."""
    stream = Stream(open_streams, actor, content_type)
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stream.run)
            await stream.began.wait()
            await anyio.to_thread.run_sync(end)
    await open_streams.close()
    return stream.said


def run(service: Service, actor: Actor, end: Any, content_type: bytes = b"text/event-stream; charset=utf-8") -> Any:
    """The same, from a test."""
    return own_loop.run(ended(OpenStreams(service, Authenticator(service)), actor, end, content_type))


def test_a_revoked_key_ends_its_streams(service: Service) -> None:
    """Whichever process revoked it: the database says so."""
    with service.writing() as unit:
        key, _ = keys.create_key(unit, "policy", "wang", actor="cli:token")

    def revoke() -> None:
        with service.writing() as unit:
            keys.revoke_key(unit, key.key_id, "cli:token")

    said = run(service, Actor("policy", "wang", key_id=key.key_id), revoke)

    assert said[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


def test_a_file_that_is_cut_short_does_not_look_whole(service: Service) -> None:
    """No last part is said: the server drops the connection."""
    with service.writing() as unit:
        key, _ = keys.create_key(unit, "ops", "li.na", actor="cli:token")

    def revoke() -> None:
        with service.writing() as unit:
            keys.revoke_key(unit, key.key_id, "cli:token")

    said = run(service, Actor("ops", "li.na", key_id=key.key_id), revoke, b"text/csv")

    assert [message["type"] for message in said] == ["http.response.start"]


@pytest.mark.parametrize("how", ["signed out", "key revoked"])
def test_a_session_that_ends_ends_its_streams(service: Service, how: str) -> None:
    """Signed out, or the key behind it revoked."""
    with service.writing() as unit:
        key, _ = keys.create_key(unit, "ops", "li.na", actor="cli:token")
        written = begin_session(unit, "ops", "li.na", (), key.key_id)
        session = session_of(unit, written, service.clock())
    assert session is not None

    def end() -> None:
        with service.writing() as unit:
            if how == "signed out":
                end_session(unit, written)
            else:
                keys.revoke_key(unit, key.key_id, "cli:token")

    actor = Actor("ops", "li.na", key_id=key.key_id, session_id=session.session_id)
    assert run(service, actor, end)[-1]["more_body"] is False


def test_a_token_whose_time_is_over_ends_its_streams(service: Service, clock: Clock) -> None:
    """Also a JWT, of which the database knows nothing."""
    actor = Actor("policy", "wang", expires_us=clock() + 1_000_000)

    assert run(service, actor, lambda: clock.forward(seconds=1))[-1]["more_body"] is False


def test_other_streams_go_on(service: Service) -> None:
    """One key's end is no other's."""
    with service.writing() as unit:
        first, second = (keys.create_key(unit, "policy", name, actor="cli:token")[0] for name in ("a", "b"))

    async def both() -> tuple[bool, bool]:
        open_streams = OpenStreams(service, Authenticator(service))
        streams = [
            Stream(open_streams, Actor("policy", key.subject, key_id=key.key_id), b"text/event-stream")
            for key in (first, second)
        ]
        over = [anyio.Event(), anyio.Event()]

        async def follow(number: int) -> None:
            await streams[number].run()
            over[number].set()

        def revoke() -> None:
            with service.writing() as unit:
                keys.revoke_key(unit, first.key_id, "cli:token")

        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                for number in (0, 1):
                    tasks.start_soon(follow, number)
                for stream in streams:
                    await stream.began.wait()
                await anyio.to_thread.run_sync(revoke)
                await over[0].wait()
                found = over[0].is_set(), over[1].is_set()
                tasks.cancel_scope.cancel()
        await open_streams.close()
        return found

    assert own_loop.run(both()) == (True, False)


def test_a_revoked_key_ends_a_stream_that_somebody_reads(
    client: TestClient, store: Store, bearer: Bearer, clock: Clock
) -> None:
    """Through the whole service: progress of a study that nobody works on ends when the key behind it does."""
    reader, ops = bearer("policy", "wang"), bearer("ops", "li.na")
    with store.writing(clock()) as unit:
        study_id = start_study(unit, "policy:wang", {"kind": "study"})
    path = f"/v1/studies/{study_id}/events?wait_s={NEVER_S}"
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.get, path, headers=reader)
        open_streams = client.app.state.open_streams._open  # type: ignore[attr-defined]
        while not open_streams and not answer.done():
            client.get("/healthz")

        client.delete(f"/v1/tokens/{reader['Authorization'].split('_')[1]}", headers=ops)

        assert answer.result(60).status_code == 200
    assert client.get(path, headers=reader).status_code == 401


@pytest.mark.parametrize(("content_type", "is_whole"), [(b"text/event-stream", True), (b"text/csv", False)])
def test_a_stream_that_its_server_gives_up_ends_whole(service: Service, content_type: bytes, is_whole: bool) -> None:
    """A server that stops leaves streams without a last part: of events it is said here, of a file it is not."""
    said: list[Message] = []

    async def app(_scope: Scope, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", content_type)]})
        await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})

    async def send(message: Message) -> None:
        said.append(message)

    own_loop.run(OpenStreams(service, Authenticator(service)).answer(app, {"type": "http", "state": {}}, None, send))  # type: ignore[arg-type]

    assert (said[-1].get("more_body") is False) == is_whole
