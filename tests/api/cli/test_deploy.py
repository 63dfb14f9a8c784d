"""Which book is in force where: the command, tables at the start of a server, what comes with a ledger."""

import json
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from api.access import keys
from api.access.sessions import begin_session
from api.app.create import create_app
from api.books import in_force
from api.books.deployment import put_in_force
from api.cli.deploy import put_table
from api.cli.failures import exit_code_of
from api.cli.serve import prepare
from api.db.store import Store
from api.db.tables import audit
from api.endpoints.common.page_sessions import SESSION_COOKIE
from api.files.atomic import write_ndjson
from api.runs.loadable import places_of_ledger
from api.runs.plan import table_of_platform
from api.runs.run import score_files
from api.settings import Settings
from rules.compile import start_us
from rules.deployment import Deploy
from rules.errors import BookError
from rules.shelf import to_toml, versions
from tests.api.cli.commands import run, run_json
from tests.builders import DAY_US, NOON_US, delivered, deploy_row
from tests.fixtures.v0_1_0 import kept

# Seconds of work.
pytestmark = pytest.mark.slow

PLATFORM = "RIDERSCORE_PLATFORM"
ALL_FOUR = "eleme, jd, meituan, taobao"
REFERENCE, TAOBAO, MEITUAN = "gbt-46862-reference", "taobao-crowdsourced", "meituan-anzhun"
# Cities of two people: everywhere, and one.
EVERYWHERE_AND_XIAN: tuple[tuple[str, ...], ...] = ((), ("xian",))
Post = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _no_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PLATFORM, raising=False)


@contextmanager
def served(url: str, platform: str = "default", lang: str = "en") -> Iterator[tuple[TestClient, Post]]:
    """The service of a prepared database on 2025-12-10, and a post of one event by its platform's key."""
    store = Store(url)
    with store.writing(NOON_US) as unit:
        _, key = keys.create_key(unit, "platform", "dispatch-1", (), actor="test:test")
    store.close()
    settings = Settings(database_url=url, platform=platform, token_cache_s=0, law_cache_s=0)
    headers = {"Accept-Language": lang, "Authorization": f"Bearer {key}"}
    with TestClient(create_app(settings, hooks=(), clock=lambda: NOON_US + DAY_US), headers=headers) as client:

        def post(event_id: str = "e1", **columns: Any) -> dict[str, Any]:
            event = delivered(event_id, late_min=3, **columns)
            answer: dict[str, Any] = client.post("/v1/events", json=event).json()["results"][0]
            return answer

        yield client, post


def rows_of(url: str, *words: str) -> list[tuple[str, str, str, str]]:
    """City, kind, book and day of each row in force."""
    found = run_json("deploy", "list", "--database-url", url, *words)["rows"]
    return [(row["city"], row["rider_kind"], row["book"], row["from"]) for row in found]


