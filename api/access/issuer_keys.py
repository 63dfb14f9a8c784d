"""The public keys of the issuer of JWTs: read from a file or an address, fresh, and never at the cost of good tokens.

A caller that needs a key reads a table that another thread fills. A key that the issuer has removed is gone when the table
is read again, at the latest when it is too old to be believed. A token may name any key: only one request at a time waits
for the table on account of a name that is not there, no more often than every few seconds, and nothing is kept of it.
"""

import hashlib
import hmac
import ipaddress
import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Thread
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api.clock import elapsed_ns
from api.refusals import Refused
from rules.units import US_PER_S

# A table that is older is read again, beside the requests; one that is older still is believed no more.
STALE_US: Final = 300 * US_PER_S
TOO_OLD_US: Final = 600 * US_PER_S
# How often an attempt is made at most, whatever tokens ask for.
RETRY_US: Final = 10 * US_PER_S
_FETCH_S: Final = 5
_WAIT_S: Final = 6
_KEYS_BYTES_MAX: Final = 1_000_000
_RSA: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_RSA_BITS_MIN: Final = 2048
_OF_CURVE: Final = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA", "Ed448": "EdDSA"}

# Each key with the algorithms that belong to its kind.
Keys = Mapping[str, tuple[Any, tuple[str, ...]]]


class KeysUnknownError(Refused):
    """The issuer's keys are not known, or not any more: nobody can say whether a token is good."""

    def __init__(self) -> None:
        super().__init__("keys_awaited")


@dataclass(frozen=True, slots=True)
class _KeyTable:
    keys: Keys
    read_us: int
    prints: frozenset[str]


class IssuerKeys:
    """Public keys by id.

    Parameters
    ----------
    fetch
        Reads the document; raises OSError, ValueError or httpx2.HTTPError where it cannot be read.
    clock
        µs UTC.
    """

    def __init__(self, fetch: Callable[[], Any], clock: Callable[[], int]) -> None:
        self._fetch = fetch
        self._clock = clock
        self._table: _KeyTable | None = None
        self._tried_us: int | None = None
        self._reading: Future[None] | None = None
        self._lock = Lock()

    def find(self, key_id: str | None) -> tuple[tuple[Any, tuple[str, ...]] | None, int]:
        """The key of an id (the only one for None), and until when that answer is good.

        Raises
        ------
        KeysAwaitedError
            While no table is believed.
        """
        table = self._believed()
        if table is not None:
            key = _chosen(table.keys, key_id)
            if key is not None:
                if self._age_us(table) >= STALE_US:
                    self._begin()
                return key, table.read_us + TOO_OLD_US
        # Only a request with an unknown key id, or the first one, waits for the download; others use the keys at hand.
        reading = self._begin()
        if reading is not None:
            with suppress(TimeoutError):
                reading.result(_WAIT_S)
            table = self._believed()
        if table is None:
            raise KeysUnknownError
        return _chosen(table.keys, key_id), table.read_us + TOO_OLD_US

    def has(self, key_print: str) -> bool:
        """Whether a key is one of the issuer's as far as is known, without waiting; `fingerprint_of` names it."""
        table = self._believed()
        if table is None or self._age_us(table) >= STALE_US:
            self._begin()
        return table is not None and key_print in table.prints

    def has_now(self, key_print: str) -> bool:
        """As `has`, for who can wait until the table is read that is not known, or does not have it yet.

        Raises
        ------
        KeysAwaitedError
            While no table is believed.
        """
        if not self.has(key_print):
            reading = self._reading or self._begin()
            if reading is not None:
                with suppress(TimeoutError):
                    reading.result(_WAIT_S)
        if self._believed() is None:
            raise KeysUnknownError
        return self.has(key_print)

    def _believed(self) -> _KeyTable | None:
        table = self._table
        return table if table is not None and 0 <= self._age_us(table) < TOO_OLD_US else None

    def _age_us(self, table: _KeyTable) -> int:
        return self._clock() - table.read_us

    def _begin(self) -> Future[None] | None:
        """Have the table read beside the requests, unless that is being done or was tried just now."""
        with self._lock:
            now_us = self._clock()
            if self._reading is not None or (self._tried_us is not None and 0 <= now_us - self._tried_us < RETRY_US):
                return None
            self._tried_us = now_us
            reading: Future[None] = Future()
            self._reading = reading
        Thread(target=self._read, args=(reading, now_us), name="riderscore-jwks", daemon=True).start()
        return reading

    def _read(self, reading: Future[None], at_us: int) -> None:
        try:
            keys = public_keys(self._fetch())
            self._table = _KeyTable(keys, at_us, frozenset(fingerprint_of(key) for key, _ in keys.values()))
        except (OSError, ValueError, RecursionError, httpx2.HTTPError, httpx2.InvalidURL):
            # What is known stays believed for its time.
            return
        finally:
            with self._lock:
                self._reading = None
            reading.set_result(None)


