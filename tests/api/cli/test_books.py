"""`riderscore books` from the outside: words in two languages, JSON, exit codes."""

import json
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from rules import shelf
from rules.json_form import to_json
from tests.api.cli.commands import run, run_json

BOOK = "taobao-crowdsourced"
EVERYWHERE = ["list", f"show {BOOK}", f"check {BOOK}", f"diff {BOOK} taobao-dedicated"]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_list_names_every_shipped_book(lang: str) -> None:
    """All six ids stand on stdout with their titles in the language asked for."""
    result = run("books", "list", "--lang", lang)

    assert result.exit_code == 0
    for book_id in shelf.shipped():
        assert book_id in result.stdout
        assert getattr(shelf.versions(book_id)[0].model.title, lang) in result.stdout


def test_list_as_json_has_a_row_per_version() -> None:
    """Id, day, regime, kinds and digest of every version, for programs."""
    rows = run_json("books", "list")

    assert {row["id"] for row in rows} == set(shelf.shipped())
    assert {"id", "effective_from", "regime", "rider_kinds", "title", "digest"} <= rows[0].keys()


def test_show_prints_the_book_in_full(tmp_path: Path) -> None:
    """What is shown is a document that parses to the same digest, nothing left to inherit."""
    result = run("books", "show", "taobao-dedicated")

    path = tmp_path / "shown.toml"
    path.write_text(result.stdout, encoding="utf-8")
    assert result.exit_code == 0
    assert "extends" not in result.stdout
    assert shelf.find(str(path))[0].digest == shelf.versions("taobao-dedicated")[-1].digest


@pytest.mark.parametrize(
    "words", [[BOOK], [f"{BOOK}@2025-12-20"], [BOOK, "--at", "2025-12-20"], [BOOK, "--at", "2019-01-01"]]
)
def test_show_takes_a_day(words: list[str]) -> None:
    """By `@` or by `--at`; a day before the first version shows the first."""
    assert run_json("books", "show", *words)["digest"] == shelf.versions(BOOK)[0].digest


def test_show_reads_a_file(tmp_path: Path) -> None:
    """A path stands for the book in it."""
    path = tmp_path / "mine.toml"
    path.write_text(
        shelf.to_toml(shelf.versions(BOOK)[0]).replace("points = -1\n", "points = -1.25\n"), encoding="utf-8"
    )

    result = run("books", "show", path)

    assert result.exit_code == 0
    assert "-1.25" in result.stdout


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("command", ["show", "check", "export --format json", "diff legacy-fine"])
def test_a_book_that_is_not_there_is_wrong_usage(command: str, lang: str) -> None:
    """Exit 2, the names there are on stderr, nothing on stdout."""
    words = [*command.split(), "taobao-crowdsource"]
    if command.startswith("export"):
        words = ["export", "taobao-crowdsource", "--format", "json"]

    result = run("books", *words, "--lang", lang)

    assert result.exit_code == 2
    assert BOOK in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    "words", [["show", BOOK, "--at", "tomorrow"], ["show", f"{BOOK}@2025-13-01"], ["export", BOOK], ["nope"]]
)
def test_malformed_usage_ends_with_2(words: list[str]) -> None:
    """A day that is none, a missing format, an unknown command."""
    result = run("books", *words)

    assert result.exit_code == 2
    assert result.stderr


@pytest.mark.parametrize(("lang", "says"), [("zh", "扣钱"), ("en", "takes money")])
def test_check_names_the_clause_that_the_legacy_fine_breaks(lang: str, says: str) -> None:
    """Exit 3 with GB/T 46862-2025 7.2.8 and the rule, in both languages."""
    result = run("books", "check", "legacy-fine", "--lang", lang)

    assert result.exit_code == 3
    assert "7.2.8" in result.stdout
    assert "fine_6" in result.stdout
    assert says in result.stdout


def test_check_passes_the_reference_book() -> None:
    """Exit 0 without a fault or a warning, strictly."""
    result = run("books", "check", "gbt-46862-reference", "--strict")

    assert result.exit_code == 0


def test_check_as_json_gives_each_fault_with_its_place_and_both_languages() -> None:
    """Code, severity, file, rule, key, given, allowed, clause and the message in zh and en; the exit code stays 3."""
    result = run("books", "check", "legacy-fine", "--json")

    faults = json.loads(result.stdout)
    broken = [fault for fault in faults if "7.2.8" in fault["clause"]]
    assert result.exit_code == 3
    assert broken
    assert {"code", "severity", "file", "rule", "key", "given", "allowed", "clause", "message"} == broken[0].keys()
    assert {"zh", "en"} == broken[0]["message"].keys()


