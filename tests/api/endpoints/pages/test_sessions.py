"""Sessions of the console: opaque, ended by the service, never outliving what they were begun with."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from starlette.testclient import TestClient

from api.access import keys
from api.app.create import create_app
from api.db.identity import mark_demo
from api.db.store import Store
from api.db.tables import sessions
from api.endpoints.common.page_sessions import SESSION_COOKIE
from api.settings import Settings
from tests.api.db.databases import ENGINES, url_for
from tests.api.endpoints.conftest import Bearer, Clock
from tests.api.endpoints.pages.conftest import HERE, token_of
from tests.api.ledger.posts import later, post, publish
from tests.builders import delivered

# Seconds of work.
pytestmark = pytest.mark.slow

SHARED = "a shared secret of more than thirty-two bytes"
HOUR_S = 3_600


@pytest.fixture(params=ENGINES)
def url(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    """Both engines: sessions are rows."""
    return url_for(request.param, request, tmp_path)


@pytest.fixture
def settings(url: str) -> Settings:
    """JWTs of one issuer are taken, too; an API key is believed for long once it was looked up."""
    return Settings(
        database_url=url, token_cache_s=600, law_cache_s=0, jwt_issuer="i", jwt_audience="a", jwt_shared_key=SHARED
    )


@pytest.fixture(autouse=True)
def _books(store: Store) -> None:
    publish(store, "taobao-crowdsourced")


def enter(client: TestClient, credential: str) -> str:
    """Sign in; what the cookie holds then."""
    client.follow_redirects = False
    client.get("/login")
    form = {"form_token": token_of(client), "credential": credential}
    answer = client.post("/login", data=form, headers=HERE)
    assert answer.status_code == 303, answer.text
    return str(client.cookies[SESSION_COOKIE])


def leave(client: TestClient) -> None:
    """Sign out."""
    client.post("/logout", data={"form_token": token_of(client)}, headers=HERE)


def is_in(client: TestClient, cookie: str) -> bool:
    """Whether somebody who sends a cookie sees the console."""
    answer = client.get("/console", headers={"Cookie": f"{SESSION_COOKIE}={cookie}"}, follow_redirects=False)
    assert answer.status_code in (200, 303)
    return answer.status_code == 200


def secret_of(headers: dict[str, str]) -> str:
    """The text of a key."""
    return headers["Authorization"].removeprefix("Bearer ")


@contextmanager
def another(client: TestClient) -> Iterator[TestClient]:
    """Another browser at the same service."""
    cookies = dict(client.cookies)
    client.cookies.clear()
    yield client
    client.cookies.clear()
    for name, value in cookies.items():
        client.cookies.set(name, value)


def test_a_cookie_says_nothing(client: TestClient, store: Store, bearer: Bearer) -> None:
    """It is neither the key nor anything of the key; the database holds a hash of it; a key is no session."""
    key = secret_of(bearer("ops"))

    cookie = enter(client, key)

    assert cookie not in key
    assert not set(key.split("_")[1:]) & {cookie, cookie[:16]}
    with store.reading() as unit:
        rows = unit.connection.execute(sessions.select()).all()
    assert cookie not in str(rows)
    assert (is_in(client, cookie), is_in(client, key)) == (True, False)


def test_signing_out_ends_the_session(client: TestClient, bearer: Bearer) -> None:
    """Also for who has kept a copy of the cookie; other sessions of the same key go on."""
    key = secret_of(bearer("ops"))
    with another(client):
        other = enter(client, key)
    cookie = enter(client, key)

    leave(client)

    assert SESSION_COOKIE not in client.cookies
    assert (is_in(client, cookie), is_in(client, other)) == (False, True)


def test_a_session_is_new_at_each_signing_in(client: TestClient, bearer: Bearer) -> None:
    """A text that somebody planted before becomes no session, and the session before ends."""
    key, planted = secret_of(bearer("ops")), "0" * 64
    client.get("/login")
    client.cookies.set(SESSION_COOKIE, planted, domain="testserver.local", path="/")

    first = enter(client, key)
    second = enter(client, key)

    assert len({planted, first, second}) == 3
    assert [is_in(client, cookie) for cookie in (planted, first, second)] == [False, False, True]


def test_a_session_lives_twelve_hours(client: TestClient, bearer: Bearer, clock: Clock) -> None:
    """Or as long as its key, if that is less."""
    long, short = bearer("ops"), bearer("ops", expires_us=clock() + HOUR_S * 1_000_000)
    with another(client):
        of_short = enter(client, secret_of(short))
    of_long = enter(client, secret_of(long))

    clock.forward(seconds=HOUR_S)
    after_one = is_in(client, of_short), is_in(client, of_long)
    clock.forward(seconds=11 * HOUR_S)

    assert after_one == (False, True)
    assert not is_in(client, of_long)


def test_a_revoked_key_ends_its_sessions(client: TestClient, store: Store, bearer: Bearer, clock: Clock) -> None:
    """Wherever it is revoked, at the next request."""
    key = bearer("ops")
    cookie = enter(client, secret_of(key))
    assert is_in(client, cookie)

    with store.writing(clock()) as unit:
        keys.revoke_key(unit, key["Authorization"].split("_")[1], "cli:token")

    assert not is_in(client, cookie)


def test_a_token_of_another_issuer_begins_a_session_that_ends_with_it(client: TestClient, clock: Clock) -> None:
    """A JWT bounds what is begun with it."""
    claims = {"iss": "i", "aud": "a", "sub": "li.na", "role": "ops", "cities": ["hangzhou"]}
    token = jwt.encode(claims | {"exp": clock() // 1_000_000 + 600}, SHARED, "HS256")

    cookie = enter(client, token)

    assert is_in(client, cookie)
    clock.forward(seconds=600)
    assert not is_in(client, cookie)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_cookie_that_came_by_https_never_travels_in_the_clear(
    client: TestClient, bearer: Bearer, scheme: str
) -> None:
    """`Secure` where the browser's side is https; HttpOnly and SameSite=Strict always."""
    client.base_url = f"{scheme}://testserver"  # type: ignore[assignment]
    client.get("/login")
    form = {"form_token": token_of(client), "credential": secret_of(bearer("ops"))}

    answer = client.post(
        "/login", data=form, headers={"Origin": f"{scheme}://testserver"}, follow_redirects=False
    )  # fmt: skip

    (cookie,) = (line for line in answer.headers.get_list("set-cookie") if line.startswith(SESSION_COOKIE))
    parts = {part.strip() for part in cookie.split(";")}
    assert {"HttpOnly", "SameSite=strict", "Max-Age=43200"} <= parts
    assert ("Secure" in parts) == (scheme == "https")


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer nonsense", "Bearer ", "Digest x"])
@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/problems", "/login", "/static/style.css"]
)
def test_outside_of_the_api_no_header_is_judged(client: TestClient, header: str, path: str) -> None:
    """What a proxy asks of people is none of ours; the API judges it."""
    assert client.get(path, headers={"Authorization": header}).status_code == 200
    assert client.get("/v1/tokens", headers={"Authorization": header}).status_code == 401


