"""Tokens: who gets in, and what they may do there."""

import asyncio
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from api.access import keys
from api.app.create import create_app
from api.db.store import Store
from api.db.unit_of_work import ReadUnit
from api.endpoints.common.auth import Authenticator
from api.service import Actor, Service
from api.settings import Settings
from tests.api.endpoints import own_loop
from tests.api.endpoints.conftest import Bearer, Clock
from tests.api.ledger.posts import START_US


def test_without_a_token_nothing_is_shown(client: TestClient) -> None:
    """A request without a token gets 401 and is told how to send one."""
    answer = client.get("/v1/tokens")

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/unauthenticated"


def test_a_key_opens_what_its_role_may(client: TestClient, bearer: Bearer) -> None:
    """Operations see the keys; an approver does not."""
    ops, approver = bearer("ops"), bearer("approver")

    seen = client.get("/v1/tokens", headers=ops)
    refused = client.get("/v1/tokens", headers=approver)

    assert seen.status_code == 200
    assert {item["role"] for item in seen.json()["items"]} == {"ops", "approver"}
    assert refused.status_code == 403
    assert refused.json()["code"] == "scope_missing"


def test_an_expired_key_is_refused(client: TestClient, bearer: Bearer, clock: Clock) -> None:
    """A key is good until its time and not after."""
    headers = bearer("ops", expires_us=clock() + 1_000_000)
    before = client.get("/v1/tokens", headers=headers)
    clock.forward(seconds=1)
    after = client.get("/v1/tokens", headers=headers)

    assert (before.status_code, after.status_code) == (200, 401)
    assert after.json()["code"] == "token_expired"


def test_a_key_that_is_believed_still_ends_on_time(settings: Settings, bearer: Bearer, clock: Clock) -> None:
    """An answer that is kept for a minute is not kept past the key's own end."""
    headers = bearer("ops", expires_us=clock() + 30_000_000)
    with TestClient(create_app(replace(settings, token_cache_s=60), hooks=(), clock=clock)) as client:
        before = client.get("/v1/tokens", headers=headers)
        clock.forward(seconds=30)
        after = client.get("/v1/tokens", headers=headers)

    assert (before.status_code, after.status_code) == (200, 401)
    assert after.json()["code"] == "token_expired"


def test_many_requests_of_one_key_look_it_up_once(
    store: Store, bearer: Bearer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What all ask at one moment is asked of the database once; a key that was forgotten is looked up again."""
    token = bearer("ops")["Authorization"].encode()
    authenticator = Authenticator(Service(store, Settings(database_url=store.url), clock=lambda: START_US))
    asked: list[str] = []
    real = keys.key_of

    def counted(unit: ReadUnit, written: str) -> keys.Key | None:
        asked.append(written)
        return real(unit, written)

    monkeypatch.setattr("api.access.keys.key_of", counted)

    async def crowd() -> list[Actor]:
        scopes = [{"type": "http", "headers": [(b"authorization", token)]} for _ in range(20)]
        return await asyncio.gather(*(authenticator.actor(scope) for scope in scopes))

    assert {actor.role for actor in own_loop.run(crowd())} == {"ops"}
    authenticator.forget()
    own_loop.run(crowd())

    assert len(asked) == 2
