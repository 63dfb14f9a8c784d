"""Two books side by side over inputs larger than memory: the steps of `api.runs.bucketed_run`, with two books in each bucket.

files → rows by bucket, spilled → each bucket scored under A and under B, a row a rider → all riders' rows summed at once

Riders' rows are merged, not statistics: sums, medians and Gini are those of one piece to the last digit.
"""

import dataclasses
import os
from collections import Counter
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from api.files.atomic import MARKER, check_run_paths, write_json, write_ndjson
from api.files.folder_lock import locked_folders
from api.files.input_slices import input_slices, inputs_document, slice_warnings
from api.files.parquet_files import SCHEMA_VERSION, write_parquet
from api.files.readers import resolve_event_files, skipped_files_warnings
from api.files.reading_options import DEFAULT_READING, Format, ReadingOptions
from api.files.rejects import Reject, file_and_row, rejects_by_scoring
from api.runs.bucketed_run import check_any_bucket_scored, worker_seconds
from api.runs.compare import (
    PER_SIDE,
    SIDES,
    ComparedFiles,
    ComparisonCommand,
    affected_riders,
    books_document,
    impact_document,
    plan_both,
    score_both,
    summary_document,
)
from api.runs.engines import engine
from api.runs.outcome import check_same_command
from api.runs.partition import num_rows_of, partition_slice, write_rejects
from api.runs.plan import RunPlan
from api.runs.run import RunProgress, Stopwatch, no_progress, origin_of, write_books
from api.runs.spill import read_bucket
from api.runs.work_folder import (
    BucketedRun,
    atomic_output,
    open_work_folder,
    remove_work_folder,
    run_stage,
    work_folder_of,
)
from rules.errors import Fault
from rules.ids import NO_PLATFORM
from scoring.columns import NO_TIME
from scoring.comparison import side_by_side, summed, summed_columns
from scoring.score import ScoredRun
from scoring.unknown_kitchens import unknown_kitchen

# Two results of about 1 kB of memory a row.
BUCKET_ROWS: Final = 750_000
_RIDERS: Final = "riders.parquet"
_AFFECTED: Final = "affected.parquet"
_WORDS: Final = ("tier_a", "tier_b", "book_digest_a", "book_digest_b")


