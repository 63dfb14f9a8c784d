"""Ids in files: damaged ones are rejected with place and remedy, others are read as the text that they show."""

import uuid
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from api.files.readers import read_events
from api.files.reading_options import ReadingOptions
from api.runs.run import score_files
from rules.errors import BookError
from rules.text import LANGS
from tests.api.files.builders import csv_text, event, faults, ids, read_csv, read_lines, read_rows, read_table, write
from tests.builders import deploy_row

BOOK = "taobao-crowdsourced"
DAMAGED = ["1.23457E+17", "7.0", "r1 ", "r1\u200b", "NaN", "NULL", "o77\u202e", "appeal:1", "x" * 129]


@pytest.mark.case
@pytest.mark.parametrize("column", ["event_id", "rider_id", "order_id", "city"])
@pytest.mark.parametrize("value", DAMAGED)
def test_a_damaged_id_costs_its_row_alone(tmp_path: Path, column: str, value: str) -> None:
    """The row is named with the column, the value and a remedy in both languages; its neighbours are read."""
    rows = [event(event_id="before"), event(event_id="x1") | {column: value}, event(event_id="after")]

    read = read_rows(tmp_path, *rows)

    assert faults(read) == [(2, column, value, "bad_id")]
    assert ids(read) == ["before", "after"]
    assert all(len(read.rejects[0].describe(lang)) > len(column) + len(value) + 15 for lang in LANGS)


@pytest.mark.case
def test_ids_of_excel_do_not_merge_riders(tmp_path: Path) -> None:
    """Of nine rows the two whose ids are sound are scored, and the seven others are named."""
    riders = ["1.23457E+17", "1.23457E+17", "7", "7.0", "r1", "r1 ", "r1\u200b", "NaN", "NULL"]
    rows = [event(event_id=f"e{k}", rider_id=rider, order_id=f"o{k}") for k, rider in enumerate(riders, 1)]
    path = write(tmp_path / "events.csv", csv_text(rows))

    run = score_files([path], BOOK, tmp_path / "out")

    wanted = {"events": 2, "riders": 2, "rejected": 7, "repeated": 0, "what_if": 0}
    assert run.document["counts"] | wanted == run.document["counts"]
    assert run.document["rejected"] == {"bad_id": 7}


def test_json_numbers_that_a_spreadsheet_damaged(tmp_path: Path) -> None:
    """In NDJSON an id may be a whole number; 7.0 and 1.2E+17 are told as the damage that they are."""
    rows = [event(event_id="e1") | {"rider_id": 7}]
    lines = [
        event(event_id="e2", rider_id="@").__repr__().replace("'", '"').replace('"@"', number)
        for number in ("7.0", "1.23457E+17")
    ]

    read = read_lines(tmp_path, *rows, *lines)

    assert ids(read) == ["e1"]
    assert [(fault[1], fault[2], fault[3]) for fault in faults(read)] == [
        ("rider_id", "7.0", "bad_id"),
        ("rider_id", "1.23457E+17", "bad_id"),
    ]


OWN = uuid.UUID("cfd4c4b7-eb82-4222-b714-8e99c53b3e42")
COLUMNS = [
    (pa.array([OWN.bytes], pa.uuid()), str(OWN)),
    (pa.array([OWN.bytes], pa.binary(16)), OWN.hex),
    (pa.array([b"o-17"], pa.binary(4)), "o-17"),
    (pa.array([b"o-17\0\0\0\0"], pa.binary(8)), "o-17"),
    (pa.array([Decimal(123456789012345678)], pa.decimal128(20, 0)), "123456789012345678"),
    (
        pa.array([Decimal(123456789012345678901234567890123456789)], pa.decimal256(40, 0)),
        "1234567890" * 3 + "123456789",
    ),
    (pa.array([Decimal("1.50")], pa.decimal128(9, 2)), "1.50"),
    (pa.array([2**63 + 1], pa.uint64()), str(2**63 + 1)),
    (pa.array(["o1"], pa.large_string()).dictionary_encode(), "o1"),
    (pa.array([b"o1"], pa.large_binary()), "o1"),
]


@pytest.mark.case
@pytest.mark.parametrize(("column", "shown"), COLUMNS, ids=[str(column.type) for column, _ in COLUMNS])
def test_parquet_ids_are_the_text_that_they_show(tmp_path: Path, column: pa.Array, shown: str) -> None:
    """UUIDs, decimals, numbers and bytes of a fixed length are ids like any other."""
    names = {key: pa.array([value]) for key, value in event().items()}

    read = read_table(tmp_path, pa.table(names | {"order_id": column}))

    assert (faults(read), read.table["order_id"].to_pylist()) == ([], [shown])


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (pa.array([7.0]), "bad_id"),
        (pa.array([1.23457e17]), "bad_id"),
        (pa.array([float("nan")]), "bad_id"),
        (pa.array([1.5]), "wrong_type"),
        (pa.array([Decimal("7.0")], pa.decimal128(9, 1)), "bad_id"),
        (pa.array(["7.0"]).dictionary_encode(), "bad_id"),
    ],
)
def test_parquet_columns_of_floats_are_no_ids(tmp_path: Path, column: pa.Array, reason: str) -> None:
    """A data frame that had gaps has made floats of whole numbers: said as such."""
    names = {key: pa.array([value]) for key, value in event().items()}

    read = read_table(tmp_path, pa.table(names | {"order_id": column}))

    assert [(fault[1], fault[3]) for fault in faults(read)] == [("order_id", reason)]


