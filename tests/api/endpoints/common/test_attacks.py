"""Attempts to get in: forged, expired, revoked, confused and widened tokens, other cities."""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from starlette.testclient import TestClient

from api.access import keys
from api.app.create import create_app
from api.db.store import Store
from api.endpoints.common.jwts import JwtVerifier
from api.settings import SettingError, Settings
from tests.api.endpoints.conftest import Bearer, Clock

SHARED = "a shared secret of more than thirty-two bytes"
RSA = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
EC = ec.generate_private_key(ec.SECP256R1())
OTHER = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Tokens are the same on every engine."""
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def jwks(tmp_path: Path) -> Path:
    """Public keys of the issuer, and a shared one that has no place there."""
    keys = [
        RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True) | {"kid": "rsa", "use": "sig"},
        ECAlgorithm.to_jwk(EC.public_key(), as_dict=True) | {"kid": "ec", "use": "sig"},
        {"kty": "oct", "kid": "oct", "k": base64.urlsafe_b64encode(b"k" * 32).decode()},
    ]
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": keys}))
    return path


@pytest.fixture
def settings(url: str, jwks: Path) -> Settings:
    """A service that takes JWTs of one issuer, by shared key and by public keys."""
    return Settings(
        database_url=url, token_cache_s=0, law_cache_s=0, jwt_issuer="https://issuer", jwt_audience="riderscore",
        jwt_shared_key=SHARED, jwt_jwks_file=str(jwks), background=False,
    )  # fmt: skip


def claims(clock: Clock, **changes: Any) -> dict[str, Any]:
    """What a good token says; None leaves a claim out."""
    now_s = clock() // 1_000_000
    made = {
        "iss": "https://issuer", "aud": "riderscore", "exp": now_s + 60, "sub": "li.na", "role": "ops",
        "cities": ["hangzhou"],
    } | changes  # fmt: skip
    return {name: value for name, value in made.items() if value is not None}


def asked(client: TestClient, token: str) -> tuple[int, str]:
    """Status and code of a request with a token."""
    answer = client.get("/v1/tokens", headers={"Authorization": f"Bearer {token}"})
    return answer.status_code, answer.json().get("code", "")


def unsigned(header: dict[str, Any], payload: dict[str, Any], signature: bytes = b"") -> str:
    """A token put together by hand."""
    parts = [json.dumps(header).encode(), json.dumps(payload).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


@pytest.mark.parametrize(
    ("key", "algorithm", "kid"),
    [(SHARED, "HS256", None), (RSA, "RS256", "rsa"), (RSA, "PS256", "rsa"), (EC, "ES256", "ec")],
)
def test_good_tokens_get_in(client: TestClient, clock: Clock, key: Any, algorithm: str, kid: str | None) -> None:
    """Each kind of key with an algorithm of its kind."""
    token = jwt.encode(claims(clock), key, algorithm, headers={"kid": kid} if kid else None)

    assert asked(client, token) == (200, "")


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": True},
        {"exp": 2**62},
        {"iss": None},
        {"iss": "https://other"},
        {"aud": None},
        {"aud": "another service"},
        {"sub": None},
        {"sub": ""},
        {"sub": "a\nb"},
        {"role": None},
        {"role": "root"},
        {"role": ["ops"]},
        {"cities": None},
        {"cities": []},
        {"cities": "*"},
        {"cities": ["hangzhou", "*"]},
        {"cities": "hangzhou"},
        {"cities": [7]},
        {"nbf": 9_999_999_999},
    ],
)
def test_claims_that_do_not_hold_are_refused(client: TestClient, clock: Clock, changes: dict[str, Any]) -> None:
    """Missing, mistyped or foreign claims under a good signature."""
    token = jwt.encode(claims(clock, **changes), SHARED, "HS256")

    assert asked(client, token) == (401, "token_invalid")


def test_everywhere_is_said_and_not_left_out(client: TestClient, clock: Clock) -> None:
    """A star is for all cities; a rider's token, which shows that rider alone, needs none."""

    def status(**changes: Any) -> int:
        token = jwt.encode(claims(clock, **changes), SHARED, "HS256")
        headers = {"Authorization": f"Bearer {token}"}
        return client.get("/v1/appeals?city=shanghai", headers=headers).status_code

    assert (status(), status(cities=["*"])) == (404, 200)
    token = jwt.encode(claims(clock, role="rider", sub="r1", cities=None), SHARED, "HS256")
    assert asked(client, token) == (403, "scope_missing")


