"""The published schema of an event and the reader say the same."""

import re

from jsonschema import Draft202012Validator

from api.files.canonical import KNOWN_COLUMNS
from api.files.event_json_schema import event_object, event_rules, event_schema
from rules.events import KIND_MEANING, KINDS, REPORT_KINDS


def test_every_column_is_described() -> None:
    """No column is missing and none is invented."""
    schema = event_schema()

    assert set(schema["properties"]) == KNOWN_COLUMNS
    assert schema["properties"]["kind"]["enum"] == list(KINDS)


def test_patterns_take_what_the_reader_takes() -> None:
    """Times with an offset and lists of known reports fit; others do not."""
    properties = event_schema()["properties"]
    time = re.compile(properties["occurred_at"]["pattern"])
    reports = re.compile(properties["reports"]["anyOf"][0]["pattern"])

    assert all(map(time.match, ["2026-01-05T12:00:00+08:00", "2026-01-05 12:00Z", "2026-01-05T12:00:00.5+0800"]))
    assert not any(map(time.match, ["2026-01-05T12:00:00", "2026-01-05", "noon"]))
    assert all(map(reports.match, ["", "accident", ";".join(REPORT_KINDS), "accident; vehicle_fault;"]))
    assert not any(map(reports.match, ["mood", "accident,accident", "accident;mood"]))


def test_every_property_is_described_with_an_example_that_fits() -> None:
    """No property of an event is left without words, and its example is one."""
    schema = event_schema()

    for name, kind in schema["properties"].items():
        assert len(kind["description"]) > 10, name
        assert Draft202012Validator(kind).is_valid(kind["examples"][0]), name
        if name.endswith("_us"):
            assert kind["format"] == "int64"
            assert "microseconds" in kind["description"]


def test_the_plain_object_holds_no_condition_and_the_rules_hold_them_all() -> None:
    """Generators make a type of the object; what a kind needs besides is apart, and the whole asks for both."""
    plain, rules = Draft202012Validator(event_object()), Draft202012Validator(event_rules())
    whole = Draft202012Validator(event_schema())
    event = {"event_id": "e1", "rider_id": "r7", "city": "hangzhou", "rider_kind": "dedicated", "kind": "correction"}
    timed = event | {"occurred_us": 1_764_734_280_000_000}

    assert not {"allOf", "anyOf", "oneOf", "if", "not"} & set(event_object())
    assert [plain.is_valid(event), rules.is_valid(event), whole.is_valid(event)] == [True, False, False]
    assert [plain.is_valid(timed), rules.is_valid(timed), whole.is_valid(timed)] == [True, False, False]
    assert whole.is_valid(timed | {"ref_event_id": "e0"})
    assert not whole.is_valid({name: value for name, value in timed.items() if name != "city"} | {"ref_event_id": "e0"})


def test_every_kind_has_a_meaning() -> None:
    """Readers of the schema learn what each kind is."""
    assert set(KIND_MEANING) == set(KINDS)
    assert all(f"`{kind}`: " in event_schema()["properties"]["kind"]["description"] for kind in KINDS)
