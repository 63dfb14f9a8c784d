"""Inputs larger than memory → their rows by bucket of riders, unit by unit, and what was read of each file."""

import dataclasses
import heapq
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from api.files.atomic import write_json, write_ndjson
from api.files.input_files import inspect
from api.files.readers import FileReader
from api.files.rejects import Reject
from api.runs.plan import need_one_platform
from api.runs.run import Stopwatch
from api.runs.spill import write_spill
from api.runs.state_ids import with_state
from api.runs.work_folder import Lake
from scoring.columns import NO_TIME

# Text files do not say how many rows they hold.
_BYTES_PER_TEXT_ROW: Final = 150
_FILES_AT_ONCE: Final = 32


def num_rows_of(files: Sequence[Path]) -> int:
    """Rows of files: exact for Parquet, estimated for text and for what turns out to be no Parquet."""
    return sum(map(_num_rows, files))


def _num_rows(path: Path) -> int:
    try:
        if path.suffix.lower() == ".parquet":
            return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError):
        pass  # who reads the file says what is wrong with it
    return path.stat().st_size // _BYTES_PER_TEXT_ROW


def partition(lake: Lake, unit: int) -> None:
    """Read a unit and spill its rows by bucket."""
    own = lake.units[unit]
    if not own.has_rows:
        _digest(lake, unit)
        return
    watch = Stopwatch()
    file = FileReader(
        lake.files[own.file],
        lake.format,
        lake.names[own.file],
        own.groups,
        own.row,
        with_state(lake.reading, lake.state),
    )
    newest_us = NO_TIME
    rejects: list[Reject] = []

    def tables() -> Iterator[Any]:
        nonlocal newest_us
        for _, part in file.parts():
            rejects.extend(part.rejects)
            need_one_platform(lake.chosen, part.table)
            if lake.other is not None:
                need_one_platform(lake.other, part.table)
            if part.table.num_rows:
                newest_us = max(newest_us, int(part.table["occurred_us"].to_numpy().max()))
            yield part.table

    write_spill(lake.spill(unit), tables(), lake.num_buckets)
    write_ndjson(lake.rejects("units", unit), (reject.document() for reject in rejects))
    watch.lap("partition")
    write_json(
        lake.report("units", unit),
        {
            "path": str(file.input.path),
            "sha256": file.input.sha256,
            "rows": file.input.rows,
            "newest_us": newest_us,
            "rejected": Counter(reject.reason for reject in rejects),
            "warnings": [dataclasses.asdict(fault) for fault in file.warnings],
            "seconds": watch.seconds,
        },
    )


def _digest(lake: Lake, unit: int) -> None:
    """The digest of a file whose rows others read."""
    watch = Stopwatch()
    file = lake.units[unit].file
    sha256 = inspect(lake.files[file], is_text=False).sha256
    watch.lap("digest")
    nothing: dict[str, Any] = {"rows": 0, "newest_us": NO_TIME, "rejected": {}, "warnings": []}
    write_ndjson(lake.rejects("units", unit), [])
    path = str(lake.names[file])
    write_json(lake.report("units", unit), {"path": path, "sha256": sha256, **nothing, "seconds": watch.seconds})


def write_rejects(lake: Lake, path: Path) -> None:
    """Put the rejects of all steps into one file, by file and row."""
    of_file: defaultdict[str, defaultdict[int, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for k, unit in enumerate(lake.units):
        of_file[str(lake.names[unit.file])][unit.file].append(lake.rejects("units", k))
    read = chain.from_iterable(_merged(list(map(_lines, of_file[name].values()))) for name in sorted(of_file))
    scored = [lake.rejects("parts", bucket) for bucket in range(lake.num_buckets)]
    for step in count():
        if len(scored) <= _FILES_AT_ONCE:
            break
        both = lake.work / f"rejects-{step:05d}.ndjson"
        write_ndjson(both, _merged([_lines([one]) for one in scored[:_FILES_AT_ONCE]]))
        scored = [*scored[_FILES_AT_ONCE:], both]
    write_ndjson(path, _merged([read, *(_lines([one]) for one in scored)]))


def _merged(streams: Sequence[Iterable[dict[str, Any]]]) -> Iterable[dict[str, Any]]:
    return heapq.merge(*streams, key=lambda line: (line["file"], line["row"]))


def _lines(paths: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """Lines of files one after the other; no more than one of them is open."""
    for path in paths:
        if path.stat().st_size:
            with path.open(encoding="utf-8") as file:
                for line in file:
                    yield json.loads(line)
