"""A misspelt column is a mistake; another column is left out and named once."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from api.cli.main import main
from api.files.errors import InputError
from api.files.readers import read_events
from api.files.reading_options import ReadingOptions
from tests.api.files.builders import csv_text, event, read_csv, read_lines, read_table, write

LATE = event(promise_at="2026-01-05T11:55:00+08:00")


def _as_csv(folder: Path, row: dict[str, str]) -> Path:
    return write(folder / "events.csv", csv_text([row]))


def _as_lines(folder: Path, row: dict[str, str]) -> Path:
    return write(folder / "events.ndjson", json.dumps(row) + "\n")


def _as_parquet(folder: Path, row: dict[str, str]) -> Path:
    pq.write_table(pa.table({name: [value] for name, value in row.items()}), folder / "events.parquet")
    return folder / "events.parquet"


@pytest.mark.case
@pytest.mark.parametrize("made", [_as_csv, _as_lines, _as_parquet])
def test_a_misspelt_column_stops_the_run(tmp_path: Path, made: object) -> None:
    """Thirty-five minutes of lateness do not vanish: exit 2 with what was meant, and nothing is written."""
    path = made(tmp_path, LATE)  # type: ignore[operator]
    out = tmp_path / "out"
    command = ["score", str(path), "--book", "taobao-crowdsourced", "--out", str(out), "--lang", "en"]

    done = CliRunner().invoke(main, command)

    assert done.exit_code == 2
    assert '"promise_at"; did you mean "promised_at"?' in done.stderr
    assert "--ignore-column promise_at" in done.stderr
    assert not out.exists()

    done = CliRunner().invoke(main, [*command, "--ignore-column", "promise_at"])

    assert done.exit_code == 0
    assert json.loads((out / "run.json").read_text())["reading"]["ignored_columns"] == ["promise_at"]


def test_a_near_miss_of_what_is_there_is_no_mistake(tmp_path: Path) -> None:
    """Beside `promised_at`, or `promised_us`, a column `promise_at` is one of the others."""
    by_text = read_csv(tmp_path, csv_text([LATE | {"promised_at": "2026-01-05T11:50:00+08:00"}]))
    by_number = read_csv(tmp_path, csv_text([LATE | {"promised_us": "1767585000000000"}]))

    assert [[warning.key for warning in read.warnings] for read in (by_text, by_number)] == [["promise_at"]] * 2


def test_other_columns_are_named_once(tmp_path: Path) -> None:
    """What nobody knows is left out with one warning, in every kind of file."""
    rows = [event(event_id=f"e{k}", note="x", tip_fen="5") for k in range(3)]

    reads = [
        read_csv(tmp_path, csv_text(rows)),
        read_lines(tmp_path, *rows),
        read_table(tmp_path, pa.table({name: [row[name] for row in rows] for name in rows[0]})),
    ]

    for read in reads:
        assert [(warning.code, warning.key) for warning in read.warnings] == [
            ("input_unknown_columns", "note, tip_fen")
        ]


def test_each_line_has_names_of_its_own(tmp_path: Path) -> None:
    """One line with a misspelt name stops the run, though other lines have the field."""
    with pytest.raises(InputError) as caught:
        read_lines(tmp_path, event(promised_at="2026-01-05T12:00:00+08:00"), LATE)

    assert [(fault.code, fault.key, fault.allowed) for fault in caught.value.faults] == [
        ("input_column_misspelt", "promise_at", "promised_at")
    ]


def test_a_required_column_that_is_misspelt_is_told_as_such(tmp_path: Path) -> None:
    """Who wrote `rider` hears of `rider_id`, and not of a column that is missing alone."""
    row = event()
    row["rider"] = row.pop("rider_id")

    with pytest.raises(InputError) as caught:
        read_csv(tmp_path, csv_text([row]))

    assert [(fault.key, fault.allowed) for fault in caught.value.faults] == [("rider", "rider_id")]


def test_waybills_may_not_misspell_a_place(tmp_path: Path) -> None:
    """Of a mapped format the columns without which something would be lost in silence are held to, too."""
    names = (
        "order_id,waybill_id,dt,da_id,is_courier_grabbed,estimate_arrived_time,dispatch_time,grab_time,fetch_time,"
        "arrive_time,estimate_meal_prepare_time,order_push_time,platform_order_time,courier_id,sender_lat,sender_lng,"
        "recipient_lat,recipent_lng"
    )
    path = write(tmp_path / "waybills.csv", names + "\n" + ",".join("1" for _ in names.split(",")) + "\n")

    with pytest.raises(InputError) as caught:
        read_events([path], "meituan")

    assert [(fault.key, fault.allowed) for fault in caught.value.faults] == [("recipent_lng", "recipient_lng")]


def test_a_column_that_is_ignored_is_not_read(tmp_path: Path) -> None:
    """Whatever it is called."""
    path = write(tmp_path / "events.csv", csv_text([event(fee_fen="480")]))

    read = read_events([path], "native", reading=ReadingOptions(ignored=("fee_fen",)))

    assert read.table["fee_fen"].to_pylist() == [None]
