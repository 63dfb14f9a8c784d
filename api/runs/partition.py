"""Inputs larger than memory → their rows by bucket of riders, slice by slice, and what was read of each file."""

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
from api.files.input_files import inspect_file
from api.files.readers import FileReader
from api.files.rejects import Reject
from api.runs.plan import check_one_platform
from api.runs.run import Stopwatch
from api.runs.spill import write_spill
from api.runs.state_ids import with_state_ids
from api.runs.work_folder import BucketedRun
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


def partition_slice(run: BucketedRun, slice_idx: int) -> None:
    """Read a slice and spill its rows by bucket."""
    input_slice = run.slices[slice_idx]
    if not input_slice.has_rows:
        _digest(run, slice_idx)
        return
    watch = Stopwatch()
    file = FileReader(
        run.files[input_slice.file],
        run.format,
        run.names[input_slice.file],
        input_slice.groups,
        input_slice.row,
        with_state_ids(run.reading, run.state),
    )
    newest_us = NO_TIME
    rejects: list[Reject] = []

    def tables() -> Iterator[Any]:
        nonlocal newest_us
        for _, part in file.parts():
            rejects.extend(part.rejects)
            check_one_platform(run.chosen, part.table)
            if run.other is not None:
                check_one_platform(run.other, part.table)
            if part.table.num_rows:
                newest_us = max(newest_us, int(part.table["occurred_us"].to_numpy().max()))
            yield part.table

    write_spill(run.spill(slice_idx), tables(), run.num_buckets)
    write_ndjson(run.rejects("slices", slice_idx), (reject.document() for reject in rejects))
    watch.lap("partition")
    write_json(
        run.report("slices", slice_idx),
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


def _digest(run: BucketedRun, slice_idx: int) -> None:
    """The digest of a file whose rows others read."""
    watch = Stopwatch()
    file = run.slices[slice_idx].file
    sha256 = inspect_file(run.files[file], is_text=False).sha256
    watch.lap("digest")
    nothing: dict[str, Any] = {"rows": 0, "newest_us": NO_TIME, "rejected": {}, "warnings": []}
    write_ndjson(run.rejects("slices", slice_idx), [])
    path = str(run.names[file])
    write_json(run.report("slices", slice_idx), {"path": path, "sha256": sha256, **nothing, "seconds": watch.seconds})


def write_rejects(run: BucketedRun, path: Path) -> None:
    """Put the rejects of all steps into one file, by file and row."""
    of_file: defaultdict[str, defaultdict[int, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for k, input_slice in enumerate(run.slices):
        of_file[str(run.names[input_slice.file])][input_slice.file].append(run.rejects("slices", k))
    read = chain.from_iterable(_merged(list(map(_lines, of_file[name].values()))) for name in sorted(of_file))
    scored = [run.rejects("parts", bucket) for bucket in range(run.num_buckets)]
    for step in count():
        if len(scored) <= _FILES_AT_ONCE:
            break
        merged_path = run.work / f"rejects-{step:05d}.ndjson"
        write_ndjson(merged_path, _merged([_lines([scored_path]) for scored_path in scored[:_FILES_AT_ONCE]]))
        scored = [*scored[_FILES_AT_ONCE:], merged_path]
    write_ndjson(path, _merged([read, *(_lines([scored_path]) for scored_path in scored)]))


def _merged(streams: Sequence[Iterable[dict[str, Any]]]) -> Iterable[dict[str, Any]]:
    return heapq.merge(*streams, key=lambda line: (line["file"], line["row"]))


def _lines(paths: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """Lines of files one after the other; no more than one of them is open."""
    for path in paths:
        if path.stat().st_size:
            with path.open(encoding="utf-8") as file:
                for line in file:
                    yield json.loads(line)
