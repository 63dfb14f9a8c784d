"""Real orders for the simulated city: a Grubhub instance folder or a `meituan` waybill file.

Nothing is judged here; what the columns mean is `simulations.real_day`.
"""

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from api.files.delimited import delimited_chunks, read_header
from api.files.errors import InputError
from api.files.input_files import inspect_file
from api.files.rejects import shorten
from dispatch.mdrp import InstanceError, read_instance
from rules.errors import Fault
from simulations.real_day import RealDay, from_instance, from_waybills

COLUMNS = (
    "is_courier_grabbed", "platform_order_time", "grab_time", "arrive_time", "estimate_arrived_time",
    "estimate_meal_prepare_time", "poi_id", "courier_id", "sender_lat", "sender_lng", "recipient_lat", "recipient_lng",
)  # fmt: skip
MEITUAN_ZONE = ZoneInfo("Asia/Shanghai")
DAY_S = 86_400


def read_real_orders(path: Path) -> RealDay:
    """The day of orders and couriers at `path`: a folder is an instance, a file holds waybills.

    Of a waybill file the day with most orders is taken.

    Raises
    ------
    InputError
        If the file is no table of whole numbers with these columns, or holds no order that could be delivered.
    InstanceError
        As of `read_instance`.
    """
    try:
        orders = from_instance(read_instance(path)) if path.is_dir() else _busiest_day(path)
    except InstanceError:
        raise
    except ValueError:
        # Nobody who cooks, or nobody who carries.
        raise InputError(Fault("input_given_empty", file=str(path))) from None
    if not orders.placed_s.size:
        raise InputError(Fault("input_given_empty", file=str(path)))
    return orders


def _busiest_day(path: Path) -> RealDay:
    waybills = _whole_numbers(path)
    placed_s = waybills["platform_order_time"]
    offset_s = int(
        (
            dt.datetime.fromtimestamp(int(placed_s.max(initial=0)), MEITUAN_ZONE).utcoffset() or dt.timedelta()
        ).total_seconds()
    )
    days = (placed_s[placed_s > 0] + offset_s - DAY_S // 6) // DAY_S
    if not days.size:
        raise InputError(Fault("input_columns_missing", file=str(path), key="platform_order_time"))
    busiest = int(np.bincount(days - days.min()).argmax() + days.min())
    return from_waybills(path.stem, waybills, busiest * DAY_S - offset_s)


def _whole_numbers(path: Path) -> dict[str, NDArray[np.int64]]:
    """The columns of a waybill file; an empty cell is 0."""
    inspection = inspect_file(path, is_text=True)
    header = read_header(path, inspection, COLUMNS)
    missing = [name for name in COLUMNS if name not in header.names]
    if missing:
        raise InputError(Fault("input_columns_missing", file=str(path), key=", ".join(missing)))
    chunks = list(delimited_chunks(path, inspection, header, COLUMNS))
    ragged = next((reject for chunk in chunks for reject in chunk.rejects), None)
    if ragged is not None:
        raise InputError(Fault("input_row_unreadable", file=str(path), given=str(ragged.row), key=ragged.value))
    table = pa.concat_tables([chunk.columns for chunk in chunks])
    rows = np.concatenate([chunk.rows for chunk in chunks])
    numbers = {}
    for name in COLUMNS:
        try:
            numbers[name] = table.column(name).cast(pa.int64()).fill_null(0).to_numpy()
        except pa.ArrowInvalid:
            at = _no_whole_number(table.column(name))
            place = {"row": str(rows[at]), "value": shorten(table.column(name)[at].as_py() or "")}
            fault = Fault("input_not_whole", file=str(path), key=name, params=tuple(place.items()))
            raise InputError(fault) from None
    return numbers


def _no_whole_number(column: pa.ChunkedArray) -> int:
    """Where the first value stands that is no whole number of 64 bits."""
    for at, value in enumerate(column):
        try:
            value.cast(pa.int64())
        except pa.ArrowInvalid:
            return at
    return 0
