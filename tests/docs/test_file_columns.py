"""The columns of every Parquet file are those of docs/reference/files.json, and any two files can be joined by any library."""

import itertools
import json
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from api.files.parquet_files import SCHEMA_VERSION, metadata_of
from docs.file_columns import PLACE, columns_of, other_files, scored_files

WRITTEN = json.loads(PLACE.read_text("utf-8"))
KEYS = ("rider_id", "event_id", "city", "rule_id", "book_digest", "kind", "rider_kind", "order_id")
OTHERS = ("simulate", "dispatch")
Paths = Mapping[str, Path]


@pytest.fixture(scope="session")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """Files of `bench generate`, `score`, `compare` and `books impact`."""
    return dict(scored_files(tmp_path_factory.mktemp("scored")))


@pytest.fixture(scope="session")
def others(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """Files of `simulate` and `dispatch`."""
    return dict(other_files(tmp_path_factory.mktemp("others")))


def is_of_others(name: str) -> bool:
    """Whether a slower command writes a file."""
    return name.startswith(OTHERS)


def assert_sound(paths: Paths) -> None:
    """Columns, metadata and plain types of some files."""
    for name, path in paths.items():
        assert columns_of(path) == WRITTEN["files"][name], f"{name}: run `python -m docs.file_columns`"
        said = metadata_of(path)
        assert said["schema_version"] == str(SCHEMA_VERSION)
        assert name.startswith(said["command"]) or (said["command"], name.split(":")[0]) == ("impact", "books impact")
        assert {field.name for field in pq.read_schema(path) if pa.types.is_dictionary(field.type)} == set()


def test_files_are_as_the_contract_has_them(scored: Paths) -> None:
    """What `score`, its state, `compare`, `books impact` and `bench generate` write."""
    assert_sound(scored)
    assert [*scored] == [name for name in WRITTEN["files"] if not is_of_others(name)]
    assert WRITTEN["schema_version"] == SCHEMA_VERSION


@pytest.mark.slow
def test_files_of_studies_and_dispatch_are_as_the_contract_has_them(others: Paths) -> None:
    """What `simulate` and `dispatch` write."""
    assert_sound(others)
    assert [*others] == [name for name in WRITTEN["files"] if is_of_others(name)]


@pytest.mark.parametrize("library", ["polars", "pandas", "duckdb"])
def test_any_two_files_can_be_joined(scored: Paths, library: str) -> None:
    """By each key that both have, with as many matches as Python counts; also with an empty file."""
    for (_, left), (_, right) in itertools.combinations(scored.items(), 2):
        both = [name for name in KEYS if {name} <= {*columns_of(left)} & {*columns_of(right)}]
        for key in both:
            known = {*pq.read_table(right, columns=[key])[key].to_pylist()} - {None}
            expected = sum(value in known for value in pq.read_table(left, columns=[key])[key].to_pylist())
            assert num_joined(library, left, right, key) == expected, (left, right, key)


def num_joined(library: str, left: Path, right: Path, key: str) -> int:
    """How many rows of one file have a partner in the other."""
    if library == "polars":
        return pl.read_parquet(left).join(pl.read_parquet(right).select(key).unique(), on=key, how="inner").height
    if library == "pandas":
        partners = pd.read_parquet(right)[[key]].drop_duplicates().dropna()
        return len(pd.read_parquet(left).merge(partners, on=key))
    with duckdb.connect() as connection:
        query = f"select count(*) from read_parquet(?) a semi join read_parquet(?) b using ({key})"
        row = connection.execute(query, [str(left), str(right)]).fetchone()
    return int(row[0]) if row else 0


def test_keys_have_one_type_in_all_files() -> None:
    """Whatever is called `rider_id` is a string, and so is every other key, wherever it stands."""
    types = {(key, columns[key]["type"]) for columns in WRITTEN["files"].values() for key in KEYS if key in columns}

    assert {kind for _, kind in types} == {"string"}
