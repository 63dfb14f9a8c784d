"""One database serves one platform: named when it is made, refused under another name."""

import json
from pathlib import Path

import pytest

from api.db.identity import platform_of
from api.db.store import Store
from api.files.atomic import write_ndjson
from api.settings import SettingError, Settings
from tests.api.cli.commands import run
from tests.builders import delivered

NAME = "RIDERSCORE_PLATFORM"


def stored(url: str) -> str:
    """The platform of a database."""
    store = Store(url)
    with store.reading() as unit:
        name = platform_of(unit)
    store.close()
    return name


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_another_platform_is_refused(url: str, monkeypatch: pytest.MonkeyPatch, lang: str) -> None:
    """Every command that opens the database: exit 2, both names and what to do; the name stays."""
    monkeypatch.setenv(NAME, "meituan")
    assert run("db", "upgrade", "--database-url", url).exit_code == 0
    monkeypatch.setenv(NAME, "taobao")

    asked = [
        run(*command, "--database-url", url, "--lang", lang)
        for command in (
            ("db", "upgrade"),
            ("token", "create", "--role", "ops", "--subject", "x", "--all-cities"),
            ("serve", "--port", "0"),
        )
    ]

    for found in asked:
        assert found.exit_code == 2, found.output
        assert "meituan" in found.stderr
        assert "RIDERSCORE_PLATFORM=meituan" in found.stderr
    assert stored(url) == "meituan"


def test_a_database_that_nobody_named_is_the_default_platforms(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one of before: its first server or upgrade names it."""
    monkeypatch.delenv(NAME, raising=False)
    assert run("db", "upgrade", "--database-url", url).exit_code == 0
    assert stored(url) == "default"
    monkeypatch.setenv(NAME, "taobao")

    assert run("db", "upgrade", "--database-url", url).exit_code == 2


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "-a", "平台"])
def test_what_is_no_name_is_no_setting(name: str, tmp_path: Path) -> None:
    """It stands in headers: letters, digits and a few marks."""
    with pytest.raises(SettingError, match=NAME):
        Settings.from_environment({NAME: name})
    assert run("score", "x.csv", "--book", "auto", "--platform", name, "--out", str(tmp_path / "o")).exit_code == 2


def test_a_run_names_its_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`run.json` has the one asked for, else the environment's, else `default`."""
    write_ndjson(tmp_path / "e.ndjson", [delivered("e1")])

    def named(*options: str) -> str:
        out = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
        done = run("score", str(tmp_path / "e.ndjson"), "--book", "taobao-crowdsourced", "--out", str(out), *options)
        assert done.exit_code == 0, done.output
        return str(json.loads((out / "run.json").read_text(encoding="utf-8"))["platform"])

    monkeypatch.delenv(NAME, raising=False)
    assert named() == "default"
    monkeypatch.setenv(NAME, "meituan")
    assert (named(), named("--platform", "taobao")) == ("meituan", "taobao")
