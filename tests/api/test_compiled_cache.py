"""Where compiled code is kept: a folder that can be written and that nobody else may write to, told where it does not last."""

import os
from pathlib import Path

import pytest

from api import compiled_cache
from api.compiled_cache import choose_cache


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What is told; folders for temporary files and of the user are this test's own."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NUMBA_CACHE_DIR", "taken back after the test")
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.setattr(compiled_cache, "ROOT", tmp_path / "program")
    return []


def chosen(told: list[tuple[str, str]], **environ: str) -> Path | None:
    """The choice in such an environment."""
    return choose_cache(lambda key, folder: told.append((key, folder)), environ)


def block(path: Path) -> None:
    """Make a folder impossible, for every user: a file stands in its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")


def test_beside_the_program_where_that_can_be_written(tmp_path: Path, told: list[tuple[str, str]]) -> None:
    """Numba's own place is left to Numba, without a word."""
    assert chosen(told) is None
    assert told == []
    assert "NUMBA_CACHE_DIR" not in os.environ


def test_the_folder_that_is_named_is_taken(tmp_path: Path, told: list[tuple[str, str]]) -> None:
    """`RIDERSCORE_CACHE_DIR` goes before all, is made, and is handed on to child processes."""
    assert chosen(told, RIDERSCORE_CACHE_DIR=str(tmp_path / "a" / "b")) == tmp_path / "a" / "b"
    assert os.environ["NUMBA_CACHE_DIR"] == str(tmp_path / "a" / "b")
    assert told == []


def test_below_home_where_the_program_is_read_only(tmp_path: Path, told: list[tuple[str, str]]) -> None:
    """The cache of the user, where it belongs."""
    block(tmp_path / "program" / "rules")

    assert chosen(told) == tmp_path / "home" / "riderscore"
    assert told == []


def test_a_temporary_folder_where_nothing_lasts(tmp_path: Path, told: list[tuple[str, str]]) -> None:
    """With program and HOME read-only a temporary folder of the user's own serves, again the next time, and that is told."""
    block(tmp_path / "program" / "rules")
    block(tmp_path / "home")

    first, second = chosen(told), chosen(told)

    assert first == second
    assert first is not None
    assert first.parent == tmp_path / "tmp"
    assert first.stat().st_mode & 0o077 == 0
    assert told == [("cli.cache_temporary", str(first))] * 2


def test_a_temporary_folder_that_others_may_write_to_is_not_run(tmp_path: Path, told: list[tuple[str, str]]) -> None:
    """What somebody else has laid there under the name that is looked for is passed by: it would be run."""
    block(tmp_path / "program" / "rules")
    block(tmp_path / "home")
    planted = chosen(told)
    assert planted is not None
    planted.chmod(0o777)

    assert chosen(told) != planted


def test_a_named_folder_that_cannot_be_written_is_told(tmp_path: Path, told: list[tuple[str, str]]) -> None:
    """The next best is taken, and the name of the folder said."""
    block(tmp_path / "file")
    block(tmp_path / "program" / "rules")

    assert chosen(told, RIDERSCORE_CACHE_DIR=str(tmp_path / "file" / "below")) == tmp_path / "home" / "riderscore"
    assert told == [("cli.cache_refused", str(tmp_path / "file" / "below"))]
