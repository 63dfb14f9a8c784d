"""Reading instances: every fault is reported with file, line and value; solutions survive writing and reading."""

import pytest

from dispatch.degrees import are_degrees
from dispatch.mdrp import InstanceError, read_instance, read_solution, solution_texts
from tests.dispatch.hand_checked import GOOD
from tests.dispatch.worlds import courier, instance, order, random_day, write_instance


def faults_of(folder):
    with pytest.raises(InstanceError) as caught:
        read_instance(folder)
    return caught.value.faults


def edited(folder, file, old, new):
    path = write_instance(folder, instance([order()], [courier()])) / file
    path.write_text(path.read_text().replace(old, new, 1))
    return folder


def test_instance_survives_writing_and_reading(tmp_path):
    """An instance written to files is read back equal."""
    day = random_day(3)

    read = read_instance(write_instance(tmp_path / "small", day))

    assert read == day


@pytest.mark.parametrize(
    ("file", "old", "new", "key", "line"),
    [
        ("orders.txt", "\tr1\t", "\tr9\t", "unknown_restaurant", 2),
        ("orders.txt", "o1\t0", "o1\tnan", "not_a_number", 2),
        ("orders.txt", "\t10\n", "\tinf\n", "not_a_number", 2),
        ("orders.txt", "\t10\n", "\t-3\n", "too_small", 2),
        ("orders.txt", "\t10\n", "\t9.5\n", "not_whole", 2),
        ("orders.txt", "\t10\n", "\t999999999\n", "too_large", 2),
        ("orders.txt", "o1\t0", "o1\t1e300", "too_large", 2),
        ("orders.txt", "\t10\n", "\n", "wrong_width", 2),
        ("orders.txt", "\t10\n", "\t10\no1\t0\t0\t0\tr1\t10\n", "name_twice", 3),
        ("orders.txt", "o1\t", "o 1\t", "bad_name", 2),
        ("couriers.txt", "0\t600", "700\t600", "off_before_on", 2),
        ("couriers.txt", "c1\t0", "c1\tabc", "not_a_number", 2),
        ("instance_parameters.txt", "100\t4", "0\t4", "speed_not_positive", 2),
        ("instance_parameters.txt", "\t4\t4", "\t3\t4", "odd_service", 2),
        ("instance_parameters.txt", "100\t4", "100\t4\n100\t4", "wrong_width", 2),
        ("orders.txt", "o1\t", "7.0\t", "bad_id", 2),
    ],
)
def test_fault_names_file_and_line(tmp_path, file, old, new, key, line):
    """A fault planted in one cell is reported with its file and line, in both languages."""
    fault = faults_of(edited(tmp_path / "small", file, old, new))[0]

    assert (fault.file, fault.line, fault.key) == (file, line, f"dispatch.{key}")
    for lang in ("zh", "en"):
        assert file in fault.describe(lang)


@pytest.mark.parametrize("file", ["orders.txt", "restaurants.txt", "couriers.txt", "instance_parameters.txt"])
def test_a_wrong_header_is_named_and_nothing_else(tmp_path, file):
    """Without its header line a file says so, once, and no row is blamed for it."""
    path = write_instance(tmp_path, instance([order()], [courier()])) / file
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))

    (fault,) = faults_of(tmp_path)

    assert (fault.key, fault.file, fault.line) == ("dispatch.wrong_header", file, 1)


def test_all_missing_files_are_named(tmp_path):
    """An empty folder is told which four files it lacks."""
    assert len(faults_of(tmp_path)) == 4


def test_all_faults_are_reported_at_once(tmp_path):
    """Two faults in two files come together."""
    folder = edited(tmp_path / "small", "orders.txt", "\t10\n", "\tx\n")
    path = folder / "couriers.txt"
    path.write_text(path.read_text().replace("600", "-1"))

    assert {fault.file for fault in faults_of(folder)} == {"orders.txt", "couriers.txt"}


def test_bytes_that_are_no_text_are_a_fault(tmp_path):
    """A file that is not UTF-8 is a fault, not a crash."""
    folder = write_instance(tmp_path / "small", instance([order()], [courier()]))
    (folder / "couriers.txt").write_bytes(b"courier\n\xff\xfe\n")

    assert faults_of(folder)[0].key == "dispatch.not_text"


def test_solution_survives_writing_and_reading(tmp_path):
    """A solution's three files read back equal, and end without a blank line."""
    for name, content in solution_texts(GOOD).items():
        (tmp_path / name).write_text(content)
        assert not content.endswith("\n")

    assert read_solution(tmp_path) == GOOD


DEGREES = {
    "three decimals": [("120.153", "30.251"), ("120.1", "30.2")],
    "one decimal": [("120.1", "30.2"), ("120.2", "30.3"), ("120.2", "30.2")],
    "two decimals, latitude first": [("30.25", "120.15"), ("30.26", "120.17")],
    "west and south": [("-58.4", "-34.6"), ("-58.5", "-34.6")],
    "one place": [("120.5", "30.5"), ("120.5", "30.5")],
}
METRES = {
    "whole metres": [("120", "30"), ("121", "30")],
    "a wide town": [("0.5", "0"), ("2500.5", "900")],
    "a small yard": [("10.5", "20"), ("60", "90.5")],
    "about the origin": [("0.5", "0.5"), ("1.5", "2")],
    "one among many": [("120.1", "30.2"), ("900", "30.2")],
}


@pytest.mark.parametrize("kind", [*DEGREES, *METRES])
def test_places_in_degrees_are_told_from_metres(kind):
    """Degrees with one or two decimals are told as well; small days in metres are no degrees."""
    assert are_degrees((DEGREES | METRES)[kind]) is (kind in DEGREES)
