"""Files in, two books side by side out: `riderscore compare` and `riderscore books impact`.

readers → score under A and under B → comparison → `riders.parquet` (or `affected_riders.parquet`), `summary.json`,
`rejects.ndjson`, `books/`, `run.json`.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from api.files.atomic import atomic_folder, check_run_paths, write_json, write_ndjson
from api.files.folder_lock import locked_folders
from api.files.parquet_files import write_parquet
from api.files.readers import EventInputs, read_events
from api.files.reading_options import DEFAULT_READING, Format, ReadingOptions
from api.files.rejects import Reject, file_and_row
from api.runs.outcome import check_any_scored, check_same_command
from api.runs.plan import RunPlan, check_one_platform, deployment_document, plan_books
from api.runs.run import RunProgress, Stopwatch, all_rejects, no_progress, origin_of, run_document, write_books
from rules.errors import Fault
from rules.ids import NO_PLATFORM
from scoring.comparison import Comparison, books_in_use, compare, tier_moves
from scoring.score import ScoredRun, score

ComparisonCommand = Literal["compare", "impact"]
SIDES = ("a", "b")
# Counts that differ between the two books.
PER_SIDE = ("entries", "what_if", "unknown_kitchen_exempt")


@dataclass(frozen=True, slots=True)
class ComparedFiles:
    """What a comparison found: `summary.json`, `run.json`, the plans of both books, rows left out, warnings."""

    comparison: Comparison
    plans: tuple[RunPlan, RunPlan]
    summary: dict[str, Any]
    document: dict[str, Any]
    rejects: tuple[Reject, ...]
    warnings: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class _Judged:
    """The same rows under both books."""

    events: EventInputs
    plans: tuple[RunPlan, RunPlan]
    scored: tuple[ScoredRun, ScoredRun]
    rejects: tuple[Reject, ...]


def compare_files(
    command: ComparisonCommand,
    paths: Sequence[Path],
    references: tuple[str, str],
    out: Path,
    *,
    format: Format = "native",
    reading: ReadingOptions = DEFAULT_READING,
    replace: bool = False,
    platform: str = NO_PLATFORM,
    progress: RunProgress = no_progress,
) -> ComparedFiles:
    """Score the same deliveries under two books and write what differs.

    Parameters
    ----------
    command
        `compare` writes all riders; `impact` only those whose tier, points or money would differ if book B replaced A.
    references
        Books A and B, as `api.runs.plan.plan_books` takes them. Rows that either refuses are left out of both.
    platform
        Whose events these are, where a side is a deployment table.
    out
        Gets `riders.parquet` or `affected_riders.parquet`, `summary.json`, `rejects.ndjson`, `books/`, `run.json`.
    reading
        How the files are read.
    replace
        `out` may hold what another command, other books or other input paths gave.

    Raises
    ------
    BookError, InputError
        If the books, the files or the place to write to cannot be used, another run holds it, or no row can be
        scored; nothing is written then.
    """
    watch = Stopwatch()
    check_run_paths(paths, out)
    if not replace:
        check_same_command(out, command, references, paths)
    with locked_folders(out):
        judged = _judge(paths, references, format, platform, reading, watch, progress)
        comparison = compare(*judged.scored)
        summary = summary_document(comparison, judged.plans)
        if command == "impact":
            summary |= impact_document(comparison, affected_riders(comparison.riders).num_rows, judged.plans[1])
        document = _document(command, judged, format) | {"paths": [str(path) for path in paths]}
        check_any_scored(document, (reject.document() for reject in judged.rejects))
        return _written(document, judged, comparison, summary, out, watch, progress)


def impact_document(comparison: Comparison, num_affected: int, to: RunPlan) -> dict[str, Any]:
    """What `summary.json` says of an impact beside the comparison."""
    books_b = books_in_use(comparison.riders, to.program, "book_digest_b")
    return {"num_affected": num_affected, "tier_moves": asdict(tier_moves(comparison.tiers, books_b))}


def affected_riders(riders: pa.Table) -> pa.Table:
    """Those of `Comparison.riders` whose tier, points or money differ."""
    moved = np.asarray(riders.column("moved_tier").to_numpy(zero_copy_only=False), bool)
    for name in ("income_fen", "points_awarded_mp", "points_deducted_mp", "score_mp"):
        moved = moved | (riders.column(f"{name}_diff").to_numpy() != 0)
    return riders.filter(pa.array(moved))


def summary_document(comparison: Comparison, plans: tuple[RunPlan, RunPlan]) -> dict[str, Any]:
    """`summary.json`: whole numbers only, no clock times."""
    names = ("a", "b", "difference")
    return {
        "books": {side: books_document(chosen) for side, chosen in zip(SIDES, plans, strict=True)},
        "num_riders": comparison.riders.num_rows,
        "num_delivered": comparison.num_delivered,
        "totals": {name: {"a": a, "b": b, "difference": b - a} for name, (a, b) in comparison.totals.items()},
        "income_fen": {side: asdict(statistics) for side, statistics in zip(names, comparison.income, strict=True)},
        "moves": {
            "income_fen": asdict(comparison.income_moves),
            "points_mp": asdict(comparison.score_moves),
        },
        "tiers": [{"a": a, "b": b, "num_riders": num} for (a, b), num in comparison.tiers.items()],
        "band_book": comparison.band_book,
        "bands": [asdict(band) for band in comparison.bands],
    }


def books_document(chosen: RunPlan) -> dict[str, Any]:
    """A side's books as `summary.json` and `run.json` have them."""
    return {
        "reference": chosen.reference,
        "deployment": deployment_document(chosen),
        "versions": [
            {"id": book.id, "effective_from": book.model.effective_from.isoformat(), "digest": book.digest}
            for book in chosen.program.books
        ],
    }


