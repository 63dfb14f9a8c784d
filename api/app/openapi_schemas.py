"""The schemas of the OpenAPI document: every field described, whole numbers with their width, answers open.

FastAPI makes them of the models. What is done here holds for all of them alike, so that no model need say it.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, Final

from api.app.openapi_words import FIELDS
from api.endpoints.common.problems import ERRORS_MAX, STATUS
from api.files.event_json_schema import SCHEMA_ID, event_object
from rules.events import unit_of

REF: Final = "#/components/schemas/"
_INT32_MAX: Final = 2**31 - 1
# Names of numbers that never fit in 32 bits, or need not in a later version, whatever limit stands today.
_WIDE: Final = ("_us", "_fen", "_mp")
_LIMITS: Final = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})
_PROBLEM: Final[dict[str, Any]] = {
    "title": "Problem",
    "description": "Why a request was refused (RFC 9457). `code` is for programs, `detail` for people.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {
            "type": "string",
            "description": "The kind of problem in a few words.",
            "examples": ["Not signed in"],
        },
        "status": {"type": "integer", "format": "int32", "examples": [401]},
        "detail": {
            "type": "string",
            "description": "What is the matter and what to do, in the language that was asked for.",
            "examples": ["The token has expired."],
        },
        "instance": {"type": "string"},
        "code": {
            "type": "string",
            "description": "The kind of problem, for programs: `GET /problems` lists them. Later versions may add some.",
            "enum": sorted(STATUS),
            "examples": ["token_expired"],
        },
        "decided_by": {"type": "string", "description": "Who decided first, where somebody did."},
        "decided_us": {"type": "integer", "description": "When that was."},
        "stands": {
            "type": "string",
            "description": "What was decided first: the code of the decision.",
            "examples": ["upheld"],
        },
        "not_saved": {
            "type": "object",
            "description": "What was sent and not saved, word for word.",
            "additionalProperties": True,
        },
        "num_errors": {"type": "integer", "description": "How many there are; `errors` holds the first of them."},
        "errors": {"type": "array", "maxItems": ERRORS_MAX, "items": {"$ref": f"{REF}FieldProblem"}},
    },
}
_FIELD_PROBLEM: Final[dict[str, Any]] = {
    "title": "FieldProblem",
    "description": "One fault of a request, and where it stands.",
    "type": "object",
    "required": ["code", "detail"],
    "properties": {
        "pointer": {
            "type": "string",
            "description": "The place in a JSON body, as a JSON pointer.",
            "examples": ["#/events/3/kind"],
        },
        "parameter": {
            "type": "string",
            "description": "The parameter, by where it stands and its name.",
            "examples": ["query/limit"],
        },
        "place": {
            "type": "string",
            "description": "The place in a document that is no JSON.",
            "examples": ["/document/rule/3/points"],
        },
        "code": {"type": "string", "description": "The kind of fault, for programs.", "examples": ["missing"]},
        "detail": {"type": "string", "description": "What is the matter.", "examples": ["This is needed."]},
    },
}

_BATCH: Final[dict[str, Any]] = {
    "title": "EventBatch",
    "description": "Events, in an object.",
    "type": "object",
    "required": ["events"],
    "properties": {
        "events": {"type": "array", "items": {"$ref": f"{REF}Event"}, "description": "The events, in any order."}
    },
    "additionalProperties": False,
}


def common_schemas() -> dict[str, Any]:
    """The schemas that no model stands for.

    Returns
    -------
    dict
        By name: problems, and events as they are posted.
    """
    problems = {"Problem": deepcopy(_PROBLEM), "FieldProblem": deepcopy(_FIELD_PROBLEM)}
    return problems | {"Event": api_event(), "EventBatch": deepcopy(_BATCH)}


def complete_schemas(schemas: dict[str, Any], asked: frozenset[str]) -> None:
    """Bring the component schemas to what the document promises.

    Parameters
    ----------
    schemas
        By name; changed in place.
    asked
        Names of the schemas that requests hold: these stay closed, all others are open for what later versions add.
    """
    for name, schema in schemas.items():
        for field, declared in schema.get("properties", {}).items():
            _describe(name, field, declared)
        set_widths(schema)
        if name not in asked:
            for inner in inner_schemas(schema):
                if inner.get("additionalProperties") is False:
                    del inner["additionalProperties"]


def api_event() -> dict[str, Any]:
    """An event as clients send it: the plain object, each field of one type; what is not known is left out.

    Returns
    -------
    dict
        Of `event_object`, what a generator of clients makes a class of.
    """
    event = event_object()
    event["description"] += (
        f" The whole, with its conditions, is the JSON Schema {SCHEMA_ID} (`riderscore schema events`)."
    )
    for declared in event["properties"].values():
        kinds = declared.get("type")
        if isinstance(kinds, list):
            declared["type"] = next(kind for kind in kinds if kind != "null")
        if "enum" in declared:
            declared["enum"] = [word for word in declared["enum"] if word is not None]
    reports = event["properties"]["reports"]
    (listed,) = (kind for kind in reports.pop("anyOf") if kind.get("type") == "array")
    event["properties"]["reports"] = reports | listed | {"examples": [reports["examples"]]}
    return event


def inner_schemas(schema: Any) -> Iterator[dict[str, Any]]:
    """A schema and all schemas in it, but for what it refers to.

    Parameters
    ----------
    schema
        Any part of the document; examples in it are passed over.

    Returns
    -------
    Iterator of dict
        Outer ones first.
    """
    if isinstance(schema, dict):
        yield schema
        for key, value in schema.items():
            if key not in ("examples", "example", "default", "enum"):
                yield from inner_schemas(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from inner_schemas(item)


def referred_names(part: Any, schemas: Mapping[str, Any]) -> frozenset[str]:
    """Names of the component schemas that a part of the document refers to, at any depth.

    Parameters
    ----------
    part
        Any part of the document.
    schemas
        Component schemas by name.

    Returns
    -------
    frozenset of str
        Those that there are.
    """
    names: set[str] = set()
    waiting = _referred(part)
    while waiting:
        name = waiting.pop()
        if name not in names and name in schemas:
            names.add(name)
            waiting |= _referred(schemas[name])
    return frozenset(names)


def _referred(part: Any) -> set[str]:
    return {inner["$ref"].removeprefix(REF) for inner in inner_schemas(part) if isinstance(inner.get("$ref"), str)}


def set_widths(schema: dict[str, Any], name: str = "") -> None:
    """Say how wide whole numbers are: 64 bits unless limits say that 32 do, and always for times, money and points.

    Parameters
    ----------
    schema
        Changed in place, with all schemas in it.
    name
        Of the field or parameter that it is the schema of.
    """
    if schema.get("type") in ("integer", ["integer", "null"]) and "format" not in schema:
        for limit in _LIMITS & schema.keys():
            schema[limit] = int(schema[limit])
        is_narrow = "minimum" in schema and schema.get("maximum", _INT32_MAX + 1) <= _INT32_MAX
        schema["format"] = "int32" if is_narrow and not name.endswith(_WIDE) else "int64"
    for field, declared in schema.get("properties", {}).items():
        set_widths(declared, field)
    for kind in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        set_widths(kind, name)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            set_widths(schema[key], name)


def _describe(schema: str, field: str, declared: dict[str, Any]) -> None:
    """The words of a field, its unit and an example, where it does not say them itself."""
    meaning, example = FIELDS.get(f"{schema}.{field}") or FIELDS.get(field) or ("", None)
    words = declared.get("description") or meaning
    unit = unit_of(field) if _is_number(declared) else ""
    if unit and f"In {unit}" not in words and schema != "Event":
        words = f"{words} In {unit}."
    declared["description"] = words.strip()
    if example is not None and "examples" not in declared and not _refers(declared):
        declared["examples"] = [example]
    declared.pop("title", None)
    if isinstance(declared.get("default"), dict):
        # Generators of Go write an object there that is no Go; what is left out of it is said field by field.
        del declared["default"]


def _is_number(declared: dict[str, Any]) -> bool:
    return any(kind.get("type") in ("integer", "number") for kind in (declared, *declared.get("anyOf", ())))


def _refers(declared: dict[str, Any]) -> bool:
    return any("$ref" in inner for inner in inner_schemas(declared))
