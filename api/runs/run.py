"""Files in, a ledger directory out: `riderscore score`.

readers → score → tables → `entries.parquet`, `riders.parquet`, `rejects.ndjson`, `books/`, `run.json`, all at once.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from api.files.atomic import MARKER, atomic_folder, check_run_paths, write_json, write_ndjson
from api.files.folder_lock import locked_folders
from api.files.parquet_files import SCHEMA_VERSION, ColumnPacking, Origin, write_parquet
from api.files.readers import EventInputs, read_events
from api.files.reading_options import DEFAULT_READING, Format, ReadingOptions
from api.files.rejects import Reject, rejects_by_scoring
from api.runs.outcome import check_any_scored, check_same_command
from api.runs.plan import RunPlan, check_one_platform, deployment_document, deployment_rows_document, plan_books
from api.runs.state_files import load_state, open_state, reach_back, save_state
from api.runs.state_ids import city_acceptor, with_state_ids
from rules.errors import Fault
from rules.ids import NO_PLATFORM
from rules.readings_0_1_0 import old_readings_until
from rules.shelf import to_toml
from scoring.columns import NO_TIME
from scoring.lateness_once import entry_file_table
from scoring.ledger import RANDOM, STEPWISE, UNIQUE, riders_table
from scoring.score import ScoredRun, score
from scoring.unknown_kitchens import unknown_kitchen

RunProgress = Callable[[str, int, int], None]

# Of runs that name none; so in the service (`RIDERSCORE_PLATFORM`).
PLATFORM: Final = NO_PLATFORM
ENTRY_PACKING: Final = ColumnPacking(UNIQUE, STEPWISE, RANDOM)


def no_progress(stage: str, done: int, total: int) -> None:
    """Report nothing."""


class Stopwatch:
    """Seconds by stage; the only clock of a run, and nothing but `run.json` shows it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.perf_counter()

    def lap(self, stage: str) -> None:
        """End a stage."""
        now = time.perf_counter()
        self.seconds[stage] = round(self.seconds.get(stage, 0.0) + now - self._since, 3)
        self._since = now


@dataclass(frozen=True, slots=True)
class ScoredFiles:
    """What a run did: its `run.json`, the rows it left out, and what a person should know."""

    document: dict[str, Any]
    scored: ScoredRun
    rejects: tuple[Reject, ...]
    warnings: tuple[Fault, ...]


def all_rejects(events: EventInputs, scored: ScoredRun) -> tuple[Reject, ...]:
    """Rows left out by reading and by scoring, by file and row."""
    late = rejects_by_scoring(events.table, scored.prepared)
    return tuple(sorted([*events.rejects, *late], key=lambda reject: (reject.file, reject.row)))


def run_document(events: EventInputs, chosen: RunPlan, scored: ScoredRun, rejects: Sequence[Reject]) -> dict[str, Any]:
    """What every run says of itself: inputs, books, counts."""
    return {
        "version": version("riderscore"),
        "schema_version": SCHEMA_VERSION,
        "book": chosen.reference,
        "deployment": deployment_document(chosen),
        "books": [
            {"id": book.id, "effective_from": book.model.effective_from.isoformat(), "digest": book.digest}
            for book in chosen.program.books
        ],
        "as_of_us": scored.until_us if scored.until_us > NO_TIME else None,
        "old_readings_until_us": old_readings_until(chosen.program),
        "inputs": [{"path": str(file.path), "sha256": file.sha256, "rows": file.rows} for file in events.inputs],
        "counts": {
            "events": int(scored.prepared.is_new.sum()),
            "entries": int(scored.entries.size),
            "riders": len(scored.prepared.riders),
            "rejected": len(rejects),
            "repeated": scored.prepared.num_repeated,
            "what_if": scored.prepared.num_what_if,
            **unknown_kitchen(scored)._asdict(),
        },
        "rejected": dict(sorted(Counter(reject.reason for reject in rejects).items())),
        "warnings": [warning.describe("en") for warning in (*chosen.notes, *events.warnings)],
    }


