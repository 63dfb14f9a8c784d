"""Rule books over HTTP: what is in force where, each version with the law beside it, one step back, the audit trail."""

import csv
import datetime as dt
import io
import json

import pytest
from starlette.testclient import TestClient

from api.books.deployment import seed_shipped
from api.books.in_force import stored_program
from api.books.scheduling import activate_due
from api.db.audit_notes import add_audit_note
from api.db.store import Store
from rules.shelf import versions
from tests.api.books.worlds import NOW_US, day_us, enact, scheduled, version
from tests.api.endpoints.conftest import Bearer, Clock
from tests.api.law import seed_in_force

TAOBAO = versions("taobao-crowdsourced")[0]


@pytest.fixture
def clock() -> Clock:
    """Noon of 2026-03-02 in Shanghai."""
    return Clock(NOW_US)


def test_books_in_force_are_listed_by_place(store: Store, client: TestClient, bearer: Bearer) -> None:
    """Every city of a deployment table, page by page."""
    with store.writing(NOW_US) as unit:
        seed_in_force(unit)
    headers = bearer("policy")

    places, cursor = [], ""
    while True:
        answer = client.get(f"/v1/books?limit=4{cursor}", headers=headers).json()
        places += answer["items"]
        if answer["cursor"] is None:
            break
        cursor = f"&cursor={answer['cursor']}"
    local = client.get("/v1/books?city=hangzhou", headers=headers).json()

    assert len(places) == len({(place["city"], place["rider_kind"]) for place in places}) == 13
    assert {place["in_force"]["book_id"] for place in local["items"]} == {"taobao-crowdsourced", "taobao-dedicated"}
    assert "legacy-fine" in {book["book_id"] for book in local["books"]}


def test_a_version_shipped_for_a_later_day_comes_into_force_by_nobody_but_people(store: Store) -> None:
    """A fresh database holds what has begun; the rest takes a draft and its approval."""
    begun, later = versions("gbt-46862-reference")
    with store.writing(NOW_US) as unit:
        seed_shipped(unit)
        stored = {book.digest for book in stored_program(unit).books}

    assert (begun.digest in stored, later.digest in stored) == (True, False)


def test_a_version_stands_in_full_with_the_law_beside_it(store: Store, client: TestClient, bearer: Bearer) -> None:
    """Resolved document, what it extends, the clause beside each rule, where it judges, what changed since."""
    with store.writing(NOW_US) as unit:
        seed_in_force(unit)
    headers = bearer("approver") | {"Accept-Language": "zh"}
    dedicated = versions("taobao-dedicated")[0]

    shown = client.get(f"/v1/books/{dedicated.id}/versions/{dedicated.digest}", headers=headers).json()
    since = client.get(
        f"/v1/books/{dedicated.id}/versions/{dedicated.digest}?since={TAOBAO.digest}", headers=headers
    ).json()
    book = client.get(f"/v1/books/{TAOBAO.id}", headers=headers).json()

    assert shown["extends"] == "taobao-crowdsourced@2025-12-03"
    assert "extends" not in shown["document"]
    assert [rule["id"] for rule in shown["document"]["rule"]] == ["on_time", "late_5", "late_over_5"]
    clause = next(each for each in shown["clauses"] if (each["rule"], each["clause"]) == ("late_5", "no_fines"))
    assert (clause["pointer"], clause["number"]) == ("/rule/1", "GB/T 46862-2025 7.2.8")
    assert "扣款" in clause["law"]
    assert shown["places"] == [{"city": "hangzhou", "rider_kind": "dedicated"}]
    assert {fault["severity"] for fault in shown["faults"]} == {"warning"}
    assert (shown["changes"], shown["since"]) == ([], None)
    assert any(change["key"] == "rider_kinds" for change in since["changes"])
    assert [version["digest"] for version in book["versions"]] == [TAOBAO.digest]
    for path in (f"{TAOBAO.id}/versions/{dedicated.digest}", f"{TAOBAO.id}/versions/{'0' * 64}", "nothing"):
        assert client.get(f"/v1/books/{path}", headers=headers).status_code == 404