def test_an_expired_token_is_refused(client: TestClient, clock: Clock) -> None:
    """Its time ends it, with half a minute for clocks that differ."""
    token = jwt.encode(claims(clock), SHARED, "HS256")
    clock.forward(seconds=89)
    within = asked(client, token)
    clock.forward(seconds=1)

    assert within == (200, "")
    assert asked(client, token) == (401, "token_expired")


def test_forged_signatures_are_refused(client: TestClient, clock: Clock) -> None:
    """Another key, a changed payload, no signature, a signature of nothing."""
    good = jwt.encode(claims(clock, role="rider"), SHARED, "HS256")
    head, _, signature = good.split(".")
    payload = base64.urlsafe_b64encode(json.dumps(claims(clock)).encode()).rstrip(b"=").decode()
    forged = [
        jwt.encode(claims(clock), "another secret of more than thirty-two bytes", "HS256"),
        jwt.encode(claims(clock), OTHER, "RS256", headers={"kid": "rsa"}),
        f"{head}.{payload}.{signature}",
        f"{head}.{payload}.",
        f"{head}.{payload}",
        "a.b.c",
        "eyJ",
        "x" * 9_000,
    ]

    assert {asked(client, token) for token in forged} == {(401, "token_invalid")}


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", "", None])
def test_no_algorithm_is_no_signature(client: TestClient, clock: Clock, name: str | None) -> None:
    """`alg: none` in every spelling."""
    token = unsigned({"typ": "JWT", "alg": name}, claims(clock))

    assert asked(client, token) == (401, "token_invalid")


@pytest.mark.parametrize("kid", ["rsa", "ec", "oct", None])
def test_a_public_key_is_no_shared_secret(client: TestClient, clock: Clock, kid: str | None) -> None:
    """HS256 over the bytes of the public key, or over a key that the list should not hold."""
    pem = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    for secret in (pem, pem.strip(), b"k" * 32):
        header = {"typ": "JWT", "alg": "HS256"} | ({} if kid is None else {"kid": kid})
        head, payload, _ = unsigned(header, claims(clock)).split(".")
        signature = hmac.new(secret, f"{head}.{payload}".encode(), hashlib.sha256).digest()
        token = unsigned(header, claims(clock), signature)
        assert asked(client, token) == (401, "token_invalid")


@pytest.mark.parametrize(
    ("key", "algorithm", "headers"),
    [
        (RSA, "RS256", {"kid": "ec"}),
        (RSA, "RS256", {"kid": "unknown"}),
        (RSA, "RS256", {}),
        (EC, "ES256", {"kid": "rsa"}),
        (RSA, "RS256", {"kid": "rsa", "crit": ["exp"]}),
        (OTHER, "RS256", {"jwk": {"kty": "RSA"}}),
        (OTHER, "RS256", {"kid": "rsa", "jku": "http://127.0.0.1:1/keys"}),
    ],
)
def test_headers_do_not_choose_the_key(
    client: TestClient, clock: Clock, key: Any, algorithm: str, headers: dict[str, Any]
) -> None:
    """The key is one of the issuer's, by its id, for the algorithm of its kind; nothing in the token changes that."""
    token = jwt.encode(claims(clock), key, algorithm, headers=headers)

    assert asked(client, token) == (401, "token_invalid")


