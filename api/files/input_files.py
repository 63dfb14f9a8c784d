"""Input files: which ones a path means, their digest and encoding. Their content is read elsewhere."""

import codecs
import glob
import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from api.files.errors import InputError, system_errors_as
from api.files.rejects import Reject
from rules.errors import Fault
from rules.text_files import (
    BYTE_ORDER_MARK,
    HEAD_BYTES,
    Encoding,
    codec_of,
    file_format_of,
    fits_utf8,
    other_encoding,
    utf16_of,
)

BLOCK_BYTES: Final = 1 << 22
# A longer line is no event; it is rejected without being parsed.
LINE_BYTES_MAX: Final = 1 << 20
# Stands in the place of a line that is too long, so that the lines after it keep their numbers.
LONG_LINE: Final = b"\x00long line\x00"
_NAMES_SHOWN: Final = 5
_PACKED_WORDS: Final = {"xlsx": "sheet", "xls": "sheet", "parquet": "parquet"}
_MARK: Final = BYTE_ORDER_MARK.encode()
_HIVE_NOTHING: Final = "__HIVE_DEFAULT_PARTITION__"

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file that was read.

    Parameters
    ----------
    path
        As the person named it, or found below the folder they named.
    sha256
        Of its bytes, hexadecimal.
    rows
        Data rows found in it, good and bad.
    """

    path: Path
    sha256: str
    rows: int


@dataclass(frozen=True, slots=True)
class FileInspection:
    """What one pass over the bytes of a file shows.

    `encoding` is `broken` where neither UTF-8 nor GB18030 fits all of it: it is then read as UTF-8 and the
    characters that cannot be read cost their rows. `has_bare_cr`: its lines end in CR alone. `folder` are the columns
    that the folders of its path name (`city=hangzhou/`).
    """

    sha256: str
    num_bytes: int
    encoding: Encoding
    has_long_line: bool
    has_quotes: bool
    has_bare_cr: bool = False
    folder: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class RawChunk:
    """Rows of one file as the file holds them.

    Parameters
    ----------
    columns
        Columns under the file's names.
    rows
        Row number in the file, one per row of `columns`.
    rejects
        Rows between those of the last chunk and the end of this one that could not become columns.
    bytes_done
        About how far into the file this chunk reaches.
    unknown
        Columns that the format does not have.
    notes
        Codes of warnings about how the file is written, with the value to be shown.
    misspelt
        Names that are near misses of a field that their own row does not have, and what was meant.
    """

    columns: pa.Table
    rows: NDArray[np.int64]
    rejects: list[Reject]
    bytes_done: int
    unknown: frozenset[str] = field(default=frozenset())
    notes: frozenset[tuple[str, str]] = field(default=frozenset())
    misspelt: frozenset[tuple[str, str]] = field(default=frozenset())


def resolve_files(paths: Sequence[Path], endings: Sequence[str]) -> tuple[Path, ...]:
    """The files that `paths` mean: files, folders (all supported files below, sorted) and patterns with `*`, `?`.

    Raises
    ------
    InputError
        Naming every path that is missing, empty of supported files, or has an unsupported ending.
    """
    faults: list[Fault] = []
    files: list[Path] = []
    for path in paths:
        files += _files_of(path, endings, faults)
    if not paths:
        faults.append(Fault("input_none", file="-"))
    if faults:
        raise InputError(*faults)
    return tuple(files)


def _files_of(path: Path, endings: Sequence[str], faults: list[Fault]) -> list[Path]:
    allowed = ", ".join(endings)
    if path.is_dir():
        below = [file for file in _below(path, endings) if not _is_passed_over(file, path)]
        if not below:
            faults.append(Fault("input_folder_empty", file=str(path), allowed=allowed))
        return below
    if not path.exists():
        matches = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]
        if not matches:
            faults.append(Fault("input_missing", file=str(path)))
        return [
            file for match in matches if not _is_left_behind(match.name) for file in _files_of(match, endings, faults)
        ]
    if path.suffix.lower() not in endings:
        faults.append(Fault("input_ending", file=str(path), given=path.suffix or path.name, allowed=allowed))
        return []
    return [path]


def _below(folder: Path, endings: Sequence[str]) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in endings and file.is_file())


def _is_left_behind(name: str) -> bool:
    """Whether a file is what a system puts beside another one: `._x` of macOS, `~$x` of Office, hidden ones."""
    return name.startswith((".", "~$"))


def _is_passed_over(file: Path, folder: Path) -> bool:
    """Whether a file below a folder is none of its data: left behind, or in a folder of a program's own (`_temporary`)."""
    *folders, name = file.relative_to(folder).parts
    return _is_left_behind(name) or any(part.startswith(("_", ".")) and "=" not in part for part in folders)


def skipped_files(paths: Sequence[Path], endings: Sequence[str]) -> list[Fault]:
    """A note for each folder in which files were passed over, with their names."""
    notes = []
    for path in paths:
        matches = [path] if path.exists() else [Path(name) for name in glob.glob(str(path), recursive=True)]
        for folder in (match for match in sorted(matches) if match.is_dir()):
            names = [str(file.relative_to(folder)) for file in _below(folder, endings) if _is_passed_over(file, folder)]
            if names:
                shown = ", ".join(names[:_NAMES_SHOWN]) + (", …" if len(names) > _NAMES_SHOWN else "")
                notes.append(_note("input_passed_over", folder, shown))
        names = [match.name for match in sorted(matches) if match != path and _is_left_behind(match.name)]
        if names:
            notes.append(_note("input_passed_over", path, ", ".join(names[:_NAMES_SHOWN])))
    return notes


