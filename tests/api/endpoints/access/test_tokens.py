"""Sessions that platforms begin for their riders: who may, for whom, how long, and what is written down."""

from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from api.access.keys import ROLES, all_keys, create_key, revoke_key
from api.app.create import create_app
from api.db.store import Store
from api.db.tables import audit, events
from api.settings import Settings
from rules.units import US_PER_DAY
from tests.api.endpoints.conftest import Bearer, Clock
from tests.api.ledger.posts import BOOK, START_US, later, post, publish
from tests.builders import delivered

SHARED = "a shared secret of more than thirty-two bytes"


@pytest.fixture
def settings(url: str) -> Settings:
    """JWTs of one issuer are taken, too."""
    return Settings(
        database_url=url, token_cache_s=0, law_cache_s=0, jwt_issuer="i", jwt_audience="a", jwt_shared_key=SHARED
    )


@pytest.fixture(autouse=True)
def riders(store: Store) -> None:
    """r1 in Hangzhou and r2 in Shanghai."""
    publish(store, BOOK)
    post(store, later([delivered("e1"), delivered("e2", rider_id="r2", city="shanghai")]))


def begin(client: TestClient, headers: dict[str, str], rider: str = "r1", **more: Any) -> Any:
    """The answer to a platform that asks for a session."""
    return client.post("/v1/tokens", headers=headers, json={"role": "rider", "subject": rider} | more)


