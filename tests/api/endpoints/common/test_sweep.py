"""Every route with text that no database takes, numbers out of range and odd dates: an answer, never a fault."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from api.access.keys import role_of
from api.access.sessions import begin_session
from api.app.create import _all_routes
from api.app.request_checks import TAKES
from api.db.store import Store
from api.endpoints.common.page_sessions import FORM_COOKIE, SESSION_COOKIE
from api.endpoints.common.typed_input import FORM_FIELD
from tests.api.endpoints.conftest import Bearer
from tests.api.law import seed_in_force
from tests.api.ledger.posts import START_US, post
from tests.builders import delivered

pytestmark = pytest.mark.slow

# As they stand in an address; what is not text stands there as bytes.
UNUSABLE = ("%00", "a%00b", "1.%00", "%ED%A0%80", "%FF", "x.%ED%BF%BF")
OUT_OF_RANGE = (
    "9" * 30,
    "-" + "9" * 30,
    "0",
    "9999-12-31",
    "0001-01-01",
    "NaN",
    "1e400",
    f"{2**63}.x",
    f"{2**63 - 1}.x",
)
HERE = {"Origin": "http://testserver"}


@pytest.fixture
def roles(store: Store, bearer: Bearer, client: TestClient) -> dict[str, dict[str, str]]:
    """Keys of everybody, on a service with the shipped books and a rider."""
    client.follow_redirects = False
    with store.writing(START_US) as unit:
        seed_in_force(unit)
    post(store, [delivered("e1", rider_id="r1")], at_us=START_US)
    names = ("ops", "policy", "approver", "platform")
    found = {name: bearer(name) for name in names} | {"rider": bearer("rider", "r1")}
    with store.writing(START_US) as unit:
        client.sessions = {  # type: ignore[attr-defined]
            headers["Authorization"]: begin_session(unit, role_of(name), "r1" if name == "rider" else f"some-{name}")
            for name, headers in found.items()
        }
    return found


def routes(client: TestClient) -> Iterator[tuple[str, APIRoute]]:
    """Each method of each route, of the API and of pages."""
    for route in _all_routes(client.app.routes):  # type: ignore[attr-defined]
        if isinstance(route, APIRoute):
            for method in sorted(route.methods):
                yield method, route


def asked(client: TestClient, roles: dict[str, dict[str, str]], method: str, path: str) -> list[Any]:
    """The answers that everybody gets: by key, and by cookie where it is a page."""
    answers = []
    for headers in roles.values():
        client.cookies.clear()
        session = client.sessions[headers["Authorization"]]  # type: ignore[attr-defined]
        by_cookie = HERE | {"Cookie": f"{SESSION_COOKIE}={session}; {FORM_COOKIE}={'f' * 40}"}
        answers.append(client.request(method, path, headers=headers if path.startswith("/v1/") else by_cookie))
    return answers


def filled(route: APIRoute, **given: str) -> str:
    """The path of a route, with `x` for what is not given."""
    return re.sub(r"{(\w+)(?::\w+)?}", lambda found: given.get(found[1], "x"), route.path)


def test_unusable_text_in_an_address_is_named(client: TestClient, roles: dict[str, dict[str, str]]) -> None:
    """Each parameter of each route, in the path, the query, or none of the route's: 4xx, with its place."""
    one = {"ops": roles["ops"]}
    for method, route in routes(client):
        for found in get_flat_params(route.dependant):
            kind, name = type(found.field_info).__name__, found.alias
            for odd in UNUSABLE:
                path = filled(route, **{name: odd}) if kind == "Path" else f"{filled(route)}?{name}={odd}"
                where = "path" if kind == "Path" else f"query/{name}"
                for answer in asked(client, one, method, path):
                    assert answer.status_code == 422, (method, path, answer.text)
                    assert answer.json()["errors"][0]["parameter"] == where
        for answer in asked(client, one, method, f"{filled(route)}?unknown=%00"):
            assert (answer.status_code, answer.json()["code"]) == (422, "unusable_text")


def test_unusable_text_in_a_body_is_named(client: TestClient, roles: dict[str, dict[str, str]]) -> None:
    """In values, in names, deep inside, in any encoding: 4xx, with a pointer, wherever JSON is taken."""
    bodies = {
        b'{"reason": "a\\u0000b"}': "#/reason",
        b'{"edits": [{"value": {"x": "\\uD800"}}]}': "#/edits/0/value/x",
        b'{"x": ["ok \\ud83d\\ude00", "\\udc00"]}': "#/x/1",
        b'{"x": {"\\u0000": 1}}': "#/x",
        b'{"x": "\0"}': "#",
    }
    for method, route in routes(client):
        if method not in ("POST", "PUT", "PATCH") or not route.path.startswith("/v1/") or route.path in TAKES:
            continue
        for body, pointer in bodies.items():
            answers = [
                client.request(method, filled(route), headers=key | {"Content-Type": "application/json"}, content=body)
                for key in roles.values()
            ]
            # Who may not is told so before a body is read.
            assert {answer.status_code for answer in answers} <= {403, 422}, (method, route.path, body)
            read = [answer.json() for answer in answers if answer.status_code == 422]
            assert read, (method, route.path)
            assert {(one["code"], one["errors"][0]["pointer"]) for one in read} == {("unusable_text", pointer)}


