"""The native event format: CSV, NDJSON or Parquet, chosen by the file's ending."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from api.files.canonical import KNOWN_COLUMNS, REQUIRED_COLUMNS
from api.files.column_names import misspelt, refuse_misspelt
from api.files.delimited import delimited_chunks, read_header
from api.files.errors import InputError
from api.files.input_files import FileInspection, RawChunk
from api.files.input_slices import RowGroups
from api.files.json_lines import json_chunks
from api.files.reading_options import DEFAULT_READING, ReadingOptions
from rules.errors import Fault

LINE_ENDINGS: Final = (".ndjson", ".jsonl")
TEXT_ENDINGS: Final = (".csv", *LINE_ENDINGS)
ENDINGS: Final = (*TEXT_ENDINGS, ".parquet")
_PARQUET_ROWS: Final = 1 << 18
_FEW_VALUES: Final = ("city", "rider_kind", "kind", "reports", "cause", "party")


def native_chunks(
    path: Path,
    inspection: FileInspection,
    reading: ReadingOptions = DEFAULT_READING,
    groups: RowGroups | None = None,
    row: int = 0,
) -> Iterator[RawChunk]:
    """The known columns of a native file, chunk by chunk.

    Parameters
    ----------
    groups, row
        Of a Parquet file these row groups alone, and how many rows come before them.

    Raises
    ------
    InputError
        If the file is no table of its kind or lacks a column that every kind of event needs.
    """
    ending = path.suffix.lower()
    if ending == ".csv":
        header = read_header(path, inspection, KNOWN_COLUMNS)
        _need_columns(path, header.names, inspection)
        trusts = reading.quotes_as_they_are
        for chunk in delimited_chunks(path, inspection, header, KNOWN_COLUMNS, trusts_quotes=trusts):
            yield replace(chunk, unknown=_unknown(header.names))
    elif ending == ".parquet":
        yield from _parquet_chunks(path, inspection, groups, row)
    else:
        yield from json_chunks(path, inspection)


def _parquet_chunks(path: Path, inspection: FileInspection, groups: RowGroups | None, row: int) -> Iterator[RawChunk]:
    try:
        schema = pq.read_schema(path)
        names = tuple(schema.names)
        _need_columns(path, names, inspection)
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InputError(Fault("input_column_twice", file=str(path), key=", ".join(twice)))
        few = [name for name in _FEW_VALUES if name in names and pa.types.is_string(schema.field(name).type)]
        with pq.ParquetFile(path, read_dictionary=few, coerce_int96_timestamp_unit="us") as file:
            num_rows = file.metadata.num_rows
            old_times = [name for name in _of_int96(file) if name in KNOWN_COLUMNS]
            notes = frozenset({("input_int96", ", ".join(old_times))} if old_times else ())
            known = [name for name in names if name in KNOWN_COLUMNS]
            chosen = None if groups is None else range(*groups)
            for batch in file.iter_batches(_PARQUET_ROWS, row_groups=chosen, columns=known):
                rows = np.arange(row + 1, row + 1 + batch.num_rows)
                row += batch.num_rows
                bytes_done = inspection.num_bytes * row // max(num_rows, 1)
                yield RawChunk(_in_utc(pa.table(batch), old_times), rows, [], bytes_done, _unknown(names), notes)
    except (pa.ArrowException, OSError, UnicodeDecodeError, KeyError) as error:
        # The last two come from names in the footer that are broken or do not fit together.
        reason = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise InputError(Fault("input_not_parquet", file=str(path), given=reason)) from error


def _of_int96(file: pq.ParquetFile) -> list[str]:
    """Columns of the type that Spark and Hive wrote before Parquet had timestamps: always UTC."""
    columns = (file.schema.column(k) for k in range(len(file.schema)))
    return [column.path for column in columns if column.physical_type == "INT96"]


def _in_utc(table: pa.Table, names: Collection[str]) -> pa.Table:
    for name in names:
        at = table.schema.get_field_index(name)
        table = table.set_column(at, name, table.column(name).cast(pa.timestamp("us", "UTC")))
    return table


def _unknown(names: Collection[str]) -> frozenset[str]:
    return frozenset(names) - KNOWN_COLUMNS


def _need_columns(path: Path, names: Collection[str], inspection: FileInspection) -> None:
    there = {*names, *dict(inspection.folder)}
    missing = [" / ".join(choice) for choice in REQUIRED_COLUMNS if not set(choice) & there]
    if missing:
        refuse_misspelt(str(path), misspelt(names))
        raise InputError(Fault("input_columns_missing", file=str(path), key=", ".join(missing)))
