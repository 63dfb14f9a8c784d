"""Riders over HTTP: their own things and nobody else's, in the language they ask for."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.db.store import Store
from tests.api.endpoints.conftest import Bearer, Clock
from tests.api.ledger.posts import START_US, later, lines_of, post
from tests.builders import delivered

pytestmark = pytest.mark.usefixtures("_law")

Headers = dict[str, str]


@pytest.fixture
def rider(store: Store, _law: None, bearer: Bearer, clock: Clock) -> Headers:
    """r1 with one order on time and one late, and r2; r1's token."""
    rows = [delivered("e1"), delivered("e2", at_min=9, late_min=4), delivered("e3", rider_id="r2", late_min=4)]
    post(store, later(rows), at_us=START_US + 600_000_000)
    clock.forward(seconds=1_800)
    return bearer("rider", "r1")


def entry_of(store: Store, event_id: str) -> str:
    """The id of an event's first entry."""
    return str(next(line["entry_id"] for line in lines_of(store) if line["event_id"] == event_id))


def test_a_rider_reads_their_card(client: TestClient, rider: Headers) -> None:
    """Score, what the tier affects, today, forecast, ways back and up, the book; with an entity tag."""
    answer = client.get("/v1/riders/r1/card", headers=rider)

    card = answer.json()
    assert answer.status_code == 200
    assert (card["score_mp"], card["tier"]["tier_id"], card["back"]["orders"]) == (69_200, "normal", 4)
    assert [item["late_min"] for item in card["forecast"]] == [0, 3, 10]
    assert [entry["event_id"] for entry in card["today"]] == ["e2", "e1"]
    assert card["counters"] == {"delivered": 2, "on_time": 1, "late": 1, "exempt": 0}
    assert answer.headers["content-language"] == "en"
    again = client.get("/v1/riders/r1/card", headers=rider | {"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_card_is_told_in_chinese(client: TestClient, rider: Headers) -> None:
    """`Accept-Language` chooses; the tag is another one."""
    english = client.get("/v1/riders/r1/card", headers=rider)
    chinese = client.get("/v1/riders/r1/card", headers=rider | {"Accept-Language": "zh-CN"})

    assert "晚到" in chinese.json()["today"][0]["sentence"]
    assert chinese.headers["etag"] != english.headers["etag"]


def test_entries_come_page_by_page_with_sentences(client: TestClient, rider: Headers) -> None:
    """Newest first; the last page has no cursor; a made-up cursor is refused."""
    first = client.get("/v1/riders/r1/entries?limit=1", headers=rider).json()
    second = client.get(f"/v1/riders/r1/entries?limit=1&cursor={first['cursor']}", headers=rider).json()

    assert [page["items"][0]["event_id"] for page in (first, second)] == ["e2", "e1"]
    assert second["cursor"] is None
    assert "4 min late" in first["items"][0]["sentence"]
    for cursor in ("x", "9" * 30, "-1"):
        answer = client.get("/v1/riders/r1/entries", params={"cursor": cursor}, headers=rider)
        assert (answer.status_code, answer.json()["code"]) == (404, "cursor_invalid")


def test_an_entry_comes_with_its_tree_book_and_right_to_appeal(
    client: TestClient, store: Store, rider: Headers
) -> None:
    """The because-tree as JSON, the rule's source, the digest of the book, and until when it can be appealed."""
    told = client.get(f"/v1/entries/{entry_of(store, 'e2')}", headers=rider).json()

    assert told["tree"]["label"] == told["entry"]["sentence"]
    assert any("late by 4 min" in branch["label"] for branch in told["tree"]["children"])
    assert told["rule"]["rule_id"] == told["entry"]["rule_id"]
    assert told["rule"]["source"]
    assert told["book"]["digest"] == told["entry"]["book_digest"]
    assert told["entry"]["appeal"]["can"]
    assert told["entry"]["appeal"]["terms"] == "default"


def test_a_forecast_takes_other_minutes(client: TestClient, rider: Headers) -> None:
    """As many as asked for; nonsense is refused with its place."""
    found = client.get("/v1/riders/r1/forecast?late_min=0&late_min=7", headers=rider).json()
    assert [(item["late_min"], item["points_mp"]) for item in found["items"]] == [(0, 200), (7, -2_000)]
    assert len(client.get("/v1/riders/r1/forecast", headers=rider).json()["items"]) == 3

    for wrong in ("late_min=-1", "late_min=x", "late_min=1.5", "&".join(["late_min=1"] * 13)):
        assert client.get(f"/v1/riders/r1/forecast?{wrong}", headers=rider).status_code == 422


def test_nobody_sees_what_is_not_theirs(client: TestClient, store: Store, rider: Headers, bearer: Bearer) -> None:
    """Another rider's things and those of another city are answered as if they did not exist."""
    own, other = entry_of(store, "e2"), entry_of(store, "e3")
    elsewhere, here = bearer("ops", "a", cities=["suzhou"]), bearer("ops", "b", cities=["hangzhou"])

    def found(path: str, headers: Headers) -> int:
        return client.get(path, headers=headers).status_code

    for path in ("card", "entries", "forecast"):
        assert found(f"/v1/riders/r1/{path}", rider) == 200
        assert found(f"/v1/riders/r1/{path}", here) == 200
        assert found(f"/v1/riders/r2/{path}", rider) == 404
        assert found(f"/v1/riders/r1/{path}", elsewhere) == 404
        assert found(f"/v1/riders/nobody/{path}", here) == 404
        assert found(f"/v1/riders/r1/{path}", bearer("policy")) == 403
        assert client.get(f"/v1/riders/r1/{path}").status_code == 401
    assert [found(f"/v1/entries/{entry}", rider) for entry in (own, other, "none")] == [200, 404, 404]
    assert found(f"/v1/entries/{own}", elsewhere) == 404
    hidden = client.get(f"/v1/entries/{other}", headers=rider).json()
    missing = client.get("/v1/entries/none", headers=rider).json()
    for document in (hidden, missing):
        document.pop("instance", None)
    assert json.dumps(hidden).replace(other, "none") == json.dumps(missing)


def test_a_rider_exports_and_erases_what_is_held(
    client: TestClient, store: Store, rider: Headers, bearer: Bearer
) -> None:
    """Introduced by the platform, exported by the rider alone, erased with what they wrote; the ledger stays."""
    platform, before = bearer("platform"), lines_of(store)
    person = {"name": "张三", "phone": "13800000000"}
    assert client.put("/v1/riders/r1/person", json=person, headers=platform).status_code == 204
    asked = {"reason_code": "not_late", "reason": "我是张三", "evidence_ref": "photo/1"}
    entry = entry_of(store, "e2")
    headers = rider | {"Idempotency-Key": "k1"}
    assert client.post(f"/v1/entries/{entry}/appeal", json=asked, headers=headers).status_code == 201

    held: dict[str, Any] = client.get("/v1/riders/r1/export", headers=rider).json()

    assert held["person"] == person
    assert [row["event_id"] for row in held["events"]] == ["e1", "e2"]
    assert held["appeals"][0]["reason"] == "我是张三"
    assert [key["subject"] for key in held["keys"]] == ["r1"]
    assert "secret" not in json.dumps(held["keys"])
    assert [row["status"] for row in held["requests"]] == [201]
    assert client.get("/v1/riders/r2/export", headers=rider).status_code == 404
    assert client.get("/v1/riders/r1/export", headers=bearer("ops")).status_code == 403
    assert client.delete("/v1/riders/r2/person", headers=rider).status_code == 404
    assert client.delete("/v1/riders/r1/person", headers=bearer("ops", "x", cities=["suzhou"])).status_code == 404
    erased = client.delete("/v1/riders/r1/person", headers=rider)
    assert (erased.status_code, erased.json()) == (200, {"held": True})
    assert client.get("/v1/riders/r1/export", headers=rider).json()["code"] == "token_revoked"
    again = bearer("rider", "r1")
    after = client.get("/v1/riders/r1/export", headers=again)
    assert "张三" not in after.text
    assert "photo/1" not in after.text
    assert client.get("/v1/riders/r1/card", headers=again).json()["appeals"][0]["reason"] is None
    assert lines_of(store) == before


def test_a_platform_introduces_riders_of_its_cities(client: TestClient, rider: Headers, bearer: Bearer) -> None:
    """Who has no order yet may be introduced; another city's rider may not."""
    elsewhere = bearer("platform", "p", cities=["suzhou"])

    assert client.put("/v1/riders/new/person", json={"name": "李四"}, headers=elsewhere).status_code == 204
    assert client.put("/v1/riders/r1/person", json={"name": "李四"}, headers=elsewhere).status_code == 404
    assert client.put("/v1/riders/r1/person", json={"name": ""}, headers=bearer("platform")).status_code == 422
    assert client.put("/v1/riders/r1/person", json={}, headers=rider).status_code == 403
