"""Two books compared by buckets of riders give what a comparison in one piece gives, to the last digit."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from api.cli.main import main
from api.files.parquet_files import Origin, write_parquet
from api.runs import bucketed_run
from api.runs.bucketed_compare import compare_bucketed
from api.runs.compare import ComparisonCommand, compare_files
from api.runs.run import RunProgress
from simulations.sample_city import events_only, generate
from simulations.sample_parameters import SampleCity

pytestmark = pytest.mark.slow

CITY = SampleCity(num_riders=40, num_days=3)
BUCKET_ROWS = 500
BOOKS = ("legacy-fine", "taobao-crowdsourced")
FILE = {"compare": "riders.parquet", "impact": "affected.parquet"}


def changed(table: pa.Table, name: str, value: object) -> pa.Table:
    """The same rows with one column changed."""
    at = table.schema.get_field_index(name)
    return table.set_column(at, name, pa.array([value] * table.num_rows, table.schema.field(at).type))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two files in no order with a repeat, a conflict, rows that cannot be read and a city where no book is deployed."""
    folder = tmp_path_factory.mktemp("events")
    table = events_only(generate(CITY, 3))
    table = table.take(pa.array(np.random.default_rng(1).permutation(table.num_rows)))
    half = table.num_rows // 2
    first, second = table.slice(0, half), table.slice(half)
    second = pa.concat_tables(
        [
            changed(second.slice(0, 9), "city", "nowhere"),
            second.slice(9),
            first.slice(0, 5),
            changed(first.slice(5, 3), "fee_fen", 999),
            changed(first.slice(8, 2), "rider_id", None),
        ]
    )
    paths = [folder / "a.parquet", folder / "b.parquet"]
    for path, part in zip(paths, (first, second), strict=True):
        write_parquet(path, part, Origin("test"))
    return paths


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Riders' rows by id."""
    return sorted(pq.read_table(path).to_pylist(), key=lambda row: row["rider_id"])


def said(folder: Path, name: str) -> dict[str, Any]:
    """A document of the folder."""
    document: dict[str, Any] = json.loads((folder / name).read_text(encoding="utf-8"))
    return document


@pytest.mark.parametrize("command", ["compare", "impact"])
@pytest.mark.parametrize("books", [BOOKS, ("auto", "gbt-46862-reference"), ("gbt-46862-reference", "jd-service-score")])
def test_buckets_give_what_one_piece_gives(
    files: Sequence[Path], tmp_path: Path, command: ComparisonCommand, books: tuple[str, str]
) -> None:
    """The same summary, riders, rejects, books and counts; nothing of the work is left behind."""
    one = compare_files(command, files, books, tmp_path / "one", platform="taobao")

    many = compare_bucketed(
        command, files, books, tmp_path / "many", bucket_rows=BUCKET_ROWS, num_workers=1, platform="taobao"
    )

    assert len(many.document["parts"]) > 3
    assert many.summary == one.summary
    texts = [(tmp_path / name / "summary.json").read_text() for name in ("one", "many")]
    assert texts[0] == texts[1]
    assert rows_of(tmp_path / "one" / FILE[command]) == rows_of(tmp_path / "many" / FILE[command])
    assert (tmp_path / "one" / "rejects.ndjson").read_text() == (tmp_path / "many" / "rejects.ndjson").read_text()
    runs = [said(tmp_path / name, "run.json") for name in ("one", "many")]
    for run in runs:
        del run["seconds"]
    del runs[1]["parts"]
    assert runs[0] == runs[1]
    names = [{path.name for path in (tmp_path / name / "books").iterdir()} for name in ("one", "many")]
    assert names[0] == names[1]
    assert {path.name for path in tmp_path.iterdir()} == {"one", "many"}


@pytest.mark.parametrize("words", [["compare", "--books", "A,B"], ["books", "impact", "--from", "A", "--to", "B"]])
def test_large_inputs_are_compared_by_buckets(
    files: Sequence[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    """Size decides, as for `score`; what is printed is the same."""
    words = [word.replace("A", BOOKS[0]).replace("B", BOOKS[1]) for word in words]
    words += ["--events"] if "impact" in words else []
    command = [*words, *map(str, files), "--lang", "en", "--out"]
    small = CliRunner().invoke(main, [*command, str(tmp_path / "small")])
    monkeypatch.setattr(bucketed_run, "IN_MEMORY_ROWS", 1_000)

    large = CliRunner().invoke(main, [*command, str(tmp_path / "large")])

    assert (small.exit_code, large.exit_code) == (0, 0), large.output
    assert large.stdout == small.stdout
    assert "parts" in said(tmp_path / "large", "run.json")
    assert "parts" not in said(tmp_path / "small", "run.json")


class StoppedError(Exception):
    """Ends a run in the middle."""


def test_a_comparison_that_was_stopped_goes_on(files: Sequence[Path], tmp_path: Path) -> None:
    """What stands in the work folder is not done again, unless other books are compared; the result is the same."""
    told: list[str] = []

    def stop(stage: str, _done: int, _total: int) -> None:
        told.append(stage)
        if stage == "score":
            raise StoppedError

    def run(books: tuple[str, str], name: str, progress: RunProgress = lambda *at: told.append(at[0])) -> None:
        told.clear()
        compare_bucketed(
            "compare", files, books, tmp_path / name, bucket_rows=BUCKET_ROWS, num_workers=1, progress=progress
        )

    run(BOOKS, "whole")
    of_all = list(told)
    with pytest.raises(StoppedError):
        run(BOOKS, "out", stop)
    shutil.copytree(tmp_path / ".out.work", tmp_path / ".other.work")
    assert not (tmp_path / "out").exists()

    run(BOOKS, "out")

    assert "read" not in told
    assert told.count("score") < of_all.count("score")
    assert said(tmp_path / "out", "summary.json") == said(tmp_path / "whole", "summary.json")
    run(("legacy-fine", "jd-service-score"), "other")
    assert told == of_all
