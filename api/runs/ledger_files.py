"""A ledger directory as `riderscore score` writes it, read back; anything else is refused with what is missing.

Large runs write `entries.parquet` and `riders.parquet` as folders of parts: part k holds all lines of its riders.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from api.files.errors import InputError
from api.files.parquet_files import SCHEMA_VERSION, metadata_of
from rules.book import Book
from rules.errors import BookError, Fault
from rules.shelf import find
from scoring.invariants import Ledger
from scoring.ledger_columns import ENTRY_FILE_SCHEMA, ENTRY_SCHEMA, OF_LINE, RIDER_COLUMNS, STATED

ENTRIES: Final = "entries.parquet"
RIDERS: Final = "riders.parquet"
REJECTS: Final = "rejects.ndjson"
RUN: Final = "run.json"
# Ledgers of 0.1.0 have no digest of events, and no check reads the city.
_UNREAD: Final = ("city", "events_digest")
RIDER_TYPES: Final[dict[str, pa.DataType]] = {
    column.name: column.type for column in RIDER_COLUMNS if column.name not in _UNREAD
}


def read_ledger(folder: Path, *, rider: str | None = None) -> Ledger:
    """A ledger from its directory, all of it in memory.

    Parameters
    ----------
    rider
        Read the rows of one rider only.

    Raises
    ------
    InputError
        With every file that is missing or cannot be read.
    """
    _need_files(folder)
    rows = None if rider is None else [("rider_id", "==", rider)]
    entries, stated = _entries(folder / ENTRIES, rows)
    riders = _table(folder / RIDERS, RIDER_TYPES, rows)
    books, run = _books(folder / "books"), _run(folder / RUN)
    return Ledger(entries, riders, books, run, _num_lines(folder / REJECTS), stated=stated)


def read_ledgers(folder: Path) -> Iterator[Ledger]:
    """A ledger part by part, each with its share of the counts; a ledger of one piece is one part.

    Raises
    ------
    InputError
        With every file that is missing or cannot be read.
    """
    _need_files(folder)
    run = _run(folder / RUN)
    if (folder / ENTRIES).is_file():
        yield read_ledger(folder)
        return
    books, shares = _books(folder / "books"), run.get("parts")
    names = sorted({path.name for name in (ENTRIES, RIDERS) for path in (folder / name).glob("*.parquet")})
    if not isinstance(shares, list) or len(shares) != len(names):
        raise InputError(Fault("ledger_unreadable", file=str(folder / RUN), key="parts", given=str(len(names))))
    for name, share in zip(names, shares, strict=True):
        run_of_part = run | {"counts": share | {"rejected": 0}, "rejected": {}}
        entries, stated = _entries(folder / ENTRIES / name, None)
        riders = _table(folder / RIDERS / name, RIDER_TYPES, None)
        yield Ledger(entries, riders, books, run_of_part, 0, stated=stated)


def num_parts(folder: Path) -> int:
    """In how many parts a ledger stands, 1 where it is of one piece.

    Raises
    ------
    InputError
        With every file that is missing.
    """
    _need_files(folder)
    return 1 if (folder / ENTRIES).is_file() else len(list((folder / ENTRIES).glob("*.parquet")))


def wrong_counts(folder: Path) -> list[tuple[str, int, object]]:
    """Counts of a ledger in parts that are not the sum of its parts: name, what it should be, what `run.json` says."""
    run = _run(folder / RUN)
    if (folder / ENTRIES).is_file():
        return []
    lines = _num_lines(folder / REJECTS)
    expected = {f"counts.{name}": sum(share[name] for share in run["parts"]) for name in ("entries", "riders")}
    expected |= {"counts.rejected": lines, "rejected": lines}
    stated = {f"counts.{name}": number for name, number in run["counts"].items()}
    stated["rejected"] = sum(run["rejected"].values())
    return [(name, number, stated.get(name)) for name, number in expected.items() if stated.get(name) != number]


_FILE_COLUMNS: Final = {field.name: field.type for field in ENTRY_FILE_SCHEMA}
# In ledgers of 0.1.0 each line states the lateness of its event.
_COLUMNS_0_1_0: Final = {field.name: field.type for field in ENTRY_SCHEMA}


def _need_files(folder: Path) -> None:
    faults = [
        Fault("ledger_missing", file=str(folder / name))
        for name in (ENTRIES, RIDERS, RUN, REJECTS)
        if not (folder / name).is_file() and not (name in (ENTRIES, RIDERS) and (folder / name).is_dir())
    ]
    if faults:
        raise InputError(*faults)


def _entries(path: Path, rows: list[tuple[str, str, str]] | None) -> tuple[pa.Table, pa.Table | None]:
    """Lines as they are in memory, and what the file states beside them: once for each event."""
    if _is_of_0_1_0(path):
        return _table(path, _COLUMNS_0_1_0, rows), None
    table = _table(path, _FILE_COLUMNS, rows)
    lines = table.select([OF_LINE.get(name, name) for name in ENTRY_SCHEMA.names]).rename_columns(ENTRY_SCHEMA.names)
    return lines, table.select(STATED)


def _is_of_0_1_0(path: Path) -> bool:
    """Whether a file, or the first part of a folder of them, neither names a version nor has the columns that came with it."""
    try:
        first = path if path.is_file() else min(path.glob("*.parquet"), default=path)
        version = metadata_of(first).get("schema_version")
        if version is not None and not (version.isdecimal() and int(version) <= SCHEMA_VERSION):
            raise InputError(Fault("ledger_newer", file=str(path), given=version, allowed=f"≤ {SCHEMA_VERSION}"))
        return version is None and not {*OF_LINE.values()} & {*pq.read_schema(first).names}
    except (OSError, pa.ArrowException) as error:
        raise InputError(Fault("ledger_unreadable", file=str(path), given=str(error).splitlines()[0])) from None


def _table(path: Path, columns: dict[str, pa.DataType], rows: list[tuple[str, str, str]] | None) -> pa.Table:
    """A Parquet file whose columns can be taken as the types given."""
    try:
        words = [name for name, kind in columns.items() if pa.types.is_dictionary(kind)]
        table = pq.read_table(path, filters=rows, read_dictionary=words)
    except (OSError, pa.ArrowException) as error:
        raise InputError(Fault("ledger_unreadable", file=str(path), given=str(error).splitlines()[0])) from None
    faults = []
    for name, wanted in columns.items():
        if name not in table.column_names:
            faults.append(Fault("ledger_column", file=str(path), key=name))
            continue
        at = table.schema.get_field_index(name)
        try:
            # A dictionary in another index type is the same column.
            plain = wanted.value_type if pa.types.is_dictionary(wanted) else wanted
            if not pa.types.is_dictionary(table.schema.field(at).type) or plain is wanted:
                table = table.set_column(at, name, table.column(at).cast(plain))
        except pa.ArrowException:
            faults.append(Fault("ledger_column", file=str(path), key=name, given=str(table.schema.field(at).type)))
    if faults:
        raise InputError(*faults)
    return table


def _books(folder: Path) -> dict[str, Book]:
    books: dict[str, Book] = {}
    faults: list[Fault] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            books[path.stem] = find(str(path))[0]
        except BookError as error:
            faults += error.faults
    if not books and not faults:
        faults.append(Fault("ledger_missing", file=str(folder / "<digest>.toml")))
    if faults:
        raise InputError(*faults)
    return books


def _run(path: Path) -> dict[str, Any]:
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(Fault("ledger_unreadable", file=str(path), given=str(error))) from None
    if not isinstance(run, dict):
        raise InputError(Fault("ledger_unreadable", file=str(path), given=type(run).__name__))
    return run


def rejected_places(folder: Path) -> frozenset[tuple[str, int]]:
    """File and row of what a run left out; empty where it does not say."""
    try:
        with (folder / REJECTS).open(encoding="utf-8") as file:
            rejects = [json.loads(line) for line in file]
        return frozenset((reject["file"], reject["row"]) for reject in rejects)
    except (OSError, ValueError, KeyError, TypeError):
        return frozenset()


def _num_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)
