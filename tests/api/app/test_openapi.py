"""The OpenAPI document keeps the rules of those who make clients of it; no server is needed to know."""

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from api.app.create import create_app
from api.app.openapi_schemas import inner_schemas
from api.app.openapi_words import FIELDS
from api.db.outbox import KINDS as MESSAGE_KINDS
from api.settings import Settings
from rules.events import FIELDS as EVENT_FIELDS

DOCUMENT = create_app(Settings(database_url="sqlite:///never-opened.db", log_level="error"), hooks=()).openapi()
SCHEMAS: dict[str, dict[str, Any]] = DOCUMENT["components"]["schemas"]
OPERATIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}
MESSAGES: dict[str, dict[str, Any]] = {kind: item["post"] for kind, item in DOCUMENT["webhooks"].items()}
REF = "#/components/schemas/"


def each_operation() -> pytest.MarkDecorator:
    """Once for every operation."""
    return pytest.mark.parametrize("name", OPERATIONS)


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    """A parameter, a header or an answer, or what it refers to."""
    if "$ref" not in part:
        return part
    found: Any = DOCUMENT
    for step in part["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return found


def parameters(name: str) -> dict[str, dict[str, Any]]:
    """Parameters of an operation by name."""
    return {each["name"]: each for each in map(resolved, OPERATIONS[name][2]["parameters"])}


def references(part: Any) -> set[str]:
    """Names of the schemas that a part of the document refers to, at any depth."""
    names: set[str] = set()
    waiting = [part]
    while waiting:
        direct = {inner["$ref"] for inner in inner_schemas(waiting.pop()) if isinstance(inner.get("$ref"), str)}
        new = {ref.removeprefix(REF) for ref in direct if ref.startswith(REF)} - names
        names |= new
        waiting += [SCHEMAS[name] for name in new]
    return names


def fits(schema: dict[str, Any]) -> Draft202012Validator:
    """What a value of the document is held against."""
    return Draft202012Validator({**_local(schema), "$defs": _local(SCHEMAS)})


def _local(part: Any) -> Any:
    if isinstance(part, dict):
        moved = {key: _local(value) for key, value in part.items()}
        return moved | ({"$ref": part["$ref"].replace(REF, "#/$defs/")} if isinstance(part.get("$ref"), str) else {})
    return [_local(item) for item in part] if isinstance(part, list) else part


def examples(holder: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], list[Any]]]:
    """Media type, schema and examples of a body."""
    for kind, content in holder.get("content", {}).items():
        shown = [content["example"]] if "example" in content else []
        shown += [each["value"] for each in content.get("examples", {}).values()]
        yield kind, content["schema"], shown


def test_it_is_a_document_of_openapi_3_1() -> None:
    """By the specification itself, references and all."""
    assert DOCUMENT["openapi"].startswith("3.1.")
    assert [error.message for error in OpenAPIV31SpecValidator(deepcopy(DOCUMENT)).iter_errors()] == []


def test_it_says_whose_it_is() -> None:
    """Licence, contact and server stand in it; every tag that is used is declared with words, and none besides."""
    asked = {tag for _, _, operation in OPERATIONS.values() for tag in operation["tags"]}
    sent = {tag for operation in MESSAGES.values() for tag in operation["tags"]}

    assert DOCUMENT["info"]["license"]["identifier"] == "Apache-2.0"
    assert DOCUMENT["info"]["contact"]["name"]
    assert DOCUMENT["servers"][0]["url"] == "/"
    assert {tag["name"] for tag in DOCUMENT["tags"]} == asked | sent
    # Generators would write both into one class, one over the other.
    assert asked & sent == set()
    assert all(len(tag["description"]) > 10 for tag in DOCUMENT["tags"])


@each_operation()
def test_an_operation_has_a_short_name_and_says_what_it_does(name: str) -> None:
    """A verb and a noun, a summary, one tag, words; who may ask, even where everybody may."""
    _, path, operation = OPERATIONS[name]

    assert re.fullmatch(r"[a-z]+(_[a-z]+){1,3}", name)
    assert operation["summary"]
    assert len(operation["description"]) > 10
    assert len(operation["tags"]) == 1
    assert (operation["security"] == []) == (not path.startswith("/v1/"))


