"""JSON Schema of an event in the native format, made from the fields themselves."""

from typing import Any, Final

from api.files.columns import INT_MAX, LEVEL_MAX, YEAR_2000_US, YEAR_2100_US
from rules.events import COMMON_FIELDS, FIELDS, REPORT_KINDS, Field
from rules.ids import ID_LENGTH_MAX

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


def event_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of one event: one NDJSON line, or one row with empty cells left out.

    Columns beyond it are allowed and take no part. Order of times is checked by the reader alone.
    """
    properties: dict[str, Any] = {}
    for field in FIELDS:
        properties |= _properties(field)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://riderscore.invalid/schema/event.json",
        "title": "Event",
        "description": "One fact about one rider. Times: ..._at, ISO-8601 with an offset, or ..._us, microseconds UTC.",
        "type": "object",
        "properties": properties,
        "required": list(_ALWAYS),
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
        "additionalProperties": True,
    }


def _properties(field: Field) -> dict[str, Any]:
    optional = [] if field.name in _ALWAYS else ["null"]
    if field.type == "time":
        return {
            f"{field.name}_at": {"type": ["string", "null"], "pattern": _TIME_WITH_OFFSET},
            f"{field.name}_us": {
                "type": ["integer", "null"],
                "minimum": YEAR_2000_US,
                "exclusiveMaximum": YEAR_2100_US,
            },
        }
    if field.type == "int":
        highest = LEVEL_MAX if field.name == "level" else INT_MAX
        return {field.name: {"type": ["integer", "null"], "minimum": 0, "maximum": highest}}
    if field.type == "reports":
        named = rf"^\s*(({_REPORT})?\s*(;\s*({_REPORT})?\s*)*)$"
        return {
            field.name: {
                "anyOf": [
                    {"type": ["string", "null"], "pattern": named},
                    {"type": "array", "items": {"enum": list(REPORT_KINDS)}},
                ]
            }
        }
    if field.choices:
        return {field.name: {"enum": [*field.choices, *([None] if optional else [])]}}
    return {
        field.name: {
            "type": ["string", "integer", *optional],
            "minLength": 0 if optional else 1,
            "maxLength": ID_LENGTH_MAX,
        }
    }
