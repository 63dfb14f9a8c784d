"""What every operation of the OpenAPI document has in common: answers, headers, who may ask, names, examples."""

from collections.abc import Iterator
from typing import Any, Final

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from api.access.scopes import Scope
from api.app.openapi_examples import example_of
from api.app.openapi_schemas import REF, set_widths
from api.endpoints.common.auth import Require
from api.endpoints.common.body_limits import BodyLimits
from api.endpoints.common.problems import MEDIA_TYPE

_WITH_BODY: Final = ("POST", "PUT", "PATCH")
_JSON: Final = "application/json"
_API: Final = "/v1/"
PROBLEM_TEXT: Final = {
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
HEADERS: Final[dict[str, dict[str, Any]]] = {
    "RateLimit": {
        "description": "Requests that are left (`r`), and seconds until all are back (`t`).",
        "schema": {"type": "string", "examples": ['"token";r=599998;t=1']},
    },
    "RateLimit-Policy": {
        "description": "Requests that the token may make (`q`) within a window of seconds (`w`).",
        "schema": {"type": "string", "examples": ['"token";q=600000;w=60']},
    },
    "Retry-After": {
        "description": "Seconds after which to ask again.",
        "schema": {"type": "integer", "format": "int32", "minimum": 0, "maximum": 86_400, "examples": [1]},
    },
    "WWW-Authenticate": {
        "description": "How to sign in.",
        "schema": {"type": "string", "examples": ["Bearer"]},
    },
    "X-Request-Id": {
        "description": "Names the request in the log: the client's own, or a new one.",
        "schema": {"type": "string", "examples": ["9b1d7c52-5f0e-4e55-9a3f-0f6c1b8f9d10"]},
    },
    "Content-Language": {
        "description": "The language of the words: `en` or `zh`.",
        "schema": {"type": "string", "enum": ["en", "zh"]},
    },
    "Idempotency-Replayed": {
        "description": "`true` where the answer was given before to the same `Idempotency-Key`.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Location": {
        "description": "Where what was made can be read.",
        "schema": {"type": "string", "format": "uri-reference", "examples": ["/v1/appeals/ap_k3uWZ0c9be1a7f34"]},
    },
    "ETag": {
        "description": "Names what was read: send it as `If-Match` or `If-None-Match`.",
        "schema": {"type": "string", "examples": ['"3-0f3a9c64"']},
    },
}
PARAMETERS: Final[dict[str, dict[str, Any]]] = {
    "AcceptLanguage": {
        "name": "Accept-Language",
        "in": "header",
        "required": False,
        "description": "The language of words: `en` or `zh`, by weight; `en` where neither is named.",
        "schema": {"type": "string", "examples": ["zh"]},
    },
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": (
            "Any text of visible ASCII characters that names this request. A repeat with the same body gets the first "
            "answer and does nothing; with another body it is refused."
        ),
        "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": 200,
            "pattern": "^[!-~]{1,200}$",
            "examples": ["5f0e4e55-9a3f-4e55-9a3f-0f6c1b8f9d10"],
        },
    },
}
# An example of each kind of answer that is no JSON.
_TEXTS: Final = {
    "text/plain": "riderscore_requests_total 41\n",
    "text/csv": "audit_id,actor\n812,ops:li.na\n",
    "text/html": "<!doctype html>",
    "text/event-stream": 'id: 3\nevent: step\ndata: {"permille":250,"stage":"runs"}\n\n',
    "application/x-ndjson": '{"audit_id":812,"actor":"ops:li.na"}\n',
}
_PATH_EXAMPLES: Final = {
    "rider_id": "r7",
    "entry_id": "k3uWZ0c9be1a7f34",
    "appeal_id": "ap_k3uWZ0c9be1a7f34",
    "review_id": "rv_k3uWZ0c9be1a7f34",
    "draft_id": "5d0c9be1a7f34682",
    "study_id": "st_5d0c9be1a7f34682",
    "webhook_id": "wh_5d0c9be1a7f34682",
    "key_id": "3f9a1c5e7b2d4068",
    "city": "hangzhou",
}
_PATH_WORDS: Final = {
    "rider_id": "The rider, by a pseudonym.",
    "entry_id": "Names the entry.",
    "appeal_id": "Names the appeal.",
    "review_id": "Names the review.",
    "draft_id": "Names the draft.",
    "study_id": "Names the study or impact.",
    "webhook_id": "Names the webhook.",
    "key_id": "Names the API key.",
    "book_id": "Names the rule book.",
    "digest": "Names the version: its SHA-256.",
    "code": "The kind of problem.",
    "city": "The city.",
    "state": "Of this state only.",
    "kind": "Of this kind only.",
    "format": "The form of the answer.",
    "from_us": "Of this instant or later, in microseconds UTC.",
    "to_us": "Before this instant, in microseconds UTC.",
    "Last-Event-ID": "The number of the last step that was read.",
    "If-None-Match": "The ETag of what the client has: 304 where nothing else is there.",
}


def problem_answer(status: int) -> dict[str, Any]:
    """The component of a refusal.

    Parameters
    ----------
    status
        A key of `PROBLEM_TEXT`.

    Returns
    -------
    dict
        A problem document, and the headers that come with it.
    """
    headers = ["X-Request-Id", "Content-Language"]
    if status in (429, 503):
        headers.append("Retry-After")
    if status == 401:
        headers.append("WWW-Authenticate")
    return {
        "description": PROBLEM_TEXT[status],
        "headers": _headers(*headers),
        "content": {MEDIA_TYPE: {"schema": {"$ref": f"{REF}Problem"}}},
    }


