"""A Grubhub instance and its executed day become delivered rows; malformed files are refused as a whole."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path

import pyarrow.compute as pc
import pytest

from api.files.errors import InputError
from api.files.mdrp import city_of, day_zero_us
from api.files.readers import EventInputs, read_events
from api.files.reading_options import ReadingOptions, RiderAndId
from rules.text import LANGS
from tests.api.cli.commands import run
from tests.dispatch.worlds import random_day, write_instance

MIDNIGHT_US = 1_514_736_000_000_000
MINUTE_US = 60_000_000

# One courier at (0, 0), one restaurant 640 m away (2 minutes), two customers; o3 is never delivered.
FILES: Mapping[str, str] = {
    "orders.txt": "order\tx\ty\tplacement_time\trestaurant\tready_time\n"
    "o1\t640\t300\t60\tr1\t75\no2\t640\t650.5\t62\tr1\t80\no3\t0\t0\t90\tr1\t95\n",
    "restaurants.txt": "restaurant\tx\ty\nr1\t640\t0\n",
    "couriers.txt": "courier\tx\ty\ton_time\toff_time\nc1\t0\t0\t0\t300\nc2\t5\t5\t0\t300\n",
    "instance_parameters.txt": "meters_per_minute\tpickup service minutes\tdropoff service minutes\t"
    "target click-to-door\tmaximum click-to-door\tpay per order\tguaranteed pay per hour\n"
    "320\t4\t4\t40\t90\t10.5\t15\n",
    "solution_info_assignments.txt": "assignment_time pickup_time courier orders\n63 80 c1 o2 o1\n",
    "solution_info_orders.txt": "order placement_time ready_time pickup_time dropoff_time courier\n"
    "o1 60 75 80 92 c1\no2 62 80 80 87 c1\n",
    "solution_info_couriers.txt": "courier departure_time origin destination\nc1 64 0 r1\nc1 82 r1 o2\nc1 89 o2 o1\n",
}


def folders(root: Path, **replaced: tuple[str, str]) -> list[Path]:
    """The instance and the solution folder, with a text replaced in the files named (without ending)."""
    instance, solution = root / "7o100t100s1p100", root / "solution"
    instance.mkdir()
    solution.mkdir()
    for name, content in FILES.items():
        old, new = replaced.get(name.removesuffix(".txt"), ("", ""))
        assert old in content
        folder = solution if name.startswith("solution") else instance
        (folder / name).write_text(content.replace(old, new, 1) if old else content, encoding="utf-8")
    return [instance, solution]


def read(root: Path, **replaced: tuple[str, str]) -> EventInputs:
    """The day of `FILES`, changed, in Shanghai."""
    return read_events(folders(root, **replaced), "mdrp", time_zone="Asia/Shanghai")


def test_a_delivered_order(tmp_path: Path) -> None:
    """Minutes count from 2018-01-01 in the zone; the promise is the placement plus the target."""
    found = read(tmp_path)

    row = found.table.to_pylist()[0]
    known = {name: value for name, value in row.items() if value is not None}
    minutes = {name: (known.pop(name) - MIDNIGHT_US) / MINUTE_US for name in list(known) if name.endswith("_us")}
    assert minutes == {
        "occurred_us": 92,
        "placed_us": 60,
        "promised_us": 100,
        "accepted_us": 63,
        "arrived_store_us": 66,
        "merchant_ready_us": 75,
        "merchant_promised_ready_us": 75,
        "picked_up_us": 80,
        "delivered_us": 92,
    }
    assert known == {
        "event_id": "7o100t100s1p100:o1",
        "rider_id": "c1",
        "city": "mdrp-7",
        "rider_kind": "dedicated",
        "kind": "delivered",
        "order_id": "o1",
        "distance_m": 300,
        "fee_fen": 1_050,
        "file": str(tmp_path / "solution" / "solution_info_orders.txt"),
        "row": 1,
    }


def test_distances_are_rounded_to_metres(tmp_path: Path) -> None:
    """Half a metre goes to the even side."""
    found = read(tmp_path)

    assert found.table["distance_m"].to_pylist() == [300, 650]


def test_orders_never_delivered_are_counted(tmp_path: Path) -> None:
    """An order in no solution file is no event; the warning says how many."""
    found = read(tmp_path)

    assert [(warning.code, warning.given) for warning in found.warnings] == [("input_not_delivered", "1")]
    assert [file.rows for file in found.inputs] == [3, 1, 2, 1, 1, 2, 3]


def test_travel_is_rounded_up_to_minutes(tmp_path: Path) -> None:
    """A metre more than two minutes' way takes three minutes; exactly two take two."""
    found = read(tmp_path, restaurants=("640", "641"))

    assert (found.table["arrived_store_us"][0].as_py() - MIDNIGHT_US) // MINUTE_US == 67


