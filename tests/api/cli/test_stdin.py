"""`-`: events that come in on stdin, whatever their form; what a person stops leaves nothing behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from api.cli.main import main
from tests.api.files.builders import csv_text, event, write

BOOK = "taobao-crowdsourced"
EVENTS = [event(event_id=f"e{k}", order_id=f"o{k}") for k in range(3)]


def scored(given: bytes, out: Path, *more: str) -> int:
    """How `score -` ends on such an input."""
    words = ["score", "-", "--book", BOOK, "--out", str(out), "--lang", "en", *more]
    return CliRunner().invoke(main, words, input=given, catch_exceptions=False).exit_code


def test_stdin_scores_as_its_file_does(tmp_path: Path) -> None:
    """CSV and Parquet through a pipe give the ledger of the file, and leave nothing beside it."""
    path = write(tmp_path / "events.csv", csv_text(EVENTS))
    table = pa_csv.read_csv(
        path, convert_options=pa_csv.ConvertOptions(column_types=dict.fromkeys(EVENTS[0], "string"))
    )
    pq.write_table(table, tmp_path / "events.parquet")
    CliRunner().invoke(main, ["score", str(path), "--book", BOOK, "--out", str(tmp_path / "file")])
    wanted = (tmp_path / "file" / "entries.parquet").read_bytes()

    for name in ("events.csv", "events.parquet"):
        assert scored((tmp_path / name).read_bytes(), tmp_path / "piped", "--replace") == 0
        assert (tmp_path / "piped" / "entries.parquet").read_bytes() == wanted
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["events.csv", "events.parquet", "file", "piped"]


def test_the_same_command_may_be_given_again(tmp_path: Path) -> None:
    """The next day's pipe replaces the ledger of the last one, as a file would, without `--replace`."""
    assert scored(csv_text(EVENTS).encode(), tmp_path / "out") == 0
    assert scored(csv_text(EVENTS[:2]).encode(), tmp_path / "out") == 0


def test_an_empty_pipe_is_no_input(tmp_path: Path) -> None:
    """Nothing at all on stdin ends with 2, and writes nothing."""
    assert scored(b"", tmp_path / "out") == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(("lang", "told"), [("en", "Interrupted"), ("zh", "已中断")])
def test_ctrl_c_ends_with_130_in_the_language_of_the_reader(tmp_path: Path, lang: str, told: str) -> None:
    """A command that is stopped while it reads says so in a line, ends with 130 and leaves nothing half-written."""
    words = [
        sys.executable,
        "-m",
        "riderscore",
        "score",
        "-",
        "--book",
        BOOK,
        "--out",
        str(tmp_path / "out"),
        "--lang",
        lang,
    ]
    command = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=Path(__file__).parents[3],
        env=os.environ | {"PYTHONPATH": "."},
    )  # fmt: skip
    assert command.stdin is not None
    # More than a pipe holds: when all of it is taken, the command is reading.
    command.stdin.write(csv_text(EVENTS).encode() * 2_000)
    command.stdin.flush()

    command.send_signal(signal.SIGINT)
    _, stderr = command.communicate(timeout=60)

    assert command.returncode == 130
    assert told in stderr.decode()
    assert "Traceback" not in stderr.decode()
    assert list(tmp_path.iterdir()) == []
