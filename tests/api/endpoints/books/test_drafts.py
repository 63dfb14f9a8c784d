"""A change of a rule over HTTP: begun, edited, checked, tried, approved by another, in force on its day."""

import datetime as dt
import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.books.draft_rows import draft_of
from api.db.store import Store
from rules.json_form import to_json
from rules.parse import parse
from rules.shelf import shipped
from tests.api.books.worlds import NOW_US, day_us, done_impact, enact, raw, version
from tests.api.cli.commands import run, run_json
from tests.api.endpoints.conftest import Bearer, Clock
from tests.builders import delivered

DRAFTS = "/v1/books/drafts"


@pytest.fixture
def clock() -> Clock:
    """Noon of 2026-03-02 in Shanghai."""
    return Clock(NOW_US)


@pytest.fixture
def law(store: Store) -> Store:
    """One book in force in two cities."""
    enact(store, version())
    return store


class Desk:
    """A person at the API, who always sends the ETag last read."""

    def __init__(self, client: TestClient, headers: dict[str, str]) -> None:
        self.client, self.headers, self.etag = client, headers, ""

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """An answer; its ETag is kept."""
        sent = {**self.headers, **({"If-Match": self.etag} if self.etag else {}), **headers}
        answer = self.client.request(method, path, json=body, headers=sent)
        self.etag = answer.headers.get("ETag", self.etag)
        return answer

    def begin(self, **body: Any) -> Any:
        """A new draft's document."""
        self.etag = ""
        answer = self.send("POST", DRAFTS, body)
        assert answer.status_code == 201, answer.text
        return answer.json()


@pytest.fixture
def ann(law: Store, client: TestClient, bearer: Bearer) -> Desk:
    """Somebody in operations."""
    return Desk(client, bearer("ops", "ann"))


@pytest.fixture
def cai(law: Store, client: TestClient, bearer: Bearer) -> Desk:
    """An approver."""
    return Desk(client, bearer("approver", "cai"))


def points(value: float) -> list[dict[str, Any]]:
    """Edits that set another deduction, and its example."""
    return [
        {"op": "set", "path": "/rule/1/points", "value": value},
        {"path": "/rule/1/example/0/expect/points", "value": value},
    ]


def test_a_change_from_the_first_edit_to_its_day(ann: Desk, cai: Desk, clock: Clock, bearer: Bearer) -> None:
    """Every step over HTTP, each with the tag that was read; an event of the day is judged by the change."""
    made = ann.begin(digest=version().digest)
    path = f"{DRAFTS}/{made['draft']['draft_id']}"
    saved = ann.send("PUT", path, {"edits": points(-1.5)}).json()
    tried = ann.send("POST", f"{path}/try", {"kind": "delivered", "facts": {"late_s": 240}}).json()
    submitted = ann.send("POST", f"{path}/submit").json()
    cai.send("GET", path)
    approved = cai.send("POST", f"{path}/approve", {"content_digest": submitted["content_digest"], "reason": "fair"})
    ann.send("GET", path)
    scheduled = ann.send("POST", f"{path}/schedule").json()
    shelf = ann.send("GET", "/v1/books?city=hangzhou").json()["items"][0]
    clock.now_us = day_us(dt.date(2026, 3, 10)) + 1
    event = delivered("e1", late_min=4) | {"occurred_us": clock.now_us, "delivered_us": clock.now_us}
    event["assess_deadline_us"] = event["promised_us"] = clock.now_us - 240_000_000
    answer = ann.client.post("/v1/events", json=event, headers=bearer("platform")).json()
    stands = ann.send("GET", path).json()

    assert saved["checked"]["can_submit"], saved["checked"]
    assert saved["draft"]["document"]["rule"][1]["points"] == -1.5
    assert (tried["score_before_mp"], tried["score_after_mp"]) == (70_000, 68_500)
    assert [row["fired"] for row in tried["groups"][0]["rows"]] == [False, True]
    assert tried["entries"][0]["because"]["children"]
    assert submitted["state"] == "submitted"
    assert approved.json()["state"] == "approved"
    assert scheduled["state"] == "scheduled"
    assert shelf["scheduled"][0]["effective_from"] == "2026-03-10"
    assert [entry["delta_mp"] for entry in answer["results"][0]["entries"]] == [-1500]
    assert stands["state"] == "in_force"
    assert [one["approver"] for one in stands["approvals"]] == ["cai"]