def test_an_arrival_that_no_move_shows_is_unknown(tmp_path: Path) -> None:
    """A move that ends after the pickup is not this pickup's."""
    found = read(tmp_path, solution_info_couriers=("c1 64 0 r1", "c1 79 0 r1"))

    assert found.table["arrived_store_us"].to_pylist() == [None, None]


@pytest.mark.parametrize(
    ("name", "city"),
    [
        ("0o100t100s1p100", "mdrp-0"),
        ("12r50t75s2p125", "mdrp-12"),
        ("downtown", "downtown"),
        ("2018", "2018"),
    ],
)
def test_the_city_of_an_instance(name: str, city: str) -> None:
    """Variants of one city-day are one city."""
    assert city_of(name) == city


def test_the_day_begins_in_its_zone() -> None:
    """Midnight in Chicago is fourteen hours after midnight in Shanghai."""
    chicago, shanghai = day_zero_us("America/Chicago"), day_zero_us("Asia/Shanghai")

    assert (shanghai, chicago - shanghai) == (MIDNIGHT_US, 14 * 60 * MINUTE_US)


BROKEN = [
    ("orders", "placement_time", "placed", "input_mdrp_header"),
    ("orders", "o1\t640\t300", "o1\t640", "input_mdrp_columns"),
    ("orders", "o2\t", "o1\t", "input_mdrp_twice"),
    ("orders", "\t60\t", "\tnoon\t", "input_mdrp_number"),
    ("orders", "\t60\t", "\tnan\t", "input_mdrp_number"),
    ("orders", "\t60\t", "\t-5\t", "input_mdrp_number"),
    ("orders", "\t60\t", "\t1e999999\t", "input_mdrp_number"),
    ("orders", "r1", "r9", "input_mdrp_unknown"),
    ("restaurants", "640", "inf", "input_mdrp_number"),
    ("couriers", "c2", "c1", "input_mdrp_twice"),
    ("instance_parameters", "\n320", "\n0", "input_mdrp_number"),
    ("instance_parameters", "320\t4", "320", "input_mdrp_columns"),
    ("instance_parameters", "\n320\t4\t4\t40\t90\t10.5\t15\n", "\n", "input_mdrp_header"),
    ("solution_info_assignments", "c1 o2 o1", "c1", "input_mdrp_columns"),
    ("solution_info_assignments", "c1 o2 o1", "c1 o2 o2", "input_mdrp_twice"),
    ("solution_info_assignments", "c1 o2 o1", "c1 o2 o9", "input_mdrp_unknown"),
    ("solution_info_assignments", "c1 o2 o1", "c9 o2 o1", "input_mdrp_unknown"),
    ("solution_info_assignments", "o2 o1", "o2 o1 o3", "input_mdrp_not_executed"),
    ("solution_info_orders", "92 c1", "92 c2", "input_mdrp_other_courier"),
    ("solution_info_orders", "o1 60", "o1 61", "input_mdrp_other_times"),
    ("solution_info_orders", "80 92", "80 79", "input_mdrp_times_backwards"),
    ("solution_info_orders", "o2 62 80 80 87 c1", "o1 60 75 80 92 c1", "input_mdrp_twice"),
    ("solution_info_couriers", "o2 o1", "o2 o9", "input_mdrp_unknown"),
    ("solution_info_couriers", "c1 64", "c1 soon", "input_mdrp_number"),
    ("restaurants", "r1\t640\t0", "r1\t30.251\t120.15", "input_mdrp_degrees"),
    ("instance_parameters", "10.5", "10.555", "input_mdrp_pay"),
    ("couriers", "c2", "7.0", "input_mdrp_bad_id"),
]


