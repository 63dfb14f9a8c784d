"""`riderscore token`: keys made, listed and ended on the server, and what an upgrade does to those of 0.1.0."""

import json
from pathlib import Path
from typing import Any

import click
import pytest
from sqlalchemy import update

from api.access import keys
from api.cli.token import _places
from api.db.store import Store
from api.db.tables import clock
from rules.units import US_PER_DAY
from tests.api.cli.commands import run
from tests.api.ledger.posts import BOOK, START_US, later, post, publish
from tests.builders import delivered
from tests.fixtures.v0_1_0.kept import Kept


@pytest.fixture
def at(store: Store, url: str) -> str:
    """URL of a database with the rider r7 of Hangzhou."""
    publish(store, BOOK)
    post(store, later([delivered("e1", rider_id="r7")]))
    return url


def made(url: str, *words: str) -> Any:
    """The document of a new key."""
    done = run("token", "create", *words, "--json", "--database-url", url)
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_a_token_stands_alone_on_stdout(at: str) -> None:
    """Scripts take stdout as it is; `--json` says the rest."""
    plain = run("token", "create", "--role", "platform", "--city", "hangzhou", "--database-url", at)
    document = made(at, "--role", "rider", "--subject", "r7", "--expires-days", "3")

    assert plain.stdout.startswith("rs_")
    assert len(plain.stdout.split()) == 1
    assert (document["role"], document["subject"], document["cities"]) == ("rider", "r7", ["hangzhou"])
    assert document["expires_us"] - document["created_us"] == 3 * US_PER_DAY


@pytest.mark.parametrize(
    ("role", "days"), [("rider", 30), ("ops", 90), ("approver", 90), ("policy", 90), ("platform", 365)]
)
def test_every_key_ends(at: str, role: str, days: int) -> None:
    """Without a word a key lives as long as keys of its role do."""
    where = ("--subject", "r7") if role == "rider" else ("--all-cities",)

    document = made(at, "--role", role, *where)

    assert document["expires_us"] - document["created_us"] == days * US_PER_DAY


def test_a_riders_key_lives_thirty_days_at_most(at: str) -> None:
    """More is refused, and the limit named."""
    done = run(
        "token", "create", "--role", "rider", "--subject", "r7", "--expires-days", "31", "--database-url", at,
        "--lang", "en",
    )  # fmt: skip

    assert (done.exit_code, done.stdout) == (2, "")
    assert "30 days" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("--role", "rider"),
        ("--role", "rider", "--subject", "nobody"),
        ("--role", "rider", "--subject", "r7", "--city", "shanghai"),
        ("--role", "rider", "--subject", "r7", "--all-cities"),
        ("--role", "ops", "--subject", "li.na"),
        ("--role", "platform"),
        ("--role", "ops", "--city", "hangzhou", "--all-cities"),
        ("--role", "ops", "--city", ""),
        ("--role", "ops", "--city", "*"),
    ],
)
def test_where_a_key_is_good_is_said(at: str, words: tuple[str, ...]) -> None:
    """A rider's key is good where the rider is; others name cities, or all of them; nothing is made of less."""
    done = run("token", "create", *words, "--database-url", at)

    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.strip()
    assert json.loads(run("token", "list", "--json", "--database-url", at).stdout) == []


def test_a_terminal_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sits there types cities, or a star for all."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    answers = iter(["hangzhou， shanghai", "*"])
    monkeypatch.setattr(click, "prompt", lambda *_, **__: next(answers))

    assert [_places((), False, "zh") for _ in range(2)] == [("hangzhou", "shanghai"), ()]


@pytest.mark.parametrize("words", [("create", "--role", "ops", "--all-cities"), ("list",), ("revoke", "0" * 16)])
def test_no_database_is_made(tmp_path: Path, words: tuple[str, ...]) -> None:
    """A misspelt path makes no key of nothing: exit 2, with the command that makes a database."""
    path = tmp_path / "none.db"

    done = run("token", *words, "--database-url", f"sqlite:///{path}", "--lang", "en")

    assert done.exit_code == 2
    assert "riderscore db upgrade" in done.stderr
    assert not path.exists()


