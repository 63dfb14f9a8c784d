"""Bounded work per request: whatever a body holds, it is refused before it costs, in few words.

Counted, not timed: what is read, what is parsed, what is answered. The costs themselves stand in
`tests/benchmarks/http/nasty.py`.
"""

import json
from importlib import import_module
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.access import keys
from api.access.scopes import SCOPES
from api.access.sessions import begin_session
from api.app.create import api_routes
from api.app.openapi_operations import scopes_of
from api.db.store import Store
from api.endpoints.common import rate_limits
from api.endpoints.common.body_limits import HEADERS_MAX, ORDINARY, WITH_BODY
from api.endpoints.common.json_shape import DEEP, LONG, MANY, ROWS, JsonShape, exceeded_limit
from api.endpoints.common.rate_limits import RateLimit, address_of
from api.settings import Settings
from tests.api.endpoints.conftest import Bearer, Clock
from tests.api.endpoints.nasty import (
    ANY_JSON,
    EVENTS,
    JSON_TYPE,
    LINES,
    LINES_TYPE,
    MIB,
    ask,
    checked,
    inside,
    many_rows,
    unknown_keys,
)
from tests.api.ledger.posts import START_US

pytestmark = pytest.mark.slow

ROUTES = sorted(
    (method, route.path_format)
    for route in api_routes()
    for method in WITH_BODY & set(route.methods or ())
    if scopes_of(route)
)
SHAPE = JsonShape(depth_max=3, values_max=20, members_max=4, items_max=6, text_bytes_max=10)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Bodies are refused before any store is asked."""
    return f"sqlite:///{tmp_path / 'store.db'}"


def role_for(method: str, path: str, *, may: bool = True) -> str:
    """A role that a route is for, or is not for."""
    wanted = next(
        scopes_of(route) or frozenset()
        for route in api_routes()
        if route.path_format == path and method in (route.methods or ())
    )
    return next(role for role, scopes in SCOPES.items() if bool(wanted & scopes) == may)


def at(path: str) -> str:
    """A path of a template, its blanks filled with anything."""
    return path.replace("{", "").replace("}", "")


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        (b"", 0),
        (b'{"a":[[1,2],"x"]}', 0),
        (b'["[[[[["]', 0),
        (b'["\\"[[[["]', 0),
        (b'["\\\\",[[1]]]', 0),
        (b"[[[[", DEEP),
        (b'{"a":[{"b":[', DEEP),
        (b'{"a":1,"b":1,"c":1,"d":1}', 0),
        (b'{"a":1,"b":1,"c":1,"d":1,"e":1}', MANY),
        (b"[1,2,3,4,5,6]", 0),
        (b"[1,2,3,4,5,6,7]", ROWS),
        (b"[[1,2,3,4,5,6],[1,2,3,4,5,6],[1,2,3,4,5,6],[1,2,3,4,5,6]]", MANY),
        (b'"123456789"', 0),
        (b'"12345678901"', LONG),
        (b'"1234567890', 0),
        (b"12345678901", LONG),
        (b"1234567890 1234567890", 0),
        (b"]]]]}}}}[[[", 0),
    ],
)
def test_a_text_is_measured_without_being_parsed(body: bytes, limit: int) -> None:
    """Depth, values, members, items and lengths, brackets and commas in texts left out."""
    assert exceeded_limit(body, SHAPE) == limit


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        (b'{"a":"\n' * 3, 0),
        (b"[[[\n[[[\n[[[", 0),
        (b"1\n" * 12, 0),
        (b"1\n" * 13, ROWS),
        (b"\n" * 13, ROWS),
    ],
)
def test_lines_are_measured_each_by_itself(body: bytes, limit: int) -> None:
    """What a line leaves open does not weigh on the next; lines are counted, blank ones too."""
    assert exceeded_limit(body, SHAPE, is_lines=True) == limit


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_nobody_makes_the_service_read(client: TestClient, bearer: Bearer, method: str, path: str) -> None:
    """Without a token, with a wrong one, or without the scope, not a byte of the body is read."""
    app = client.app
    assert isinstance(app, FastAPI)
    body, kind = b" " * MIB, {"Content-Type": JSON_TYPE}
    other = bearer(role_for(method, path, may=False))

    answers = [
        ask(app, method, at(path), kind | headers, body) for headers in ({}, {"Authorization": "Bearer rs_x"}, other)
    ]

    assert [(answer.status, answer.num_read) for answer in answers] == [(401, 0), (401, 0), (403, 0)]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_refuses_what_no_use_needs(client: TestClient, bearer: Bearer, method: str, path: str) -> None:
    """Keys, items, depth and lengths in every way: a short refusal by every route, or for events an answer to each."""
    app = client.app
    assert isinstance(app, FastAPI)
    headers = bearer(role_for(method, path)) | {"Content-Type": JSON_TYPE}

    for name, make in ANY_JSON.items():
        answer = ask(app, method, at(path), headers, make())
        if answer.status == 200 and path == "/v1/events":
            results = json.loads(answer.body)["results"]
            assert all(len(result["detail"]) <= 200 for result in results), name
        elif answer.status != 204:
            assert answer.status < 500, (name, answer.status)
            assert answer.status >= 400 or len(answer.body) < 1_000, (name, answer.status)
            assert len(answer.body) <= MIB, name
            assert len(json.loads(answer.body).get("errors", ())) <= 50, name


@pytest.mark.parametrize("name", [*EVENTS, *LINES])
def test_every_event_is_answered_or_the_post_is_refused(client: TestClient, bearer: Bearer, name: str) -> None:
    """Rows that say nothing get an answer each, in at most 200 characters; more than the limits allow is refused whole."""
    app = client.app
    assert isinstance(app, FastAPI)
    kind = JSON_TYPE if name in EVENTS else LINES_TYPE
    body = (EVENTS | LINES)[name]()

    answer = ask(app, "POST", "/v1/events", bearer("platform") | {"Content-Type": kind}, body)

    if answer.status == 200:
        results = json.loads(answer.body)["results"]
        assert len(results) <= 10_000
        assert all(max(len(result[part] or "") for part in ("detail", "value")) <= 200 for result in results)
    else:
        checked(answer)


def test_a_refusal_lists_fifty_and_counts_the_rest(client: TestClient, bearer: Bearer) -> None:
    """The first faults in full, then how many there are."""
    body = unknown_keys(250, before='"url":"https://example.org/",')

    answer = client.post("/v1/webhooks", headers=bearer("platform") | {"Content-Type": JSON_TYPE}, content=body).json()

    assert (answer["code"], len(answer["errors"]), answer["num_errors"]) == ("invalid_request", 50, 250)


def test_a_long_name_is_not_repeated_in_full(client: TestClient, bearer: Bearer) -> None:
    """What a refusal quotes is cut, however long it was."""
    body = inside("x" * 30_000, b"1")

    answer = client.post("/v1/webhooks", headers=bearer("platform") | {"Content-Type": JSON_TYPE}, content=body)

    assert answer.status_code == 422
    assert len(answer.content) < 2_000


def test_a_packed_body_is_refused(client: TestClient, bearer: Bearer) -> None:
    """Nobody can say how large it is before it is unpacked."""
    headers = bearer("platform") | {"Content-Type": JSON_TYPE, "Content-Encoding": "gzip"}

    answer = client.post("/v1/events", headers=headers, content=b"\x1f\x8b")

    assert (answer.status_code, answer.json()["code"]) == (415, "coding_unsupported")


def test_line_and_headers_have_limits(client: TestClient) -> None:
    """Long paths, long queries and many headers are refused before anything looks at them."""
    path = client.get("/v1/riders/" + "x" * 5_000 + "/card")
    query = client.get("/v1/riders/x/card?" + "a=1&" * 3_000)
    headers = client.get("/healthz", headers=[("x", "y")] * HEADERS_MAX)

    assert [answer.status_code for answer in (path, query, headers)] == [414, 414, 431]


def test_the_document_says_how_large_a_body_may_be(client: TestClient) -> None:
    """Every route with a body states its limit; riders' are small."""
    paths = client.get("/openapi.json").json()["paths"]

    stated = {
        (path, method): operation["x-body-bytes-max"]
        for path, methods in paths.items()
        for method, operation in methods.items()
        if "requestBody" in operation
    }

    assert stated["/v1/events", "post"] == 16 * MIB
    assert stated["/v1/entries/{entry_id}/appeal", "post"] == ORDINARY.bytes_max == 64 * 1024
    assert max(size for (path, _), size in stated.items() if path != "/v1/events") <= 4 * MIB


