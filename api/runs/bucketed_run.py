"""Inputs larger than memory: scored bucket by bucket of riders, on all cores, resumable after a kill.

files (slices) → rows by bucket, spilled → each bucket scored as a run of its own → parts of the ledger → the directory, at once

What is done stands in a work folder beside the output: a spill or a part is there whole or not at all, and a run that
was killed goes on from there. Rows of one rider meet in one bucket, so the lines are those of one run over everything.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from api.files.atomic import (
    MARKER,
    STATE_MARKER,
    check_run_paths,
    link_or_copy,
    write_json,
    write_ndjson,
)
from api.files.errors import InputError
from api.files.folder_lock import locked_folders
from api.files.input_files import sha256_of
from api.files.input_slices import SLICE_ROWS, input_slices, inputs_document, slice_warnings
from api.files.parquet_files import SCHEMA_VERSION, write_parquet
from api.files.readers import resolve_event_files, skipped_files_warnings
from api.files.reading_options import DEFAULT_READING, Format, ReadingOptions
from api.files.rejects import file_and_row, rejects_by_scoring
from api.runs.engines import EngineName, engine
from api.runs.outcome import NothingReadError, check_any_scored, check_same_command, read_ndjson
from api.runs.partition import num_rows_of, partition_slice, write_rejects
from api.runs.plan import deployment_document, deployment_rows_document, plan_books
from api.runs.run import ENTRY_PACKING, PLATFORM, RunProgress, Stopwatch, no_progress, origin_of, write_books
from api.runs.spill import read_bucket
from api.runs.state_files import load_state, open_state, reach_back, save_state
from api.runs.state_ids import city_acceptor
from api.runs.state_split import split_state
from api.runs.work_folder import (
    BucketedRun,
    atomic_output,
    open_work_folder,
    remove_unfinished,
    remove_work_folder,
    run_digest,
    run_stage,
    state_identity,
    work_folder_of,
)
from rules.errors import Fault
from rules.readings_0_1_0 import old_readings_until
from scoring.columns import NO_TIME
from scoring.lateness_once import entry_file_table
from scoring.ledger import riders_table
from scoring.score import score
from scoring.unknown_kitchens import UnknownKitchen, unknown_kitchen

# Runs of fewer rows are scored in one piece, in memory, into single files.
IN_MEMORY_ROWS: Final = 4_000_000
# About 1 kB of memory a row while a bucket is scored.
BUCKET_ROWS: Final = 1_000_000
_ENTRIES, _RIDERS, _REJECTS = "entries.parquet", "riders.parquet", "rejects.ndjson"


@dataclass(frozen=True, slots=True)
class ScoredBuckets:
    """What a run did: its `run.json`, and what a person should know."""

    document: dict[str, Any]
    warnings: tuple[Fault, ...]


def bucket_folder(state: Path, bucket: int) -> Path:
    """One bucket's state in a state folder."""
    return state / f"bucket-{bucket:05d}"


def is_bucketed(paths: Sequence[Path], format: Format, state: Path | None) -> bool:
    """Whether a run is scored by buckets: more rows than fit into memory at once, or a state that is kept by buckets."""
    if format == "mdrp":
        return False
    if state is not None and buckets_of_state(state) is not None:
        return True
    return num_rows_of(resolve_event_files(paths, format)) > IN_MEMORY_ROWS


