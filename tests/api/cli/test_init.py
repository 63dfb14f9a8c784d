"""`riderscore init`: a folder whose README can be typed word by word."""

import shlex
from pathlib import Path

import pytest

from tests.api.cli.commands import run
from tests.docs.pages import blocks_of


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_readme_of_the_folder_can_be_typed(lang: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command of the README runs in the folder; books differ, as the README says, all else ends with 0."""
    folder = tmp_path / "start"
    made = run("init", folder, "--lang", lang)
    monkeypatch.chdir(folder)

    commands = [
        shlex.split(line)[2:]
        for block in blocks_of(folder / "README.md")
        for line in block.text.splitlines()
        if line.startswith("$ riderscore ")
    ]
    ended = {" ".join(words[:2]): run(*words, "--lang", lang).exit_code for words in commands}

    assert made.exit_code == 0
    assert str(folder) in made.stdout
    assert len(commands) == 7
    assert {name for name, code in ended.items() if code} == {"books diff"}
    assert ended["books diff"] == 3
    for name in ("day.csv", "my-city.toml", "deployment.toml"):
        assert name in (folder / "README.md").read_text("utf-8")


def test_both_readmes_type_the_same() -> None:
    """The commands are the same in both languages."""
    starter = Path(__file__).parents[3] / "api" / "cli" / "starter"

    english, chinese = (blocks_of(starter / f"README.{lang}.md") for lang in ("en", "zh"))

    assert [block.text for block in english] == [block.text for block in chinese]


def test_nothing_is_replaced(tmp_path: Path) -> None:
    """A file of the same name stays as it is, nothing is written beside it, and the command ends with 2."""
    (tmp_path / "day.csv").write_text("mine")

    result = run("init", tmp_path, "--lang", "en")

    assert result.exit_code == 2
    assert "already holds day.csv" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["day.csv"]
    assert (tmp_path / "day.csv").read_text() == "mine"
