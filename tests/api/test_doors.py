"""One table of bad input over all doors: the command, HTTP and the console say the same of the same thing.

`EVENTS` are bad events, as a row of CSV, a line of NDJSON, a JSON body and an NDJSON body give them: add a row for each kind,
and every door must reject it for the same reason at the same column. `TEXTS` are ways to write a text: each door that takes
tables must read all of them alike.
"""

import datetime as dt
import gzip
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from api.access import keys
from api.app.create import api_routes
from api.books.draft_content import ROUTE_WORDS
from api.db.store import Store
from api.endpoints.books.sheet_reading import read_file
from api.riders import people
from dispatch.mdrp import read_instance
from rules.shelf import versions
from rules.text import text
from tests.api.cli.commands import run
from tests.api.endpoints.conftest import Bearer, _law, bearer, client, clock, settings
from tests.api.files.builders import csv_text, event
from tests.api.ledger.posts import START_US
from tests.builders import deploy_row
from tests.dispatch.worlds import courier, instance, order, write_instance

__all__ = ["_law", "bearer", "client", "clock", "settings"]

NOON = dt.datetime.fromtimestamp(START_US / 1e6, dt.UTC)
GOOD = event(event_id="good", order_id="good", occurred_at=NOON.isoformat())
BAD = event(event_id="bad", order_id="bad", occurred_at=NOON.isoformat())

# What is wrong → the values that differ from a good event, the reason, the column that is named.
EVENTS: dict[str, tuple[dict[str, str], str, str]] = {
    "a time without its offset": ({"occurred_at": "2026-01-05T12:30:00"}, "naive_time", "occurred_at"),
    "a kind nobody knows": ({"kind": "teleported"}, "unknown_name", "kind"),
    "a rider without an id": ({"rider_id": ""}, "missing_value", "rider_id"),
    "a fee that is no number": ({"fee_fen": "x"}, "bad_integer", "fee_fen"),
    "a rider in scientific notation": ({"rider_id": "1.23457E+17"}, "bad_id", "rider_id"),
    "an order that became a decimal": ({"order_id": "7.0"}, "bad_id", "order_id"),
    "an order with a blank at its end": ({"order_id": "o7 "}, "bad_id", "order_id"),
    "an order with a character of no width": ({"order_id": "o7\u200b"}, "bad_id", "order_id"),
    "an order that turns text round": ({"order_id": "o77\u202e"}, "bad_id", "order_id"),
    "a rider that is no value": ({"rider_id": "NaN"}, "bad_id", "rider_id"),
    "an event of the service itself": ({"event_id": "reset:2025-12-01"}, "bad_id", "event_id"),
    "an id that is too long": ({"event_id": "e" * 129}, "bad_id", "event_id"),
    "an order that was delivered before": (
        {"event_id": "later", "order_id": "good"},
        "duplicate_order",
        "order_id",
    ),
}

Found = tuple[str, str]
Door = Callable[[Path, TestClient, Mapping[str, str], dict[str, str]], Found]


@pytest.fixture
def url(tmp_path: Path) -> str:
    """An embedded database."""
    return f"sqlite:///{tmp_path / 'store.db'}"


def by_file(name: str, write: Callable[[list[dict[str, str]]], str]) -> Door:
    """The command, given a file with a good event and the bad one."""

    def door(folder: Path, client: TestClient, who: Mapping[str, str], bad: dict[str, str]) -> Found:
        path = folder / name
        path.write_text(write([dict.fromkeys(bad, "") | GOOD, bad]), encoding="utf-8")
        run("score", path, "--book", "taobao-crowdsourced", "--out", folder / "out")
        (line,) = (folder / "out" / "rejects.ndjson").read_text(encoding="utf-8").splitlines()
        reject = json.loads(line)
        assert all(reject["message"].values())
        return reject["reason"], reject["column"]

    return door


def by_body(media_type: str, write: Callable[[list[dict[str, str]]], str]) -> Door:
    """HTTP, given the same two."""

    def door(folder: Path, client: TestClient, who: Mapping[str, str], bad: dict[str, str]) -> Found:
        answer = client.post(
            "/v1/events", content=write([GOOD, bad]).encode(), headers={**who, "Content-Type": media_type}
        )
        good, found = answer.json()["results"]
        assert (good["status"], found["status"]) == ("scored", "rejected")
        assert found["detail"]
        return found["reason"], found["column"]

    return door


