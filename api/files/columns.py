"""One column of a file → one canonical column, vectorised; rows that cannot be read are marked, not raised.

Only what the vectorised reading refuses is read again value by value, exactly. No float takes part.
"""

import datetime as dt
import math
import re
from collections.abc import Callable
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from api.files.rejects import RowFaults
from rules.calendar import instant_us, read_moment
from rules.events import REPORT_KINDS, YEAR_2000_US, YEAR_2100_US, Field
from rules.ids import id_fault
from rules.units import US_PER_S

TEXT_LENGTH_MAX: Final = 200
_SLOW_ROWS: Final = 64
_INT64: Final = range(-(2**63), 2**63)
_INTEGER: Final = re.compile(r"([+-]?[0-9]{1,40})(?:\.0+)?")
_UNSOUND_TEXT: Final = r"[\p{Cc}\x{FFFD}]"

Mask = NDArray[np.bool_]


def read_id(source: pa.Array, name: str, marks: RowFaults) -> pa.Array:
    """An id as text, plain or as a dictionary; empty is null. Whether it is sound is `api.files.id_checks`'s.

    Numbers that a column of floats holds are shown as they stand there.
    """
    if pa.types.is_floating(source.type):
        shown = [None if value is None else str(value) for value in source.to_pylist()]
        no_id = [value is not None and id_fault(value) is None for value in shown]
        marks.mark(np.array(no_id, np.bool_), name, "wrong_type")
        return pa.array(shown, pa.string())
    source = _as_text(_shown(source), name, marks)
    if name == "city" and not pa.types.is_dictionary(source.type):
        source = source.dictionary_encode()
    if not pa.types.is_dictionary(source.type):
        return _without_empty(source)
    return pa.DictionaryArray.from_arrays(source.indices, _without_empty(source.dictionary))


def _shown(source: pa.Array) -> pa.Array:
    """UUIDs, decimals and bytes of a fixed length as the text that they show."""
    kind = source.type
    if isinstance(kind, pa.UuidType):
        return pa.array([None if value is None else str(value) for value in source.to_pylist()], pa.string())
    if pa.types.is_decimal(kind):
        return pa.array([None if value is None else f"{value:f}" for value in source.to_pylist()], pa.string())
    if pa.types.is_fixed_size_binary(kind):
        return pa.array([None if value is None else _letters(value) for value in source.to_pylist()], pa.string())
    return source


def _letters(value: bytes) -> str:
    """Bytes of a fixed length: their text without what fills them up, else their hexadecimal digits."""
    try:
        shown = value.rstrip(b"\0 ").decode()
    except UnicodeDecodeError:
        return value.hex()
    return shown if shown.isprintable() else value.hex()


def read_text(source: pa.Array, name: str, field: Field, marks: RowFaults) -> pa.Array:
    """Text (names from a closed set) as `pa.string()`; empty is null.

    Dictionary columns and closed sets are checked once per distinct value.
    """
    source = _as_text(source, name, marks)
    if field.choices:
        source = source.dictionary_encode() if not pa.types.is_dictionary(source.type) else source
    if not pa.types.is_dictionary(source.type):
        source = _without_empty(source)
        for mask, reason in _text_faults(source):
            marks.mark(mask, name, reason)
        return source
    values = _without_empty(source.dictionary)
    codes = value_codes(source)
    for mask, reason in _text_faults(values):
        marks.mark(per_row(mask, codes), name, reason)
    if field.choices:
        unknown = ~_bools(pc.is_in(values, pa.array(field.choices)), fill=False) & _bools(pc.is_valid(values))
        marks.mark(per_row(unknown, codes), name, "unknown_name")
    return values.take(source.indices)


def read_reports(source: pa.Array, name: str, marks: RowFaults) -> pa.Array:
    """A `;`-separated list of report kinds (or a list column) as known names.

    Each stands once, in the order of `REPORT_KINDS`.
    """
    if pa.types.is_list(source.type) or pa.types.is_large_list(source.type):
        if not _is_text(source.type.value_type):
            marks.mark(_bools(pc.is_valid(source)), name, "wrong_type")
            return pa.nulls(len(source), pa.string())
        source = pc.binary_join(source.cast(pa.list_(pa.string())), ";")
    source = _as_text(source, name, marks)
    source = source if pa.types.is_dictionary(source.type) else source.dictionary_encode()
    known: list[str | None] = []
    unknown: list[bool] = []
    for value in source.dictionary.to_pylist():
        names = {part.strip() for part in (value or "").split(";")} - {""}
        unknown.append(not names <= set(REPORT_KINDS))
        known.append(";".join(kind for kind in REPORT_KINDS if kind in names) or None)
    marks.mark(per_row(np.array(unknown, np.bool_), value_codes(source)), name, "unknown_report")
    return pa.array(known, pa.string()).take(source.indices)