def test_ids_as_they_are(tmp_path: Path) -> None:
    """Who says so gets all ids but empty, reserved and over-long ones."""
    values = ["7.0", "r1 ", "NaN", "o\u202e", "reset:2025-01-01", "x" * 129, ""]
    rows = [event(event_id=f"e{k}", rider_id=value) for k, value in enumerate(values)]
    path = write(tmp_path / "events.csv", csv_text(rows))

    read = read_events([path], "native", reading=ReadingOptions(ids_as_they_are=True))

    assert ids(read) == ["e0", "e1", "e2", "e3"]
    assert [(fault[0], fault[3]) for fault in faults(read)] == [(5, "bad_id"), (6, "bad_id"), (7, "missing_value")]


@pytest.mark.parametrize("column", ["rider_id", "event_id", "order_id"])
def test_ids_that_a_state_holds_stay_valid(tmp_path: Path, column: str) -> None:
    """A rider, an event and an order of an earlier run may be named again; another damaged id may not."""
    first = event(event_id="e1") | {column: "7.0"}
    again = event(event_id="e2", kind="correction", ref_event_id="e1", occurred_at="2026-01-05T13:30:00+08:00")
    second = again | ({"ref_event_id": "7.0"} if column == "event_id" else {column: "7.0"})
    other = event(event_id="e3", order_id="o3") | {column: "8.0"}
    one, two = (write(tmp_path / name, "") for name in ("one.csv", "two.csv"))
    one.write_text(csv_text([first]))
    two.write_text(csv_text([second, other]))
    state = tmp_path / "state"

    score_files([one], BOOK, tmp_path / "out1", state=state, reading=ReadingOptions(ids_as_they_are=True))
    run = score_files([two], BOOK, tmp_path / "out2", state=state)

    assert [(reject.row, reject.column, reject.reason) for reject in run.rejects] == [(2, column, "bad_id")]
    assert run.document["counts"]["events"] == 1


def test_waybills_have_sound_ids(tmp_path: Path) -> None:
    """What becomes a part of an id is looked at as the file has it."""
    header = (
        "order_id,waybill_id,dt,da_id,is_courier_grabbed,poi_id,estimate_arrived_time,dispatch_time,grab_time,fetch_time,"
        "arrive_time,estimate_meal_prepare_time,order_push_time,platform_order_time,courier_id"
    )
    row = "{order},{waybill},20221017,3,1,9,1665976600,1665975000,1665975100,1665975700,1665976500,1665975600,0,1665974900,{courier}"
    rows = [
        row.format(order="1", waybill="1", courier="7"),
        row.format(order="2", waybill="2.0", courier="7"),
        row.format(order="3", waybill="3", courier="1.23457E+17"),
    ]
    path = write(tmp_path / "waybills.csv", "\n".join([header, *rows]) + "\n")

    read = read_events([path], "meituan")

    assert [(reject.row, reject.column, reject.reason) for reject in read.rejects] == [
        (2, "waybill_id", "bad_id"),
        (3, "courier_id", "bad_id"),
    ]


def test_a_column_of_one_chunk_is_one_column(tmp_path: Path) -> None:
    """Ids in many row groups are read as those of one."""
    rows = [event(event_id=f"e{k}", order_id=f"o{k}", rider_id="7.0" if k % 2 else "r1") for k in range(10)]
    table = pa.table({name: [row[name] for row in rows] for name in rows[0]})
    pq.write_table(table, tmp_path / "events.parquet", row_group_size=3)

    read = read_events([tmp_path / "events.parquet"], "native")

    assert [fault[0] for fault in faults(read)] == [2, 4, 6, 8, 10]
    assert read_csv(tmp_path, csv_text(rows)).table["event_id"].to_pylist() == ids(read)


def test_a_table_may_name_a_city_that_a_state_holds(tmp_path: Path) -> None:
    """A city of an earlier run stays a city in a deployment table; without the state the same table is refused."""
    one, two, table = (tmp_path / name for name in ("one.csv", "two.csv", "cities.toml"))
    one.write_text(csv_text([event(event_id="e1", city="1.0")]))
    two.write_text(csv_text([event(event_id="e2", order_id="o2", city="1.0")]))
    table.write_text(deploy_row("1.0", "taobao-crowdsourced", "2025-12-03"))
    state = tmp_path / "state"

    score_files([one], str(table), tmp_path / "out1", state=state, reading=ReadingOptions(ids_as_they_are=True))
    run = score_files([two], str(table), tmp_path / "out2", state=state)

    assert run.document["counts"]["events"] == 1
    with pytest.raises(BookError, match=r"1\.0"):
        score_files([two], str(table), tmp_path / "out3")
