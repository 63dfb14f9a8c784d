"""Tokens: who gets in, and what they may do there."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.access import keys, sessions
from api.app.create import create_app
from api.db.store import Store
from api.db.unit_of_work import ReadUnit
from api.endpoints.common.auth import Authenticator, check_scopes, session_actor
from api.endpoints.common.problems import Problem
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


CACHE_S = 60


@pytest.fixture
def authenticator(store: Store, clock: Clock) -> Authenticator:
    """One that believes a token for a minute."""
    settings = Settings(database_url=store.url, token_cache_s=CACHE_S)
    return Authenticator(Service(store, settings, clock=clock))


def request(*authorization: bytes) -> dict[str, Any]:
    """A request with headers of that name among others."""
    others = [(b"accept", b"*/*"), (b"x-authorization", b"Bearer rs_")]
    return {"type": "http", "headers": [*others, *((b"authorization", value) for value in authorization)]}


def of(headers: dict[str, str]) -> dict[str, Any]:
    """A request with a key."""
    return request(headers["Authorization"].encode())


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ((), "unauthenticated"),
        ((b"Bearer one", b"Bearer two"), "token_invalid"),
        ((b"Basic one",), "token_invalid"),
        ((b"Bearer",), "token_invalid"),
        ((b"Bearer ",), "token_invalid"),
        ((b"Bearer " + bytes(8_193),), "token_invalid"),
        ((b"bEARER one",), None),
        ((b"Bearer " + bytes(8_192),), None),
    ],
)
def test_a_request_names_one_bearer_token(
    authenticator: Authenticator, values: tuple[bytes, ...], code: str | None
) -> None:
    """Neither none nor two, of another kind, empty or above 8 192 bytes; what may be one is not believed before it is known."""
    if code is None:
        assert authenticator.believed(request(*values)) is None
    else:
        with pytest.raises(Problem) as refused:
            authenticator.believed(request(*values))
        assert refused.value.code == code


def test_a_token_is_believed_for_a_while(authenticator: Authenticator, bearer: Bearer, clock: Clock) -> None:
    """For `token_cache_s` to the microsecond; a request that knows its actor is not asked again."""
    headers = bearer("ops", "li.na", ["hangzhou"])
    first = of(headers)
    actor = own_loop.run(authenticator.actor(first))

    clock.now_us += CACHE_S * 1_000_000 - 1
    assert authenticator.believed(of(headers)) == actor
    clock.now_us += 1
    assert authenticator.believed(of(headers)) is None
    assert authenticator.believed(first) == actor
    assert (actor.role, actor.subject, actor.cities) == ("ops", "li.na", ("hangzhou",))
    assert actor.expires_us == START_US + 90 * 86_400 * 1_000_000
    assert actor.key_id == actor.token_id == headers["Authorization"].split("_")[1]


def test_a_key_is_new_until_it_was_good(
    authenticator: Authenticator, bearer: Bearer, store: Store, clock: Clock
) -> None:
    """And again once it was refused; a token of another issuer never is."""
    headers = bearer("ops")
    seen = [authenticator.is_new(of(headers))]
    own_loop.run(authenticator.actor(of(headers)))
    seen.append(authenticator.is_new(of(headers)))
    with store.writing(clock()) as unit:
        keys.revoke_key(unit, headers["Authorization"].split("_")[1], "cli:token")
    authenticator.forget()
    with pytest.raises(Problem, match="token_revoked"):
        own_loop.run(authenticator.actor(of(headers)))
    seen.append(authenticator.is_new(of(headers)))

    assert seen == [True, False, True]
    assert not authenticator.is_new(request(b"Bearer ey.ey.x"))


@pytest.mark.parametrize(("later_us", "moves"), [(59_999_999, False), (60_000_000, True)])
def test_a_keys_use_is_written_once_a_minute(
    authenticator: Authenticator, bearer: Bearer, store: Store, clock: Clock, later_us: int, moves: bool
) -> None:
    """The first use is, and the next a minute later."""
    token = bearer("ops")["Authorization"].split()[1]

    authenticator.read(token)
    clock.now_us += later_us
    authenticator.read(token)

    with store.reading() as unit:
        (key,) = keys.all_keys(unit)
    assert key.last_used_us == START_US + (later_us if moves else 0)


def test_a_session_is_of_its_person_until_it_ends(authenticator: Authenticator, store: Store, clock: Clock) -> None:
    """Any other text is nobody's; what its JWT was signed with must still be the issuer's."""
    service = Service(store, Settings(database_url=store.url), clock=clock)
    with store.writing(clock()) as unit:
        text = sessions.begin_session(unit, "ops", "li.na", ("hangzhou",), until_us=START_US + 100)
        signed = sessions.begin_session(unit, "ops", "chen", signed_by="a key that is gone")

    actor = session_actor(service, authenticator.jwts, text)

    assert actor is not None
    assert (actor.role, actor.subject, actor.cities, actor.expires_us) == (
        "ops",
        "li.na",
        ("hangzhou",),
        START_US + 100,
    )
    assert actor.session_id is not None
    assert actor.token_id == f"session:{actor.session_id[:16]}"
    assert session_actor(service, authenticator.jwts, signed) is None
    assert session_actor(service, authenticator.jwts, "0" * 64) is None
    clock.now_us += 100
    assert session_actor(service, authenticator.jwts, text) is None


def test_scopes_are_asked_of_somebody() -> None:
    """Nobody is unauthenticated; a role without any of the scopes is refused with their names; one of them is enough."""
    ops = Actor("ops", "li.na", (), "test")

    assert check_scopes(ops, ("appeals:decide", "books:approve")) is ops
    with pytest.raises(Problem, match="unauthenticated"):
        check_scopes(None, ("appeals:decide",))
    with pytest.raises(Problem, match="scope_missing"):
        check_scopes(ops, ("books:approve",))
