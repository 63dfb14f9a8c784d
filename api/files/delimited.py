"""Delimited text → chunks of text columns. Values are not read here.

Main path: Arrow's parser, told the layout that the first lines show. Where quotes do not match, or a quoted value holds
what looks like rows of its own, the file is read again record by record (`api.files.delimited_records`), so that a stray quote
costs one row and no row goes unnamed.
"""

import io
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from api.files.delimited_records import QuoteScan, read_records, scan_quotes
from api.files.errors import InputError
from api.files.input_files import LONG_LINE, FileInspection, RawChunk, read_head, text_stream
from api.files.rejects import Reject, shorten
from rules.errors import Fault
from rules.text_files import DELIMITER_NAMES, cells_of, layout_of, strip_invisible

_BLOCK_BYTES: Final = 1 << 24
_SLOW_ROWS: Final = 50_000
_LONG_LINE_TEXT: Final = LONG_LINE.decode()
# Values of many lines are known (addresses, remarks); so many lines a row are none.
_LINES_PER_ROW: Final = 10
_FEW_LINES: Final = 100
_FEW_SWALLOWED: Final = 10


@dataclass(frozen=True, slots=True)
class DelimitedHeader:
    """The first line of a table, and how the lines are parted.

    Parameters
    ----------
    names
        Columns, without blanks at their ends.
    num_lines
        Lines up to the header and with it.
    notes
        What is worth a warning, as `RawChunk.notes`.
    """

    names: tuple[str, ...]
    delimiter: str
    num_lines: int
    notes: frozenset[tuple[str, str]]


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
        self.numbers.append(row.number)
        if row.text.strip():
            self.rejects.append(_ragged(self._file, row.number, row.text))
        return "skip"

    def take(self) -> list[Reject]:
        """The rejects since the last call."""
        rejects_taken, self.rejects = self.rejects, []
        return rejects_taken


def read_header(path: Path, inspection: FileInspection, known: Collection[str] = ()) -> DelimitedHeader:
    """The header of a delimited file.

    Parameters
    ----------
    known
        Columns that a file of this kind may have, by which the delimiter is found.

    Raises
    ------
    InputError
        If nothing but blanks is there, if the first line cannot be a header, or names a column twice.
    """
    head = read_head(path, inspection)
    layout = layout_of(head, known)
    lines = head.split("\n")
    line = lines[layout.num_before] if layout.num_before < len(lines) else ""
    if not strip_invisible(head):
        raise InputError(Fault("input_blank", file=str(path)))
    names = tuple(map(strip_invisible, cells_of(line, layout.delimiter) or ())) if "\0" not in line else ()
    if not any(names):
        raise InputError(Fault("input_not_a_table", file=str(path)))
    twice = sorted({name for name in names if names.count(name) > 1 and name})
    if twice:
        raise InputError(Fault("input_column_twice", file=str(path), key=", ".join(twice)))
    notes = {("input_delimiter", DELIMITER_NAMES.get(layout.delimiter, layout.delimiter))}
    return DelimitedHeader(
        names, layout.delimiter, layout.num_before + 1, frozenset() if layout.delimiter == "," else frozenset(notes)
    )


def delimited_chunks(
    path: Path,
    inspection: FileInspection,
    header: DelimitedHeader,
    wanted: Collection[str],
    *,
    trusts_quotes: bool = False,
) -> Iterator[RawChunk]:
    """The `wanted` columns of a delimited file as text, chunk by chunk; an empty value is null.

    Parameters
    ----------
    trusts_quotes
        Whether all that stands inside matching quotes is one value, of however many lines.

    Raises
    ------
    InputError
        If the file has far more lines than rows could be read.
    """
    if not inspection.has_quotes:
        yield from _arrow_chunks(path, inspection, header, wanted)
        return
    with _data_of(path, inspection, header) as stream:
        lines = scan_quotes(stream, header.delimiter, len(header.names))
    by_record = partial(_record_chunks, path, inspection, header, wanted, trusts_quotes=trusts_quotes)
    if lines.ends_open or (lines.may_swallow and not trusts_quotes):
        yield from by_record()
        return
    try:
        # Nothing may be handed on before all of the file is known to parse, or rows would come twice.
        chunks = list(_arrow_chunks(path, inspection, header, wanted))
    except pa.ArrowInvalid:
        yield from by_record()
    else:
        if not trusts_quotes:
            _need_rows(path, lines, sum(len(chunk.rows) + len(chunk.rejects) for chunk in chunks))
        yield from chunks


