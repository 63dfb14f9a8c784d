"""Inputs larger than memory: scored bucket by bucket of riders, on all cores, resumable after a kill.

files (units) → rows by bucket, spilled → each bucket scored as a run of its own → parts of the ledger → the directory, at once

What is done stands in a work folder beside the output: a spill or a part is there whole or not at all, and a run that
was killed goes on from there. Rows of one rider meet in one bucket, so the lines are those of one run over everything.
"""

import dataclasses
import heapq
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from api.batch.engines import Engine, EngineName, engine
from api.batch.errors import InputError
from api.batch.files import STATE_MARKER, atomic_folder, check_places, write_json, write_ndjson, write_parquet
from api.batch.plan import Plan, deployment_named, plan
from api.batch.readers import FileReader, Format, event_files
from api.batch.rejects import Reject, place_of, rejects_of_rows
from api.batch.run import Progress, Stopwatch, no_progress, write_books
from api.batch.spill import read_bucket, write_spill
from api.batch.statefiles import load_state, open_state, reach_back, save_state
from rules.errors import Fault
from scoring.columns import NO_TIME
from scoring.intake import REASONS
from scoring.ledger import RANDOM, UNIQUE, entries_table, riders_table
from scoring.score import score

# Runs of fewer rows are scored in one piece, in memory, into single files.
IN_MEMORY_ROWS: Final = 4_000_000
# About 1 kB of memory a row while a bucket is scored.
BUCKET_ROWS: Final = 1_500_000
# Text files do not say how many rows they hold.
_BYTES_PER_TEXT_ROW: Final = 150
_ENTRIES, _RIDERS, _REJECTS = "entries.parquet", "riders.parquet", "rejects.ndjson"


@dataclass(frozen=True, slots=True)
class LakeRun:
    """What a run did: its `run.json`, and what a person should know."""

    document: dict[str, Any]
    warnings: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class Lake:
    """A run to be done, as every worker needs it.

    Parameters
    ----------
    work
        Folder of what is done so far.
    files, names
        Where the inputs are, and how the person called them.
    num_buckets
        Into how many parts riders are split.
    as_of_us
        Up to when fades and resets are written; None for the newest event.
    state
        Folder of a carried state, one state folder per bucket below it; None to carry nothing.
    command, other
        What is done with each bucket; the second book where two are compared.
    """

    work: Path
    files: tuple[Path, ...]
    names: tuple[Path, ...]
    format: Format
    chosen: Plan
    num_buckets: int
    as_of_us: int | None
    state: Path | None
    command: str = "score"
    other: Plan | None = None

    def spill(self, unit: int) -> Path:
        """Rows of a file by bucket."""
        return self.work / "spills" / f"{unit:05d}.arrow"

    def report(self, stage: str, number: int) -> Path:
        """What a finished step says of itself; written last."""
        return self.work / stage / f"{number:05d}.json"

    def rejects(self, stage: str, number: int) -> Path:
        """Rows that a step left out."""
        return self.work / stage / f"{number:05d}.ndjson"

    def part(self, name: str, bucket: int) -> Path:
        """One bucket's share of a ledger file."""
        return self.work / name / f"part-{bucket:05d}.parquet"


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


def bucket_folder(state: Path, bucket: int) -> Path:
    """One bucket's state in a state folder."""
    return state / f"bucket-{bucket:05d}"


def is_lake(paths: Sequence[Path], format: Format, state: Path | None) -> bool:
    """Whether a run is scored by buckets: more rows than fit into memory at once, or a state that is kept by buckets.

    A state in one piece goes on in one piece.
    """
    if format == "mdrp":
        return False
    if state is not None and (state / STATE_MARKER).exists():
        return buckets_of_state(state) is not None
    return num_rows_of(event_files(paths, format)) > IN_MEMORY_ROWS


