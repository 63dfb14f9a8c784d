"""How a run of files ends: nothing read is never fine, too many rejects are said, and no other result is replaced unasked."""

import json
from pathlib import Path

import pytest

from api.runs.bucketed_run import score_bucketed
from api.runs.outcome import NothingReadError
from tests.api.cli.commands import run
from tests.api.files.builders import csv_text, event, write

BOOK = "taobao-crowdsourced"
NAIVE = "2026-01-05T12:30:00"


def rows(num_good: int, num_bad: int) -> str:
    """Events, the bad ones without an offset."""
    good = [event(event_id=f"g{k}", order_id=f"g{k}") for k in range(num_good)]
    return csv_text(good + [event(event_id=f"b{k}", order_id=f"b{k}", occurred_at=NAIVE) for k in range(num_bad)])


@pytest.mark.case
@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("command", ["score", "compare"])
def test_all_rejected_fails_and_replaces_nothing(tmp_path: Path, lang: str, command: str) -> None:
    """Exit code 2 with the counts by reason; the ledger that stood there stays, `--replace` or not."""
    books = ("--book", BOOK) if command == "score" else ("--books", f"legacy-fine,{BOOK}")
    path, out = write(tmp_path / "events.csv", rows(2, 0)), tmp_path / "out"
    assert run(command, path, *books, "--out", out).exit_code == 0
    before = {file.name: file.read_bytes() for file in out.iterdir() if file.is_file()}
    write(path, rows(0, 2))

    result = run(command, path, *books, "--out", out, "--replace", "--lang", lang)

    assert result.exit_code == 2
    assert "naive_time" in result.stderr
    assert "2" in result.stderr
    assert {file.name: file.read_bytes() for file in out.iterdir() if file.is_file()} == before


def test_all_rejected_leaves_the_state(tmp_path: Path) -> None:
    """A carried state is not touched by a run that failed."""
    path, state = write(tmp_path / "events.csv", rows(2, 0)), tmp_path / "state"
    words = ("--book", BOOK, "--state", state)
    assert run("score", path, *words, "--out", tmp_path / "one").exit_code == 0
    before = (state / "state.json").read_bytes()

    bad = write(tmp_path / "bad.csv", rows(0, 1))

    assert run("score", bad, *words, "--out", tmp_path / "two").exit_code == 2
    assert (state / "state.json").read_bytes() == before
    assert not (tmp_path / "two").exists()


def test_all_rejected_by_buckets(tmp_path: Path) -> None:
    """A run of any size fails alike, and leaves nothing to go on with."""
    path = write(tmp_path / "events.csv", rows(0, 3))

    with pytest.raises(NothingReadError) as refusal:
        score_bucketed([path], BOOK, tmp_path / "out", bucket_rows=1, num_workers=1)

    assert [(one.reason, one.number) for one in refusal.value.reasons] == [("naive_time", 3)]
    assert [one.name for one in tmp_path.iterdir()] == ["events.csv"]


@pytest.mark.parametrize("content", [",".join(event()), ",".join(event()) + "\n", ",".join(event()) + "\n\n \n"])
def test_no_rows_are_no_run(tmp_path: Path, content: str) -> None:
    """A header alone is nothing to score."""
    path = write(tmp_path / "events.csv", content)

    assert run("score", path, "--book", BOOK, "--out", tmp_path / "out").exit_code == 2
    assert not (tmp_path / "out").exists()


def test_a_quiet_day_is_a_day(tmp_path: Path) -> None:
    """With a state carried in, files without rows let time go on."""
    first, quiet = write(tmp_path / "one.csv", rows(1, 0)), write(tmp_path / "two.csv", ",".join(event()) + "\n")
    words = ("--book", BOOK, "--state", tmp_path / "state")
    assert run("score", first, *words, "--out", tmp_path / "one").exit_code == 0

    result = run("score", quiet, *words, "--as-of", "2026-03-01T04:00:00+08:00", "--out", tmp_path / "two")

    assert result.exit_code == 0


