"""Waybills of the TSL challenge (`all_waybill_info_meituan.csv`) → canonical rows.

One waybill is one offer of an order to a courier. Decisions:

- A refused waybill (`is_courier_grabbed` = 0) is no event: the rider never accepted, so nothing was reassigned
  from them. It is counted, not scored. So is a waybill that was grabbed but never arrived (`arrive_time` = 0).
- `promised` = `estimate_arrived_time`; `accepted` = `grab_time`; `picked_up` = `fetch_time`; `delivered` =
  `arrive_time`; `placed` = `platform_order_time`. 0 means that it did not happen.
- `merchant_promised_ready` = `estimate_meal_prepare_time`, unless it lies before the order was placed or more
  than a day after it: such a value is no promise.
- `rider_kind` is crowdsourced, `city` is `meituan-da-<da_id>` (the data hide the city behind delivery areas),
  the fee is unknown, the distance is the great circle from the shop to the customer.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from api.files.canonical import to_canonical
from api.files.column_names import misspelt_among
from api.files.columns import read_whole_numbers
from api.files.delimited import delimited_chunks, read_header
from api.files.errors import InputError
from api.files.id_checks import unsound_ids
from api.files.input_files import FileInspection, RawChunk
from api.files.reading_options import ALL_IDS_KNOWN, DEFAULT_READING, PrefixedIds, ReadingOptions
from api.files.rejects import Reject, RowFaults
from rules.errors import Fault
from rules.events import YEAR_2100_US
from rules.units import US_PER_DAY, US_PER_S
from scoring.columns import EVENT_SCHEMA

# Native time → column of the file.
_TIMES: Final = {
    "occurred_us": "arrive_time",
    "placed_us": "platform_order_time",
    "promised_us": "estimate_arrived_time",
    "accepted_us": "grab_time",
    "merchant_promised_ready_us": "estimate_meal_prepare_time",
    "picked_up_us": "fetch_time",
}
_IDS: Final = {"event_id": "waybill_id", "rider_id": "courier_id", "order_id": "order_id", "city": "da_id"}
_PREFIXES: Final = {"event_id": "waybill:", "city": "meituan-da-"}
_PLACES: Final = ("sender_lat", "sender_lng", "recipient_lat", "recipient_lng")
_REQUIRED: Final = (*_IDS.values(), "is_courier_grabbed", *_TIMES.values())
_KNOWN: Final = frozenset(_REQUIRED) | {
    "dt",
    "is_weekend",
    "is_prebook",
    "poi_id",
    "dispatch_time",
    "order_push_time",
    "grab_lat",
    "grab_lng",
    *_PLACES,
}
WAYBILL_COLUMNS: Final = _KNOWN
_EARTH_RADIUS_M: Final = 6_371_009
_COORDINATE_SCALE: Final = 1e6


def meituan_chunks(
    path: Path, inspection: FileInspection, reading: ReadingOptions = DEFAULT_READING
) -> Iterator[RawChunk]:
    """The columns of a waybill file that scoring needs, as text, chunk by chunk.

    Raises
    ------
    InputError
        If the file is no table or lacks one of these columns.
    """
    header = read_header(path, inspection, _KNOWN)
    there = {*header.names, *dict(inspection.folder)}
    missing = [name for name in _REQUIRED if name not in there]
    if missing:
        raise InputError(Fault("input_columns_missing", file=str(path), key=", ".join(missing)))
    # The published file has an index column without a name.
    unknown = frozenset(header.names) - _KNOWN - {""}
    wanted = {*_REQUIRED, *_PLACES}
    for chunk in delimited_chunks(path, inspection, header, wanted, trusts_quotes=reading.quotes_as_they_are):
        yield replace(chunk, unknown=unknown)


def misspelt_waybills(names: Collection[str]) -> dict[str, str]:
    """By name that is a near miss of a column that is not there: the one that was meant."""
    return misspelt_among(
        [name for name in names if name not in _KNOWN], [name for name in _PLACES if name not in names]
    )


def canonical_waybills(
    columns: pa.Table, file: str, rows: NDArray[np.int64], reading: ReadingOptions = DEFAULT_READING
) -> tuple[pa.Table, list[Reject], Mapping[str, int]]:
    """One chunk of waybills as delivered rows.

    Returns
    -------
    table
        `CANONICAL_SCHEMA`.
    rejects
        Bad rows, under the file's column names.
    left_out
        Refused and undelivered waybills.
    """
    marks = RowFaults(columns.num_rows)
    seconds = {name: _seconds(columns, name, marks) for name in _TIMES.values()}
    grabbed = _integers(columns, "is_courier_grabbed", marks)
    for name in (*_IDS.values(), "is_courier_grabbed"):
        marks.mark(columns[name].is_null().to_numpy(), name, "missing_value")
    _mark_ids(columns, reading, marks)
    good = marks.good
    rejects = marks.rejects(columns, file, rows)
    refused = good & (grabbed == 0)
    undelivered = good & ~refused & (seconds["arrive_time"] == 0)
    kept = good & ~refused & ~undelivered
    source = columns.filter(pa.array(kept))
    native = _native(source, {name: values[kept] for name, values in seconds.items()})
    # The ids were looked at as the file has them.
    table, native_rejects = to_canonical(native, file, rows[kept], replace(reading, known_ids=ALL_IDS_KNOWN))
    rejects += _under_file_names(native_rejects, source, rows[kept])
    left_out = {"input_refused_waybills": int(refused.sum()), "input_not_delivered": int(undelivered.sum())}
    return table, rejects, left_out


def _mark_ids(columns: pa.Table, reading: ReadingOptions, marks: RowFaults) -> None:
    """Ids under the file's names; whether one is known from before is asked under the name that it gets."""
    whole = {name: columns[name].combine_chunks() for name in _IDS.values()}
    for native, name in _IDS.items():
        known_ids = None if reading.known_ids is None else PrefixedIds(reading.known_ids, _PREFIXES.get(native, ""))
        reading_of_id = replace(reading, known_ids=known_ids)
        marks.mark(unsound_ids(whole[name], native, reading_of_id, lambda: whole["courier_id"]), name, "bad_id")


