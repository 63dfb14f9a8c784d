"""Times without an offset, the end of a day, and the times of old Parquet files."""

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from api.cli.main import main
from api.files.readers import EventInputs, read_events
from api.files.reading_options import ReadingOptions
from rules.calendar import instant_us, read_moment
from tests.api.files.builders import csv_text, event, faults, read_rows, read_table, write

NOON_US = 1_767_585_600_000_000


def _read(folder: Path, zone: str, *times: str) -> EventInputs:
    rows = [event(event_id=f"e{k}", order_id=f"o{k}", occurred_at=time) for k, time in enumerate(times)]
    return read_events([write(folder / "events.csv", csv_text(rows))], "native", reading=ReadingOptions(zone=zone))


def _table(folder: Path, zone: str, column: pa.Array) -> EventInputs:
    names = {key: pa.array([value] * len(column)) for key, value in event().items() if key != "occurred_at"}
    pq.write_table(pa.table(names | {"occurred_at": column}), folder / "events.parquet")
    return read_events([folder / "events.parquet"], "native", reading=ReadingOptions(zone=zone))


def test_a_zone_says_what_local_times_mean(tmp_path: Path) -> None:
    """Times with an offset keep it; those without are of the zone that was named, in text and in Parquet."""
    read = _read(tmp_path, "Asia/Shanghai", "2026-01-05T12:00:00", "2026-01-05 12:00", "2026-01-05T04:00:00Z")
    column = pa.array([dt.datetime.fromisoformat("2026-01-05T12:00")], pa.timestamp("ms"))

    assert read.table["occurred_us"].to_pylist() == [NOON_US] * 3
    assert _table(tmp_path, "Asia/Shanghai", column).table["occurred_us"].to_pylist() == [NOON_US]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("zone", "local", "reason"),
    [
        ("Europe/Berlin", "2026-10-25T02:30:00", "repeated_time"),
        ("Europe/Berlin", "2026-03-29T02:30:00", "skipped_time"),
        ("America/New_York", "2026-11-01T01:00:00", "repeated_time"),
        ("America/New_York", "2026-03-08T02:00:00", "skipped_time"),
    ],
)
def test_an_hour_that_is_not_there_once_is_named(tmp_path: Path, kind: str, zone: str, local: str, reason: str) -> None:
    """No instant is chosen for a time that the zone skips or has twice; the hours around it are read."""
    moment = dt.datetime.fromisoformat(local)
    times = [moment - dt.timedelta(hours=3), moment, moment + dt.timedelta(hours=3)]

    if kind == "csv":
        read = _read(tmp_path, zone, *(time.isoformat() for time in times))
    else:
        read = _table(tmp_path, zone, pa.array(times, pa.timestamp("us")))

    assert [(row, column, why) for row, column, _, why in faults(read)] == [(2, "occurred_at", reason)]
    assert read.table.num_rows == 2
    assert zone in read.rejects[0].describe("en")


def test_a_naive_time_has_a_remedy_that_works(tmp_path: Path) -> None:
    """The command that the message names reads what it rejected."""
    path = write(tmp_path / "events.csv", csv_text([event(occurred_at="2026-01-05T12:00:00"), event(event_id="e2")]))
    command = ["score", str(path), "--book", "taobao-crowdsourced", "--lang", "en", "--out"]

    read = read_events([path], "native")
    done = CliRunner().invoke(main, [*command, str(tmp_path / "out"), "--zone", "Asia/Shanghai"])

    assert "--zone Asia/Shanghai" in read.rejects[0].describe("en")
    assert done.exit_code == 0
    assert "0 rejected" not in read.rejects[0].describe("en")


def test_a_zone_that_is_none_is_refused(tmp_path: Path) -> None:
    """Wrong usage, with the zone that was meant."""
    path = write(tmp_path / "events.csv", csv_text([event()]))
    command = ["score", str(path), "--book", "taobao-crowdsourced", "--out", str(tmp_path / "out"), "--zone"]

    done = CliRunner().invoke(main, [*command, "Asia/Shangai"])

    assert done.exit_code == 2
    assert "Asia/Shanghai" in done.stderr


@pytest.mark.case
@pytest.mark.parametrize(
    "written", ["2026-01-04T24:00:00+08:00", "2026-01-04T24:00+08:00", "2026-01-04 24:00:00.000+0800"]
)
def test_the_end_of_a_day_is_the_start_of_the_next(tmp_path: Path, written: str) -> None:
    """`24:00` reads the same whatever Python makes of it."""
    midnight = instant_us(dt.datetime.fromisoformat("2026-01-05T00:00:00+08:00"))

    read = read_rows(
        tmp_path, event(occurred_at=written), event(event_id="e2", occurred_at="2026-01-05T00:00:00+08:00")
    )

    assert read.table["occurred_us"].to_pylist() == [midnight, midnight]


@pytest.mark.parametrize(
    "written", ["2026-01-04T24:00:01+08:00", "2026-01-04T24:30+08:00", "9999-12-31T24:00:00Z", "24:00"]
)
def test_no_other_time_has_24_hours(written: str) -> None:
    """Only the end of a day that has a next one."""
    with pytest.raises(ValueError):  # noqa: PT011 whatever it says
        read_moment(written)


@pytest.mark.case
def test_old_parquet_times_are_utc(tmp_path: Path) -> None:
    """Spark's INT96 has no zone and is UTC: read, with a note that names the columns."""
    times = pa.array([dt.datetime.fromisoformat("2026-01-05T04:00")], pa.timestamp("ns"))
    names = {key: pa.array([value]) for key, value in event().items() if key != "occurred_at"}
    path = tmp_path / "events.parquet"
    table = pa.table(names | {"occurred_at": times, "promised_at": times})
    pq.write_table(table, path, use_deprecated_int96_timestamps=True)

    read = read_events([path], "native")

    assert read.table["occurred_us"].to_pylist() == [NOON_US]
    assert [(warning.code, warning.given) for warning in read.warnings] == [("input_int96", "occurred_at, promised_at")]


def test_a_parquet_time_without_a_zone_needs_one(tmp_path: Path) -> None:
    """Other timestamps without a zone may be local."""
    names = {key: pa.array([value]) for key, value in event().items() if key != "occurred_at"}
    table = pa.table(
        names | {"occurred_at": pa.array([dt.datetime.fromisoformat("2026-01-05T04:00")], pa.timestamp("ns"))}
    )

    assert [why for _, _, _, why in faults(read_table(tmp_path, table))] == ["naive_time"]
