"""Columns that stand in the names of folders, as Hive and Spark write them: `city=hangzhou/part.parquet`."""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from api.files.input_files import RawChunk
from api.files.rejects import Reject, cut


def with_folder(chunk: RawChunk, file: str, named: Sequence[tuple[str, str]], known: Collection[str]) -> RawChunk:
    """A chunk with the known columns that its folders name.

    Where the file has such a column too, the folder fills its empty values, and rows with another value are rejected:
    which of the two is meant, nobody can say.
    """
    for name, value in named:
        if name in known:
            chunk = _with_column(chunk, file, name, value)
    return replace(chunk, unknown=chunk.unknown | {name for name, _ in named if name not in known})


def _with_column(chunk: RawChunk, file: str, name: str, value: str) -> RawChunk:
    table = chunk.columns
    filled = pa.scalar(value or None, pa.string())
    if name not in table.column_names:
        return replace(chunk, columns=table.append_column(name, pa.repeat(filled, table.num_rows)))
    position = table.column_names.index(name)
    written = table.column(position)
    if pa.types.is_dictionary(written.type):
        written = written.cast(written.type.value_type)
    shown = written.cast(pa.string())
    shown = pc.if_else(pc.equal(shown, ""), None, shown)
    other = pc.fill_null(pc.not_equal(shown, filled), False).to_numpy()
    table = table.set_column(position, name, pc.coalesce(shown, filled))
    if not other.any():
        return replace(chunk, columns=table)
    given = shown.filter(pa.array(other)).to_pylist()
    rejects = [
        Reject(file, int(row), name, cut(one), "folder_disagrees")
        for row, one in zip(chunk.rows[other].tolist(), given, strict=True)
    ]
    return replace(
        chunk, columns=table.filter(pa.array(np.logical_not(other))), rows=chunk.rows[~other],
        rejects=sorted([*chunk.rejects, *rejects], key=lambda reject: reject.row),
    )  # fmt: skip
