"""Two books side by side over inputs larger than memory: the steps of `api.runs.bucketed_run`, with two books in each bucket.

files → rows by bucket, spilled → each bucket scored under A and under B, a row a rider → all riders' rows summed at once

Riders' rows are merged, not statistics: sums, medians and Gini are those of one piece to the last digit.
"""

import dataclasses
import os
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from api.files.atomic import MARKER, check_places, write_json, write_ndjson, write_parquet
from api.files.folder_lock import claimed
from api.files.input_slices import inputs_read, units_of, warnings_of
from api.files.readers import Format, event_files, notes_of
from api.files.reading_options import AS_IT_IS, Reading
from api.files.rejects import Reject, place_of, rejects_by_scoring
from api.runs.bucketed_run import need_some_of, seconds_of
from api.runs.compare import (
    PER_SIDE,
    SIDES,
    Command,
    Compared,
    affected,
    books_named,
    impact_of,
    plans_of,
    score_both,
    summary_of,
)
from api.runs.engines import engine
from api.runs.outcome import need_same_command
from api.runs.partition import num_rows_of, partition, write_rejects
from api.runs.plan import Plan
from api.runs.run import Progress, Stopwatch, no_progress, write_books
from api.runs.spill import read_bucket
from api.runs.work_folder import Lake, assembled, discard, open_work, stage_done, work_of
from rules.deployment import NO_PLATFORM
from rules.errors import Fault
from scoring.columns import NO_TIME
from scoring.comparison import side_by_side, summed, summed_columns
from scoring.score import ScoredRun
from scoring.unknown_kitchens import unknown_kitchen

# Two results of about 1 kB of memory a row.
BUCKET_ROWS: Final = 750_000
_RIDERS: Final = "riders.parquet"
_AFFECTED: Final = "affected.parquet"
_WORDS: Final = ("tier_a", "tier_b", "book_digest_a", "book_digest_b")


