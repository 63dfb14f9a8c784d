"""JSON Schema of an entry and of a rider's row of a ledger, made from the columns themselves."""

from typing import Any, Final

import pyarrow as pa

from api.files.event_json_schema import DIALECT
from scoring.ledger_columns import ENTRY_COLUMNS, RIDER_COLUMNS, LedgerColumn

ENTRY_SCHEMA_ID: Final = "https://riderscore.invalid/schema/entry.json"
RIDER_SCHEMA_ID: Final = "https://riderscore.invalid/schema/rider.json"


def entry_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of one entry: a row of `entries.parquet`.

    Returns
    -------
    dict
        Every column, described.
    """
    return _row_schema(
        ENTRY_COLUMNS, ENTRY_SCHEMA_ID, "Entry", "One line of a ledger: what moved a rider's score, and why."
    )


def rider_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of where a rider stands: a row of `riders.parquet`.

    Returns
    -------
    dict
        Every column, described.
    """
    return _row_schema(RIDER_COLUMNS, RIDER_SCHEMA_ID, "Rider", "Where a rider stands, and the sums of their entries.")


def _row_schema(columns: tuple[LedgerColumn, ...], schema_id: str, title: str, description: str) -> dict[str, Any]:
    return {
        "$schema": DIALECT,
        "$id": schema_id,
        "title": title,
        "description": f"{description} Later versions may add columns.",
        "type": "object",
        "properties": {column.name: _property(column) for column in columns},
        "required": [column.name for column in columns],
        "additionalProperties": True,
    }


def _property(column: LedgerColumn) -> dict[str, Any]:
    kind = _json_type(column.type)
    sentences = [column.meaning]
    if column.unit:
        sentences.append(f"In {column.unit}.")
    if column.when_missing:
        sentences.append(f"Null: {column.when_missing}.")
    schema: dict[str, Any] = {
        "type": [kind, "null"] if column.when_missing else kind,
        "description": " ".join(sentences),
    }
    if kind == "integer":
        schema["format"] = "int64" if column.type == pa.int64() or column.name.endswith("_fen") else "int32"
    if column.choices:
        schema["enum"] = [*column.choices, *([None] if column.when_missing else [])]
    return schema | {"examples": [column.example]}


def _json_type(kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return "boolean"
    return "integer" if pa.types.is_integer(kind) else "string"
