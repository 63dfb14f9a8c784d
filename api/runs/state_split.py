"""Splits a carried state into more buckets: each rider's part of every file moves to the rider's bucket.

The buckets of n × m that leave the same remainder by n are bucket of n: so each piece can be split by itself.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from api.files.atomic import write_json
from api.files.errors import InputError
from api.files.parquet_files import write_parquet
from api.runs.spill import bucket_of
from api.runs.state_files import (
    EVENT_PACKING,
    HEADER,
    Stored,
    archive_files,
    origin_of_state,
    read_tables,
    write_books,
    write_tables,
)
from rules.errors import Fault
from scoring.carry import carried_riders


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
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise InputError(Fault("state_unreadable", file=str(stored.folder), given=str(error))) from error


def _split_files(stored: Stored, folders: Mapping[int, Path], num_buckets: int) -> None:
    carried, layout = read_tables(stored)
    bucket_of_rider = bucket_of(pa.chunked_array([carried.riders]), num_buckets)
    for bucket, folder in folders.items():
        piece = carried_riders(carried, np.flatnonzero(bucket_of_rider == bucket))
        write_tables(folder, piece, layout, origin_of_state(stored))
        write_books(folder, stored.books)
        write_json(folder / HEADER, stored.header | {"faded": piece.faded.to_pylist()})


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
                write_parquet(
                    folder / "archive" / f"{count[number]:05d}.parquet", own, origin_of_state(stored), EVENT_PACKING
                )
                count[number] += 1
