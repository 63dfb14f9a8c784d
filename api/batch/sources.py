"""Input files as such: which ones a path means, their digest, their encoding. No word about what they hold."""

import codecs
import glob
import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from api.batch.errors import InputError
from api.batch.rejects import Reject
from rules.errors import Fault

BLOCK_BYTES: Final = 1 << 22
# A longer line is no event; it is rejected without being parsed.
LINE_BYTES_MAX: Final = 1 << 20
# Stands in the place of a line that is too long, so that the lines after it keep their numbers.
LONG_LINE: Final = b"\x00long line\x00"

Encoding = Literal["utf-8", "gb18030", "broken"]
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
class Inspection:
    """What one pass over the bytes of a file shows.

    `encoding` is `broken` where neither UTF-8 nor GB18030 fits all of it: it is then read as UTF-8 and the
    characters that cannot be read cost their rows.
    """

    sha256: str
    num_bytes: int
    encoding: Encoding
    has_long_line: bool
    has_quotes: bool


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
    """

    columns: pa.Table
    rows: NDArray[np.int64]
    rejects: list[Reject]
    bytes_done: int
    unknown: frozenset[str] = field(default=frozenset())


def files_of(paths: Sequence[Path], endings: Sequence[str]) -> tuple[Path, ...]:
    """The files that `paths` mean: files, folders (all supported files below, sorted) and patterns with `*`, `?`.

    Raises
    ------
    InputError
        Naming every path that is missing, empty of supported files, or has an unsupported ending.
    """
    faults: list[Fault] = []
    found: list[Path] = []
    for path in paths:
        found += _files_of(path, endings, faults)
    if not paths:
        faults.append(Fault("input_none", file="-"))
    if faults:
        raise InputError(*faults)
    return tuple(found)


def _files_of(path: Path, endings: Sequence[str], faults: list[Fault]) -> list[Path]:
    allowed = ", ".join(endings)
    if path.is_dir():
        below = sorted(file for file in path.rglob("*") if file.suffix.lower() in endings and file.is_file())
        if not below:
            faults.append(Fault("input_folder_empty", file=str(path), allowed=allowed))
        return below
    if not path.exists():
        matches = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]
        if not matches:
            faults.append(Fault("input_missing", file=str(path)))
        return [file for match in matches for file in _files_of(match, endings, faults)]
    if path.suffix.lower() not in endings:
        faults.append(Fault("input_ending", file=str(path), given=path.suffix or path.name, allowed=allowed))
        return []
    return [path]


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def inspect(path: Path, *, is_text: bool) -> Inspection:
    """One pass over a file: digest and, for text, encoding and whether a line exceeds `LINE_BYTES_MAX`.

    Raises
    ------
    InputError
        If the file is empty or cannot be opened.
    """
    digest = hashlib.sha256()
    num_bytes = 0
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_utf8, has_long_line, has_quotes, open_line = True, False, False, 0
    with opened(path) as file:
        while block := _read(file, path):
            digest.update(block)
            num_bytes += len(block)
            if not is_text:
                continue
            is_utf8 = is_utf8 and _decodes(decoder, block, final=False)
            has_quotes = has_quotes or b'"' in block
            longest, open_line = _line_lengths(block, open_line)
            has_long_line = has_long_line or longest > LINE_BYTES_MAX
    if num_bytes == 0:
        raise InputError(Fault("input_empty", file=str(path)))
    is_utf8 = is_utf8 and (not is_text or _decodes(decoder, b"", final=True))
    encoding: Encoding = "utf-8" if is_utf8 else _encoding_of(path)
    return Inspection(digest.hexdigest(), num_bytes, encoding, has_long_line, has_quotes)


def opened(path: Path) -> BinaryIO:
    """The file, open for reading bytes; `InputError` if the system refuses."""
    with _refusals_named(path):
        return path.open("rb")


def _read(file: BinaryIO, path: Path) -> bytes:
    with _refusals_named(path):
        return file.read(BLOCK_BYTES)


@contextmanager
def _refusals_named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(Fault("input_unreadable", file=str(path), given=error.strerror or "")) from error


def text_stream(path: Path, inspection: Inspection) -> BinaryIO:
    """The bytes of a text file as UTF-8, lines that are too long replaced by `LONG_LINE`."""
    stream: Iterator[bytes] = iter(_blocks(path))
    if inspection.encoding != "utf-8":
        stream = _recoded(stream, "gb18030" if inspection.encoding == "gb18030" else "utf-8")
    if inspection.has_long_line:
        stream = _without_long_lines(stream)
    return io.BufferedReader(_BlockStream(stream), BLOCK_BYTES)


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
    with opened(path) as file:
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


def _decodes(decoder: codecs.IncrementalDecoder, block: bytes, *, final: bool) -> bool:
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        return False
    return True


def _line_lengths(block: bytes, open_line: int) -> tuple[int, int]:
    """Longest line that ends in `block`, and the bytes of the line still open after it (counted as a line too)."""
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
    if len(ends) == 0:
        return open_line + len(block), open_line + len(block)
    rest = len(block) - int(ends[-1]) - 1
    between = int(np.diff(ends).max()) if len(ends) > 1 else 0
    return max(open_line + int(ends[0]), between, rest), rest


def _encoding_of(path: Path) -> Encoding:
    """Of a file that is not UTF-8: GB18030 if all of it fits and it is not UTF-8 with a few broken places."""
    decoder = codecs.getincrementaldecoder("gb18030")()
    lenient = codecs.getincrementaldecoder("utf-8")(errors="replace")
    num_broken = num_sound = 0
    for block in _blocks(path):
        if b"\0" in block or not _decodes(decoder, block, final=False):
            return "broken"
        letters = lenient.decode(block)
        replaced = letters.count("\ufffd")
        num_broken += replaced
        num_sound += (len(letters.encode()) - len(letters)) // 2 - replaced
    if not _decodes(decoder, b"", final=True):
        return "broken"
    return "broken" if num_sound > num_broken else "gb18030"
