"""Inputs larger than memory: scored bucket by bucket of riders, on all cores, resumable after a kill.

files (units) → rows by bucket, spilled → each bucket scored as a run of its own → parts of the ledger → the directory, at once

What is done stands in a work folder beside the output: a spill or a part is there whole or not at all, and a run that
was killed goes on from there. Rows of one rider meet in one bucket, so the lines are those of one run over everything.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from api.files.atomic import MARKER, STATE_MARKER, check_places, link, write_json, write_ndjson, write_parquet
from api.files.errors import InputError
from api.files.folder_lock import claimed
from api.files.input_files import sha256_of
from api.files.input_slices import UNIT_ROWS, inputs_read, units_of, warnings_of
from api.files.readers import Format, event_files, notes_of
from api.files.reading_options import AS_IT_IS, Reading
from api.files.rejects import place_of, rejects_by_scoring
from api.runs.engines import EngineName, engine
from api.runs.outcome import NothingReadError, lines_of, need_same_command, need_some
from api.runs.partition import num_rows_of, partition, write_rejects
from api.runs.plan import deployment_named, places_named, plan
from api.runs.run import PLATFORM, Progress, Stopwatch, no_progress, write_books
from api.runs.spill import read_bucket
from api.runs.state_files import load_state, open_state, reach_back, save_state
from api.runs.state_ids import city_taker
from api.runs.state_split import split_state
from api.runs.work_folder import Lake, assembled, digest_of, discard, identity_of, open_work, stage_done, sweep, work_of
from rules.errors import Fault
from rules.readings_0_1_0 import old_readings_until
from scoring.columns import NO_TIME
from scoring.ledger import RANDOM, UNIQUE, entries_table, riders_table
from scoring.score import score
from scoring.unknown_kitchens import UnknownKitchen, unknown_kitchen

# Runs of fewer rows are scored in one piece, in memory, into single files.
IN_MEMORY_ROWS: Final = 4_000_000
# About 1 kB of memory a row while a bucket is scored.
BUCKET_ROWS: Final = 1_000_000
_ENTRIES, _RIDERS, _REJECTS = "entries.parquet", "riders.parquet", "rejects.ndjson"


@dataclass(frozen=True, slots=True)
class LakeRun:
    """What a run did: its `run.json`, and what a person should know."""

    document: dict[str, Any]
    warnings: tuple[Fault, ...]


def bucket_folder(state: Path, bucket: int) -> Path:
    """One bucket's state in a state folder."""
    return state / f"bucket-{bucket:05d}"


def is_lake(paths: Sequence[Path], format: Format, state: Path | None) -> bool:
    """Whether a run is scored by buckets: more rows than fit into memory at once, or a state that is kept by buckets."""
    if format == "mdrp":
        return False
    if state is not None and buckets_of_state(state) is not None:
        return True
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
    unit_rows: int = UNIT_ROWS,
    engine_name: EngineName = "local",
    num_workers: int | None = None,
    address: str | None = None,
    platform: str = PLATFORM,
    reading: Reading = AS_IT_IS,
    replace: bool = False,
    progress: Progress = no_progress,
) -> LakeRun:
    """Score files of any size into a ledger directory whose Parquet files are folders of parts.

    Parameters
    ----------
    bucket_rows, unit_rows
        About how many rows are in memory at once, per worker, and how many of a Parquet file are one task of reading.
    engine_name, num_workers, address
        Where the work is done, as `api.runs.engines.engine` takes it; all workers must see the same files.
    platform
        Whose events these are; `run.json` names it.
    reading
        What was said about the files.
    replace
        `out` may hold a ledger of another book or of other input paths.

    Raises
    ------
    BookError, InputError
        If the books, the files or the places to write to cannot be used, another run holds these, or no row can be
        scored; nothing is written then.
    """
    watch = Stopwatch()
    check_places(paths, out, state)
    if not replace:
        need_same_command(out, "score", [reference], paths, platform)
    with claimed(out, state):
        lake = _lake(paths, reference, out, format, state, as_of_us, (bucket_rows, unit_rows), platform, reading)
        done = _finished(lake, out)
        if done is not None:
            return done
        lake = open_work(lake)
        watch.lap("books")
        with engine(engine_name, num_workers, address) as run:
            number = len(lake.units)
            units = stage_done(run, partition, lake, "units", number, lambda done, all_: progress("read", done, all_))
            watch.lap("partition")
            final, pieces = _with_state(lake, units)
            stage_done(run, _split, final, "pieces", pieces, lambda _done, _all: None)
            watch.lap("state")
            number = lake.num_buckets
            parts = stage_done(run, _score, final, "parts", number, lambda done, all_: progress("score", done, all_))
            watch.lap("score")
        document = {"platform": platform, "paths": [str(path) for path in paths]} | _describe(final, units, parts)
        document["places"] = places_named(final.chosen)
        warnings = (*lake.chosen.notes, *notes_of(paths, format), *warnings_of(units))
        need_some_of(final, document)
        left = {"run": digest_of(lake), "warnings": [asdict(fault) for fault in warnings]}
        _put_in_place(final, out, document, watch, {"workers": seconds_of(units, parts)}, left)
    return LakeRun(document, warnings)