def test_a_round_of_a_hundred_thousand_orders_is_refused(client: TestClient, bearer: Bearer) -> None:
    """A round is bounded by its items before any of them is looked at."""
    body = inside("orders", many_rows("{}", 100_000))

    answer = client.post("/v1/dispatch/rounds", headers=bearer("platform") | {"Content-Type": JSON_TYPE}, content=body)

    assert (answer.status_code, answer.json()["code"]) == (413, "too_many_rows")


class TestAllowances:
    """Who asks too often waits, by token, by session and by address."""

    @pytest.fixture
    def settings(self, url: str) -> Settings:
        """Limits that a test reaches."""
        return Settings(
            database_url=url, token_cache_s=0, law_cache_s=0, requests_per_minute=3, stranger_requests_per_minute=4
        )

    def test_wrong_tokens_are_counted_for_their_address(self, client: TestClient, bearer: Bearer) -> None:
        """The fifth wrong token of an address gets 429 and a time, whichever it is; a good one goes on."""
        good = bearer("ops")

        wrong = [client.get("/v1/tokens", headers={"Authorization": f"Bearer rs_{k}_x"}) for k in range(5)]
        right = client.get("/v1/tokens", headers=good)

        assert [answer.status_code for answer in wrong] == [401] * 4 + [429]
        assert (wrong[4].json()["code"], wrong[4].headers["retry-after"]) == ("address_limited", "15")
        assert right.status_code == 200

    def test_a_flood_of_wrong_tokens_is_not_looked_up(
        self, client: TestClient, bearer: Bearer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Beyond the limit a few are, whatever the number; a key that was good here goes on, and so does a new one."""
        good, new = bearer("ops"), bearer("ops", "new")
        client.get("/v1/tokens", headers=good)
        looked_up = counted(monkeypatch, "api.access.keys.key_of")

        wrong = [client.get("/v1/tokens", headers={"Authorization": f"Bearer rs_{k}_x"}) for k in range(6)]
        first = client.get("/v1/tokens", headers=new)
        wrong += [client.get("/v1/tokens", headers={"Authorization": f"Bearer rs_{k}_y"}) for k in range(100)]
        num_looked_up = len(looked_up)
        right = [client.get("/v1/tokens", headers=good) for _ in range(2)]

        assert [answer.status_code for answer in wrong] == [401] * 4 + [429] * 102
        assert num_looked_up == 1 + 4 + 6
        assert [answer.status_code for answer in (first, *right)] == [200] * 3

    def test_a_key_that_ended_is_one_of_the_wrong_ones(
        self, client: TestClient, bearer: Bearer, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """That it was good once does not have it looked up for ever."""
        headers = bearer("ops")
        client.get("/v1/tokens", headers=headers)
        with store.writing(START_US) as unit:
            keys.revoke_key(unit, headers["Authorization"].split("_")[1], "test:test")
        looked_up = counted(monkeypatch, "api.access.keys.key_of")

        answers = [client.get("/v1/tokens", headers=headers).status_code for _ in range(50)]

        assert answers == [401] * 4 + [429] * 46
        assert len(looked_up) == 1 + 3 + 6

    def test_a_flood_of_wrong_cookies_is_not_looked_up(
        self, client: TestClient, bearer: Bearer, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """On pages, on addresses that are none, and where a page is refused; whoever was signed in goes on."""
        key_id = bearer("ops")["Authorization"].split("_")[1]
        with store.writing(START_US) as unit:
            good = begin_session(unit, "ops", "li.na", (), key_id)
        html = {"Accept": "text/html"}
        seen = client.get("/console/audit", headers=html | {"Cookie": f"rs_session={good}"}, follow_redirects=False)
        looked_up = counted(monkeypatch, "api.access.sessions.session_of")

        answers = [
            client.get(path, headers=html | {"Cookie": f"rs_session={k:064x}"}, follow_redirects=False)
            for k in range(30)
            for path in ("/console/audit", "/nowhere", "/console/audit?" + "x" * 9_000)
        ]
        num_looked_up = len(looked_up)
        after = client.get("/console/audit", headers=html | {"Cookie": f"rs_session={good}"}, follow_redirects=False)

        assert (seen.status_code, after.status_code) == (200, 200)
        assert {answer.status_code for answer in answers[10:]} == {404, 414, 429}
        assert num_looked_up == 4 + 6

    def test_meters_are_counted_for_their_address(self, client: TestClient, clock: Clock) -> None:
        """`/metrics` is open to all, but not without end; `/healthz` is."""
        meters = [client.get("/metrics").status_code for _ in range(5)]
        alive = {client.get("/healthz").status_code for _ in range(20)}
        clock.forward(seconds=15)

        assert meters == [200] * 4 + [429]
        assert alive == {200}
        assert client.get("/metrics").status_code == 200

    def test_visitors_are_counted_for_their_address(self, client: TestClient) -> None:
        """Pages and wrong cookies: the fifth is told to wait, by a page."""
        client.cookies.set("rs_session", "rs_x_y")
        headers = {"Accept": "text/html"}

        answers = [client.get("/console/audit", headers=headers, follow_redirects=False) for _ in range(5)]

        assert [answer.status_code for answer in answers] == [303] * 4 + [429]
        assert answers[4].headers["retry-after"] == "15"
        assert answers[4].text.startswith("<!")


def counted(monkeypatch: pytest.MonkeyPatch, name: str) -> list[object]:
    """What a function is asked for from now on."""
    module, _, attribute = name.rpartition(".")
    work = getattr(import_module(module), attribute)
    asked: list[object] = []

    def noting(*given: object) -> object:
        asked.append(given)
        return work(*given)

    monkeypatch.setattr(name, noting)
    return asked


def test_an_allowance_says_what_is_left_of_it() -> None:
    """Sixty a minute: fifty-nine after the first, none after the last; one more a second later, the whole after a minute."""
    asked, second_us = RateLimit(60), 1_000_000

    at_once = [asked.take("a", 0) for _ in range(61)]
    after = [asked.take("a", at_us) for at_us in (second_us - 1, second_us, second_us, 61 * second_us)]

    assert [one.remaining for one in at_once] == [*range(59, -1, -1), 0]
    assert [one.is_allowed for one in at_once] == [True] * 60 + [False]
    assert [one.reset_s for one in at_once] == [*range(1, 61), 1]
    assert [one.is_allowed for one in after] == [False, True, False, True]
    assert (after[1].remaining, after[3].remaining, after[3].reset_s) == (0, 59, 1)


def test_an_allowance_holds_no_more_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many addresses ask, the least recent are forgotten."""
    monkeypatch.setattr(rate_limits, "_NUM_HELD_MAX", 10)
    asked = RateLimit(60)

    for number in range(1_000):
        asked.take(str(number), 0)

    assert list(asked._full_us) == [str(number) for number in range(990, 1_000)]


@pytest.mark.parametrize(
    ("host", "address"),
    [("10.0.0.1", "10.0.0.1"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"), ("fe80::1%eth0", "fe80::"), ("::x", "::x")],
)
def test_a_network_is_one_address(host: str, address: str) -> None:
    """One client of IPv6 has a whole network to ask from."""
    assert address_of({"client": (host, 1)}) == address