def _native(source: pa.Table, seconds: Mapping[str, NDArray[np.int64]]) -> pa.Table:
    num_rows = source.num_rows
    columns: dict[str, pa.Array] = {
        "event_id": pc.binary_join_element_wise(_PREFIXES["event_id"], source["waybill_id"], ""),
        "rider_id": source["courier_id"],
        "city": pc.binary_join_element_wise(_PREFIXES["city"], source["da_id"], ""),
        "rider_kind": pa.repeat("crowdsourced", num_rows),
        "kind": pa.repeat("delivered", num_rows),
        "order_id": source["order_id"],
        "distance_m": _distances(source),
    }
    for native_name, name in _TIMES.items():
        moments = seconds[name] * US_PER_S
        columns[native_name] = pa.array(moments, mask=seconds[name] == 0)
    placed, ready = seconds["platform_order_time"], seconds["estimate_meal_prepare_time"]
    is_promise = (ready >= placed) & (ready <= placed + US_PER_DAY // US_PER_S) & (ready > 0)
    columns["merchant_promised_ready_us"] = pa.array(ready * US_PER_S, mask=~is_promise)
    columns["delivered_us"] = columns["occurred_us"]
    return pa.table({name: columns[name] for name in EVENT_SCHEMA.names if name in columns})


def _under_file_names(native_rejects: list[Reject], source: pa.Table, rows: NDArray[np.int64]) -> list[Reject]:
    names = _TIMES | _IDS | {"distance_m": "recipient_lat", "delivered_us": "arrive_time"}
    renamed = []
    for reject in native_rejects:
        name = names.get(reject.column, reject.column)
        at = int(np.searchsorted(rows, reject.row))
        renamed.append(replace(reject, column=name, value=source[name][at].as_py() or ""))
    return renamed


def _seconds(columns: pa.Table, name: str, marks: RowFaults) -> NDArray[np.int64]:
    values = _integers(columns, name, marks)
    marks.mark((values < 0) | (values >= YEAR_2100_US // US_PER_S), name, "implausible_time")
    return np.where(marks.good, values, 0)


def _integers(columns: pa.Table, name: str, marks: RowFaults) -> NDArray[np.int64]:
    numbers = read_whole_numbers(columns[name].combine_chunks(), name, marks)
    values: NDArray[np.int64] = numbers.fill_null(0).to_numpy(zero_copy_only=False)
    return values


def _distances(source: pa.Table) -> pa.Array:
    """Great-circle metres from shop to customer, rounded; null where a coordinate is missing, 0 or no number."""
    if not set(_PLACES) <= set(source.column_names):
        return pa.nulls(source.num_rows, pa.int64())
    # A coordinate that cannot be read costs the distance, not the row: its marks are dropped.
    dropped = RowFaults(source.num_rows)
    degrees = [_integers(source, name, dropped) / _COORDINATE_SCALE for name in _PLACES]
    lat_a, lng_a, lat_b, lng_b = (np.radians(values) for values in degrees)
    half = np.sin((lat_b - lat_a) / 2) ** 2 + np.cos(lat_a) * np.cos(lat_b) * np.sin((lng_b - lng_a) / 2) ** 2
    metres = 2 * _EARTH_RADIUS_M * np.arcsin(np.sqrt(np.clip(half, 0, 1)))
    unknown = np.any([values == 0 for values in degrees], axis=0) | ~dropped.good
    return pa.array(np.rint(metres).astype(np.int64), mask=unknown)