def score_bucketed(
    paths: Sequence[Path],
    reference: str,
    out: Path,
    *,
    format: Format = "native",
    state: Path | None = None,
    as_of_us: int | None = None,
    bucket_rows: int = BUCKET_ROWS,
    slice_rows: int = SLICE_ROWS,
    engine_name: EngineName = "local",
    num_workers: int | None = None,
    address: str | None = None,
    platform: str = PLATFORM,
    reading: ReadingOptions = DEFAULT_READING,
    replace: bool = False,
    progress: RunProgress = no_progress,
) -> ScoredBuckets:
    """Score files of any size into a ledger directory whose Parquet files are folders of parts.

    Parameters
    ----------
    bucket_rows, slice_rows
        About how many rows are in memory at once, per worker, and how many of a Parquet file are one task of reading.
    engine_name, num_workers, address
        Where the work is done, as `api.runs.engines.engine` takes it; all workers must see the same files.
    platform
        Whose events these are; `run_tasks.json` names it.
    reading
        How the files are read.
    replace
        `out` may hold a ledger of another book or of other input paths.

    Raises
    ------
    BookError, InputError
        If the books, the files or the places to write to cannot be used, another run holds these, or no row can be
        scored; nothing is written then.
    """
    watch = Stopwatch()
    check_run_paths(paths, out, state)
    if not replace:
        check_same_command(out, "score", [reference], paths, platform)
    with locked_folders(out, state):
        run = _plan_run(paths, reference, out, format, state, as_of_us, (bucket_rows, slice_rows), platform, reading)
        done = _finished(run, out)
        if done is not None:
            return done
        run = open_work_folder(run)
        watch.lap("books")
        with engine(engine_name, num_workers, address) as run_tasks:
            number = len(run.slices)
            slice_reports = run_stage(run_tasks, partition_slice, run, "slices", number, partial(progress, "read"))
            watch.lap("partition")
            final, pieces = _with_state(run, slice_reports)
            run_stage(run_tasks, _split, final, "pieces", pieces, partial(no_progress, "state"))
            watch.lap("state")
            number = run.num_buckets
            bucket_reports = run_stage(run_tasks, _score, final, "parts", number, partial(progress, "score"))
            watch.lap("score")
        document = {"platform": platform, "paths": [str(path) for path in paths]} | _describe(
            final, slice_reports, bucket_reports
        )
        document["places"] = deployment_rows_document(final.chosen)
        warnings = (*run.chosen.notes, *skipped_files_warnings(paths, format), *slice_warnings(slice_reports))
        check_any_bucket_scored(final, document)
        made_by = {"run": run_digest(run), "warnings": [asdict(fault) for fault in warnings]}
        _put_in_place(final, out, document, watch, {"workers": worker_seconds(slice_reports, bucket_reports)}, made_by)
    return ScoredBuckets(document, warnings)


