"""Events in the body of a request → the same canonical rows and rejects as those of files.

One object, a list of objects, `{"events": [...]}`, or NDJSON: a place is a JSON pointer or a line.
"""

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pyarrow as pa

from api.files.canonical import KNOWN_COLUMNS, to_canonical
from api.files.column_names import misspelt_keys
from api.files.errors import InputError
from api.files.input_files import LINE_BYTES_MAX
from api.files.json_faults import JsonFault, find_json_fault
from api.files.json_lines import decode_json, decode_json_replacing, documents_to_chunk, rejected_line
from api.files.json_list import json_list_bounds
from api.files.reading_options import KnownIds, ReadingOptions
from api.files.rejects import Reject, shorten
from rules.text_files import BYTE_ORDER_MARK
from scoring.columns import CANONICAL_SCHEMA

BODY: Final = "body"
_MARK: Final = BYTE_ORDER_MARK.encode()
EVENTS: Final = "events"
_LARGE_BYTES: Final = 1 << 20
REPORTS: Final = "reports"
# More than any column takes, so what is cut is rejected all the same.
_TEXT_KEPT: Final = 250
_LARGEST: Final = 10**_TEXT_KEPT
_TOO_LONG: Final = object()


class NotEventsError(InputError):
    """A body that is no JSON (`fault` says why), or neither an object nor a list (`is_json`)."""

    def __init__(self, *, is_json: bool, fault: JsonFault | None = None) -> None:
        self.is_json = is_json
        self.fault = fault
        super().__init__()


@dataclass(frozen=True, slots=True)
class RequestBody:
    """A body taken apart, its values not looked at yet.

    Parameters
    ----------
    events, rows
        Its objects, and the position of each in the body, from 0.
    rejects
        What is no object, by position.
    places
        Of each position: its path in the JSON body, or its line.
    """

    events: tuple[dict[str, Any], ...]
    rows: tuple[int, ...]
    rejects: tuple[Reject, ...]
    places: tuple[tuple[str | int, ...] | int, ...]

    def identities(self) -> tuple[tuple[str | None, str | None], ...]:
        """(rider_id, event_id) of each position as they were sent, for what cannot be read too."""
        ids: list[tuple[str | None, str | None]] = [(None, None)] * len(self.places)
        for row, event in zip(self.rows, self.events, strict=True):
            ids[row] = (_id(event.get("rider_id")), _id(event.get("event_id")))
        return tuple(ids)


@dataclass(frozen=True, slots=True)
class RequestRows:
    """Rows that the body of a request holds.

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
    ignored
        Names that no event has a use for.
    """

    table: pa.Table
    rejects: tuple[Reject, ...]
    places: tuple[tuple[str | int, ...] | int, ...]
    identities: tuple[tuple[str | None, str | None], ...]
    ignored: frozenset[str]


def split_body(body: bytes, *, is_ndjson: bool) -> RequestBody:
    """The objects of a body; little work beside reading them.

    Raises
    ------
    NotEventsError
        If it is no JSON, or neither an object nor a list. What is no object in a list or line is a reject.
    """
    return _lines(body) if is_ndjson else _document(body)


def _document(body: bytes) -> RequestBody:
    body = body.removeprefix(_MARK)
    if len(body) > _LARGE_BYTES:
        return _large(body)
    try:
        document = decode_json_replacing(body.decode().strip())
    except (ValueError, RecursionError):
        raise NotEventsError(is_json=False, fault=find_json_fault(body)) from None
    return _of_value(document)


def _of_value(document: Any) -> RequestBody:
    head: tuple[str | int, ...] = ()
    if isinstance(document, dict):
        if not isinstance(document.get(EVENTS), list):
            return RequestBody((document,), (0,), (), ((),))
        head, document = (EVENTS,), document[EVENTS]
    if not isinstance(document, list):
        raise NotEventsError(is_json=True)
    return _listed(document, head)


def _large(body: bytes) -> RequestBody:
    """The rows of a long list, each read by itself and of each what a column may hold; what is around them is short."""
    list_bounds = json_list_bounds(body)
    bounds = () if list_bounds is None else list_bounds.rows
    around = body if list_bounds is None else body[: list_bounds.start] + body[list_bounds.stop :]
    if len(around) > LINE_BYTES_MAX:
        return RequestBody((), (), (Reject(BODY, 0, "", "", "line_too_long"),), ((),))
    try:
        document = decode_json_replacing(around.decode().strip())
        values = [_value_at(body, start, stop) for start, stop in bounds]
    except (ValueError, RecursionError):
        raise NotEventsError(is_json=False, fault=_fault_in(body, bounds)) from None
    _restored(values)
    head = (EVENTS,) if isinstance(document, dict) else ()
    return _of_value(document) if list_bounds is None else _listed(values, head)


