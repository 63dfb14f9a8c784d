"""Every route × every role: who gets in. A route that stands in no row here fails the suite."""

import re

import pytest
from starlette.testclient import TestClient

from api.access.keys import ROLES
from api.access.scopes import SCOPES
from tests.api.endpoints.conftest import Bearer
from tests.api.endpoints.roles import MAY, OPEN, routes


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
