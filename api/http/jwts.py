"""Bearer JWTs of another issuer: checked against one key and the one algorithm that belongs to it.

The algorithm comes from the kind of key, never from the token: a public key cannot be used as a shared secret, and
`none` is no algorithm. Claims: `iss`, `aud`, `exp`, `sub`, `role`, `cities` (a list, `["*"]` for everywhere; a rider's may
leave it out) and optional `nbf`.
"""

import json
import re
import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any, Final

import jwt

from api.clock import now_us
from api.http.context import Actor
from api.settings import SettingError, Settings
from api.store.keys import ROLES
from rules.units import US_PER_S

# Another machine's clock may be this far from ours.
LEEWAY_S: Final = 30
_SHARED: Final = "HS256"
_SHARED_BYTES_MIN: Final = 32
_OF_CURVE: Final = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA", "Ed448": "EdDSA"}
_RSA: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_RSA_BITS_MIN: Final = 2048
_FRESH_US: Final = 600 * US_PER_S
# A token with an unknown key makes us look for new keys, but not more often than this.
_AGAIN_US: Final = 10 * US_PER_S
_FETCH_S: Final = 5
_KEYS_BYTES_MAX: Final = 1_000_000
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
_NUM_CITIES_MAX: Final = 1_000
_EVERYWHERE: Final = ["*"]


class BadTokenError(Exception):
    """A token that is not good; `is_expired` where time is all that is wrong."""

    def __init__(self, *, is_expired: bool = False) -> None:
        self.is_expired = is_expired
        super().__init__()


class Jwts:
    """Reads bearer JWTs as the settings say; takes none where they say nothing."""

    def __init__(self, settings: Settings) -> None:
        self._issuer, self._audience = settings.jwt_issuer, settings.jwt_audience
        self._shared = settings.jwt_shared_key.encode()
        self._url, self._file = settings.jwt_jwks_url, settings.jwt_jwks_file
        self._keys: dict[str, tuple[Any, tuple[str, ...]]] = {}
        self._read_us = 0
        self._lock = Lock()
        self.is_on = bool(self._shared or self._url or self._file)
        if self.is_on and not (self._issuer and self._audience):
            raise SettingError("RIDERSCORE_JWT_ISSUER and RIDERSCORE_JWT_AUDIENCE are needed to take JWTs")
        if self._shared and len(self._shared) < _SHARED_BYTES_MIN:
            raise SettingError("RIDERSCORE_JWT_SHARED_KEY is shorter than 32 bytes")
        if self._url and not self._url.startswith(("https://", "http://127.0.0.1", "http://localhost")):
            raise SettingError("RIDERSCORE_JWT_JWKS_URL must be https")

    def read(self, token: str, at_us: int) -> tuple[Actor, int]:
        """Who a token stands for, and until when it is good (µs).

        Raises
        ------
        BadTokenError
            If it is not signed with the issuer's key by its algorithm, not for us, not good at this time, or says
            nothing that we know.
        """
        if not self.is_on:
            raise BadTokenError
        try:
            header = jwt.get_unverified_header(token)
            key, algorithms = self._key(header)
            claims = jwt.decode(
                token,
                key,
                algorithms=list(algorithms),
                audience=self._audience,
                issuer=self._issuer,
                options={
                    "require": ["iss", "aud", "exp", "sub"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise BadTokenError from error
        until_us = _good_until_us(claims, at_us)
        return replace(_actor(claims), expires_us=until_us), until_us

    def _key(self, header: Mapping[str, Any]) -> tuple[Any, tuple[str, ...]]:
        """The key for a token, and what may be done with it."""
        algorithm, key_id = header.get("alg"), header.get("kid")
        if "crit" in header or not isinstance(algorithm, str):
            raise BadTokenError
        if algorithm == _SHARED:
            if not self._shared:
                raise BadTokenError
            return self._shared, (_SHARED,)
        known = self._known(key_id if isinstance(key_id, str) else None)
        if known is None or algorithm not in known[1]:
            raise BadTokenError
        return known

    def _known(self, key_id: str | None) -> tuple[Any, tuple[str, ...]] | None:
        with self._lock:
            age_us = now_us() - self._read_us
            if age_us > _FRESH_US or (key_id not in self._keys and age_us > _AGAIN_US):
                self._read_us = now_us()
                self._keys = self._issued() or self._keys
            if key_id is None and len(self._keys) == 1:
                return next(iter(self._keys.values()))
            return self._keys.get(key_id or "")

    def _issued(self) -> dict[str, tuple[Any, tuple[str, ...]]]:
        """The issuer's public keys; nothing where they cannot be read."""
        try:
            if self._file:
                text = Path(self._file).read_bytes()
            elif self._url:
                with urllib.request.urlopen(self._url, timeout=_FETCH_S) as answer:  # noqa: S310 - checked above
                    text = answer.read(_KEYS_BYTES_MAX)
            else:
                return {}
            return _public_keys(json.loads(text))
        except (OSError, ValueError, jwt.PyJWTError):
            return {}


def _public_keys(document: Any) -> dict[str, tuple[Any, tuple[str, ...]]]:
    """Public keys for signatures by id, each with its algorithms; shared secrets in such a list are left out."""
    found = {}
    for k, entry in enumerate(document["keys"] if isinstance(document, dict) else ()):
        algorithms = _algorithms(entry)
        if not algorithms or entry.get("use", "sig") != "sig" or "d" in entry:
            continue
        key = jwt.PyJWK(entry, algorithms[0]).key
        if entry["kty"] == "RSA" and key.key_size < _RSA_BITS_MIN:
            continue
        found[str(entry.get("kid", f"#{k}"))] = (key, algorithms)
    return found


def _algorithms(entry: Mapping[str, Any]) -> tuple[str, ...]:
    kind, stated = entry.get("kty"), entry.get("alg")
    fitting: tuple[str, ...] = _RSA if kind == "RSA" else ()
    if kind in ("EC", "OKP") and entry.get("crv") in _OF_CURVE:
        fitting = (_OF_CURVE[entry["crv"]],)
    return fitting if stated is None else tuple(name for name in fitting if name == stated)


def _good_until_us(claims: Mapping[str, Any], at_us: int) -> int:
    at_s = at_us // US_PER_S
    expires, begins = claims["exp"], claims.get("nbf", 0)
    if not _is_time(expires) or not _is_time(begins) or begins > at_s + LEEWAY_S:
        raise BadTokenError
    if expires + LEEWAY_S <= at_s:
        raise BadTokenError(is_expired=True)
    return (int(expires) + LEEWAY_S) * US_PER_S


def _is_time(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**40


def _actor(claims: Mapping[str, Any]) -> Actor:
    subject, cities = claims["sub"], claims.get("cities")
    role = next((name for name in ROLES if name == claims.get("role")), None)
    if role is None or not _is_name(subject):
        raise BadTokenError
    # A rider sees themself alone, wherever they ride; who left the claim out for others hardly meant everywhere.
    if cities == _EVERYWHERE or (cities is None and role == "rider"):
        return Actor(role, subject, (), f"jwt:{role}:{subject}")
    # An empty list could mean none or all.
    if (
        not isinstance(cities, list)
        or "*" in cities
        or not 0 < len(cities) <= _NUM_CITIES_MAX
        or not all(map(_is_name, cities))
    ):
        raise BadTokenError
    return Actor(role, subject, tuple(cities), f"jwt:{role}:{subject}")


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(_NAME.fullmatch(value))
