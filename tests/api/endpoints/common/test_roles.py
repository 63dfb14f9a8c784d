"""Every route × every role: who gets in. A route that stands in no row here fails the suite."""

import re
from collections.abc import Iterator
from typing import Final

import pytest
from starlette.testclient import TestClient

from api.access.keys import ROLES
from api.access.scopes import SCOPES
from api.app.create import api_routes
from tests.api.endpoints.conftest import Bearer

OPEN: Final = frozenset(
    {
        "GET /healthz",
        "GET /readyz",
        "GET /metrics",
        "GET /problems",
        "GET /problems/{code}",
        "GET /openapi.json",
        "GET /docs",
        "GET /docs/assets/{name}",
    }
)
PLATFORM, RIDER, OPS, APPROVER, POLICY = "platform", "rider", "ops", "approver", "policy"
MAY: Final[dict[str, frozenset[str]]] = {
    "POST /v1/events": frozenset({PLATFORM}),
    "POST /v1/dispatch/rounds": frozenset({PLATFORM}),
    "GET /v1/tokens": frozenset({OPS, PLATFORM}),
    "POST /v1/tokens": frozenset({PLATFORM}),
    "GET /v1/tokens/{key_id}": frozenset({OPS, PLATFORM}),
    "DELETE /v1/tokens/{key_id}": frozenset({OPS, PLATFORM}),
    "GET /v1/riders/{rider_id}/card": frozenset({RIDER, OPS, PLATFORM}),
    "GET /v1/riders/{rider_id}/entries": frozenset({RIDER, OPS, PLATFORM}),
    "GET /v1/riders/{rider_id}/forecast": frozenset({RIDER, OPS, PLATFORM}),
    "GET /v1/riders/{rider_id}/export": frozenset({RIDER}),
    "PUT /v1/riders/{rider_id}/person": frozenset({PLATFORM}),
    "DELETE /v1/riders/{rider_id}/person": frozenset({RIDER, OPS}),
    "GET /v1/riders/{rider_id}/move": frozenset({OPS, PLATFORM}),
    "POST /v1/riders/{rider_id}/move": frozenset({OPS, PLATFORM}),
    "DELETE /v1/riders/{rider_id}/move": frozenset({OPS, PLATFORM}),
    "GET /v1/moves": frozenset({OPS, PLATFORM}),
    "GET /v1/entries/{entry_id}": frozenset({RIDER, OPS, PLATFORM}),
    "POST /v1/entries/{entry_id}/appeal": frozenset({RIDER}),
    "GET /v1/appeals": frozenset({RIDER, OPS}),
    "GET /v1/appeals/{appeal_id}": frozenset({RIDER, OPS}),
    "POST /v1/appeals/{appeal_id}/decision": frozenset({OPS}),
    "GET /v1/reviews": frozenset({RIDER, OPS}),
    "GET /v1/reviews/{review_id}": frozenset({RIDER, OPS}),
    "POST /v1/reviews/{review_id}/decision": frozenset({OPS}),
    "POST /v1/reviews/{review_id}/lift": frozenset({OPS}),
    "GET /v1/cities/{city}/dashboard": frozenset({OPS, APPROVER, POLICY}),
    "GET /v1/shared-orders": frozenset({OPS}),
    "POST /v1/studies": frozenset({POLICY}),
    "POST /v1/impacts": frozenset({OPS, APPROVER, POLICY}),
    "GET /v1/studies": frozenset({OPS, APPROVER, POLICY}),
    "GET /v1/studies/{study_id}": frozenset({OPS, APPROVER, POLICY}),
    "GET /v1/studies/{study_id}/events": frozenset({OPS, APPROVER, POLICY}),
    "GET /v1/studies/{study_id}/report": frozenset({OPS, APPROVER, POLICY}),
    "POST /v1/studies/{study_id}/cancel": frozenset({OPS, APPROVER, POLICY}),
    "GET /v1/webhooks": frozenset({PLATFORM, OPS}),
    "POST /v1/webhooks": frozenset({PLATFORM, OPS}),
    "GET /v1/webhooks/{webhook_id}": frozenset({PLATFORM, OPS}),
    "DELETE /v1/webhooks/{webhook_id}": frozenset({PLATFORM, OPS}),
    "POST /v1/webhooks/{webhook_id}/ping": frozenset({PLATFORM, OPS}),
    "POST /v1/webhooks/{webhook_id}/rotate": frozenset({PLATFORM, OPS}),
    "POST /v1/webhooks/{webhook_id}/enable": frozenset({PLATFORM, OPS}),
    "GET /v1/webhooks/{webhook_id}/deliveries": frozenset({PLATFORM, OPS}),
    "GET /v1/books": frozenset({OPS, APPROVER, POLICY}),
    "GET /v1/books/{book_id}": frozenset({OPS, APPROVER, POLICY}),
    "GET /v1/books/{book_id}/versions/{digest}": frozenset({OPS, APPROVER, POLICY}),
    "POST /v1/books/{book_id}/rollback": frozenset({OPS}),
    "GET /v1/books/drafts": frozenset({OPS, APPROVER, POLICY}),
    "POST /v1/books/drafts": frozenset({OPS}),
    "GET /v1/books/drafts/{draft_id}": frozenset({OPS, APPROVER, POLICY}),
    "PUT /v1/books/drafts/{draft_id}": frozenset({OPS}),
    "POST /v1/books/drafts/{draft_id}/check": frozenset({OPS, APPROVER, POLICY}),
    "POST /v1/books/drafts/{draft_id}/try": frozenset({OPS, APPROVER, POLICY}),
    "POST /v1/books/drafts/{draft_id}/undo": frozenset({OPS}),
    "POST /v1/books/drafts/{draft_id}/restore": frozenset({OPS}),
    "POST /v1/books/drafts/{draft_id}/rebase": frozenset({OPS}),
    "POST /v1/books/drafts/{draft_id}/submit": frozenset({OPS}),
    "POST /v1/books/drafts/{draft_id}/withdraw": frozenset({OPS}),
    "POST /v1/books/drafts/{draft_id}/schedule": frozenset({OPS}),
    "POST /v1/books/drafts/{draft_id}/cancel": frozenset({OPS}),
    "POST /v1/books/drafts/{draft_id}/approve": frozenset({APPROVER}),
    "POST /v1/books/drafts/{draft_id}/reject": frozenset({APPROVER}),
    "POST /v1/books/drafts/{draft_id}/impact": frozenset({OPS, APPROVER, POLICY}),
    "GET /v1/audit": frozenset({OPS, APPROVER}),
}


