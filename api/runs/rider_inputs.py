"""Reads the inputs of a run again for one rider, provided that their digests are unchanged."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from api.files.errors import InputError
from api.files.input_files import sha256_of
from api.files.readers import FileReader, read_events
from api.files.reading_options import ALL_IDS_KNOWN, Format, ReadingOptions
from api.runs.plan import AUTO, deployment_document, plan_books
from rules.book import Book
from rules.compile import Program, compile_books
from rules.errors import BookError, Fault
from rules.ids import NO_PLATFORM
from scoring.explain_facts import KnownEvents, known_events
from scoring.prepare import Schedule, schedule_versions

FileRow = tuple[str, int]


@dataclass(frozen=True, slots=True)
class RiderInputs:
    """A rider's events as far as they are at hand, and what a person should know about it."""

    known: KnownEvents | None
    notes: tuple[Fault, ...]


def reread_inputs(
    run: Mapping[str, Any], books: Mapping[str, Book], rider: str, rejected: Collection[FileRow] = frozenset()
) -> RiderInputs:
    """Read the inputs named in `run.json` again and keep one rider's rows.

    Parameters
    ----------
    run
        The content of `run.json`.
    books
        The ledger's books by digest.
    rejected
        File and row of what the run left out.
    """
    paths, notes = _unchanged(run["inputs"])
    chosen = _schedule(run, books)
    if chosen is None:
        return RiderInputs(None, (*notes, Fault("input_deployment", file=str(run.get("book")), severity="warning")))
    if not paths or (run["format"] == "mdrp" and notes):
        return RiderInputs(None, tuple(notes))
    try:
        table = _accepted(_rows(paths, run, rider), rejected)
    except InputError as error:
        return RiderInputs(None, (*notes, *error.faults))
    is_whole = run.get("carried") is None
    if not is_whole:
        notes.append(Fault("input_history", file=str(run["inputs"][0]["path"]), severity="warning"))
    program, schedule = chosen
    return RiderInputs(known_events(program, schedule, table, is_whole=is_whole), tuple(notes))


def _unchanged(inputs: list[Mapping[str, Any]]) -> tuple[list[Path], list[Fault]]:
    """The inputs that are still the same bytes, and a note for each of the others."""
    paths: list[Path] = []
    notes: list[Fault] = []
    for entry in inputs:
        path = Path(entry["path"])
        if not path.is_file():
            notes.append(Fault("input_gone", file=str(path), severity="warning"))
        elif sha256_of(path) != entry["sha256"]:
            notes.append(Fault("input_changed", file=str(path), severity="warning"))
        else:
            paths.append(path)
    return paths, notes


def _schedule(run: Mapping[str, Any], books: Mapping[str, Book]) -> tuple[Program, Schedule] | None:
    """Books and schedule of the run; None where they can no longer be known."""
    table = run.get("deployment")
    if run.get("book") == AUTO or table is not None:
        try:
            platform = str(run.get("platform", NO_PLATFORM))
            chosen = plan_books(str(run["book"]), tuple(books.values()), platform=platform, takes_city=lambda _: True)
        except BookError:
            return None
        known = {book.digest for book in chosen.program.books}
        same = known == set(books) and deployment_document(chosen) == table
        return (chosen.program, chosen.schedule) if same else None
    named = [books[book["digest"]] for book in run["books"] if book["digest"] in books]
    if not named:
        return None
    program = compile_books(named)
    positions = [position for position, book in enumerate(named) if book.id == named[0].id]
    return program, schedule_versions(program, positions)


def _rows(paths: list[Path], run: Mapping[str, Any], rider: str) -> pa.Table:
    format_: Format = run["format"]
    if format_ == "mdrp":
        # An instance and its solution are named by their folders.
        paths = list(dict.fromkeys(path.parent for path in paths))
        inputs = read_events(
            paths, format_, time_zone=run["time_zone"], reading=ReadingOptions(known_ids=ALL_IDS_KNOWN)
        )
        return _of_rider(inputs.table, rider)
    options = run.get("reading") or {}
    # Which ids were taken, the rejects of the run say.
    reading = ReadingOptions(
        options.get("zone") or "",
        ignored=tuple(options.get("ignored_columns", ())),
        known_ids=ALL_IDS_KNOWN,
        quotes_as_they_are=bool(options.get("quotes_as_they_are")),
    )
    parts = [
        _of_rider(part.table, rider) for path in paths for _, part in FileReader(path, format_, reading=reading).parts()
    ]
    return pa.concat_tables(parts).unify_dictionaries()


def _accepted(table: pa.Table, rejected: Collection[FileRow]) -> pa.Table:
    """The rows that the run did not leave out."""
    if not rejected:
        return table
    places = zip(table.column("file").to_pylist(), table.column("row").to_pylist(), strict=True)
    return table.filter(pa.array([place not in rejected for place in places], pa.bool_()))


def _of_rider(table: pa.Table, rider: str) -> pa.Table:
    return table.filter(pc.equal(table.column("rider_id").cast(pa.string()), rider))