def of_jwt(clock: Clock, **changes: Any) -> dict[str, str]:
    """Headers of a platform's JWT that is good for a minute."""
    claims = {"iss": "i", "aud": "a", "sub": "p", "role": "platform", "cities": ["hangzhou"]}
    token = jwt.encode(claims | {"exp": clock() // 1_000_000 + 60} | changes, SHARED, "HS256")
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("maker", ROLES)
@pytest.mark.parametrize("wanted", ROLES)
def test_one_table_says_who_makes_what(client: TestClient, bearer: Bearer, maker: str, wanted: str) -> None:
    """Over HTTP platforms begin sessions of riders, and that is all."""
    answer = client.post("/v1/tokens", headers=bearer(maker), json={"role": wanted, "subject": "r1"})

    assert answer.status_code == (201 if (maker, wanted) == ("platform", "rider") else 403)


def test_a_session_shows_its_rider_and_nothing_else(client: TestClient, bearer: Bearer) -> None:
    """It is good in the rider's city, as the store knows it, for thirty days."""
    made = begin(client, bearer("platform", "p", cities=["hangzhou"])).json()

    own = {"Authorization": f"Bearer {made['token']}"}
    assert (made["cities"], made["expires_us"] - made["created_us"]) == (["hangzhou"], 30 * US_PER_DAY)
    assert client.get("/v1/riders/r1/card", headers=own).status_code == 200
    assert client.get("/v1/riders/r2/card", headers=own).status_code == 404


def test_riders_of_other_cities_do_not_exist(client: TestClient, bearer: Bearer) -> None:
    """The same answer, byte for byte, as for a rider whom nobody knows."""
    platform = bearer("platform", cities=["hangzhou"])

    foreign, unknown = begin(client, platform, "r2"), begin(client, platform, "nobody")

    assert (foreign.status_code, unknown.status_code) == (404, 404)
    assert foreign.content == unknown.content


@pytest.mark.parametrize("cities", [["shanghai"], ["hangzhou", "shanghai"], ["*"]])
def test_a_session_reaches_no_further_than_its_rider(client: TestClient, bearer: Bearer, cities: list[str]) -> None:
    """Other cities cannot be asked for, even by who is good there."""
    assert begin(client, bearer("platform"), cities=cities).status_code == 403


def test_a_session_lives_thirty_days_at_most(client: TestClient, bearer: Bearer) -> None:
    """More is refused, and the limit named."""
    answer = begin(client, bearer("platform"), expires_days=31)

    assert (answer.status_code, answer.json()["code"]) == (422, "key_lives_too_long")
    assert "30" in answer.json()["detail"]


def test_a_session_ends_with_its_makers_key(client: TestClient, bearer: Bearer, clock: Clock) -> None:
    """A key, or a JWT, that is good for less bounds what is made with it."""
    soon_us = clock() + US_PER_DAY // 2

    of_key = begin(client, bearer("platform", expires_us=soon_us), expires_days=7).json()
    of_token = begin(client, of_jwt(clock)).json()

    assert of_key["expires_us"] == soon_us
    assert of_token["expires_us"] == clock() + 60_000_000
    assert begin(client, of_jwt(clock), "r2").status_code == 404


def test_nobody_begins_a_session_of_their_own(client: TestClient, bearer: Bearer) -> None:
    """A platform of the name of a rider gets none for itself."""
    answer = begin(client, bearer("platform", "r1"))

    assert (answer.status_code, answer.json()["code"]) == (403, "key_for_oneself")


def test_it_is_audited_under_the_rider(client: TestClient, bearer: Bearer, store: Store) -> None:
    """Who made and who ended it, where, and for whom."""
    platform = bearer("platform", "p", cities=["hangzhou"])
    made = begin(client, platform).json()
    client.delete(f"/v1/tokens/{made['key_id']}", headers=platform)

    with store.reading() as unit:
        rows = unit.connection.execute(audit.select().where(audit.c.subject == "r1")).all()
    found = [(row.actor, row.action, row.city) for row in rows]
    assert found == [("platform:p", "key_created", "hangzhou"), ("platform:p", "key_revoked", "hangzhou")]
    assert all(made["key_id"] in row.detail for row in rows)


def test_a_platform_sees_and_ends_what_it_made(client: TestClient, bearer: Bearer) -> None:
    """And nobody else's: neither another platform's sessions nor keys of people."""
    mine, other = bearer("platform", "p"), bearer("platform", "q")
    made = begin(client, mine).json()["key_id"]
    bearer("ops")

    assert [item["key_id"] for item in client.get("/v1/tokens", headers=mine).json()["items"]] == [made]
    assert client.get("/v1/tokens", headers=other).json()["items"] == []
    assert client.get(f"/v1/tokens/{made}", headers=other).status_code == 404
    assert client.delete(f"/v1/tokens/{made}", headers=other).status_code == 404
    assert client.delete(f"/v1/tokens/{made}", headers=mine).status_code == 204


def test_a_revoked_key_leaves_its_sessions_unless_told_otherwise(client: TestClient, bearer: Bearer) -> None:
    """How many live on stands in a header; `with_children` ends them, too."""
    ops, platform = bearer("ops"), bearer("platform", "p")
    session = {"Authorization": f"Bearer {begin(client, platform).json()['token']}"}
    path = f"/v1/tokens/{platform['Authorization'].split('_')[1]}"

    left = client.delete(path, headers=ops).headers["riderscore-keys-left"]
    alive = client.get("/v1/riders/r1/card", headers=session).status_code
    none = client.delete(path, headers=ops, params={"with_children": True}).headers["riderscore-keys-left"]
    ended = client.get("/v1/riders/r1/card", headers=session)

    assert (left, alive, none) == ("1", 200, "0")
    assert (ended.status_code, ended.json()["code"]) == (401, "token_revoked")


def test_keys_without_an_end_are_counted(store: Store, settings: Settings, bearer: Bearer) -> None:
    """The meter counts those that nobody has revoked."""
    bearer("ops")
    with store.writing(1) as unit:
        unit.connection.exec_driver_sql("UPDATE api_keys SET expires_us = NULL")

    with TestClient(create_app(settings, hooks=())) as client:
        assert "riderscore_keys_without_end 1.0" in client.get("/metrics").text


@pytest.fixture
def patient(store: Store, url: str, clock: Clock) -> Iterator[TestClient]:
    """A service that believes a token for long once it was looked up."""
    app = create_app(Settings(database_url=url, token_cache_s=600, law_cache_s=0), hooks=(), clock=clock)
    with TestClient(app, headers={"Accept-Language": "en"}) as client:
        yield client


def revoke(store: Store, clock: Clock, headers: dict[str, str]) -> None:
    """End a key as the command on the server does: the running service is not told."""
    with store.writing(clock()) as unit:
        revoke_key(unit, headers["Authorization"].split("_")[1], "cli:token", with_children=True)


def test_a_revoked_key_makes_nothing_that_outlives_it(
    patient: TestClient, store: Store, bearer: Bearer, clock: Clock
) -> None:
    """Although it is still believed: no key, no event, no person, no webhook."""
    platform, ops = bearer("platform", "p", cities=["hangzhou"]), bearer("ops", "li.na")
    hook = {"url": "https://hooks.example/in", "kinds": []}
    posts: list[tuple[str, str, Any, dict[str, str]]] = [
        ("POST", "/v1/tokens", {"role": "rider", "subject": "r1"}, platform),
        ("POST", "/v1/events", later([delivered("e9")]), platform),
        ("PUT", "/v1/riders/r1/person", {"name": "A", "phone": "1"}, platform),
        ("POST", "/v1/webhooks", hook, ops),
        ("POST", "/v1/reviews/rv_x/decision", {"outcome": "warning", "reason": "late"}, ops),
    ]
    assert patient.get("/v1/riders/r1/card", headers=platform).status_code == 200
    assert patient.get("/v1/riders/r1/card", headers=ops).status_code == 200
    for each in (platform, ops):
        revoke(store, clock, each)
    assert patient.get("/v1/riders/r1/card", headers=platform).status_code == 200

    said = [patient.request(how, path, json=body, headers=headers) for how, path, body, headers in posts]

    assert [(answer.status_code, answer.json()["code"]) for answer in said] == [(401, "token_revoked")] * len(posts)
    with store.reading() as unit:
        assert sorted(key.role for key in all_keys(unit)) == ["ops", "platform"]
        assert unit.connection.scalar(select(events.c.event_id).where(events.c.event_id == "e9")) is None


def test_a_revoked_key_ends_no_other(patient: TestClient, store: Store, bearer: Bearer, clock: Clock) -> None:
    """What it would take from others stays theirs."""
    ops, other = bearer("ops", "li.na"), bearer("ops", "chen")
    assert patient.get("/v1/tokens", headers=ops).status_code == 200
    revoke(store, clock, ops)

    answer = patient.delete(f"/v1/tokens/{other['Authorization'].split('_')[1]}", headers=ops)

    assert (answer.status_code, answer.json()["code"]) == (401, "token_revoked")
    assert patient.get("/v1/tokens", headers=other).status_code == 200


@pytest.mark.parametrize(("left_us", "is_good"), [(1, True), (0, False), (-1, False)])
def test_a_key_is_good_until_its_instant(store: Store, left_us: int, is_good: bool) -> None:
    """At the instant itself it opens nothing any more, in lists as at the door."""
    with store.writing(START_US) as unit:
        key, _ = create_key(unit, "ops", "li.na", expires_us=START_US + US_PER_DAY, actor="test:test")

    assert key.is_good(START_US + US_PER_DAY - left_us) is is_good
