"""Text files as people and programs write them: encoding, delimiter, and the lines before a table's header.

Every door reads text by these functions: event files, instances, tables of rule books, documents, bodies. Pure: bytes and
text come in. UTF-8, UTF-16 and GB18030 are told apart by what fits all of a file, never by likelihood, so that a short
file of names is not taken for another country's.
"""

import codecs
import csv
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

Encoding = Literal["utf-8", "utf-16-le", "utf-16-be", "gb18030", "broken"]
Packing = Literal["gzip", "zip", "xlsx", "xls", "parquet", "zstd", "bzip2", "xz", "pdf"]

BYTE_ORDER_MARK: Final = "\ufeff"
HEAD_BYTES: Final = 1 << 16
DELIMITERS: Final = ",;\t|"
# Wider tables exist; a name for each delimiter that a person can read.
DELIMITER_NAMES: Final = {",": ",", ";": ";", "\t": "Tab", "|": "|"}
_WIDE_MARKS: Final[tuple[tuple[bytes, Encoding], ...]] = (
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_PACKINGS: Final[tuple[tuple[bytes, Packing], ...]] = (
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "xls"),
    (b"PAR1", "parquet"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"%PDF-", "pdf"),
)
_SEPARATOR: Final = re.compile(r'\s*"?sep=(?P<delimiter>\\t|[^"\s]|\t)"?[\s,;|]*', re.IGNORECASE)
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0e-\x1f]")
# What no reader sees: blanks of all kinds, the mark, and characters without width.
_UNSEEN: Final = " \t\r\n\x0b\x0c\x00\xa0\u3000\u200b\u200c\u200d\u2060\ufeff"


@dataclass(frozen=True, slots=True)
class TextLayout:
    """How a text holds a table.

    Parameters
    ----------
    delimiter
        What parts its fields.
    num_before
        Lines before the header: blank ones, and one that names the delimiter.
    """

    delimiter: str
    num_before: int


def file_format_of(head: bytes) -> Packing | None:
    """What a file is that is no text, by its first bytes; None for text.

    Parameters
    ----------
    head
        At least the first 16 bytes; for workbooks some thousand.

    Returns
    -------
    str or None
        A format such as `gzip` or `parquet`.
    """
    format_ = next((packing for magic, packing in _PACKINGS if head.startswith(magic)), None)
    return "xlsx" if format_ == "zip" and b"xl/" in head else format_