def routes() -> Iterator[str]:
    """Every route of the API: `GET /v1/books`."""
    for route in api_routes():
        for method in sorted(route.methods or ()):
            yield f"{method} {route.path}"


def test_every_route_stands_in_the_table() -> None:
    """Whoever adds a route says here who may use it."""
    assert sorted(routes()) == sorted({*OPEN, *MAY})


@pytest.fixture
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Who may is the same on every engine."""
    return f"sqlite:///{tmp_path_factory.mktemp('roles') / 'store.db'}"


def ask(client: TestClient, route: str, headers: dict[str, str]) -> tuple[int, str]:
    """Status and problem code of a route asked with ids that are nobody's."""
    method, path = route.split()
    answer = client.request(method, re.sub(r"\{\w+\}", "nobody", path), headers=headers)
    is_problem = answer.headers.get("content-type") == "application/problem+json"
    return answer.status_code, answer.json()["code"] if is_problem else ""


def test_each_role_gets_where_it_may_and_nowhere_else(client: TestClient, bearer: Bearer) -> None:
    """403 without the scope; with it, whatever the route has to say, but neither 401 nor a missing scope."""
    wrong = []
    for role in ROLES:
        headers = bearer(role)
        for route, may in MAY.items():
            status, code = ask(client, route, headers)
            is_let_in = status != 401 and code != "scope_missing"
            if is_let_in != (role in may) or status >= 500:
                wrong.append((role, route, status, code))

    assert wrong == []


def test_without_a_token_nothing_but_the_open_routes(client: TestClient) -> None:
    """Every other route answers 401."""
    assert {route: ask(client, route, {})[0] for route in MAY} == dict.fromkeys(MAY, 401)


def test_open_routes_need_no_token(client: TestClient) -> None:
    """Health, meters, documents and kinds of problems are for everyone."""
    assert {route for route in OPEN if ask(client, route, {})[0] == 401} == set()


def test_the_standard_roles_are_kept_apart() -> None:
    """Who edits does not approve, who studies does not decide, who posts does not see the law's drafts; riders have only their own."""
    assert "drafts:approve" not in SCOPES["ops"]
    assert "drafts:write" not in SCOPES["approver"]
    assert SCOPES["rider"] == {"self:read", "self:appeal", "self:export", "self:erase"}
    assert not SCOPES["rider"] & frozenset().union(*(SCOPES[role] for role in ROLES if role != "rider"))