def test_pages_go_by_the_cookie_alone(client: TestClient, bearer: Bearer) -> None:
    """Neither does a proxy's header keep people out, nor does a good key in it let anybody in; the API takes no cookie."""
    key = bearer("ops")
    cookie = enter(client, secret_of(key))

    behind_proxy = client.get("/console", headers={"Authorization": "Basic YTpi"})
    api = client.get("/v1/appeals")
    client.cookies.clear()
    by_header = client.get("/console", headers=key)

    assert cookie
    assert (behind_proxy.status_code, api.status_code, by_header.status_code) == (200, 401, 303)


class TestDemo:
    """One click is enough where the database was made for it."""

    @pytest.fixture
    def settings(self, url: str) -> Settings:
        """Somebody has switched the demo on."""
        return Settings(database_url=url, token_cache_s=0, law_cache_s=0, demo=True)

    def one_click(self, client: TestClient) -> int:
        """Status of naming a role."""
        client.get("/login")
        form = {"form_token": token_of(client), "role": "ops", "subject": "li.na"}
        return client.post("/login/demo", data=form, headers=HERE, follow_redirects=False).status_code

    def test_a_database_that_is_no_demos_lets_nobody_in(self, client: TestClient) -> None:
        """The setting alone opens nothing, and no role is offered."""
        assert self.one_click(client) == 403
        assert SESSION_COOKIE not in client.cookies
        assert "/login/demo" not in client.get("/login").text

    def test_a_demos_database_does(self, client: TestClient, store: Store) -> None:
        """The session is as any other: opaque and ended by signing out."""
        with store.writing(1) as unit:
            mark_demo(unit)

        assert self.one_click(client) == 303
        cookie = client.cookies[SESSION_COOKIE]
        assert is_in(client, cookie)
        leave(client)
        assert not is_in(client, cookie)