def plan_both(references: tuple[str, str], platform: str) -> tuple[RunPlan, RunPlan]:
    """The plans of both sides, for a platform where they are deployment tables."""
    return plan_books(references[0], platform=platform), plan_books(references[1], platform=platform)


def _judge(
    paths: Sequence[Path], references: tuple[str, str], format: Format, platform: str, reading: ReadingOptions,
    watch: Stopwatch, progress: RunProgress,
) -> _Judged:  # fmt: skip
    plans = plan_both(references, platform)
    watch.lap("books")
    events = read_events(
        paths,
        format,
        time_zone=plans[0].time_zone,
        reading=reading,
        progress=partial(progress, "read"),
    )
    for chosen in plans:
        check_one_platform(chosen, events.table)
    watch.lap("read")
    rejects: dict[Reject, None] = {}

    def refused(table: pa.Table, scored_pair: tuple[ScoredRun, ScoredRun]) -> None:
        seen = replace(events, table=table)
        rejects.update(dict.fromkeys(reject for scored in scored_pair for reject in all_rejects(seen, scored)))

    newest_us = pc.max(events.table["occurred_us"]).as_py()
    table, scored = score_both(plans, events.table, refused, lambda done: progress("score", done, 2), newest_us)
    events = replace(events, table=table)
    watch.lap("score")
    return _Judged(events, plans, scored, tuple(sorted(rejects, key=file_and_row)))


def score_both(
    plans: tuple[RunPlan, RunPlan],
    table: pa.Table,
    refused: Callable[[pa.Table, tuple[ScoredRun, ScoredRun]], None],
    progress: Callable[[int], None],
    as_of_us: int | None = None,
) -> tuple[pa.Table, tuple[ScoredRun, ScoredRun]]:
    """The rows that both books can judge, scored under each with nothing carried in.

    Parameters
    ----------
    refused
        Is shown each round's rows and what came of them, refusals among it.
    progress
        Hears how many of the two are scored.
    as_of_us
        Up to when fades and resets count; by default up to the newest of these rows.
    """
    while True:
        progress(0)
        first = score(plans[0].program, plans[0].schedule, table, None, as_of_us)
        progress(1)
        second = score(plans[1].program, plans[1].schedule, table, None, as_of_us)
        refused(table, (first, second))
        refused_a, refused_b = (np.sort(scored.prepared.refused_rows) for scored in (first, second))
        if np.array_equal(refused_a, refused_b):
            return table, (first, second)
        # The same deliveries under both books: what one cannot judge, neither does.
        keep = np.ones(table.num_rows, bool)
        keep[np.concatenate([refused_a, refused_b])] = False
        table = table.filter(pa.array(keep))


def _written(
    document: dict[str, Any], judged: _Judged, comparison: Comparison, summary: dict[str, Any], out: Path,
    watch: Stopwatch, progress: RunProgress,
) -> ComparedFiles:  # fmt: skip
    watch.lap("compare")
    progress("write", 0, 1)
    command = document["command"]
    riders = comparison.riders if command == "compare" else affected_riders(comparison.riders)
    with atomic_folder(out) as folder:
        name = "riders.parquet" if command == "compare" else "affected.parquet"
        write_parquet(folder / name, riders, origin_of(command, *judged.plans))
        write_json(folder / "summary.json", summary)
        write_ndjson(folder / "rejects.ndjson", (reject.document() for reject in judged.rejects))
        for chosen in judged.plans:
            write_books(folder / "books", chosen)
        watch.lap("write")
        document["seconds"] = watch.seconds
        write_json(folder / "run.json", document)
    return ComparedFiles(
        comparison,
        judged.plans,
        summary,
        document,
        judged.rejects,
        (*(note for chosen in judged.plans for note in chosen.notes), *judged.events.warnings),
    )


def _document(command: str, judged: _Judged, format: Format) -> dict[str, Any]:
    """`run.json`; what differs between the books stands under `_a` and `_b`."""
    first, second = (
        run_document(judged.events, chosen, scored, judged.rejects)
        for chosen, scored in zip(judged.plans, judged.scored, strict=True)
    )
    counts = dict(first["counts"])
    for name in PER_SIDE:
        counts |= {f"{name}_a": counts.pop(name), f"{name}_b": second["counts"][name]}
    document = {"command": command, "format": format, "time_zone": judged.plans[0].time_zone, **first}
    for of_one_ledger in ("book", "deployment", "old_readings_until_us"):
        del document[of_one_ledger]
    document["books"] = {side: books_document(chosen) for side, chosen in zip(SIDES, judged.plans, strict=True)}
    document["counts"] = counts
    return document
