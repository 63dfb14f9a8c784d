"""One large file is as good as many: its row groups are read side by side, and nobody can tell from the ledger."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from api.files.errors import InputError
from api.files.input_slices import InputSlice, input_slices
from api.runs.bucketed_compare import compare_bucketed
from api.runs.bucketed_run import score_bucketed
from api.runs.run import score_files
from simulations.sample_city import events_only, generate
from simulations.sample_parameters import SampleCity
from tests.api.runs.buckets import BUCKET_ROWS, contents, no_rider, rows_of, same_ledger, with_value

pytestmark = pytest.mark.slow

BOOK = "gbt-46862-reference"
GROUP_ROWS = 150
SLICE_ROWS = 400


@pytest.fixture(scope="module")
def table() -> pa.Table:
    """A city's events in no order, with rows that cannot be read, conflicts, and a column that nobody knows."""
    table = events_only(generate(SampleCity(num_riders=30, num_days=3), 3))
    table = table.take(pa.array(np.random.default_rng(1).permutation(table.num_rows)))
    conflicts = with_value(table.slice(5, 3), "fee_fen", 999)
    table = pa.concat_tables([table.slice(0, 700), no_rider(table), table.slice(700), conflicts, no_rider(table)])
    return table.append_column("mood", pa.array(["fine"] * table.num_rows))


@pytest.fixture(scope="module")
def one(table: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of it in one file of many row groups."""
    path = tmp_path_factory.mktemp("one") / "day.parquet"
    pq.write_table(table, path, row_group_size=GROUP_ROWS)
    return path


def test_units_cover_every_row_group_once(one: Path) -> None:
    """Rows in order and without a gap, about as many each, and the digest by itself."""
    units = input_slices([one, one], SLICE_ROWS)

    groups = [unit.groups for unit in units if unit.file == 0 and unit.groups is not None]
    metadata = pq.read_metadata(one)
    rows = [metadata.row_group(k).num_rows for k in range(metadata.num_row_groups)]
    assert [unit.has_rows for unit in units[:3]] == [False, False, True]
    assert [group for first, stop in groups[1:] for group in range(first, stop)] == list(range(len(rows)))
    assert [unit.row for unit in units if unit.file == 1 and unit.has_rows] == [sum(rows[:k]) for k, _ in groups[1:]]
    assert all(sum(rows[first:stop]) >= SLICE_ROWS / 2 for first, stop in groups[1:])


def test_small_files_and_text_are_one_unit(one: Path, tmp_path: Path) -> None:
    """As is a file that turns out to be no Parquet: who reads it says so."""
    torn, text = tmp_path / "torn.parquet", tmp_path / "rows.csv"
    torn.write_bytes(b"PAR1")
    text.write_bytes(b"event_id\n" * 1_000)

    assert input_slices([one, torn, text]) == (InputSlice(0), InputSlice(1), InputSlice(2))


def test_one_file_in_shares_gives_the_ledger_of_one_piece(one: Path, tmp_path: Path) -> None:
    """The same lines, counts, digest, and rejects under their own row numbers; a warning is given once."""
    whole = score_files([one], BOOK, tmp_path / "one")

    run = score_bucketed(
        [one], BOOK, tmp_path / "shares", bucket_rows=BUCKET_ROWS, slice_rows=SLICE_ROWS, num_workers=2
    )

    same_ledger(tmp_path / "one", tmp_path / "shares")
    assert run.warnings == whole.warnings
    assert len(run.warnings) == 1
    assert run.document["inputs"][0]["sha256"] == hashlib.sha256(one.read_bytes()).hexdigest()
    rejected = [json.loads(line) for line in (tmp_path / "shares" / "rejects.ndjson").read_text().splitlines()]
    missing = [line["row"] for line in rejected if line["reason"] == "missing_value"]
    assert missing == [701, 702, run.document["inputs"][0]["rows"] - 1, run.document["inputs"][0]["rows"]]


def test_one_file_gives_the_bytes_of_many(table: pa.Table, one: Path, tmp_path: Path) -> None:
    """How rows are spread over files and row groups leaves no trace in the ledger's Parquet."""
    files = [tmp_path / f"{k}.parquet" for k in range(3)]
    third = -(-table.num_rows // 3)
    for k, path in enumerate(files):
        pq.write_table(table.slice(k * third, third), path)

    score_bucketed(files, BOOK, tmp_path / "many", bucket_rows=BUCKET_ROWS, num_workers=1)
    score_bucketed([one], BOOK, tmp_path / "one", bucket_rows=BUCKET_ROWS, slice_rows=SLICE_ROWS, num_workers=1)

    found = [contents(tmp_path / name) for name in ("many", "one")]
    for parts in found:
        del parts["rejects.ndjson"]
    assert found[0] == found[1]


def test_a_bad_share_stops_the_run(one: Path, tmp_path: Path) -> None:
    """A file whose middle cannot be read is named once, beside other bad files."""
    torn, content = tmp_path / "torn.parquet", bytearray(one.read_bytes())
    middle = slice(len(content) // 2, len(content) // 2 + 20_000)
    content[middle] = b"\xff" * (middle.stop - middle.start)
    torn.write_bytes(content)
    (tmp_path / "empty.csv").touch()

    with pytest.raises(InputError) as caught:
        score_bucketed([torn, tmp_path / "empty.csv"], BOOK, tmp_path / "out", slice_rows=SLICE_ROWS, num_workers=1)

    assert {fault.file for fault in caught.value.faults} == {str(torn), str(tmp_path / "empty.csv")}
    assert not (tmp_path / "out").exists()


def test_comparisons_split_files_too(
    one: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: pa.Table
) -> None:
    """Riders compared from shares of one file are those compared from the file."""
    books = ("legacy-fine", "taobao-crowdsourced")
    compare_bucketed("compare", [one], books, tmp_path / "whole", num_workers=1)
    monkeypatch.setattr("api.runs.bucketed_compare.input_slices", lambda files: input_slices(files, SLICE_ROWS))

    compared = compare_bucketed("compare", [one], books, tmp_path / "shares", num_workers=1)

    assert compared.document["inputs"][0]["rows"] == table.num_rows
    assert _told(tmp_path / "shares") == _told(tmp_path / "whole")


def _told(folder: Path) -> Sequence[object]:
    return [(folder / "summary.json").read_text(), rows_of(folder, "riders.parquet", "rider_id")]
