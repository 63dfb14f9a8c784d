"""Event files of any format → one canonical table, the rows left out, and what was read.

file → chunks of columns → canonical rows + rejects → one table
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from api.files.canonical import KNOWN_COLUMNS, to_canonical
from api.files.column_names import misspelt, refuse_misspelt
from api.files.input_files import (
    FileInspection,
    InputFile,
    Progress,
    RawChunk,
    folder_columns,
    inspect_file,
    resolve_files,
    sha256_of,
    skipped_files,
)
from api.files.input_slices import RowGroups
from api.files.mdrp import read_mdrp_day
from api.files.meituan import WAYBILL_COLUMNS, canonical_waybills, meituan_chunks, misspelt_waybills
from api.files.native import ENDINGS, LINE_ENDINGS, native_chunks
from api.files.reading_options import ALL_IDS_KNOWN, DEFAULT_READING, Format, ReadingOptions
from api.files.rejects import Reject, shorten
from rules.errors import Fault
from rules.text_files import Encoding
from scoring.columns import CANONICAL_SCHEMA

_ENCODING_NOTES: Final[Mapping[Encoding, str]] = {
    "utf-16-le": "input_encoding_utf_16_le",
    "utf-16-be": "input_encoding_utf_16_be",
    "gb18030": "input_encoding_gb18030",
    "broken": "input_encoding_broken",
}


@dataclass(frozen=True, slots=True)
class EventInputs:
    """All that was read.

    Parameters
    ----------
    table
        `CANONICAL_SCHEMA`, rows in the order of the files.
    rejects
        Bad rows, by file and row.
    warnings
        What a person should know and no row was rejected for: unknown columns, a guessed encoding, refused
        waybills, orders never delivered.
    inputs
        The files, in the order read.
    """

    table: pa.Table
    rejects: list[Reject]
    warnings: list[Fault]
    inputs: tuple[InputFile, ...]


@dataclass(frozen=True, slots=True)
class CanonicalChunk:
    """What one chunk of one file became.

    `left_out` counts rows that are sound but no event, by the code of the warning that says so.
    """

    table: pa.Table
    rejects: list[Reject]
    left_out: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Shape:
    endings: tuple[str, ...]
    known: frozenset[str]
    chunks: Callable[[Path, FileInspection, ReadingOptions], Iterator[RawChunk]]
    misspelt: Callable[[Collection[str]], Mapping[str, str]]
    part: Callable[[pa.Table, str, NDArray[np.int64], ReadingOptions], tuple[pa.Table, list[Reject], Mapping[str, int]]]


def read_events(
    paths: Sequence[Path],
    format: Format,
    *,
    time_zone: str = "Asia/Shanghai",
    reading: ReadingOptions = DEFAULT_READING,
    progress: Progress | None = None,
) -> EventInputs:
    """Read event files.

    Parameters
    ----------
    paths
        Files, folders or patterns; for `mdrp` the instance folder and the solution folder.
    format
        What the files hold.
    time_zone
        IANA zone of day 0 of an `mdrp` instance; no other format needs it.
    reading
        How the files are read.
    progress
        Called with (bytes done, bytes in all) after each chunk.

    Raises
    ------
    InputError
        If nothing can be read: a missing file, an unknown ending, no table, required columns missing.
    """
    if format == "mdrp":
        day = read_mdrp_day(paths, time_zone, reading)
        inputs = tuple(InputFile(path, sha256_of(path), rows) for path, rows in day.files)
        return EventInputs(day.table, [], list(day.warnings), inputs)
    files = resolve_event_files(paths, format)
    num_bytes = sum(path.stat().st_size for path in files)
    warnings = skipped_files_warnings(paths, format)
    tables = [CANONICAL_SCHEMA.empty_table()]
    rejects: list[Reject] = []
    inputs_read: list[InputFile] = []
    bytes_before = 0
    for path in files:
        file = FileReader(path, format, reading=reading)
        for bytes_done, part in file.parts():
            tables.append(part.table)
            rejects += part.rejects
            if progress is not None:
                progress(bytes_before + bytes_done, num_bytes)
        bytes_before += file.num_bytes
        warnings += file.warnings
        inputs_read.append(file.input)
    return EventInputs(pa.concat_tables(tables).unify_dictionaries(), rejects, warnings, tuple(inputs_read))


class FileReader:
    """One file, part by part, so that files larger than memory can be read.

    Messages call it `name`, by default its path. Of a Parquet file, row groups `groups` alone may be read, with `row` rows
    before them: such a share has no digest. Invariant: `input` and `warnings` tell of the parts given so far.
    """

    def __init__(
        self, path: Path, format: Format, name: Path | None = None, groups: RowGroups | None = None, row: int = 0,
        reading: ReadingOptions = DEFAULT_READING,
    ) -> None:  # fmt: skip
        self.path = path
        self.name = name or path
        self._shape = _SHAPES[format]
        self._reading = reading
        if groups is None:
            self._chunks = self._shape.chunks
            self._inspection = inspect_file(path, is_text=path.suffix.lower() != ".parquet", name=self.name)
        else:
            self._chunks = partial(native_chunks, groups=groups, row=row)
            self._inspection = FileInspection(
                "", path.stat().st_size, "utf-8", has_long_line=False, has_quotes=False,
                folder=folder_columns(self.name),
            )  # fmt: skip
        self._notes = _Notes()

    @property
    def num_bytes(self) -> int:
        """Size of the file."""
        return self._inspection.num_bytes

    def parts(self) -> Iterator[tuple[int, CanonicalChunk]]:
        """What each chunk became, and about how many bytes are done after it."""
        file = str(self.name)
        for raw in self._chunks(self.path, self._inspection, self._reading):
            chunk = _with_folder_columns(raw, file, self._inspection.folder, self._shape.known)
            columns = self._wanted(chunk, file)
            table, row_rejects, left_out = self._shape.part(columns, file, chunk.rows, self._reading)
            part = CanonicalChunk(
                table, sorted([*chunk.rejects, *row_rejects], key=lambda reject: reject.row), left_out
            )
            self._notes.add(chunk, part)
            yield chunk.bytes_done, part

    def _wanted(self, chunk: RawChunk, file: str) -> pa.Table:
        """The columns that are read; a misspelt one is refused, but for those that are to be left out."""
        ignored = self._reading.ignored
        names = [name for name in (*chunk.columns.column_names, *sorted(chunk.unknown)) if name not in ignored]
        misspelt_names = dict(chunk.misspelt) if self._is_lines else self._shape.misspelt(names)
        if self._reading.known_ids is not ALL_IDS_KNOWN:
            # What was accepted before is read as it was then.
            refuse_misspelt(file, {name: meant for name, meant in misspelt_names.items() if name not in ignored})
        return chunk.columns.drop_columns([name for name in chunk.columns.column_names if name in ignored])

    @property
    def _is_lines(self) -> bool:
        """Whether each row has names of its own."""
        return self.path.suffix.lower() in LINE_ENDINGS

    @property
    def input(self) -> InputFile:
        """The file, with its digest and the rows found."""
        return InputFile(self.name, self._inspection.sha256, self._notes.num_rows)

    @property
    def warnings(self) -> list[Fault]:
        """What a person should know of the file, in a fixed order."""
        return self._notes.warnings(self.name, self._inspection)


def _with_folder_columns(
    chunk: RawChunk, file: str, named: Sequence[tuple[str, str]], known: Collection[str]
) -> RawChunk:
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
    differs = pc.fill_null(pc.not_equal(shown, filled), False).to_numpy()
    table = table.set_column(position, name, pc.coalesce(shown, filled))
    if not differs.any():
        return replace(chunk, columns=table)
    values = shown.filter(pa.array(differs)).to_pylist()
    rejects = [
        Reject(file, int(row), name, shorten(value_in_file), "folder_disagrees")
        for row, value_in_file in zip(chunk.rows[differs].tolist(), values, strict=True)
    ]
    return replace(
        chunk, columns=table.filter(pa.array(np.logical_not(differs))), rows=chunk.rows[~differs],
        rejects=sorted([*chunk.rejects, *rejects], key=lambda reject: reject.row),
    )  # fmt: skip


def resolve_event_files(paths: Sequence[Path], format: Format) -> tuple[Path, ...]:
    """The files that `paths` mean for a format that is read file by file.

    Raises
    ------
    InputError
        Naming every path that cannot be read.
    """
    return resolve_files(paths, _SHAPES[format].endings)


def skipped_files_warnings(paths: Sequence[Path], format: Format) -> list[Fault]:
    """What is worth a warning before any file is read: files that were passed over."""
    return [] if format == "mdrp" else skipped_files(paths, _SHAPES[format].endings)


class _Notes:
    """What is worth a warning in one file; each is given once, however many chunks show it."""

    def __init__(self) -> None:
        self.num_rows = 0
        self._unknown: set[str] = set()
        self._left_out: Counter[str] = Counter()
        self._notes: set[tuple[str, str]] = set()

    def add(self, chunk: RawChunk, part: CanonicalChunk) -> None:
        """Take note of one chunk."""
        self.num_rows += len(chunk.rows) + len(chunk.rejects)
        self._unknown |= chunk.unknown
        self._notes |= chunk.notes
        self._left_out.update(part.left_out)

    def warnings(self, path: Path, inspection: FileInspection) -> list[Fault]:
        """The warnings of the file, in a fixed order."""
        faults: list[Fault] = []
        if inspection.encoding != "utf-8":
            faults.append(_warning(_ENCODING_NOTES[inspection.encoding], path))
        faults += [_warning(code, path, given=given) for code, given in sorted(self._notes)]
        if self._unknown:
            faults.append(
                _warning("input_unknown_columns", path, key=", ".join(name or '""' for name in sorted(self._unknown)))
            )
        return faults + [
            _warning(code, path, given=str(count)) for code, count in sorted(self._left_out.items()) if count
        ]


def _warning(code: str, path: Path, *, key: str = "", given: str = "") -> Fault:
    return Fault(code, file=str(path), key=key, given=given, severity="warning")


def _native_part(
    columns: pa.Table, file: str, rows: NDArray[np.int64], reading: ReadingOptions
) -> tuple[pa.Table, list[Reject], Mapping[str, int]]:
    return *to_canonical(columns, file, rows, reading), {}


_SHAPES: Final[Mapping[Format, _Shape]] = {
    "native": _Shape(ENDINGS, KNOWN_COLUMNS, native_chunks, misspelt, _native_part),
    "meituan": _Shape((".csv",), WAYBILL_COLUMNS, meituan_chunks, misspelt_waybills, canonical_waybills),
}