def command_in(detail: str) -> list[str]:
    """The command that a message names, in words."""
    found = re.search(r"riderscore (deploy set .*?--from [\d-]+)", detail)
    assert found is not None, detail
    return shlex.split(found[1])


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(("platform", "book"), [("default", TAOBAO), ("taobao", TAOBAO), ("meituan", MEITUAN)])
def test_a_rejection_names_the_command_that_mends_it(
    url: str, lang: str, platform: str, book: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fresh server judges nobody; the command as it is named puts a book in force, and the same post is accepted."""
    monkeypatch.setenv(PLATFORM, platform)
    assert run("db", "upgrade", "--database-url", url).exit_code == 0
    prepare(url, "en")
    with served(url, platform, lang) as (_, post):
        refused = post()
        command = command_in(refused["detail"])
        done = run(*command, "--database-url", url)
        accepted = post()

    assert (refused["status"], refused["reason"]) == ("rejected", "no_book")
    assert "hangzhou" in refused["detail"]
    assert ("众包" if lang == "zh" else "crowdsourced") in refused["detail"]
    assert done.exit_code == 0, done.output
    assert accepted["status"] == "scored"
    assert [row[:2] for row in rows_of(url)] == [("hangzhou", "crowdsourced")]
    assert rows_of(url)[0][2] == book


def test_a_city_with_an_unusual_name_is_quoted(url: str) -> None:
    """What is named can be typed."""
    assert run("db", "upgrade", "--database-url", url).exit_code == 0
    prepare(url, "en")
    with served(url) as (_, post):
        done = run(*command_in(post(city="new town; rm 'x'")["detail"]), "--database-url", url)
        accepted = post(city="new town; rm 'x'")

    assert done.exit_code == 0
    assert accepted["status"] == "scored"


def test_events_from_before_the_first_book_are_told_so(url: str) -> None:
    """No command mends them: the answer says why, and which one shows the days."""
    assert run("db", "upgrade", "--database-url", url).exit_code == 0
    prepare(url, "en")
    years = {name: at - 3_000 * DAY_US for name, at in delivered("e2").items() if name.endswith("_us")}
    with served(url) as (_, post):
        then = post("e2", **years)
        assert run("deploy", "set", "--city", "hangzhou", "--book", TAOBAO, "--from", "2025-12-11", "--database-url",
                   url).exit_code == 0  # fmt: skip
        yet = post()

    assert then["reason"] == yet["reason"] == "no_book"
    assert "no shipped one had taken effect" in then["detail"]
    assert "riderscore deploy list" in yet["detail"]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_command_works_only_where_nothing_is_in_force(url: str, lang: str) -> None:
    """Exit 2 with the book that is there and the way of changes; what is in force, or will be, stays; audited once."""
    assert run("db", "upgrade", "--database-url", url).exit_code == 0
    first = ["deploy", "set", "--city", "hangzhou", "--database-url", url]
    assert run(*first, "--rider-kind", "crowdsourced", "--book", REFERENCE, "--from", "2099-01-01").exit_code == 0

    again = run(*first, "--book", "jd-service-score", "--lang", lang)

    assert again.exit_code == 2
    for word in ("hangzhou", REFERENCE, "2099-01-01", "/console/books"):
        assert word in again.stderr
    assert rows_of(url) == [("hangzhou", "crowdsourced", REFERENCE, "2099-01-01")]
    store = Store(url)
    with store.reading() as unit:
        lines = unit.connection.execute(select(audit).where(audit.c.action == "book_deployed")).all()
    store.close()
    assert [(line.actor, line.city) for line in lines] == [("cli:deploy", "hangzhou")]
    assert json.loads(lines[0].detail)["rows"] == [
        {"rider_kind": "crowdsourced", "book": REFERENCE, "from": "2099-01-01"}
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--book", "legacy-fine"], "never put in force"),
        (["--book", "taobao"], "there is no rule book taobao"),
        (["--book", TAOBAO, "--from", "2020-01-01"], "is the earliest"),
        (["--book", TAOBAO, "--rider-kind", "dedicated"], "crowdsourced"),
        (["--book", "nowhere.toml"], "nowhere.toml"),
        (["--book", TAOBAO, "--from", "soon"], "soon"),
        (["--book", TAOBAO, "--city", " "], "--city"),
        (["--book", TAOBAO, "--city", "1.23457E+17"], "1.23457E+17"),
    ],
)
def test_what_cannot_be_in_force_is_refused(url: str, words: list[str], said: str) -> None:
    """Exit 2, why, and nothing is in force."""
    assert run("db", "upgrade", "--database-url", url).exit_code == 0

    done = run("deploy", "set", "--city", "hangzhou", *words, "--database-url", url, "--lang", "en")

    assert done.exit_code == 2
    assert said in done.stderr
    assert rows_of(url) == []


def test_a_book_of_ones_own_can_be_the_first(url: str, tmp_path: Path) -> None:
    """A file is stored and put in force; one that would change a book in force elsewhere is refused."""
    assert run("db", "upgrade", "--database-url", url).exit_code == 0
    own, other = tmp_path / "own.toml", tmp_path / "other.toml"
    text = to_toml(versions(TAOBAO)[0])
    own.write_text(text.replace(f'id = "{TAOBAO}"', 'id = "pilot"'), encoding="utf-8")
    other.write_text(text.replace("points = -1\n", "points = -1.5\n"), encoding="utf-8")
    command = ["deploy", "set", "--database-url", url, "--lang", "en", "--city"]
    for city, book in (("hangzhou", str(own)), ("beijing", TAOBAO)):
        assert run(*command, city, "--book", book, "--from", "2025-12-03").exit_code == 0

    refused = run(*command, "xian", "--book", str(other), "--from", "2025-12-03")

    assert refused.exit_code == 2
    assert "in force elsewhere" in refused.stderr
    assert [row[2] for row in rows_of(url)] == [TAOBAO, "pilot"]


def test_what_is_in_force_is_listed(url: str) -> None:
    """For people and programs, with source and confidence; one city alone; nothing is said as such."""
    assert run("db", "upgrade", "--database-url", url).exit_code == 0
    empty = run("deploy", "list", "--database-url", url, "--lang", "en")
    for city in ("xian", "hangzhou"):
        done = run("deploy", "set", "--city", city, "--book", TAOBAO, "--from", "2025-12-03", "--source", "minutes of 12-01",
                   "--database-url", url)  # fmt: skip
        assert done.exit_code == 0

    listed = run("deploy", "list", "--database-url", url, "--lang", "zh")

    assert "no rule book is in force" in empty.stderr
    assert "minutes of 12-01" in listed.stdout
    assert listed.stdout.index("hangzhou") < listed.stdout.index("xian")
    assert [row[0] for row in rows_of(url, "--city", "xian")] == ["xian"]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_published_table_needs_a_platform(tmp_path: Path, lang: str) -> None:
    """While none is named: exit 2 with the four, and no database is made."""
    url = f"sqlite:///{tmp_path / 'none.db'}"

    done = run("serve", "--deployment", "published", "--database-url", url, "--lang", lang)

    assert done.exit_code == 2
    assert ALL_FOUR in done.stderr
    assert PLATFORM in done.stderr
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize(
    ("content", "platform", "said"),
    [
        (deploy_row("hangzhou", TAOBAO, "2025-12-03", platform="taobao"), "default", "taobao"),
        (deploy_row("hangzhou", TAOBAO, "2025-12-03", platform="taobao"), "taoboa", "did you mean taobao"),
        (deploy_row("hangzhou", "legacy-fine", "2025-12-03"), "default", "never put in force"),
        (to_toml(versions(TAOBAO)[0]), "default", "no deployment table"),
        (None, "default", "table.toml"),
    ],
)
def test_a_table_that_cannot_be_put_in_force_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, platform: str, said: str
) -> None:
    """Exit 2 before the database is made: rows of a platform that is not named, a fine, a book, nothing."""
    monkeypatch.setenv(PLATFORM, platform)
    table = tmp_path / "table.toml"
    if content is not None:
        table.write_text(content, encoding="utf-8")

    done = run(
        "serve", "--deployment", str(table), "--database-url", f"sqlite:///{tmp_path / 'none.db'}", "--lang", "en"
    )

    assert done.exit_code == 2
    assert said in done.stderr
    assert not (tmp_path / "none.db").exists()


def test_a_server_puts_the_rows_of_its_platform_in_force(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The published cities with their sources, no example; started again, nothing changes."""
    monkeypatch.setenv(PLATFORM, "meituan")
    assert run("db", "upgrade", "--database-url", url).exit_code == 0

    told = [prepare(url, "en", chosen=table_of_platform("published", "meituan")) for _ in range(2)]

    assert [one["books_put_in_force"] for one in told] == [{"places": 10, "kept": []}, {"places": 0, "kept": []}]
    assert {row[2] for row in rows_of(url)} == {MEITUAN}
    assert {row[0] for row in rows_of(url)} >= {"quanzhou", "hangzhou"}
    assert "sample" not in {row[0] for row in rows_of(url)}
    with served(url, "meituan") as (_, post):
        assert post()["status"] == "scored"


def test_the_pilots_of_ele_me_are_served(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the version that is ours until the published one takes over."""
    monkeypatch.setenv(PLATFORM, "eleme")
    assert run("db", "upgrade", "--database-url", url).exit_code == 0
    prepare(url, "en", chosen=table_of_platform("published", "eleme"))

    store = Store(url)
    with store.reading() as unit:
        law = in_force.rules_in_force(unit)
    store.close()
    days = [
        law.program.books[at].model.effective_from.isoformat()
        for _, at in law.schedule.rules["nantong", "crowdsourced"]
    ]
    assert days == ["2025-10-01", "2025-12-03"]


def test_a_table_of_before_works_unchanged(url: str) -> None:
    """Rows without a platform, as in the table of 0.1.0, need none named; a place that has a book keeps it."""
    assert run("db", "upgrade", "--database-url", url).exit_code == 0
    assert run("deploy", "set", "--city", "wuhan", "--book", REFERENCE, "--from", "2026-01-01", "--database-url",
               url).exit_code == 0  # fmt: skip

    told = prepare(url, "en", chosen=table_of_platform(str(kept.TABLE), "default"))

    assert told["books_put_in_force"] == {"places": 12, "kept": ["wuhan/crowdsourced"]}
    assert {row[2] for row in rows_of(url, "--city", "wuhan")} == {REFERENCE}
    assert {row[2] for row in rows_of(url, "--city", "beijing")} == {"jd-service-score"}


def test_a_table_does_not_change_a_book_that_is_in_force(url: str, tmp_path: Path) -> None:
    """A version of one's own under an id that judges elsewhere: exit 2, all stays."""
    assert run("db", "upgrade", "--database-url", url).exit_code == 0
    prepare(url, "en", chosen=table_of_platform(str(kept.TABLE), "default"))
    other = to_toml(versions(TAOBAO)[0]).replace("points = -1\n", "points = -1.5\n")
    (tmp_path / f"{TAOBAO}.toml").write_text(other, encoding="utf-8")
    (tmp_path / "table.toml").write_text(deploy_row("xian", TAOBAO, "2025-12-03"), encoding="utf-8")
    store, before = Store(url), rows_of(url)

    with pytest.raises(BookError) as ended:
        put_table(store, table_of_platform(str(tmp_path / "table.toml"), "default"), "en")

    store.close()
    assert exit_code_of(ended.value) == 2
    assert rows_of(url) == before


def test_nothing_in_force_is_a_warning_and_not_a_failure(url: str) -> None:
    """`/readyz` stays true, the meter is 0 and the console has a banner, until a book is in force."""
    assert run("db", "upgrade", "--database-url", url).exit_code == 0
    assert "no_book_in_force" in prepare(url, "en")
    store = Store(url)
    with store.writing(NOON_US + DAY_US) as unit:
        cookies = {}
        for cities in EVERYWHERE_AND_XIAN:
            made, _ = keys.create_key(unit, "ops", "li.na", cities, actor="test:test")
            cookies[cities] = begin_session(unit, "ops", "li.na", cities, made.key_id)
    store.close()

    def looked(client: TestClient, cities: tuple[str, ...], lang: str) -> bool:
        client.cookies.set(SESSION_COOKIE, cookies[cities], domain="testserver.local", path="/")
        page = client.get(f"/console/books?lang={lang}")
        assert page.status_code == 200
        return "riderscore deploy set" in page.text

    with served(url) as (client, _):
        ready, meters = client.get("/readyz"), client.get("/metrics").text
        banner = [looked(client, (), lang) for lang in ("en", "zh")]
        assert run("deploy", "set", "--city", "hangzhou", "--book", TAOBAO, "--from", "2025-12-03", "--database-url",
                   url).exit_code == 0  # fmt: skip
        after, meters_after = client.get("/readyz").json(), client.get("/metrics").text
        banner_after = [looked(client, cities, "en") for cities in EVERYWHERE_AND_XIAN]

    assert (ready.status_code, ready.json()["ready"]) == (200, True)
    assert [warned["code"] for warned in ready.json()["warnings"]] == ["no_book_in_force"]
    assert "riderscore deploy set" in ready.json()["warnings"][0]["detail"]
    assert "riderscore_places_in_force 0.0" in meters
    assert banner == [True, True]
    assert after["warnings"] == []
    assert "riderscore_places_in_force 1.0" in meters_after
    assert banner_after == [False, True]


def ledger(folder: Path, events: list[dict[str, Any]], book: str, **options: Any) -> list[str]:
    """A ledger with its state, as `db load` wants them named."""
    write_ndjson(folder / "events.ndjson", events)
    score_files([folder / "events.ndjson"], book, folder / "ledger", state=folder / "state", **options)
    return ["db", "load", str(folder / "ledger"), "--state", str(folder / "state")]


@pytest.mark.parametrize("book", [TAOBAO, "table"])
def test_places_come_with_a_ledger(url: str, tmp_path: Path, book: str) -> None:
    """Load, serve, post: the event is accepted, in the cities of the ledger alone."""
    assert run("db", "upgrade", "--database-url", url).exit_code == 0
    named = book
    if book == "table":
        named = str(tmp_path / "table.toml")
        rows = [deploy_row(city, TAOBAO, "2025-12-03") for city in ("hangzhou", "xian")]
        later = deploy_row("hangzhou", REFERENCE, "2026-01-01")
        Path(named).write_text("\n".join([*rows, later]), encoding="utf-8")
    load = ledger(tmp_path, [delivered("e0", at_min=-60)], named)

    loaded = run(*load, "--database-url", url, "--lang", "en")
    prepare(url, "en")

    assert loaded.exit_code == 0, loaded.output
    assert "put in force as the ledger was scored" in loaded.stderr
    wanted = [("hangzhou", "crowdsourced", TAOBAO, "2025-12-03")]
    wanted += [("hangzhou", "crowdsourced", REFERENCE, "2026-01-01")] if book == "table" else []
    assert rows_of(url) == wanted
    with served(url) as (_, post):
        assert post()["status"] == "scored"
        assert post("e2", city="xian", rider_id="r2")["reason"] == "no_book"
    again = run_json(*load, "--database-url", url)
    assert again["places_in_force"] == 0


def test_a_ledger_leaves_what_is_in_force(url: str, tmp_path: Path) -> None:
    """The city keeps its book, and that is said."""
    assert run("db", "upgrade", "--database-url", url).exit_code == 0
    assert run("deploy", "set", "--city", "hangzhou", "--book", REFERENCE, "--from", "2026-01-01", "--database-url",
               url).exit_code == 0  # fmt: skip
    before = rows_of(url)

    loaded = run(*ledger(tmp_path, [delivered("e0")], TAOBAO), "--database-url", url, "--lang", "en")

    assert loaded.exit_code == 0
    assert "hangzhou/crowdsourced" in loaded.stderr
    assert rows_of(url) == before


def test_a_fine_does_not_come_into_force_with_a_ledger(url: str, tmp_path: Path) -> None:
    """The ledger is loaded to be looked at; the command for a book that may judge is named."""
    assert run("db", "upgrade", "--database-url", url).exit_code == 0

    loaded = run(*ledger(tmp_path, [delivered("e0")], "legacy-fine"), "--database-url", url, "--lang", "en")

    assert loaded.exit_code == 0
    assert "riderscore deploy set" in loaded.stderr
    assert rows_of(url) == []


def test_a_ledger_of_the_first_version_names_its_places(tmp_path: Path) -> None:
    """Its run does not: what judged each city's events counts, from the first of them on."""
    folder = kept.ledgers(tmp_path)

    by_table = places_of_ledger(folder / "auto-ledger-2", folder / "auto-state")
    by_book = places_of_ledger(folder / "weekly-ledger-2", folder / "weekly-state")

    books_of_city = {(row.city, row.rider_kind): row.book for row in by_table}
    assert books_of_city["hangzhou", "crowdsourced"] == TAOBAO
    assert {book for (city, _), book in books_of_city.items() if city == "sample"} == {REFERENCE}
    assert {row.city for row in by_book} == {row.city for row in by_table}
    assert len({(row.book, row.from_) for row in by_book}) == 1


def test_a_database_of_before_keeps_what_is_in_force(v0_1_0: kept.Kept) -> None:
    """The upgrade and a server leave the places of 0.1.0 as they are; `--deployment` adds nothing where a book is."""
    assert run("db", "upgrade", "--database-url", v0_1_0.url).exit_code == 0
    before = rows_of(v0_1_0.url)

    told = prepare(v0_1_0.url, "en", chosen=table_of_platform(str(kept.TABLE), "default"))

    assert len({row[:2] for row in before}) >= 13
    assert rows_of(v0_1_0.url) == before
    assert told["books_put_in_force"] == {"places": 0, "kept": []}
    assert "no_book_in_force" not in told


def test_an_unknown_table_raises_for_programs() -> None:
    """The four are in the fault."""
    with pytest.raises(BookError, match=ALL_FOUR):
        table_of_platform("published", "default")


def test_what_is_shipped_for_a_later_day_is_not_put_in_force(url: str) -> None:
    """Of a shipped book the version that has begun; the next one takes a draft and its approval."""
    begun, *later = versions(REFERENCE)
    assert run("db", "upgrade", "--database-url", url).exit_code == 0
    store = Store(url)
    row = {"city": "xian", "rider_kind": "crowdsourced", "book": REFERENCE, "from": begun.model.effective_from}

    with store.writing(start_us(begun.model) + DAY_US) as unit:
        put_in_force(unit, "test:test", [Deploy.model_validate(row)], (begun, *later))
        stored = {book.digest for book in in_force.books_stored(unit) if book.id == REFERENCE}

    store.close()
    assert stored == {begun.digest}