def test_names_of_operations_are_different() -> None:
    """None of 68 replaces another."""
    num = sum(len(operations) for operations in DOCUMENT["paths"].values())

    assert len(OPERATIONS) == num
    assert {"post_events", "get_card", "list_entries", "post_appeal"} <= set(OPERATIONS)


@each_operation()
def test_an_operation_declares_its_headers(name: str) -> None:
    """What clients may send and what comes back beside the body."""
    method, path, operation = OPERATIONS[name]
    asked, is_api = parameters(name), path.startswith("/v1/")
    good = {status: answer for status, answer in operation["responses"].items() if status[0] == "2"}

    assert "Accept-Language" in asked
    assert ("Idempotency-Key" in asked) == (method == "POST" and is_api)
    for answer in good.values():
        headers = answer.get("headers", {})
        assert ("RateLimit" in headers) == ("RateLimit-Policy" in headers) == is_api or "$ref" in answer
        assert ("Idempotency-Replayed" in headers) == (method == "POST" and is_api)
    if "If-Match" in asked:
        assert asked["If-Match"]["required"] is True
        assert {"412", "428"} <= set(operation["responses"])
    assert ("428" in operation["responses"]) == ("If-Match" in asked)
    assert ("304" in operation["responses"]) == ("If-None-Match" in asked)
    assert "Retry-After" in resolved(operation["responses"]["503"]).get("headers", {"Retry-After": 0})
    assert any(status[0] == "4" for status in operation["responses"])


def test_what_makes_something_says_where_it_is() -> None:
    """`Location`, and an ETag where the answer can be changed under it."""
    located = {
        name
        for name, (_, _, operation) in OPERATIONS.items()
        if any("Location" in answer.get("headers", {}) for answer in operation["responses"].values())
    }
    tagged = {
        name
        for name, (_, _, operation) in OPERATIONS.items()
        if any("ETag" in answer.get("headers", {}) for answer in operation["responses"].values())
    }

    assert {"post_appeal", "post_draft", "post_rollback", "start_study", "start_impact", "register_webhook"} <= located
    assert {"get_card", "get_draft", "put_draft", "submit_draft", "post_draft"} <= tagged


@each_operation()
def test_parameters_are_described(name: str) -> None:
    """Each says what it is, and what it is called stands in no module."""
    for parameter in parameters(name).values():
        assert len(parameter["description"]) > 8, parameter["name"]
        assert parameter["in"] != "path" or "example" in parameter or "examples" in parameter["schema"]


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_field_is_described(name: str) -> None:
    """Of every schema; numbers with their unit; and its name is a name, no module's path."""
    schema = SCHEMAS[name]

    assert re.fullmatch(r"[A-Z][A-Za-z]+", name)
    assert len(schema["description"]) > 4
    for field, declared in schema.get("properties", {}).items():
        assert len(declared["description"]) > 5, field
        kinds = [each.get("type") for each in (declared, *declared.get("anyOf", ()))]
        if "integer" in kinds and field.endswith(("_us", "_fen", "_mp", "_s")):
            unit = field.rpartition("_")[2]
            words = {"us": "microseconds", "fen": "fen", "mp": "milli-points", "s": "seconds"}[unit]
            assert words in declared["description"].lower(), field


def test_no_line_of_words_is_left_over() -> None:
    """Every line of the vocabulary is about a field there is."""
    names = {field for schema in SCHEMAS.values() for field in schema.get("properties", {})}
    places = {f"{name}.{field}" for name, schema in SCHEMAS.items() for field in schema.get("properties", {})}

    assert set(FIELDS) - names - places == set()


def test_whole_numbers_say_how_wide_they_are() -> None:
    """Times, money and points have 64 bits; what has 32 has limits that say so."""
    for name, schema in SCHEMAS.items():
        for inner in inner_schemas(schema):
            for field, declared in inner.get("properties", {}).items():
                for kind in (declared, *declared.get("anyOf", ())):
                    if kind.get("type") == "integer":
                        assert kind["format"] in ("int32", "int64"), (name, field)
                        if field.endswith(("_us", "_fen", "_mp")):
                            assert kind["format"] == "int64", (name, field)
                        if kind["format"] == "int32" and field != "status":
                            assert kind["maximum"] < 2**31, (name, field)
    for _, _, operation in OPERATIONS.values():
        for parameter in map(resolved, operation["parameters"]):
            for inner in inner_schemas(parameter["schema"]):
                assert inner.get("type") != "integer" or inner["format"] in ("int32", "int64"), parameter["name"]