@pytest.mark.parametrize("book_id", shipped())
def test_an_exported_book_comes_back(ann: Desk, book_id: str) -> None:
    """What `books export` and `books show` print can be begun with, and what a draft shows can be put back unchanged."""
    exported = json.loads(run("books", "export", book_id, "--format", "json").stdout)
    shown = run_json("books", "show", book_id)

    drafts = [ann.begin(document=document, targets=[])["draft"] for document in (exported, shown)]
    put = ann.send("PUT", f"{DRAFTS}/{drafts[1]['draft_id']}", {"document": drafts[1]["document"]}).json()

    assert [draft["document"] for draft in drafts] == [exported, exported]
    assert put["draft"]["content_digest"] == drafts[1]["content_digest"]
    assert put["checked"]["document"] == []
    assert parse(put["draft"]["toml"], "draft").digest == shown["digest"]


def test_numbers_are_taken_exactly(ann: Desk, bearer: Bearer) -> None:
    """0.2 is 200 milli-points; what a float would round to 0.2 is a fault that shows what was sent."""
    document = json.dumps(to_json(version().document)).replace('"points": -1,', '"points": %s,', 1)
    bodies = ['{"targets": [], "document": ' + document % number + "}" for number in ("0.2", "0.20000000000000000001")]
    headers = {**ann.headers, "Content-Type": "application/json"}

    right, wrong = (ann.client.post(DRAFTS, content=body, headers=headers).json() for body in bodies)

    book = parse(right["draft"]["toml"], "draft")
    assert 200 in [rule.points_mp for rule in book.model.rule]
    faults = {fault["code"]: fault["given"] for fault in wrong["checked"]["document"]}
    assert faults == {"too_many_decimals": "0.20000000000000000001"}


def test_a_document_may_extend_a_book(ann: Desk) -> None:
    """As JSON as in TOML: what it extends is merged in; a parent that is not there is named and nothing is kept."""
    document = {"id": "city", "effective_from": "2026-03-20", "extends": "legacy-fine", "late_days": 3}

    made = ann.begin(document=document, targets=[])
    lost = ann.send("POST", DRAFTS, {"document": document | {"extends": "nobody"}, "targets": []})

    assert made["checked"]["document"] == []
    assert (made["draft"]["document"]["regime"], made["draft"]["document"]["late_days"]) == ("legacy", 3)
    assert lost.json()["code"] == "book_faulty"
    assert "extends" not in made["draft"]["document"]


def test_what_was_not_read_is_not_changed(ann: Desk) -> None:
    """428 without If-Match, 412 with an old one, 304 for who has it; a star is for those who mean whatever stands."""
    made = ann.begin(digest=version().digest)
    path, first = f"{DRAFTS}/{made['draft']['draft_id']}", ann.etag
    assert ann.send("GET", path, **{"If-None-Match": first}).status_code == 304
    assert ann.send("PUT", path, {"edits": points(-2)}).status_code == 200

    codes = {}
    for tag in (first, "*", ""):
        headers = dict(ann.headers) | ({"If-Match": tag} if tag else {})
        answer = ann.client.put(path, json={"edits": points(-3)}, headers=headers)
        codes[tag] = (answer.status_code, answer.json().get("code"))

    assert codes == {first: (412, "precondition_failed"), "*": (200, None), "": (428, "precondition_required")}
    for verb in ("undo", "submit", "rebase", "schedule"):
        assert ann.client.post(f"{path}/{verb}", headers=ann.headers).status_code == 428


@pytest.mark.parametrize(
    ("edits", "number", "path"),
    [
        ([{"path": "/rule/999/points", "value": 1}], 0, "/rule/999/points"),
        ([{"path": "/score/base", "value": 1}, {"path": "/rule/x/points", "value": 1}], 1, "/rule/x/points"),
        ([{"op": "remove", "part": "rule", "at": 999}], 0, "rule"),
        ([{"op": "move", "part": "nowhere", "at": 0, "to": 1}], 0, "nowhere"),
    ],
)
def test_an_edit_that_leads_nowhere_is_named(ann: Desk, edits: list[dict[str, object]], number: int, path: str) -> None:
    """409 in both languages, with its position and where it was to be; the draft stays as it was."""
    made = ann.begin(digest=version().digest)
    place, tag = f"{DRAFTS}/{made['draft']['draft_id']}", ann.etag

    answers = [ann.send("PUT", place, {"edits": edits}, **{"Accept-Language": lang}) for lang in ("en", "zh")]

    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (409, "edit_impossible")
        assert str(number) in answer.json()["detail"]
        assert path in answer.json()["detail"]
    assert ann.send("GET", place, **{"If-None-Match": tag}).status_code == 304


