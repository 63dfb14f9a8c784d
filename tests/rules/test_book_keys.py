"""Every key of a book says what it means, in the units in which people write it."""

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from rules.book_keys import BookKey, book_keys
from rules.json_form import book_schema, to_json
from rules.shelf import deployable, shipped

KEYS = book_keys()
PATHS = {key.path for key in KEYS}


def paths_of(value: Any, path: str = "") -> Iterator[str]:
    """The keys that a document uses."""
    if isinstance(value, dict):
        for name, inner in value.items():
            place = f"{path}.{name}" if path else name
            yield place
            yield from paths_of(inner, place)
    elif isinstance(value, list):
        for item in value:
            yield from paths_of(item, path)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.path)
def test_a_key_says_what_it_means(key: BookKey) -> None:
    """A meaning; a unit for numbers that have one; what counts where it is missing."""
    assert key.meaning.endswith("."), key.path
    assert key.is_required or key.default is not None or key.when_missing, key.path
    if "number" in key.types:
        assert key.unit, key.path
        assert key.highest is not None, key.path


@pytest.mark.parametrize("key", [key for key in KEYS if key.example is not None], ids=lambda key: key.path)
def test_the_example_of_a_key_is_one(key: BookKey) -> None:
    """What is shown as an example of a value would be taken, within its limits."""
    schema = book_schema()
    *tables, name = key.path.split(".")
    holder = schema
    for table in tables:
        holder = resolved(schema, holder["properties"][table])
    declared = holder["properties"][name]

    fits = Draft202012Validator({**declared, "$defs": schema["$defs"]})
    assert [error.message for error in fits.iter_errors(key.example)] == []


def resolved(schema: dict[str, Any], declared: dict[str, Any]) -> dict[str, Any]:
    """The table that a key leads to."""
    for kind in declared.get("anyOf", [declared]):
        reference = kind.get("$ref") or kind.get("items", {}).get("$ref")
        if reference:
            return schema["$defs"][reference.rpartition("/")[2]]
    return declared


@pytest.mark.parametrize("book_id", shipped())
def test_every_key_that_a_shipped_book_uses_is_listed(book_id: str) -> None:
    """None is left out of the list."""
    for book in deployable(book_id):
        assert set(paths_of(to_json(book.document))) <= PATHS


def test_defaults_are_as_people_write_them() -> None:
    """A priority of 1, 3 kilometres, 0 minutes: never what the model holds."""
    defaults = {key.path: key.default for key in KEYS}

    assert defaults["tier.priority"] == 1
    assert defaults["rule.example.given.distance_km"] == 3
    assert defaults["rule.example.given.late_min"] == 0
    assert book_schema()["$defs"]["Tier"]["properties"]["priority"]["default"] == 1


def test_the_schema_describes_every_property() -> None:
    """Of the document and of every table, units included; what only the making of the schema needs is not in it."""
    schema = book_schema()
    holders = [schema, *schema["$defs"].values()]
    words = [kind["description"] for holder in holders for kind in holder.get("properties", {}).values()]

    assert len(words) > 130
    assert min(map(len, words)) > 5
    assert "x-scale" not in str(schema)
    assert schema["$id"].endswith("/book.json")
    assert "In points" in schema["$defs"]["Rule"]["properties"]["points"]["description"]
