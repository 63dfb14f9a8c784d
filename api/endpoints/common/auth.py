"""Who is asking: API keys and bearer JWTs → `Actor`; and what a route asks of them (`require`).

A token that was looked up is believed for a few seconds; after that a revocation bites. Sessions of the console are looked
up each time (`session_actor`).
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import Final

from anyio import CapacityLimiter
from cachetools import LRUCache
from fastapi import Request
from starlette.types import Scope as AsgiScope

from api.access import keys, sessions
from api.access.issuer_keys import KeysUnknownError
from api.access.scopes import Scope
from api.endpoints.common.jwts import JwtVerifier
from api.endpoints.common.problems import Problem
from api.endpoints.common.rate_limits import KnownCredentials
from api.endpoints.common.threads import run_limited
from api.refusals import Refused
from api.service import Actor, Service
from api.words import role_words
from rules.units import US_PER_S

_NUM_CACHED: Final = 50_000
_NUM_LOOKERS: Final = 16
_TOKEN_BYTES_MAX: Final = 8_192
_KEY: Final = b"rs_"


class Authenticator:
    """Looks tokens up and remembers the answer for `token_cache_s`."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.jwts = JwtVerifier(service.settings, service.clock)
        self._known = _nothing()
        # Of keys, and of sessions: they are looked up before others where somebody asks too often.
        self.good_keys, self.good_sessions = KnownCredentials(), KnownCredentials()
        self._looking: dict[bytes, asyncio.Task[tuple[Actor, int | None]]] = {}
        # Threads of their own: who waits for a row must not keep others from being known.
        self._lookers = CapacityLimiter(_NUM_LOOKERS)

    async def actor(self, scope: AsgiScope) -> Actor:
        """Who a request says it is from.

        Raises
        ------
        Problem
            `unauthenticated`, `token_invalid`, `token_expired`, `token_revoked` or `keys_awaited`.
        """
        believed = self.believed(scope)
        if believed is None:
            believed = scope["state"]["actor"] = await self._looked_up(_token(scope))
        return believed

    def believed(self, scope: AsgiScope) -> Actor | None:
        """Who a request says it is from, where that was looked up a moment ago.

        Raises
        ------
        Problem
            `unauthenticated`, `token_invalid`.
        """
        state = scope.setdefault("state", {})
        known: Actor | None = state.get("actor")
        if known is not None:
            return known
        try:
            actor, until_us = self._known[_token(scope)]
        except KeyError:
            return None
        # What was believed until now is looked up again: the key may be gone that a token was signed with.
        if self._service.clock() >= until_us:
            return None
        state["actor"] = actor
        return actor

    def is_new(self, scope: AsgiScope) -> bool:
        """Whether a request comes with a key that was not good here before; a JWT needs no look at the store."""
        token = _token(scope)
        return token.startswith(_KEY) and not self.good_keys.has(token)

    async def _looked_up(self, token: bytes) -> Actor:
        """Look a token up, once for all who ask with it at this moment."""
        known, looking = self._known, self._looking
        task = looking.get(token)
        if task is None:
            work = partial(self._look_up, token.decode("latin-1"))
            task = asyncio.ensure_future(run_limited(work, self._lookers))
            if self._service.settings.token_cache_s:
                looking[token] = task
                task.add_done_callback(lambda _: looking.pop(token, None))
        try:
            # A client that disconnects does not cancel the answer that others wait for.
            actor, good_until_us = await asyncio.shield(task)
        except Problem:
            self.good_keys.note(token, is_good=False)
            raise
        if token.startswith(_KEY):
            self.good_keys.note(token, is_good=True)
        until_us = self._service.clock() + self._service.settings.token_cache_s * US_PER_S
        known[token] = (actor, until_us if good_until_us is None else min(until_us, good_until_us))
        return actor

    def forget(self) -> None:
        """Look every token up again."""
        # New ones rather than empty ones: this is called from threads.
        self._known, self._looking = _nothing(), {}

    def read(self, written: str) -> Actor:
        """Who a token stands for, looked up now.

        Raises
        ------
        Problem
            `token_invalid`, `token_expired`, `token_revoked` or `keys_awaited`.
        """
        return self._look_up(written)[0]

    def _look_up(self, written: str) -> tuple[Actor, int | None]:
        """Who a token stands for, and until when that may be believed (µs; None for ever)."""
        if written.startswith(_KEY.decode()):
            return _read_key(self._service, written)
        try:
            return self.jwts.read(written)
        except KeysUnknownError:
            raise Problem("keys_awaited", headers={"Retry-After": "1"}) from None


