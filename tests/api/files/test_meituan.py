"""Waybills of the TSL challenge become delivered rows; refused and unfinished ones are counted."""

from pathlib import Path

import pytest

from api.files.errors import InputError
from api.files.readers import EventInputs, read_events
from tests.api.files.builders import csv_text, faults, write

PLACED = 1_666_000_000
WAYBILL = {
    "": "0",
    "order_id": "77",
    "waybill_id": "9",
    "dt": "20221017",
    "da_id": "4",
    "is_courier_grabbed": "1",
    "is_weekend": "0",
    "estimate_arrived_time": str(PLACED + 2_400),
    "is_prebook": "0",
    "poi_id": "31",
    "dispatch_time": str(PLACED + 60),
    "grab_time": str(PLACED + 90),
    "fetch_time": str(PLACED + 900),
    "arrive_time": str(PLACED + 1_800),
    "estimate_meal_prepare_time": str(PLACED + 600),
    "order_push_time": str(PLACED + 30),
    "platform_order_time": str(PLACED),
    "courier_id": "5",
    "sender_lat": "45000000",
    "sender_lng": "174000000",
    "recipient_lat": "45009000",
    "recipient_lng": "174000000",
    "grab_lat": "45000000",
    "grab_lng": "174000000",
}


def read(folder: Path, *changes: dict[str, str]) -> EventInputs:
    """A waybill file with one row per change."""
    path = write(folder / "all_waybill_info_meituan.csv", csv_text([WAYBILL | change for change in changes]))
    return read_events([path], "meituan")


def test_a_waybill_is_a_delivery(tmp_path: Path) -> None:
    """Every column lands where the module says, in microseconds, metres and names."""
    found = read(tmp_path, {})

    (row,) = found.table.to_pylist()
    known = {name: value for name, value in row.items() if value is not None and name != "file"}
    assert known == {
        "event_id": "waybill:9",
        "rider_id": "5",
        "city": "meituan-da-4",
        "rider_kind": "crowdsourced",
        "kind": "delivered",
        "order_id": "77",
        "occurred_us": (PLACED + 1_800) * 10**6,
        "placed_us": PLACED * 10**6,
        "promised_us": (PLACED + 2_400) * 10**6,
        "accepted_us": (PLACED + 90) * 10**6,
        "merchant_promised_ready_us": (PLACED + 600) * 10**6,
        "picked_up_us": (PLACED + 900) * 10**6,
        "delivered_us": (PLACED + 1_800) * 10**6,
        "distance_m": 1_001,
        "row": 1,
    }
    assert found.warnings == []


def test_refused_and_unfinished_waybills_are_counted(tmp_path: Path) -> None:
    """Neither is an event, neither is a fault of the file; both are told."""
    refused = {"is_courier_grabbed": "0", "grab_time": "0", "fetch_time": "0", "arrive_time": "0"}

    found = read(tmp_path, refused, {}, refused, {"arrive_time": "0"})

    assert (found.table["row"].to_pylist(), found.rejects, found.inputs[0].rows) == ([2], [], 4)
    assert [(warning.code, warning.given) for warning in found.warnings] == [
        ("input_not_delivered", "1"),
        ("input_refused_waybills", "2"),
    ]


@pytest.mark.parametrize("minutes_after_placed", [-1, 24 * 60 + 1])
def test_an_implausible_promise_is_no_promise(tmp_path: Path, minutes_after_placed: int) -> None:
    """A kitchen estimate before the order, more than a day after it, or 0 is left open."""
    estimate = {"estimate_meal_prepare_time": str(PLACED + 60 * minutes_after_placed)}

    found = read(tmp_path, estimate, {"estimate_meal_prepare_time": "0"})

    assert found.table["merchant_promised_ready_us"].to_pylist() == [None, None]


def test_unknown_places_have_no_distance(tmp_path: Path) -> None:
    """A coordinate of 0, none, or none that can be read costs the distance alone."""
    found = read(tmp_path, {"sender_lat": "0"}, {"recipient_lng": ""}, {"sender_lng": "east"})

    assert (found.table["distance_m"].to_pylist(), found.rejects) == ([None] * 3, [])


def test_bad_waybills_are_rejected_under_the_files_names(tmp_path: Path) -> None:
    """Faults name the column and value of the file, not of the native format."""
    found = read(
        tmp_path,
        {"fetch_time": str(PLACED + 3_000)},
        {"courier_id": ""},
        {"grab_time": "noon"},
        {"platform_order_time": "3"},
        {"arrive_time": "99999999999999"},
        {},
    )

    assert faults(found) == [
        (1, "fetch_time", str(PLACED + 3_000), "times_out_of_order"),
        (2, "courier_id", "", "missing_value"),
        (3, "grab_time", "noon", "bad_integer"),
        (4, "platform_order_time", "3", "implausible_time"),
        (5, "arrive_time", "99999999999999", "implausible_time"),
    ]
    assert found.table["row"].to_pylist() == [6]


def test_another_table_is_refused(tmp_path: Path) -> None:
    """A file without the waybill columns is refused with their names."""
    path = write(tmp_path / "a.csv", "event_id,rider_id\n1,2\n")

    with pytest.raises(InputError) as refusal:
        read_events([path], "meituan")

    assert "platform_order_time" in refusal.value.faults[0].key