def read_int(source: pa.Array, name: str, field: Field, marks: RowFaults) -> pa.Array:
    """Whole numbers from 0 to the field's `high` as int64; `12.0` is 12, `12.5` is marked."""
    numbers = read_whole_numbers(source, name, marks)
    _mark_outside(numbers, (0, field.high), name, "out_of_range", marks)
    return numbers


def read_time_at(source: pa.Array, name: str, marks: RowFaults, zone: str = "") -> pa.Array:
    """Instants as microseconds UTC, from ISO-8601 text with an offset or timestamps with a time zone.

    Those without one are of `zone`, if it is named. Parts of a microsecond are cut off.
    """
    if pa.types.is_timestamp(source.type):
        return _plausible(_timestamps(source, name, marks, zone), name, marks)
    if pa.types.is_null(source.type):
        return pa.nulls(len(source), pa.int64())
    if not _is_text(source.type):
        marks.mark(_bools(pc.is_valid(source)), name, "bad_time")
        return pa.nulls(len(source), pa.int64())
    written = _without_empty(_plain(_as_text(source, name, marks)))
    reasons: dict[int, str] = {}
    local = LocalZone(zone) if zone else None
    times = _in_halves(
        written, lambda part: _iso_times(part, zone), lambda at, value: _iso_time(value, at, reasons, local)
    )
    _mark_slow(reasons, len(source), name, marks, zone)
    return _plausible(times, name, marks)


def read_time_us(source: pa.Array, name: str, marks: RowFaults, zone: str = "") -> pa.Array:
    """Instants given as whole microseconds UTC."""
    if pa.types.is_timestamp(source.type):
        return _plausible(_timestamps(source, name, marks, zone), name, marks)
    return _plausible(read_whole_numbers(source, name, marks), name, marks)


def read_whole_numbers(source: pa.Array, name: str, marks: RowFaults) -> pa.Array:
    """Whole numbers of any sign as int64, from integers, text, or floats and decimals that are whole."""
    if pa.types.is_null(source.type):
        return pa.nulls(len(source), pa.int64())
    if pa.types.is_integer(source.type) and source.type != pa.uint64():
        return source.cast(pa.int64())
    if _is_text(source.type):
        written = _without_empty(_plain(_as_text(source, name, marks)))
    elif pa.types.is_integer(source.type):
        written = source.cast(pa.string())
    elif pa.types.is_floating(source.type) or pa.types.is_decimal(source.type):
        # Whole numbers in a column with gaps are often stored as floats; below 2**53 these are exact.
        written = pa.array([_whole(value) for value in source.to_pylist()], pa.string())
    else:
        marks.mark(_bools(pc.is_valid(source)), name, "wrong_type")
        return pa.nulls(len(source), pa.int64())
    reasons: dict[int, str] = {}
    numbers = _in_halves(written, _decimal_integers, lambda at, value: _integer(value, at, reasons))
    _mark_slow(reasons, len(source), name, marks)
    return numbers


def _plausible(times: pa.Array, name: str, marks: RowFaults) -> pa.Array:
    _mark_outside(times, (YEAR_2000_US, YEAR_2100_US - 1), name, "implausible_time", marks)
    return times


def _mark_outside(numbers: pa.Array, bounds: tuple[int, int], name: str, reason: str, marks: RowFaults) -> None:
    lowest, highest = bounds
    bounds_found = pc.min_max(numbers).as_py()
    if bounds_found["min"] is None or (bounds_found["min"] >= lowest and bounds_found["max"] <= highest):
        return
    values = _ints(numbers)
    marks.mark(_bools(pc.is_valid(numbers)) & ((values < lowest) | (values > highest)), name, reason)


