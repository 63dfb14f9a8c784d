"""Small event files with defaults: one delivered row, changed where a test needs it."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from api.files.readers import EventInputs, read_events
from api.files.rejects import Reject

DELIVERED: Mapping[str, str] = {
    "event_id": "e1",
    "rider_id": "r1",
    "city": "hangzhou",
    "rider_kind": "crowdsourced",
    "kind": "delivered",
    "order_id": "o1",
    "occurred_at": "2026-01-05T12:30:00+08:00",
}


def event(**changes: str) -> dict[str, str]:
    """One delivered event as text, with changes; the order of event `e2` is `o2`, unless it is another."""
    event_id = changes.get("event_id", DELIVERED["event_id"])
    return {**DELIVERED, "order_id": f"o{event_id.removeprefix('e')}", **changes}


def csv_text(rows: Iterable[Mapping[str, str]]) -> str:
    """Rows as CSV, without quoting; columns are those of all rows in the order met."""
    rows = list(rows)
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [",".join(names)] + [",".join(row.get(name, "") for name in names) for row in rows]
    return "\n".join(lines) + "\n"


def write(path: Path, content: str | bytes) -> Path:
    """A file with this content."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read_csv(folder: Path, content: str | bytes) -> EventInputs:
    """The content as `events.csv`, read as native."""
    return read_events([write(folder / "events.csv", content)], "native")


def read_rows(folder: Path, *rows: Mapping[str, str]) -> EventInputs:
    """The rows as `events.csv`, read as native."""
    return read_csv(folder, csv_text(rows))


def read_lines(folder: Path, *documents: object) -> EventInputs:
    """The documents as `events.ndjson`, read as native; a `str` or `bytes` stands for a line as it is."""
    lines = [item if isinstance(item, str | bytes) else json.dumps(item) for item in documents]
    content = b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines)
    return read_events([write(folder / "events.ndjson", content)], "native")


def read_table(folder: Path, table: pa.Table) -> EventInputs:
    """The table as `events.parquet`, read as native."""
    pq.write_table(table, folder / "events.parquet")
    return read_events([folder / "events.parquet"], "native")


def ids(read: EventInputs) -> list[str]:
    """Event ids of the good rows."""
    return list(read.table["event_id"].to_pylist())


def faults(read: EventInputs) -> list[tuple[int, str, str, str]]:
    """(row, column, value, reason) of each reject."""
    return [_place(reject) for reject in read.rejects]


def _place(reject: Reject) -> tuple[int, str, str, str]:
    return reject.row, reject.column, reject.value, reject.reason