def test_a_faulty_draft_is_kept_and_each_fault_named_with_its_cell(ann: Desk) -> None:
    """In the words of the reader; submission is refused with the same places."""
    made = ann.begin(digest=version().digest)
    path = f"{DRAFTS}/{made['draft']['draft_id']}"
    edits = [{"path": "/rule/1/points", "value": "many"}, {"path": "/score/base", "value": 0.00001}]

    saved = ann.send("PUT", path, {"edits": edits}, **{"Accept-Language": "zh"}).json()["checked"]
    refused = ann.send("POST", f"{path}/submit")
    tried = ann.send("POST", f"{path}/try", {"kind": "delivered"})

    assert {(fault["pointer"], fault["code"]) for fault in saved["document"]} == {
        ("/rule/1/points", "expected_number"),
        ("/score/base", "too_many_decimals"),
    }
    assert "many" in next(fault["detail"] for fault in saved["document"] if fault["pointer"] == "/rule/1/points")
    assert refused.status_code == 409
    assert {error["place"] for error in refused.json()["errors"]} == {"/document/rule/1/points", "/document/score/base"}
    assert (tried.status_code, tried.json()["code"]) == (409, "book_faulty")


def test_a_draft_begins_in_five_ways(ann: Desk) -> None:
    """With a version, a place, TOML, JSON, or nothing; broken TOML is refused with its line."""
    here = [{"city": "hangzhou", "rider_kind": "crowdsourced"}]
    toml = 'id = "pilot"\neffective_from = 2026-04-01\nannounced = 2026-03-03\nextends = "city"\n'
    document = {key: value for key, value in raw("plain").items() if key in ("id", "title")} | {
        "effective_from": "2026-04-01"
    }

    begun = [
        ann.begin(digest=version().digest, city="hangzhou", title="雨天"),
        ann.begin(city="hangzhou", rider_kind="crowdsourced"),
        ann.begin(toml=toml, targets=here),
        ann.begin(document=document, targets=here),
        ann.begin(empty_book_id="fresh", targets=[]),
    ]
    broken = ann.send("POST", DRAFTS, {"toml": "id = [", "targets": []})

    assert [each["draft"]["book_id"] for each in begun] == ["city-hangzhou", "city-hangzhou", "pilot", "plain", "fresh"]
    assert begun[0]["draft"]["title"] == "雨天"
    assert begun[3]["draft"]["document"]["effective_from"] == "2026-04-01"
    assert begun[2]["checked"]["can_submit"]
    assert [each["checked"]["can_submit"] for each in begun[3:]] == [False, False]
    assert (broken.status_code, broken.json()["code"]) == (409, "book_faulty")


def test_undo_restore_withdraw_and_places(ann: Desk) -> None:
    """Each answers with the draft after it; a withdrawn one is closed."""
    made = ann.begin(digest=version().digest)
    path = f"{DRAFTS}/{made['draft']['draft_id']}"
    ann.send("PUT", path, {"edits": points(-2)})
    narrowed = ann.send("PUT", path, {"targets": [{"city": "ningbo", "rider_kind": "crowdsourced"}]}).json()
    undone = ann.send("POST", f"{path}/undo").json()
    restored = ann.send("POST", f"{path}/restore", {"revision": 1}).json()
    toml = ann.send("PUT", path, {"toml": restored["toml"].replace("late_days = 2", "late_days = 3")}).json()
    gone = ann.send("POST", f"{path}/withdraw", {"reason": "不再需要"}).json()
    closed = ann.send("PUT", path, {"edits": points(-2)})

    assert [fault["code"] for fault in narrowed["checked"]["dates"]] == ["targets_incomplete"]
    assert (len(undone["targets"]), undone["document"]["rule"][1]["points"]) == (2, -2)
    assert restored["document"]["rule"][1]["points"] == -1
    assert toml["draft"]["document"]["late_days"] == 3
    assert gone["state"] == "withdrawn"
    assert (closed.status_code, closed.json()["code"]) == (409, "draft_closed")


def test_nobody_decides_on_their_own_words(
    ann: Desk, cai: Desk, law: Store, client: TestClient, bearer: Bearer
) -> None:
    """The same person under an approver's token is refused; so is a decision on another content."""
    made = ann.begin(digest=version().digest)
    path = f"{DRAFTS}/{made['draft']['draft_id']}"
    ann.send("PUT", path, {"edits": points(-2)})
    submitted = ann.send("POST", f"{path}/submit").json()
    own = Desk(client, bearer("approver", "ann"))
    for desk in (own, cai):
        desk.send("GET", path)

    answers = [
        own.send("POST", f"{path}/approve", {"content_digest": submitted["content_digest"]}),
        cai.send("POST", f"{path}/approve", {"content_digest": "0" * 64}),
        ann.send("POST", f"{path}/approve", {"content_digest": submitted["content_digest"]}),
        cai.send("POST", f"{path}/reject", {"content_digest": submitted["content_digest"], "reason": "too much"}),
    ]

    assert [(answer.status_code, answer.json().get("code")) for answer in answers] == [
        (403, "author_approves"),
        (409, "not_the_content"),
        (403, "scope_missing"),
        (200, None),
    ]