def test_a_roll_back_takes_one_request_and_one_approval(
    store: Store, client: TestClient, bearer: Bearer, clock: Clock
) -> None:
    """Told as such to riders: notice waived, and which version comes back."""
    enact(store, version())
    with store.writing(NOW_US) as unit:
        worse = scheduled(unit)
    clock.now_us = day_us(dt.date(2026, 3, 10)) + 1
    with store.writing(clock()) as unit:
        activate_due(unit)
    ann, cai = bearer("ops", "ann"), bearer("approver", "cai")

    asked = client.post("/v1/books/city/rollback", json={"digest": version().digest, "reason": "扣分太重"}, headers=ann)
    path = asked.headers["Location"]
    approved = client.post(
        f"{path}/approve",
        json={"content_digest": asked.json()["content_digest"]},
        headers={**cai, "If-Match": asked.headers["ETag"]},
    )
    shelf = client.get("/v1/books?city=hangzhou", headers=ann).json()["items"][0]
    again = client.post("/v1/books/city/rollback", json={"digest": str(worse.book_digest), "reason": "x"}, headers=ann)

    assert (asked.status_code, asked.json()["state"]) == (201, "submitted")
    assert approved.json()["state"] == "scheduled"
    assert (shelf["scheduled"][0]["restores"], shelf["scheduled"][0]["notice_waived"]) == (version().digest, True)
    assert shelf["in_force"]["digest"] == worse.book_digest
    assert (again.status_code, again.json()["code"]) == (409, "version_in_force")


@pytest.fixture
def told(store: Store) -> Store:
    """Some lines in the audit trail, one of them meant for a spreadsheet's formulas."""
    with store.writing(NOW_US) as unit:
        add_audit_note(unit, "ops:ann", "draft_begun", "d1", city="hangzhou", title='=HYPERLINK("x")')
        add_audit_note(unit, "ops:=cmd|' /C calc'!A0", "draft_saved", "@d1", city="ningbo")
        add_audit_note(unit, "approver:cai", "draft_approved", "+d1", reason="看过\n同意")
    return store


def test_the_audit_trail_is_read_by_page_and_filter(told: Store, client: TestClient, bearer: Bearer) -> None:
    """Newest first; by person, action, beginning of an action, subject, time, city."""
    headers = bearer("approver")
    ask = "/v1/audit?action=draft_*"

    first = client.get(f"{ask}&limit=2", headers=headers).json()
    rest = client.get(f"{ask}&limit=2&cursor={first['cursor']}", headers=headers).json()

    assert [line["action"] for line in first["items"] + rest["items"]] == [
        "draft_approved",
        "draft_saved",
        "draft_begun",
    ]
    assert rest["cursor"] is None

    def found(query: str) -> list[str]:
        return [line["subject"] for line in client.get(f"{ask}&{query}", headers=headers).json()["items"]]

    assert found("by=ops:ann") == ["d1"]
    assert found("subject=%2Bd1") == ["+d1"]
    assert found("city=ningbo") == ["@d1"]
    assert found(f"from_us={NOW_US}&to_us={NOW_US + 1}") == ["+d1", "@d1", "d1"]
    assert found(f"to_us={NOW_US}") == []
    assert client.get("/v1/audit?cursor=x", headers=headers).json()["code"] == "cursor_invalid"


def test_who_is_of_one_city_reads_its_lines_alone(told: Store, client: TestClient, bearer: Bearer) -> None:
    """In pages and in exports."""
    headers = bearer("ops", "dee", cities=["hangzhou"])

    page = client.get("/v1/audit", headers=headers).json()["items"]
    taken = client.get("/v1/audit?format=ndjson", headers=headers).text.splitlines()

    assert [line["subject"] for line in page] == ["d1"]
    assert [json.loads(line)["subject"] for line in taken] == ["d1"]
    assert client.get("/v1/audit?city=ningbo", headers=headers).status_code == 404


def test_the_audit_trail_is_taken_along_without_formulas(told: Store, client: TestClient, bearer: Bearer) -> None:
    """CSV that a spreadsheet opens as text, oldest first; NDJSON with the same lines untouched."""
    headers = bearer("ops")

    answer = client.get("/v1/audit?format=csv&action=draft_*", headers=headers)
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    plain = [
        json.loads(line)
        for line in client.get("/v1/audit?format=ndjson&action=draft_*", headers=headers).text.splitlines()
    ]

    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.text.startswith("\ufeff")
    assert [row["subject"] for row in rows] == ["d1", "'@d1", "'+d1"]
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    assert [line["subject"] for line in plain] == ["d1", "@d1", "+d1"]
    assert plain[2]["detail"]["reason"] == "看过\n同意"
    assert plain[0]["recorded_at"].endswith("Z")
