"""The seven text files of a Grubhub (MDRP) instance and one executed day, read exactly and checked together.

Minutes and metres are Decimals as written. Every fault of all files is reported at once.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from api.files.errors import InputError
from api.files.reading_options import ALL_IDS_KNOWN, DEFAULT_READING, ReadingOptions
from dispatch.degrees import are_degrees, have_decimals_of_degrees
from rules.errors import Fault
from rules.ids import id_fault, is_never_id
from rules.text_files import decode_text, file_format_of, is_blank, layout_of, strip_invisible

_ORDERS: Final = ("order", "x", "y", "placement_time", "restaurant", "ready_time")
_RESTAURANTS: Final = ("restaurant", "x", "y")
_COURIERS: Final = ("courier", "x", "y", "on_time", "off_time")
_NUM_PARAMETERS: Final = 7
_ASSIGNMENTS: Final = ("assignment_time", "pickup_time", "courier", "orders")
_SOLVED_ORDERS: Final = ("order", "placement_time", "ready_time", "pickup_time", "dropoff_time", "courier")
_MOVES: Final = ("courier", "departure_time", "origin", "destination")
_MINUTES_MAX: Final = 100_000
INSTANCE_FILES: Final = ("orders.txt", "restaurants.txt", "couriers.txt", "instance_parameters.txt")
SOLUTION_FILES: Final = (
    "solution_info_assignments.txt",
    "solution_info_orders.txt",
    "solution_info_couriers.txt",
)

Point = tuple[Decimal, Decimal]


@dataclass(frozen=True, slots=True)
class ExecutedOrder:
    """An order of the instance; times in minutes of the day, place in metres."""

    place: Point
    placement_time: Decimal
    restaurant: str
    ready_time: Decimal


@dataclass(frozen=True, slots=True)
class MdrpDelivery:
    """An executed order; times in minutes of the day, `row` 1-based in its file."""

    order: str
    pickup_time: Decimal
    dropoff_time: Decimal
    courier: str
    row: int


@dataclass(frozen=True, slots=True)
class MdrpMove:
    """One move of a courier; origin `0` is where the courier starts."""

    departure_time: Decimal
    origin: str
    destination: str


@dataclass(slots=True)
class MdrpDay:
    """An instance and what was done with it; complete only if `faults` stays empty."""

    name: str
    reading: ReadingOptions = DEFAULT_READING
    orders: dict[str, ExecutedOrder] = field(default_factory=dict)
    restaurants: dict[str, Point] = field(default_factory=dict)
    couriers: dict[str, Point] = field(default_factory=dict)
    metres_per_minute: Decimal = Decimal(0)
    target_minutes: Decimal = Decimal(0)
    pay_per_order: Decimal = Decimal(0)
    assignment_times: dict[str, Decimal] = field(default_factory=dict)
    deliveries: list[MdrpDelivery] = field(default_factory=list)
    moves: dict[str, list[MdrpMove]] = field(default_factory=dict)
    num_rows: dict[Path, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def place(self, name: str, courier: str) -> Point | None:
        """Where an origin or destination of `courier`'s moves lies; None if there is no such place."""
        if name == "0":
            return self.couriers.get(courier)
        if name in self.orders:
            return self.orders[name].place
        return self.restaurants.get(name)


def read_mdrp_files(instance: Path, solution: Path, reading: ReadingOptions = DEFAULT_READING) -> MdrpDay:
    """Read and check all seven files.

    Raises
    ------
    InputError
        With every fault found: files missing, rows that cannot be read, names that do not fit together, times
        that go backwards.
    """
    day = MdrpDay(instance.resolve().name, reading)
    _read_instance(instance, day)
    _read_solution(solution, day)
    if day.faults:
        raise InputError(*day.faults)
    return day


