"""The ten routes that change a draft read the same things, refuse alike, and answer alike."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from api.access.scopes import SCOPES
from api.books.draft_rows import Draft
from api.books.transitions import TRANSITIONS, Verb
from api.db.store import Store
from tests.api.books.worlds import NOW_US, approved, begun, enact, scheduled, submitted, version
from tests.api.endpoints.conftest import Bearer, Clock

# How each verb is asked for, and a draft on which it is allowed.
ROUTES: dict[Verb, tuple[str, str, Any, Any]] = {
    "save": ("PUT", "", {"edits": [{"path": "/late_days", "value": 3}]}, begun),
    "undo": ("POST", "/undo", None, begun),
    "restore": ("POST", "/restore", {"revision": 1}, begun),
    "rebase": ("POST", "/rebase", None, begun),
    "submit": ("POST", "/submit", None, begun),
    "withdraw": ("POST", "/withdraw", {"reason": "not needed"}, begun),
    "approve": ("POST", "/approve", {"reason": "read it"}, submitted),
    "reject": ("POST", "/reject", {"reason": "too hard"}, submitted),
    "schedule": ("POST", "/schedule", None, approved),
    "cancel": ("POST", "/cancel", {"reason": "not yet"}, scheduled),
}
PERSON = {"drafts:write": ("ops", "ann"), "books:schedule": ("ops", "ann"), "drafts:approve": ("approver", "cai")}


@pytest.fixture
def clock() -> Clock:
    """Noon of 2026-03-02 in Shanghai."""
    return Clock(NOW_US)


@pytest.fixture
def law(store: Store) -> Store:
    """One book in force in two cities."""
    enact(store, version())
    return store


def ask(client: TestClient, verb: Verb, draft: Draft, headers: dict[str, str], draft_id: str = "") -> Any:
    """The answer of a verb's route."""
    method, path, body, _ = ROUTES[verb]
    if verb in ("approve", "reject"):
        body = {**body, "content_digest": draft.content_digest}
    return client.request(method, f"/v1/books/drafts/{draft_id or draft.draft_id}{path}", json=body, headers=headers)


@pytest.mark.parametrize("verb", ROUTES)
def test_a_step_is_of_what_was_read_and_answers_with_its_etag(
    law: Store, client: TestClient, bearer: Bearer, verb: Verb
) -> None:
    """Without If-Match 428, with an old one 412, of no draft 404; else the state that the table says, and its ETag."""
    with law.writing(NOW_US) as unit:
        draft = ROUTES[verb][3](unit)
    scope = TRANSITIONS[verb].scope
    assert scope is not None
    who = bearer(*PERSON[scope])

    unread = ask(client, verb, draft, who)
    stale = ask(client, verb, draft, {**who, "If-Match": '"1-open-0"'})
    unknown = ask(client, verb, draft, {**who, "If-Match": "*"}, draft_id="nowhere")
    done = ask(client, verb, draft, {**who, "If-Match": f'"{draft.etag}"', "Accept-Language": "zh"})

    assert [each.status_code for each in (unread, stale, unknown, done)] == [428, 412, 404, 200]
    shown = done.json()["draft"] if verb == "save" else done.json()
    assert shown["state"] == TRANSITIONS[verb].target
    assert done.headers["ETag"] == f'"{shown["revision"]}-{shown["state"]}-{shown["changed_us"]}"'
    assert done.headers["Content-Language"] == "zh"


@pytest.mark.parametrize("verb", ROUTES)
def test_a_step_needs_the_scope_of_the_table(law: Store, client: TestClient, bearer: Bearer, verb: Verb) -> None:
    """Every role without it is refused, whatever the draft."""
    with law.writing(NOW_US) as unit:
        draft = ROUTES[verb][3](unit)
    without = [role for role in ("ops", "approver", "platform") if TRANSITIONS[verb].scope not in SCOPES[role]]

    answers = [ask(client, verb, draft, {**bearer(role, "dee"), "If-Match": "*"}) for role in without]

    assert [answer.status_code for answer in answers] == [403] * len(without)
    assert without