def test_sessions_of_one_server_hold_at_another(url: str, store: Store, bearer: Bearer, clock: Clock) -> None:
    """They are rows of the database: begun here, good there, ended there, over here."""
    settings = Settings(database_url=url, token_cache_s=600, law_cache_s=0)
    with (
        TestClient(create_app(settings, hooks=(), clock=clock)) as here,
        TestClient(create_app(settings, hooks=(), clock=clock)) as there,
    ):
        cookie = enter(here, secret_of(bearer("ops")))
        assert is_in(there, cookie)
        leave(here)
        assert not is_in(there, cookie)


def test_a_rider_who_erases_themself_is_gone_for_the_api_too(client: TestClient, store: Store, bearer: Bearer) -> None:
    """The page ends the keys, and the server forgets at once that it believed them."""
    post(store, later([delivered("e1")]))
    key = bearer("rider", "r1")
    assert client.get("/v1/riders/r1/export", headers=key).status_code == 200
    enter(client, secret_of(key))

    erased = client.post("/rider/erase", data={"form_token": token_of(client), "sure": "1"}, headers=HERE)

    after = client.get("/v1/riders/r1/export", headers=key)
    assert erased.headers["location"] == "/login"
    assert (after.status_code, after.json()["code"]) == (401, "token_revoked")


@pytest.mark.parametrize("then", ["none", "another of the same name"])
@pytest.mark.parametrize("headers", [{"kid": "k"}, {}], ids=["named", "unnamed"])
def test_a_session_ends_with_the_key_that_its_token_was_signed_with(
    store: Store, url: str, clock: Clock, tmp_path: Path, headers: dict[str, str], then: str
) -> None:
    """Once the issuer has removed the key, within the time that its list is believed; a restart ends no session."""
    listed, key, later_key = tmp_path / "keys.json", *(ec.generate_private_key(ec.SECP256R1()) for _ in range(2))

    def write(*some: ec.EllipticCurvePrivateKey) -> None:
        entries = [ECAlgorithm.to_jwk(one.public_key(), as_dict=True) | {"kid": "k", "use": "sig"} for one in some]
        listed.write_text(json.dumps({"keys": entries}))

    write(key)
    settings = Settings(database_url=url, jwt_issuer="i", jwt_audience="a", jwt_jwks_file=str(listed))
    claims = {"iss": "i", "aud": "a", "sub": "li.na", "role": "ops", "cities": ["*"], "exp": clock() // 10**6 + 9_999}
    with TestClient(create_app(settings, hooks=(), clock=clock)) as client:
        cookie = enter(client, jwt.encode(claims, key, "ES256", headers=headers))
    with TestClient(create_app(settings, hooks=(), clock=clock)) as client:
        assert is_in(client, cookie)
        write(*([] if then == "none" else [later_key]))
        clock.forward(seconds=601)
        assert not is_in(client, cookie)


@pytest.mark.parametrize("then", [SHARED + "!", ""], ids=["another", "none"])
def test_a_session_ends_with_the_shared_key_that_its_token_was_signed_with(
    store: Store, url: str, settings: Settings, clock: Clock, then: str
) -> None:
    """A shared key that was changed ends them all; a restart with the same one ends none, nor those that keys began."""
    claims = {"iss": "i", "aud": "a", "sub": "li.na", "role": "ops", "cities": ["*"], "exp": clock() // 10**6 + 9_999}
    with store.writing(clock()) as unit:
        _, key = keys.create_key(unit, "ops", "li.na", (), actor="test:test")
    with TestClient(create_app(settings, hooks=(), clock=clock)) as client:
        cookie = enter(client, jwt.encode(claims, SHARED, "HS256"))
        client.cookies.clear()
        other = enter(client, key)

    with TestClient(create_app(settings, hooks=(), clock=clock)) as client:
        same = is_in(client, cookie)
    with TestClient(create_app(replace(settings, jwt_shared_key=then), hooks=(), clock=clock)) as client:
        changed = [is_in(client, one) for one in (cookie, other)]

    assert same
    assert changed == [False, True]
