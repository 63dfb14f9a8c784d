"""The messages to webhooks in the OpenAPI document: one operation a kind, done by whoever receives them."""

from typing import Any, Final

from pydantic.json_schema import models_json_schema

from api.app.openapi_examples import example_of
from api.app.openapi_schemas import REF
from api.endpoints.webhooks.messages import MESSAGES

_TEXT: Final = {"type": "string"}
_HEADERS: Final = (
    ("webhook-id", "Names the message; the same at every attempt.", "msg_77"),
    ("webhook-timestamp", "When this attempt was made, in seconds since 1970-01-01 UTC.", "1764734280"),
    (
        "webhook-signature",
        "Signatures by the secrets that are good (Standard Webhooks, v1).",
        "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    ),
    ("riderscore-platform", "The platform that the message is about.", "default"),
)


def webhook_schemas() -> dict[str, Any]:
    """Component schemas of the messages.

    Returns
    -------
    dict
        By name: the data of each kind, what stands in it, and the message around it.
    """
    models = [(model, "serialization") for model, _ in MESSAGES.values()]
    _, top = models_json_schema(models, ref_template=f"{REF}{{model}}")  # type: ignore[arg-type]
    schemas: dict[str, Any] = top["$defs"]
    for kind, (model, words) in MESSAGES.items():
        schemas[f"{model.__name__}Message"] = {
            "title": f"{model.__name__}Message",
            "type": "object",
            "description": words,
            "required": ["type", "timestamp", "platform", "data"],
            "properties": {
                "type": {"type": "string", "const": kind, "description": "The kind of message.", "examples": [kind]},
                "timestamp": {
                    "type": "string",
                    "format": "date-time",
                    "description": "When it happened, ISO 8601.",
                    "examples": ["2025-12-03T03:58:00.000000Z"],
                },
                "platform": {"type": "string"},
                "data": {"$ref": f"{REF}{model.__name__}", "description": "What happened."},
            },
        }
    return schemas


def webhook_operations(schemas: dict[str, Any]) -> dict[str, Any]:
    """The `webhooks` of the document.

    Parameters
    ----------
    schemas
        Component schemas by name, complete.

    Returns
    -------
    dict
        A path item by kind of message.
    """
    return {
        kind: {"post": _operation(kind, model.__name__, words, schemas)} for kind, (model, words) in MESSAGES.items()
    }


def _operation(kind: str, name: str, words: str, schemas: dict[str, Any]) -> dict[str, Any]:
    schema = {"$ref": f"{REF}{name}Message"}
    return {
        "operationId": f"receive_{kind.replace('.', '_')}",
        "summary": words,
        "description": "Sent to the address of a webhook that hears of it, at least once, in order for each rider.",
        # A tag of their own: generators would write both kinds of operations into one class.
        "tags": ["messages"],
        "security": [],
        "parameters": [
            {"name": header, "in": "header", "required": True, "description": text, "schema": _TEXT, "example": example}
            for header, text, example in _HEADERS
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema, "example": example_of(schema, schemas)}},
        },
        "responses": {
            "2XX": {"description": "The receiver has it."},
            "4XX": {"description": "It is sent again, up to ten times; `410` switches the webhook off."},
        },
    }
