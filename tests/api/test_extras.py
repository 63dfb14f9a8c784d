"""Extras: each is declared, and one that is missing is named with the line that installs it."""

import tomllib
from pathlib import Path

import pytest

from api import extras
from api.files.errors import InputError
from tests.api.cli.commands import run


def test_what_is_declared_is_what_is_asked_for() -> None:
    """pyproject.toml and the code know the same extras."""
    declared = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]

    assert set(declared["optional-dependencies"]) == set(extras.EXTRAS)


def test_a_missing_extra_is_named_with_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The words say what to type, in both languages; one that is there is no error."""
    monkeypatch.setattr(extras, "EXTRAS", {"ray": "no_such_module", "there": "json"})

    extras.need_extra("there", "--engine")
    with pytest.raises(InputError) as error:
        extras.need_extra("ray", "--engine")

    for lang in ("zh", "en"):
        assert 'pip install "riderscore[ray]"' in error.value.faults[0].describe(lang)


def test_a_command_that_needs_a_missing_extra_ends_with_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--engine ray` without Ray: exit code 2 and the line to type; nothing is written."""
    monkeypatch.setattr(extras, "EXTRAS", {"ray": "no_such_module"})
    (tmp_path / "day.csv").write_bytes((Path(__file__).parents[2] / "examples" / "day.csv").read_bytes())

    result = run(
        "score", tmp_path / "day.csv", "--book", "taobao-crowdsourced", "--out", tmp_path / "out", "--engine", "ray"
    )

    assert result.exit_code == 2
    assert 'pip install "riderscore[ray]"' in result.stderr
    assert not (tmp_path / "out").exists()