def test_an_impact_is_asked_for_and_kept_with_the_approval(
    ann: Desk, cai: Desk, law: Store, clock: Clock, bearer: Bearer
) -> None:
    """Where riders have a history, approval needs it; the draft says so."""
    event = delivered("e1") | {"occurred_us": clock.now_us, "delivered_us": clock.now_us}
    assert ann.client.post("/v1/events", json=event, headers=bearer("platform")).json()["num_scored"] == 1
    made = ann.begin(digest=version().digest, city="hangzhou")
    path = f"{DRAFTS}/{made['draft']['draft_id']}"
    ann.send("PUT", path, {"edits": points(-2)})
    submitted = ann.send("POST", f"{path}/submit").json()
    started = ann.send("POST", f"{path}/impact", {"days": 7})
    cai.send("GET", path)
    needed = cai.send("POST", f"{path}/approve", {"content_digest": submitted["content_digest"]})
    with law.writing(clock()) as unit:
        done_impact(unit, draft_of(unit, submitted["draft_id"]), "done")
    body = {"content_digest": submitted["content_digest"], "impact_id": "done"}
    approved = cai.send("POST", f"{path}/approve", body)

    assert submitted["needs_impact"] is True
    assert started.status_code == 202
    assert started.headers["Location"] == f"/v1/studies/{started.json()['study_id']}"
    assert (needed.status_code, needed.json()["code"]) == (409, "impact_needed")
    assert approved.json()["approvals"][0]["impact_id"] == "done"


def test_drafts_are_listed_by_city_state_and_book(ann: Desk, client: TestClient, bearer: Bearer) -> None:
    """With a cursor; who is of one city sees and touches no other's."""
    wide = ann.begin(digest=version().digest)["draft"]
    local = ann.begin(city="hangzhou", rider_kind="crowdsourced")["draft"]
    dee = Desk(client, bearer("ops", "dee", cities=["hangzhou"]))

    first = ann.send("GET", f"{DRAFTS}?limit=1").json()
    second = ann.send("GET", f"{DRAFTS}?limit=1&cursor={first['cursor']}").json()
    own = dee.send("GET", f"{DRAFTS}?state=open").json()["items"]

    assert {first["items"][0]["draft_id"], second["items"][0]["draft_id"]} == {wide["draft_id"], local["draft_id"]}
    assert second["cursor"] is None
    assert [draft["draft_id"] for draft in own] == [local["draft_id"]]
    assert dee.send("GET", f"{DRAFTS}/{wide['draft_id']}").json()["code"] == "draft_unknown"
    assert dee.send("GET", f"{DRAFTS}?city=ningbo").status_code == 404
    assert dee.send("GET", f"{DRAFTS}/nope").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"edits": [{"op": "eval", "path": "/x"}]},
        {"edits": [{"op": "remove", "part": "rule"}]},
        {"document": []},
        {"document": {}, "toml": ""},
        {"targets": [{"city": "a\u0000", "rider_kind": "crowdsourced"}]},
        {"targets": [{"city": "a", "rider_kind": "robots"}]},
    ],
)
def test_what_is_no_change_is_refused_with_its_place(ann: Desk, body: dict[str, Any]) -> None:
    """Never a 500, always a pointer."""
    made = ann.begin(digest=version().digest)

    answer = ann.send("PUT", f"{DRAFTS}/{made['draft']['draft_id']}", body)

    assert answer.status_code == 422
    assert answer.json()["errors"]


def test_odd_numbers_and_texts_never_break_it(ann: Desk) -> None:
    """Huge, tiny, deep, half characters, NUL: kept and told, or refused politely."""
    made = ann.begin(digest=version().digest)
    path = f"{DRAFTS}/{made['draft']['draft_id']}"
    values: list[Any] = [10**300, 1e300, -1e-300, "\u0000", {"a": {"b": [1]}}, [], True, "2026-01-01", "＝1"]
    for value in values:
        for cell in ("/rule/1/points", "/effective_from", "/title/zh", "/id", "/rule/0/kind"):
            answer = ann.send("PUT", path, {"edits": [{"path": cell, "value": value}]})
            assert answer.status_code == (422 if value == "\u0000" else 200), (cell, value, answer.text)
    half = ann.client.put(
        path, content=b'{"edits": [{"path": "/title/zh", "value": "\\ud800"}]}',
        headers={**ann.headers, "If-Match": ann.etag, "Content-Type": "application/json"},
    )  # fmt: skip
    assert half.status_code in (400, 409, 422)
