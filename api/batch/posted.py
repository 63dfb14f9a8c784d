"""Events in the body of a request → the same canonical rows and rejects as those of files.

One object, a list of objects, `{"events": [...]}`, or NDJSON: a place is a JSON pointer or a line.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from api.batch.canonical import CANONICAL_SCHEMA, canonical
from api.batch.json_lines import columns_of, decode, decode_marked
from api.batch.rejects import Reject, cut
from api.batch.sources import LINE_BYTES_MAX

BODY: Final = "body"
EVENTS: Final = "events"


class NotEventsError(Exception):
    """A body that is no JSON, or neither an object nor a list (`is_json`)."""

    def __init__(self, *, is_json: bool) -> None:
        self.is_json = is_json
        super().__init__()


@dataclass(frozen=True, slots=True)
class PostedRows:
    """What a body held.

    Parameters
    ----------
    table
        `CANONICAL_SCHEMA`; `row` is the position in the body, from 0.
    rejects
        Rows that cannot be read, by position.
    places
        Of each row: its path in the JSON body, or its line.
    identities
        (rider_id, event_id) as they were sent, for rows that could not be read too.
    """

    table: pa.Table
    rejects: tuple[Reject, ...]
    places: tuple[tuple[str | int, ...] | int, ...]
    identities: tuple[tuple[str | None, str | None], ...]


def read_posted(body: bytes, *, is_ndjson: bool) -> PostedRows:
    """Rows of a body.

    Raises
    ------
    NotEventsError
        If it is no JSON, or neither an object nor a list. What is no object in a list or line is a reject.
    """
    return _read_lines(body) if is_ndjson else _read_document(body)


def _read_document(body: bytes) -> PostedRows:
    try:
        document = decode_marked(body.decode().strip())
    except (ValueError, RecursionError):
        raise NotEventsError(is_json=False) from None
    head: tuple[str | int, ...] = ()
    if isinstance(document, dict):
        if not isinstance(document.get(EVENTS), list):
            return _rows([document], [], [()], [0])
        head, document = (EVENTS,), document[EVENTS]
    if not isinstance(document, list):
        raise NotEventsError(is_json=True)
    rows = [k for k, value in enumerate(document) if isinstance(value, dict)]
    rejects = [
        Reject(BODY, k, "", cut(json.dumps(value, ensure_ascii=False)), "bad_line")
        for k, value in enumerate(document)
        if not isinstance(value, dict)
    ]
    return _rows([document[k] for k in rows], rejects, [(*head, k) for k in range(len(document))], rows)


def _read_lines(body: bytes) -> PostedRows:
    documents: list[dict[str, Any]] = []
    rejects: list[Reject] = []
    places: list[tuple[str | int, ...] | int] = []
    rows: list[int] = []
    for number, line in enumerate(body.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not line.strip():
            continue
        row = len(places)
        places.append(number)
        if len(line) > LINE_BYTES_MAX:
            rejects.append(Reject(BODY, row, "", "", "line_too_long"))
            continue
        try:
            document = decode(line.decode().strip())
        except (ValueError, RecursionError):
            document = None
        if isinstance(document, dict):
            documents.append(document)
            rows.append(row)
        else:
            rejects.append(Reject(BODY, row, "", cut(line.decode("utf-8", errors="replace").strip()), "bad_line"))
    return _rows(documents, rejects, places, rows)


def _rows(
    documents: list[dict[str, Any]],
    rejects: list[Reject],
    places: Sequence[tuple[str | int, ...] | int],
    rows: list[int],
) -> PostedRows:
    identities: list[tuple[str | None, str | None]] = [(None, None)] * len(places)
    for row, document in zip(rows, documents, strict=True):
        identities[row] = (_id(document.get("rider_id")), _id(document.get("event_id")))
    if not documents:
        return PostedRows(CANONICAL_SCHEMA.empty_table(), tuple(rejects), tuple(places), tuple(identities))
    chunk = columns_of(documents, BODY, rows)
    table, found = canonical(chunk.columns, BODY, chunk.rows)
    every = sorted([*rejects, *chunk.rejects, *found], key=lambda reject: reject.row)
    return PostedRows(table, tuple(every), tuple(places), tuple(identities))


def _id(value: object) -> str | None:
    """An id as it was sent, where it can be one."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return cut(str(value))
