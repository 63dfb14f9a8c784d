"""What stands before every route: who asks and how often, the body, and answers that were given before.

Plain ASGI, in this order: token → rate_limit → a card that is ready, or scope → body → Idempotency-Key → the route.
No body is read before it is known who sends it and that they may. Bodies of pages are read by the pages, likewise.
"""

from collections.abc import Mapping
from typing import Final

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.types import ASGIApp, Receive, Scope, Send

from api.db.store import UnreachableError
from api.endpoints.common.auth import Authenticator, check_scopes
from api.endpoints.common.bodies import (
    JSON,
    NDJSON,
    check_coding,
    check_shape,
    content_type_of,
    read_body,
    receive_again_of,
)
from api.endpoints.common.body_limits import (
    HEADERS_MAX,
    PATH_BYTES_MAX,
    QUERY_BYTES_MAX,
    WITH_BODY,
    BodyRoute,
    BodyRoutes,
)
from api.endpoints.common.idempotency_keys import STORES_OWN_ANSWERS, answer_idempotently, idempotency_key
from api.endpoints.common.open_streams import OpenStreams
from api.endpoints.common.problems import Problem, check_rate, problem_of_refusal, problem_of_unreachable
from api.endpoints.common.rate_limits import RateLimits, address_of
from api.endpoints.common.refusal_answers import refuse
from api.endpoints.common.stopping import ELSEWHERE
from api.endpoints.common.storable_text import check_address, check_json
from api.endpoints.riders.card_cache import CardCache, answer_card
from api.refusals import Refused
from api.service import Actor, Service

API: Final = "/v1/"
# Open to all, and more work than saying that the process lives.
COUNTED_OPEN: Final = frozenset({"/metrics", "/readyz", "/openapi.json", "/problems"})
_ENDING_AT_ONCE: Final = 8
_LARGE_BYTES: Final = 64 * 1024
# Media types of bodies by path, where JSON is not all that is taken.
TAKES: Final[Mapping[str, tuple[str, ...]]] = {"/v1/events": (JSON, NDJSON)}


class RequestChecksMiddleware:
    """Admits requests."""

    def __init__(
        self,
        app: ASGIApp,
        service: Service,
        authenticator: Authenticator,
        desk: CardCache,
        plan: BodyRoutes,
        rate_limits: RateLimits,
        open_streams: OpenStreams,
    ) -> None:
        self._app = app
        self._plan = plan
        self._service = service
        self._authenticator = authenticator
        self._desk = desk
        self._rate_limits = rate_limits
        self._open_streams = open_streams
        self._turns = CapacityLimiter(_ENDING_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or say why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})
        try:
            _check_head(scope)
            check_address(scope)
            await self._admit(scope)
            if scope["method"] in WITH_BODY and scope["path"].startswith(API):
                wanted = self._plan.wanted(scope["method"], scope["path"])
                if wanted is not None:
                    scope["route"] = wanted
                    await self._with_body(wanted, scope, receive, send)
                    return
            if scope["method"] == "GET" and await answer_card(self._desk, scope, send):
                return
        except UnreachableError as error:
            scope["state"]["cause"] = str(error)
            await refuse(problem_of_unreachable(error), scope, receive, send)
            return
        except Refused as refused:
            await refuse(problem_of_refusal(refused), scope, receive, send)
            return
        except Problem as problem:
            await refuse(problem, scope, receive, send)
            return
        await self._open_streams.answer(self._app, scope, receive, send)

    async def _admit(self, scope: Scope) -> None:
        """Find out who asks, where they say so, and count the request: for the token, or for the address without one.

        Outside of the API no token is asked for: what stands there is a proxy's, and none of ours.
        """
        if scope["path"] in COUNTED_OPEN:
            check_rate(self._rate_limits.strangers.take(address_of(scope), self._service.clock()))
        if not scope["path"].startswith(API) or b"authorization" not in dict(scope["headers"]):
            return
        actor = await self._actor(scope)
        known = self._rate_limits.known
        if not known.per_minute:
            return
        allowed = known.take(actor.token_id, self._service.clock())
        scope["state"]["headers"] = (
            (b"ratelimit-policy", b'"token";q=%d;w=60' % known.per_minute),
            (b"ratelimit", b'"token";r=%d;t=%d' % (allowed.remaining, allowed.reset_s)),
        )
        if not allowed.is_allowed:
            raise Problem("rate_limited", headers={"Retry-After": str(allowed.reset_s)}, seconds=allowed.reset_s)

    async def _actor(self, scope: Scope) -> Actor:
        """Who asks. A wrong token is counted for the address, so that good ones from there go on."""
        try:
            actor = self._authenticator.believed(scope)
            if actor is None and not self._authenticator.is_new(scope):
                actor = await self._authenticator.actor(scope)
        except Problem:
            check_rate(self._rate_limits.strangers.take(address_of(scope), self._service.clock()))
            raise
        return await self._newcomer(scope) if actor is None else actor

    async def _newcomer(self, scope: Scope) -> Actor:
        """Who asks with a key that was not good here before: counted before it is looked up."""
        address = address_of(scope)
        look = self._rate_limits.look(address, self._service.clock())
        if not look.may_look:
            check_rate(look.if_wrong)
        try:
            actor = await self._authenticator.actor(scope)
        except Problem:
            check_rate(look.if_wrong)
            raise
        self._rate_limits.was_good(address, look)
        return actor

    async def _with_body(self, wanted: BodyRoute, scope: Scope, receive: Receive, send: Send) -> None:
        actor = scope["state"].get("actor")
        if wanted.scopes:
            check_scopes(actor, wanted.scopes)
        check_coding(scope)
        kind = content_type_of(scope)
        body = await read_body(scope, receive, wanted.limits.bytes_max, self._service.settings.body_timeout_s)
        if self._service.shutdown.has_begun:
            raise Problem("stopping", headers=ELSEWHERE)
        if body:
            takes = TAKES.get(wanted.path, (JSON,))
            if kind not in takes:
                raise Problem("media_type_unsupported", headers={"Accept-Post": ", ".join(takes)})
            await check_shape(body, wanted.limits.shape, is_lines=kind == NDJSON)
            if wanted.path not in TAKES:
                await _checked(body)
        again = receive_again_of(body, receive)
        key = idempotency_key(scope) if scope["method"] == "POST" else None
        if key is None or actor is None or wanted.path in STORES_OWN_ANSWERS:
            # Whoever reads it has it alone.
            body = b""
            await self._app(scope, again, send)
            return
        await answer_idempotently(self._app, self._service, self._turns, actor, key, body, scope, again, send)


async def _checked(body: bytes) -> None:
    """`check_json`, for large bodies beside the requests of others."""
    if len(body) < _LARGE_BYTES:
        check_json(body)
    else:
        await run_sync(check_json, body)


def _check_head(scope: Scope) -> None:
    """Refuse a request whose line or headers hold more than any use needs."""
    if len(scope.get("raw_path") or b"") > PATH_BYTES_MAX or len(scope["query_string"]) > QUERY_BYTES_MAX:
        raise Problem("address_too_long", path=PATH_BYTES_MAX, query=QUERY_BYTES_MAX)
    if len(scope["headers"]) > HEADERS_MAX:
        raise Problem("too_many_headers", limit=HEADERS_MAX)