def test_check_reports_every_fault_of_a_broken_file_at_once(tmp_path: Path) -> None:
    """Two mistakes in one file are two faults, with rule, value and remedy; exit 3."""
    path = tmp_path / "2025-12-03.toml"
    text = shelf.to_toml(shelf.versions(BOOK)[0])
    path.write_text(
        text.replace("points = -1\n", "points = -0.0005\n").replace("base = 70", "base = 170"), encoding="utf-8"
    )

    result = run("books", "check", path, "--lang", "en")

    assert result.exit_code == 3
    assert 'rule "late_5"' in result.stdout
    assert "-0.0005" in result.stdout
    assert "170" in result.stdout


def test_check_runs_the_examples_inside_the_book(tmp_path: Path) -> None:
    """An example that scoring does not bear out is a fault."""
    path = tmp_path / "2025-12-03.toml"
    text = shelf.to_toml(shelf.versions(BOOK)[0])
    path.write_text(text.replace("points = -2\n", "points = -1.9\n", 1), encoding="utf-8")

    result = run("books", "check", path, "--json")

    assert result.exit_code == 3
    assert "example_fails" in {fault["code"] for fault in json.loads(result.stdout)}


@pytest.mark.parametrize(("lang", "says"), [("zh", "−1 → −2"), ("en", "−1 → −2")])
def test_diff_says_by_rule_what_changes_and_from_when(tmp_path: Path, lang: str, says: str) -> None:
    """`late_5: −1 → −2 …, from the day`, and exit 3."""
    path = tmp_path / "next.toml"
    text = shelf.to_toml(shelf.versions(BOOK)[0]).replace("effective_from = 2025-12-03", "effective_from = 2026-01-01")
    path.write_text(text.replace("points = -1\n", "points = -2\n", 1), encoding="utf-8")

    result = run("books", "diff", BOOK, path, "--lang", lang)

    line = next(line for line in result.stdout.splitlines() if line.startswith("late_5"))
    assert result.exit_code == 3
    assert says in line
    assert "2026-01-01" in line


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_diff_of_a_book_with_itself_finds_nothing(lang: str) -> None:
    """Exit 0 and one line that says so; as JSON an empty list."""
    result = run("books", "diff", BOOK, BOOK, "--lang", lang)

    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 1
    assert run_json("books", "diff", BOOK, BOOK) == []


def test_diff_as_json_is_by_part_and_id() -> None:
    """Each change names its part, id, key, and what stood before and after."""
    changes = run_json("books", "diff", BOOK, "gbt-46862-reference")

    assert {"kind", "part", "id", "key", "before", "after", "effective_from"} == changes[0].keys()
    assert "late_5" in {change["id"] for change in changes}


@pytest.mark.parametrize("book_id", shelf.shipped())
def test_export_show_and_schema_are_one_form(book_id: str) -> None:
    """The document in the units that people write: shown it has its digest besides, and both are as the schema says."""
    validator = Draft202012Validator(json.loads(run("schema", "book").stdout))
    exported = json.loads(run("books", "export", book_id, "--format", "json").stdout)
    shown = run_json("books", "show", book_id)
    toml = tomllib.loads(run("books", "show", book_id).stdout)

    assert exported == to_json(toml)
    assert exported["score"]["base"] == toml["score"]["base"]
    assert shown == {"digest": shelf.versions(book_id)[-1].digest, **exported}
    assert [*validator.iter_errors(exported), *validator.iter_errors(shown)] == []


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_export_as_jdm_is_a_decision(lang: str) -> None:
    """A JDM document that carries the digest and titles of the language asked for."""
    document = json.loads(run("books", "export", BOOK, "--format", "jdm", "--lang", lang).stdout)

    assert document["contentType"] == "application/vnd.gorules.decision"
    assert document["settings"]["digest"] == shelf.versions(BOOK)[-1].digest
    assert getattr(shelf.versions(BOOK)[-1].model.title, lang) in document["name"]


@pytest.mark.parametrize("words", EVERYWHERE)
def test_the_language_changes_words_not_outcomes(words: str) -> None:
    """Every command speaks both languages and ends the same in both."""
    zh, en = (run("books", *words.split(), "--lang", lang) for lang in ("zh", "en"))

    assert zh.exit_code == en.exit_code
    assert zh.stdout
    assert en.stdout