def _nothing() -> LRUCache[bytes, tuple[Actor, int]]:
    """Tokens that were looked up: whose they are, and until when that is believed."""
    return LRUCache(_NUM_CACHED)


def session_actor(service: Service, jwts: JwtVerifier, written: str) -> Actor | None:
    """Whose session a cookie's text is; None where it is none, or over.

    Raises
    ------
    Problem
        `keys_awaited` while nobody knows whether the issuer still has the key that its token was signed with.
    """
    with service.reading() as unit:
        session = sessions.session_of(unit, written, service.clock())
    if session is None:
        return None
    try:
        if session.signed_by is not None and not jwts.has_key_now(session.signed_by):
            return None
    except KeysUnknownError:
        raise Problem("keys_awaited", headers={"Retry-After": "1"}) from None
    return Actor(
        session.role, session.subject, session.cities, f"session:{session.session_id[:16]}",
        key_id=session.key_id, expires_us=session.expires_us, session_id=session.session_id,
        signed_by=session.signed_by,
    )  # fmt: skip


def _read_key(service: Service, written: str) -> tuple[Actor, int | None]:
    now = service.clock()
    with service.reading() as unit:
        key = keys.key_of(unit, written)
    if key is None:
        raise Problem("token_invalid")
    if key.revoked_us is not None:
        raise Problem("token_revoked")
    if key.expires_us is not None and key.expires_us <= now:
        raise Problem("token_expired")
    if key.last_used_us is None or key.last_used_us + keys.LAST_USE_INTERVAL_US <= now:
        # Reads go on while nothing may be written.
        with suppress(Refused), service.writing() as unit:
            keys.record_use(unit, key.key_id)
    return Actor(key.role, key.subject, key.cities, key.key_id, key.key_id, key.expires_us), key.expires_us


def _token(scope: AsgiScope) -> bytes:
    values = [value for name, value in scope["headers"] if name == b"authorization"]
    if not values:
        raise Problem("unauthenticated")
    kind, _, token = values[0].partition(b" ")
    if len(values) > 1 or kind.lower() != b"bearer" or not 0 < len(token) <= _TOKEN_BYTES_MAX:
        raise Problem("token_invalid")
    return bytes(token.strip())


@dataclass(frozen=True, slots=True)
class Require:
    """A dependency that gives the actor, if their role has one of some scopes."""

    scopes: tuple[Scope, ...]

    async def __call__(self, request: Request) -> Actor:
        """Who is asking.

        Raises
        ------
        Problem
            401 without a good token, 403 without the scope.
        """
        authenticator: Authenticator = request.app.state.authenticator
        return check_scopes(await authenticator.actor(request.scope), self.scopes)


def check_scopes(actor: Actor | None, scopes: Sequence[Scope]) -> Actor:
    """The actor, if their role has one of some scopes.

    Raises
    ------
    Problem
        401 without a requester, 403 without the scope.
    """
    if actor is None:
        raise Problem("unauthenticated")
    if not actor.may(*scopes):
        raise Problem("scope_missing", scopes=", ".join(scopes), role=role_words(actor.role))
    return actor


@cache
def require(*scopes: Scope) -> Require:
    """What a route asks of its caller: one of these scopes."""
    return Require(scopes)
