"""Pages in process, without a browser: the service of the HTTP tests, and somebody signed in."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.store.units import Store
from api.web.session import FORM_COOKIE, SESSION_COOKIE
from tests.api.http.conftest import Bearer, bearer, client, clock, settings
from tests.api.store.posts import publish

__all__ = ["bearer", "client", "clock", "settings"]

SignIn = Callable[..., TestClient]
HERE = {"Origin": "http://testserver"}


@pytest.fixture
def url(tmp_path: Path) -> str:
    """An empty database: pages call verbs, which are tested on both engines."""
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def sign_in(client: TestClient, bearer: Bearer, store: Store) -> SignIn:
    """`sign_in("ops")`: the client with somebody's session, and a form token."""
    publish(store, "taobao-crowdsourced")

    def enter(role: str, subject: str = "", cities: tuple[str, ...] = ()) -> TestClient:
        client.follow_redirects = False
        key = bearer(role, subject, cities)["Authorization"].removeprefix("Bearer ")
        client.cookies.set(SESSION_COOKIE, key, domain="testserver.local", path="/")
        client.get("/login")
        return client

    return enter


def token_of(client: TestClient) -> str:
    """The form token of the client's browser."""
    return client.cookies[FORM_COOKIE]


def said(text: str) -> str:
    """The heading of a page."""
    found = re.search(r"<h1[^>]*>(.*?)</h1>", text, re.DOTALL)
    assert found is not None
    return found[1]
