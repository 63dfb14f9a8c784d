"""Every way a row can be wrong: place, value and reason are named, and the good rows survive."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from api.files.rejects import REASONS, Reject, rejects_of_rows
from rules.text import LANGS
from tests.api.files.builders import event, faults, ids, read_csv, read_lines, read_rows, read_table

T = "2026-01-05T12:00:00+08:00"
LATER = "2026-01-05T13:00:00+08:00"

BAD_VALUES = [
    ("event_id", "", "missing_value"),
    ("rider_id", "", "missing_value"),
    ("city", "", "missing_value"),
    ("rider_kind", "", "missing_value"),
    ("kind", "", "missing_value"),
    ("occurred_at", "", "missing_value"),
    ("order_id", "", "missing_value"),
    ("kind", "deliverd", "unknown_name"),
    ("rider_kind", "robot", "unknown_name"),
    ("cause", "laziness", "unknown_name"),
    ("party", "nobody", "unknown_name"),
    ("reports", "merchant_slow;mood", "unknown_report"),
    ("distance_m", "-1", "out_of_range"),
    ("distance_m", "2.5", "bad_integer"),
    ("distance_m", "0x10", "bad_integer"),
    ("fee_fen", "-350", "out_of_range"),
    ("fee_fen", "¥3.50", "bad_integer"),
    ("fee_fen", "9223372036854775808", "out_of_range"),
    ("fee_fen", "1" * 60, "bad_integer"),
    ("extend_s", "-5", "out_of_range"),
    ("extend_s", "ten", "bad_integer"),
    ("level", "16", "out_of_range"),
    ("level", "-1", "out_of_range"),
    ("occurred_at", "2026-01-05T12:30:00", "naive_time"),
    ("occurred_at", "2026-01-05", "naive_time"),
    ("occurred_at", "yesterday", "bad_time"),
    ("occurred_at", "2026-02-30T00:00:00+08:00", "bad_time"),
    ("occurred_at", "1767587400", "bad_time"),
    ("occurred_at", "1970-01-01T00:00:00Z", "implausible_time"),
    ("occurred_at", "1999-12-31T23:59:59Z", "implausible_time"),
    ("occurred_at", "2100-01-01T00:00:00Z", "implausible_time"),
    ("promised_at", "1970-01-01T00:00:00Z", "implausible_time"),
    ("rider_joined_at", "2100-06-01T00:00:00Z", "implausible_time"),
    ("placed_us", "1767587400.5", "bad_integer"),
    ("placed_us", "1767587400", "implausible_time"),
    ("placed_us", "99999999999999999999", "out_of_range"),
    ("event_id", "x" * 201, "bad_id"),
    ("rider_id", "r\x001", "bad_id"),
    ("order_id", "o\x7f1", "bad_id"),
    ("kind", "x" * 201, "too_long"),
    ("kind", "de\x7f", "control_character"),
]


@pytest.mark.parametrize(("column", "value", "reason"), BAD_VALUES)
def test_a_bad_value_costs_its_row_alone(tmp_path: Path, column: str, value: str, reason: str) -> None:
    """The reject names row, column, value and reason; the rows around it are read."""
    rows = [event(event_id="before"), event(**{column: value}), event(event_id="after")]

    read = read_rows(tmp_path, *rows)

    shown = value if len(value) <= 200 else value[:199] + "…"
    assert faults(read) == [(2, column, shown, reason)]
    assert ids(read) == ["before", "after"]
    assert read.rejects[0].file == str(tmp_path / "events.csv")


BAD_ROWS = [
    ({"placed_at": LATER, "delivered_at": T}, "placed_at"),
    ({"accepted_at": LATER, "delivered_at": T}, "accepted_at"),
    ({"arrived_store_at": LATER, "delivered_at": T}, "arrived_store_at"),
    ({"picked_up_at": LATER, "delivered_at": T}, "picked_up_at"),
    ({"arrived_store_at": T, "picked_up_at": "2026-01-05T11:59:59+08:00"}, "arrived_store_at"),
    ({"placed_at": LATER}, "placed_at"),
]


@pytest.mark.parametrize(("changes", "column"), BAD_ROWS)
def test_steps_that_go_backwards_are_rejected(tmp_path: Path, changes: dict[str, str], column: str) -> None:
    """A duration below zero is rejected; a missing `delivered_at` means `occurred_at`."""
    read = read_rows(tmp_path, event(**changes), event(event_id="good"))

    assert faults(read) == [(1, column, changes[column], "times_out_of_order")]
    assert ids(read) == ["good"]


BAD_KINDS = [
    ({"kind": "correction"}, "ref_event_id", "missing_reference"),
    ({"kind": "appeal_upheld"}, "ref_event_id", "missing_reference"),
    ({"kind": "deadline_extended", "extend_s": "60"}, "cause", "missing_cause"),
    ({"kind": "deadline_extended", "cause": "weather"}, "extend_s", "missing_extension"),
    (
        {"kind": "deadline_extended", "cause": "weather", "extend_s": "60", "order_id": ""},
        "order_id",
        "missing_value",
    ),
]


@pytest.mark.parametrize(("changes", "column", "reason"), BAD_KINDS)
def test_a_kind_says_what_it_needs(tmp_path: Path, changes: dict[str, str], column: str, reason: str) -> None:
    """Corrections, upheld appeals and extensions without what they are about are rejected."""
    read = read_rows(tmp_path, event(**changes))

    assert faults(read) == [(1, column, "", reason)]


def test_a_cancellation_may_leave_its_party_open(tmp_path: Path) -> None:
    """An unknown party of a cancellation is no fault."""
    read = read_rows(tmp_path, event(kind="cancelled", order_id=""))

    assert (faults(read), ids(read)) == ([], ["e1"])


def test_the_deadline_stays_open(tmp_path: Path) -> None:
    """The reader does not fill in what liability decides."""
    read = read_rows(tmp_path, event(promised_at=T))

    assert read.table["assess_deadline_us"].to_pylist() == [None]
    assert read.table["promised_us"].to_pylist() == [1767585600000000]


def test_reports_are_written_in_one_way(tmp_path: Path) -> None:
    """Blanks, repetitions and order of reports make no difference."""
    read = read_rows(tmp_path, event(reports=" severe_weather; merchant_slow;;merchant_slow"), event(reports=";"))

    assert read.table["reports"].to_pylist() == ["merchant_slow;severe_weather", None]


def test_whole_numbers_with_a_point_are_whole(tmp_path: Path) -> None:
    """`12.0`, as columns with gaps are often exported, is 12."""
    read = read_rows(tmp_path, event(distance_m="12.0"), event(distance_m="+7"))

    assert (faults(read), read.table["distance_m"].to_pylist()) == ([], [12, 7])


def test_two_names_of_a_time_must_agree(tmp_path: Path) -> None:
    """`_at` and `_us` together are read when equal and rejected when not."""
    same = event(placed_at=T, placed_us="1767585600000000")
    other = event(placed_at=T, placed_us="1767585600000001")

    read = read_rows(tmp_path, same, other)

    assert faults(read) == [(2, "placed_at", T, "two_times")]


BAD_LINES = [
    ("{", "", "{", "bad_line"),
    ("[1]", "", "[1]", "bad_line"),
    ("null", "", "null", "bad_line"),
    ('{"event_id": NaN}', "event_id", "NaN", "json_constant"),
    ('{"kind":"delivered","kind":"accepted"}', "kind", "kind", "json_key_twice"),
    ('{"event_id":"\\ud800"}', "", '{"event_id":"\\ud800"}', "bad_line"),
    ({**event(), "order_id": {"no": 1}}, "order_id", '{"no": 1}', "wrong_type"),
    ({**event(), "order_id": True}, "order_id", "true", "wrong_type"),
    ({**event(), "order_id": 1.5}, "order_id", "1.5", "wrong_type"),
    ({**event(), "distance_m": [5]}, "distance_m", "[5]", "wrong_type"),
    ({**event(), "distance_m": 2.5}, "distance_m", "2.5", "bad_integer"),
    ({**event(), "distance_m": 10**400}, "distance_m", "1" + "0" * 198 + "…", "bad_integer"),
    ({**event(), "occurred_at": 1767587400}, "occurred_at", "1767587400", "bad_time"),
    ({**event(), "reports": ["merchant_slow", 5]}, "reports", '["merchant_slow", 5]', "wrong_type"),
    (b"\xff\xfe{}", "", "\ufffd\ufffd{}", "bad_line"),
    ("[" * 100_000, "", "[" * 199 + "…", "bad_line"),
]


@pytest.mark.parametrize(("line", "column", "value", "reason"), BAD_LINES, ids=range(len(BAD_LINES)))
def test_a_bad_line_costs_itself_alone(tmp_path: Path, line: object, column: str, value: str, reason: str) -> None:
    """A line that is no object, or holds the wrong type, is rejected by its number; blank lines count."""
    read = read_lines(tmp_path, event(event_id="before"), "", line, event(event_id="after"))

    assert faults(read) == [(3, column, value, reason)]
    assert ids(read) == ["before", "after"]


@pytest.mark.parametrize("line", ["null", "nullx", "{} null", "{}{}", "0", '"x"', "[null, 1]"])
def test_a_first_line_that_is_no_object(tmp_path: Path, line: str) -> None:
    """What ends Arrow's parser, and with it the process, is a reject here."""
    read = read_lines(tmp_path, line, event())

    assert (faults(read), ids(read)) == ([(1, "", line, "bad_line")], ["e1"])


