"""Two runs that would write to one place at once: the second is refused, and the first one's result is whole."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.cli.main import main
from api.files.errors import InputError
from api.files.folder_lock import locked_folders
from api.runs.run import score_files
from tests.api.ledgers import BOOK, contents, two_days, write_events

HOLD = """
import sys, time
from pathlib import Path
from api.files.folder_lock import locked_folders
with locked_folders(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """Two riders' two days."""
    return write_events(tmp_path / "events.csv", two_days())


@pytest.mark.parametrize("place", ["out", "state"])
def test_a_place_that_is_held_is_refused(events: Path, tmp_path: Path, place: str) -> None:
    """Exit code 2, the place and what to do, in both languages; nothing is changed."""
    score_files([events], BOOK, tmp_path / "out", state=tmp_path / "state")
    before = contents(tmp_path / "out")
    command = ["score", str(events), "--book", BOOK, "--out", str(tmp_path / "out"), "--state", str(tmp_path / "state")]

    with locked_folders(tmp_path / place):
        found = {lang: CliRunner().invoke(main, [*command, "--lang", lang]) for lang in ("en", "zh")}

    assert [result.exit_code for result in found.values()] == [2, 2]
    assert "Another run is writing here" in found["en"].stderr
    assert "另一个运行" in found["zh"].stderr
    assert str(tmp_path / place) in found["en"].stderr.replace("\n", "")
    assert contents(tmp_path / "out") == before


@pytest.mark.parametrize(
    "words", [["compare", "--books", f"legacy-fine,{BOOK}"], ["books", "impact", "--from", BOOK, "--to", "legacy-fine"]]
)
def test_a_comparison_claims_its_place_too(events: Path, tmp_path: Path, words: list[str]) -> None:
    """Small inputs like large ones: a place that another run holds is refused, with exit code 2."""
    command = [*words, *(["--events"] if words[0] == "books" else []), str(events), "--out", str(tmp_path / "out")]

    with locked_folders(tmp_path / "out"):
        result = CliRunner().invoke(main, [*command, "--lang", "en"])

    assert result.exit_code == 2
    assert "Another run is writing here" in result.stderr
    assert not (tmp_path / "out").exists()


def test_what_was_held_is_free_afterwards(tmp_path: Path) -> None:
    """Also after a fault; no lock is left behind."""
    with pytest.raises(ValueError, match="wrong"), locked_folders(tmp_path / "out", None):
        raise ValueError("wrong")

    with locked_folders(tmp_path / "out"):
        names = [path.name for path in tmp_path.iterdir()]
    assert names == [".out.lock"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_killed_run_holds_nothing(tmp_path: Path) -> None:
    """The lock goes with the process, although its file stays."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", HOLD, str(tmp_path / "out")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(InputError), locked_folders(tmp_path / "out"):
            pass
        os.kill(holder.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10

    while True:
        try:
            with locked_folders(tmp_path / "out"):
                break
        except InputError:
            assert time.monotonic() < deadline
    assert list(tmp_path.iterdir()) == []