def score_files(
    paths: Sequence[Path],
    reference: str,
    out: Path,
    *,
    format: Format = "native",
    state: Path | None = None,
    as_of_us: int | None = None,
    platform: str = PLATFORM,
    reading: ReadingOptions = DEFAULT_READING,
    replace: bool = False,
    progress: RunProgress = no_progress,
) -> ScoredFiles:
    """Score event files into a ledger directory.

    Parameters
    ----------
    reference
        A book as `rules.shelf.find` takes it, or `auto`.
    state
        Folder of a carried state: read if there, replaced at the end.
    as_of_us
        Up to when fades and resets are written, and `recorded_us`; by default the newest event.
    platform
        Whose events these are; `run.json` names it.
    reading
        How the files are read.
    replace
        `out` may hold a ledger of another book or of other input paths.

    Raises
    ------
    BookError, InputError
        If the books, the files or the places to write to cannot be used, another run holds these, or no row can be
        scored (`api.runs.outcome.NothingReadError`); nothing is written then.
    """
    check_run_paths(paths, out, state)
    if not replace:
        check_same_command(out, "score", [reference], paths, platform)
    with locked_folders(out, state):
        return _score_files(paths, reference, out, format, state, as_of_us, platform, reading, progress)


def _score_files(
    paths: Sequence[Path], reference: str, out: Path, format: Format, state: Path | None, as_of_us: int | None,
    platform: str, reading: ReadingOptions, progress: RunProgress,
) -> ScoredFiles:  # fmt: skip
    watch = Stopwatch()
    stored = None if state is None else open_state(state)
    also = ((), None) if stored is None else (stored.books, stored.old_until_us)
    chosen = plan_books(reference, *also, platform, city_acceptor(reading, state))
    watch.lap("books")
    events = read_events(
        paths,
        format,
        time_zone=chosen.time_zone,
        reading=with_state_ids(reading, state),
        progress=partial(progress, "read"),
    )
    check_one_platform(chosen, events.table)
    watch.lap("read")
    carried = None
    if stored is not None:
        carried = reach_back(load_state(stored, chosen.program), stored, events.table, chosen)
        watch.lap("state")
    progress("score", 0, 1)
    scored = score(chosen.program, chosen.schedule, events.table, carried, as_of_us)
    rejects = all_rejects(events, scored)
    watch.lap("score")
    entries, riders = entry_file_table(scored, scored.until_us), riders_table(scored)
    watch.lap("tables")
    progress("write", 0, 1)
    document: dict[str, Any] = {
        "command": "score",
        "platform": platform,
        "format": format,
        "time_zone": chosen.time_zone,
        "reading": reading.document(),
        "paths": [str(path) for path in paths],
    }
    document |= run_document(events, chosen, scored, rejects)
    check_any_scored(document, (reject.document() for reject in rejects), may_be_quiet=carried is not None)
    document["places"] = deployment_rows_document(chosen)
    document["carried"] = None if carried is None else {"until_us": carried.until_us, "riders": len(carried.riders)}
    if state is not None and not entries.num_rows and _is_done(out, document):
        # The state is the one that this very run has left: its ledger stays.
        return ScoredFiles(
            json.loads((out / MARKER).read_text(encoding="utf-8")), scored, rejects, (*chosen.notes, *events.warnings)
        )
    with atomic_folder(out) as folder:
        write_ledger(folder, chosen, entries, riders, rejects)
        watch.lap("write")
        document["seconds"] = watch.seconds
        write_json(folder / "run.json", document)
    if state is not None:
        save_state(state, scored, stored)
    return ScoredFiles(document, scored, rejects, (*chosen.notes, *events.warnings))


def _is_done(out: Path, document: dict[str, Any]) -> bool:
    """Whether a ledger is there, made of these inputs by these books, and nothing of them is new."""
    try:
        before = json.loads((out / MARKER).read_text(encoding="utf-8"))
        same = all(before[name] == document[name] for name in ("inputs", "books", "rejected"))
        return same and document["counts"]["events"] == 0 < before["counts"]["events"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def write_ledger(folder: Path, chosen: RunPlan, entries: pa.Table, riders: pa.Table, rejects: Sequence[Reject]) -> None:
    """The files of a ledger directory but `run.json`."""
    origin = origin_of("score", chosen)
    write_parquet(folder / "entries.parquet", entries, origin, ENTRY_PACKING)
    write_parquet(folder / "riders.parquet", riders, origin)
    write_ndjson(folder / "rejects.ndjson", (reject.document() for reject in rejects))
    write_books(folder / "books", chosen)


def origin_of(command: str, *chosen: RunPlan) -> Origin:
    """What files of a run under one book, or of a comparison of several, say of where they come from."""
    books = {book.digest: book for plan in chosen for book in plan.program.books}
    return Origin(command, tuple(books.values()), chosen[0].time_zone)


def write_books(folder: Path, chosen: RunPlan) -> None:
    """Each book of a run as a document that stands alone, by digest."""
    folder.mkdir(exist_ok=True)
    for book in chosen.program.books:
        (folder / f"{book.digest}.toml").write_text(to_toml(book), encoding="utf-8", newline="\n")
