"""A Grubhub (MDRP) instance and the three solution files of one executed day → canonical delivered rows.

Decisions:

- Day 0 is 2018-01-01 00:00 in the given time zone; a file's minutes count from there.
- `event_id` = `<instance>:<order>`, `rider_id` = courier, `rider_kind` = dedicated (couriers work shifts), `city` =
  `mdrp-<city-day>` (the number an instance's name starts with; the whole name if it starts with none).
- `promised` = placement + target click-to-door. `accepted` = when the assignment that holds the order was made.
- `merchant_ready` = `merchant_promised_ready` = ready_time: it is known with the order, so it *is* the kitchen's
  promise, and it is kept. No merchant wait arises, however long the kitchen takes; a late promise is no wait.
- `arrived_store` = departure + travel time (rounded up to whole minutes) of the courier's last move into the
  restaurant that ends by the pickup; unknown if there is none.
- An order in no solution file was not delivered: no event, counted in a warning.

A malformed instance or solution is refused as a whole, all faults at once: half a day would score wrongly.
"""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pyarrow as pa

from api.files.canonical import with_place
from api.files.errors import InputError
from api.files.mdrp_tables import INSTANCE_FILES, SOLUTION_FILES, MdrpDay, MdrpDelivery, Point, read_mdrp_files
from api.files.reading_options import DEFAULT_READING, ReadingOptions
from rules.calendar import instant_us
from rules.errors import Fault
from rules.units import FEN_PER_YUAN, US_PER_S
from scoring.columns import EVENT_SCHEMA

US_PER_MIN: Final = 60 * US_PER_S
_DAY_ZERO: Final = dt.date(2018, 1, 1)
_CITY_DAY: Final = re.compile(r"(\d+)[a-z]")


@dataclass(frozen=True, slots=True)
class ExecutedDay:
    """One day's deliveries: `CANONICAL_SCHEMA` rows, warnings, and the files with their number of rows."""

    table: pa.Table
    warnings: tuple[Fault, ...]
    files: tuple[tuple[Path, int], ...]


def read_mdrp_day(paths: Sequence[Path], time_zone: str, reading: ReadingOptions = DEFAULT_READING) -> ExecutedDay:
    """Read `(INSTANCE_DIR, SOLUTION_DIR)`.

    Raises
    ------
    InputError
        If there are not two folders, or anything in their files is wrong; names every fault.
    """
    if len(paths) != 2:
        raise InputError(Fault("input_mdrp_paths", file="-", given=str(len(paths))))
    not_folders = [Fault("input_not_a_folder", file=str(path)) for path in paths if not path.is_dir()]
    if not_folders:
        raise InputError(*not_folders)
    instance, solution = paths
    zero_us = day_zero_us(time_zone)
    day = read_mdrp_files(instance, solution, reading)
    rows = [_event(day, delivery, zero_us) for delivery in day.deliveries]
    file = solution / SOLUTION_FILES[1]
    numbers = np.array([delivery.row for delivery in day.deliveries], np.int64)
    table = with_place(pa.Table.from_pylist(rows, schema=EVENT_SCHEMA), str(file), numbers)
    num_undelivered = len(day.orders) - len(day.deliveries)
    warnings: tuple[Fault, ...] = ()
    if num_undelivered:
        warning = Fault("input_not_delivered", file=str(file), given=str(num_undelivered), severity="warning")
        warnings = (warning,)
    named = [*(instance / name for name in INSTANCE_FILES), *(solution / name for name in SOLUTION_FILES)]
    return ExecutedDay(table, warnings, tuple((path, day.num_rows[path]) for path in named))


def day_zero_us(time_zone: str) -> int:
    """The instant at which 2018-01-01 begins in a time zone, in microseconds UTC."""
    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise InputError(Fault("input_time_zone", file="-", given=time_zone)) from error
    midnight = dt.datetime.combine(_DAY_ZERO, dt.time(), zone)
    return instant_us(midnight)


def city_of(instance_name: str) -> str:
    """The city-day an instance belongs to: `0o100t100s1p100` is of `mdrp-0`."""
    match = _CITY_DAY.match(instance_name)
    return f"mdrp-{match[1]}" if match else instance_name


def _event(day: MdrpDay, delivery: MdrpDelivery, zero_us: int) -> dict[str, object]:
    order = day.orders[delivery.order]
    arrived = _arrival(day, delivery)
    moments = {
        "occurred": delivery.dropoff_time,
        "placed": order.placement_time,
        "promised": order.placement_time + day.target_minutes,
        "accepted": day.assignment_times[delivery.order],
        "arrived_store": arrived,
        "merchant_ready": order.ready_time,
        "merchant_promised_ready": order.ready_time,
        "picked_up": delivery.pickup_time,
        "delivered": delivery.dropoff_time,
    }
    times = {f"{name}_us": None if at is None else zero_us + int(at * US_PER_MIN) for name, at in moments.items()}
    distance = _distance(day.restaurants[order.restaurant], order.place)
    return times | {
        "event_id": f"{day.name}:{delivery.order}",
        "rider_id": delivery.courier,
        "city": city_of(day.name),
        "rider_kind": "dedicated",
        "kind": "delivered",
        "order_id": delivery.order,
        "distance_m": int(distance.to_integral_value(ROUND_HALF_EVEN)),
        # The instance pays in a currency of 100 minor units; a minor unit counts as a fen.
        "fee_fen": int(day.pay_per_order * FEN_PER_YUAN),
    }


def _arrival(day: MdrpDay, delivery: MdrpDelivery) -> Decimal | None:
    """Minute at which the courier reached the restaurant for this pickup."""
    restaurant = day.orders[delivery.order].restaurant
    arrivals = []
    for move in day.moves.get(delivery.courier, ()):
        origin = day.place(move.origin, delivery.courier)
        if move.destination == restaurant and origin is not None:
            metres = _distance(origin, day.restaurants[restaurant])
            travel = (metres / day.metres_per_minute).to_integral_value(ROUND_CEILING)
            arrivals.append(move.departure_time + travel)
    return max((at for at in arrivals if at <= delivery.pickup_time), default=None)


def _distance(a: Point, b: Point) -> Decimal:
    return ((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2).sqrt()