def _timestamps(source: pa.Array, name: str, marks: RowFaults, zone: str = "") -> pa.Array:
    if source.type.tz is None and zone:
        source = _in_zone(source, name, marks, zone)
    elif source.type.tz is None:
        marks.mark(_bools(pc.is_valid(source)), name, "naive_time")
        return pa.nulls(len(source), pa.int64())
    try:
        return source.cast(pa.timestamp("us", "UTC"), safe=source.type.unit != "ns").cast(pa.int64())
    except pa.ArrowInvalid:
        # Seconds or milliseconds so far away that microseconds overflow.
        limit = YEAR_2100_US // (US_PER_S if source.type.unit == "s" else 1_000)
        written = source.cast(pa.int64())
        far = (_ints(written) < 0) | (_ints(written) >= limit)
        marks.mark(_bools(pc.is_valid(source)) & far, name, "implausible_time")
        return _timestamps(pc.if_else(pa.array(far), pa.scalar(None, source.type), source), name, marks)


def _in_zone(source: pa.Array, name: str, marks: RowFaults, zone: str) -> pa.Array:
    """Timestamps without a zone as those of a zone; what it skips or has twice is marked."""
    first, last = (
        pc.assume_timezone(source, zone, ambiguous=which, nonexistent=which) for which in ("earliest", "latest")
    )
    differ = _bools(pc.not_equal(first, last), fill=False)
    if not differ.any():
        return first
    # Two instants that show the same local time are one hour that comes twice; else no clock showed it.
    again = _bools(pc.equal(pc.local_timestamp(last), source), fill=False)
    marks.mark(differ & again, name, "repeated_time", zone)
    marks.mark(differ & ~again, name, "skipped_time", zone)
    return pc.if_else(pa.array(differ), pa.scalar(None, first.type), first)


def _iso_times(written: pa.Array, zone: str) -> pa.Array:
    try:
        return written.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    except pa.ArrowInvalid:
        if not zone:
            raise
        return pc.assume_timezone(written.cast(pa.timestamp("us")), zone).cast(pa.int64())


class LocalZone:
    """Local times of a time zone; the one of a kind that is not there, or there twice, is told by its reason."""

    def __init__(self, name: str) -> None:
        self._zone = ZoneInfo(name)

    def instant(self, local: dt.datetime) -> dt.datetime | str:
        """The moment at which clocks show this, or why there is none (a reason of `api.files.rejects`)."""
        first, last = (local.replace(tzinfo=self._zone, fold=fold) for fold in (0, 1))
        if first.utcoffset() == last.utcoffset():
            return first
        # Where clocks are put forward, none shows the time: it comes back as another one.
        shown = first.astimezone(dt.UTC).astimezone(self._zone).replace(tzinfo=None)
        return "repeated_time" if shown == local else "skipped_time"


def _iso_time(value: str, at: int, reasons: dict[int, str], zone: LocalZone | None) -> int | None:
    try:
        moment = read_moment(value)
        instant = moment if moment.tzinfo is not None or zone is None else zone.instant(moment)
        if isinstance(instant, dt.datetime) and instant.tzinfo is not None:
            return instant_us(instant)
    except (ValueError, OverflowError):
        reasons[at] = "bad_time"
        return None
    reasons[at] = "naive_time" if isinstance(instant, dt.datetime) else instant
    return None


def _whole(value: object) -> str | None:
    if not isinstance(value, float):
        return None if value is None else str(value)
    if math.isnan(value):  # how pandas writes a gap
        return None
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else str(value)


def _decimal_integers(written: pa.Array) -> pa.Array:
    if pc.any(pc.match_substring(written, "x", ignore_case=True)).as_py():
        raise pa.ArrowInvalid("Arrow would read 0x10 as 16")
    return written.cast(pa.int64())


def _integer(value: str, at: int, reasons: dict[int, str]) -> int | None:
    match = _INTEGER.fullmatch(value)
    if match is None:
        reasons[at] = "bad_integer"
        return None
    number = int(match[1])
    if number not in _INT64:
        reasons[at] = "out_of_range"
        return None
    return number


def _in_halves(
    written: pa.Array, fast: Callable[[pa.Array], pa.Array], slow: Callable[[int, str], int | None]
) -> pa.Array:
    """`fast` over the whole; where it refuses, over halves, down to a few rows that `slow` reads one by one."""
    parts: list[pa.Array] = []
    spans = [(0, len(written))]
    while spans:
        start, stop = spans.pop()
        part = written.slice(start, stop - start)
        try:
            parts.append(fast(part))
        except pa.ArrowInvalid:
            if stop - start > _SLOW_ROWS:
                middle = (start + stop) // 2
                spans += [(middle, stop), (start, middle)]
                continue
            values = part.to_pylist()
            read = [None if value is None else slow(start + i, value) for i, value in enumerate(values)]
            parts.append(pa.array(read, pa.int64()))
    return pa.concat_arrays(parts) if parts else pa.array([], pa.int64())


