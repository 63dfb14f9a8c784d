"""The published schema of an event and the reader say the same."""

import re

from api.files.canonical import KNOWN_COLUMNS
from api.files.event_json_schema import event_schema
from rules.events import KINDS, REPORT_KINDS


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