def _note(code: str, path: Path, given: str) -> Fault:
    return Fault(code, file=str(path), given=given, severity="warning")


def folder_columns(name: Path) -> tuple[tuple[str, str], ...]:
    """The columns that the folders of a path name, as Hive writes them: `city=hangzhou/dt=2026-01-05/part.parquet`."""
    columns: dict[str, str] = {}
    for part in name.parts[:-1]:
        key, is_pair, value = part.partition("=")
        if is_pair and key:
            columns[unquote(key)] = "" if value == _HIVE_NOTHING else unquote(value)
    return tuple(columns.items())


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def inspect_file(path: Path, *, is_text: bool, name: Path | None = None) -> FileInspection:
    """One pass over a file: digest and, for text, encoding and whether a line exceeds `LINE_BYTES_MAX`.

    Parameters
    ----------
    name
        As the person named the file, where `path` is another way to it.

    Raises
    ------
    InputError
        If the file is empty, is packed or another program's document instead of text, or cannot be opened.
    """
    digest = hashlib.sha256()
    num_bytes = num_lf = num_cr = 0
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_utf8, has_long_line, has_quotes, open_line = True, False, False, 0
    wide: Encoding | None = None
    with open_binary(path) as file:
        while block := _read(file, path):
            if is_text and not num_bytes:
                _need_text(name or path, block)
                wide = utf16_of(block)
            digest.update(block)
            num_bytes += len(block)
            if not is_text:
                continue
            is_utf8 = is_utf8 and wide is None and fits_utf8(decoder, block, final=False)
            has_quotes = has_quotes or b'"' in block
            num_lf, num_cr = num_lf + block.count(b"\n"), num_cr + block.count(b"\r")
            longest, open_line = _line_lengths(block, open_line)
            has_long_line = has_long_line or longest > LINE_BYTES_MAX
    if num_bytes == 0:
        raise InputError(Fault("input_empty", file=str(name or path)))
    is_utf8 = is_utf8 and (not is_text or (wide is None and fits_utf8(decoder, b"", final=True)))
    encoding: Encoding = "utf-8" if is_utf8 else wide or other_encoding(_blocks(path))
    return FileInspection(
        digest.hexdigest(),
        num_bytes,
        encoding,
        has_long_line,
        has_quotes,
        has_bare_cr=num_cr > 0 and num_lf == 0,
        folder=folder_columns(name or path),
    )


def _need_text(path: Path, head: bytes) -> None:
    packing = file_format_of(head)
    if packing is not None:
        raise InputError(Fault(f"input_packed_{_PACKED_WORDS.get(packing, 'other')}", file=str(path), given=packing))


def open_binary(path: Path) -> BinaryIO:
    """The file, open for reading bytes; `InputError` if the system refuses."""
    with system_errors_as("input_unreadable", path):
        return path.open("rb")


def _read(file: BinaryIO, path: Path) -> bytes:
    with system_errors_as("input_unreadable", path):
        return file.read(BLOCK_BYTES)


def text_stream(path: Path, inspection: FileInspection) -> io.BufferedReader:
    """The bytes of a text file as UTF-8 without a mark, lines that are too long replaced by `LONG_LINE`."""
    stream: Iterator[bytes] = _blocks(path)
    if inspection.encoding != "utf-8":
        stream = _recoded(stream, codec_of(inspection.encoding))
    stream = _without_mark(stream)
    if inspection.has_bare_cr:
        stream = (block.replace(b"\r", b"\n") for block in stream)
    if inspection.has_long_line:
        stream = _without_long_lines(stream)
    return io.BufferedReader(_BlockStream(stream), BLOCK_BYTES)


def read_head(path: Path, inspection: FileInspection) -> str:
    """The first lines of a text file."""
    with text_stream(path, inspection) as stream:
        return stream.read(HEAD_BYTES).decode("utf-8", "replace").replace("\r\n", "\n")


def _without_mark(blocks: Iterator[bytes]) -> Iterator[bytes]:
    head = next(blocks, b"")
    while head.startswith(_MARK):
        head = head.removeprefix(_MARK)
    yield head
    yield from blocks


class _BlockStream(io.RawIOBase):
    """Blocks of bytes as a file; invariant: no byte is given twice or left out."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        super().__init__()
        self._blocks = blocks
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = block
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def _blocks(path: Path) -> Iterator[bytes]:
    with open_binary(path) as file:
        while block := _read(file, path):
            yield block


def _recoded(blocks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    for block in blocks:
        yield decoder.decode(block).encode()
    yield decoder.decode(b"", final=True).encode()


def _without_long_lines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    line = b""
    is_long = False
    for block in blocks:
        *ended, rest = block.split(b"\n")
        whole: list[bytes] = []
        for part in ended:
            line += part
            whole.append(LONG_LINE if is_long or len(line) > LINE_BYTES_MAX else line)
            line, is_long = b"", False
        yield b"".join(part + b"\n" for part in whole)
        is_long = is_long or len(line) + len(rest) > LINE_BYTES_MAX
        line = b"" if is_long else line + rest
    yield LONG_LINE if is_long else line


def _line_lengths(block: bytes, open_line: int) -> tuple[int, int]:
    """Longest line that ends in `block`, and the bytes of the line still open after it (counted as a line too)."""
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
    if len(ends) == 0:
        return open_line + len(block), open_line + len(block)
    rest = len(block) - int(ends[-1]) - 1
    between = int(np.diff(ends).max()) if len(ends) > 1 else 0
    return max(open_line + int(ends[0]), between, rest), rest
