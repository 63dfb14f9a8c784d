"""The OpenAPI document: what FastAPI derives from the routes, plus what all routes have in common."""

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from api.access.scopes import Scope
from api.endpoints.common.auth import Require
from api.endpoints.common.body_limits import BodyLimits, limits_of
from api.endpoints.common.problems import ERRORS_MAX, MEDIA_TYPE, STATUS
from api.files.event_json_schema import event_schema

_WITH_BODY: Final = ("POST", "PUT", "PATCH")
_SAYS: Final = {
    400: "The request cannot be read.",
    401: "No token, or one that is not good.",
    403: "The token's role or city does not allow this.",
    404: "There is nothing here that the token may see.",
    408: "The body did not arrive in time.",
    409: "In conflict with what is there.",
    412: "What was read has changed.",
    413: "Too large.",
    414: "Path or query are too long.",
    415: "A content type that is not taken here.",
    422: "Values that cannot be accepted; `errors` names each.",
    428: "If-Match is missing.",
    429: "More requests than the token, or the address without one, may make.",
    431: "More headers than any use needs.",
    500: "A fault of the service.",
    503: "The database cannot be reached, or as many of these run as may run at once.",
}
_PROBLEM: Final[dict[str, Any]] = {
    "title": "Problem",
    "description": "A problem document (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "examples": ["/problems/token_expired"]},
        "title": {"type": "string", "examples": ["Not signed in"]},
        "status": {"type": "integer", "examples": [401]},
        "detail": {"type": "string", "examples": ["The token has expired."]},
        "instance": {"type": "string"},
        "code": {"type": "string", "enum": sorted(STATUS)},
        "decided_by": {"type": "string", "description": "Who decided first, where somebody did."},
        "decided_us": {"type": "integer"},
        "stands": {"type": "string", "description": "What was decided first: the code of the decision."},
        "not_saved": {"type": "object", "description": "What was sent and not saved, word for word."},
        "num_errors": {"type": "integer", "description": "How many there are; `errors` holds the first of them."},
        "errors": {
            "type": "array",
            "maxItems": ERRORS_MAX,
            "items": {
                "type": "object",
                "required": ["code", "detail"],
                "properties": {
                    "pointer": {"type": "string", "examples": ["#/events/3/kind"]},
                    "parameter": {"type": "string", "examples": ["query/limit"]},
                    "place": {"type": "string"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}


def install(app: FastAPI, routes: tuple[APIRoute, ...]) -> None:
    """Let an app describe itself so."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = document_of(app, routes)
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]


def document_of(app: FastAPI, routes: tuple[APIRoute, ...]) -> dict[str, Any]:
    """The OpenAPI document of some routes."""
    document = get_openapi(
        title=app.title, version=app.version, summary=app.summary, description=_DESCRIPTION, routes=routes, tags=_TAGS
    )
    parts = document.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = _PROBLEM
    schemas["Event"] = {name: value for name, value in event_schema().items() if not name.startswith("$")}
    parts["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "An API key (`rs_…`) or a JWT of the issuer."}
    }
    parts["responses"] = {str(status): _answer(status) for status in _SAYS}
    for route in routes:
        if route.include_in_schema:
            for method in route.methods or ():
                limits = limits_of(route.path_format, app.state.service.settings)
                _complete(document["paths"][route.path_format][method.lower()], route, method, limits)
    return document


def _answer(status: int) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": _SAYS[status],
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status in (429, 503):
        answer["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}
    return answer


def _complete(operation: dict[str, Any], route: APIRoute, method: str, limits: BodyLimits) -> None:
    """Add what every route of its kind can answer, and how large its body may be."""
    required = scopes_of(route)
    # 422: any address can hold text that cannot be used.
    statuses = {414, 422, 431, 503}
    if "requestBody" in operation:
        operation["x-body-bytes-max"] = limits.bytes_max
    answers = operation["responses"]
    if required is not None:
        statuses |= {401, 403, 429}
        operation["security"] = [{"bearer": []}]
        operation["x-scopes"] = sorted(required)
    if "{" in route.path_format or any(parameter["name"] == "cursor" for parameter in operation.get("parameters", ())):
        statuses.add(404)
    names = {parameter["name"].lower() for parameter in operation.get("parameters", ())}
    if "cursor" in names:
        statuses.add(404)
    if "if-match" in names:
        statuses |= {412, 428}
    if "if-none-match" in names:
        answers.setdefault("304", {"description": "What the client has is what there is."})
    if method in _WITH_BODY:
        statuses |= {400, 408, 413}
        if "requestBody" in operation:
            # 404: what the body names is not there.
            statuses |= {404, 415} if required is not None else {415}
    if method in ("POST", "PUT") and required is not None:
        statuses.add(409)
    if "HTTPValidationError" in str(answers.get("422")):
        del answers["422"]
    for status in sorted(statuses):
        answers.setdefault(str(status), {"$ref": f"#/components/responses/{status}"})


def scopes_of(route: APIRoute) -> frozenset[Scope] | None:
    """The scopes of which a route asks one; None where it is open."""
    scopes = [scope for need in _needs(route.dependant) for scope in need.scopes]
    return frozenset(scopes) if scopes else None


def _needs(dependant: Dependant) -> Iterator[Require]:
    if isinstance(dependant.call, Require):
        yield dependant.call
    for inner in dependant.dependencies:
        yield from _needs(inner)


_DESCRIPTION: Final = """Scores riders under dated rule books; explains every entry.

All times are microseconds UTC (`…_us`) or ISO-8601 with an offset; points are milli-points (`…_mp`), money is fen (`…_fen`).
Errors are problem documents (RFC 9457). Lists go on with `cursor`. Every POST takes an `Idempotency-Key`."""
_TAGS: Final = [
    {"name": "events", "description": "Facts about riders, scored as they come."},
    {"name": "tokens", "description": "API keys."},
    {"name": "system", "description": "Health, meters, kinds of problems."},
]
