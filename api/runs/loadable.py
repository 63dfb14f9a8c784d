"""A scored ledger with the state that was handed on beside it, part by part, as a database takes it in.

A ledger of one piece goes with a state of one piece, a ledger in parts with a state in as many buckets. What does not
belong together is refused before anything is written.
"""

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from api.files.atomic import STATE_MARKER
from api.files.errors import InputError
from api.runs.bucketed_run import bucket_folder, buckets_of_state
from api.runs.ledger_files import RUN, num_parts, read_ledgers
from api.runs.plan import AUTO
from api.runs.state_files import Stored, archive_files, load_state, open_state
from rules.book import Book
from rules.calendar import calendar
from rules.compile import Program, compile_books
from rules.deployment import Deploy
from rules.errors import Fault
from rules.readings_0_1_0 import with_old_readings
from scoring.carry import Carried
from scoring.columns import EVENT_SCHEMA, I64, NO_TIME


class EventArchive:
    """Events that a state's riders ever had, the newest run's first.

    Parameters
    ----------
    files
        Of the state's archive, oldest first; rows by rider.
    riders
        The state's, ascending.
    """

    def __init__(self, files: list[Path], riders: pa.Array) -> None:
        self._files = files[::-1]
        self._riders = riders
        self._read: list[tuple[pa.Table, I64]] = []
        self._turn = Lock()

    def runs(self, first: int, stop: int) -> Iterator[pa.Table]:
        """Events of riders `first … stop − 1`, run by run backwards: `EVENT_SCHEMA` and `book` (digest).

        Each file is read when it is first reached: who stops early reads no more than that.
        """
        for k, path in enumerate(self._files):
            # Blocks of riders may be loaded side by side.
            with self._turn:
                if k == len(self._read):
                    rows = pq.read_table(path).select([*EVENT_SCHEMA.names, "book"])
                    self._read.append(_by_rider(rows, self._riders))
            table, start = self._read[k]
            yield table.slice(start[first], start[stop] - start[first])


@dataclass(frozen=True, slots=True)
class LoadablePart:
    """Some riders of a ledger, whole, and what the next run needs of them.

    Parameters
    ----------
    before_us
        How far the run before had come; `NO_TIME` for a first run.
    carried
        What was handed on; R riders.
    entries, start
        `ENTRY_SCHEMA` by rider and number; lines of rider r of `carried.riders` are `start[r]:start[r + 1]`.
    """

    ledger: Path
    program: Program
    before_us: int
    carried: Carried
    entries: pa.Table
    start: I64
    archive: EventArchive


def books_of_state(state: Path) -> tuple[Book, ...]:
    """The books that a state names.

    Raises
    ------
    InputError
        If there is no state, or it cannot be read.
    """
    return _buckets(state)[0].books


def places_of_ledger(ledger: Path, state: Path) -> tuple[Deploy, ...]:
    """Which books judged in the cities of a ledger's events, from when: as its run names them, else as its events show.

    Raises
    ------
    InputError
        If either cannot be read.
    """
    run = json.loads((ledger / RUN).read_text(encoding="utf-8"))
    books_by_place = _judged(state)
    if run.get("places") is not None:
        rows = (Deploy.model_validate(row | {"from": dt.date.fromisoformat(row["from"])}) for row in run["places"])
        return tuple(row for row in rows if (row.city, row.rider_kind) in books_by_place)
    is_table = run["book"] == AUTO or run.get("deployment") is not None
    first_book = next((book for book in run["books"]), None)
    if first_book is not None and not is_table:
        # One book judged everybody: from its first day on, whatever the first event was.
        first = min(book["effective_from"] for book in run["books"] if book["id"] == first_book["id"])
        return tuple(
            _row(ledger, *place, first_book["id"], dt.date.fromisoformat(first)) for place in sorted(books_by_place)
        )
    return tuple(
        _row(ledger, *place, book, day) for place, rows in sorted(books_by_place.items()) for book, day in rows
    )


def _row(ledger: Path, city: str, rider_kind: str, book: str, day: dt.date) -> Deploy:
    named = {"city": city, "rider_kind": rider_kind, "book": book, "from": day}
    return Deploy.model_validate(named | {"source": f"ledger {ledger.name}", "confidence": "ours"})