def compare_lake(
    command: Command,
    paths: Sequence[Path],
    references: tuple[str, str],
    out: Path,
    *,
    format: Format = "native",
    bucket_rows: int = BUCKET_ROWS,
    num_workers: int | None = None,
    reading: Reading = AS_IT_IS,
    replace: bool = False,
    platform: str = NO_PLATFORM,
    progress: Progress = no_progress,
) -> Compared:
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
    check_places(paths, out)
    if not replace:
        need_same_command(out, command, references, paths)
    plans = plans_of(references, platform)
    files = event_files(paths, format)
    places = tuple(file.absolute() for file in files)
    num_buckets = max(1, -(-num_rows_of(files) // bucket_rows))
    with claimed(out):
        lake = open_work(
            Lake(
                work_of(out), places, files, units_of(files), format, plans[0], num_buckets,
                command=command, other=plans[1], reading=reading,
            )
        )  # fmt: skip
        watch.lap("books")
        with engine("local", num_workers) as run:
            number = len(lake.units)
            units = stage_done(run, partition, lake, "units", number, lambda done, all_: progress("read", done, all_))
            watch.lap("partition")
            newest_us = max(unit["newest_us"] for unit in units)
            final = dataclasses.replace(lake, as_of_us=newest_us if newest_us > NO_TIME else None)
            number = num_buckets
            parts = stage_done(run, _compare, final, "parts", number, lambda done, all_: progress("score", done, all_))
            watch.lap("score")
        comparison = summed(_all_riders(final), plans[0].program, plans[1].program)
        summary = summary_of(comparison, plans)
        if command == "impact":
            summary |= impact_of(comparison, sum(part["affected"] for part in parts), plans[1])
        watch.lap("compare")
        document = _document(final, units, parts) | {"paths": [str(path) for path in paths]}
        need_some_of(final, document)
        _assemble(final, out, summary, document, watch, seconds_of(units, parts))
        discard(work_of(out))
    return Compared(
        comparison, plans, summary, document, (), (*_notes(plans), *notes_of(paths, format), *warnings_of(units))
    )


def _compare(lake: Lake, bucket: int) -> None:
    """Score the riders of a bucket under both books and write a row each."""
    if lake.other is None:
        raise ValueError("a comparison needs two books")
    watch = Stopwatch()
    table = read_bucket(lake.spills(), bucket, lake.num_buckets)
    watch.lap("read")
    rejects: dict[Reject, None] = {}

    def refused(rows: pa.Table, both: tuple[ScoredRun, ScoredRun]) -> None:
        for scored in both:
            rejects.update(dict.fromkeys(rejects_by_scoring(rows, scored.prepared)))

    _, scored = score_both((lake.chosen, lake.other), table, refused, _nobody, lake.as_of_us)
    watch.lap("score")
    riders = side_by_side(*scored)
    moved = affected(riders)
    watch.lap("compare")
    write_parquet(lake.part(_RIDERS, bucket), riders)
    if lake.command == "impact":
        write_parquet(lake.part(_AFFECTED, bucket), moved)
    in_order = sorted(rejects, key=place_of)
    write_ndjson(lake.rejects("parts", bucket), (reject.document() for reject in in_order))
    watch.lap("write")
    first = scored[0].prepared
    write_json(
        lake.report("parts", bucket),
        {
            "events": int(first.is_new.sum()),
            "riders": len(first.riders),
            "affected": moved.num_rows,
            "repeated": first.num_repeated,
            **{f"entries_{side}": int(one.entries.size) for side, one in zip(SIDES, scored, strict=True)},
            **{f"what_if_{side}": one.prepared.num_what_if for side, one in zip(SIDES, scored, strict=True)},
            **_unknown(scored),
            "rejected": Counter(reject.reason for reject in rejects),
            "seconds": watch.seconds,
        },
    )


def _notes(plans: Sequence[Plan]) -> list[Fault]:
    return [note for chosen in plans for note in chosen.notes]


def _unknown(scored: Sequence[ScoredRun]) -> dict[str, int]:
    """Deliveries of which nobody can assess the kitchen: the same under both books, but for what is exempt."""
    first, second = (unknown_kitchen(one) for one in scored)
    exempt = first.unknown_kitchen_exempt, second.unknown_kitchen_exempt
    own = {f"unknown_kitchen_exempt_{side}": num for side, num in zip(SIDES, exempt, strict=True)}
    return {"unknown_kitchen": first.unknown_kitchen, "unknown_kitchen_late": first.unknown_kitchen_late} | own


def _nobody(_done: int) -> None:
    """How far one bucket is, nobody asks."""


def _all_riders(lake: Lake) -> pa.Table:
    """What is summed of every rider; words as codes."""
    parts = [lake.part(_RIDERS, bucket) for bucket in range(lake.num_buckets)]
    tables = [pq.read_table(part, columns=list(summed_columns()), read_dictionary=list(_WORDS)) for part in parts]
    return pa.concat_tables(tables).unify_dictionaries()


def _document(lake: Lake, units: Sequence[dict[str, Any]], parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """`run.json` as `api.runs.compare` writes it, from the reports."""
    rejected: Counter[str] = Counter()
    for report in (*units, *parts):
        rejected.update(report["rejected"])
    counts = {name: sum(part[name] for part in parts) for name in ("events", "riders")}
    counts |= {"rejected": rejected.total(), "repeated": sum(part["repeated"] for part in parts)}
    counts |= {name: sum(part[name] for part in parts) for name in ("unknown_kitchen", "unknown_kitchen_late")}
    for name in PER_SIDE:
        counts |= {f"{name}_{side}": sum(part[f"{name}_{side}"] for part in parts) for side in SIDES}
    plans = (lake.chosen, lake.other or lake.chosen)
    return {
        "command": lake.command,
        "format": lake.format,
        "time_zone": lake.chosen.time_zone,
        "version": version("riderscore"),
        "books": {side: books_named(chosen) for side, chosen in zip(SIDES, plans, strict=True)},
        "as_of_us": lake.as_of_us,
        "inputs": inputs_read(lake.units, units),
        "counts": counts,
        "rejected": dict(sorted(rejected.items())),
        "warnings": [fault.describe("en") for fault in warnings_of(units)],
        "parts": [{name: part[name] for name in ("events", "riders")} for part in parts],
    }


def _assemble(
    lake: Lake, out: Path, summary: dict[str, Any], document: dict[str, Any], watch: Stopwatch,
    workers: dict[str, float],
) -> None:  # fmt: skip
    """Put everything into its place at once."""
    name = _RIDERS if lake.command == "compare" else _AFFECTED
    with assembled(work_of(out), out, MARKER) as folder:
        (folder / name).mkdir()
        for bucket in range(lake.num_buckets):
            part = lake.part(name, bucket)
            os.link(part, folder / name / part.name)
        write_json(folder / "summary.json", summary)
        write_rejects(lake, folder / "rejects.ndjson")
        for chosen in (lake.chosen, lake.other):
            if chosen is not None:
                write_books(folder / "books", chosen)
        watch.lap("write")
        document["seconds"] = watch.seconds | {"workers": workers}
        write_json(folder / "run.json", document)
