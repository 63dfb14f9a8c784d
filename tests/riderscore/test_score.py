"""`riderscore.score`: files and data frames in, a ledger out, tables in the kind that came in."""

import datetime as dt
import gc
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import riderscore as rs
from tests.riderscore.conftest import README_BOOK

MAKERS = {
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
    "polars, lazy": lambda rows: pl.DataFrame(rows).lazy(),
    "pyarrow": pa.Table.from_pylist,
}
KINDS = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "polars, lazy": pl.DataFrame, "pyarrow": pa.Table}


def column(table: Any, name: str) -> list[Any]:
    """A column of a table of any of the libraries."""
    return list(table[name].to_pylist() if isinstance(table, pa.Table) else table[name])


def test_a_file_becomes_a_ledger(day_csv: Path) -> None:
    """Four deliveries, one of them late by the rider's doing; tables are PyArrow's."""
    ledger = rs.score(day_csv, book=README_BOOK)

    assert isinstance(ledger.entries, pa.Table)
    assert column(ledger.entries, "delta_mp") == [200, 200, 200, -1000]
    assert column(ledger.riders, "score_mp") == [69_600]
    assert ledger.rejects.num_rows == 0
    assert ledger.run["counts"]["events"] == 4
    assert "4 entries" in repr(ledger)


@pytest.mark.parametrize("library", MAKERS)
def test_a_data_frame_scores_as_the_file_does(library: str, rows: list[dict[str, Any]], day_csv: Path) -> None:
    """The same entries, in tables of the same library."""
    from_file = rs.score(day_csv, book=README_BOOK)

    ledger = rs.score(MAKERS[library](rows), book=README_BOOK)

    assert isinstance(ledger.entries, KINDS[library])
    assert isinstance(ledger.riders, KINDS[library])
    assert column(ledger.entries, "entry_id") == column(from_file.entries, "entry_id")


def test_a_relation_of_duckdb_is_taken(day_csv: Path) -> None:
    """Its times are timestamps with a zone."""
    relation = duckdb.sql(f"select * from read_csv('{day_csv}')")

    ledger = rs.score(relation, book=README_BOOK)

    assert column(ledger.riders, "score_mp") == [69_600]


def test_timestamps_need_a_zone(rows: list[dict[str, Any]]) -> None:
    """Times without an offset are rejected by name, or read in the zone that is given."""
    frame = pd.DataFrame(rows)
    for name in [name for name in frame if name.endswith("_at")]:
        frame[name] = [dt.datetime.fromisoformat(value).replace(tzinfo=None) for value in frame[name]]

    with pytest.raises(rs.InputError, match="naive_time"):
        rs.score(frame, book=README_BOOK)
    assert column(rs.score(frame, book=README_BOOK, zone="Asia/Shanghai").riders, "score_mp") == [69_600]


def test_bad_rows_come_back_with_their_reason(rows: list[dict[str, Any]]) -> None:
    """A row that cannot be scored is in `rejects` with row, column, value, reason and words."""
    rows[1]["occurred_at"] = "yesterday"

    rejects = rs.score(pl.DataFrame(rows), book=README_BOOK).rejects

    assert isinstance(rejects, pl.DataFrame)
    assert rejects["row"].to_list() == [2]
    assert rejects["column"].to_list() == ["occurred_at"]
    assert rejects["value"].to_list() == ["yesterday"]


def test_each_entry_is_explained(day_csv: Path) -> None:
    """As text, in both languages, and as a folding tree in a notebook."""
    ledger = rs.score(day_csv, book=README_BOOK)

    english = ledger.explain("r7", event="e3")
    chinese = ledger.explain("r7", event="e3", lang="zh")

    assert len(ledger.explain("r7").sentences) == 4
    assert "the merchant was slow" in english.sentences[0]
    assert "商家出餐慢" in str(chinese)
    assert "<details open" in english._repr_html_()
    with pytest.raises(rs.InputError, match="r8"):
        ledger.explain("r8")


def test_a_ledger_is_verified(day_csv: Path, tmp_path: Path) -> None:
    """All checks hold; a ledger whose file was changed is found out."""
    ledger = rs.score(day_csv, book=README_BOOK, out=tmp_path / "ledger")
    assert ledger.verify()
    assert all(column(ledger.verify().checks, "holds"))

    riders = ledger.riders.set_column(
        ledger.riders.schema.get_field_index("score_mp"), "score_mp", pa.array([70_000], pa.int64())
    )
    pa.parquet.write_table(riders, tmp_path / "ledger" / "riders.parquet")

    assert not rs.verify(tmp_path / "ledger")
    assert not rs.open_ledger(tmp_path / "ledger").verify()


def test_a_ledger_of_a_later_version_is_not_read(day_csv: Path, tmp_path: Path) -> None:
    """A number of its layout that this version does not know ends reading, with the number and what to do."""
    rs.score(day_csv, book=README_BOOK, out=tmp_path / "ledger")
    path = tmp_path / "ledger" / "entries.parquet"
    table = pa.parquet.read_table(path)
    pa.parquet.write_table(table.replace_schema_metadata(table.schema.metadata | {b"schema_version": b"99"}), path)

    with pytest.raises(rs.InputError, match="schema version 99"):
        rs.verify(tmp_path / "ledger")


def test_days_go_on_from_each_other(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    """With `state`, the second half opens where the first half ended."""
    first, second = pl.DataFrame(rows[:2]), pl.DataFrame(rows[2:])

    rs.score(first, book=README_BOOK, state=tmp_path / "state")
    ledger = rs.score(second, book=README_BOOK, state=tmp_path / "state")

    assert column(ledger.riders, "opening_score_mp") == [70_400]


def test_a_ledger_without_a_place_is_gone_with_its_result(day_csv: Path) -> None:
    """Nothing is left behind."""
    ledger = rs.score(day_csv, book=README_BOOK)
    folder = ledger.folder
    assert folder.is_dir()

    del ledger
    gc.collect()

    assert not folder.exists()


def test_what_is_no_table_is_refused() -> None:
    """With what would be one."""
    with pytest.raises(TypeError, match="pandas, Polars"):
        rs.score(42, book=README_BOOK)


def test_two_books_are_compared(rows: list[dict[str, Any]]) -> None:
    """The same deliveries under both; fines and income side by side."""
    compared = rs.compare(pl.DataFrame(rows), books=("legacy-fine", README_BOOK))

    assert compared.summary["totals"]["fines_fen"] == {"a": 685, "b": 0, "difference": -685}
    assert isinstance(compared.riders, pl.DataFrame)
    assert "fines_fen" in compared._repr_html_()
