"""Real orders from files: an instance folder, a waybill file, and a file that is neither."""

from pathlib import Path

import pytest

from api.files.errors import InputError
from api.files.real_orders import COLUMNS, read_real_orders
from tests.dispatch.worlds import courier, instance, order, write_instance

NOON = 1_666_022_400 + 4 * 3_600  # 2022-10-18 04:00 in Shanghai, then noon-ish in UTC terms


def test_an_instance_folder(tmp_path: Path) -> None:
    """The four files of a Grubhub instance."""
    (tmp_path / "orders.txt").write_text(
        "order\tx\ty\tplacement_time\trestaurant\tready_time\no1\t900\t0\t700\tr1\t712\n"
    )
    (tmp_path / "restaurants.txt").write_text("restaurant\tx\ty\nr1\t0\t0\n")
    (tmp_path / "couriers.txt").write_text("courier\tx\ty\ton_time\toff_time\nc1\t0\t0\t660\t900\n")
    (tmp_path / "instance_parameters.txt").write_text(
        "meters_per_minute\tpickup service minutes\tdropoff service minutes\ttarget click-to-door\tmaximum click-to-door"
        "\tpay per order\tguaranteed pay per hour\n320\t4\t4\t40\t90\t10\t15\n"
    )

    given = read_real_orders(tmp_path)

    assert (given.placed_s.tolist(), given.ready_s.tolist(), given.x.tolist()) == ([42_000], [42_720], [900])


def test_the_busiest_day_of_a_waybill_file(tmp_path: Path) -> None:
    """Of two days the one with more orders, in local time."""
    path = tmp_path / "waybills.csv"
    rows = [(1, NOON + 86_400 * day + 60 * k) for day, num in ((0, 1), (1, 3)) for k in range(num)]
    lines = [
        f"{grabbed},{at},{at + 60},{at + 1800},{at + 2400},{at + 600},5,9,30000000,120000000,30005000,120005000"
        for grabbed, at in rows
    ]
    path.write_text("\n".join([",".join(COLUMNS), *lines]) + "\n")

    given = read_real_orders(path)

    assert given.placed_s.size == 3
    assert given.on_s.size == 1


def test_another_file_is_refused(tmp_path: Path) -> None:
    """A table without these columns names them."""
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")

    with pytest.raises(InputError):
        read_real_orders(path)


@pytest.mark.parametrize(
    ("cell", "place"),
    [("12.5", "Row 2, arrive_time"), ("soon", "Row 2, arrive_time"), ("9" * 30, "Row 2, arrive_time")],
)
def test_a_value_that_is_no_whole_number_is_named(tmp_path: Path, cell: str, place: str) -> None:
    """Row, column and value, with the remedy."""
    path = tmp_path / "waybills.csv"
    sound = f"1,{NOON},{NOON + 60},{NOON + 1800},{NOON + 2400},{NOON + 600},5,9,30000000,120000000,30005000,120005000"
    path.write_text("\n".join([",".join(COLUMNS), sound, sound.replace(str(NOON + 1800), cell)]) + "\n")

    with pytest.raises(InputError) as refusal:
        read_real_orders(path)

    assert f'{place}: "{cell}" is no whole number. Write whole numbers' in refusal.value.faults[0].describe("en")


def test_a_day_without_work_is_refused(tmp_path: Path) -> None:
    """Waybills that nobody grabbed, and an instance without couriers, are no day to study."""
    path = tmp_path / "waybills.csv"
    row = f"0,{NOON},{NOON + 60},{NOON + 1800},{NOON + 2400},{NOON + 600},5,9,30000000,120000000,30005000,120005000"
    path.write_text("\n".join([",".join(COLUMNS), row]) + "\n")
    folders = [
        write_instance(tmp_path / "c", instance([order()], [])),
        write_instance(tmp_path / "o", instance([], [courier()])),
    ]

    for given in (path, *folders):
        with pytest.raises(InputError) as refusal:
            read_real_orders(given)
        assert [fault.code for fault in refusal.value.faults] == ["input_given_empty"]
