"""A carried state as a folder: what one run hands to the next, and the archive that corrections reach back into.

`state.json` (until when, slots), `riders.parquet`, `fades.parquet`, `orders.parquet`, `window.parquet` (recent events),
`written.parquet` (the entries that stand for them), `books/<digest>.toml`, and `archive/` with every event accepted.
What the tables hold, and how positions become those of a program that holds the books, is `scoring`'s.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from api.files.atomic import STATE_MARKER, atomic_folder, link_or_copy, write_json
from api.files.canonical import TIME_NAMES
from api.files.errors import InputError
from api.files.parquet_files import PLAIN_PACKING, ColumnPacking, Origin, write_parquet
from api.runs.plan import RunPlan
from rules.book import Book
from rules.compile import Program
from rules.errors import Fault
from rules.readings_0_1_0 import old_readings_until
from rules.shelf import find, to_toml
from scoring.carried_tables import TABLES, carried_of, tables_of
from scoring.carry import Carried, with_histories
from scoring.columns import NO_TIME
from scoring.layout import StateLayout, layout_of, renumbered
from scoring.score import ScoredRun, score

HEADER = STATE_MARKER
FORMAT = 3
# Version 0.1.0 wrote format 2.
READABLE = (2, FORMAT)


@dataclass(frozen=True, slots=True)
class Stored:
    """The header of a state folder: enough to choose the program before the rest is read."""

    folder: Path
    header: dict[str, Any]
    books: tuple[Book, ...]

    @property
    def old_until_us(self) -> int | None:
        """Up to when version 0.1.0 wrote the ledger (`rules.readings_0_1_0`): all of it, where it wrote the state."""
        if self.header["format"] == FORMAT:
            return self.header["old_until_us"]
        until_us = self.header["until_us"]
        return int(until_us) if until_us > NO_TIME else None


def open_state(folder: Path) -> Stored | None:
    """The header of a state folder; None where there is none yet.

    Raises
    ------
    InputError
        If the folder is there but is no state.
    """
    path = folder / HEADER
    if not path.exists():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(Fault("state_unreadable", file=str(folder), given=HEADER))
        return None
    try:
        header = json.loads(path.read_text(encoding="utf-8"))
        if header["format"] not in READABLE:
            raise InputError(Fault("state_unreadable", file=str(path), key="format", given=str(header["format"])))
        books = tuple(find(str(folder / "books" / f"{digest}.toml"))[0] for digest in header["books"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(Fault("state_unreadable", file=str(path), given=str(error))) from error
    return Stored(folder, header, books)


# Columns of events whose values hardly repeat.
EVENT_PACKING: Final = ColumnPacking(
    unique=("event_id", "order_id", "content", "row"), stepwise=tuple(f"{name}_us" for name in TIME_NAMES)
)


def load_state(stored: Stored, program: Program) -> Carried:
    """The carried state in the numbering of a program that holds its books.

    Raises
    ------
    InputError
        If a file of the folder is missing or torn.
    """
    try:
        carried, layout = read_tables(stored)
        return renumbered(carried, layout, layout_of(program))
    except (OSError, pa.ArrowException, KeyError, IndexError, ValueError) as error:
        raise InputError(Fault("state_unreadable", file=str(stored.folder), given=str(error))) from error


def read_tables(stored: Stored) -> tuple[Carried, StateLayout]:
    """The carried state of a folder in the layout that the folder names."""
    header = stored.header
    tables = {name: pq.read_table(stored.folder / f"{name}.parquet") for name in TABLES}
    return carried_of(
        tables, header["books"], header["slots"], header["counted"], header["until_us"], header["keep_us"],
        header["faded"],
    )  # fmt: skip


def write_tables(folder: Path, carried: Carried, layout: StateLayout, origin: Origin) -> None:
    """The carried state as the files of a folder."""
    for name, table in tables_of(carried, layout).items():
        write_parquet(folder / f"{name}.parquet", table, origin, EVENT_PACKING if name == "window" else PLAIN_PACKING)


def write_books(folder: Path, books: Sequence[Book]) -> None:
    """The books of a state, by digest."""
    for book in books:
        path = folder / "books" / f"{book.digest}.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(to_toml(book), encoding="utf-8", newline="\n")


def save_state(folder: Path, scored: ScoredRun, before: Stored | None) -> None:
    """Replace a state folder at once by what a run hands on.

    Parameters
    ----------
    before
        The folder's header as it was read, None for a first run.
    """
    carried, program = scored.carried, scored.program
    layout = layout_of(program)
    origin = _origin(program.books)
    with atomic_folder(folder, marker=HEADER) as target:
        write_tables(target, carried, layout, origin)
        write_books(target, program.books)
        _archive(target / "archive", scored, before, origin)
        write_json(
            target / HEADER,
            {
                "format": FORMAT,
                "until_us": carried.until_us,
                "keep_us": carried.keep_us,
                "old_until_us": old_readings_until(program),
                "books": list(layout.books),
                "slots": list(layout.slots),
                "counted": list(layout.counted),
                "faded": carried.faded.to_pylist(),
            },
        )


def origin_of_state(stored: Stored) -> Origin:
    """What the files of a state say of where they come from."""
    return _origin(stored.books)


def _origin(books: tuple[Book, ...]) -> Origin:
    return Origin("score", books, books[0].model.time_zone if books else "")


def _archive(folder: Path, scored: ScoredRun, before: Stored | None, origin: Origin) -> None:
    """Keep every event ever accepted: earlier files by link, this run's new rows as one more."""
    folder.mkdir()
    if before is not None:
        for path in archive_files(before.folder):
            link_or_copy(path, folder / path.name)
    rows = np.flatnonzero(scored.prepared.is_new == 1)
    if not rows.size:
        return
    digests = pa.array([book.digest for book in scored.program.books], pa.string())
    books = digests.take(pa.array(scored.prepared.events["book"][rows]))
    events = scored.prepared.rows(rows).append_column("book", books)
    write_parquet(folder / f"{len(list(folder.iterdir())):05d}.parquet", events, origin, EVENT_PACKING)


