"""Rows of one slice of the inputs, grouped by bucket of riders, on disk between reading and scoring.

A spill is an Arrow IPC file: batch `flush * num_buckets + bucket` holds that bucket's rows of one flush, so a bucket is
read without touching the others. All rows of a rider fall into one bucket, whatever file they come from.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from api.files.atomic import atomic_file
from scoring.columns import EVENT_SCHEMA, FILE_TYPE
from scoring.hashing import hash_strings

# Rows that are sorted into buckets at once: few flushes keep the batches long, many keep the memory small.
FLUSH_ROWS: Final = 1 << 19
_SPILL_SCHEMA: Final = EVENT_SCHEMA.append(pa.field("row", pa.int64()))
# Part of what makes a ledger's parts: a new seed is another partition.
_SEED: Final = 3
_SHORT: Final = 1 << 16


def bucket_of(riders: pa.ChunkedArray, num_buckets: int) -> NDArray[np.int64]:
    """Bucket of every rider id, 0 … num_buckets − 1: a hash of the id alone."""
    return (hash_strings(riders, _SEED) % np.uint64(num_buckets)).astype(np.int64)


def write_spill(path: Path, tables: Iterable[pa.Table], num_buckets: int) -> NDArray[np.int64]:
    """Write the rows of a slice by bucket.

    Parameters
    ----------
    tables
        `CANONICAL_SCHEMA`, all of one file, in order.

    Returns
    -------
    int64[num_buckets], rows of each.
    """
    num_rows = np.zeros(num_buckets, np.int64)
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with atomic_file(path) as temporary, pa.ipc.new_file(temporary, _SPILL_SCHEMA, options=options) as writer:
        for table in _flushes(tables):
            bucket = bucket_of(table["rider_id"], num_buckets)
            # NumPy sorts short integers by counting: fifteen times as fast.
            order = np.argsort(bucket.astype(np.uint16) if num_buckets <= _SHORT else bucket, kind="stable")
            bounds = np.searchsorted(bucket[order], np.arange(num_buckets + 1))
            batch = table.take(pa.array(order)).combine_chunks().to_batches()[0]
            for first, last in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
                writer.write_batch(batch.slice(first, last - first))
            num_rows += np.diff(bounds)
    return num_rows


def _flushes(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    pending: list[pa.Table] = []
    num_rows = 0
    for table in tables:
        pending.append(table.select(_SPILL_SCHEMA.names))
        num_rows += table.num_rows
        if num_rows >= FLUSH_ROWS:
            yield pa.concat_tables(pending)
            pending, num_rows = [], 0
    if num_rows:
        yield pa.concat_tables(pending)


def read_bucket(spills: Sequence[tuple[Path, str]], bucket: int, num_buckets: int) -> pa.Table:
    """Rows of one bucket in the order of the files.

    Parameters
    ----------
    spills
        Spill and the name of the file that it was made of.

    Returns
    -------
    `CANONICAL_SCHEMA`.
    """
    tables: list[pa.Table] = []
    positions: list[NDArray[np.int32]] = []
    for position, (path, _) in enumerate(spills):
        with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as reader:
            at = range(bucket, reader.num_record_batches, num_buckets)
            rows = pa.Table.from_batches([reader.get_batch(k) for k in at], _SPILL_SCHEMA)
        tables.append(rows)
        positions.append(np.full(rows.num_rows, position, np.int32))
    table = pa.concat_tables(tables)
    files = pa.DictionaryArray.from_arrays(
        np.concatenate(positions), pa.array([name for _, name in spills], pa.string())
    )
    at = table.schema.get_field_index("row")
    return table.add_column(at, pa.field("file", FILE_TYPE), files)