def test_keys_that_are_not_ours_are_refused(client: TestClient, bearer: Bearer) -> None:
    """A changed secret, another's secret, a missing part, case, spaces."""
    first, second = (bearer("ops")["Authorization"].removeprefix("Bearer ") for _ in range(2))
    _, key_id, secret = first.split("_")
    wrong = [
        f"rs_{key_id}_{'0' * 64}",
        f"rs_{key_id}_{second.split('_')[2]}",
        f"rs_{key_id}_",
        f"rs_{key_id}",
        f"rs__{secret}",
        f"rs_{key_id}_{secret.upper()}",
        f"rs_{key_id}_{secret}0",
        "rs_' OR 1=1 --_x",
    ]

    assert {asked(client, token) for token in wrong} == {(401, "token_invalid")}
    assert asked(client, first) == (200, "")


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic YTpi", "bearer", "Token x", "Bearer a b"])
def test_odd_authorization_headers_are_refused(client: TestClient, value: str) -> None:
    """What is no bearer token is none of another kind either."""
    answer = client.get("/v1/tokens", headers={"Authorization": value})

    assert answer.status_code == 401


def test_two_tokens_are_none(client: TestClient, bearer: Bearer) -> None:
    """Two headers could be read differently by two programs."""
    one = bearer("ops")["Authorization"]

    answer = client.get("/v1/tokens", headers=[("Authorization", one), ("Authorization", one)])

    assert answer.status_code == 401


def test_a_revoked_key_is_refused_within_seconds(store: Store, url: str, clock: Clock, bearer: Bearer) -> None:
    """A key that was just believed is believed for the time tokens are kept, not longer; `forget` ends that at once."""
    app = create_app(Settings(database_url=url, token_cache_s=600, background=False), clock=clock)
    headers, ops = bearer("ops", "a"), bearer("ops", "b")
    key_id = headers["Authorization"].split("_")[1]
    with TestClient(app) as client:
        before = client.get("/v1/tokens", headers=headers).status_code
        client.delete(f"/v1/tokens/{key_id}", headers=ops)
        after = client.get("/v1/tokens", headers=headers)

    assert (before, after.status_code) == (200, 401)
    assert after.json()["code"] == "token_revoked"


def test_a_key_is_held_as_a_hash(store: Store, bearer: Bearer) -> None:
    """The secret stands nowhere in the database."""
    secret = bearer("ops")["Authorization"].split("_")[2]

    with store.reading() as unit:
        row = unit.connection.exec_driver_sql("SELECT * FROM api_keys").one()
        lines = unit.connection.exec_driver_sql("SELECT * FROM audit").all()

    assert secret not in str(row)
    assert secret not in str(lines)
    assert bytes(row.secret_hash) == hashlib.sha256(secret.encode()).digest()


def test_use_is_written_once_a_minute(client: TestClient, store: Store, bearer: Bearer, clock: Clock) -> None:
    """A key that is used all the time does not make every read a write."""
    headers = bearer("ops")
    key_id = headers["Authorization"].split("_")[1]

    seen = []
    for seconds in (0, 30, 31):
        clock.forward(seconds=seconds)
        client.get("/v1/tokens", headers=headers)
        with store.reading() as unit:
            found = keys.key_by_id(unit, key_id)
        seen.append(None if found is None else (clock() - (found.last_used_us or 0)) // 1_000_000)

    assert seen == [0, 30, 0]


def test_ops_of_a_city_see_and_end_no_wider_key(client: TestClient, bearer: Bearer) -> None:
    """A key that is good elsewhere, too, is not theirs to see."""
    ops = bearer("ops", cities=["hangzhou"])
    everywhere = bearer("ops")["Authorization"].split("_")[1]

    seen = client.get(f"/v1/tokens/{everywhere}", headers=ops).status_code
    ended = client.delete(f"/v1/tokens/{everywhere}", headers=ops).status_code
    listed = client.get("/v1/tokens", headers=ops).json()["items"]

    assert (seen, ended) == (404, 404)
    assert all(item["cities"] == ["hangzhou"] for item in listed)


def test_settings_that_would_let_anyone_in_are_refused(jwks: Path) -> None:
    """A short secret, no issuer or audience, keys fetched in the clear."""
    good = {"jwt_issuer": "i", "jwt_audience": "a"}
    for wrong in (
        {"jwt_shared_key": SHARED},
        good | {"jwt_shared_key": "short"},
        good | {"jwt_jwks_url": "http://issuer.example/keys"},
        {"jwt_jwks_file": str(jwks), "jwt_issuer": "i"},
    ):
        with pytest.raises(SettingError):
            JwtVerifier(Settings(**wrong), Clock())
