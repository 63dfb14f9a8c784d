"""A carried state as a folder: what one run hands to the next, and the archive that corrections reach back into.

`state.json` (until when, slots), `riders.parquet`, `fades.parquet`, `orders.parquet`, `window.parquet` (recent events),
`written.parquet` (the entries that stand for them), `books/<digest>.toml`, and `archive/` with every event accepted.
 Books and rule ids are stored by name, so that any program that holds the books can go on.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from api.files.atomic import STATE_MARKER, atomic_folder, link, write_json, write_parquet
from api.files.canonical import TIME_NAMES
from api.files.errors import InputError
from api.runs.plan import Plan
from rules.book import Book
from rules.compile import Program
from rules.errors import Fault
from rules.events import KIND_CODE, KINDS
from rules.readings_0_1_0 import old_readings_until
from rules.shelf import find, to_toml
from scoring.carry import Carried, exchanged
from scoring.columns import ENTRY, I64, NO_TIME, Entries
from scoring.score import Scored, score
from scoring.state import FADE_DUE, ORDER_POINTS, RIDER_STATE, fresh_state

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


def _records(table: pa.Table, dtype: np.dtype[np.void]) -> np.ndarray:
    out = np.zeros(table.num_rows, dtype)
    for name in dtype.names or ():
        out[name] = table.column(name).to_numpy()
    return out


def _table(records: np.ndarray) -> pa.Table:
    return pa.table({name: np.ascontiguousarray(records[name]) for name in records.dtype.names or ()})


# Columns of events whose values hardly repeat.
_UNIQUE: Final = ("event_id", "order_id", "content", "row", *(f"{name}_us" for name in TIME_NAMES))


def _positions(program: Program, names: pa.ChunkedArray) -> I64:
    """Positions of digests in the program; null gives -1."""
    digests = pa.array([book.digest for book in program.books], pa.string())
    return pc.fill_null(pc.index_in(names.cast(pa.string()), digests), -1).to_numpy().astype(np.int64)


def load_state(stored: Stored, program: Program) -> Carried:
    """The carried state in the numbering of a program that holds its books.

    Raises
    ------
    InputError
        If a file of the folder is missing or torn.
    """
    try:
        return _load_state(stored, program)
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise InputError(Fault("state_unreadable", file=str(stored.folder), given=str(error))) from error


def _load_state(stored: Stored, program: Program) -> Carried:
    folder, header = stored.folder, stored.header
    riders = pq.read_table(folder / "riders.parquet")
    num_riders = riders.num_rows
    records = _records(
        riders.drop_columns(["book"]).append_column("book", pa.array(np.zeros(num_riders, np.int64))), RIDER_STATE
    )
    records["book"] = _positions(program, riders.column("book"))
    fresh = fresh_state(program, num_riders)
    fades = pq.read_table(folder / "fades.parquet")
    orders = pq.read_table(folder / "orders.parquet")
    slot_of = _slot_positions(header["slots"], program)
    fade_records = _records(
        fades.drop_columns(["book"]).append_column("book", pa.array(_positions(program, fades.column("book")))),
        FADE_DUE,
    )
    order_records = _records(orders, ORDER_POINTS)
    order_records["slot"] = slot_of[order_records["slot"]]
    alive = order_records["slot"] >= 0
    sums = np.array(riders.column("day_sum_mp").to_pylist(), np.int64).reshape(num_riders, len(header["slots"]), 2)
    for old, new in enumerate(slot_of[: len(header["slots"])]):
        if new >= 0:
            fresh.day_sum_mp[:, new] = sums[:, old]
    counts = np.array(riders.column("month_count").to_pylist(), np.int64).reshape(num_riders, len(header["counted"]))
    for old, kind in enumerate(header["counted"]):
        new = program.tables.nth_slot[KIND_CODE[kind]]
        if new >= 0:
            fresh.month_count[:, new] = counts[:, old]
    state = fresh._replace(
        riders=records,
        fade_start=_starts(fades.column("rider").to_numpy(), num_riders),
        fades=fade_records,
        order_start=_starts(orders.column("rider").to_numpy()[alive], num_riders),
        orders=order_records[alive],
    )
    window = pq.read_table(folder / "window.parquet")
    window = window.set_column(
        window.schema.get_field_index("book"), "book", pa.array(_positions(program, window.column("book")))
    )
    return Carried(
        until_us=header["until_us"],
        keep_us=header["keep_us"],
        riders=riders.column("rider_id").combine_chunks(),
        city=riders.column("city").combine_chunks(),
        rider_kind=riders.column("rider_kind").to_numpy(),
        base=state,
        faded=pa.array(header["faded"], pa.string()),
        score_mp=riders.column("head_score_mp").to_numpy(),
        seq=riders.column("seq").to_numpy(),
        window=window,
        written=_stored_entries(pq.read_table(folder / "written.parquet"), program),
    )


def _slot_positions(slots: list[int], program: Program) -> I64:
    """Where each stored slot of sums stands in a program (-1: not summed any more); one more for safe look-up."""
    own = program.tables.slots["kinds"].tolist()
    return np.array([own.index(kinds) if kinds in own else -1 for kinds in slots] + [-1], np.int64)


def _starts(rider: np.ndarray, num_riders: int) -> I64:
    return np.searchsorted(rider, np.arange(num_riders + 1)).astype(np.int64)


def _entry_table(entries: Entries, program: Program) -> pa.Table:
    """Entries with books and rule ids by name."""
    labels = pa.array(program.labels, pa.string()).take(pa.array(entries["label"]))
    return (
        _table(entries)
        .drop_columns(["book", "label"])
        .append_column("book", _digest_column(program, entries["book"]))
        .append_column("label", labels)
    )


def _stored_entries(table: pa.Table, program: Program) -> Entries:
    out = np.zeros(table.num_rows, ENTRY)
    for name in ENTRY.names or ():
        if name == "nth" and name not in table.column_names:
            continue
        if name == "book":
            out[name] = _positions(program, table.column(name))
        elif name == "label":
            out[name] = pc.index_in(table.column(name), pa.array(program.labels, pa.string())).to_numpy()
        else:
            out[name] = table.column(name).to_numpy()
    return out


def _digest_column(program: Program, book: np.ndarray) -> pa.Array:
    digests = [book.digest for book in program.books]
    return pa.array(digests, pa.string()).take(pa.array(book, mask=book < 0))


def _rows(values: I64) -> list[list[int]]:
    """One flat list per rider."""
    return values.reshape(values.shape[0], math.prod(values.shape[1:])).tolist()


def _list_table(records: np.ndarray, starts: I64, program: Program) -> pa.Table:
    rider = np.repeat(np.arange(starts.size - 1), np.diff(starts))
    table = _table(records).append_column("rider", pa.array(rider))
    if "book" in table.column_names:
        table = table.drop_columns(["book"]).append_column("book", _digest_column(program, records["book"]))
    return table


def save_state(folder: Path, scored: Scored, before: Stored | None) -> None:
    """Replace a state folder at once by what a run hands on.

    Parameters
    ----------
    before
        The folder's header as it was read, None for a first run.
    """
    carried, program = scored.carried, scored.program
    base = carried.base
    with atomic_folder(folder, marker=HEADER) as target:
        riders = _table(base.riders).drop_columns(["book"])
        riders = (
            riders.append_column("rider_id", carried.riders.cast(pa.string()))
            .append_column("city", carried.city.cast(pa.string()))
            .append_column("rider_kind", pa.array(carried.rider_kind))
            .append_column("book", _digest_column(program, base.riders["book"]))
            .append_column("head_score_mp", pa.array(carried.score_mp))
            .append_column("seq", pa.array(carried.seq))
            .append_column("day_sum_mp", pa.array(_rows(base.day_sum_mp), pa.list_(pa.int64())))
            .append_column("month_count", pa.array(_rows(base.month_count), pa.list_(pa.int64())))
        )
        write_parquet(target / "riders.parquet", riders)
        write_parquet(target / "fades.parquet", _list_table(base.fades, base.fade_start, program))
        write_parquet(target / "orders.parquet", _list_table(base.orders, base.order_start, program))
        write_parquet(target / "written.parquet", _entry_table(carried.written, program))
        window = carried.window
        at = window.schema.get_field_index("book")
        books = _digest_column(program, window.column("book").to_numpy())
        write_parquet(target / "window.parquet", window.set_column(at, "book", books), _UNIQUE)
        for book in program.books:
            path = target / "books" / f"{book.digest}.toml"
            path.parent.mkdir(exist_ok=True)
            path.write_text(to_toml(book), encoding="utf-8", newline="\n")
        _archive(target / "archive", scored, before)
        nth = program.tables.nth_slot
        counted = sorted((int(slot), kind) for kind, slot in zip(KINDS, nth, strict=True) if slot >= 0)
        write_json(
            target / HEADER,
            {
                "format": FORMAT,
                "until_us": carried.until_us,
                "keep_us": carried.keep_us,
                "old_until_us": old_readings_until(program),
                "books": [book.digest for book in program.books],
                "slots": program.tables.slots["kinds"].tolist(),
                "counted": [kind for _, kind in counted],
                "faded": carried.faded.to_pylist(),
            },
        )


def _archive(folder: Path, scored: Scored, before: Stored | None) -> None:
    """Keep every event ever accepted: earlier files by link, this run's new rows as one more."""
    folder.mkdir()
    if before is not None:
        for path in archive_files(before.folder):
            link(path, folder / path.name)
    rows = np.flatnonzero(scored.intake.is_new == 1)
    if not rows.size:
        return
    digests = _digest_column(scored.program, scored.intake.events["book"][rows])
    events = scored.intake.rows(rows).append_column("book", digests)
    write_parquet(folder / f"{len(list(folder.iterdir())):05d}.parquet", events, _UNIQUE)


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


def reach_back(carried: Carried, stored: Stored, table: pa.Table, chosen: Plan) -> Carried:
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
    books = _positions(chosen.program, rows.column("book"))
    whole = score(
        chosen.program, chosen.schedule, rows.drop_columns(["book"]), None, carried.until_us, NO_TIME, books
    ).carried
    return exchanged(carried, whole, fresh_state(chosen.program, len(carried.riders)))
