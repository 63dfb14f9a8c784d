"""The Grubhub instance format: reading a day, reading and writing a solution.

Plain records in whole minutes and metres, as the files hold them; no dispatch logic. Faults in a file are
collected and raised together, each with file, line, value and remedy. Source: Reyes et al., "Meal Delivery
Routing: The Grubhub Instances", 2018.

Invariant: an ``Instance`` that was read names only restaurants it holds, and every number in it is finite.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from dispatch.degrees import are_degrees
from dispatch.errors import DispatchError
from rules.ids import id_fault
from rules.text import Lang, text
from rules.text_files import decode_text, file_format_of, is_blank, layout_of, strip_invisible

HEADERS = {
    "orders.txt": ("order", "x", "y", "placement_time", "restaurant", "ready_time"),
    "restaurants.txt": ("restaurant", "x", "y"),
    "couriers.txt": ("courier", "x", "y", "on_time", "off_time"),
    "instance_parameters.txt": (
        "meters_per_minute",
        "pickup service minutes",
        "dropoff service minutes",
        "target click-to-door",
        "maximum click-to-door",
        "pay per order",
        "guaranteed pay per hour",
    ),
}
INSTANCE_FILES = tuple(HEADERS)
START = "0"
# Beyond these a file is damaged: a week, and once around the earth.
MINUTES_MAX = 10_080
METRES_MAX = 40_000_000

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class InstanceFault:
    """One fault in an instance: what is wrong (`key` of a text), where, and what was given.

    Parameters
    ----------
    key
        Of the text.
    file
        Name of the file.
    line
        Line in it, from 1; 0: the whole file.
    given
        What is written there.
    detail
        What the text asks for beside.
    """

    key: str
    file: str
    line: int
    given: str
    detail: str = ""

    def describe(self, lang: Lang) -> str:
        """Place, what is wrong, and the remedy, in one line; a detail that starts with `@` is a text of its own."""
        detail = text(lang, self.detail[1:]) if self.detail.startswith("@") else self.detail
        return text(lang, self.key, file=self.file, line=self.line, given=self.given, detail=detail)


class InstanceError(DispatchError):
    """An instance that cannot be dispatched; holds every fault found.

    Parameters
    ----------
    faults
        Every fault of the four files.
    """

    def __init__(self, faults: tuple[InstanceFault, ...]) -> None:
        self.faults = faults
        super().__init__("; ".join(f"{f.file}:{f.line}: {f.key} ({f.given})" for f in faults))


@dataclass(frozen=True, slots=True)
class Restaurant:
    """A merchant; place in metres."""

    name: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class MdrpOrder:
    """An order; door in metres, times in minutes of the day; known from `placed_min`."""

    name: str
    x: float
    y: float
    placed_min: int
    restaurant: str
    ready_min: int


@dataclass(frozen=True, slots=True)
class Courier:
    """A rider's shift; start in metres, minutes of the day; picks up nothing after `off_min`."""

    name: str
    x: float
    y: float
    on_min: int
    off_min: int


@dataclass(frozen=True, slots=True)
class Parameters:
    """Speed in metres a minute, service and click-to-door in minutes, pay in the instance's minor unit."""

    metres_per_minute: float
    pickup_min: int
    dropoff_min: int
    target_min: int
    maximum_min: int
    pay_per_order: int
    guarantee_per_hour: int


@dataclass(frozen=True, slots=True)
class Instance:
    """One day as the four files describe it, orders in file order.

    Parameters
    ----------
    name
        Of the folder.
    orders
        In file order.
    restaurants
        In file order.
    couriers
        In file order.
    parameters
        Speed, service times, pay.
    """

    name: str
    orders: tuple[MdrpOrder, ...]
    restaurants: tuple[Restaurant, ...]
    couriers: tuple[Courier, ...]
    parameters: Parameters


@dataclass(frozen=True, slots=True)
class BundleAssignment:
    """A bundle: when its last order was added, when it was picked up, by whom, orders in drop-off sequence."""

    assigned_min: float
    pickup_min: float
    courier: str
    orders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OrderOutcome:
    """What became of one delivered order."""

    order: str
    placed_min: float
    ready_min: float
    pickup_min: float
    dropoff_min: float
    courier: str


@dataclass(frozen=True, slots=True)
class CourierMove:
    """One move of a courier between two named places; ``0`` is the courier's start."""

    courier: str
    departure_min: float
    origin: str
    destination: str


@dataclass(frozen=True, slots=True)
class Solution:
    """The three solution files; an undelivered order appears in none."""

    assignments: tuple[BundleAssignment, ...]
    outcomes: tuple[OrderOutcome, ...]
    moves: tuple[CourierMove, ...]


