"""`riderscore bench generate`: a day in files, the same bytes each time, and nothing of others replaced."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from api.cli.main import main

pytestmark = pytest.mark.slow

SIZE = ["--riders", "200", "--events", "2000", "--cities", "3", "--lang", "en"]


def generate(out: Path, *more: str) -> str:
    """Run the command; its output."""
    result = CliRunner().invoke(main, ["bench", "generate", "--out", str(out), *SIZE, *more])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_same_options_give_the_same_bytes(tmp_path: Path) -> None:
    """Twice the same; another seed another day."""
    said = generate(tmp_path / "a")
    generate(tmp_path / "b")
    generate(tmp_path / "c", "--seed", "2")

    files = [sorted((tmp_path / name).glob("*.parquet")) for name in "abc"]
    read = [[path.read_bytes() for path in paths] for paths in files]
    assert "2000 events of 200 riders in 9 files" in said
    assert read[0] == read[1] != read[2]


def test_a_day_can_be_scored(tmp_path: Path) -> None:
    """The folder is an input of `riderscore score`, with no row left out."""
    generate(tmp_path / "day")

    command = ["score", str(tmp_path / "day"), "--book", "gbt-46862-reference", "--out", str(tmp_path / "out")]
    scored = CliRunner().invoke(main, [*command, "--lang", "en"])

    assert "2000 events of 200 riders" in scored.output
    assert "0 rejected" in scored.output


def test_a_folder_of_others_is_not_replaced(tmp_path: Path) -> None:
    """Exit code 2 and the reason; what is there stays."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")

    result = CliRunner().invoke(main, ["bench", "generate", "--out", str(tmp_path / "mine"), *SIZE])

    assert result.exit_code == 2
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"