def _mark_slow(reasons: dict[int, str], num_rows: int, name: str, marks: RowFaults, hint: str = "") -> None:
    for reason in sorted(set(reasons.values())):
        mask = np.zeros(num_rows, np.bool_)
        mask[[at for at, row_reason in reasons.items() if row_reason == reason]] = True
        marks.mark(mask, name, reason, hint)


def _as_text(source: pa.Array, name: str, marks: RowFaults) -> pa.Array:
    """`source` as `string` or `dictionary<int32, string>` of sound UTF-8; what is not text is marked and null."""
    kind = source.type
    if pa.types.is_dictionary(kind):
        if not _is_text(kind.value_type):
            return _as_text(source.cast(kind.value_type), name, marks)
        values = source.dictionary.cast(pa.string())
        if not _is_sound(values):
            return _decoded(source.cast(pa.string()), name, marks)
        return pa.DictionaryArray.from_arrays(source.indices.cast(pa.int32()), values)
    if pa.types.is_integer(kind) or pa.types.is_null(kind) or _is_text(kind):
        plain = source if kind == pa.string() else source.cast(pa.string())
        return plain if _is_sound(plain) else _decoded(plain, name, marks)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return _decoded(source, name, marks)
    marks.mark(_bools(pc.is_valid(source)), name, "wrong_type")
    return pa.nulls(len(source), pa.string())


def _decoded(source: pa.Array, name: str, marks: RowFaults) -> pa.Array:
    values: list[str | None] = []
    broken = np.zeros(len(source), np.bool_)
    for at, value in enumerate(source.cast(pa.binary()).to_pylist()):
        try:
            values.append(None if value is None else value.decode())
        except UnicodeDecodeError:
            broken[at] = True
            values.append(None)
    marks.mark(broken, name, "broken_text")
    return pa.array(values, pa.string())


def _is_sound(values: pa.Array) -> bool:
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _plain(source: pa.Array) -> pa.Array:
    return source.cast(source.type.value_type) if pa.types.is_dictionary(source.type) else source


def _without_empty(values: pa.Array) -> pa.Array:
    empty = pc.equal(values, "")
    return pc.if_else(empty, pa.scalar(None, pa.string()), values) if pc.any(empty).as_py() else values


def _text_faults(values: pa.Array) -> list[tuple[Mask, str]]:
    """Masks over `values` with the reason; the regular expression runs only where a byte calls for it."""
    faults = []
    lengths = pc.binary_length(values)
    if (pc.max(lengths).as_py() or 0) > TEXT_LENGTH_MAX:
        faults.append((_bools(pc.greater(pc.utf8_length(values), TEXT_LENGTH_MAX), fill=False), "too_long"))
    letters = _bytes(values)
    if ((letters < 0x20) | (letters >= 0x7F)).any():
        unsound = pc.match_substring_regex(values, _UNSOUND_TEXT)
        faults.append((_bools(unsound, fill=False), "control_character"))
    return faults


def _bytes(values: pa.Array) -> NDArray[np.uint8]:
    _, offsets, data = values.buffers()
    if data is None or len(values) == 0:
        return np.empty(0, np.uint8)
    bounds = np.frombuffer(offsets, np.int32, len(values) + 1, values.offset * 4)
    return np.frombuffer(data, np.uint8)[bounds[0] : bounds[-1]]


def value_codes(source: pa.Array) -> NDArray[np.int32]:
    """Codes of a dictionary column, −1 for null."""
    codes: NDArray[np.int32] = _filled(source.indices, -1).to_numpy(zero_copy_only=False)
    return codes


def per_row(mask: Mask, codes: NDArray[np.int32]) -> Mask:
    """A mask over the values of a dictionary as one over rows; `codes` are −1 where there is no value."""
    # Code −1 (no value) picks the False appended at the end.
    return np.append(mask, False)[codes]


def _bools(values: pa.Array, *, fill: bool | None = None) -> Mask:
    filled = values if fill is None or not values.null_count else values.fill_null(fill)
    mask: Mask = filled.to_numpy(zero_copy_only=False)
    return mask


def _ints(values: pa.Array) -> NDArray[np.int64]:
    numbers: NDArray[np.int64] = _filled(values, 0).to_numpy(zero_copy_only=False)
    return numbers


def _filled(values: pa.Array, value: int) -> pa.Array:
    return values.fill_null(value) if values.null_count else values