@pytest.mark.parametrize(("name", "old", "new", "code"), BROKEN, ids=range(len(BROKEN)))
def test_a_malformed_day_is_refused(tmp_path: Path, name: str, old: str, new: str, code: str) -> None:
    """The refusal names file, place and value, in both languages."""
    with pytest.raises(InputError) as refusal:
        read(tmp_path, **{name: (old, new)})

    assert code in {fault.code for fault in refusal.value.faults}
    assert all(fault.describe(lang) for fault in refusal.value.faults for lang in LANGS)


def test_a_day_in_degrees_of_one_decimal_is_refused(tmp_path: Path) -> None:
    """All three files lie in one town of degrees: said once, with the first place."""
    paths = folders(tmp_path)
    for name in ("restaurants", "couriers", "orders"):
        path = paths[0] / f"{name}.txt"
        rows = [line.split("\t") for line in path.read_text().splitlines()]
        moved = [[row[0], "120.1", "30.2", *row[3:]] for row in rows[1:]]
        path.write_text("\n".join("\t".join(row) for row in [rows[0], *moved]) + "\n")

    with pytest.raises(InputError) as refusal:
        read_events(paths, "mdrp")

    assert [fault.given for fault in refusal.value.faults if fault.code == "input_mdrp_degrees"] == ["120.1, 30.2"]


def test_all_faults_come_at_once(tmp_path: Path) -> None:
    """Two wrong files and one missing are one refusal."""
    paths = folders(tmp_path, orders=("\t60\t", "\tnoon\t"), restaurants=("640", "x"))
    (paths[1] / "solution_info_couriers.txt").unlink()

    with pytest.raises(InputError) as refusal:
        read_events(paths, "mdrp")

    files = {Path(fault.file).name for fault in refusal.value.faults}
    assert files >= {"orders.txt", "restaurants.txt", "solution_info_couriers.txt"}


def test_wrong_paths_and_zones_are_refused(tmp_path: Path) -> None:
    """One path, a file for a folder, an unknown zone: each says what is needed."""
    paths = folders(tmp_path)
    attempts = [
        (paths[:1], "Asia/Shanghai", "input_mdrp_paths"),
        ([paths[0], tmp_path / "gone"], "Asia/Shanghai", "input_not_a_folder"),
        (paths, "Mars/Olympus", "input_time_zone"),
        (paths, "../etc/passwd", "input_time_zone"),
    ]

    for chosen, zone, code in attempts:
        with pytest.raises(InputError) as refusal:
            read_events(chosen, "mdrp", time_zone=zone)

        assert [fault.code for fault in refusal.value.faults] == [code]


@pytest.mark.parametrize("policy", ["rolling", "nearest"])
def test_a_dispatched_day_is_read(tmp_path: Path, policy: str) -> None:
    """Every executed order of a day that was dispatched is a row, its courier's arrival known and before the pickup."""
    folder = write_instance(tmp_path / "4o100t100s1p100", random_day(5))
    run("dispatch", folder, "--out", tmp_path / "out", "--policy", policy)

    found = read_events([folder, tmp_path / "out"], "mdrp", time_zone="America/Chicago")

    lines = (tmp_path / "out" / "solution_info_orders.txt").read_text(encoding="utf-8").splitlines()
    assert found.table.num_rows == len(lines) - 1 > 20
    assert found.table["arrived_store_us"].null_count == 0
    assert pc.all(pc.less_equal(found.table["arrived_store_us"], found.table["picked_up_us"])).as_py()
    assert set(found.table["city"].to_pylist()) == {"mdrp-4"}


def test_a_courier_whom_a_state_holds_stays_valid(tmp_path: Path) -> None:
    """A name that a spreadsheet damaged is a rider's where a state holds it, or where ids are taken as they are."""

    class Holds:
        def filter_known(self, column: str, named: Collection[RiderAndId]) -> Collection[RiderAndId]:
            return named if column == "rider_id" else ()

    paths = folders(tmp_path)
    for path in [*paths[0].glob("*.txt"), *paths[1].glob("*.txt")]:
        path.write_text(re.sub(r"\bc2\b", "7.0", path.read_text()))

    with pytest.raises(InputError):
        read_events(paths, "mdrp")
    for reading in (ReadingOptions(known_ids=Holds()), ReadingOptions(ids_as_they_are=True)):
        assert read_events(paths, "mdrp", reading=reading).table.num_rows > 0
