"""NDJSON files → chunks of columns: one object a line.

Python's own parser reads the lines: Arrow's ends the process on a top-level `null` (apache/arrow#47409), cannot
name the line that is wrong, and is no faster on lines of this kind.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from api.files.canonical import KNOWN_COLUMNS
from api.files.column_names import misspelt_keys
from api.files.errors import InputError
from api.files.id_checks import ID_FIELDS
from api.files.input_files import BLOCK_BYTES, LONG_LINE, FileInspection, RawChunk, text_stream
from api.files.json_faults import find_json_fault
from api.files.rejects import Reject, shorten
from rules.errors import Fault
from rules.events import FIELDS
from rules.ids import id_fault

_INT_COLUMNS: Final = frozenset(f"{f.name}_us" for f in FIELDS if f.type == "time") | {
    f.name for f in FIELDS if f.type == "int"
}
# What is wrong with a whole line, rather than with one member of it.
_NO_OBJECT: Final = frozenset({"json_syntax", "json_not_utf8", "json_packed"})
_NOTHING: Final = type(None)


def json_chunks(path: Path, inspection: FileInspection) -> Iterator[RawChunk]:
    """The known columns of an NDJSON file, chunk by chunk.

    Raises
    ------
    InputError
        If no line of it is an object.
    """
    line_number = 1
    bytes_done = 0
    has_object = False
    for block in _line_blocks(path, inspection):
        bytes_done += len(block)
        chunk = _chunk(block, str(path), line_number, bytes_done)
        line_number += block.count(b"\n")
        has_object = has_object or len(chunk.rows) > 0 or any(reject.column for reject in chunk.rejects)
        yield chunk
    if not has_object:
        raise InputError(Fault("input_not_json_lines", file=str(path)))


def _line_blocks(path: Path, inspection: FileInspection) -> Iterator[bytes]:
    """Blocks of whole lines, each ending in a line feed."""
    rest = b""
    with text_stream(path, inspection) as stream:
        while block := stream.read(BLOCK_BYTES):
            whole, ended, tail = (rest + block).rpartition(b"\n")
            rest = tail
            if ended:
                yield whole + ended
    if rest:
        yield rest + b"\n"


def _chunk(block: bytes, file: str, line_number: int, bytes_done: int) -> RawChunk:
    lines = block.split(b"\n")[:-1]
    documents: list[dict[str, Any]] = []
    rows: list[int] = []
    rejects: list[Reject] = []
    for number, line in enumerate(lines, line_number):
        document = _object(line)
        if document is not None:
            documents.append(document)
            rows.append(number)
        elif line.strip():
            rejects.append(_unread(file, number, line))
    chunk = documents_to_chunk(documents, file, rows, bytes_done)
    misspelt = frozenset(pair for names_of_row in misspelt_keys(documents).values() for pair in names_of_row.items())
    return replace(chunk, rejects=[*rejects, *chunk.rejects], misspelt=misspelt)


def documents_to_chunk(
    documents: Sequence[dict[str, Any]], file: str, rows: Sequence[int], bytes_done: int = 0
) -> RawChunk:
    """Objects as `decode_json` reads them → the known columns; what has not the type of its column is rejected."""
    names = set().union(*documents)
    columns: dict[str, pa.Array] = {}
    wrong: dict[int, str] = {}
    for name in sorted(names & KNOWN_COLUMNS):
        columns[name], misfits = _column(name, [document.get(name) for document in documents])
        for at in misfits:
            wrong.setdefault(at, name)
    rejects = [
        Reject(file, rows[at], name, shorten(_shown(documents[at][name])), "wrong_type") for at, name in wrong.items()
    ]
    # A chunk without a known column still has its rows: each lacks everything.
    columns.setdefault("event_id", pa.nulls(len(rows), pa.string()))
    table, numbers = pa.table(columns), np.array(rows, np.int64)
    if wrong:
        sound = np.ones(len(rows), np.bool_)
        sound[list(wrong)] = False
        table, numbers = table.filter(pa.array(sound)), numbers[sound]
    return RawChunk(table, numbers, rejects, bytes_done, frozenset(names - KNOWN_COLUMNS))


def _unread(file: str, number: int, line: bytes) -> Reject:
    if line.strip() == LONG_LINE:
        return Reject(file, number, "", "", "line_too_long")
    return rejected_line(file, number, line)


def rejected_line(file: str, number: int, line: bytes) -> Reject:
    """Why a line is no object, and where."""
    fault = find_json_fault(line.strip())
    if fault is None or fault.reason in _NO_OBJECT:
        shown = shorten(line.decode("utf-8", errors="replace").strip())
        return Reject(file, number, "", shown, "bad_line", at=0 if fault is None else fault.at)
    return Reject(file, number, fault.key, fault.value, fault.reason, at=fault.at)


def _column(name: str, values: list[Any]) -> tuple[pa.Array, list[int]]:
    """The values of one column, and the positions of those whose type does not fit (null in the column)."""
    kinds = set(map(type, values))
    if kinds <= {str, _NOTHING}:
        return pa.array(values, pa.string()), []
    if name in _INT_COLUMNS and kinds <= {int, _NOTHING}:
        try:
            return pa.array(values, pa.int64()), []
        except (OverflowError, pa.ArrowInvalid):
            pass  # read as text below, so that only the rows concerned are rejected
    misfits = [at for at, value in enumerate(values) if not _fits(name, value)]
    for at in misfits:
        values[at] = None
    return pa.array([_written(value) for value in values], pa.string()), misfits


class _Spelling(str):
    """A number with a point or an exponent, as the file spells it: floats are never made."""

    __slots__ = ()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key stands twice")
    return document


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _only_once(pairs: list[tuple[str, Any]]) -> None:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key stands twice")


_CHECKER: Final = json.JSONDecoder(object_pairs_hook=_only_once, parse_constant=_refused)
_DECODER: Final = json.JSONDecoder(object_pairs_hook=_once, parse_float=_Spelling, parse_constant=_refused)


def validate_json(text: str) -> None:
    """Refuse what `decode_json_replacing` would refuse; nothing of the text is kept, so a long one takes little memory.

    Raises
    ------
    ValueError, RecursionError
        If it is no JSON, or holds a key twice.
    """
    _CHECKER.decode(text)


def decode_json(text: str) -> Any:
    """A JSON value without floats: numbers with a point or an exponent stay as they are spelt.

    Raises
    ------
    ValueError, RecursionError
        If it is no JSON, no text, or holds a key twice.
    """
    document = _DECODER.decode(text)
    if "\\ud" in text or "\\uD" in text:
        # Half a surrogate pair is JSON but no text.
        json.dumps(document, ensure_ascii=False).encode()
    return document


def decode_json_replacing(text: str) -> Any:
    """As `decode_json`, with U+FFFD for halves of characters: only the events that hold them are rejected.

    Raises
    ------
    ValueError, RecursionError
        As of `decode_json`, but for halves of characters.
    """
    try:
        return decode_json(text)
    except UnicodeEncodeError:
        return _marked(_DECODER.decode(text))


def _marked(value: Any) -> Any:
    if isinstance(value, dict):
        return {_marked(name): _marked(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_marked(inner) for inner in value]
    if isinstance(value, str) and not isinstance(value, _Spelling):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return value


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        document = decode_json(line.decode().strip())
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _fits(name: str, value: object) -> bool:
    if isinstance(value, _Spelling):
        # A number that a spreadsheet has damaged is told as what it is.
        return name in _INT_COLUMNS or (name in ID_FIELDS and id_fault(value) is not None)
    if isinstance(value, bool):
        return False
    if isinstance(value, list):
        return name == "reports" and all(type(item) is str for item in value)
    # Ids are often written as numbers.
    return value is None or isinstance(value, str | int)


def _written(value: Any) -> str | None:
    if value is None:
        return None
    return ";".join(value) if isinstance(value, list) else str(value)


def _shown(value: object) -> str:
    return str(value) if isinstance(value, _Spelling) else json.dumps(value, ensure_ascii=False)
