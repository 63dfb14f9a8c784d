"""Open streams: each ends when the key, token or session it was opened with ends.

One look at the database every half second, whatever the number of open streams, on each server that has some.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from anyio import CancelScope, CapacityLimiter, sleep
from anyio.to_thread import run_sync
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access.sessions import ended_among
from api.db.store import UnreachableError
from api.endpoints.common.auth import Authenticator
from api.service import Actor, Service

LOOK_S: Final = 0.5
_EVENTS: Final = b"text/event-stream"


@dataclass(eq=False, slots=True)
class _OpenStream:
    actor: Actor
    cancel: CancelScope


class OpenStreams:
    """Watches over the open streams of one server."""

    def __init__(self, service: Service, authenticator: Authenticator) -> None:
        self._service = service
        self._authenticator = authenticator
        self._open: set[_OpenStream] = set()
        self._watch: asyncio.Task[None] | None = None
        # A thread of its own: those of requests may all be busy.
        self._turn = CapacityLimiter(1)

    async def answer(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as long as its requester may have the answer."""
        opening: _OpenStream | None = None
        is_events = is_whole = False

        async def send_watched(message: Message) -> None:
            nonlocal opening, is_events, is_whole
            if message["type"] == "http.response.start" and _is_stream(message):
                is_events = _header(message, b"content-type").startswith(_EVENTS)
                opening = self._opened(scope, cancel)
            elif message["type"] == "http.response.body":
                is_whole = not message.get("more_body", False)
            await send(message)

        with CancelScope() as cancel:
            try:
                await app(scope, receive, send_watched)
            finally:
                if opening is not None:
                    self._open.discard(opening)
        # A stream of events is over, here or where the server stops. A file that is cut short must not look whole: the
        # server drops the connection.
        if is_events and not is_whole:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def close(self) -> None:
        """Watch no more."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _opened(self, scope: Scope, cancel: CancelScope) -> _OpenStream | None:
        actor: Actor | None = scope["state"].get("actor") or scope["state"].get("visitor")
        if actor is None:
            return None
        opening = _OpenStream(actor, cancel)
        self._open.add(opening)
        if self._watch is None or self._watch.done():
            self._watch = asyncio.get_running_loop().create_task(self._look())
        return opening

    async def _look(self) -> None:
        while self._open:
            await sleep(LOOK_S)
            known = tuple(self._open)
            try:
                over = await run_sync(self._over, [opening.actor for opening in known], limiter=self._turn)
            except UnreachableError:
                # Unknown now; it is checked again at the next interval.
                continue
            for opening, is_over in zip(known, over, strict=True):
                if is_over:
                    opening.cancel.cancel()

    def _over(self, actors: Iterable[Actor]) -> list[bool]:
        asked = tuple(actors)
        now_us = self._service.clock()
        keys = {actor.key_id for actor in asked if actor.key_id is not None and actor.session_id is None}
        sessions = {actor.session_id for actor in asked if actor.session_id is not None}
        with self._service.reading() as unit:
            ended_keys, ended_sessions = ended_among(unit, keys, sessions, now_us)
        return [
            actor.session_id in ended_sessions
            or (actor.session_id is None and actor.key_id in ended_keys)
            or (actor.expires_us is not None and actor.expires_us <= now_us)
            or (actor.signed_by is not None and not self._authenticator.jwts.has_key(actor.signed_by))
            for actor in asked
        ]


def _is_stream(message: Message) -> bool:
    """Whether an answer's length is not known when it begins."""
    return message["status"] == 200 and not _header(message, b"content-length")


def _header(message: Message, name: bytes) -> bytes:
    return next((bytes(value) for key, value in message.get("headers", ()) if key.lower() == name), b"")