def _lake(
    paths: Sequence[Path], reference: str, out: Path, format: Format, state: Path | None, as_of_us: int | None,
    rows: tuple[int, int], platform: str, reading: Reading,
) -> Lake:  # fmt: skip
    """The run to be done: its files, books and buckets."""
    bucket_rows, unit_rows = rows
    files = event_files(paths, format)
    stored = None if state is None else open_state(_pieces(state)[0])
    also = ((), None) if stored is None else (stored.books, stored.old_until_us)
    chosen = plan(reference, *also, platform, city_taker(reading, state))
    windows = [] if stored is None or state is None else [piece / "window.parquet" for piece in _pieces(state)]
    wanted = max(1, -(-num_rows_of([*files, *windows]) // bucket_rows))
    before = None if state is None else buckets_of_state(state)
    # A bucket is split whole, so that riders of one bucket stay in buckets of their own.
    num_buckets = wanted if before is None else before * -(-wanted // before)
    kept = None if state is None else state.absolute()
    return Lake(
        work_of(out),
        tuple(file.absolute() for file in files),
        files,
        units_of(files, unit_rows),
        format,
        chosen,
        num_buckets,
        as_of_us,
        kept,
        _until_us(kept),
        None if kept is None else identity_of(kept),
        reading=reading,
    )


def _pieces(state: Path) -> list[Path]:
    """The state folders that a state consists of: itself, or one a bucket."""
    number = buckets_of_state(state)
    return [state] if number is None else [bucket_folder(state, k) for k in range(number)]


def _with_state(lake: Lake, units: Sequence[dict[str, Any]]) -> tuple[Lake, int]:
    """The lake as it is scored, knowing its newest event and where the state of its buckets is; pieces to be split."""
    newest_us = max([unit["newest_us"] for unit in units] + [lake.until_us])
    lake = replace(lake, as_of_us=newest_us if lake.as_of_us is None else max(lake.as_of_us, lake.until_us))
    if lake.state is None or lake.until_us == NO_TIME:
        return lake, 0
    pieces = buckets_of_state(lake.state)
    if pieces == lake.num_buckets:
        return replace(lake, carried=lake.state), 0
    return replace(lake, carried=lake.work / "carried"), pieces or 1


def _split(lake: Lake, piece: int) -> None:
    """Split one piece of the carried state into the run's buckets."""
    if lake.state is None or lake.carried is None:
        raise ValueError("there is no state to split")
    pieces = _pieces(lake.state)
    stored = open_state(pieces[piece])
    if stored is not None:
        buckets = range(piece, lake.num_buckets, len(pieces))
        split_state(stored, {k: bucket_folder(lake.carried, k) for k in buckets}, lake.num_buckets)
    write_json(lake.report("pieces", piece), {})


def _score(lake: Lake, bucket: int) -> None:
    """Score the riders of a bucket and write their share of the ledger."""
    watch = Stopwatch()
    chosen = lake.chosen
    table = read_bucket(lake.spills(), bucket, lake.num_buckets)
    watch.lap("read")
    stored = None if lake.carried is None else open_state(bucket_folder(lake.carried, bucket))
    carried = None
    if stored is not None:
        carried = reach_back(load_state(stored, chosen.program), stored, table, chosen)
        watch.lap("state")
    scored = score(chosen.program, chosen.schedule, table, carried, lake.as_of_us)
    rejects = sorted(rejects_by_scoring(table, scored.prepared), key=place_of)
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


def _describe(lake: Lake, units: Sequence[dict[str, Any]], parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """`run.json`, as `api.runs.run.describe_run` has it, from the reports."""
    rejected: Counter[str] = Counter()
    for report in (*units, *parts):
        rejected.update(report["rejected"])
    counts = {name: sum(part[name] for part in parts) for name in ("events", "entries", "riders")}
    counts["rejected"] = rejected.total()
    counts |= {name: sum(part[name] for part in parts) for name in ("repeated", "what_if", *UnknownKitchen._fields)}
    return {
        "command": "score",
        "format": lake.format,
        "time_zone": lake.chosen.time_zone,
        "reading": lake.reading.document(),
        "version": version("riderscore"),
        "book": lake.chosen.reference,
        "deployment": deployment_named(lake.chosen),
        "books": [
            {"id": book.id, "effective_from": book.model.effective_from.isoformat(), "digest": book.digest}
            for book in lake.chosen.program.books
        ],
        "as_of_us": lake.as_of_us if lake.as_of_us != NO_TIME else None,
        "old_readings_until_us": old_readings_until(lake.chosen.program),
        "inputs": inputs_read(lake.units, units),
        "counts": counts,
        "rejected": dict(sorted(rejected.items())),
        "warnings": [fault.describe("en") for fault in warnings_of(units)],
        "carried": None if lake.until_us == NO_TIME else {"until_us": lake.until_us},
        "parts": [{name: part[name] for name in ("events", "entries", "riders")} for part in parts],
    }


def need_some_of(lake: Lake, document: dict[str, Any]) -> None:
    """Refuse a run that scored nothing; its work is thrown away, else it would be taken up again."""
    counts = document["counts"]
    if counts["events"] + counts["repeated"]:
        return
    path = lake.work / _REJECTS
    write_rejects(lake, path)
    try:
        need_some(document, lines_of(path), may_be_quiet=lake.until_us != NO_TIME)
    except NothingReadError:
        discard(lake.work.parent)
        raise


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
            link(part, folder / name / part.name)
    write_rejects(lake, folder / _REJECTS)
    write_books(folder / "books", lake.chosen)


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
    lake: Lake, out: Path, document: dict[str, Any], watch: Stopwatch, workers: dict[str, Any], left: dict[str, Any]
) -> None:
    """The ledger, then the state, each at once; a run that is killed between them finds both done or goes on."""
    root = work_of(out)
    with assembled(root, out, MARKER) as folder:
        _assemble(lake, folder)
        watch.lap("write")
        document["seconds"] = watch.seconds | workers
        write_json(folder / MARKER, document)
    if lake.state is not None:
        _assemble_state(lake, root, lake.state, left | {"ledger": _identity_of(out)})
    discard(root)


def _identity_of(ledger: Path) -> list[str]:
    return [str(ledger.absolute()), sha256_of(ledger / MARKER)]


def _finished(lake: Lake, out: Path) -> LakeRun | None:
    """The very same run, where it has left its state and its ledger is there.

    Whoever was killed at the very end, or does not know it, asks for it again: what it has left must not be carried into
    it once more.
    """
    header = None if lake.state is None else _state_header(lake.state)
    made = None if header is None else header.get("made")
    if made is None or made["run"] != digest_of(lake) or not (out / MARKER).is_file():
        return None
    if made["ledger"] != _identity_of(out):
        return None
    sweep(lake.work)
    discard(lake.work)
    return LakeRun(json.loads((out / MARKER).read_text(encoding="utf-8")), warnings_of([made]))


def _assemble_state(lake: Lake, root: Path, state: Path, left: dict[str, Any]) -> None:
    """Replace the state folder at once by the buckets' new ones; `left` is what it says of the run."""
    with assembled(root, state, STATE_MARKER) as folder:
        for bucket in range(lake.num_buckets):
            made, place = bucket_folder(lake.work / "state", bucket), bucket_folder(folder, bucket)
            for path in sorted(made.rglob("*")):
                if path.is_file():
                    own = place / path.relative_to(made)
                    own.parent.mkdir(parents=True, exist_ok=True)
                    link(path, own)
        header = {"buckets": lake.num_buckets, "until_us": lake.as_of_us, "made": left}
        write_json(folder / STATE_MARKER, header)