def test_keys_are_listed_and_ended(at: str, store: Store) -> None:
    """A revoked key leaves those it made alive and says so; with --with-children they end, however far down."""
    with store.writing(START_US) as unit:
        first, _ = keys.create_key(unit, "platform", "p", actor="cli:token", expires_us=START_US * 2)
        second, _ = keys.create_key(unit, "rider", "r7", actor="platform:p", parent=first.key_id)
        third, _ = keys.create_key(unit, "rider", "r8", actor="rider:r7", parent=second.key_id, expires_us=START_US * 2)
        other, _ = keys.create_key(unit, "platform", "p", actor="cli:token", expires_us=START_US * 2)

    def states() -> dict[str, str]:
        listed = json.loads(run("token", "list", "--json", "--database-url", at).stdout)
        return {key["key_id"]: key["state"] for key in listed}

    before = states()
    left = run("token", "revoke", first.key_id, "--database-url", at, "--lang", "en")
    between = states()
    both = json.loads(
        run("token", "revoke", first.key_id, "--with-children", "--json", "--database-url", at).stdout
    )  # fmt: skip
    after = states()
    unknown = run("token", "revoke", "0" * 16, "--database-url", at)

    assert before[third.key_id] == "good"
    assert (between[first.key_id], between[third.key_id], between[other.key_id]) == ("revoked", "good", "good")
    assert "1 key made with it is still good" in left.stderr
    assert set(both["revoked"]) == {second.key_id, third.key_id}
    assert (after[third.key_id], after[other.key_id]) == ("revoked", "good")
    assert unknown.exit_code == 2


def test_the_upgrade_ends_riders_keys_that_operations_made(v0_1_0: Kept) -> None:
    """Each is named by `db upgrade` and in the audit trail; all other keys keep cities and date."""
    before = v0_1_0.known["keys"]

    upgraded = run("db", "upgrade", "--database-url", v0_1_0.url, "--lang", "en")
    listed = json.loads(run("token", "list", "--json", "--database-url", v0_1_0.url).stdout)
    again = run("db", "upgrade", "--database-url", v0_1_0.url, "--lang", "en")

    after = {key["key_id"]: key for key in listed}
    ended = {
        key["key_id"] for key in before.values() if key["role"] == "rider" and key["created_by"].startswith("ops:")
    }
    assert len(ended) >= 4
    assert all(after[key_id]["revoked_us"] is not None for key_id in ended)
    told = {key["key_id"] for name, key in before.items() if key["key_id"] in ended and name != "rider-revoked"}
    assert all(key_id in upgraded.stderr for key_id in told)
    assert not any(key_id in again.stderr for key_id in told)
    store = Store(v0_1_0.url)
    with store.reading() as unit:
        assert {key.key_id for key in keys.ended_by_upgrade(unit)} == told
    store.close()
    for key in before.values():
        if key["key_id"] not in ended:
            kept = after[key["key_id"]]
            assert (kept["cities"], kept["expires_us"], kept["revoked_us"]) == (key["cities"], key["expires_us"], None)


def test_keys_without_an_end_are_reported(v0_1_0: Kept) -> None:
    """Only those from before keys had to end: `token list` names each."""
    run("db", "upgrade", "--database-url", v0_1_0.url)

    done = run("token", "list", "--database-url", v0_1_0.url, "--lang", "en")

    endless = {
        key["key_id"] for key in v0_1_0.known["keys"].values()
        if key["expires_us"] is None and not (key["role"] == "rider" and key["created_by"].startswith("ops:"))
    }  # fmt: skip
    assert f"{len(endless)} keys have no end" in done.stderr
    assert all(key_id in done.stderr for key_id in endless)


def test_no_key_is_made_while_the_clock_waits_for_a_person(store: Store, url: str) -> None:
    """Its end would be counted from a time that nobody believes."""
    with store.writing(0) as unit:
        unit.connection.execute(update(clock).values(held_us=1, why="jump"))

    told = run("token", "create", "--role", "ops", "--all-cities", "--database-url", url, "--lang", "en")

    assert told.exit_code == 2
    assert "riderscore doctor --confirm-clock" in told.stderr
