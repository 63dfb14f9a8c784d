"""Events over HTTP: one, many, as lines; each gets an answer, and none is scored twice."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from api.db.store import Store
from tests.api.endpoints.conftest import Bearer
from tests.api.ledger.posts import START_US, later, lines_of, same_ledger, scores_of
from tests.builders import delivered

pytestmark = pytest.mark.usefixtures("_law")


def some(*events: dict[str, Any]) -> list[dict[str, Any]]:
    """Events at a time when the book is in force."""
    return later(events)


def test_one_event_is_scored_and_says_what_it_wrote(client: TestClient, bearer: Bearer, store: Store) -> None:
    """A late delivery costs a point, and the answer holds the entry."""
    event = some(delivered("e1", late_min=4))[0]

    answer = client.post("/v1/events", headers=bearer("platform"), json=event).json()

    assert (answer["num_scored"], answer["num_repeated"], answer["num_rejected"]) == (1, 0, 0)
    assert [(e["rule_id"], e["delta_mp"], e["score_after_mp"]) for e in answer["results"][0]["entries"]] == [
        (line["rule_id"], line["delta_mp"], line["score_after_mp"]) for line in lines_of(store)
    ]
    assert answer["results"][0]["entries"][0]["delta_mp"] == -1000
    assert answer["results"][0]["pointer"] == "#"


@pytest.mark.parametrize("shape", ["list", "object", "lines"])
def test_all_shapes_of_a_batch_mean_the_same(client: TestClient, bearer: Bearer, store: Store, shape: str) -> None:
    """A list, an object with events and NDJSON give the ledger of the batch run."""
    events = some(*(delivered(f"e{k}", at_min=-60 * k, late_min=k) for k in range(5)))
    headers = bearer("platform")

    if shape == "lines":
        text = "\n".join(json.dumps(event) for event in events)
        answer = client.post("/v1/events", headers=headers | {"Content-Type": "application/x-ndjson"}, content=text)
    else:
        answer = client.post("/v1/events", headers=headers, json=events if shape == "list" else {"events": events})

    assert answer.status_code == 200, answer.text
    assert [result["status"] for result in answer.json()["results"]] == ["scored"] * 5
    same_ledger(store, events, START_US)


def test_each_event_of_a_batch_has_its_own_answer(client: TestClient, bearer: Bearer) -> None:
    """Good rows are scored beside bad ones; a bad one is told where, what and what to do."""
    good, again = some(delivered("e1", late_min=4), delivered("e1", late_min=4))
    bad = good | {"event_id": "e2", "occurred_at": "2026-02-10T12:00:00"}
    del bad["occurred_us"]
    unknown = good | {"event_id": "e3", "rider_id": "r2", "city": "nowhere"}

    answer = client.post("/v1/events", headers=bearer("platform"), json=[good, again, bad, unknown]).json()

    assert [result["status"] for result in answer["results"]] == ["scored", "repeated", "rejected", "rejected"]
    naive, nowhere = answer["results"][2:]
    assert (naive["reason"], naive["column"], naive["value"]) == ("naive_time", "occurred_at", "2026-02-10T12:00:00")
    assert naive["pointer"] == "#/2/occurred_at"
    assert "+08:00" in naive["detail"]
    assert (nowhere["reason"], nowhere["value"]) == ("no_book", "nowhere")


def test_lines_are_named_by_their_number(client: TestClient, bearer: Bearer) -> None:
    """A line that is no object is rejected by itself; blank lines count."""
    event = json.dumps(some(delivered("e1"))[0])
    headers = bearer("platform") | {"Content-Type": "application/x-ndjson"}

    answer = client.post("/v1/events", headers=headers, content=f"\n{event}\n[1]\n").json()

    assert [(result["line"], result["status"]) for result in answer["results"]] == [(2, "scored"), (3, "rejected")]
    assert answer["results"][1]["reason"] == "bad_line"


def test_what_is_no_object_is_rejected_by_itself(client: TestClient, bearer: Bearer) -> None:
    """A list may hold anything; what is no event is told so beside those that are."""
    event = some(delivered("e1"))[0]

    answer = client.post("/v1/events", headers=bearer("platform"), json=[7, event, None, {"events": {}}]).json()

    assert [result["status"] for result in answer["results"]] == ["rejected", "scored", "rejected", "rejected"]
    assert [result["reason"] for result in answer["results"]] == ["bad_line", None, "bad_line", "missing_value"]


def test_a_repeated_event_changes_nothing(client: TestClient, bearer: Bearer, store: Store) -> None:
    """Posting again scores nothing; other content under the same id is refused."""
    headers, event = bearer("platform"), some(delivered("e1", late_min=4))[0]
    client.post("/v1/events", headers=headers, json=event)
    before = lines_of(store)

    again = client.post("/v1/events", headers=headers, json=event).json()
    other = client.post("/v1/events", headers=headers, json=event | {"distance_m": 5}).json()

    assert again["results"][0]["status"] == "repeated"
    assert (other["results"][0]["status"], other["results"][0]["reason"]) == ("rejected", "duplicate_conflict")
    assert lines_of(store) == before


def test_ids_of_the_service_are_not_a_platforms(client: TestClient, bearer: Bearer, store: Store) -> None:
    """Under an appeal's own id a platform could stand in the way of its answer, and of everybody's on time-out."""
    answer = client.post("/v1/events", headers=bearer("platform"), json=some(delivered("appeal:ap_x"))).json()

    result = answer["results"][0]
    assert (result["reason"], result["pointer"]) == ("bad_id", "#/0/event_id")
    assert lines_of(store) == []


@pytest.mark.parametrize("rider_id", ["hz/7", "..", "."])
def test_riders_whom_no_path_can_name_are_refused(
    client: TestClient, bearer: Bearer, store: Store, rider_id: str
) -> None:
    """They would be scored and could neither be shown nor appeal; the rest of the request is scored."""
    rows = some(delivered("e1", rider_id=rider_id), delivered("e2", rider_id="骑手 7?.#"))

    answer = client.post("/v1/events", headers=bearer("platform"), json=rows).json()
    card = client.get(f"/v1/riders/{quote('骑手 7?.#', safe='')}/card", headers=bearer("ops"))

    assert [(result["status"], result["reason"]) for result in answer["results"]] == [
        ("rejected", "no_address"),
        ("scored", None),
    ]
    assert answer["results"][0]["pointer"] == "#/0/rider_id"
    assert set(scores_of(lines_of(store))) == {"骑手 7?.#"}
    assert card.json()["rider_id"] == "骑手 7?.#"


def test_a_platform_posts_events_of_its_cities_only(client: TestClient, bearer: Bearer, store: Store) -> None:
    """An event of another city is rejected beside those that are scored."""
    here, there = some(delivered("e1"), delivered("e2", rider_id="r2", city="shanghai"))

    answer = client.post("/v1/events", headers=bearer("platform", cities=["hangzhou"]), json=[there, here]).json()

    assert [(result["status"], result["reason"]) for result in answer["results"]] == [
        ("rejected", "other_city"),
        ("scored", None),
    ]
    assert set(scores_of(lines_of(store))) == {"r1"}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "bad_json"),
        (b"", 400, "bad_json"),
        (b"\xff\xfe", 400, "bad_json"),
        (b'[{"a": NaN}]', 400, "bad_json"),
        (b'{"a": 1, "a": 2}', 400, "bad_json"),
        (b"7", 422, "invalid_request"),
        (b"null", 422, "invalid_request"),
        (b'"x"', 422, "invalid_request"),
        (b"[" * 40 + b"]" * 40, 400, "json_too_deep"),
        (b"[" * 1_000_000, 400, "json_too_deep"),
        (b'"' + b"[" * 50_000, 400, "bad_json"),
        (b'"' + b"[" * 100_000, 413, "json_too_long"),
        (b"[" + b"{}," * 10_000 + b"{}]", 413, "too_many_rows"),
    ],
)
def test_a_body_that_holds_no_events_is_refused(
    client: TestClient, bearer: Bearer, body: bytes, status: int, code: str
) -> None:
    """What is no JSON, or not made of objects, too many or too deep, is refused as a whole."""
    headers = bearer("platform") | {"Content-Type": "application/json"}

    answer = client.post("/v1/events", headers=headers, content=body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    "value",
    ["r'; DROP TABLE entries; --", '" OR 1=1', "..\\\\etc\\\\passwd", "{{7*7}}", "%00", "骑手", "\\x00", "${jndi:ldap}", "'||pg_sleep(9)||'"],
)  # fmt: skip
def test_ids_are_data(client: TestClient, bearer: Bearer, store: Store, value: str) -> None:
    """Whatever an id looks like, it is stored and given back as it is."""
    event = some(delivered("e1"))[0] | {"rider_id": value, "event_id": value, "order_id": value}

    answer = client.post("/v1/events", headers=bearer("platform"), json=event)

    assert answer.json()["results"][0]["status"] == "scored"
    assert [(line["rider_id"], line["event_id"]) for line in lines_of(store)] == [(value, value)]


@pytest.mark.parametrize("value", ["a\u0000b", "\ud800", "x" * 201, "", "a\u001fb", 1.5, True, [], {}])
def test_what_is_no_id_is_rejected_by_itself(client: TestClient, bearer: Bearer, value: object) -> None:
    """Control characters, half characters, too long and wrong types cost their row, not the service."""
    event = some(delivered("e1"))[0] | {"rider_id": value}
    headers = bearer("platform") | {"Content-Type": "application/json"}

    answer = client.post("/v1/events", headers=headers, content=json.dumps([event]).encode())

    assert answer.json()["results"][0]["status"] == "rejected"


@pytest.mark.case
def test_a_misspelt_field_costs_its_event_alone(client: TestClient, bearer: Bearer) -> None:
    """It is rejected with its place and what was meant; the others go on, and other unknown names are given once."""
    events = some(delivered("e1"), delivered("e2", at_min=1), delivered("e3", at_min=2))
    del events[1]["promised_us"]
    events[0] |= {"note": "x"}
    events[1] |= {"promise_at": "2026-01-05T12:00:00+08:00"}
    events[2] |= {"note": "y", "tip": "1"}

    answer = client.post("/v1/events", headers=bearer("platform"), json=events).json()

    assert [result["status"] for result in answer["results"]] == ["scored", "rejected", "scored"]
    refused = answer["results"][1]
    assert (refused["reason"], refused["column"], refused["pointer"]) == (
        "misspelt_field",
        "promise_at",
        "#/1/promise_at",
    )
    assert "promised" in refused["detail"]
    assert answer["ignored_keys"] == ["note", "tip"]


@pytest.mark.case
def test_an_order_is_delivered_once(client: TestClient, bearer: Bearer, store: Store) -> None:
    """Within a post the first in time stands, across posts the stored one; the answer names it, and nothing is paid twice."""
    first, second, early = some(
        delivered("e1", order_id="o"),
        delivered("e2", at_min=1, order_id="o"),
        delivered("e0", at_min=-500, order_id="o"),
    )
    headers = bearer("platform")

    one = client.post("/v1/events", headers=headers, json=[second, first]).json()["results"]
    before = lines_of(store)
    again = client.post("/v1/events", headers=headers, json=[second, early, first]).json()["results"]

    assert [result["status"] for result in one] == ["rejected", "scored"]
    assert [(result["status"], result["reason"]) for result in again] == [
        ("rejected", "duplicate_order"),
        ("rejected", "duplicate_order"),
        ("repeated", None),
    ]
    assert all("e1" in result["detail"] for result in (one[0], *again[:2]))
    assert lines_of(store) == before