def _fault_in(body: bytes, bounds: Sequence[tuple[int, int]]) -> JsonFault | None:
    """The fault of the first row of a long list that has one; the text is not looked at whole."""
    for start, stop in bounds:
        if stop - start > LINE_BYTES_MAX or _is_sound(body[start:stop]):
            continue
        fault = find_json_fault(body[start:stop])
        if fault is not None:
            before = start - body.rfind(b"\n", 0, start) - 1 if fault.line == 1 else 0
            return replace(fault, line=fault.line + body.count(b"\n", 0, start), at=fault.at + before)
    return None


def _is_sound(row: bytes) -> bool:
    try:
        decode_json_replacing(row.decode().strip())
    except (ValueError, RecursionError):
        return False
    return True


def _value_at(body: bytes, start: int, stop: int) -> Any:
    """A row of a list, or `_TOO_LONG`."""
    return (
        _TOO_LONG if stop - start > LINE_BYTES_MAX else _kept(decode_json_replacing(body[start:stop].decode().strip()))
    )


def _kept(value: Any) -> Any:
    """What is looked at of a row: known columns, and of what is longer than any of them takes enough to refuse it."""
    if not isinstance(value, dict):
        return value
    return {name: _shortened(name, inner) for name, inner in value.items() if name in KNOWN_COLUMNS}


def _shortened(name: str, value: Any) -> Any:
    """A value that is answered as the whole one is, where it is no number, time, id or list of reports by its length."""
    if type(value) is str and len(value) > _TEXT_KEPT:
        if name == REPORTS:
            value = ";".join(_named(value.split(";")))
        # No number or time ends so, and what is left of an id is too long for one.
        return value if len(value) <= _TEXT_KEPT else (value[:_TEXT_KEPT] + "…").encode()
    if type(value) is int and not -_LARGEST < value < _LARGEST:
        return str(value)[: _TEXT_KEPT + 1]
    if isinstance(value, list | dict) and value:
        if name == REPORTS and isinstance(value, list) and all(type(item) is str for item in value):
            return _shortened(name, ";".join(value))
        shown = json.dumps(value, ensure_ascii=False)
        # Neither is a column's type.
        return (shown[:_TEXT_KEPT],) if len(shown) > _TEXT_KEPT else value
    return value


def _restored(values: Sequence[Any]) -> None:
    """Make texts of what was cut: bytes until all is read, since what is kept between long texts keeps their room."""
    for value in values:
        if isinstance(value, dict):
            for name, inner in value.items():
                if type(inner) is bytes:
                    value[name] = inner.decode()


def _named(parts: Sequence[str]) -> list[str]:
    """Each of some names once; no name of ours is so long."""
    return list(dict.fromkeys(part.strip()[:_TEXT_KEPT] for part in parts))


def _listed(values: list[Any], head: tuple[str | int, ...]) -> RequestBody:
    rows = tuple(k for k, value in enumerate(values) if isinstance(value, dict))
    rejects = tuple(_no_object(k, value) for k, value in enumerate(values) if not isinstance(value, dict))
    return RequestBody(tuple(values[k] for k in rows), rows, rejects, tuple((*head, k) for k in range(len(values))))


def _no_object(row: int, value: Any) -> Reject:
    if value is _TOO_LONG:
        return Reject(BODY, row, "", "", "line_too_long")
    return Reject(BODY, row, "", shorten(json.dumps(value, ensure_ascii=False)), "bad_line")


def _lines(body: bytes) -> RequestBody:
    events: list[dict[str, Any]] = []
    rejects: list[Reject] = []
    places: list[tuple[str | int, ...] | int] = []
    rows: list[int] = []
    for number, line in enumerate(io.BytesIO(body.removeprefix(_MARK)), 1):
        if not line.strip():
            continue
        row = len(places)
        places.append(number)
        if len(line) > LINE_BYTES_MAX:
            rejects.append(Reject(BODY, row, "", "", "line_too_long"))
            continue
        try:
            document = _kept(decode_json(line.decode().strip()))
        except (ValueError, RecursionError):
            document = None
        if isinstance(document, dict):
            events.append(document)
            rows.append(row)
        else:
            rejects.append(rejected_line(BODY, row, line))
    _restored(events)
    return RequestBody(tuple(events), tuple(rows), tuple(rejects), tuple(places))