@dataclass(slots=True)
class _CsvTable:
    """One file's data rows and the faults found while reading them."""

    file: str
    rows: list[tuple[int, list[str]]]
    faults: list[InstanceFault]

    def number(self, line: int, value: str, *, least: float = -METRES_MAX, most: float = METRES_MAX) -> float:
        """Read a finite number; a fault and 0 where it is none or out of range."""
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            self.faults.append(InstanceFault("dispatch.not_a_number", self.file, line, value))
            return 0.0
        if number < least:
            self.faults.append(InstanceFault("dispatch.too_small", self.file, line, value, f"{least:g}"))
            return 0.0
        if number > most:
            self.faults.append(InstanceFault("dispatch.too_large", self.file, line, value, f"{most:g}"))
            return 0.0
        return number

    def whole(self, line: int, value: str, *, least: int = 0) -> int:
        """Read a whole number of at least `least`."""
        number = self.number(line, value, least=least, most=MINUTES_MAX)
        if number != int(number):
            self.faults.append(InstanceFault("dispatch.not_whole", self.file, line, value))
        return int(number)

    def money(self, line: int, value: str) -> int:
        """Read an amount in whole smallest units."""
        number = self.number(line, value, least=0, most=MINUTES_MAX)
        if number != int(number):
            self.faults.append(InstanceFault("dispatch.half_unit", self.file, line, value, f"{number * 100:.0f}"))
        return int(number)


def read_instance(folder: Path) -> Instance:
    """Read and check one instance folder.

    Parameters
    ----------
    folder
        Of the instance: its four files.

    Returns
    -------
    Instance
        The checked day.

    Raises
    ------
    InstanceError
        With every fault: missing file, wrong width, unknown restaurant, not a number, negative time,
        shift that ends before it starts, name used twice, odd service time.
    """
    missing = tuple(
        InstanceFault("dispatch.missing_file", file, 0, str(folder))
        for file in INSTANCE_FILES
        if not (folder / file).is_file()
    )
    if missing:
        raise InstanceError(missing)
    faults: list[InstanceFault] = []
    tables = {file: _read_table(folder / file, header, faults) for file, header in HEADERS.items()}
    if any(fault.key == "dispatch.wrong_header" for fault in faults):
        # Without its header a file's columns cannot be told apart: faults of its rows would mislead.
        raise InstanceError(tuple(faults))
    _need_metres([tables[file] for file in ("restaurants.txt", "couriers.txt", "orders.txt")])
    restaurants = _restaurants(tables["restaurants.txt"])
    known = {restaurant.name for restaurant in restaurants}
    instance = Instance(
        name=folder.resolve().name,
        orders=_orders(tables["orders.txt"], known),
        restaurants=restaurants,
        couriers=_couriers(tables["couriers.txt"]),
        parameters=_parameters(tables["instance_parameters.txt"]),
    )
    if faults:
        raise InstanceError(tuple(faults))
    return instance


def _read_table(path: Path, header: tuple[str, ...], faults: list[InstanceFault]) -> _CsvTable:
    table, width = _CsvTable(path.name, [], faults), len(header)
    content = path.read_bytes()
    packing = file_format_of(content)
    written, encoding = decode_text(content)
    if packing is not None or encoding == "broken":
        faults.append(InstanceFault("dispatch.not_text", path.name, 0, packing or encoding))
        return table
    layout = layout_of(written, header)
    lines = written.split("\n")
    names = tuple(map(strip_invisible, lines[layout.num_before].split(layout.delimiter)))
    if names != header:
        given = " ".join(names)[:120]
        faults.append(
            InstanceFault("dispatch.wrong_header", path.name, layout.num_before + 1, given, ", ".join(header))
        )
        return table
    for line, written_row in enumerate(lines[layout.num_before + 1 :], start=layout.num_before + 2):
        if is_blank(written_row):
            continue
        row = [cell.strip() for cell in written_row.split(layout.delimiter)]
        if len(row) == width:
            table.rows.append((line, row))
        else:
            faults.append(InstanceFault("dispatch.wrong_width", path.name, line, str(len(row)), str(width)))
    return table


def _need_metres(tables: Sequence[_CsvTable]) -> None:
    """Refuse places that are degrees."""
    cells = [(table, line, row[1], row[2]) for table in tables for line, row in table.rows]
    if are_degrees([(x, y) for *_, x, y in cells]):
        table, line, x, y = cells[0]
        table.faults.append(InstanceFault("dispatch.degrees", table.file, line, f"{x} {y}"))


def _restaurants(table: _CsvTable) -> tuple[Restaurant, ...]:
    _check_names(table)
    return tuple(Restaurant(row[0], table.number(line, row[1]), table.number(line, row[2])) for line, row in table.rows)


def _orders(table: _CsvTable, known: set[str]) -> tuple[MdrpOrder, ...]:
    _check_names(table)
    orders = []
    for line, (name, x, y, placed, restaurant, ready) in table.rows:
        if restaurant not in known:
            table.faults.append(InstanceFault("dispatch.unknown_restaurant", table.file, line, restaurant))
        orders.append(
            MdrpOrder(
                name=name,
                x=table.number(line, x),
                y=table.number(line, y),
                placed_min=table.whole(line, placed),
                restaurant=restaurant,
                ready_min=table.whole(line, ready),
            )
        )
    return tuple(orders)