def test_requests_are_closed_and_answers_are_open() -> None:
    """A misspelt field of a request is refused; what a later version adds to an answer breaks nobody."""
    asked = references([operation.get("requestBody") for _, _, operation in OPERATIONS.values()])
    answered = references([operation["responses"] for _, _, operation in OPERATIONS.values()])
    sent = references(list(MESSAGES.values()))

    assert asked & answered == set()
    closed = {name for name, schema in SCHEMAS.items() if schema.get("additionalProperties") is False}
    assert asked - closed == {"Event"}
    assert closed <= asked
    assert not any(
        inner.get("additionalProperties") is False for name in answered | sent for inner in inner_schemas(SCHEMAS[name])
    )


def test_a_default_is_one_value() -> None:
    """An object as a default becomes no Go; its fields have defaults of their own."""
    defaults = [
        inner["default"] for schema in SCHEMAS.values() for inner in inner_schemas(schema) if "default" in inner
    ]

    assert len(defaults) > 20
    assert not any(isinstance(default, dict) for default in defaults)


def test_nothing_is_left_over() -> None:
    """Every schema, answer, header and parameter of the components is used."""
    text = str(DOCUMENT)
    for part, members in DOCUMENT["components"].items():
        for name in members:
            assert part == "securitySchemes" or f"'#/components/{part}/{name}'" in text, (part, name)


def test_an_event_is_a_plain_object() -> None:
    """Every field listed with one type, no conditions: clients make a class of it, and 42 is none."""
    event = SCHEMAS["Event"]

    assert not {"allOf", "anyOf", "oneOf", "not", "if", "then"} & set(event)
    assert {field.name for field in EVENT_FIELDS if field.type != "time"} <= set(event["properties"])
    assert {str(each["type"]) for each in event["properties"].values()} == {"string", "integer", "array"}
    body = OPERATIONS["post_events"][2]["requestBody"]["content"]["application/json"]["schema"]
    assert [fits(body).is_valid(value) for value in (42, "e1", [42], {"events": [{}]})] == [False] * 4


@each_operation()
def test_every_body_and_answer_has_an_example_that_fits(name: str) -> None:
    """One at least; by the schema it stands beside."""
    operation = OPERATIONS[name][2]
    good = [answer for status, answer in operation["responses"].items() if status[0] == "2"]

    for holder in (operation.get("requestBody", {}), *good):
        for kind, schema, shown in examples(holder):
            assert shown, (name, kind)
            if kind == "application/json":
                for value in shown:
                    assert [error.message for error in fits(schema).iter_errors(value)] == []


@pytest.mark.parametrize("kind", MESSAGE_KINDS)
def test_every_message_to_webhooks_is_described(kind: str) -> None:
    """Its body with an example that fits, and the headers that it is signed with."""
    operation = MESSAGES[kind]
    ((_, schema, shown),) = examples(operation["requestBody"])

    assert shown[0]["type"] == kind
    assert [error.message for error in fits(schema).iter_errors(shown[0])] == []
    assert {each["name"] for each in operation["parameters"]} >= {
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
    }
    assert operation["tags"] == ["messages"]


def test_words_from_closed_sets_are_listed() -> None:
    """Kinds of entries, parties, roles, states and codes of decisions are enums for whoever reads answers."""

    def words(schema: str, field: str) -> set[str]:
        declared = SCHEMAS[schema]["properties"][field]
        return {word for inner in inner_schemas(declared) for word in inner.get("enum", [inner.get("const")]) if word}

    assert {"award", "deduct", "reverse"} <= words("EntryShown", "kind") == words("EntryWritten", "kind")
    assert "merchant" in words("EntryShown", "liable_party")
    assert "crowdsourced" in words("CardShown", "rider_kind")
    assert "timeout" in words("AppealDecisionShown", "reason_code")
    assert "tier.changed" in words("WebhookShown", "kinds")
    assert "open" in words("DraftShown", "state")
    assert "token_expired" in words("Problem", "code")