def read_event_body(document: RequestBody, known_ids: KnownIds | None = None) -> RequestRows:
    """The values of a body; `known_ids` are ids that stay valid."""
    events, rows, misspelt = _well_spelt(document)
    table, rejects = CANONICAL_SCHEMA.empty_table(), [*document.rejects, *misspelt]
    if events:
        chunk = documents_to_chunk(events, BODY, rows)
        table, bad = to_canonical(chunk.columns, BODY, chunk.rows, ReadingOptions(known_ids=known_ids))
        rejects += [*chunk.rejects, *bad]
    every = sorted(rejects, key=lambda reject: reject.row)
    return RequestRows(table, tuple(every), document.places, document.identities(), _ignored(events))


def _well_spelt(document: RequestBody) -> tuple[Sequence[dict[str, Any]], Sequence[int], list[Reject]]:
    """Events and their rows without those that have a misspelt name, and what is said of these."""
    misspelt = misspelt_keys(document.events) if document.events else {}
    if not misspelt:
        return document.events, document.rows, []
    rejects = []
    for k, names_of_row in misspelt.items():
        name, meant = min(names_of_row.items())
        shown = shorten(json.dumps(document.events[k][name], ensure_ascii=False))
        rejects.append(Reject(BODY, document.rows[k], name, shown, "misspelt_field", meant))
    sound = [k for k in range(len(document.events)) if k not in misspelt]
    return [document.events[k] for k in sound], [document.rows[k] for k in sound], rejects


def _ignored(events: Sequence[dict[str, Any]]) -> frozenset[str]:
    return frozenset[str]().union(*events) - KNOWN_COLUMNS


def read_event_bodies(documents: Sequence[RequestBody], known_ids: Sequence[KnownIds | None] = ()) -> list[RequestRows]:
    """As `read_event_body` of each, in much less time where they are many and small.

    Bodies with the same columns of the same types are read as one, and alone where anything in them is rejected: what is
    said of a value depends on the columns and types beside it.
    """
    by_shape: dict[Any, list[int]] = {}
    for k, document in enumerate(documents):
        by_shape.setdefault(_shape(document), []).append(k)
    rows_of_body: dict[int, RequestRows] = {}
    for positions in by_shape.values():
        read = _read_alike([documents[k] for k in positions], [known_ids[k] if known_ids else None for k in positions])
        rows_of_body |= zip(positions, read, strict=True)
    return [rows_of_body[k] for k in range(len(documents))]


def _shape(document: RequestBody) -> tuple[frozenset[tuple[str, type]], bool]:
    """Known columns and the types in them; whether there is anything at all."""
    return frozenset(
        (name, type(value)) for event in document.events for name, value in event.items() if name in KNOWN_COLUMNS
    ), bool(document.events)


def _read_alike(documents: Sequence[RequestBody], known_ids: Sequence[KnownIds | None]) -> list[RequestRows]:
    if len(documents) > 1 and documents[0].events:
        events = tuple(event for document in documents for event in document.events)
        whole = read_event_body(RequestBody(events, tuple(range(len(events))), (), ((),) * len(events)))
        if not whole.rejects:
            return list(_parted(whole.table, documents))
    return [
        read_event_body(document, known_ids_of_body)
        for document, known_ids_of_body in zip(documents, known_ids, strict=True)
    ]


def _parted(table: pa.Table, documents: Sequence[RequestBody]) -> Iterator[RequestRows]:
    """Rows that were read as one, by the bodies they came in."""
    rows = pa.array([row for document in documents for row in document.rows], pa.int64())
    table = table.set_column(table.column_names.index("row"), "row", rows)
    at = 0
    for document in documents:
        rows_of_body = table.slice(at, len(document.events))
        yield RequestRows(
            rows_of_body, document.rejects, document.places, document.identities(), _ignored(document.events)
        )
        at += len(document.events)


def _id(value: object) -> str | None:
    """An id as it was sent, where it can be one."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return shorten(str(value))
