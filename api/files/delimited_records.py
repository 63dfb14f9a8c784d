"""Records of delimited text whose quotes cannot be trusted: one stray quote costs one row, and each row is named.

A quoted value may hold line ends. Where what it holds looks like rows of the table, those rows are not read, since nobody
can tell a stray quote from a remark that quotes rows; they are named instead.
"""

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

import numpy as np

from rules.text_files import cells_of

# A value that goes on for longer has lost its closing quote.
_LINES_MAX: Final = 1 << 16
_CHARACTERS_MAX: Final = 1 << 20
# In narrower tables any remark with a comma would look like a row.
_WIDTH_MIN: Final = 4
_BLOCK_BYTES: Final = 1 << 22


@dataclass(frozen=True, slots=True)
class DelimitedRecord:
    """One row of a table as it is written.

    Parameters
    ----------
    row
        Data row, from 1.
    written
        Its lines.
    cells
        Its values; none where its quotes do not match.
    reason
        Why it is no row of the table; empty for sound ones.
    swallowed
        Lines inside of its quoted values that look like rows; they have the next row numbers.
    """

    row: int
    written: str
    num_lines: int
    cells: list[str]
    reason: str = ""
    swallowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QuoteScan:
    """What a look at quotes and line ends shows.

    Parameters
    ----------
    number
        Lines that are not empty.
    may_swallow
        Whether a row may stand inside quotes.
    ends_open
        Whether the last quote has no end.
    """

    number: int
    may_swallow: bool
    ends_open: bool


def scan_quotes(stream: BinaryIO, delimiter: str, width: int) -> QuoteScan:
    """Count lines, and look for one that begins inside quotes and has as many delimiters as a row."""
    number, is_open, may_swallow, rest = 0, 0, False, b""
    while block := stream.read(_BLOCK_BYTES):
        whole, ended, rest = (rest + block).rpartition(b"\n")
        if ended:
            num_filled, is_open, swallows = _scan(whole + ended, is_open, ord(delimiter), width)
            number, may_swallow = number + num_filled, may_swallow or swallows
    if rest.strip():
        num_filled, is_open, swallows = _scan(rest + b"\n", is_open, ord(delimiter), width)
        number, may_swallow = number + num_filled, may_swallow or swallows
    return QuoteScan(number, may_swallow, bool(is_open))


def _scan(block: bytes, is_open: int, delimiter: int, width: int) -> tuple[int, int, bool]:
    """Of whole lines: how many are not empty, whether a quote is open after them, whether one looks swallowed."""
    letters = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(letters == ord("\n"))
    num_filled = int((np.diff(ends, prepend=-1) > 2).sum())
    quotes = np.flatnonzero(letters == ord('"'))
    if len(quotes) == 0 and not is_open:
        return num_filled, is_open, False
    opened = (np.searchsorted(quotes, ends) + is_open) % 2
    begins_open = np.concatenate([[is_open], opened[:-1]]) == 1
    parted = np.diff(np.searchsorted(np.flatnonzero(letters == delimiter), ends), prepend=0)
    swallows = width >= _WIDTH_MIN and bool((begins_open & (parted >= width - 1)).any())
    return num_filled, int(opened[-1]), swallows


def read_records(
    lines: Iterator[str], delimiter: str, width: int, *, trusts_quotes: bool = False
) -> Iterator[DelimitedRecord]:
    """The rows of a table of `width` columns, line by line; line ends stay on the lines.

    Parameters
    ----------
    trusts_quotes
        Whether what looks like rows inside matching quotes is text of its row.
    """
    pushed_back: deque[str] = deque()
    row = 0
    while True:
        line = pushed_back.popleft() if pushed_back else next(lines, None)
        if line is None:
            return
        row += 1
        cells = cells_of(line, delimiter) if '"' in line else line.rstrip("\r\n").split(delimiter)
        if cells is not None or not _is_open([line], delimiter):
            cells = _leniently(line, delimiter) if cells is None else cells
            sound = len(cells) == width
            yield DelimitedRecord(row, line, 1, cells, "" if sound else "wrong_number_of_columns")
            continue
        record_lines, cells = _gathered(line, pushed_back, lines, delimiter)
        may_swallow = width >= _WIDTH_MIN and not trusts_quotes
        row_like_lines = tuple(
            inner_line for inner_line in record_lines[1:] if may_swallow and inner_line.count(delimiter) >= width - 1
        )
        if cells is not None and len(cells) == width:
            yield DelimitedRecord(row, "".join(record_lines), len(record_lines), cells, swallowed=row_like_lines)
            row += len(row_like_lines)
        elif cells is None or row_like_lines:
            yield DelimitedRecord(row, line, 1, [], "unclosed_quote")
            pushed_back.extendleft(reversed(record_lines[1:]))
        else:
            yield DelimitedRecord(row, "".join(record_lines), len(record_lines), cells, "wrong_number_of_columns")


def _gathered(
    line: str, pushed_back: deque[str], lines: Iterator[str], delimiter: str
) -> tuple[list[str], list[str] | None]:
    """The lines of a record that begins with `line`, and its values; None where its quotes do not match."""
    record_lines, num_letters = [line], len(line)
    while len(record_lines) < _LINES_MAX and num_letters < _CHARACTERS_MAX:
        next_line = pushed_back.popleft() if pushed_back else next(lines, None)
        if next_line is None:
            return record_lines, None
        record_lines.append(next_line)
        num_letters += len(next_line)
        if '"' not in next_line:
            continue
        cells = _strictly(record_lines, delimiter)
        if cells is not None:
            return record_lines, cells
        if not _is_open(record_lines, delimiter):
            return record_lines, None
    return record_lines, None


def _strictly(record_lines: list[str], delimiter: str) -> list[str] | None:
    try:
        return next(
            csv.reader([*record_lines[:-1], record_lines[-1].rstrip("\r\n")], delimiter=delimiter, strict=True), None
        )
    except csv.Error:
        return None


def _leniently(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter), [])
    except csv.Error:
        return []  # a value that is longer than any may be


def _is_open(record_lines: list[str], delimiter: str) -> bool:
    """Whether a quote is open at the end of the last line."""
    closed = [*record_lines[:-1], record_lines[-1].rstrip("\r\n") + '"']
    try:
        parsed = list(csv.reader(closed, delimiter=delimiter, strict=True))
    except csv.Error:
        return False
    return len(parsed) == 1
