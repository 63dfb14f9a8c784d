"""Splits a carried state into more buckets: each rider's part of every file moves to the rider's bucket.

The buckets of n × m that leave the same remainder by n are bucket of n: so each piece can be split by itself.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from api.files.atomic import write_json, write_parquet
from api.files.errors import InputError
from api.runs.spill import bucket_of
from api.runs.state_files import HEADER, Stored, archive_files
from rules.errors import Fault
from rules.shelf import to_toml
from scoring.carry import renumbered
from scoring.columns import CARRIED, I64


def split_state(stored: Stored, folders: Mapping[int, Path], num_buckets: int) -> None:
    """Write the buckets that a state's riders fall into, each as a state of its own.

    Parameters
    ----------
    stored
        The state, or the bucket of it, in which their riders are.
    folders
        Where each bucket goes. What stands there is written over.

    Raises
    ------
    InputError
        If a file of the state is missing or torn.
    """
    try:
        _split_files(stored, folders, num_buckets)
        _split_archive(stored, folders, num_buckets)
    except (OSError, pa.ArrowException, KeyError) as error:
        raise InputError(Fault("state_unreadable", file=str(stored.folder), given=str(error))) from error


def _split_files(stored: Stored, folders: Mapping[int, Path], num_buckets: int) -> None:
    names = ("riders", "fades", "orders", "written", "window")
    tables = {name: pq.read_table(stored.folder / f"{name}.parquet") for name in names}
    of_rider = bucket_of(tables["riders"]["rider_id"], num_buckets)
    of_window = bucket_of(tables["window"]["rider_id"], num_buckets)
    rider_of = {name: tables[name]["rider"].to_numpy() for name in ("fades", "orders", "written")}
    faded = pa.array(stored.header["faded"], pa.string())
    for bucket, folder in folders.items():
        own = {
            name: table.filter(pa.array(of_rider[rider_of[name]] == bucket))
            for name, table in tables.items()
            if name in rider_of
        }
        own["riders"] = tables["riders"].filter(pa.array(of_rider == bucket))
        own["window"] = tables["window"].filter(pa.array(of_window == bucket))
        place = np.cumsum(of_rider == bucket) - 1
        row = np.cumsum(of_window == bucket) - 1
        kept = _faded_in(own)
        for name in rider_of:
            own[name] = _with(own[name], "rider", place[own[name]["rider"].to_numpy()])
        for name in ("fades", "written"):
            own[name] = _with(own[name], "ev", _renamed(own[name]["ev"].to_numpy(), row, kept))
        for name, table in own.items():
            write_parquet(folder / f"{name}.parquet", table)
        for book in stored.books:
            path = folder / "books" / f"{book.digest}.toml"
            path.parent.mkdir(exist_ok=True)
            path.write_text(to_toml(book), encoding="utf-8", newline="\n")
        write_json(folder / HEADER, stored.header | {"faded": faded.take(pa.array(kept)).to_pylist()})


def _faded_in(own: Mapping[str, pa.Table]) -> I64:
    """Rows of `faded` that some rows refer to, ascending."""
    refers = np.concatenate([own[name]["ev"].to_numpy() for name in ("fades", "written")])
    return np.unique(CARRIED - refers[refers <= CARRIED])


def _renamed(ev: I64, row: I64, kept: I64) -> I64:
    """References to rows of the window and of `faded`, where these stand now."""
    out = renumbered(ev, row)
    old = ev <= CARRIED
    out[old] = CARRIED - np.searchsorted(kept, CARRIED - ev[old])
    return out


def _with(table: pa.Table, name: str, values: I64) -> pa.Table:
    at = table.schema.get_field_index(name)
    field = table.schema.field(at)
    return table.set_column(at, field, pa.array(values).cast(field.type))


def _split_archive(stored: Stored, folders: Mapping[int, Path], num_buckets: int) -> None:
    """Every event ever accepted, file by file; a bucket's files are numbered without a gap, oldest first."""
    count = dict.fromkeys(folders, 0)
    for folder in folders.values():
        (folder / "archive").mkdir(parents=True, exist_ok=True)
    for path in archive_files(stored.folder):
        table = pq.read_table(path)
        bucket = bucket_of(table["rider_id"], num_buckets)
        for number, folder in folders.items():
            own = table.filter(pa.array(bucket == number))
            if own.num_rows:
                write_parquet(folder / "archive" / f"{count[number]:05d}.parquet", own)
                count[number] += 1
