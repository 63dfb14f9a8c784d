"""JSON Schema of an event in the native format, made from the fields themselves."""

from typing import Any, Final

from rules.events import COMMON_FIELDS, FIELDS, KIND_MEANING, REPORT_KINDS, YEAR_2000_US, YEAR_2100_US, Field
from rules.ids import ID_LENGTH_MAX
from rules.units import US_PER_S

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
SCHEMA_ID: Final = "https://riderscore.invalid/schema/event.json"
_TIME_WITH_OFFSET: Final = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}(:\d{2}(:\d{2}([.,]\d+)?)?)?(Z|[+-]\d{2}(:?\d{2})?)$"
_REPORT: Final = "|".join(REPORT_KINDS)
# order_id is needed by some kinds only; occurred stands under either of two names.
_ALWAYS: Final = tuple(f.name for f in COMMON_FIELDS if f.type != "time" and f.name != "order_id")
_NEEDED: Final = {
    "delivered": ("order_id",),
    "deadline_extended": ("order_id", "cause", "extend_s"),
    "correction": ("ref_event_id",),
    "appeal_upheld": ("ref_event_id",),
}
# An example of a time in microseconds stands beside that in words: 2025-12-03T11:58:00+08:00 and so on.
_NOON_US: Final = 1_764_734_280 * US_PER_S
_INT32_MAX: Final = 2**31 - 1


def event_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of one event: one NDJSON line, or one row with empty cells left out.

    Columns beyond it are allowed and take no part. Order of times is checked by the reader alone.

    Returns
    -------
    dict
        The plain object, and what some kinds need besides as `$defs/rules`, to which it refers.
    """
    return {
        "$schema": DIALECT,
        "$id": SCHEMA_ID,
        **event_object(),
        "allOf": [{"$ref": "#/$defs/rules"}],
        "$defs": {"rules": event_rules()},
    }


def event_object() -> dict[str, Any]:
    """The plain schema of an event: every property and what all kinds need, without conditions.

    Returns
    -------
    dict
        What generators of clients make a type of; whatever a kind needs besides is `event_rules`.
    """
    properties: dict[str, Any] = {}
    for field in FIELDS:
        properties |= _properties(field)
    needs = "; ".join(f"`{kind}` needs {_listed(names)}" for kind, names in _NEEDED.items())
    return {
        "title": "Event",
        "description": (
            "One fact about one rider. A time is written in one of two ways: `…_at`, ISO-8601 with an offset, or `…_us`, "
            f"microseconds UTC; `occurred` must be there. Besides the properties required of all kinds, {needs}. "
            "Properties that are not listed are ignored and named in the answer."
        ),
        "type": "object",
        "properties": properties,
        "required": list(_ALWAYS),
        "additionalProperties": True,
    }


def event_rules() -> dict[str, Any]:
    """What an event must fulfil besides `event_object`: its time under either name, and what its kind needs.

    Returns
    -------
    dict
        Conditions of JSON Schema.
    """
    return {
        "description": "An event has its time under one of two names, and what its kind needs.",
        "anyOf": [{"required": ["occurred_at"]}, {"required": ["occurred_us"]}],
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
                "then": {
                    "properties": {name: {"not": {"type": "null"}} for name in names},
                    "required": list(names),
                },
            }
            for kind, names in _NEEDED.items()
        ],
    }


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _words(field: Field, note: str = "") -> str:
    """What a reader is told of a field: meaning, unit or form, and what stands for it where it is missing."""
    sentences = [field.meaning, note, f"Missing: {field.when_missing}." if field.when_missing else ""]
    return " ".join(sentence for sentence in sentences if sentence)


def _properties(field: Field) -> dict[str, Any]:
    optional = [] if field.name in _ALWAYS else ["null"]
    if field.type == "time":
        return {
            f"{field.name}_at": {
                "type": ["string", "null"],
                "description": _words(field, "ISO-8601 with an offset."),
                "pattern": _TIME_WITH_OFFSET,
                "examples": [field.example],
            },
            f"{field.name}_us": {
                "type": ["integer", "null"],
                "description": _words(field, f"The same as `{field.name}_at`, in {field.unit}."),
                "format": "int64",
                "minimum": YEAR_2000_US,
                "exclusiveMaximum": YEAR_2100_US,
                "examples": [_NOON_US],
            },
        }
    if field.type == "int":
        unit = f"In {field.unit}." if field.unit else ""
        return {
            field.name: {
                "type": ["integer", "null"],
                "description": _words(field, unit),
                "format": "int64" if field.name.endswith("_fen") or field.high > _INT32_MAX else "int32",
                "minimum": 0,
                "maximum": field.high,
                "examples": [field.example],
            }
        }
    if field.type == "reports":
        listed = rf"^\s*(({_REPORT})?\s*(;\s*({_REPORT})?\s*)*)$"
        return {
            field.name: {
                "description": _words(field),
                "anyOf": [
                    {"type": "string", "pattern": listed},
                    {"type": "array", "items": {"type": "string", "enum": list(REPORT_KINDS)}},
                    {"type": "null"},
                ],
                "examples": [field.example],
            }
        }
    if field.choices:
        words = "; ".join(f"`{kind}`: {meaning}" for kind, meaning in KIND_MEANING.items())
        return {
            field.name: {
                "type": ["string", *optional] if optional else "string",
                "description": _words(field, f"One of: {words}." if field.name == "kind" else ""),
                "enum": [*field.choices, *([None] if optional else [])],
                "examples": [field.example],
            }
        }
    return {
        field.name: {
            "type": ["string", "integer", *optional],
            "description": _words(field, f"An id of at most {ID_LENGTH_MAX} characters."),
            "minLength": 0 if optional else 1,
            "maxLength": ID_LENGTH_MAX,
            "examples": [field.example],
        }
    }
