"""What one task reads of the inputs: a file, or some row groups of a large Parquet file, so that one file uses all cores.

Text is read whole: where a line begins in the middle of a file, only who has read all before it knows. Nor can a single
row group be split.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from rules.errors import Fault

# About so many rows are one task: enough to be worth one, few enough for all cores to end at once.
SLICE_ROWS: Final = 1 << 21
RowGroups = tuple[int, int]
_NO_GROUPS: Final = (0, 0)


@dataclass(frozen=True, slots=True)
class InputSlice:
    """A task of reading.

    Parameters
    ----------
    file
        Position among the inputs.
    groups
        Row groups from … to; None for a whole file; none of them where only the file's digest is made.
    row
        Rows of the file that come before.
    """

    file: int
    groups: RowGroups | None = None
    row: int = 0

    @property
    def has_rows(self) -> bool:
        """Whether rows are read, not only the digest."""
        return self.groups != _NO_GROUPS


def input_slices(files: Sequence[Path], slice_rows: int = SLICE_ROWS) -> tuple[InputSlice, ...]:
    """The tasks of reading files: digests of split files first, since each takes longest, then rows in order."""
    slices = [input_slice for k, path in enumerate(files) for input_slice in _slices_of(k, path, slice_rows)]
    return tuple(sorted(slices, key=lambda input_slice: input_slice.has_rows))


def _slices_of(file: int, path: Path, slice_rows: int) -> list[InputSlice]:
    rows = _rows_of_groups(path)
    slices, first, row = list[InputSlice](), 0, 0
    for group in range(len(rows)):
        rows_in_slice, rows_left = sum(rows[first : group + 1]), sum(rows[group + 1 :])
        if rows_in_slice >= slice_rows and rows_left >= slice_rows // 2:
            slices.append(InputSlice(file, (first, group + 1), row))
            first, row = group + 1, row + rows_in_slice
    if not slices:
        return [InputSlice(file)]
    return [InputSlice(file, _NO_GROUPS), *slices, InputSlice(file, (first, len(rows)), row)]


def _rows_of_groups(path: Path) -> list[int]:
    """Rows of each row group; nothing for text and for what turns out to be no Parquet."""
    try:
        if path.suffix.lower() == ".parquet":
            metadata = pq.read_metadata(path)
            return [metadata.row_group(k).num_rows for k in range(metadata.num_row_groups)]
    except (pa.ArrowException, OSError):
        pass  # who reads the file says what is wrong with it
    return []


def inputs_document(slices: Sequence[InputSlice], reports: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The files as `run.json` names them: path, digest and rows, each once."""
    inputs: dict[int, dict[str, Any]] = {}
    for input_slice, report in sorted(zip(slices, reports, strict=True), key=lambda pair: pair[0].file):
        entry = inputs.setdefault(input_slice.file, {"path": report["path"], "sha256": "", "rows": 0})
        entry["sha256"] = entry["sha256"] or report["sha256"]
        entry["rows"] += report["rows"]
    return list(inputs.values())


def slice_warnings(reports: Sequence[dict[str, Any]]) -> tuple[Fault, ...]:
    """What a person should know of the files, each thing once."""
    warnings = [
        {**fault, "params": tuple(map(tuple, fault["params"]))} for report in reports for fault in report["warnings"]
    ]
    return tuple(dict.fromkeys(Fault(**fault) for fault in warnings))