def score_lake(
    paths: Sequence[Path],
    reference: str,
    out: Path,
    *,
    format: Format = "native",
    state: Path | None = None,
    as_of_us: int | None = None,
    bucket_rows: int = BUCKET_ROWS,
    engine_name: EngineName = "local",
    num_workers: int | None = None,
    address: str | None = None,
    progress: Progress = no_progress,
) -> LakeRun:
    """Score files of any size into a ledger directory whose Parquet files are folders of parts.

    Parameters
    ----------
    bucket_rows
        About how many rows are in memory at once, per worker.
    engine_name, num_workers, address
        Where the work is done, as `api.batch.engines.engine` takes it; all workers must see the same files.

    Raises
    ------
    BookError, InputError
        If the books, the files or the places to write to cannot be used; nothing is written then.
    """
    watch = Stopwatch()
    check_places(paths, out, state)
    files = event_files(paths, format)
    num_buckets = None if state is None else buckets_of_state(state)
    if num_buckets is None:
        num_buckets = max(1, -(-num_rows_of(files) // bucket_rows))
    stored = None if state is None else open_state(bucket_folder(state, 0))
    chosen = plan(reference, () if stored is None else stored.books)
    work = out.absolute().parent / f".{out.name}.work"
    places = tuple(file.absolute() for file in files)
    kept = None if state is None else state.absolute()
    lake = Lake(work, places, files, format, chosen, num_buckets, as_of_us, kept)
    open_work(lake)
    watch.lap("books")
    with engine(engine_name, num_workers, address) as run:
        units = stage_done(run, partition, lake, "units", len(files), lambda done, total: progress("read", done, total))
        watch.lap("partition")
        newest_us = max([unit["newest_us"] for unit in units] + [_until_us(lake)])
        final = dataclasses.replace(lake, as_of_us=newest_us if as_of_us is None else as_of_us)
        parts = stage_done(run, _score, final, "parts", num_buckets, lambda done, total: progress("score", done, total))
        watch.lap("score")
    document = _describe(final, units, parts)
    with atomic_folder(out) as folder:
        _assemble(final, folder)
        watch.lap("write")
        document["seconds"] = watch.seconds | {"workers": seconds_of(units, parts)}
        write_json(folder / "run.json", document)
    if state is not None:
        _assemble_state(final, state)
    shutil.rmtree(work)
    return LakeRun(document, tuple(Fault(**fault) for unit in units for fault in unit["warnings"]))


def open_work(lake: Lake) -> None:
    """Make the work folder, or go on in one of the very same run; that of another run is thrown away."""
    stats = [path.stat() for path in lake.files]
    plans = [lake.chosen] if lake.other is None else [lake.chosen, lake.other]
    same = {
        "version": version("riderscore"),
        "inputs": [[str(path), stat.st_size, stat.st_mtime_ns] for path, stat in zip(lake.files, stats, strict=True)],
        "command": lake.command,
        "books": [[book.digest for book in chosen.program.books] for chosen in plans],
        "references": [[chosen.reference, chosen.deployment] for chosen in plans],
        "format": lake.format,
        "as_of_us": lake.as_of_us,
        "num_buckets": lake.num_buckets,
        "state": None if lake.state is None else [str(lake.state), _until_us(lake)],
    }
    header = lake.work / "work.json"
    if header.exists() and json.loads(header.read_text(encoding="utf-8")) == same:
        return
    shutil.rmtree(lake.work, ignore_errors=True)
    lake.work.mkdir(parents=True)
    write_json(header, same)


def stage_done(
    run: Engine,
    step: Callable[[Lake, int], None],
    lake: Lake,
    stage: str,
    number: int,
    tell: Callable[[int, int], None],
) -> list[dict[str, Any]]:
    """Do what is not done of a stage; the reports of all of it.

    Raises
    ------
    InputError
        With the faults of every file that cannot be read.
    """
    open_ = [k for k in range(number) if not lake.report(stage, k).exists()]
    faults: list[Fault] = []
    for count, found in enumerate(run(partial(_tried, step, lake), open_), start=number - len(open_) + 1):
        faults += found
        tell(count, number)
    if faults:
        raise InputError(*faults)
    return [json.loads(lake.report(stage, k).read_text(encoding="utf-8")) for k in range(number)]


def _tried(step: Callable[[Lake, int], None], lake: Lake, number: int) -> tuple[Fault, ...]:
    """Do a step; its faults as a value, so that one bad file does not hide another."""
    try:
        step(lake, number)
    except InputError as error:
        return error.faults
    return ()


def partition(lake: Lake, unit: int) -> None:
    """Read a file and spill its rows by bucket."""
    watch = Stopwatch()
    file = FileReader(lake.files[unit], lake.format, lake.names[unit])
    newest_us = NO_TIME
    rejects: list[Reject] = []

    def tables() -> Iterator[Any]:
        nonlocal newest_us
        for _, part in file.parts():
            rejects.extend(part.rejects)
            if part.table.num_rows:
                newest_us = max(newest_us, int(part.table["occurred_us"].to_numpy().max()))
            yield part.table

    write_spill(lake.spill(unit), tables(), lake.num_buckets)
    write_ndjson(lake.rejects("units", unit), (reject.document() for reject in rejects))
    watch.lap("partition")
    read = file.input
    write_json(
        lake.report("units", unit),
        {
            "path": str(read.path),
            "sha256": read.sha256,
            "rows": read.rows,
            "newest_us": newest_us,
            "rejected": Counter(reject.reason for reject in rejects),
            "warnings": [dataclasses.asdict(fault) for fault in file.warnings],
            "seconds": watch.seconds,
        },
    )


def _score(lake: Lake, bucket: int) -> None:
    """Score the riders of a bucket and write their share of the ledger."""
    watch = Stopwatch()
    chosen = lake.chosen
    spills = [(lake.spill(unit), str(name)) for unit, name in enumerate(lake.names)]
    table = read_bucket(spills, bucket, lake.num_buckets)
    watch.lap("read")
    stored = None if lake.state is None else open_state(bucket_folder(lake.state, bucket))
    carried = None
    if stored is not None:
        carried = reach_back(load_state(stored, chosen.program), stored, table, chosen)
        watch.lap("state")
    scored = score(chosen.program, chosen.schedule, table, carried, lake.as_of_us)
    reasons = [REASONS[code] for code in scored.intake.refused_reasons.tolist()]
    rejects = sorted(rejects_of_rows(table, scored.intake.refused_rows, reasons), key=place_of)
    watch.lap("score")
    entries, riders = entries_table(scored, scored.until_us), riders_table(scored)
    watch.lap("tables")
    write_parquet(lake.part(_ENTRIES, bucket), entries, UNIQUE, RANDOM)
    write_parquet(lake.part(_RIDERS, bucket), riders)
    write_ndjson(lake.rejects("parts", bucket), (reject.document() for reject in rejects))
    watch.lap("write")
    if lake.state is not None:
        save_state(bucket_folder(lake.work / "state", bucket), scored, stored)
        watch.lap("state")
    write_json(
        lake.report("parts", bucket),
        {
            "events": int(scored.intake.is_new.sum()),
            "entries": int(scored.entries.size),
            "riders": len(scored.intake.riders),
            "repeated": scored.intake.num_repeated,
            "what_if": scored.intake.num_what_if,
            "rejected": Counter(reasons),
            "seconds": watch.seconds,
        },
    )


def _describe(lake: Lake, units: Sequence[dict[str, Any]], parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """`run.json`, as `api.batch.run.describe_run` has it, from the reports."""
    rejected: Counter[str] = Counter()
    for report in (*units, *parts):
        rejected.update(report["rejected"])
    counts = {name: sum(part[name] for part in parts) for name in ("events", "entries", "riders")}
    counts["rejected"] = rejected.total()
    counts |= {name: sum(part[name] for part in parts) for name in ("repeated", "what_if")}
    return {
        "command": "score",
        "format": lake.format,
        "time_zone": lake.chosen.time_zone,
        "version": version("riderscore"),
        "book": lake.chosen.reference,
        "deployment": deployment_named(lake.chosen),
        "books": [
            {"id": book.id, "effective_from": book.model.effective_from.isoformat(), "digest": book.digest}
            for book in lake.chosen.program.books
        ],
        "as_of_us": lake.as_of_us if lake.as_of_us != NO_TIME else None,
        "inputs": [{name: unit[name] for name in ("path", "sha256", "rows")} for unit in units],
        "counts": counts,
        "rejected": dict(sorted(rejected.items())),
        "warnings": [Fault(**fault).describe("en") for unit in units for fault in unit["warnings"]],
        "carried": None if _until_us(lake) == NO_TIME else {"until_us": _until_us(lake)},
        "parts": [{name: part[name] for name in ("events", "entries", "riders")} for part in parts],
    }


def seconds_of(units: Sequence[dict[str, Any]], parts: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Seconds of all workers by stage."""
    added: Counter[str] = Counter()
    for report in (*units, *parts):
        added.update(report["seconds"])
    return {stage: round(seconds, 3) for stage, seconds in added.items()}


def _assemble(lake: Lake, folder: Path) -> None:
    """Put the parts into the ledger directory, by link: what is in the work folder stays until all is in place."""
    for name in (_ENTRIES, _RIDERS):
        (folder / name).mkdir()
        for bucket in range(lake.num_buckets):
            part = lake.part(name, bucket)
            os.link(part, folder / name / part.name)
    write_rejects(lake, folder)
    write_books(folder / "books", lake.chosen)


def write_rejects(lake: Lake, folder: Path) -> None:
    """Put the rejects of all steps into one file, by file and row."""
    stages = [("units", len(lake.files)), ("parts", lake.num_buckets)]
    files = [lake.rejects(stage, k) for stage, number in stages for k in range(number)]
    write_ndjson(folder / _REJECTS, heapq.merge(*map(_lines, files), key=lambda line: (line["file"], line["row"])))


def buckets_of_state(state: Path) -> int | None:
    """Into how many buckets a state folder is split; None where it is in one piece, or not there."""
    header = _state_header(state)
    return None if header is None else header.get("buckets")


def _state_header(state: Path) -> dict[str, Any] | None:
    path = state / STATE_MARKER
    if not path.exists():
        return None
    try:
        header = json.loads(path.read_text(encoding="utf-8"))
        return header if isinstance(header, dict) else {}
    except (OSError, ValueError) as error:
        raise InputError(Fault("state_unreadable", file=str(path), given=str(error))) from error


def _until_us(lake: Lake) -> int:
    header = None if lake.state is None else _state_header(lake.state)
    return NO_TIME if header is None else int(header["until_us"])


def _assemble_state(lake: Lake, state: Path) -> None:
    """Replace the state folder at once by the buckets' new ones."""
    made = lake.work / "state"
    with atomic_folder(state, marker=STATE_MARKER) as folder:
        for path in sorted(made.rglob("*")):
            if path.is_file():
                place = folder / path.relative_to(made)
                place.parent.mkdir(parents=True, exist_ok=True)
                os.link(path, place)
        write_json(folder / STATE_MARKER, {"buckets": lake.num_buckets, "until_us": lake.as_of_us})


def _lines(path: Path) -> Iterable[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)
