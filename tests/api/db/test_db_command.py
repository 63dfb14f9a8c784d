"""`riderscore db`: tables made, and said to be there or not."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from api.cli.main import main
from api.db import schema
from api.db.store import Store


def db(*words: str, **environment: str) -> Result:
    """The command's outcome."""
    return CliRunner().invoke(main, ["db", *words], env=environment)


def test_upgrade_makes_what_check_looks_for(url: str) -> None:
    """Before: exit 3 and the command to run; after: exit 0."""
    before = db("check", "--database-url", url, "--lang", "en")
    upgraded = db("upgrade", "--database-url", url, "--lang", "en")
    after = db("check", "--database-url", url, "--lang", "en")

    assert (before.exit_code, upgraded.exit_code, after.exit_code) == (3, 0, 0)
    assert "riderscore db upgrade" in before.output
    assert schema.head() in after.output


def test_an_older_database_is_found_out(empty: Store, url: str) -> None:
    """A revision behind is exit 3 as well, in JSON for programs."""
    schema.upgrade(empty, "r0001")

    found = db("check", "--json", RIDERSCORE_DATABASE_URL=url)

    assert found.exit_code == 3
    assert json.loads(found.stdout) == {
        "database": empty.shown_url,
        "revision": "r0001",
        "head": schema.head(),
        "at_head": False,
    }


def test_without_a_url_it_is_a_file_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`riderscore.db` in the working directory; looking does not make it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RIDERSCORE_DATABASE_URL", raising=False)

    assert db("check").exit_code == 3
    assert not (tmp_path / "riderscore.db").exists()
    assert db("upgrade").exit_code == 0
    assert (tmp_path / "riderscore.db").exists()


def test_a_database_that_cannot_be_used_is_said_in_a_line(tmp_path: Path) -> None:
    """A file that is no database, a server that is not there (1), a system nobody knows (2); no password is shown."""
    (tmp_path / "text.db").write_text("not a database " * 100, encoding="utf-8")

    broken = db("check", "--database-url", f"sqlite:///{tmp_path / 'text.db'}", "--lang", "en")
    absent = db("check", "--database-url", "postgresql://u:secret@127.0.0.1:9/name", "--lang", "en")
    unknown = db("upgrade", "--database-url", "mysql://host/name", "--lang", "en")

    assert (broken.exit_code, absent.exit_code, unknown.exit_code) == (1, 1, 2)
    assert all(len(result.output.strip().splitlines()) == 1 for result in (broken, absent, unknown))
    assert "secret" not in absent.output


@pytest.mark.parametrize("name", ["", "/", "/:memory:", "/file::memory:?uri=true", "/x?mode=memory&uri=true"])
def test_a_database_in_memory_is_refused(name: str) -> None:
    """Every connection would have one of its own; `db` and `serve` say so in a line and end (2)."""
    for command in (["db", "upgrade"], ["serve"]):
        result = CliRunner().invoke(main, [*command, "--database-url", f"sqlite://{name}", "--lang", "en"])

        assert result.exit_code == 2
        assert "a database in memory ends with each connection" in result.output


def test_migrations_see_the_tables_alone() -> None:
    """Of this product they import `api.db.tables` and themselves, so that old ones go on working."""
    import ast

    folder = Path(schema.__file__).parents[2] / "migrations"
    found = {
        node.module
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module
    }

    ours = {name for name in found if name.split(".")[0] in ("api", "rules", "scoring", "dispatch", "simulations")}
    assert ours == {"api.db.tables"}