@pytest.mark.case
@pytest.mark.parametrize(
    ("num_bad", "share", "code"), [(1, None, 0), (2, None, 3), (2, "0.1", 0), (2, "5%", 3), (1, "0", 3), (0, "0", 0)]
)
def test_too_many_rejects_end_with_3(tmp_path: Path, num_bad: int, share: str | None, code: int) -> None:
    """Above the share that may be rejected the ledger is written and the reasons are on the screen."""
    path, out = write(tmp_path / "events.csv", rows(20 - num_bad, num_bad)), tmp_path / "out"

    result = run("score", path, "--book", BOOK, "--out", out, *(() if share is None else ("--max-rejects", share)))

    assert result.exit_code == code
    assert ("naive_time" in result.stderr) == (code == 3)
    assert json.loads((out / "run.json").read_text(encoding="utf-8"))["counts"]["events"] == 20 - num_bad


@pytest.mark.parametrize("share", ["1.1", "-0.1", "nan", "x", "101%", ""])
def test_a_share_is_from_0_to_1(tmp_path: Path, share: str) -> None:
    """Anything else is wrong usage."""
    path = write(tmp_path / "events.csv", rows(1, 0))

    assert run("score", path, "--book", BOOK, "--out", tmp_path / "out", "--max-rejects", share).exit_code == 2


def test_a_result_is_replaced_by_its_own_command_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of another book, other inputs or another command: exit code 2 without `--replace`; changed content is the same."""
    monkeypatch.chdir(tmp_path)
    one, two, out = write(tmp_path / "one.csv", rows(1, 0)), write(tmp_path / "two.csv", rows(2, 0)), tmp_path / "out"
    assert run("score", one, "--book", BOOK, "--out", out).exit_code == 0
    write(one, rows(3, 0))

    assert run("score", "one.csv", "--book", f"{BOOK}@2026-01-05", "--out", "out").exit_code == 0
    assert run("score", two, "--book", BOOK, "--out", out).exit_code == 2
    assert run("score", one, two, "--book", BOOK, "--out", out).exit_code == 2
    assert run("score", one, "--book", "legacy-fine", "--out", out).exit_code == 2
    assert run("compare", one, "--books", f"legacy-fine,{BOOK}", "--out", out).exit_code == 2
    assert run("score", two, "--book", "legacy-fine", "--out", out, "--replace").exit_code == 0
    assert run("compare", two, "--books", f"legacy-fine,{BOOK}", "--out", out, "--replace").exit_code == 0


@pytest.mark.parametrize("place", ["in/out", "in", "link/out", "in/../in/deep/out"])
def test_an_output_inside_the_input_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """The next run would read what this one writes, whichever way the place is named."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "link").symlink_to("in")
    write(tmp_path / "in" / "events.csv", rows(1, 0))

    assert run("score", "in", "--book", BOOK, "--out", place).exit_code == 2
    assert run("score", "i*", "--book", BOOK, "--out", place).exit_code == 2
    assert [one.name for one in (tmp_path / "in").iterdir()] == ["events.csv"]


@pytest.mark.parametrize("option", ["--out", "--state"])
@pytest.mark.parametrize("place", ["s3://bucket/run", "http://host/run", "s3:/bucket/run", "gs://x", "file:///tmp/x"])
def test_a_place_elsewhere_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, place: str) -> None:
    """Addresses of other systems are not made into folders."""
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "events.csv", rows(1, 0))
    words = {"--out": "out", "--state": "state"} | {option: place}

    result = run("score", path, "--book", BOOK, *(word for pair in words.items() for word in pair))

    assert (result.exit_code, [one.name for one in tmp_path.iterdir()]) == (2, ["events.csv"])


def test_a_part_of_a_name_suggests_all_books_with_it(tmp_path: Path) -> None:
    """`--book taobao` names the two Taobao books, and no other is suggested for what is like none."""
    path = write(tmp_path / "events.csv", rows(1, 0))

    near = run("score", path, "--book", "taobao", "--out", tmp_path / "out")
    far = run("score", path, "--book", "xyz", "--out", tmp_path / "out")

    assert (near.exit_code, far.exit_code) == (2, 2)
    assert "taobao-crowdsourced, taobao-dedicated?" in near.stderr
    assert "did you mean" not in far.stderr


@pytest.mark.parametrize("command", ["score", "show"])
def test_a_day_before_the_first_version_is_said(tmp_path: Path, command: str) -> None:
    """`id@date` of a day on which there was no such book takes the first version, and says so."""
    path = write(tmp_path / "events.csv", rows(1, 0))
    words = ("score", path, "--out", tmp_path / "out", "--book") if command == "score" else ("books", "show")

    result = run(*words, f"{BOOK}@2020-01-01")

    assert result.exit_code == 0
    assert "2020-01-01 is before the first version" in result.stderr
    assert "2025-12-03" in result.stderr
