"""Pages in process, without a browser: the service of the HTTP tests, and somebody signed in."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.access.keys import role_of
from api.access.sessions import begin_session
from api.db.store import Store
from api.endpoints.common.page_sessions import FORM_COOKIE, SESSION_COOKIE
from tests.api.endpoints.conftest import Bearer, Clock, bearer, client, clock, settings
from tests.api.ledger.posts import publish

__all__ = ["bearer", "client", "clock", "settings"]

SignIn = Callable[..., TestClient]
HERE = {"Origin": "http://testserver"}


@pytest.fixture
def url(tmp_path: Path) -> str:
    """An empty database: pages call verbs, which are tested on both engines."""
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def sign_in(client: TestClient, bearer: Bearer, store: Store, clock: Clock) -> SignIn:
    """`sign_in("ops")`: the client with somebody's session, and a form token."""
    publish(store, "taobao-crowdsourced")

    def enter(role: str, subject: str = "", cities: tuple[str, ...] = ()) -> TestClient:
        client.follow_redirects = False
        client.headers["Accept-Language"] = "zh-CN"
        key_id = bearer(role, subject, cities)["Authorization"].split("_")[1]
        with store.writing(clock()) as unit:
            written = begin_session(unit, role_of(role), subject or f"some-{role}", cities, key_id)
        client.cookies.set(SESSION_COOKIE, written, domain="testserver.local", path="/")
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
