"""Bearer JWTs of another issuer: checked against one key and the one algorithm that belongs to it.

The algorithm comes from the kind of key, never from the token: a public key cannot be used as a shared secret, and
`none` is no algorithm. Claims: `iss`, `aud`, `exp`, `sub`, `role`, `cities` (a list, `["*"]` for everywhere; a rider's may
leave it out) and optional `nbf`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import jwt

from api.access.issuer_keys import IssuerKeys, fingerprint_of, from_address, from_file, is_safe_address
from api.access.keys import ROLES
from api.endpoints.common.problems import Problem
from api.service import Actor
from api.settings import SettingError, Settings
from rules.units import US_PER_S

# Another machine's clock may be this far from ours.
LEEWAY_S: Final = 30
_SHARED: Final = "HS256"
_SHARED_BYTES_MIN: Final = 32
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
_NUM_CITIES_MAX: Final = 1_000
_EVERYWHERE: Final = ["*"]
_FOR_EVER_US: Final = 2**62


@dataclass(frozen=True, slots=True)
class _Signer:
    """A key, what may be done with it, and until when it is believed to be the issuer's."""

    key: Any
    algorithms: tuple[str, ...]
    until_us: int


class JwtVerifier:
    """Reads bearer JWTs as the settings say; takes none where they say nothing.

    Parameters
    ----------
    clock
        µs UTC.
    """

    def __init__(self, settings: Settings, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._issuer, self._audience = settings.jwt_issuer, settings.jwt_audience
        self._shared = settings.jwt_shared_key.encode()
        url, file = settings.jwt_jwks_url, settings.jwt_jwks_file
        self.is_on = bool(self._shared or url or file)
        if self.is_on and not (self._issuer and self._audience):
            raise SettingError("RIDERSCORE_JWT_ISSUER and RIDERSCORE_JWT_AUDIENCE are needed to take JWTs")
        if self._shared and len(self._shared) < _SHARED_BYTES_MIN:
            raise SettingError("RIDERSCORE_JWT_SHARED_KEY is shorter than 32 bytes")
        if url and not is_safe_address(url):
            raise SettingError("RIDERSCORE_JWT_JWKS_URL must be https, without a name or password in it")
        self._shared_print = fingerprint_of(self._shared) if self._shared else None
        self._keys = None
        if file or url:
            self._keys = IssuerKeys(from_file(file) if file else from_address(url), clock)

    def read(self, token: str) -> tuple[Actor, int]:
        """Who a token stands for, and until when that may be believed (µs): after it the token is read again.

        Raises
        ------
        Problem
            `token_invalid` or `token_expired`, if it is not signed with the issuer's key by its algorithm, not for us, not good at this time, or says
            nothing that we know.
        KeysAwaitedError
            While the issuer's keys are not known.
        """
        if not self.is_on:
            raise Problem("token_invalid")
        try:
            header = jwt.get_unverified_header(token)
            signer = self._signer(header)
            claims = jwt.decode(
                token,
                signer.key,
                algorithms=list(signer.algorithms),
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
            raise Problem("token_invalid") from error
        until_us = _good_until_us(claims, self._clock())
        # What is made with a token ends when the token says, without regard for clocks that differ.
        actor = replace(_actor(claims), expires_us=int(claims["exp"]) * US_PER_S, signed_by=fingerprint_of(signer.key))
        return actor, min(until_us, signer.until_us)

    def has_key(self, key_print: str) -> bool:
        """Whether a key that tokens were signed with is one of the issuer's still, as far as is known."""
        return key_print == self._shared_print or (self._keys is not None and self._keys.has(key_print))

    def has_key_now(self, key_print: str) -> bool:
        """As `has_key`, but waits where the issuer's keys are not known.

        Raises
        ------
        KeysAwaitedError
            While they are not known.
        """
        return key_print == self._shared_print or (self._keys is not None and self._keys.has_now(key_print))

    def _signer(self, header: Mapping[str, Any]) -> _Signer:
        """The key for a token, and what may be done with it."""
        algorithm, key_id = header.get("alg"), header.get("kid")
        if "crit" in header or not isinstance(algorithm, str):
            raise Problem("token_invalid")
        if algorithm == _SHARED:
            if not self._shared:
                raise Problem("token_invalid")
            return _Signer(self._shared, (_SHARED,), _FOR_EVER_US)
        if self._keys is None:
            raise Problem("token_invalid")
        key, until_us = self._keys.find(key_id if isinstance(key_id, str) else None)
        if key is None or algorithm not in key[1]:
            raise Problem("token_invalid")
        return _Signer(*key, until_us)


def _good_until_us(claims: Mapping[str, Any], at_us: int) -> int:
    at_s = at_us // US_PER_S
    expires, begins = claims["exp"], claims.get("nbf", 0)
    if not _is_time(expires) or not _is_time(begins) or begins > at_s + LEEWAY_S:
        raise Problem("token_invalid")
    if expires + LEEWAY_S <= at_s:
        raise Problem("token_expired")
    return (int(expires) + LEEWAY_S) * US_PER_S


def _is_time(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**40


def _actor(claims: Mapping[str, Any]) -> Actor:
    subject, cities = claims["sub"], claims.get("cities")
    role = next((name for name in ROLES if name == claims.get("role")), None)
    if role is None or not _is_name(subject):
        raise Problem("token_invalid")
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
        raise Problem("token_invalid")
    return Actor(role, subject, tuple(cities), f"jwt:{role}:{subject}")


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(_NAME.fullmatch(value))