def _chosen(keys: Keys, key_id: str | None) -> tuple[Any, tuple[str, ...]] | None:
    if key_id is None:
        return next(iter(keys.values())) if len(keys) == 1 else None
    return keys.get(key_id)


def fingerprint_of(key: Any) -> str:
    """What tells a key from every other, whatever the issuer calls it; of a shared secret nothing else can be learned."""
    if isinstance(key, bytes):
        return hmac.digest(key, b"riderscore: the print of a shared key", "sha256").hex()
    written = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(written).hexdigest()


def from_file(path: str) -> Callable[[], Any]:
    """Reads keys from a file."""
    return lambda: json.loads(Path(path).read_bytes())


def from_address(url: str) -> Callable[[], Any]:
    """Reads keys from an address; answers that lead elsewhere, or are too long, are none."""
    # What the environment says of proxies does not hold for this machine itself.
    trust_env = urlsplit(url).scheme == "https"

    def fetch() -> Any:
        until_ns = elapsed_ns() + _FETCH_S * 1_000_000_000
        with (
            httpx2.Client(timeout=_FETCH_S, follow_redirects=False, trust_env=trust_env) as client,
            client.stream("GET", url, headers={"Accept": "application/json"}) as answer,
        ):
            if answer.status_code != 200:
                raise ValueError(answer.status_code)
            body = bytearray()
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > _KEYS_BYTES_MAX or elapsed_ns() > until_ns:
                    raise ValueError(len(body))
        return json.loads(bytes(body))

    return fetch


def is_safe_address(url: str) -> bool:
    """Whether keys may be read from an address: by https, or in the clear from this very machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    if not host or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return False
    if parts.username is not None or parts.password is not None or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_this_machine(host))


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address in ipaddress.IPv4Network("127.0.0.0/8") or address == ipaddress.IPv6Address("::1")


def public_keys(document: Any) -> Keys:
    """Public keys for signatures by id, each with its algorithms.

    Shared secrets, private keys and keys that cannot be read are left out: one bad entry costs itself alone.

    Raises
    ------
    ValueError
        If it is no list of keys.
    """
    is_list = isinstance(document, dict) and isinstance(document.get("keys"), list)
    if not is_list:
        raise ValueError("no list of keys")
    keys = {}
    for k, entry in enumerate(document["keys"]):
        algorithms = _algorithms(entry) if isinstance(entry, dict) else ()
        if not algorithms or entry.get("use", "sig") != "sig" or "d" in entry:
            continue
        try:
            key = jwt.PyJWK(entry, algorithms[0]).key
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            continue
        if entry["kty"] == "RSA" and key.key_size < _RSA_BITS_MIN:
            continue
        keys[str(entry.get("kid", f"#{k}"))] = (key, algorithms)
    return keys


def _algorithms(entry: Mapping[str, Any]) -> tuple[str, ...]:
    kind, stated = entry.get("kty"), entry.get("alg")
    fitting: tuple[str, ...] = _RSA if kind == "RSA" else ()
    if kind in ("EC", "OKP") and entry.get("crv") in _OF_CURVE:
        fitting = (_OF_CURVE[entry["crv"]],)
    return fitting if stated is None else tuple(name for name in fitting if name == stated)
