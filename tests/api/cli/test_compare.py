"""`compare` and `books impact` through the command line: files, tables, exit codes."""

import json
import string
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from api.cli.main import main
from rules.text import catalog
from scoring.columns import EVENT_SCHEMA
from tests.builders import delivered, slow_merchant
from tests.dispatch.worlds import random_day, write_instance

BOOKS = "legacy-fine,taobao-crowdsourced"


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def _write(path: Path, rows: list[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows, schema=EVENT_SCHEMA), path)
    return path


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """Three riders: on time, late by 4 minutes, late by a slow merchant; 5 yuan an order."""
    rows = [
        delivered("e1", rider_id="r1"),
        delivered("e2", rider_id="r2", late_min=4),
        slow_merchant("e3", rider_id="r3", late_min=10, wait_min=12),
    ]
    return _write(tmp_path / "events.parquet", rows)


def test_compare_writes_its_files(events: Path, tmp_path: Path) -> None:
    """Riders, summary, run, rejects and both books are in the folder, with the sums of the tiny world."""
    out = tmp_path / "out"

    result = _run("compare", events, "--books", BOOKS, "--out", out, "--lang", "en")
    summary = json.loads((out / "summary.json").read_text())
    run = json.loads((out / "run.json").read_text())

    assert result.exit_code == 0, result.output
    assert summary["totals"]["fines_fen"] == {"a": 450, "b": 0, "difference": -450}
    assert summary["totals"]["fines_not_liable_fen"]["a"] == 250
    assert run["counts"]["events"] == 3
    assert [run["books"][side]["reference"] for side in ("a", "b")] == BOOKS.split(",")
    assert pq.read_table(out / "riders.parquet").column("income_fen_diff").to_pylist() == [0, 200, 250]
    assert len(list((out / "books").glob("*.toml"))) == 2
    assert (out / "rejects.ndjson").read_text() == ""


def test_compare_prints_whole_lines_when_piped(events: Path, tmp_path: Path) -> None:
    """Fines, income and who gains stand in the text, without colours and trailing spaces."""
    result = _run("compare", events, "--books", BOOKS, "--out", tmp_path / "out", "--lang", "en")

    lines = result.stdout.splitlines()

    assert any(line.split()[0] == "fines" and line.split()[1:] == ["4.50", "0.00", "−4.50"] for line in lines if line)
    assert "Income: up for 2 riders (4.50 in all), down for 0 (0.00 in all), unchanged for 1." in lines
    assert "\x1b" not in result.stdout
    assert all(line == line.rstrip() for line in lines)


def test_compare_speaks_chinese(events: Path, tmp_path: Path) -> None:
    """`--lang zh` prints the same figures with Chinese words."""
    result = _run("compare", events, "--books", BOOKS, "--out", tmp_path / "out", "--lang", "zh")

    assert "罚款" in result.stdout
    assert "收入：2 名骑手共多得 4.50" in result.stdout


def test_compare_json_is_the_summary(events: Path, tmp_path: Path) -> None:
    """`--json` prints summary.json and nothing else on stdout."""
    out = tmp_path / "out"

    result = _run("compare", events, "--books", BOOKS, "--out", out, "--json")

    assert json.loads(result.stdout) == json.loads((out / "summary.json").read_text())