def compare_bucketed(
    command: ComparisonCommand,
    paths: Sequence[Path],
    references: tuple[str, str],
    out: Path,
    *,
    format: Format = "native",
    bucket_rows: int = BUCKET_ROWS,
    num_workers: int | None = None,
    reading: ReadingOptions = DEFAULT_READING,
    replace: bool = False,
    platform: str = NO_PLATFORM,
    progress: RunProgress = no_progress,
) -> ComparedFiles:
    """`api.runs.compare.compare_files` for files of any size; a killed run goes on where it was.

    Parameters
    ----------
    bucket_rows
        About how many rows are in memory at once, per worker.

    Returns
    -------
    As there, but that `comparison.riders` has no more columns than are summed, and `rejects` stand in the file alone.
    `riders.parquet` (or `affected.parquet`) is a folder of parts.

    Raises
    ------
    As there.
    """
    watch = Stopwatch()
    check_run_paths(paths, out)
    if not replace:
        check_same_command(out, command, references, paths)
    plans = plan_both(references, platform)
    files = resolve_event_files(paths, format)
    places = tuple(file.absolute() for file in files)
    num_buckets = max(1, -(-num_rows_of(files) // bucket_rows))
    with locked_folders(out):
        run = open_work_folder(
            BucketedRun(
                work_folder_of(out), places, files, input_slices(files), format, plans[0], num_buckets,
                command=command, other=plans[1], reading=reading,
            )
        )  # fmt: skip
        watch.lap("books")
        with engine("local", num_workers) as run_tasks:
            slice_reports = run_stage(
                run_tasks, partition_slice, run, "slices", len(run.slices), partial(progress, "read")
            )
            watch.lap("partition")
            newest_us = max(slice_report["newest_us"] for slice_report in slice_reports)
            final = dataclasses.replace(run, as_of_us=newest_us if newest_us > NO_TIME else None)
            bucket_reports = run_stage(run_tasks, _compare, final, "parts", num_buckets, partial(progress, "score"))
            watch.lap("score")
        comparison = summed(_all_riders(final), plans[0].program, plans[1].program)
        summary = summary_document(comparison, plans)
        if command == "impact":
            summary |= impact_document(comparison, sum(part["affected"] for part in bucket_reports), plans[1])
        watch.lap("compare")
        document = _document(final, slice_reports, bucket_reports) | {"paths": [str(path) for path in paths]}
        check_any_bucket_scored(final, document)
        _assemble(final, out, summary, document, watch, worker_seconds(slice_reports, bucket_reports))
        remove_work_folder(work_folder_of(out))
    warnings = (*_notes(plans), *skipped_files_warnings(paths, format), *slice_warnings(slice_reports))
    return ComparedFiles(comparison, plans, summary, document, (), warnings)


def _compare(run: BucketedRun, bucket: int) -> None:
    """Score the riders of a bucket under both books and write a row each."""
    if run.other is None:
        raise ValueError("a comparison needs two books")
    watch = Stopwatch()
    table = read_bucket(run.spills(), bucket, run.num_buckets)
    watch.lap("read")
    rejects: dict[Reject, None] = {}

    def refused(rows: pa.Table, scored_pair: tuple[ScoredRun, ScoredRun]) -> None:
        for scored in scored_pair:
            rejects.update(dict.fromkeys(rejects_by_scoring(rows, scored.prepared)))

    _, scored = score_both((run.chosen, run.other), table, refused, _nobody, run.as_of_us)
    watch.lap("score")
    riders = side_by_side(*scored)
    moved = affected_riders(riders)
    watch.lap("compare")
    origin = origin_of(run.command, run.chosen, run.other or run.chosen)
    write_parquet(run.part(_RIDERS, bucket), riders, origin)
    if run.command == "impact":
        write_parquet(run.part(_AFFECTED, bucket), moved, origin)
    in_order = sorted(rejects, key=file_and_row)
    write_ndjson(run.rejects("parts", bucket), (reject.document() for reject in in_order))
    watch.lap("write")
    first = scored[0].prepared
    write_json(
        run.report("parts", bucket),
        {
            "events": int(first.is_new.sum()),
            "riders": len(first.riders),
            "affected": moved.num_rows,
            "repeated": first.num_repeated,
            **{
                f"entries_{side}": int(scored_side.entries.size)
                for side, scored_side in zip(SIDES, scored, strict=True)
            },
            **{
                f"what_if_{side}": scored_side.prepared.num_what_if
                for side, scored_side in zip(SIDES, scored, strict=True)
            },
            **_unknown(scored),
            "rejected": Counter(reject.reason for reject in rejects),
            "seconds": watch.seconds,
        },
    )


def _notes(plans: Sequence[RunPlan]) -> list[Fault]:
    return [note for chosen in plans for note in chosen.notes]


def _unknown(scored: Sequence[ScoredRun]) -> dict[str, int]:
    """Deliveries of which nobody can assess the kitchen: the same under both books, but for what is exempt."""
    first, second = (unknown_kitchen(scored_side) for scored_side in scored)
    exempt = first.unknown_kitchen_exempt, second.unknown_kitchen_exempt
    exempt_counts = {f"unknown_kitchen_exempt_{side}": num for side, num in zip(SIDES, exempt, strict=True)}
    return {
        "unknown_kitchen": first.unknown_kitchen,
        "unknown_kitchen_late": first.unknown_kitchen_late,
    } | exempt_counts


def _nobody(_done: int) -> None:
    """Progress within one bucket is not reported."""


def _all_riders(run: BucketedRun) -> pa.Table:
    """What is summed of every rider; words as codes."""
    parts = [run.part(_RIDERS, bucket) for bucket in range(run.num_buckets)]
    tables = [pq.read_table(part, columns=list(summed_columns()), read_dictionary=list(_WORDS)) for part in parts]
    return pa.concat_tables(tables).unify_dictionaries()


def _document(
    run: BucketedRun, slice_reports: Sequence[dict[str, Any]], bucket_reports: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """`run.json` as `api.runs.compare` writes it, from the reports."""
    rejected: Counter[str] = Counter()
    for report in (*slice_reports, *bucket_reports):
        rejected.update(report["rejected"])
    counts = {name: sum(part[name] for part in bucket_reports) for name in ("events", "riders")}
    counts |= {"rejected": rejected.total(), "repeated": sum(part["repeated"] for part in bucket_reports)}
    counts |= {name: sum(part[name] for part in bucket_reports) for name in ("unknown_kitchen", "unknown_kitchen_late")}
    for name in PER_SIDE:
        counts |= {f"{name}_{side}": sum(part[f"{name}_{side}"] for part in bucket_reports) for side in SIDES}
    plans = (run.chosen, run.other or run.chosen)
    return {
        "command": run.command,
        "format": run.format,
        "time_zone": run.chosen.time_zone,
        "version": version("riderscore"),
        "schema_version": SCHEMA_VERSION,
        "books": {side: books_document(chosen) for side, chosen in zip(SIDES, plans, strict=True)},
        "as_of_us": run.as_of_us,
        "inputs": inputs_document(run.slices, slice_reports),
        "counts": counts,
        "rejected": dict(sorted(rejected.items())),
        "warnings": [fault.describe("en") for fault in slice_warnings(slice_reports)],
        "parts": [{name: part[name] for name in ("events", "riders")} for part in bucket_reports],
    }


def _assemble(
    run: BucketedRun, out: Path, summary: dict[str, Any], document: dict[str, Any], watch: Stopwatch,
    workers: dict[str, float],
) -> None:  # fmt: skip
    """Put everything into its place at once."""
    name = _RIDERS if run.command == "compare" else _AFFECTED
    with atomic_output(work_folder_of(out), out, MARKER) as folder:
        (folder / name).mkdir()
        for bucket in range(run.num_buckets):
            part = run.part(name, bucket)
            os.link(part, folder / name / part.name)
        write_json(folder / "summary.json", summary)
        write_rejects(run, folder / "rejects.ndjson")
        for chosen in (run.chosen, run.other):
            if chosen is not None:
                write_books(folder / "books", chosen)
        watch.lap("write")
        document["seconds"] = watch.seconds | {"workers": workers}
        write_json(folder / "run.json", document)