def _couriers(table: _CsvTable) -> tuple[Courier, ...]:
    _check_names(table)
    couriers = []
    for line, (name, x, y, on_time, off_time) in table.rows:
        courier = Courier(
            name=name,
            x=table.number(line, x),
            y=table.number(line, y),
            on_min=table.whole(line, on_time),
            off_min=table.whole(line, off_time),
        )
        if courier.off_min < courier.on_min:
            table.faults.append(InstanceFault("dispatch.off_before_on", table.file, line, off_time, on_time))
        couriers.append(courier)
    return tuple(couriers)


def _parameters(table: _CsvTable) -> Parameters:
    if len(table.rows) != 1:
        table.faults.append(InstanceFault("dispatch.one_parameter_row", table.file, 2, str(len(table.rows))))
        return Parameters(1.0, 0, 0, 0, 0, 0, 0)
    line, row = table.rows[0]
    speed = table.number(line, row[0])
    if speed <= 0:
        table.faults.append(InstanceFault("dispatch.speed_not_positive", table.file, line, row[0]))
    pickup, dropoff, target, maximum = (table.whole(line, cell) for cell in row[1:5])
    pay, guarantee = (table.money(line, cell) for cell in row[5:])
    for service in (pickup, dropoff):
        if service % 2:
            table.faults.append(InstanceFault("dispatch.odd_service", table.file, line, str(service)))
    return Parameters(speed, pickup, dropoff, target, maximum, pay, guarantee)


def _check_names(table: _CsvTable) -> None:
    """Refuse names used twice, and names the space-separated solution files cannot hold."""
    orders_seen: set[str] = set()
    for line, row in table.rows:
        if not row[0] or len(row[0].split()) != 1 or row[0] == START:
            table.faults.append(InstanceFault("dispatch.bad_name", table.file, line, row[0]))
        elif (unsound := id_fault(row[0])) is not None:
            table.faults.append(InstanceFault("dispatch.bad_id", table.file, line, row[0], f"@id.{unsound}"))
        if row[0] in orders_seen:
            table.faults.append(InstanceFault("dispatch.name_twice", table.file, line, row[0]))
        orders_seen.add(row[0])


def read_solution(folder: Path) -> Solution:
    """Read three solution files as they are; numbers that cannot be read become NaN for the checker to name."""
    return Solution(
        assignments=_lines(folder / "solution_info_assignments.txt", 4, _assignment),
        outcomes=_lines(folder / "solution_info_orders.txt", 6, _outcome),
        moves=_lines(folder / "solution_info_couriers.txt", 4, _move),
    )


def _lines(path: Path, width: int, parse: Callable[[list[str]], Row]) -> tuple[Row, ...]:
    rows = []
    for line, row in enumerate(decode_text(path.read_bytes())[0].splitlines()[1:], start=2):
        cells = row.split()
        if len(cells) < width:
            raise InstanceError((InstanceFault("dispatch.wrong_width", path.name, line, str(len(cells)), str(width)),))
        rows.append(parse(cells))
    return tuple(rows)


def _minutes(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan


def _assignment(cells: list[str]) -> BundleAssignment:
    return BundleAssignment(_minutes(cells[0]), _minutes(cells[1]), cells[2], tuple(cells[3:]))


def _outcome(cells: list[str]) -> OrderOutcome:
    placed, ready, pickup, dropoff = (_minutes(cell) for cell in cells[1:5])
    return OrderOutcome(cells[0], placed, ready, pickup, dropoff, cells[5])


def _move(cells: list[str]) -> CourierMove:
    return CourierMove(cells[0], _minutes(cells[1]), cells[2], cells[3])


def solution_texts(solution: Solution) -> dict[str, str]:
    """Return the three files' contents by file name: space-separated, header line, no line break at the end.

    Parameters
    ----------
    solution
        Assignments, outcomes and moves of a day.

    Returns
    -------
    dict[str, str]
        Content by file name.
    """
    assignments = (
        f"{row.assigned_min:.9g} {row.pickup_min:.9g} {row.courier} {' '.join(row.orders)}"
        for row in solution.assignments
    )
    outcomes = (
        f"{row.order} {row.placed_min:.9g} {row.ready_min:.9g} {row.pickup_min:.9g} {row.dropoff_min:.9g} {row.courier}"
        for row in solution.outcomes
    )
    moves = (f"{row.courier} {row.departure_min:.9g} {row.origin} {row.destination}" for row in solution.moves)
    return {
        "solution_info_assignments.txt": _joined("assignment_time pickup_time courier orders", assignments),
        "solution_info_orders.txt": _joined(
            "order placement_time ready_time pickup_time dropoff_time courier", outcomes
        ),
        "solution_info_couriers.txt": _joined("courier departure_time origin destination", moves),
    }


def _joined(header: str, rows: Iterable[str]) -> str:
    return "\n".join((header, *rows))