def utf16_of(head: bytes) -> Encoding | None:
    """Recognise UTF-16 by its mark, or by where the zero bytes of its digits and delimiters stand; None for all else.

    Parameters
    ----------
    head
        The first bytes; 4096 are looked at.

    Returns
    -------
    str or None
        `utf-16-le` or `utf-16-be`.
    """
    for mark, encoding in _WIDE_MARKS:
        if head.startswith(mark):
            return encoding
    zeros = np.flatnonzero(np.frombuffer(head[:4096], np.uint8) == 0)
    if len(zeros) < max(2, min(len(head), 4096) // 50):
        return None
    num_odd = int((zeros % 2).sum())
    if len(zeros) // 10 < num_odd < len(zeros) * 9 // 10:
        return None
    wide: Encoding = "utf-16-le" if num_odd * 2 > len(zeros) else "utf-16-be"
    return None if _CONTROLS.search(head[:4096].decode(wide, "replace")) else wide


def fits_utf8(decoder: codecs.IncrementalDecoder, block: bytes, *, final: bool) -> bool:
    """Say whether the next block of a text decodes.

    Parameters
    ----------
    decoder
        Keeps what a block leaves unfinished.
    block
        The next bytes.
    final
        Whether it is the last block.

    Returns
    -------
    bool
        False once a place is broken.
    """
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        return False
    return True


def other_encoding(blocks: Iterable[bytes]) -> Encoding:
    """Decide what a text is that is neither UTF-8 nor UTF-16.

    It is GB18030 if all of it fits and it is not UTF-8 with a few broken places.

    Parameters
    ----------
    blocks
        The whole text, in order.

    Returns
    -------
    str
        `gb18030` or `broken`.
    """
    decoder = codecs.getincrementaldecoder("gb18030")()
    lenient = codecs.getincrementaldecoder("utf-8")(errors="replace")
    num_broken = num_sound = 0
    for block in blocks:
        if b"\0" in block or not fits_utf8(decoder, block, final=False):
            return "broken"
        letters = lenient.decode(block)
        replaced = letters.count("\ufffd")
        num_broken += replaced
        num_sound += (len(letters.encode()) - len(letters)) // 2 - replaced
    if not fits_utf8(decoder, b"", final=True):
        return "broken"
    return "broken" if num_sound > num_broken else "gb18030"


def encoding_of(content: bytes) -> Encoding:
    """The encoding of a text that is in memory."""
    wide = utf16_of(content)
    if wide is not None:
        return wide
    try:
        content.decode()
    except UnicodeDecodeError:
        return other_encoding((content,))
    return "utf-8"


def codec_of(encoding: Encoding) -> str:
    """Python's name; a broken text is read as UTF-8 with marks in its broken places.

    Parameters
    ----------
    encoding
        As `encoding_of` finds it.

    Returns
    -------
    str
        As `bytes.decode` takes it.
    """
    return "utf-8" if encoding == "broken" else encoding


def decode_text(content: bytes) -> tuple[str, Encoding]:
    """A text in memory without its mark, lines ended by a line feed alone, and its encoding.

    Parameters
    ----------
    content
        All bytes of a text.

    Returns
    -------
    tuple
        The text and its encoding; broken places of a broken text are U+FFFD.
    """
    encoding = encoding_of(content)
    written = content.decode(codec_of(encoding), "replace").lstrip(BYTE_ORDER_MARK)
    return written.replace("\r\n", "\n").replace("\r", "\n"), encoding


def strip_invisible(written: str) -> str:
    """A name without what nobody sees at its ends: blanks, marks, characters without width.

    Parameters
    ----------
    written
        A name.

    Returns
    -------
    str
        Blanks inside stay.
    """
    return written.strip(_UNSEEN)


def is_blank(line: str) -> bool:
    """Whether a line of a table holds nothing: blanks, delimiters and empty quotes.

    Parameters
    ----------
    line
        One line.

    Returns
    -------
    bool
        True for an empty line, too.
    """
    return not line.strip(_UNSEEN + DELIMITERS + '"')


def layout_of(head: str, known: Collection[str] = ()) -> TextLayout:
    """The layout of a table by its first lines.

    Parameters
    ----------
    head
        The first lines, ended by a line feed.
    known
        Names of columns: the delimiter that finds most of them is taken, then the one that parts most.

    Returns
    -------
    Layout
        A comma and no line before where the text has no header.
    """
    lines = head.split("\n")
    num_before, asked = 0, ""
    for line in lines:
        separator = _SEPARATOR.fullmatch(line) if not asked else None
        if separator is not None:
            asked = separator["delimiter"].replace("\\t", "\t")
        elif not is_blank(line):
            break
        num_before += 1
    else:
        return TextLayout(asked or ",", 0)
    header = lines[num_before]

    def parted(delimiter: str) -> tuple[int, int, int]:
        names = [strip_invisible(name) for name in cells_of(header, delimiter) or ()]
        num_known = sum(name in known for name in names)
        return num_known, -len(names) if num_known else 0, len(names)

    return TextLayout(asked or max(DELIMITERS, key=parted), num_before)


def cells_of(line: str, delimiter: str) -> list[str] | None:
    """The fields of one line; None where its quotes do not match.

    Parameters
    ----------
    line
        One line, with or without its end.
    delimiter
        One character.

    Returns
    -------
    list of str or None
        Text without quotes.
    """
    try:
        return next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter, strict=True), None)
    except csv.Error:
        return None
