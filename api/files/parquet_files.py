"""Writes and reads the product's Parquet files: one type of a key in all of them, and what a file says of itself.

Words are plain strings for whoever reads, whatever the table in memory holds; on disk they are in dictionaries. Equal
tables give equal bytes.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

from api.files.atomic import atomic_file
from rules.events import unit_of

if TYPE_CHECKING:
    from rules.book import Book

# Raised when a column goes, or gets another type or meaning; a new column leaves it (docs/reference/contract.md).
SCHEMA_VERSION: Final = 1
ROW_GROUP_ROWS: Final = 1 << 20
_LEVEL: Final = 1
# Under this key Arrow, Polars and pandas look for the types of columns before they look at Parquet's.
_ARROW_SCHEMA: Final = "ARROW:schema"


@dataclass(frozen=True, slots=True)
class Origin:
    """What a file says of where it comes from.

    Parameters
    ----------
    command
        What wrote it, as a person calls it.
    books
        Whose rules stand behind it, in the order of the run.
    time_zone
        Of the local days that its figures speak of; empty where none do.
    """

    command: str
    books: "tuple[Book, ...]" = ()
    time_zone: str = ""


@dataclass(frozen=True, slots=True)
class ColumnPacking:
    """What is known of columns before they are written; all others are packed with a dictionary of their values.

    Parameters
    ----------
    unique
        Values hardly repeat: no dictionary is tried.
    stepwise
        Whole numbers that stand close to the row before: their differences are kept.
    random
        Texts without a pattern: lengths and characters stand apart, and no least and greatest are kept.
    """

    unique: tuple[str, ...] = ()
    stepwise: tuple[str, ...] = ()
    random: tuple[str, ...] = ()

    def encodings(self, names: Sequence[str]) -> dict[str, str]:
        """Parquet's word for how to write each column that is here among some."""
        kinds = (
            ("PLAIN", self.unique),
            ("DELTA_BINARY_PACKED", self.stepwise),
            ("DELTA_LENGTH_BYTE_ARRAY", self.random),
        )
        return {name: encoding for encoding, columns in kinds for name in columns if name in names}


PLAIN_PACKING: Final = ColumnPacking()


def write_parquet(path: Path, table: pa.Table, origin: Origin, packing: ColumnPacking = PLAIN_PACKING) -> None:
    """Write a table as Parquet, at once or not at all; equal tables give equal bytes, however they are cut into chunks.

    Parameters
    ----------
    path
        Is replaced.
    table
        Columns of numbers, flags, texts or words of a dictionary.
    origin
        Becomes metadata of the file, with the versions and the units of the columns.
    packing
        What is known of the columns.
    """
    columns = [column.chunk(0) if column.num_chunks == 1 else column.combine_chunks() for column in table.columns]
    whole = pa.table(columns, schema=table.schema.remove_metadata())
    encodings = packing.encodings(whole.column_names)
    with (
        atomic_file(path) as temporary,
        pq.ParquetWriter(
            temporary,
            whole.schema,
            compression="ZSTD",
            compression_level=_LEVEL,
            use_dictionary=[name for name in whole.column_names if name not in encodings],
            column_encoding=encodings,
            write_statistics=[name for name in whole.column_names if name not in packing.random],
            version="2.6",
            data_page_version="1.0",
            # The table's own types would make a dictionary of each key, and no two libraries join these alike.
            store_schema=False,
        ) as writer,
    ):
        writer.write_table(whole, row_group_size=ROW_GROUP_ROWS)
        for name, value in _metadata(whole.schema, origin).items():
            writer.add_key_value_metadata({name: value})


def metadata_of(path: Path) -> dict[str, str]:
    """What a Parquet file says of itself, but for Arrow's types; empty for files of 0.1.0.

    Parameters
    ----------
    path
        A Parquet file.

    Returns
    -------
    dict[str, str]
        By name, such as `schema_version`.
    """
    metadata = pq.read_metadata(path).metadata or {}
    return {name.decode(): value.decode() for name, value in metadata.items() if name != _ARROW_SCHEMA.encode()}


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """The types that readers of a written table see: words are strings; each number names its unit.

    Parameters
    ----------
    schema
        Of the table in memory.

    Returns
    -------
    pa.Schema
        As many fields, of the same names.
    """
    return pa.schema([_plain_field(field) for field in schema])


def _plain_field(field: pa.Field) -> pa.Field:
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        kind = pa.string()
    unit = _unit(field.name, kind)
    return pa.field(field.name, kind, field.nullable, {"unit": unit} if unit else None)


def _unit(name: str, kind: pa.DataType) -> str:
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_list(kind)
    return unit_of(name) if is_number else ""


def _metadata(schema: pa.Schema, origin: Origin) -> dict[str, str]:
    plain = plain_schema(schema)
    units = {field.name: field.metadata[b"unit"].decode() for field in plain if field.metadata}
    books = [
        {"id": book.id, "effective_from": book.model.effective_from.isoformat(), "digest": book.digest}
        for book in origin.books
    ]
    about = {
        "schema_version": str(SCHEMA_VERSION),
        "product_version": version("riderscore"),
        "command": origin.command,
        "books": json.dumps(books),
        "time_zone": origin.time_zone,
        "units": json.dumps(units, ensure_ascii=False),
    }
    arrow = base64.b64encode(plain.with_metadata(about).serialize().to_pybytes())
    return about | {_ARROW_SCHEMA: arrow.decode()}