def _need_rows(path: Path, lines: QuoteScan, num_rows: int) -> None:
    if lines.number > max(_FEW_LINES, _LINES_PER_ROW * num_rows):
        raise InputError(Fault("input_rows_swallowed", file=str(path), given=str(lines.number), allowed=str(num_rows)))


def _data_of(path: Path, inspection: FileInspection, header: DelimitedHeader) -> io.BufferedReader:
    """The lines below the header."""
    stream = text_stream(path, inspection)
    for _ in range(header.num_lines):
        stream.readline()
    return stream


def _arrow_chunks(
    path: Path, inspection: FileInspection, header: DelimitedHeader, wanted: Collection[str]
) -> Iterator[RawChunk]:
    ragged = _RaggedRows(str(path))
    included = [name for name in header.names if name in wanted]
    with _data_of(path, inspection, header) as stream:
        if not stream.peek(1):
            yield RawChunk(
                _text_table({name: [] for name in included}), np.empty(0, np.int64), [], 0, notes=header.notes
            )
            return
        reader = pacsv.open_csv(
            stream,
            # Only one thread gives the numbers of ragged rows.
            read_options=pacsv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES, column_names=header.names),
            parse_options=pacsv.ParseOptions(
                delimiter=header.delimiter,
                newlines_in_values=inspection.has_quotes,
                ignore_empty_lines=False,
                invalid_row_handler=ragged,
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
            yield RawChunk(table, rows, ragged.take(), bytes_done, notes=header.notes)
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


def _record_chunks(
    path: Path, inspection: FileInspection, header: DelimitedHeader, wanted: Collection[str], *, trusts_quotes: bool
) -> Iterator[RawChunk]:
    columns: dict[str, list[str | None]] = {name: [] for name in header.names if name in wanted}
    rows: list[int] = []
    rejects: list[Reject] = []
    bytes_done = num_rows = num_swallowed = num_lines = 0
    with _data_of(path, inspection, header) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="\n")
        for record in read_records(text, header.delimiter, len(header.names), trusts_quotes=trusts_quotes):
            bytes_done += len(record.written)
            num_lines += record.num_lines
            if not record.written.strip():
                continue
            if record.reason:
                rejects.append(_unread(str(path), record.row, record.written, record.reason))
                continue
            num_rows += 1
            rows.append(record.row)
            for name, value in zip(header.names, record.cells, strict=True):
                if name in columns:
                    columns[name].append(value or None)
            num_swallowed += len(record.swallowed)
            rejects += [
                _unread(str(path), record.row + k, line, "swallowed_row") for k, line in enumerate(record.swallowed, 1)
            ]
            if len(rows) >= _SLOW_ROWS:
                yield RawChunk(_text_table(columns), np.array(rows), rejects, bytes_done, notes=header.notes)
                columns, rows, rejects = {name: [] for name in columns}, [], []
    if num_swallowed > max(_FEW_SWALLOWED, num_rows):
        raise InputError(Fault("input_rows_swallowed", file=str(path), given=str(num_lines), allowed=str(num_rows)))
    if rows or rejects:
        yield RawChunk(
            _text_table(columns), np.array(rows, np.int64), rejects, inspection.num_bytes, notes=header.notes
        )


def _text_table(columns: dict[str, list[str | None]]) -> pa.Table:
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


def _ragged(file: str, row: int, line: str) -> Reject:
    return _unread(file, row, line, "wrong_number_of_columns")


def _unread(file: str, row: int, line: str, reason: str) -> Reject:
    if line.strip() == _LONG_LINE_TEXT:
        return Reject(file, row, "", "", "line_too_long")
    return Reject(file, row, "", shorten(line.rstrip("\r\n")), reason)
