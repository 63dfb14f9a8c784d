"""The OpenAPI document: what FastAPI derives from the routes, plus what all routes have in common."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from api.app.openapi_operations import HEADERS, PARAMETERS, PROBLEM_TEXT, complete_operation, problem_answer
from api.app.openapi_schemas import common_schemas, complete_schemas, referred_names
from api.app.openapi_webhooks import webhook_operations, webhook_schemas
from api.endpoints.common.body_limits import limits_of


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
        title=app.title,
        version=app.version,
        openapi_version="3.1.1",
        summary=app.summary,
        description=_DESCRIPTION,
        routes=routes,
        tags=_TAGS,
        servers=[{"url": "/", "description": "The server that this document came from."}],
        contact={"name": "riderscore maintainers"},
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {}) | webhook_schemas() | common_schemas()
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    components["schemas"] = schemas
    complete_schemas(schemas, _asked(document, schemas))
    document["webhooks"] = webhook_operations(schemas)
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "An API key (`rs_…`) or a JWT of the issuer."}
    }
    components["parameters"], components["headers"] = PARAMETERS, HEADERS
    for route in routes:
        if route.include_in_schema:
            for method in route.methods or ():
                limits = limits_of(route.path_format, app.state.service.settings)
                operation = document["paths"][route.path_format][method.lower()]
                complete_operation(operation, route, method, limits, schemas)
    components["responses"] = {
        str(status): problem_answer(status)
        for status in PROBLEM_TEXT
        if f"#/components/responses/{status}'" in str(document["paths"])
    }
    return document


def _asked(document: dict[str, Any], schemas: dict[str, Any]) -> frozenset[str]:
    """Names of the schemas that bodies of requests hold, at any depth."""
    bodies = [
        operation["requestBody"]
        for path in document["paths"].values()
        for operation in path.values()
        if "requestBody" in operation
    ]
    return referred_names(bodies, schemas)


_DESCRIPTION: Final = """Scores riders under dated rule books; explains every entry.

All times are microseconds UTC (`…_us`) or ISO-8601 with an offset; points are milli-points (`…_mp`), money is fen (`…_fen`).
Errors are problem documents (RFC 9457). Lists go on with `cursor`. Every POST takes an `Idempotency-Key`.

Later versions of `/v1` may add fields to answers and words to lists of codes: readers pass over what they do not know.
What a request may hold is all that is listed."""
_TAGS: Final = [
    {"name": "events", "description": "Facts about riders, scored as they come."},
    {
        "name": "riders",
        "description": "Where riders stand, what the next order would do, moves between cities, personal fields.",
    },
    {"name": "entries", "description": "Lines of the ledger: why each stands, and appeals against them."},
    {"name": "appeals", "description": "Appeals of riders, and the answers of people."},
    {"name": "reviews", "description": "Recommendations that a person look at a rider, and what came of them."},
    {"name": "books", "description": "Rule books: what is in force where, every version in full, roll-backs."},
    {"name": "drafts", "description": "Changes to rule books: edited, checked, tried, approved, scheduled."},
    {"name": "dispatch", "description": "Who should take which order."},
    {"name": "dashboard", "description": "How a city is doing."},
    {"name": "studies", "description": "Long work: history judged anew, and simulated cities."},
    {"name": "webhooks", "description": "Where a platform wants to hear of changes."},
    {"name": "messages", "description": "What is sent to webhooks, and what their receivers answer."},
    {"name": "tokens", "description": "API keys: made, listed, ended."},
    {"name": "audit", "description": "Who did what, when."},
    {"name": "system", "description": "Health, meters, kinds of problems."},
]