def _headers(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def complete_operation(
    operation: dict[str, Any], route: APIRoute, method: str, limits: BodyLimits, schemas: dict[str, Any]
) -> None:
    """Add what every route of its kind can be asked and answers.

    Parameters
    ----------
    operation
        As FastAPI made it; changed in place.
    route
        Its route.
    method
        Its method, in capitals.
    limits
        How large its body may be.
    schemas
        Component schemas by name, complete.
    """
    operation["operationId"] = route.operation_id or route.name
    operation["summary"] = operation.get("summary") or route.name
    if "requestBody" in operation:
        operation["x-body-bytes-max"] = limits.bytes_max
    required = scopes_of(route)
    operation["security"] = []
    if required is not None:
        operation["security"] = [{"bearer": []}]
        operation["x-scopes"] = sorted(required)
    _complete_parameters(operation, route, method)
    _complete_answers(operation, route, method, is_open=required is None)
    _add_examples(operation, schemas)


def _complete_parameters(operation: dict[str, Any], route: APIRoute, method: str) -> None:
    parameters: list[dict[str, Any]] = operation.setdefault("parameters", [])
    for parameter in parameters:
        name = parameter["name"]
        schema = parameter["schema"] = _without_null(parameter["schema"])
        set_widths(schema, name)
        if name == "If-Match":
            # Without it the answer is 428, so nobody may leave it out.
            parameter["required"] = True
            parameter["schema"] = {"type": "string", "maxLength": 200, "examples": ['"3-0f3a9c64"']}
        if "description" not in parameter:
            parameter["description"] = _PATH_WORDS[name]
        if parameter["in"] == "path" and "examples" not in schema:
            parameter["example"] = _PATH_EXAMPLES[name]
    parameters.append({"$ref": "#/components/parameters/AcceptLanguage"})
    if method == "POST" and route.path_format.startswith(_API):
        parameters.append({"$ref": "#/components/parameters/IdempotencyKey"})


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a parameter that may be left out: there is no null in an address or a header."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind.get("type") != "null"]
    both = schema | kinds[0] if len(kinds) == 1 else schema
    return {key: value for key, value in both.items() if key != "title" and not (key == "anyOf" and len(kinds) == 1)}


def _names(operation: dict[str, Any]) -> set[str]:
    return {parameter["name"].lower() for parameter in operation["parameters"] if "name" in parameter}


def _complete_answers(operation: dict[str, Any], route: APIRoute, method: str, *, is_open: bool) -> None:
    answers, names = operation["responses"], _names(operation)
    if "HTTPValidationError" in str(answers.get("422")):
        del answers["422"]
    # 422: any address can hold text that cannot be used.
    statuses = {414, 422, 431, 503}
    if not is_open:
        statuses |= {401, 403, 429}
    if "{" in route.path_format or "cursor" in names:
        statuses.add(404)
    if "if-match" in names:
        statuses |= {412, 428}
    if "if-none-match" in names:
        answers.setdefault("304", {"description": "What the client has is what there is."})
    if method in _WITH_BODY:
        statuses |= {400, 408, 413}
        if "requestBody" in operation:
            # 404: what the body names is not there.
            statuses |= {415} if is_open else {404, 415}
    if method in ("POST", "PUT") and not is_open:
        statuses.add(409)
    for status, answer in answers.items():
        if status[0] in "23" and "$ref" not in answer:
            _add_headers(answer, status, operation, route, method, is_open=is_open)
    for status in sorted(statuses):
        answers.setdefault(str(status), {"$ref": f"#/components/responses/{status}"})


def _add_headers(
    answer: dict[str, Any], status: str, operation: dict[str, Any], route: APIRoute, method: str, *, is_open: bool
) -> None:
    headers = answer.setdefault("headers", {})
    headers |= _headers("X-Request-Id")
    if not is_open:
        headers |= _headers("RateLimit", "RateLimit-Policy")
    if method == "POST" and route.path_format.startswith(_API):
        headers |= _headers("Idempotency-Replayed")
    if _names(operation) & {"if-match", "if-none-match"} or "ETag" in headers:
        headers |= _headers("ETag")
    if operation["operationId"] in _MAKERS and status[0] == "2":
        headers |= _headers("Location")


# Operations that answer where to find what they made.
_MAKERS: Final = frozenset(
    {
        "post_draft",
        "start_draft_impact",
        "post_rollback",
        "post_appeal",
        "start_study",
        "start_impact",
        "register_webhook",
    }
)


def _add_examples(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    contents = [operation.get("requestBody", {})]
    contents += [answer for status, answer in operation["responses"].items() if status[0] == "2"]
    for holder in contents:
        for kind, content in holder.get("content", {}).items():
            if "example" in content or "examples" in content:
                continue
            if kind in _TEXTS:
                content["example"] = _TEXTS[kind]
                content.setdefault("schema", {"type": "string"})
            elif kind == _JSON:
                content["example"] = example_of(content["schema"], schemas)


def scopes_of(route: APIRoute) -> frozenset[Scope] | None:
    """The scopes of which a route asks one; None where it is open.

    Parameters
    ----------
    route
        Of the API.

    Returns
    -------
    frozenset of Scope or None
        As its dependencies require them.
    """
    scopes = [scope for need in _needs(route.dependant) for scope in need.scopes]
    return frozenset(scopes) if scopes else None


def _needs(dependant: Dependant) -> Iterator[Require]:
    if isinstance(dependant.call, Require):
        yield dependant.call
    for inner in dependant.dependencies:
        yield from _needs(inner)
