"""CSV files → chunks of text columns. Values are not read here.

Main path: Arrow's parser. A file whose quotes do not match makes it lose its place; such a file is read again
line by line, so that one stray quote costs one row.
"""

import csv
import io
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from api.batch.errors import InputError
from api.batch.rejects import Reject, cut
from api.batch.sources import LONG_LINE, Inspection, RawChunk, text_stream
from rules.errors import Fault

_BLOCK_BYTES: Final = 1 << 24
_SLOW_ROWS: Final = 50_000
_LONG_LINE_TEXT: Final = LONG_LINE.decode()


class _RaggedRows:
    """Collects rows with a wrong number of columns; invariant: `numbers` ascend (data rows, 1-based)."""

    def __init__(self, file: str) -> None:
        self._file = file
        self.numbers: list[int] = []
        self.rejects: list[Reject] = []

    def __call__(self, row: pacsv.InvalidRow) -> str:
        if "\n" in row.text:
            # Quotes do not match: what the parser calls a row is several lines. It stops with ArrowInvalid.
            return "error"
        # Arrow counts the header as row 1.
        self.numbers.append(row.number - 1)
        if row.text.strip():
            self.rejects.append(_ragged(self._file, row.number - 1, row.text))
        return "skip"

    def take(self) -> list[Reject]:
        """The rejects since the last call."""
        taken, self.rejects = self.rejects, []
        return taken


def header_of(path: Path, inspection: Inspection) -> tuple[str, ...]:
    """Column names of a CSV file.

    Raises
    ------
    InputError
        If the first line cannot be a header, or names a column twice.
    """
    with text_stream(path, inspection) as stream:
        line = stream.readline().removeprefix(b"\xef\xbb\xbf").decode()
    names = tuple(_values_of(line) or ()) if "\0" not in line else ()
    if not names:
        raise InputError(Fault("input_not_a_table", file=str(path)))
    twice = sorted({name for name in names if names.count(name) > 1 and name})
    if twice:
        raise InputError(Fault("input_column_twice", file=str(path), key=", ".join(twice)))
    return names


def csv_chunks(
    path: Path, inspection: Inspection, names: tuple[str, ...], wanted: Collection[str]
) -> Iterator[RawChunk]:
    """The `wanted` columns of a CSV file as text, chunk by chunk; an empty value is null."""
    if not inspection.has_quotes:
        yield from _arrow_chunks(path, inspection, names, wanted)
        return
    try:
        # Nothing may be handed on before all of the file is known to parse, or rows would come twice.
        chunks = list(_arrow_chunks(path, inspection, names, wanted))
    except pa.ArrowInvalid:
        yield from _line_chunks(path, inspection, names, wanted)
    else:
        yield from chunks


def _arrow_chunks(
    path: Path, inspection: Inspection, names: tuple[str, ...], wanted: Collection[str]
) -> Iterator[RawChunk]:
    ragged = _RaggedRows(str(path))
    included = [name for name in names if name in wanted]
    with text_stream(path, inspection) as stream:
        reader = pacsv.open_csv(
            stream,
            # Only one thread gives the numbers of ragged rows.
            read_options=pacsv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES, column_names=names, skip_rows=1),
            parse_options=pacsv.ParseOptions(
                newlines_in_values=inspection.has_quotes, ignore_empty_lines=False, invalid_row_handler=ragged
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(included, pa.string()),
                include_columns=included,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
                check_utf8=True,
            ),
        )
        row = bytes_done = 0
        for batch in reader:
            rows, row = _row_numbers(row, batch.num_rows, ragged.numbers)
            bytes_done = min(bytes_done + _BLOCK_BYTES, inspection.num_bytes)
            table, rows = _without_blank(pa.table(batch), rows)
            yield RawChunk(table, rows, ragged.take(), bytes_done)
        if ragged.rejects:
            yield RawChunk(
                _text_table({name: [] for name in included}), np.empty(0, np.int64), ragged.take(), bytes_done
            )


def _row_numbers(last: int, num_rows: int, skipped: list[int]) -> tuple[NDArray[np.int64], int]:
    """Numbers of the next `num_rows` good rows after row `last`, and the last of them."""
    between = [number for number in skipped if number > last]
    numbers = np.arange(last + 1, last + 1 + num_rows + len(between))
    numbers = numbers[~np.isin(numbers, between)][:num_rows]
    return numbers, int(numbers[-1]) if num_rows else last


def _without_blank(table: pa.Table, rows: NDArray[np.int64]) -> tuple[pa.Table, NDArray[np.int64]]:
    if not table.num_columns or not table.column(0).null_count:
        return table, rows
    filled = np.zeros(table.num_rows, np.bool_)
    for column in table.columns:
        filled |= column.is_valid().to_numpy()
    return table.filter(pa.array(filled)), rows[filled]


def _line_chunks(
    path: Path, inspection: Inspection, names: tuple[str, ...], wanted: Collection[str]
) -> Iterator[RawChunk]:
    columns: dict[str, list[str | None]] = {name: [] for name in names if name in wanted}
    rows: list[int] = []
    rejects: list[Reject] = []
    bytes_done = 0
    with text_stream(path, inspection) as stream:
        for row, line in enumerate(io.TextIOWrapper(stream, encoding="utf-8", newline="\n")):
            bytes_done += len(line)
            if row == 0 or not line.strip():
                continue
            values = _values_of(line)
            if values is None or len(values) != len(names):
                rejects.append(_ragged(str(path), row, line.rstrip("\r\n")))
                continue
            rows.append(row)
            for name, value in zip(names, values, strict=True):
                if name in columns:
                    columns[name].append(value or None)
            if len(rows) == _SLOW_ROWS:
                yield RawChunk(_text_table(columns), np.array(rows), rejects, bytes_done)
                columns, rows, rejects = {name: [] for name in columns}, [], []
    if rows or rejects:
        yield RawChunk(_text_table(columns), np.array(rows, np.int64), rejects, inspection.num_bytes)


def _values_of(line: str) -> list[str] | None:
    try:
        return next(csv.reader([line.rstrip("\r\n")], strict=True), None)
    except csv.Error:
        return None


def _text_table(columns: dict[str, list[str | None]]) -> pa.Table:
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


def _ragged(file: str, row: int, line: str) -> Reject:
    if line.strip() == _LONG_LINE_TEXT:
        return Reject(file, row, "", "", "line_too_long")
    return Reject(file, row, "", cut(line), "wrong_number_of_columns")