def test_numbers_may_be_ids_in_json(tmp_path: Path) -> None:
    """An id written as a JSON integer is its digits; a list of reports is a list of reports."""
    document = {**event(), "order_id": 12345678901234567890, "distance_m": 900, "reports": ["merchant_slow"]}

    read = read_lines(tmp_path, document)

    assert read.table["order_id"].to_pylist() == ["12345678901234567890"]
    assert read.table["distance_m"].to_pylist() == [900]
    assert read.table["reports"].to_pylist() == ["merchant_slow"]


BAD_COLUMNS = [
    ("occurred_at", pa.array([0], pa.timestamp("us")), "naive_time"),
    ("occurred_at", pa.array([0], pa.timestamp("us", "UTC")), "implausible_time"),
    ("occurred_at", pa.array([2**62], pa.timestamp("ms", "UTC")), "implausible_time"),
    ("occurred_at", pa.array([-(2**62)], pa.timestamp("ms", "UTC")), "implausible_time"),
    ("occurred_at", pa.array([5], pa.date32()), "bad_time"),
    ("occurred_at", pa.array([1767587400], pa.int64()), "bad_time"),
    ("distance_m", pa.array([True]), "wrong_type"),
    ("distance_m", pa.array([2.5]), "bad_integer"),
    ("distance_m", pa.array([2**64 - 1], pa.uint64()), "out_of_range"),
    ("order_id", pa.array([1.5]), "wrong_type"),
    ("order_id", pa.array([{"a": 1}]), "wrong_type"),
    ("order_id", pa.array([b"\xff"], pa.binary()), "broken_text"),
    ("reports", pa.array([[5]]), "wrong_type"),
    ("kind", pa.array(["nope"]).dictionary_encode(), "unknown_name"),
]


