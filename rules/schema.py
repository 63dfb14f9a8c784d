"""JSON Schema of a rule book file, for editors and other programs."""

from typing import Any

from rules.book import BookDocument

_OWN = ("id", "effective_from")


def book_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a book as written: the document model plus `extends` and `remove`.

    Numbers are in the book's units (points, minutes, shares); a book that extends another needs only its own keys.
    """
    schema = BookDocument.model_json_schema(by_alias=True)
    required = schema.pop("required")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "riderscore rule book"
    schema["properties"] |= {
        "extends": {"type": "string", "description": "id, id@date, or relative path of the book this one builds on"},
        "remove": {
            "type": "array",
            "items": {"type": "string"},
            "description": "ids of inherited rules, caps, tiers, groups, or kinds of inherited reports to drop",
        },
    }
    schema["required"] = list(_OWN)
    schema["anyOf"] = [{"required": ["extends"]}, {"required": [key for key in required if key not in _OWN]}]
    return schema
