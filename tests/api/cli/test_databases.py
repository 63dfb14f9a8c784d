"""Commands on a database touch the one that is meant, and say which that is, without its password."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from api.db.store import InMemoryError, Store, UnknownDatabaseError
from tests.api.cli.commands import run
from tests.api.db.databases import url_for

COMMANDS = [
    ("token", "create", "--role", "ops", "--all-cities"),
    ("token", "list"),
    ("token", "revoke", "k1"),
    ("doctor",),
]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words[:2]))
@pytest.mark.parametrize("given", [True, False])
def test_a_missing_file_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], given: bool
) -> None:
    """Only `serve`, `demo` and `db upgrade` make a database; all others name the one that is not there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RIDERSCORE_DATABASE_URL", raising=False)
    url = ("--database-url", f"sqlite:///{tmp_path}/gone.db") if given else ()

    result = run(*words, *url)

    assert (result.exit_code, list(tmp_path.iterdir())) == (2, [])
    assert ("gone.db" if given else str(tmp_path / "riderscore.db")) in result.stderr


@pytest.mark.parametrize("table", ["notes", "alembic_version"])
def test_the_database_of_another_program_is_not_upgraded(tmp_path: Path, table: str) -> None:
    """Tables without our revision, or a revision that is none of ours: refused, and nothing is changed."""
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"CREATE TABLE {table} (version_num TEXT)")
        connection.execute(f"INSERT INTO {table} VALUES ('theirs')")

    result = run("db", "upgrade", "--database-url", f"sqlite:///{path}")

    assert result.exit_code == 2
    assert "theirs.db" in result.stderr
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [(table,)]


THEIRS = {
    "CREATE TABLE spatial_ref_sys (srid int); ALTER EXTENSION plpgsql ADD TABLE spatial_ref_sys": 0,
    "CREATE TABLE notes (n int); ALTER EXTENSION plpgsql ADD TABLE notes; CREATE TABLE own (n int)": 2,
    "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER far FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE notes (n int) SERVER far": 2,
    "CREATE MATERIALIZED VIEW notes AS SELECT 1 AS n": 2,
}


@pytest.mark.postgresql
@pytest.mark.parametrize("made", THEIRS)
def test_tables_of_an_extension_are_nobodys(request: pytest.FixtureRequest, tmp_path: Path, made: str) -> None:
    """PostGIS and its like are no reason to refuse a database; tables of people are, also those of other servers."""
    url = url_for("postgresql", request, tmp_path)
    store = Store(url)
    with store.changing(0) as unit:
        unit.connection.exec_driver_sql(made)
    store.close()

    assert run("db", "upgrade", "--database-url", url).exit_code == THEIRS[made]


def test_a_new_key_says_in_which_database_it_is(tmp_path: Path) -> None:
    """On stderr, so that scripts still get the key alone."""
    url = f"sqlite:///{tmp_path}/store.db"
    assert run("db", "upgrade", "--database-url", url).exit_code == 0

    made = run("token", "create", "--role", "ops", "--all-cities", "--database-url", url)

    assert url in made.stderr
    assert url not in made.stdout


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://li:secret@localhost/db",
        "postgresql://li@localhost/db?password=secret",
        "postgresql://li@localhost/db?sslpassword=secret",
        "postgresql://:secret@localhost/db",
    ],
)
def test_a_password_is_never_shown(url: str) -> None:
    """Whichever way a URL holds it."""
    store = Store(url)

    assert "secret" not in store.shown_url
    assert "secret" in store.url
    store.close()


@pytest.mark.parametrize("url", ["mysql://li:secret@localhost/db", "postgres:/li:secret@h", "x y://li:secret@h/d"])
def test_a_password_is_not_shown_in_a_refusal(url: str) -> None:
    """What is no database this program knows is named without its password, too."""
    with pytest.raises((UnknownDatabaseError, InMemoryError)) as refusal:
        Store(url)

    assert "secret" not in str(refusal.value)