@pytest.mark.parametrize(("name", "column", "reason"), BAD_COLUMNS, ids=range(len(BAD_COLUMNS)))
def test_a_parquet_column_of_the_wrong_type(tmp_path: Path, name: str, column: pa.Array, reason: str) -> None:
    """Types that cannot be read without guessing cost their rows, with the column named."""
    table = pa.table({key: pa.array([value]) for key, value in event().items() if key != name} | {name: column})

    read = read_table(tmp_path, table)

    assert [(fault[0], fault[1], fault[3]) for fault in faults(read)] == [(1, name, reason)]


def test_parquet_types_that_say_the_same(tmp_path: Path) -> None:
    """Dictionaries, large strings, time zones, floats without fraction and lists are read as what they mean."""
    nanoseconds = 1767585600000000999
    columns = {
        "event_id": pa.array(["e1", "e2"], pa.large_string()),
        "rider_id": pa.array([7, 8], pa.int32()),
        "city": pa.array(["x", "x"]).dictionary_encode(),
        "rider_kind": pa.array(["dedicated", "dedicated"], pa.dictionary(pa.int8(), pa.large_string())),
        "kind": pa.array(["delivered", "complaint"], pa.string_view()),
        "order_id": pa.array(["o", None]),
        "occurred_at": pa.array([nanoseconds, nanoseconds], pa.timestamp("ns", "Asia/Shanghai")),
        "distance_m": pa.array([12.0, None], pa.float64()),
        "level": pa.array([3, None], pa.uint8()),
        "reports": pa.array([["accident", "merchant_slow"], None]),
        "cause": pa.nulls(2),
    }

    read = read_table(tmp_path, pa.table(columns))

    assert faults(read) == []
    assert read.table["rider_id"].to_pylist() == ["7", "8"]
    assert read.table["occurred_us"].to_pylist() == [1767585600000000] * 2
    assert read.table["distance_m"].to_pylist() == [12, None]
    assert read.table["reports"].to_pylist() == ["merchant_slow;accident", None]


