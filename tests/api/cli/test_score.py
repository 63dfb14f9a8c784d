"""`riderscore score` from the outside: what it says where, and what it ends with."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.cli.commands import run, run_json
from tests.api.ledgers import BOOK, contents, entries_of, rejects_of, two_days, write_events
from tests.builders import delivered


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """The tiny city as CSV."""
    return write_events(tmp_path / "events.csv", two_days())


def test_a_run_ends_with_0_and_says_how_much_it_did(tmp_path: Path, events: Path) -> None:
    """One line on stdout names the output; stderr is silent when nothing is wrong."""
    result = run("score", events, "--book", BOOK, "--out", tmp_path / "out")

    assert result.exit_code == 0
    assert str(tmp_path / "out") in result.stdout
    assert "30" in result.stdout
    assert result.stderr == ""


def test_json_is_the_run_document(tmp_path: Path, events: Path) -> None:
    """`--json` prints what stands in run.json and nothing else."""
    printed = run_json("score", events, "--book", BOOK, "--out", tmp_path / "out")

    assert printed == json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("lang", "word"), [("en", "2 rows"), ("zh", "2 行")])
def test_bad_rows_are_counted_on_stderr_and_listed_in_a_file(tmp_path: Path, lang: str, word: str) -> None:
    """The run goes on past bad rows, ends with 3 where they are many, says how many there were and where they are listed."""
    path = write_events(
        tmp_path / "e.ndjson", [delivered("good"), delivered("bad", fee_fen=-1), delivered("odd", kind="x")]
    )

    result = run("score", path, "--book", BOOK, "--out", tmp_path / "out", "--lang", lang)

    assert result.exit_code == 3
    assert word in result.stderr
    assert "rejects.ndjson" in result.stderr
    assert [(row["row"], row["column"]) for row in rejects_of(tmp_path / "out")] == [(2, "fee_fen"), (3, "kind")]
    assert {"file", "row", "column", "value", "reason"} <= rejects_of(tmp_path / "out")[0].keys()


def test_a_what_if_is_said(tmp_path: Path, events: Path) -> None:
    """Events from before the book's first day are scored and counted aloud."""
    result = run("score", events, "--book", "gbt-46862-reference", "--out", tmp_path / "out")

    assert result.exit_code == 0
    assert "30" in result.stderr


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_an_unknown_book_is_wrong_usage(tmp_path: Path, events: Path, lang: str) -> None:
    """Exit 2, a message with a near name, nothing written."""
    result = run("score", events, "--book", "legacy-fin", "--out", tmp_path / "out", "--lang", lang)

    assert result.exit_code == 2
    assert "legacy-fine" in result.stderr
    assert result.stdout == ""
    assert not (tmp_path / "out").exists()


def test_a_foreign_output_folder_is_refused(tmp_path: Path, events: Path) -> None:
    """Exit 2, the folder is named, its content stays."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine", encoding="utf-8")

    result = run("score", events, "--book", BOOK, "--out", out)

    assert result.exit_code == 2
    assert str(out) in result.stderr
    assert contents(out) == {"thesis.txt": b"mine"}


@pytest.mark.parametrize("content", ["mine", None])
def test_a_state_that_is_none_is_wrong_usage(tmp_path: Path, events: Path, content: str | None) -> None:
    """A file, or a folder of something else, as `--state` ends with 2 and stays as it is."""
    state = tmp_path / "state"
    if content is None:
        state.write_text("a file", encoding="utf-8")
    else:
        state.mkdir()
        (state / "thesis.txt").write_text(content, encoding="utf-8")

    result = run("score", events, "--book", BOOK, "--out", tmp_path / "out", "--state", state)

    assert result.exit_code == 2
    assert str(state) in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_missing_file_is_wrong_usage(tmp_path: Path) -> None:
    """Exit 2 and the name of the file."""
    result = run("score", tmp_path / "nowhere.csv", "--book", BOOK, "--out", tmp_path / "out")

    assert result.exit_code == 2
    assert "nowhere.csv" in result.stderr


@pytest.mark.parametrize(
    "words", [["--out", "o"], ["--book", BOOK], ["--book", BOOK, "--out", "o", "--as-of", "2025-12-17"]]
)
def test_missing_and_malformed_options_are_wrong_usage(events: Path, words: list[str]) -> None:
    """Book and output must be named, and an as-of needs an offset."""
    result = run("score", events, *words)

    assert result.exit_code == 2
    assert "Error" in result.stderr


def test_as_of_is_what_recorded_us_says(tmp_path: Path, events: Path) -> None:
    """An ISO-8601 instant with an offset becomes the time of record of every line."""
    run("score", events, "--book", BOOK, "--out", tmp_path / "out", "--as-of", "2025-12-31T04:00:00+08:00")

    assert {line["recorded_us"] for line in entries_of(tmp_path / "out")} == {1_767_124_800_000_000}


def test_a_folder_of_files_is_read_whole(tmp_path: Path) -> None:
    """A folder stands for the event files in it."""
    folder = tmp_path / "day"
    folder.mkdir()
    write_events(folder / "a.csv", two_days()[:10])
    write_events(folder / "b.parquet", two_days()[10:])

    assert run_json("score", folder, "--book", BOOK, "--out", tmp_path / "out")["counts"]["events"] == 30


@pytest.mark.slow
def test_the_installed_command_runs_the_same(tmp_path: Path, events: Path) -> None:
    """In a process of its own: exit 0, data on stdout, no progress bar where there is no terminal."""
    command = [sys.executable, "-c", "from api.cli.main import main; main()", "score", str(events)]
    done = subprocess.run(
        [*command, "--book", BOOK, "--out", str(tmp_path / "out"), "--json", "--lang", "en"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["counts"]["events"] == 30


def test_an_input_inside_the_output_is_not_swept_away(tmp_path: Path, events: Path) -> None:
    """An output folder that holds one of the inputs is refused: replacing it would delete the input."""
    run("score", events, "--book", BOOK, "--out", tmp_path / "out")
    inside = events.rename(tmp_path / "out" / "events.csv")

    result = run("score", inside, "--book", BOOK, "--out", tmp_path / "out")

    assert result.exit_code == 2
    assert inside.exists()


@pytest.mark.parametrize("state", ["out", "out/state"])
def test_output_and_state_are_two_places(tmp_path: Path, events: Path, state: str) -> None:
    """A state in or at the output folder is refused before anything is written."""
    result = run("score", events, "--book", BOOK, "--out", tmp_path / "out", "--state", tmp_path / state)

    assert result.exit_code == 2
    assert not (tmp_path / "out").exists()