def _read_instance(folder: Path, day: MdrpDay) -> None:
    restaurants = _rows(folder / "restaurants.txt", _RESTAURANTS, day)
    couriers = _rows(folder / "couriers.txt", _COURIERS, day)
    orders = _rows(folder / "orders.txt", _ORDERS, day)
    _need_metres(restaurants, couriers, orders)
    for row in restaurants:
        name, place = row.name(0, day.restaurants), row.point(1)
        if place is not None:
            day.restaurants[name] = place
    for row in couriers:
        name, place = row.name(0, day.couriers, is_rider=True), row.point(1)
        row.minutes(3), row.minutes(4)
        if place is not None:
            day.couriers[name] = place
    for row in orders:
        name, place, placed, ready = row.name(0, day.orders), row.point(1), row.minutes(3), row.minutes(5)
        row.must_be_in(4, day.restaurants)
        if place is not None and placed is not None and ready is not None:
            day.orders[name] = ExecutedOrder(place, placed, row.cells[4], ready)
    for row in _rows(folder / "instance_parameters.txt", None, day)[:1]:
        day.metres_per_minute = row.positive(0)
        day.target_minutes = row.positive(3)
        day.pay_per_order = row.number(5) or Decimal(0)
        if day.pay_per_order != round(day.pay_per_order, 2):
            row.fault("input_mdrp_pay", 5)


def _need_metres(*files: "list[MdrpRow]") -> None:
    """Refuse places (columns 2 and 3) in degrees: a fault at the first row of a file that has them, or of all files."""
    faulty = [rows[0] for rows in files if rows and have_decimals_of_degrees(map(_written_place, rows))]
    every = [row for rows in files for row in rows]
    if not faulty and every and are_degrees(map(_written_place, every)):
        faulty = every[:1]
    for row in faulty:
        row.fault("input_mdrp_degrees", 1, ", ".join(_written_place(row)))


def _written_place(row: "MdrpRow") -> tuple[str, str]:
    return row.cells[1], row.cells[2]


def _read_solution(folder: Path, day: MdrpDay) -> None:
    carriers: dict[str, str] = {}
    for row in _rows(folder / SOLUTION_FILES[0], _ASSIGNMENTS, day):
        assigned = row.minutes(0)
        row.minutes(1)
        row.must_be_in(2, day.couriers)
        for column, order in enumerate(row.cells[3:], 3):
            row.must_be_in(column, day.orders)
            row.name(column, carriers)
            carriers[order] = row.cells[2]
            day.assignment_times[order] = assigned or Decimal(0)
    orders_seen: set[str] = set()
    for row in _rows(folder / SOLUTION_FILES[1], _SOLVED_ORDERS, day):
        order = row.name(0, orders_seen)
        orders_seen.add(order)
        _read_delivery(row, order, carriers, day)
    for order in sorted(carriers.keys() - orders_seen):
        day.faults.append(Fault("input_mdrp_not_executed", file=str(folder / SOLUTION_FILES[1]), given=order))
    places = day.orders.keys() | day.restaurants.keys() | {"0"}
    for row in _rows(folder / SOLUTION_FILES[2], _MOVES, day):
        departed = row.minutes(1)
        row.must_be_in(0, day.couriers)
        row.must_be_in(2, places)
        row.must_be_in(3, places)
        if departed is not None:
            day.moves.setdefault(row.cells[0], []).append(MdrpMove(departed, row.cells[2], row.cells[3]))


def _read_delivery(row: "MdrpRow", order: str, carriers: dict[str, str], day: MdrpDay) -> None:
    times = [row.minutes(column) for column in (1, 2, 3, 4)]
    row.must_be_in(0, day.orders)
    row.must_be_in(5, day.couriers)
    if carriers.get(order) != row.cells[5]:
        row.fault("input_mdrp_other_courier", 5)
    placed, ready, picked_up, dropped_off = times
    if placed is None or ready is None or picked_up is None or dropped_off is None or order not in day.orders:
        return
    known = day.orders[order]
    if (placed, ready) != (known.placement_time, known.ready_time):
        row.fault("input_mdrp_other_times", 1 if placed != known.placement_time else 2)
    if not placed <= day.assignment_times.get(order, placed) <= dropped_off or not placed <= picked_up <= dropped_off:
        row.fault("input_mdrp_times_backwards", 4)
    day.deliveries.append(MdrpDelivery(order, picked_up, dropped_off, row.cells[5], row.number_in_file))