def test_one_bad_time_among_many_is_found(tmp_path: Path) -> None:
    """The search for what the fast reading refuses ends at the row that is wrong."""
    rows = [event(event_id=f"e{n}") for n in range(1_000)]
    rows[777]["occurred_at"] = "2026-01-05T24:61:00+08:00"

    read = read_rows(tmp_path, *rows)

    assert faults(read) == [(778, "occurred_at", "2026-01-05T24:61:00+08:00", "bad_time")]
    assert read.table.num_rows == 999


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_has_words(reason: str) -> None:
    """Each reason is told in both languages, with what to do."""
    reject = Reject("a.csv", 3, "distance_m", "-1", reason)

    document = reject.document()

    assert [len(reject.describe(lang)) > 10 for lang in LANGS] == [True, True]
    assert list(document) == ["file", "row", "column", "value", "reason", "message"]


def test_what_scoring_refuses_has_the_same_shape(tmp_path: Path) -> None:
    """Rows refused after reading keep their file and row; the value is the one the reason is about."""
    reasons = ["ref_later", "duplicate_conflict", "too_late", "no_book"]
    read = read_rows(
        tmp_path, event(), event(event_id=""), event(event_id="e3"), event(kind="correction", ref_event_id="e9")
    )

    found = rejects_of_rows(read.table, np.array([2, 0, 1, 1]), reasons)

    assert [(reject.row, reject.column, reject.value, reject.reason) for reject in found] == [
        (1, "event_id", "e1", "duplicate_conflict"),
        (3, "occurred_at", "2026-01-05T04:30:00+00:00", "too_late"),
        (3, "city", "hangzhou", "no_book"),
        (4, "ref_event_id", "e9", "ref_later"),
    ]
    assert {reject.file for reject in found} == {str(tmp_path / "events.csv")}


def test_a_ragged_row_is_shown_in_part(tmp_path: Path) -> None:
    """A reject never carries more than 200 characters of a bad row."""
    read = read_csv(tmp_path, ",".join(event()) + "\n" + "x" * 1_000 + "\n")

    assert faults(read) == [(1, "", "x" * 199 + "…", "wrong_number_of_columns")]