def lines(rows: list[dict[str, str]]) -> str:
    """Rows as NDJSON."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


DOORS: dict[str, Door] = {
    "csv": by_file("events.csv", csv_text),
    "ndjson": by_file("events.ndjson", lines),
    "json body": by_body("application/json", json.dumps),
    "ndjson body": by_body("application/x-ndjson", lines),
}


@pytest.mark.usefixtures("_law")
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("kind", EVENTS)
def test_every_door_rejects_a_bad_event_alike(
    tmp_path: Path, client: TestClient, bearer: Bearer, kind: str, door: str
) -> None:
    """The same event is rejected for the same reason at the same column, wherever it comes in."""
    changes, reason, column = EVENTS[kind]

    found = DOORS[door](tmp_path, client, bearer("platform"), BAD | changes)

    assert found == (reason, column)


# What is no id → what every door says of it.
IDS = {
    "1.23457E+17": "id.scientific",
    "7.0": "id.point_zero",
    "o7\u200b": "id.invisible",
    "o7\u202e": "id.bidi",
    "NaN": "id.no_value",
    "reset:7": "id.reserved",
    "i" * 129: "id.too_long",
}
CLOCK_S = START_US // 1_000_000
SPOT = {"latitude": 30.25, "longitude": 120.15}
WORKER = {"rider_id": "w", "at": SPOT, "free_s": CLOCK_S, "off_s": CLOCK_S + 7_200}
TASK = {
    "order_id": "t", "merchant": SPOT, "door": SPOT, "placed_s": CLOCK_S, "ready_s": CLOCK_S, "promised_s": CLOCK_S + 1_800
}  # fmt: skip
Asked = tuple[str, str, str, Callable[[str], dict[str, object]]]

# Method, path, role, body of a request about an id that it brings in.
ASKED: dict[str, Asked] = {
    "person": ("PUT", "/v1/riders/{}/person", "platform", lambda bad: {"name": "张三"}),
    "person's city": ("PUT", "/v1/riders/new/person", "platform", lambda bad: {"city": bad}),
    "rider's session": ("POST", "/v1/tokens", "platform", lambda bad: {"role": "rider", "subject": bad}),
    "move": ("POST", "/v1/riders/r1/move", "platform", lambda bad: {"city": bad}),
    "webhook": ("POST", "/v1/webhooks", "platform", lambda bad: {"url": "https://p.example/h", "cities": [bad]}),
    "round's rider": (
        "POST", "/v1/dispatch/rounds", "platform",
        lambda bad: {"now_s": CLOCK_S, "riders": [WORKER | {"rider_id": bad}], "orders": []},
    ),
    "round's order": (
        "POST", "/v1/dispatch/rounds", "platform",
        lambda bad: {"now_s": CLOCK_S, "riders": [WORKER], "orders": [TASK | {"order_id": bad}]},
    ),
    "draft": (
        "POST", "/v1/books/drafts", "ops",
        lambda bad: {"document": {"id": "new"}, "targets": [{"city": bad, "rider_kind": "crowdsourced"}]},
    ),
}  # fmt: skip


@pytest.mark.usefixtures("_law")
@pytest.mark.parametrize("bad", [*IDS][:-1])
@pytest.mark.parametrize("asked", ASKED)
def test_what_is_no_id_in_an_event_is_none_in_a_request(
    client: TestClient, bearer: Bearer, asked: str, bad: str
) -> None:
    """Riders, orders and cities that a request brings in are refused in the words of a bad event, with their place."""
    method, path, role, body = ASKED[asked]
    url = path.format(quote(bad, safe=""))

    answer = client.request(method, url, headers=bearer(role), json=body(bad))

    assert (answer.status_code, answer.json()["code"]) == (409, "bad_id"), answer.text
    assert text("en", IDS[bad]) in answer.json()["detail"]
    assert answer.json()["errors"][0]["pointer"].startswith("#/")


@pytest.mark.parametrize("bad", IDS)
@pytest.mark.parametrize(("role", "option"), [("ops", "--subject"), ("ops", "--city"), ("rider", "--subject")])
def test_no_key_is_made_for_what_is_no_id(store: Store, url: str, bad: str, role: str, option: str) -> None:
    """`token create` refuses people, riders and cities in the same words, and makes nothing."""
    where = () if role == "rider" or option == "--city" else ("--all-cities",)

    done = run("token", "create", "--role", role, option, bad, *where, "--lang", "en", "--database-url", url)

    assert done.exit_code == 2
    assert text("en", IDS[bad]) in done.stderr
    with store.reading() as unit:
        assert keys.all_keys(unit) == ()


@pytest.mark.parametrize("bad", IDS)
@pytest.mark.parametrize(("name", "old"), [("couriers.txt", "c1"), ("orders.txt", "o1"), ("restaurants.txt", "r1")])
def test_what_is_no_id_in_an_event_is_none_in_an_instance(tmp_path: Path, bad: str, name: str, old: str) -> None:
    """`dispatch` refuses couriers, orders and restaurants in the same words, with file and line."""
    path = write_instance(tmp_path / "day", instance([order()], [courier()])) / name
    path.write_text(path.read_text(encoding="utf-8").replace(old, bad), encoding="utf-8")

    done = run("dispatch", tmp_path / "day", "--out", tmp_path / "out", "--lang", "en")

    assert done.exit_code == 2
    assert f"{name}:2" in done.stderr
    assert text("en", IDS[bad]) in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("bad", IDS)
def test_what_is_no_id_in_an_event_is_none_in_a_table_of_cities(tmp_path: Path, bad: str) -> None:
    """A deployment table names no city that no event could name."""
    city = json.dumps(bad)
    (tmp_path / "cities.toml").write_text(
        f'[[deploy]]\ncity = {city}\nrider_kind = "crowdsourced"\nbook = "taobao-crowdsourced"\nfrom = 2025-12-03\n',
        encoding="utf-8",
    )
    (tmp_path / "events.csv").write_text(csv_text([GOOD]), encoding="utf-8")

    done = run(
        "score", tmp_path / "events.csv", "--book", tmp_path / "cities.toml", "--out", tmp_path / "out", "--lang", "en"
    )

    assert done.exit_code == 2
    assert text("en", IDS[bad]) in done.stderr


@pytest.mark.usefixtures("_law")
def test_ids_that_are_held_stay_usable(client: TestClient, bearer: Bearer, store: Store, url: str) -> None:
    """A rider and a city of an older version, whose names would be refused today, are served in every request."""
    with store.writing(START_US) as unit:
        people.save_person(unit, people.Person("7.0", None, None), "test", "1.0")
    who, wide = bearer("platform", cities=["1.0"]), bearer("platform")
    body = {"now_s": CLOCK_S, "riders": [WORKER | {"rider_id": "7.0"}], "orders": []}

    found = [
        client.put("/v1/riders/7.0/person", headers=who, json={"name": "张三", "city": "1.0"}),
        client.post("/v1/tokens", headers=who, json={"role": "rider", "subject": "7.0"}),
        client.post("/v1/webhooks", headers=who, json={"url": "https://p.example/h", "cities": ["1.0"]}),
        client.post("/v1/webhooks", headers=wide, json={"url": "https://p.example/h", "cities": ["1.0"]}),
        client.post("/v1/dispatch/rounds", headers=who, json=body),
    ]
    other = client.post("/v1/dispatch/rounds", headers=bearer("platform", cities=["hangzhou"]), json=body)

    assert [answer.status_code for answer in found] == [204, 201, 201, 201, 200]
    assert other.json()["code"] == "bad_id"
    assert run("token", "create", "--role", "ops", "--city", "1.0", "--database-url", url).exit_code == 0


# How a text is written → its bytes.
TEXTS: dict[str, Callable[[str], bytes]] = {
    "utf-8": str.encode,
    "utf-8 with a mark": lambda text: text.encode("utf-8-sig"),
    "utf-16 with a mark": lambda text: text.encode("utf-16"),
    "utf-16-le": lambda text: text.encode("utf-16-le"),
    "utf-16-be": lambda text: text.encode("utf-16-be"),
    "gb18030": lambda text: text.encode("gb18030"),
    "cr lf": lambda text: text.replace("\n", "\r\n").encode(),
    "cr": lambda text: text.replace("\n", "\r").encode(),
    "a blank first line": lambda text: b"\n" + text.encode(),
    "a mark and a blank first line": lambda text: b"\xef\xbb\xbf\r\n" + text.encode(),
    "blank lines at the end": lambda text: text.encode() + b"\n \n",
}


def events_read(folder: Path, write: Callable[[str], bytes]) -> int:
    """Events that `score` reads of two."""
    (folder / "events.csv").write_bytes(write(csv_text([event(city="杭州"), event(event_id="e2", city="杭州")])))
    result = run("score", folder / "events.csv", "--book", "taobao-crowdsourced", "--out", folder / "out", "--json")
    return int(json.loads(result.stdout)["counts"]["events"])


def rules_read(folder: Path, write: Callable[[str], bytes]) -> int:
    """Rows that an uploaded table has of two."""
    document = versions("taobao-crowdsourced")[0].document
    text = "id,title.zh,points\nlate_over_5,晚点,-1.5\nlate_over_6,晚点,-1\n"
    sheets = read_file(write(text), "rule.csv", document, "rule")
    assert sheets.faults == ()
    return len(sheets.tables[0].rows)


def couriers_read(folder: Path, write: Callable[[str], bytes]) -> int:
    """Couriers that `dispatch` reads of two."""
    texts = {
        "couriers.txt": "courier\tx\ty\ton_time\toff_time\nc1\t0\t0\t0\t600\n张三\t0\t0\t0\t600\n",
        "restaurants.txt": "restaurant\tx\ty\n店\t0\t0\n",
        "orders.txt": "order\tx\ty\tplacement_time\trestaurant\tready_time\no1\t1000\t0\t10\t店\t20\n",
        "instance_parameters.txt": "meters_per_minute\tpickup service minutes\tdropoff service minutes\t"
        "target click-to-door\tmaximum click-to-door\tpay per order\tguaranteed pay per hour\n320\t4\t4\t40\t90\t10\t15\n",
    }
    for name, content in texts.items():
        (folder / name).write_bytes(write(content))
    return len(read_instance(folder).couriers)


@pytest.mark.parametrize("read", [events_read, rules_read, couriers_read])
@pytest.mark.parametrize("kind", TEXTS)
def test_every_door_reads_a_text_alike(
    tmp_path: Path, kind: str, read: Callable[[Path, Callable[[str], bytes]], int]
) -> None:
    """However a text is written, events, rules of a draft and the couriers of an instance are all read."""
    assert read(tmp_path, TEXTS[kind]) == 2


# A body or line that is no JSON → the reason, the member named.
NO_JSON: dict[str, tuple[str, str, str]] = {
    "NaN": ('{"event_id": "e1", "fee_fen": NaN}', "json_constant", "fee_fen"),
    "minus Infinity": ('{"event_id": "e1", "distance_m":-Infinity}', "json_constant", "distance_m"),
    "a key twice": ('{"event_id": "e1", "city": "a", "event_id": "e2"}', "json_key_twice", "event_id"),
    "a comma too many": ('{"event_id": "e1",}', "json_comma", "event_id"),
    "a mark in the middle": ('{"event_id": "e1", \ufeff"city": "a"}', "json_mark", "event_id"),
}


@pytest.mark.case
@pytest.mark.usefixtures("_law")
@pytest.mark.parametrize("kind", NO_JSON)
def test_every_door_says_why_it_is_no_json(tmp_path: Path, client: TestClient, bearer: Bearer, kind: str) -> None:
    """A file, a line, a body of events and the body of any other request name the same thing at the same character."""
    written, reason, key = NO_JSON[kind]
    path = tmp_path / "events.ndjson"
    path.write_text(json.dumps(GOOD) + "\n" + written + "\n", encoding="utf-8")
    run("score", path, "--book", "taobao-crowdsourced", "--out", tmp_path / "out")
    reject = json.loads((tmp_path / "out" / "rejects.ndjson").read_text(encoding="utf-8"))
    who = bearer("platform")
    lines_ = client.post(
        "/v1/events", content=f"\n{written}".encode(), headers={**who, "Content-Type": "application/x-ndjson"}
    ).json()["results"][0]
    bodies = [
        client.post(path, content=written.encode(), headers={**bearer(role), "Content-Type": "application/json"})
        for path, role in (("/v1/events", "platform"), ("/v1/dispatch/rounds", "platform"), ("/v1/books/drafts", "ops"))
    ]

    assert (reject["reason"], reject["column"], reject["row"]) == (reason, key, 2)
    assert (lines_["reason"], lines_["column"] or "", lines_["line"]) == (reason, key, 2)
    assert lines_["detail"] == reject["message"]["en"]
    for body in bodies:
        (error,) = body.json()["errors"]
        assert (body.status_code, error["code"]) == (400, reason), body.request.url
        assert error["detail"] == f"Line 1. {reject['message']['en']}"


@pytest.mark.parametrize("kind", NO_JSON)
def test_a_long_body_says_the_same(client: TestClient, bearer: Bearer, kind: str) -> None:
    """A body of two million characters is looked through as a short one: the fault has its line and character."""
    written, reason, _ = NO_JSON[kind]
    body = '{"document": {"notes": "' + "x" * 2_000_000 + f'"}},\n"more": {written}}}'

    answer = client.post(
        "/v1/books/drafts", content=body.encode(), headers={**bearer("ops"), "Content-Type": "application/json"}
    )

    (error,) = answer.json()["errors"]
    assert (answer.status_code, answer.json()["code"], error["code"]) == (400, "bad_json", reason)
    assert error["detail"].startswith("Line 2. ")


@pytest.mark.parametrize("path", ["/v1/events", "/v1/dispatch/rounds"])
def test_a_packed_body_is_named(client: TestClient, bearer: Bearer, path: str) -> None:
    """Gzip without its header is said to be gzip; with it, that it must come unpacked."""
    packed, who = gzip.compress(b"[]"), bearer("platform") | {"Content-Type": "application/json"}

    plain = client.post(path, content=packed, headers=who)
    coded = client.post(path, content=packed, headers={**who, "Content-Encoding": "gzip"})

    assert "gzip" in plain.json()["errors"][0]["detail"]
    assert (plain.status_code, coded.status_code) == (400, 415)


@pytest.mark.usefixtures("_law")
def test_a_mark_before_a_body_is_read(client: TestClient, bearer: Bearer) -> None:
    """What Windows tools put before a text is no part of it, over HTTP either."""
    body = b"\xef\xbb\xbf" + json.dumps([GOOD]).encode()

    answer = client.post("/v1/events", content=body, headers={**bearer("platform"), "Content-Type": "application/json"})

    assert answer.json()["num_scored"] == 1


def test_no_book_is_called_as_a_route(client: TestClient, bearer: Bearer) -> None:
    """Words that stand in addresses where a book's id may stand are no ids of books; the list is that of the routes."""
    paths = [route.path.strip("/").split("/") for route in api_routes()]
    beside = {path[2] for path in paths if path[:2] == ["v1", "books"] and len(path) > 2 and path[2][0] != "{"}

    made = client.post(
        "/v1/books/drafts",
        json={"empty_book_id": "drafts", "targets": [{"city": "hangzhou", "rider_kind": "crowdsourced"}]},
        headers=bearer("ops"),
    )

    assert beside == ROUTE_WORDS
    assert (made.status_code, made.json()["type"]) == (422, "/problems/book_id_reserved")