def _judged(state: Path) -> dict[tuple[str, str], list[tuple[str, dt.date]]]:
    """For each city and kind of riders of the events of a state the books that judged, each from its first event's day."""
    first: dict[tuple[str, str, str], int] = {}
    for stored in _buckets(state):
        for path in archive_files(stored.folder):
            table = pq.read_table(path, columns=["city", "rider_kind", "book", "occurred_us"])
            plain = [table[name].cast(pa.string()) for name in table.column_names[:3]] + [table["occurred_us"]]
            table = pa.Table.from_arrays(plain, table.column_names)
            for city, kind, book, at_us in _firsts(table):
                first[city, kind, book] = min(first.get((city, kind, book), at_us), at_us)
    books = {book.digest: book for stored in _buckets(state) for book in stored.books}
    books_by_place: dict[tuple[str, str], list[tuple[str, dt.date]]] = {}
    for (city, kind, digest), at_us in sorted(first.items(), key=lambda item: item[1]):
        model = books[digest].model
        rows = books_by_place.setdefault((city, kind), [])
        day = max(calendar(model.time_zone, model.day_starts).date_of(at_us), model.effective_from)
        if not rows or (rows[-1][0] != model.id and rows[-1][1] < day):
            rows.append((model.id, day))
    return books_by_place


def _firsts(table: pa.Table) -> Iterator[tuple[str, str, str, int]]:
    """City, kind, book and the earliest event of each."""
    grouped = table.group_by(["city", "rider_kind", "book"]).aggregate([("occurred_us", "min")])
    names = ("city", "rider_kind", "book", "occurred_us_min")
    yield from zip(*(grouped[name].to_pylist() for name in names), strict=True)


def _buckets(state: Path) -> list[Stored]:
    number = buckets_of_state(state)
    folders = [state] if number is None else [bucket_folder(state, k) for k in range(number)]
    states_by_folder = [(folder, open_state(folder)) for folder in folders]
    stored = [state_found for _, state_found in states_by_folder if state_found is not None]
    if len(stored) < len(states_by_folder):
        missing = next(folder for folder, state_found in states_by_folder if state_found is None)
        raise InputError(Fault("ledger_missing", file=str(missing / STATE_MARKER)))
    return stored


def loadable_parts(ledger: Path, state: Path) -> Iterator[LoadablePart]:
    """A ledger and the state that the same run wrote, part by part.

    Raises
    ------
    InputError
        If either cannot be read, or if they are not of the same run.
    """
    stored = _buckets(state)
    other = InputError(Fault("load_other_run", file=str(ledger), given=str(state)))
    if num_parts(ledger) != len(stored):
        raise other
    program = with_old_readings(compile_books(list(stored[0].books)), stored[0].old_until_us)
    for ledger_part, stored_state in zip(read_ledgers(ledger), stored, strict=True):
        if ledger_part.run.get("as_of_us") != (
            stored_state.header["until_us"] if stored_state.header["until_us"] > NO_TIME else None
        ):
            raise other
        carried = load_state(stored_state, program)
        if set(ledger_part.riders["rider_id"].to_pylist()) != set(carried.riders.to_pylist()):
            raise other
        entries, start = _by_rider(ledger_part.entries, carried.riders, "seq")
        if not _ends_in(entries, start, carried):
            raise other
        before = ledger_part.run.get("carried")
        before_us = NO_TIME if before is None else int(before["until_us"])
        archive = EventArchive(archive_files(stored_state.folder), carried.riders)
        yield LoadablePart(ledger, program, before_us, carried, entries, start, archive)


def num_riders(ledger: Path) -> int:
    """How many riders a ledger that can be read says it has."""
    return int(json.loads((ledger / RUN).read_text(encoding="utf-8"))["counts"]["riders"])


def _by_rider(table: pa.Table, riders: pa.Array, then: str | None = None) -> tuple[pa.Table, I64]:
    """Rows in order of riders (and of a column); where each rider's begin. Riders that are not known come last."""
    place = pc.fill_null(pc.index_in(table["rider_id"].cast(pa.string()), riders), len(riders)).to_numpy()
    keys = (place,) if then is None else (table[then].to_numpy(), place)
    order = np.lexsort(keys)
    if not np.array_equal(order, np.arange(order.size)):
        table, place = table.take(pa.array(order)), place[order]
    return table, np.searchsorted(place, np.arange(len(riders) + 1)).astype(np.int64)


def _ends_in(entries: pa.Table, start: I64, carried: Carried) -> bool:
    """Whether the lines are those of the state's riders, without a gap, and end where the state says."""
    if int(start[-1]) != entries.num_rows:
        return False
    has_entries = np.flatnonzero(np.diff(start))
    seq, score_mp = entries["seq"].to_numpy(), entries["score_after_mp"].to_numpy()
    last = start[1:][has_entries] - 1
    steps = np.diff(seq) == 1
    steps[start[has_entries][1:] - 1] = True
    ends = np.array_equal(seq[last], carried.seq[has_entries]) and np.array_equal(
        score_mp[last], carried.score_mp[has_entries]
    )
    return bool(ends and steps.all())