def archive_files(folder: Path) -> list[Path]:
    """Files of a state's archive, oldest first: one a run that accepted events, rows by rider."""
    return sorted((folder / "archive").glob("*.parquet"))


def _reaching_back(table: pa.Table, window: pa.Table) -> pa.Table:
    """(rider_id, event_id) that control events name and that neither the new rows nor the window hold."""
    # Rows kept as context are scored for good: what is about them reaches back, too.
    folded = window.filter(pc.equal(window.column("context"), 0))
    at_hand = pa.concat_tables([one.select(["rider_id", "event_id"]).cast(_KEY) for one in (table, folded)])
    # So does what is about a correction whose own event has left the window.
    dangling = _controls(folded).join(at_hand, ["rider_id", "ref"], ["rider_id", "event_id"], join_type="left anti")
    at_hand = at_hand.join(dangling, ["rider_id", "event_id"], join_type="left anti")
    wanted = _controls(table).select(["rider_id", "ref"]).rename_columns(["rider_id", "event_id"])
    return wanted.join(at_hand, ["rider_id", "event_id"], join_type="left anti")


_KEY = pa.schema([("rider_id", pa.string()), ("event_id", pa.string())])


def _controls(rows: pa.Table) -> pa.Table:
    """Corrections and upheld appeals: rider_id, event_id, and the event they are about (`ref`)."""
    found = rows.filter(pc.is_in(rows.column("kind"), pa.array(["correction", "appeal_upheld"])))
    names = ["rider_id", "event_id", "ref_event_id"]
    return (
        found.select(names)
        .cast(_KEY.append(pa.field("ref_event_id", pa.string())))
        .rename_columns(["rider_id", "event_id", "ref"])
    )


def reach_back(carried: Carried, stored: Stored, table: pa.Table, chosen: RunPlan) -> Carried:
    """Reload riders whose corrections or appeals are about events that have left the window.

    Their whole history is folded again from the archive, so that what such a late word changes can be told from
    what it does not. All other riders stay as they were carried.
    """
    missing = _reaching_back(table, carried.window)
    if not missing.num_rows:
        return carried
    files = archive_files(stored.folder)
    found = [pq.read_table(path, filters=pc.field("event_id").isin(missing.column("event_id"))) for path in files]
    known = pa.concat_tables(found).select(["rider_id", "event_id"]).cast(_KEY) if found else missing.slice(0, 0)
    riders = pc.unique(known.join(missing, ["rider_id", "event_id"], join_type="inner").column("rider_id"))
    if not len(riders):
        return carried
    rows = pa.concat_tables([pq.read_table(path, filters=pc.field("rider_id").isin(riders)) for path in files])
    digests = pa.array([book.digest for book in chosen.program.books], pa.string())
    books = pc.index_in(rows.column("book").cast(pa.string()), digests).to_numpy()
    whole = score(
        chosen.program, chosen.schedule, rows.drop_columns(["book"]), None, carried.until_us, NO_TIME, books
    ).carried
    return with_histories(carried, whole)
