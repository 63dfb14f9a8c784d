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
UNIT_ROWS: Final = 1 << 21
Groups = tuple[int, int]
_NO_GROUPS: Final = (0, 0)


@dataclass(frozen=True, slots=True)
class Unit:
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
    groups: Groups | None = None
    row: int = 0

    @property
    def has_rows(self) -> bool:
        """Whether rows are read, not only the digest."""
        return self.groups != _NO_GROUPS


def units_of(files: Sequence[Path], unit_rows: int = UNIT_ROWS) -> tuple[Unit, ...]:
    """The tasks of reading files: digests of split files first, since each takes longest, then rows in order."""
    units = [unit for k, path in enumerate(files) for unit in _units_of(k, path, unit_rows)]
    return tuple(sorted(units, key=lambda unit: unit.has_rows))


def _units_of(file: int, path: Path, unit_rows: int) -> list[Unit]:
    rows = _rows_of_groups(path)
    found, first, row = list[Unit](), 0, 0
    for group in range(len(rows)):
        here, rest = sum(rows[first : group + 1]), sum(rows[group + 1 :])
        if here >= unit_rows and rest >= unit_rows // 2:
            found.append(Unit(file, (first, group + 1), row))
            first, row = group + 1, row + here
    if not found:
        return [Unit(file)]
    return [Unit(file, _NO_GROUPS), *found, Unit(file, (first, len(rows)), row)]


def _rows_of_groups(path: Path) -> list[int]:
    """Rows of each row group; nothing for text and for what turns out to be no Parquet."""
    try:
        if path.suffix.lower() == ".parquet":
            metadata = pq.read_metadata(path)
            return [metadata.row_group(k).num_rows for k in range(metadata.num_row_groups)]
    except (pa.ArrowException, OSError):
        pass  # who reads the file says what is wrong with it
    return []


def inputs_read(units: Sequence[Unit], reports: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The files as `run.json` names them: path, digest and rows, each once."""
    found: dict[int, dict[str, Any]] = {}
    for unit, report in sorted(zip(units, reports, strict=True), key=lambda pair: pair[0].file):
        own = found.setdefault(unit.file, {"path": report["path"], "sha256": "", "rows": 0})
        own["sha256"] = own["sha256"] or report["sha256"]
        own["rows"] += report["rows"]
    return list(found.values())


def warnings_of(reports: Sequence[dict[str, Any]]) -> tuple[Fault, ...]:
    """What a person should know of the files, each thing once."""
    found = [{**fault, "params": tuple(map(tuple, fault["params"]))} for one in reports for fault in one["warnings"]]
    return tuple(dict.fromkeys(Fault(**fault) for fault in found))