def test_compare_twice_gives_the_same_bytes(events: Path, tmp_path: Path) -> None:
    """The same command repeated writes the same riders and the same summary."""
    first, second = tmp_path / "first", tmp_path / "second"

    for out in (first, second):
        _run("compare", events, "--books", BOOKS, "--out", out)

    for name in ("riders.parquet", "summary.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_what_one_book_cannot_judge_neither_does(tmp_path: Path) -> None:
    """A city without a deployed book is left out of both sides and told in rejects.ndjson."""
    rows = [delivered("e1", rider_id="r1"), delivered("e2", rider_id="r2", city="atlantis")]
    out = tmp_path / "out"

    result = _run(
        "compare",
        _write(tmp_path / "events.parquet", rows),
        "--books",
        "legacy-fine,auto",
        "--platform",
        "taobao",
        "--out",
        out,
        "--lang",
        "en",
    )
    rejects = [json.loads(line) for line in (out / "rejects.ndjson").read_text().splitlines()]

    assert result.exit_code == 3, result.output
    assert pq.read_table(out / "riders.parquet").column("rider_id").to_pylist() == ["r1"]
    assert [(reject["reason"], reject["value"]) for reject in rejects] == [("no_book", "atlantis")]


@pytest.mark.parametrize("books", ["legacy-fine", "a,b,c", "legacy-fine,", "legacy-fine,no-such-book"])
def test_wrong_books_are_wrong_usage(events: Path, tmp_path: Path, books: str) -> None:
    """One book, three books or an unknown one end with 2 and write nothing."""
    result = _run("compare", events, "--books", books, "--out", tmp_path / "out")

    assert result.exit_code == 2
    assert not (tmp_path / "out").exists()


def test_missing_events_are_wrong_usage(tmp_path: Path) -> None:
    """A file that is not there ends with 2 and is named."""
    result = _run("compare", tmp_path / "gone.parquet", "--books", BOOKS, "--out", tmp_path / "out")

    assert result.exit_code == 2
    assert "gone.parquet" in result.stderr


def test_impact_lists_who_is_affected(events: Path, tmp_path: Path) -> None:
    """Between the published book and the reference only riders whose points differ are listed."""
    out = tmp_path / "out"

    result = _run(
        "books", "impact", "--from", "taobao-crowdsourced", "--to", "gbt-46862-reference", "--events", events,
        "--out", out, "--lang", "en",
    )  # fmt: skip
    summary = json.loads((out / "summary.json").read_text())

    assert result.exit_code == 0, result.output
    # 4 minutes late: −1 under the one, −0.8 on the sliding scale of the other; on time is +0.2 under both.
    assert pq.read_table(out / "affected.parquet").column("rider_id").to_pylist() == ["r2"]
    assert summary["num_affected"] == 1
    assert summary["moves"]["points_mp"]["gain"] == 200
    assert summary["tier_moves"] == {"num_up": 0, "num_down": 0, "num_same": 3, "num_not_comparable": 0}
    assert "1 of 3 riders is affected." in result.stdout


def test_impact_of_a_book_on_itself_is_nothing(events: Path, tmp_path: Path) -> None:
    """Nobody is affected when nothing changes."""
    out = tmp_path / "out"

    _run(
        "books", "impact", "--from", "taobao-crowdsourced", "--to", "taobao-crowdsourced@2025-12-03",
        "--events", events, "--out", out,
    )  # fmt: skip

    assert pq.read_table(out / "affected.parquet").num_rows == 0


@pytest.fixture
def executed(tmp_path: Path) -> tuple[Path, Path]:
    """A made-up Grubhub day and what `dispatch` made of it."""
    day = write_instance(tmp_path / "0o100t100s1p100", random_day(7, num_orders=60, num_couriers=4))
    assert _run("dispatch", day, "--out", tmp_path / "solution").exit_code == 0
    return day, tmp_path / "solution"


def test_compare_runs_on_an_executed_grubhub_day(executed: tuple[Path, Path], tmp_path: Path) -> None:
    """All orders of the solution are compared, fees equal on both sides, fines on one side only."""
    out = tmp_path / "out"

    result = _run("compare", *executed, "--format", "mdrp", "--books", BOOKS, "--out", out)
    summary = json.loads((out / "summary.json").read_text())
    num_orders = len((executed[1] / "solution_info_orders.txt").read_text().splitlines()) - 1

    assert result.exit_code == 0, result.output
    assert summary["num_delivered"] == num_orders
    assert summary["totals"]["fees_fen"]["difference"] == 0
    assert summary["totals"]["fines_fen"]["a"] > summary["totals"]["fines_fen"]["b"] == 0


def test_impact_reads_an_instance_and_its_solution(executed: tuple[Path, Path], tmp_path: Path) -> None:
    """With --format mdrp two folders follow --events."""
    out = tmp_path / "out"

    result = _run(
        "books", "impact", "--from", "legacy-fine", "--to", "taobao-crowdsourced", "--format", "mdrp",
        "--events", *executed, "--out", out,
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    assert pq.read_table(out / "affected.parquet").num_rows > 0


@pytest.mark.parametrize("area", ["compare", "demo"])
def test_both_languages_have_the_same_keys_and_placeholders(area: str) -> None:
    """Each message of the area stands in both catalogs with the same placeholders."""
    zh, en = (
        {key: words for key, words in catalog(lang).items() if key.startswith(f"{area}.")} for lang in ("zh", "en")
    )

    assert set(zh) == set(en)
    for key, words in zh.items():
        assert _placeholders(words) == _placeholders(en[key]), key


def _placeholders(words: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(words) if name}