# A deployment table that cannot be used → what every door says of it.
TABLES: dict[str, tuple[str, str]] = {
    "a fine": (deploy_row("hangzhou", "legacy-fine", "2025-12-03"), "never put in force"),
    "a book nobody knows": (deploy_row("hangzhou", "taobao", "2025-12-03"), "there is no rule book taobao"),
    "a day before the book": (deploy_row("hangzhou", "jd-service-score", "2020-01-01"), "2025-10-01 is the earliest"),
    "other riders": (deploy_row("hangzhou", "taobao-crowdsourced", "2026-01-01", "dedicated"), "dedicated"),
    "a platform that is no name": (
        deploy_row("hangzhou", "taobao-crowdsourced", "2026-01-01", platform="no name"), "platform"
    ),
    "two rows of a day": (deploy_row("hangzhou", "taobao-crowdsourced", "2026-01-01") * 2, "stands twice"),
    "another platform": (
        deploy_row("hangzhou", "taobao-crowdsourced", "2026-01-01", platform="taobao"), "did you mean taobao"
    ),
    "no rows": ("deploy = []\n", "deploy"),
}  # fmt: skip
TABLE_DOORS: dict[str, tuple[str, ...]] = {
    "score": ("score", "EVENTS", "--book", "TABLE", "--out", "OUT"),
    "compare": ("compare", "EVENTS", "--books", "jd-service-score,TABLE", "--out", "OUT"),
    "impact": ("books", "impact", "--from", "TABLE", "--to", "jd-service-score", "--events", "EVENTS", "--out", "OUT"),
    "serve": ("serve", "--deployment", "TABLE", "--database-url", "sqlite:///OUT"),
}


@pytest.mark.parametrize("door", TABLE_DOORS)
@pytest.mark.parametrize("kind", TABLES)
def test_every_door_refuses_a_bad_deployment_table_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, door: str
) -> None:
    """Exit 2 with the same words, and nothing is written."""
    content, said = TABLES[kind]
    named = {"EVENTS": tmp_path / "events.csv", "TABLE": tmp_path / "table.toml", "OUT": tmp_path / "out"}
    named["EVENTS"].write_text(csv_text([GOOD]), encoding="utf-8")
    named["TABLE"].write_text(content, encoding="utf-8")
    monkeypatch.setenv("RIDERSCORE_PLATFORM", "taoboa")

    def filled(word: str) -> str:
        for name, path in named.items():
            word = word.replace(name, str(path))
        return word

    done = run(*(filled(word) for word in TABLE_DOORS[door]), "--lang", "en")

    assert done.exit_code == 2
    assert said in done.stderr
    assert not named["OUT"].exists()
