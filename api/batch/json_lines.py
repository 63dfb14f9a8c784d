"""NDJSON files → chunks of columns: one object a line.

Main path: Arrow's parser with the types of the event format. A block it refuses is read line by line.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.json as pajson

from api.batch.canonical import KNOWN_COLUMNS
from api.batch.errors import InputError
from api.batch.rejects import Reject, cut
from api.batch.sources import BLOCK_BYTES, LONG_LINE, Inspection, RawChunk, text_stream
from rules.errors import Fault
from rules.events import FIELDS

_INT_COLUMNS: Final = frozenset(f"{f.name}_us" for f in FIELDS if f.type == "time") | {
    f.name for f in FIELDS if f.type == "int"
}
_SCHEMA: Final = pa.schema(
    [(name, pa.int64() if name in _INT_COLUMNS else pa.string()) for name in sorted(KNOWN_COLUMNS)]
)


def json_chunks(path: Path, inspection: Inspection) -> Iterator[RawChunk]:
    """The known columns of an NDJSON file, chunk by chunk.

    Raises
    ------
    InputError
        If no line of it is an object.
    """
    line_number = 1
    has_object = False
    bytes_done = 0
    for block in _line_blocks(path, inspection):
        bytes_done += len(block)
        num_lines = block.count(b"\n")
        chunk = _fast(block, num_lines, line_number, bytes_done)
        chunk = chunk or _slow(block, str(path), line_number, bytes_done)
        line_number += num_lines
        has_object = has_object or len(chunk.rows) > 0 or any(reject.column for reject in chunk.rejects)
        yield chunk
    if not has_object:
        raise InputError(Fault("input_not_json_lines", file=str(path)))


def _line_blocks(path: Path, inspection: Inspection) -> Iterator[bytes]:
    """Blocks of whole lines, each ending in a line feed."""
    rest = b""
    with text_stream(path, inspection) as stream:
        first = True
        while block := stream.read(BLOCK_BYTES):
            if first:
                block, first = block.removeprefix(b"\xef\xbb\xbf"), False
            whole, ended, tail = (rest + block).rpartition(b"\n")
            rest = tail
            if ended:
                yield whole + ended
    if rest:
        yield rest + b"\n"


def _fast(block: bytes, num_lines: int, line_number: int, bytes_done: int) -> RawChunk | None:
    """The block as Arrow reads it; None where that may differ from the slow reading."""
    try:
        table = pajson.read_json(
            pa.BufferReader(block),
            read_options=pajson.ReadOptions(use_threads=False, block_size=len(block) + 1),
            parse_options=pajson.ParseOptions(explicit_schema=_SCHEMA, newlines_in_values=False),
        )
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None
    if table.num_rows != num_lines:
        return None
    unknown = frozenset(table.column_names) - KNOWN_COLUMNS
    rows = np.arange(line_number, line_number + num_lines)
    return RawChunk(table.select(_SCHEMA.names), rows, [], bytes_done, unknown)


def _slow(block: bytes, file: str, line_number: int, bytes_done: int) -> RawChunk:
    columns: dict[str, list[str | None]] = {name: [] for name in _SCHEMA.names}
    rows: list[int] = []
    rejects: list[Reject] = []
    unknown: set[str] = set()
    for number, line in enumerate(block.split(b"\n")[:-1], line_number):
        if not line.strip():
            continue
        if line.strip() == LONG_LINE:
            rejects.append(Reject(file, number, "", "", "line_too_long"))
            continue
        document = _object(line)
        if document is None:
            rejects.append(Reject(file, number, "", cut(line.decode("utf-8", errors="replace").strip()), "bad_line"))
            continue
        unknown |= document.keys() - KNOWN_COLUMNS
        wrong = next((name for name in _SCHEMA.names if not _fits(name, document.get(name))), None)
        if wrong is not None:
            rejects.append(Reject(file, number, wrong, cut(_shown(line, wrong)), "wrong_type"))
            continue
        rows.append(number)
        for name, values in columns.items():
            values.append(_written(document.get(name)))
    table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    return RawChunk(table, np.array(rows, np.int64), rejects, bytes_done, frozenset(unknown))


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        # Numbers keep their spelling; they are read with those of CSV files.
        document = json.loads(
            line, parse_float=_Spelling, parse_int=_Spelling, parse_constant=_refused, object_pairs_hook=_once
        )
        json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


class _Spelling(str):
    """A number as the file spells it."""

    __slots__ = ()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key stands twice")
    return document


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _fits(name: str, value: object) -> bool:
    if value is None:
        return True
    if name == "reports" and isinstance(value, list):
        return all(isinstance(item, str) and not isinstance(item, _Spelling) for item in value)
    if isinstance(value, _Spelling):
        # Ids are often numbers; a time or a name never is.
        return name in _INT_COLUMNS or value.lstrip("-").isdigit()
    return isinstance(value, str)


def _shown(line: bytes, name: str) -> str:
    try:
        return json.dumps(json.loads(line)[name], ensure_ascii=False)
    except ValueError:  # an integer of thousands of digits
        return line.decode("utf-8", errors="replace").strip()


def _written(value: Any) -> str | None:
    return ";".join(value) if isinstance(value, list) else value
