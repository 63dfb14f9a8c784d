"""Ids of a column that do not name what they seem to name (`rules.ids`).

Most ids are short and plain; one pass over their bytes finds the few that are worth a regular expression.
"""

from collections.abc import Callable, Collection
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from api.files.columns import per_row, value_codes
from api.files.reading_options import ReadingOptions, RiderAndId
from rules.compiled import compiled_with_runtime
from rules.ids import ID_LENGTH_MAX, NO_ID, UNSOUND_ID

ID_FIELDS: Final = frozenset({"event_id", "rider_id", "order_id", "ref_event_id", "city"})
Mask = NDArray[np.bool_]


def unsound_ids(source: pa.Array, name: str, reading: ReadingOptions, riders: Callable[[], pa.Array]) -> Mask:
    """Which rows hold no id.

    Parameters
    ----------
    source
        Text, plain or as a dictionary.
    riders
        The rider id of each row, asked for where an id may be known from before.
    """
    if pa.types.is_dictionary(source.type):
        mask = per_row(_unsound(source.dictionary, reading), value_codes(source))
    else:
        mask = _unsound(source, reading)
    if reading.known_ids is not None and mask.any():
        at = np.flatnonzero(mask)
        positions = pa.array(at)
        values = source.take(positions).cast(pa.string()).to_pylist()
        owners = values if name == "rider_id" else riders().take(positions).cast(pa.string()).to_pylist()
        mask[at] = ~_held(reading, name, list(zip(owners, values, strict=True)))
    return mask


def _held(reading: ReadingOptions, name: str, named: list[tuple[str | None, str]]) -> Mask:
    wanted: Collection[RiderAndId] = {(rider, value) for rider, value in named if rider is not None}
    known = set() if reading.known_ids is None else set(reading.known_ids.filter_known(name, wanted))
    return np.array([rider_and_id in known for rider_and_id in named], np.bool_)


def _unsound(values: pa.Array, reading: ReadingOptions) -> Mask:
    """Which of some distinct or plain texts are no ids."""
    mask = np.zeros(len(values), np.bool_)
    _, offsets, data = values.buffers()
    if data is None or not len(values):
        return mask
    bounds = np.frombuffer(offsets, np.int32, len(values) + 1, values.offset * 4)
    _note_doubtful(bounds, np.frombuffer(data, np.uint8), mask)
    at = np.flatnonzero(mask)
    if not at.size:
        return mask
    doubtful = values.take(pa.array(at))
    long = pc.greater(pc.utf8_length(doubtful), ID_LENGTH_MAX)
    pattern = NO_ID if reading.ids_as_they_are else UNSOUND_ID
    unsound = pc.or_(long, pc.match_substring_regex(doubtful, pattern))
    mask[at] = unsound.fill_null(False).to_numpy(zero_copy_only=False)
    return mask


@compiled_with_runtime(rows=2)
def _note_doubtful(bounds: Any, letters: Any, out: Any) -> None:
    """Mark texts that may be no ids: whatever is not marked is one."""
    for i in range(out.size):
        first, stop = bounds[i], bounds[i + 1]
        length = stop - first
        if length == 0:
            continue
        begin, end = letters[first], letters[stop - 1]
        if length > ID_LENGTH_MAX or begin <= 32 or end <= 32:
            out[i] = True
            continue
        # n or N: a word for no value.
        doubtful = length <= 4 and (begin | 32) == 110
        # A digit at the end and a point or comma in it: a number that a spreadsheet wrote.
        number = 48 <= end <= 57
        # r or a, and a colon in it: a reserved prefix.
        reserved = begin in (114, 97)
        for at in range(first, stop):
            letter = letters[at]
            if letter < 32 or letter >= 127:
                doubtful = True
                break
            if (number and letter in (46, 44)) or (reserved and letter == 58):
                doubtful = True
                break
        out[i] = doubtful
