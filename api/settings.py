"""Settings from the environment (`RIDERSCORE_*`). Nothing else in the product reads the environment."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from rules.deployment import NO_PLATFORM, PLATFORM_PATTERN

PREFIX = "RIDERSCORE_"
# It stands in headers of webhooks.
PLATFORM_NAME = re.compile(PLATFORM_PATTERN)


class SettingError(ValueError):
    """A setting that cannot be used; names the variable."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How the service runs; each field is the variable of its name (`RIDERSCORE_DATABASE_URL`, …).

    Parameters
    ----------
    database_url
        `sqlite:///FILE` or `postgresql://USER@HOST/NAME`.
    platform
        Whose riders the database holds: one database serves one platform, for good.
    jwt_issuer, jwt_audience
        What `iss` and `aud` of a bearer JWT must say; both are needed before any JWT is taken.
    jwt_jwks_url, jwt_jwks_file
        Where the issuer's public keys are (RS256, PS256, ES256, EdDSA by the kind of key).
    jwt_shared_key
        A secret shared with the issuer (HS256), at least 32 bytes.
    body_bytes_max, batch_rows_max, json_depth_max
        What a request may hold.
    body_timeout_s
        How long a client may take to send a body.
    requests_per_minute
        For each token and each session; 0 for no limit.
    stranger_requests_per_minute
        For each address: what shows no good token or session, and `/metrics`; 0 for no limit.
    rounds_at_once, uploads_at_once
        Dispatch rounds, and books that are read from files or documents, at a time.
    token_cache_s
        How long a token that was looked up is believed: what a revocation takes to bite.
    law_cache_s
        How long cards are kept before looking whether the law or what is announced has changed.
    idempotency_lease_s, idempotency_keep_h
        When a request that never answered may be tried again; how long answers are kept.
    background
        Whether this server does what falls due, sends webhooks and does long work beside answering requests.
    tick_s
        Seconds between two looks for what is due.
    messages_keep_d
        Days after which messages to webhooks that arrived or were given up are forgotten.
    webhooks_private
        Whether webhooks may be called by `http` and in the own network.
    log_level
        `debug`, `info`, `warning` or `error`.
    forwarded_allow_ips
        Addresses and networks of proxies, with commas between, whose `X-Forwarded-For` and `-Proto` are believed; `*`
        for all. Without, nobody's.
    demo
        One-click roles in the console; refused on a database that was not made by `riderscore demo`.
    """

    database_url: str = "sqlite:///riderscore.db"
    platform: str = NO_PLATFORM
    jwt_issuer: str = ""
    jwt_audience: str = ""
    jwt_jwks_url: str = ""
    jwt_jwks_file: str = ""
    jwt_shared_key: str = ""
    body_bytes_max: int = 16 * 1024 * 1024
    batch_rows_max: int = 10_000
    json_depth_max: int = 32
    body_timeout_s: int = 20
    requests_per_minute: int = 600_000
    stranger_requests_per_minute: int = 1_200
    rounds_at_once: int = 2
    uploads_at_once: int = 2
    token_cache_s: int = 3
    law_cache_s: int = 1
    idempotency_lease_s: int = 60
    idempotency_keep_h: int = 24
    background: bool = True
    tick_s: int = 5
    messages_keep_d: int = 30
    webhooks_private: bool = False
    log_level: str = "info"
    forwarded_allow_ips: str = ""
    demo: bool = False

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Settings of the process; misspelt names and values that cannot be read are refused.

        Raises
        ------
        SettingError
            If a variable with our prefix is none of ours, or holds what its field cannot.
        """
        found = {
            name.removeprefix(PREFIX).lower(): value
            for name, value in (os.environ if environ is None else environ).items()
            if name.startswith(PREFIX)
        }
        known = {field.name: field.type for field in fields(cls)}
        for name in found:
            if name not in known:
                raise SettingError(f"{PREFIX}{name.upper()} is no setting of this version")
        read = cls(**{name: _read(name, known[name], value) for name, value in found.items()})
        if not PLATFORM_NAME.fullmatch(read.platform):
            raise SettingError(f"{PREFIX}PLATFORM is no name: letters, digits, `.`, `_` and `-`, 64 at most")
        return read


def _read(name: str, kind: object, value: str) -> Any:
    if kind is bool:
        if value.lower() in ("1", "true", "yes"):
            return True
        if value.lower() in ("", "0", "false", "no"):
            return False
        raise SettingError(f"{PREFIX}{name.upper()} is neither true nor false")
    if kind is int:
        if not value.isascii() or not value.isdigit():
            raise SettingError(f"{PREFIX}{name.upper()} is no whole number")
        return int(value)
    return value