def _plan_run(
    paths: Sequence[Path], reference: str, out: Path, format: Format, state: Path | None, as_of_us: int | None,
    rows: tuple[int, int], platform: str, reading: ReadingOptions,
) -> BucketedRun:  # fmt: skip
    """The run to be done: its files, books and buckets."""
    bucket_rows, slice_rows = rows
    files = resolve_event_files(paths, format)
    stored = None if state is None else open_state(_pieces(state)[0])
    also = ((), None) if stored is None else (stored.books, stored.old_until_us)
    chosen = plan_books(reference, *also, platform, city_acceptor(reading, state))
    windows = [] if stored is None or state is None else [piece / "window.parquet" for piece in _pieces(state)]
    wanted = max(1, -(-num_rows_of([*files, *windows]) // bucket_rows))
    before = None if state is None else buckets_of_state(state)
    # A bucket is split whole, so that riders of one bucket stay in buckets of their own.
    num_buckets = wanted if before is None else before * -(-wanted // before)
    kept = None if state is None else state.absolute()
    return BucketedRun(
        work_folder_of(out),
        tuple(file.absolute() for file in files),
        files,
        input_slices(files, slice_rows),
        format,
        chosen,
        num_buckets,
        as_of_us,
        kept,
        _until_us(kept),
        None if kept is None else state_identity(kept),
        reading=reading,
    )


def _pieces(state: Path) -> list[Path]:
    """The state folders that a state consists of: itself, or one a bucket."""
    number = buckets_of_state(state)
    return [state] if number is None else [bucket_folder(state, k) for k in range(number)]


def _with_state(run: BucketedRun, slice_reports: Sequence[dict[str, Any]]) -> tuple[BucketedRun, int]:
    """The run as it is scored, knowing its newest event and where the state of its buckets is; pieces to be split."""
    newest_us = max([slice_report["newest_us"] for slice_report in slice_reports] + [run.until_us])
    run = replace(run, as_of_us=newest_us if run.as_of_us is None else max(run.as_of_us, run.until_us))
    if run.state is None or run.until_us == NO_TIME:
        return run, 0
    pieces = buckets_of_state(run.state)
    if pieces == run.num_buckets:
        return replace(run, carried=run.state), 0
    return replace(run, carried=run.work / "carried"), pieces or 1


def _split(run: BucketedRun, piece: int) -> None:
    """Split one piece of the carried state into the run's buckets."""
    if run.state is None or run.carried is None:
        raise ValueError("there is no state to split")
    pieces = _pieces(run.state)
    stored = open_state(pieces[piece])
    if stored is not None:
        buckets = range(piece, run.num_buckets, len(pieces))
        split_state(stored, {k: bucket_folder(run.carried, k) for k in buckets}, run.num_buckets)
    write_json(run.report("pieces", piece), {})


def _score(run: BucketedRun, bucket: int) -> None:
    """Score the riders of a bucket and write their share of the ledger."""
    watch = Stopwatch()
    chosen = run.chosen
    table = read_bucket(run.spills(), bucket, run.num_buckets)
    watch.lap("read")
    stored = None if run.carried is None else open_state(bucket_folder(run.carried, bucket))
    carried = None
    if stored is not None:
        carried = reach_back(load_state(stored, chosen.program), stored, table, chosen)
        watch.lap("state")
    scored = score(chosen.program, chosen.schedule, table, carried, run.as_of_us)
    rejects = sorted(rejects_by_scoring(table, scored.prepared), key=file_and_row)
    watch.lap("score")
    entries, riders = entry_file_table(scored, scored.until_us), riders_table(scored)
    watch.lap("tables")
    origin = origin_of(run.command, chosen)
    write_parquet(run.part(_ENTRIES, bucket), entries, origin, ENTRY_PACKING)
    write_parquet(run.part(_RIDERS, bucket), riders, origin)
    write_ndjson(run.rejects("parts", bucket), (reject.document() for reject in rejects))
    watch.lap("write")
    if run.state is not None:
        save_state(bucket_folder(run.work / "state", bucket), scored, stored)
        watch.lap("state")
    write_json(
        run.report("parts", bucket),
        {
            "events": int(scored.prepared.is_new.sum()),
            "entries": int(scored.entries.size),
            "riders": len(scored.prepared.riders),
            "repeated": scored.prepared.num_repeated,
            "what_if": scored.prepared.num_what_if,
            **unknown_kitchen(scored)._asdict(),
            "rejected": Counter(reject.reason for reject in rejects),
            "seconds": watch.seconds,
        },
    )


def _describe(
    run: BucketedRun, slice_reports: Sequence[dict[str, Any]], bucket_reports: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """`run.json`, as `api.runs.run.run_document` has it, from the reports."""
    rejected: Counter[str] = Counter()
    for report in (*slice_reports, *bucket_reports):
        rejected.update(report["rejected"])
    counts = {name: sum(part[name] for part in bucket_reports) for name in ("events", "entries", "riders")}
    counts["rejected"] = rejected.total()
    counts |= {
        name: sum(part[name] for part in bucket_reports) for name in ("repeated", "what_if", *UnknownKitchen._fields)
    }
    return {
        "command": "score",
        "format": run.format,
        "time_zone": run.chosen.time_zone,
        "reading": run.reading.document(),
        "version": version("riderscore"),
        "schema_version": SCHEMA_VERSION,
        "book": run.chosen.reference,
        "deployment": deployment_document(run.chosen),
        "books": [
            {"id": book.id, "effective_from": book.model.effective_from.isoformat(), "digest": book.digest}
            for book in run.chosen.program.books
        ],
        "as_of_us": run.as_of_us if run.as_of_us != NO_TIME else None,
        "old_readings_until_us": old_readings_until(run.chosen.program),
        "inputs": inputs_document(run.slices, slice_reports),
        "counts": counts,
        "rejected": dict(sorted(rejected.items())),
        "warnings": [fault.describe("en") for fault in slice_warnings(slice_reports)],
        "carried": None if run.until_us == NO_TIME else {"until_us": run.until_us},
        "parts": [{name: part[name] for name in ("events", "entries", "riders")} for part in bucket_reports],
    }


def check_any_bucket_scored(run: BucketedRun, document: dict[str, Any]) -> None:
    """Refuse a run that scored nothing; its work is thrown away, else it would be taken up again."""
    counts = document["counts"]
    if counts["events"] + counts["repeated"]:
        return
    path = run.work / _REJECTS
    write_rejects(run, path)
    try:
        check_any_scored(document, read_ndjson(path), may_be_quiet=run.until_us != NO_TIME)
    except NothingReadError:
        remove_work_folder(run.work.parent)
        raise


def worker_seconds(
    slice_reports: Sequence[dict[str, Any]], bucket_reports: Sequence[dict[str, Any]]
) -> dict[str, float]:
    """Seconds of all workers by stage."""
    added: Counter[str] = Counter()
    for report in (*slice_reports, *bucket_reports):
        added.update(report["seconds"])
    return {stage: round(seconds, 3) for stage, seconds in added.items()}


def _assemble(run: BucketedRun, folder: Path) -> None:
    """Put the parts into the ledger directory, by link: what is in the work folder stays until all is in place."""
    for name in (_ENTRIES, _RIDERS):
        (folder / name).mkdir()
        for bucket in range(run.num_buckets):
            part = run.part(name, bucket)
            link_or_copy(part, folder / name / part.name)
    write_rejects(run, folder / _REJECTS)
    write_books(folder / "books", run.chosen)


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
        int(header["until_us"])
        pieces = [bucket_folder(state, k) / STATE_MARKER for k in range(header.get("buckets") or 0)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(Fault("state_unreadable", file=str(path), given=str(error))) from error
    torn = [piece for piece in pieces if not piece.is_file()]
    if torn:
        raise InputError(*(Fault("state_unreadable", file=str(piece), given="") for piece in torn))
    return dict(header)


def _until_us(state: Path | None) -> int:
    header = None if state is None else _state_header(state)
    return NO_TIME if header is None else int(header["until_us"])


def _put_in_place(
    run: BucketedRun,
    out: Path,
    document: dict[str, Any],
    watch: Stopwatch,
    workers: dict[str, Any],
    made_by: dict[str, Any],
) -> None:
    """The ledger, then the state, each at once; a run that is killed between them finds both done or goes on."""
    root = work_folder_of(out)
    with atomic_output(root, out, MARKER) as folder:
        _assemble(run, folder)
        watch.lap("write")
        document["seconds"] = watch.seconds | workers
        write_json(folder / MARKER, document)
    if run.state is not None:
        _assemble_state(run, root, run.state, made_by | {"ledger": _identity_of(out)})
    remove_work_folder(root)


def _identity_of(ledger: Path) -> list[str]:
    return [str(ledger.absolute()), sha256_of(ledger / MARKER)]


def _finished(run: BucketedRun, out: Path) -> ScoredBuckets | None:
    """The very same run, where it has left its state and its ledger is there.

    Whoever was killed at the very end, or does not know it, asks for it again: what it has left must not be carried into
    it once more.
    """
    header = None if run.state is None else _state_header(run.state)
    made_by = None if header is None else header.get("made")
    if made_by is None or made_by["run"] != run_digest(run) or not (out / MARKER).is_file():
        return None
    if made_by["ledger"] != _identity_of(out):
        return None
    remove_unfinished(run.work)
    remove_work_folder(run.work)
    return ScoredBuckets(json.loads((out / MARKER).read_text(encoding="utf-8")), slice_warnings([made_by]))


def _assemble_state(run: BucketedRun, root: Path, state: Path, made_by: dict[str, Any]) -> None:
    """Replace the state folder at once by the buckets' new ones; `made_by` is what it says of the run."""
    with atomic_output(root, state, STATE_MARKER) as folder:
        for bucket in range(run.num_buckets):
            source, target = bucket_folder(run.work / "state", bucket), bucket_folder(folder, bucket)
            for path in sorted(source.rglob("*")):
                if path.is_file():
                    target_path = target / path.relative_to(source)
                    target_path.parent.mkdir(parents=True, exist_ok=True)
                    link_or_copy(path, target_path)
        header = {"buckets": run.num_buckets, "until_us": run.as_of_us, "made": made_by}
        write_json(folder / STATE_MARKER, header)
