"""`riderscore demo`: what it writes, what a person reads, and what it refuses to overwrite."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

from api.batch.readers import read_events
from api.cli.demo import telling_deduction, three_riders
from api.cli.main import main

SMALL = ("--riders", "12", "--days", "5", "--seed", "3")


def _demo(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["demo", "--no-serve", "--dir", str(folder), *SMALL, *arguments])


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A small city, shown once in English."""
    folder = tmp_path_factory.mktemp("demo") / "demo-data"
    return folder, _demo(folder, "--lang", "en")


def test_it_shows_tiers_cards_a_deduction_and_the_fine(shown: tuple[Path, Result]) -> None:
    """The five parts stand in order, and the deduction is told in both languages."""
    _, result = shown

    places = [
        result.stdout.index(words)
        for words in (
            "A sample city", "Where the riders stand", "Three riders' cards", "One deduction, explained",
            "What the old fine would have taken", "Go on",
        )
    ]  # fmt: skip

    assert result.exit_code == 0, result.output
    assert places == sorted(places)
    assert "不是您的责任" in result.stdout or "扣" in result.stdout
    assert result.stdout.count("\nRider r") == 3


def test_piped_output_is_plain(shown: tuple[Path, Result]) -> None:
    """No colours, no frames, no spaces at the ends of lines."""
    _, result = shown

    assert "\x1b" not in result.stdout
    assert not set("╭╰│├└") & set(result.stdout)
    assert all(line == line.rstrip() for line in result.stdout.splitlines())


def test_it_writes_events_and_ledgers_that_other_commands_read(shown: tuple[Path, Result]) -> None:
    """The events are a native file without a bad row, and both ledgers pass `verify`."""
    folder, _ = shown

    events = read_events([folder / "events.parquet"], "native")
    verified = [CliRunner().invoke(main, ["verify", str(folder / name)]) for name in ("ledger", "ledger-fine")]

    assert events.rejects == []
    assert events.warnings == []
    assert [result.exit_code for result in verified] == [0, 0], [result.output for result in verified]


def test_the_commands_it_recommends_run(shown: tuple[Path, Result]) -> None:
    """Each line under the last heading is a command that ends well."""
    _, result = shown
    lines = [line.split() for line in result.stdout.splitlines() if line.startswith("  riderscore ")]

    codes = [CliRunner().invoke(main, line[1:]).exit_code for line in lines]

    assert len(codes) == 3
    assert codes == [0, 0, 0]


def test_the_same_seed_tells_the_same_story(shown: tuple[Path, Result], tmp_path: Path) -> None:
    """Run again elsewhere, the text differs in nothing but the folder, and the events not at all."""
    folder, result = shown

    again = _demo(tmp_path / "again", "--lang", "en")

    assert again.stdout.replace(str(tmp_path / "again"), str(folder)) == result.stdout
    assert (tmp_path / "again" / "events.parquet").read_bytes() == (folder / "events.parquet").read_bytes()


def test_it_replaces_its_own_folder_only(tmp_path: Path) -> None:
    """Run twice into one folder it replaces its files; a folder with other things in it is left alone."""
    own, other = tmp_path / "own", tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")

    results = [_demo(own), _demo(own), _demo(other)]

    assert [result.exit_code for result in results] == [0, 0, 2]
    assert [path.name for path in other.iterdir()] == ["thesis.txt"]
    assert json.loads((own / "demo.json").read_text())["seed"] == 3


def test_without_a_service_it_says_so_in_one_line(tmp_path: Path) -> None:
    """Without --no-serve the last line tells that there is no console yet, and the command ends."""
    arguments = ["demo", "--dir", str(tmp_path / "demo"), "--port", "9000", "--lang", "en", *SMALL]

    result = CliRunner().invoke(main, arguments)

    assert result.exit_code == 0
    assert "9000" in result.stdout.splitlines()[-1]


def test_it_speaks_chinese(tmp_path: Path) -> None:
    """`--lang zh` tells everything in Chinese."""
    result = _demo(tmp_path / "demo", "--lang", "zh")

    assert "三名骑手的卡片" in result.stdout
    assert "旧罚款会拿走多少" in result.stdout


def test_three_riders_stand_differently() -> None:
    """The lowest, the nearest to a next tier outside that tier, and the one most often exempt in the top tier."""
    riders = pa.table(
        {
            "rider_id": ["a", "b", "c", "d", "e"],
            "score_mp": [50_000, 72_000, 74_000, 80_000, 90_000],
            "tier": ["low", "normal", "normal", "reward", "reward"],
            "on_time_orders_to_next_tier": [50, 16, 6, None, None],
            "num_exempt": [9, 0, 0, 1, 4],
        }
    )

    assert three_riders(riders, ["low", "normal", "reward"]) == ("a", "c", "e")


def test_fewer_riders_or_tiers_give_fewer_cards() -> None:
    """A single rider has one card."""
    riders = pa.table(
        {
            "rider_id": ["a"],
            "score_mp": [70_000],
            "tier": ["all"],
            "on_time_orders_to_next_tier": pa.array([None], pa.int64()),
            "num_exempt": [0],
        }
    )

    assert three_riders(riders, ["all"]) == ("a",)


def test_the_telling_deduction_shares_the_blame() -> None:
    """Of several deductions the first is told where minutes were given back and minutes remained."""
    entries = pa.table(
        {
            "rider_id": ["a", "b", "c"],
            "entry_id": ["1", "2", "3"],
            "kind": ["deduct", "deduct", "award"],
            "late_s": [300, 900, 900],
            "time_given_back_s": [0, 400, 400],
            "delta_mp": [-1_000, -2_000, 200],
        }
    )

    assert telling_deduction(entries) == ("b", "2")
    assert telling_deduction(entries.slice(0, 1)) == ("a", "1")
    assert telling_deduction(entries.slice(2, 1)) is None
