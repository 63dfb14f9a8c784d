"""Every Parquet file has one type of a key and says what it is; words in memory make no difference."""

import base64
import hashlib
import json
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from api.files.parquet_files import SCHEMA_VERSION, ColumnPacking, Origin, metadata_of, write_parquet
from rules.shelf import versions

IDS = ["r1", "r2", None, "r1"]
BOOKS = versions("taobao-crowdsourced")
ORIGIN = Origin("score", BOOKS, "Asia/Shanghai")


@pytest.mark.parametrize("index", [pa.int8(), pa.int16(), pa.int32()], ids=str)
def test_words_of_a_dictionary_are_written_as_strings(tmp_path: Path, index: pa.DataType) -> None:
    """Arrow, Polars, pandas and DuckDB read the same plain strings, whatever the table in memory holds."""
    words = pa.array(IDS).dictionary_encode().cast(pa.dictionary(index, pa.string()))
    path = tmp_path / "a.parquet"

    write_parquet(path, pa.table({"rider_id": words}), ORIGIN)

    assert pq.read_table(path)["rider_id"].type == pa.string()
    assert pq.read_table(path)["rider_id"].to_pylist() == IDS
    assert pl.read_parquet(path)["rider_id"].dtype == pl.String
    assert pd.read_parquet(path)["rider_id"].dtype == "str"
    with duckdb.connect() as connection:
        described = connection.execute("describe select * from read_parquet(?)", [str(path)]).fetchall()
    assert [row[:2] for row in described] == [("rider_id", "VARCHAR")]


def test_a_file_says_what_it_is(tmp_path: Path) -> None:
    """Versions, command, books by id and digest, time zone and the unit of each number; for any reader of Parquet."""
    path = tmp_path / "a.parquet"
    table = pa.table({"late_s": [1], "fee_fen": [2], "rider_id": ["r1"], "num_late": [3], "at_us": [[4]]})

    write_parquet(path, table, ORIGIN)

    said = metadata_of(path)
    units = {"late_s": "seconds", "fee_fen": "fen (1/100 yuan)", "at_us": "microseconds since 1970-01-01 UTC"}
    assert said["schema_version"] == str(SCHEMA_VERSION)
    assert said["product_version"]
    assert (said["command"], said["time_zone"]) == ("score", "Asia/Shanghai")
    assert [(book["id"], book["digest"]) for book in json.loads(said["books"])] == [(b.id, b.digest) for b in BOOKS]
    assert json.loads(said["units"]) == units
    schema = pq.read_table(path).schema
    assert {field.name: field.metadata[b"unit"].decode() for field in schema if field.metadata} == units
    assert schema.metadata == {name.encode(): value.encode() for name, value in said.items()}
    assert said.items() <= pl.read_parquet_metadata(path).items()


@pytest.mark.parametrize("name", ["number", "word"])
def test_however_a_column_is_packed_it_reads_the_same(tmp_path: Path, name: str) -> None:
    """Nothing is lost in any encoding, nulls and empty texts included."""
    table = pa.table({"number": [5, None, -(2**62), 2**62], "word": ["", None, "字", "x" * 300]}).select([name])
    packings = [ColumnPacking(unique=(name,)), ColumnPacking()]
    packings.append(ColumnPacking(stepwise=(name,)) if name == "number" else ColumnPacking(random=(name,)))

    for k, packing in enumerate(packings):
        write_parquet(tmp_path / f"{k}.parquet", table, ORIGIN, packing)

    assert [pq.read_table(tmp_path / f"{k}.parquet")[name].to_pylist() for k in range(3)] == [
        table[name].to_pylist()
    ] * 3
    assert {
        pl.read_parquet(tmp_path / f"{k}.parquet")[name].to_list() == table[name].to_pylist() for k in range(3)
    } == {True}


def test_ids_that_look_random_cost_their_content(tmp_path: Path) -> None:
    """Sixteen characters of 96 bits take 12 bytes and little more."""
    digests = (hashlib.sha256(str(k).encode()).digest()[:12] for k in range(50_000))
    ids = [pa.array([base64.urlsafe_b64encode(digest).decode() for digest in digests])]
    table = pa.table(ids, names=["entry_id"])

    write_parquet(tmp_path / "a.parquet", table, ORIGIN, ColumnPacking(random=("entry_id",)))

    assert (tmp_path / "a.parquet").stat().st_size < 50_000 * 12.2