@dataclass(frozen=True, slots=True)
class MdrpRow:
    """One row of one file; what cannot be read becomes a fault of the day."""

    path: Path
    number_in_file: int
    header: Sequence[str]
    cells: Sequence[str]
    day: MdrpDay

    def fault(self, code: str, column: int, given: str = "", **params: str) -> None:
        """Note that the value in `column` is wrong; `given` are the values if it is about several."""
        key = f"{self.header[min(column, len(self.header) - 1)]}, row {self.number_in_file}"
        shown = (given or self.cells[column])[:200]
        self.day.faults.append(Fault(code, file=str(self.path), key=key, given=shown, params=tuple(params.items())))

    def name(self, column: int, taken: Collection[str], *, is_rider: bool = False) -> str:
        """A name that must be new, and an id; that of a rider whom a state holds stays valid."""
        if self.cells[column] in taken:
            self.fault("input_mdrp_twice", column)
        unsound = id_fault(self.cells[column])
        if unsound is not None and not self._is_taken(self.cells[column], is_rider=is_rider):
            self.fault("input_mdrp_bad_id", column, hint=f"@id.{unsound}")
        return self.cells[column]

    def _is_taken(self, name: str, *, is_rider: bool) -> bool:
        reading = self.day.reading
        if reading.ids_as_they_are and not is_never_id(name):
            return True
        known_ids = reading.known_ids
        return known_ids is ALL_IDS_KNOWN or (
            is_rider and known_ids is not None and bool(known_ids.filter_known("rider_id", {(name, name)}))
        )

    def must_be_in(self, column: int, known: Collection[str]) -> None:
        """A name that must be known."""
        if self.cells[column] not in known:
            self.fault("input_mdrp_unknown", column)

    def number(self, column: int) -> Decimal | None:
        """A finite number as written."""
        try:
            value = Decimal(self.cells[column])
        except InvalidOperation:
            value = Decimal("NaN")
        # Bounds keep every product with microseconds within int64.
        if not value.is_finite() or abs(value) > 10**9 or value != round(value, 6):
            self.fault("input_mdrp_number", column)
            return None
        return value

    def minutes(self, column: int) -> Decimal | None:
        """A time of the day, ≥ 0."""
        value = self.number(column)
        if value is not None and not 0 <= value <= _MINUTES_MAX:
            self.fault("input_mdrp_number", column)
            return None
        return value

    def positive(self, column: int) -> Decimal:
        """A number > 0; 1 in its place where it is not."""
        value = self.number(column)
        if value is not None and value <= 0:
            self.fault("input_mdrp_number", column)
            return Decimal(1)
        return value or Decimal(1)

    def point(self, column: int) -> Point | None:
        """A place: this column and the next."""
        x, y = self.number(column), self.number(column + 1)
        return None if x is None or y is None else (x, y)


def _rows(path: Path, header: Sequence[str] | None, day: MdrpDay) -> list[MdrpRow]:
    """The rows of a file below its header; `header` None: the parameters, whose names contain blanks."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        day.faults.append(Fault("input_missing", file=str(path)))
        return []
    except OSError as error:
        day.faults.append(Fault("input_unreadable", file=str(path), given=(error.strerror or str(error))[:200]))
        return []
    written, encoding = decode_text(content)
    packing = file_format_of(content)
    if packing is not None or encoding == "broken":
        day.faults.append(Fault("input_packed_other", file=str(path), given=packing or encoding))
        return []
    layout = layout_of(written, header or ("meters_per_minute",))
    lines = written.split("\n")[layout.num_before :]
    delimiter = layout.delimiter if layout.delimiter in lines[0] else None
    # Numbers of a row may be parted by any blanks; names of parameters contain some.
    of_row = None if delimiter == "\t" else delimiter
    names = tuple(map(strip_invisible, lines[0].split(delimiter if header is None else of_row)))
    if (header is not None and names != tuple(header)) or len(names) < 2:
        allowed = " ".join(header or ("meters_per_minute", "..."))
        day.faults.append(Fault("input_mdrp_header", file=str(path), given=" ".join(names)[:200], allowed=allowed))
        return []
    day.num_rows[path] = sum(not is_blank(line) for line in lines[1:])
    rows = [
        MdrpRow(path, number, names, [cell.strip() for cell in line.split(of_row)], day)
        for number, line in enumerate(lines[1:], 1)
        if not is_blank(line)
    ]
    width = _NUM_PARAMETERS if header is None else len(header)
    sound: list[MdrpRow] = []
    for row in rows:
        if len(row.cells) == width or (header is _ASSIGNMENTS and len(row.cells) > width):
            sound.append(row)
        else:
            key, given = f"row {row.number_in_file}", " ".join(row.cells)[:200]
            day.faults.append(Fault("input_mdrp_columns", file=str(path), key=key, given=given))
    if header is None and not rows:
        day.faults.append(Fault("input_mdrp_header", file=str(path), allowed="meters_per_minute ..."))
    return sound
