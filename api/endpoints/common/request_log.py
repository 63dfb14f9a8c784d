"""The outermost layer: request ids, a log line and a count for each request, safe headers, and no stack traces.

Plain ASGI: what stands before every request must be thin.
"""

import re
import secrets
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.clock import elapsed_ns
from api.endpoints.common.metrics import Metrics
from api.endpoints.common.problems import Problem
from api.endpoints.common.refusal_answers import refuse

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
_SAFE: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)


class RequestLogMiddleware:
    """Sees every request come and go."""

    def __init__(self, app: ASGIApp, metrics: Metrics, log: Any) -> None:
        self._app = app
        self._metrics = metrics
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_ns = elapsed_ns()
        state = scope.setdefault("state", {})
        request_id = state["request_id"] = _request_id(scope)
        status = 0

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _mark(message, request_id, state)
            await send(message)

        self._metrics.in_flight.inc()
        try:
            await self._app(scope, receive, send_marked)
        except Exception:  # noqa: BLE001 - the last door: a fault of ours is logged, never shown
            self._log.exception("request_failed", request_id=request_id.decode(), route=_route(scope))
            if not status:
                await refuse(Problem("internal"), scope, receive, send_marked)
        finally:
            self._metrics.in_flight.dec()
            self._note(scope, status, elapsed_ns() - began_ns)

    def _note(self, scope: Scope, status: int, took_ns: int) -> None:
        state, route, method = scope["state"], _route(scope), scope["method"]
        self._metrics.answered(method if method in _METHODS else "other", route, status, took_ns)
        code = state.get("problem")
        if code is not None:
            self._metrics.problem(code)
        actor = state.get("actor")
        self._log.info(
            "request",
            request_id=state["request_id"].decode(),
            method=method,
            route=route,
            status=status,
            ms=round(took_ns / 1e6, 2),
            actor=None if actor is None else actor.name,
            **{name: state[name] for name in ("problem", "cause") if name in state},
        )


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})


def _route(scope: Scope) -> str:
    """The template of the route, never the path: paths hold ids."""
    return getattr(scope.get("route"), "path", "") or "unknown"


def _header(scope: Scope, name: bytes) -> bytes:
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return b""


def _request_id(scope: Scope) -> bytes:
    """The client's own id where it is a sound one."""
    sent_id = _header(scope, b"x-request-id")
    return sent_id if _REQUEST_ID.fullmatch(sent_id) else secrets.token_hex(8).encode()


def _mark(message: Message, request_id: bytes, state: dict[str, Any]) -> None:
    headers = list(message.get("headers", ()))
    present = {name for name, _ in headers}
    headers += [pair for pair in _SAFE if pair[0] not in present]
    headers.append((b"x-request-id", request_id))
    headers += state.get("headers", ())
    message["headers"] = headers
