"""CSV, NDJSON and Parquet that say the same are read as the same table."""

import datetime as dt
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from api.files.readers import read_events
from rules.events import CANCEL_PARTIES, EXTENSION_CAUSES, KINDS, REPORT_KINDS, RIDER_KINDS
from scoring.columns import CANONICAL_SCHEMA, EVENT_SCHEMA
from tests.api.files.builders import csv_text, event, read_rows

NOON_US = 1_767_585_600_000_000
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

letters = st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters='",\ufffd'), min_size=1, max_size=12)
zones = st.integers(-23, 23).map(lambda half: dt.timezone(dt.timedelta(minutes=30 * half)))
times_us = st.integers(NOON_US, NOON_US + 10**12)


@st.composite
def rows(draw: st.DrawFn) -> Mapping[str, object]:
    """A valid row: times as datetimes of any zone, integers, text; absent values left out."""
    kind = draw(st.sampled_from([kind for kind in KINDS if kind not in ("correction", "appeal_upheld")]))
    moments = sorted(draw(st.lists(times_us, min_size=5, max_size=5)))
    steps = dict(zip(("placed", "accepted", "arrived_store", "picked_up", "delivered"), moments, strict=True))
    row: dict[str, object] = {
        "event_id": draw(letters),
        "rider_id": draw(letters),
        "city": draw(st.sampled_from(["杭州", "hangzhou"])),
        "rider_kind": draw(st.sampled_from(RIDER_KINDS)),
        "kind": kind,
        "order_id": draw(letters),
        "cause": draw(st.sampled_from(EXTENSION_CAUSES)),
        "extend_s": draw(st.integers(0, 3600)),
    }
    zone = draw(zones)
    for name, moment in steps.items() | {("occurred", moments[-1])}:
        if name == "occurred" or draw(st.booleans()):
            row[f"{name}_at"] = (EPOCH + dt.timedelta(microseconds=moment)).astimezone(zone)
    optional: dict[str, st.SearchStrategy[object]] = {
        "distance_m": st.integers(0, 10**6),
        "fee_fen": st.integers(0, 10**6),
        "level": st.integers(0, 15),
        "reports": st.lists(st.sampled_from(REPORT_KINDS), min_size=1, max_size=3).map(";".join),
        "party": st.sampled_from(CANCEL_PARTIES),
        "ref_event_id": letters,
    }
    for name, values in optional.items():
        if draw(st.booleans()):
            row[name] = draw(values)
    return row


def as_text(row: Mapping[str, object]) -> dict[str, str]:
    """Values as a CSV holds them."""
    return {name: value.isoformat() if isinstance(value, dt.datetime) else str(value) for name, value in row.items()}


def as_json(row: Mapping[str, object]) -> str:
    """The row as an NDJSON line."""
    return json.dumps(row, default=lambda moment: moment.isoformat(), ensure_ascii=False)


def as_columns(row: Mapping[str, object]) -> dict[str, object]:
    """Values as Parquet holds them: instants are timestamps."""
    return {name: value.astimezone(dt.UTC) if isinstance(value, dt.datetime) else value for name, value in row.items()}


@given(st.lists(rows(), min_size=1, max_size=6))
def test_three_formats_one_table(written: list[Mapping[str, object]]) -> None:
    """The canonical table is equal whichever format held it, and no valid row is rejected."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "a.csv").write_text(csv_text([as_text(row) for row in written]), encoding="utf-8", newline="")
        (folder / "a.ndjson").write_text("".join(as_json(row) + "\n" for row in written), encoding="utf-8")
        names = list(dict.fromkeys(key for row in written for key in row))
        columns = [as_columns(row) for row in written]
        pq.write_table(pa.table({key: [row.get(key) for row in columns] for key in names}), folder / "a.parquet")

        csv, ndjson, parquet = (
            read_events([folder / f"a.{ending}"], "native") for ending in ("csv", "ndjson", "parquet")
        )

    assert csv.rejects == ndjson.rejects == parquet.rejects == []
    tables = [read.table.select(EVENT_SCHEMA.names) for read in (csv, ndjson, parquet)]
    assert tables[0].equals(tables[1])
    assert tables[0].equals(tables[2])
    assert csv.table.schema == ndjson.table.schema == parquet.table.schema == CANONICAL_SCHEMA


@given(times_us, zones)
def test_every_spelling_of_an_instant(moment_us: int, zone: dt.timezone) -> None:
    """Any offset, a blank for the T, finer fractions and plain microseconds name the same instant."""
    moment = EPOCH + dt.timedelta(microseconds=moment_us)
    fine = moment.isoformat(timespec="microseconds").replace("+00:00", "999Z")
    spellings = [
        event(occurred_at=moment.astimezone(zone).isoformat()),
        event(occurred_at=moment.astimezone(zone).isoformat(" ")),
        event(occurred_at=moment.isoformat().replace("+00:00", "Z")),
        event(occurred_at=fine),
        event(occurred_at="", occurred_us=str(moment_us)),
    ]

    with tempfile.TemporaryDirectory() as name:
        read = read_rows(Path(name), *spellings)

    assert read.rejects == []
    assert read.table["occurred_us"].to_pylist() == [moment_us] * 5
