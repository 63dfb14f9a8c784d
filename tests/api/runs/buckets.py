"""What tests of runs by buckets share: sizes, rows that are wrong, ledgers compared."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

BOOK = "gbt-46862-reference"


BUCKET_ROWS = 700


def with_value(table: pa.Table, name: str, value: object) -> pa.Table:
    """The same rows with one column changed."""
    at = table.schema.get_field_index(name)
    return table.set_column(at, name, pa.array([value] * table.num_rows, table.schema.field(at).type))


def no_rider(table: pa.Table) -> pa.Table:
    """Two rows that name no rider."""
    return with_value(table.slice(8, 2), "rider_id", None)


def rows_of(folder: Path, name: str, *keys: str) -> list[dict[str, Any]]:
    """Rows of a ledger file or folder of parts, in the order of the keys."""
    rows = pq.read_table(folder / name).to_pylist()
    return sorted(rows, key=lambda row: tuple(row[key] for key in keys))


def same_ledger(a: Path, b: Path) -> None:
    """Both hold the same lines, riders, rejects and counts."""
    assert rows_of(a, "entries.parquet", "rider_id", "seq") == rows_of(b, "entries.parquet", "rider_id", "seq")
    assert rows_of(a, "riders.parquet", "rider_id") == rows_of(b, "riders.parquet", "rider_id")
    assert (a / "rejects.ndjson").read_text() == (b / "rejects.ndjson").read_text()
    runs = [json.loads((folder / "run.json").read_text()) for folder in (a, b)]
    for name in ("counts", "rejected", "inputs", "as_of_us", "books"):
        assert runs[0][name] == runs[1][name]


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a ledger but `run.json`, which holds seconds."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "run.json")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