def test_a_body_in_another_encoding_is_no_json(client: TestClient, roles: dict[str, dict[str, str]]) -> None:
    """UTF-16, or half a character in UTF-8: 400 wherever JSON is taken, as of events, with the place."""
    bodies = (b'{"x": "\xed\xa0\x80"}', '{"x": "\\u0000"}'.encode("utf-16"), '{"x": 1}'.encode("utf-16"))
    for method, route in routes(client):
        if method not in ("POST", "PUT", "PATCH") or not route.path.startswith("/v1/"):
            continue
        for body in bodies:
            answers = [
                client.request(method, filled(route), headers=key | {"Content-Type": "application/json"}, content=body)
                for key in roles.values()
            ]
            assert {answer.status_code for answer in answers} <= {403, 400}, (method, route.path, body)
            read = [answer.json() for answer in answers if answer.status_code == 400]
            assert {one["code"] for one in read} == {"bad_json"}, (method, route.path, body, read)


@pytest.mark.parametrize("odd", ["\\u0000", "a\\u0000b", "\\ud800", "\\udfffx"])
def test_unusable_text_in_an_event_rejects_that_event(
    client: TestClient, roles: dict[str, dict[str, str]], odd: str
) -> None:
    """Each column of an event, as JSON and as NDJSON; the other events of the post are scored."""
    names = (
        "event_id", "rider_id", "city", "rider_kind", "kind", "order_id", "occurred_at", "promised_at", "reports",
        "cause", "party", "ref_event_id", "fee_fen",
    )  # fmt: skip
    good = {
        "event_id": "good", "rider_id": "r1", "city": "hangzhou", "rider_kind": "crowdsourced", "kind": "praise",
        "occurred_at": "2026-03-02T12:04:00+08:00",
    }  # fmt: skip
    parts = [json.dumps(good | {"event_id": f"e-{name}"} | {name: "ODD"}).replace("ODD", odd) for name in names]
    for kind, body in (
        ("application/json", "[" + ",".join(parts) + "]"),
        ("application/x-ndjson", "\n".join(parts)),
    ):
        answer = client.post("/v1/events", headers=roles["platform"] | {"Content-Type": kind}, content=body)
        assert answer.status_code == 200, answer.text
        assert {result["status"] for result in answer.json()["results"]} == {"rejected"}, answer.text
        assert all(result["reason"] and result["detail"] for result in answer.json()["results"])


def test_unusable_text_in_forms_and_cookies_is_named(client: TestClient, roles: dict[str, dict[str, str]]) -> None:
    """Each form of each page, written either way, and each cookie: a page that names the field."""
    session = client.sessions[roles["ops"]["Authorization"]]  # type: ignore[attr-defined]
    cookies = f"{SESSION_COOKIE}={session}; {FORM_COOKIE}={'f' * 40}; rs_lang=en"
    headers = HERE | {"Accept": "text/html", "Cookie": cookies}
    for method, route in routes(client):
        if route.path.startswith("/v1/"):
            continue
        if method == "POST" and route.path != "/login/demo":
            fields = {FORM_FIELD: "f" * 40, "reason": "a\0b"}
            for answer in (
                client.post(filled(route), headers=headers, data=fields),
                client.post(filled(route), headers=headers, data=fields, files={"other": ("x.csv", b"a\0b")}),
            ):
                assert answer.status_code in (403, 422), (route.path, answer.status_code, answer.text)
                assert answer.status_code == 403 or "form/reason" in answer.text
        odd = headers | {"Cookie": f'{SESSION_COOKIE}="a\\000b"'}
        answer = client.request(method, filled(route), headers=odd)
        assert answer.status_code == 422
        assert f"cookie/{SESSION_COOKIE}" in answer.text


def test_numbers_and_dates_out_of_range_are_no_fault(client: TestClient, roles: dict[str, dict[str, str]]) -> None:
    """Each parameter and known header of each reading route, for every role."""
    faults = []
    for method, route in routes(client):
        if method != "GET" or route.path.endswith("/events"):
            continue
        for found in get_flat_params(route.dependant):
            kind, name = type(found.field_info).__name__, found.alias
            for odd in OUT_OF_RANGE:
                path = filled(route, **{name: odd}) if kind == "Path" else f"{filled(route)}?{name}={quote(odd)}"
                answers = asked(client, roles, method, path)
                faults += [(path, one.status_code) for one in answers if one.status_code >= 500]
    assert not faults
