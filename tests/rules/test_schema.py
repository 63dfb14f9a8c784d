"""JSON Schema of a rule book file."""

import json

from rules.schema import book_schema


def test_the_schema_names_every_key_of_a_file() -> None:
    """What a file may say beyond the resolved document is in it, and nothing else is allowed."""
    schema = book_schema()

    assert schema["additionalProperties"] is False
    assert {"extends", "remove", "announced", "rule", "publication"} <= set(schema["properties"])
    assert schema["required"] == ["id", "effective_from"]


def test_numbers_are_in_the_books_own_units() -> None:
    """Points are decimals and keys are those that people write, not those held inside."""
    rule = book_schema()["$defs"]["Rule"]["properties"]

    assert {"type": "number"} in rule["points"]["anyOf"]
    assert "points_mp" not in json.dumps(book_schema())
