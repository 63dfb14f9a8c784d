"""Settings from the environment (`RIDERSCORE_*`): each with what it means, its unit, its default and its range."""

import os
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final, Literal, Self

from pydantic import Field, ValidationError
from pydantic.dataclasses import dataclass

from rules.ids import NO_PLATFORM, PLATFORM_PATTERN

PREFIX: Final = "RIDERSCORE_"
# It stands in headers of webhooks.
PLATFORM_NAME: Final = re.compile(PLATFORM_PATTERN)
LogLevel = Literal["debug", "info", "warning", "error"]


class SettingError(ValueError):
    """A setting that cannot be used; names the variable."""


def _number(default: int, unit: str, least: int, most: int, description: str) -> Any:
    """A whole number with its unit and its range, both ends included."""
    return Field(default, ge=least, le=most, description=description, json_schema_extra={"unit": unit})


def _value(default: Any, description: str) -> Any:
    """A text, a choice, or yes or no."""
    return Field(default, description=description)


@dataclass(frozen=True, slots=True)
class Settings:
    """How the service runs; each field is the variable of its name (`RIDERSCORE_DATABASE_URL`, …)."""

    platform: str = _value(
        NO_PLATFORM,
        "the platform that the database serves, kept in it at the first `serve`, `db upgrade` or `token create`; another"
        " value is refused (exit 2); `score --platform`",
    )
    database_url: str = _value(
        "sqlite:///riderscore.db",
        "as `--database-url`; `serve` brings SQLite up to date and refuses an outdated PostgreSQL with the command to run",
    )
    jwt_issuer: str = _value(
        "", "what `iss` of a bearer JWT must say; needed, with the audience, before a JWT is taken"
    )
    jwt_audience: str = _value("", "what `aud` of a bearer JWT must say")
    jwt_jwks_url: str = _value(
        "",
        "the issuer's public keys (RS256, PS256, ES256, EdDSA), by https without redirects or `http` from this very machine;"
        " read again after 5 minutes, believed for 10",
    )
    jwt_jwks_file: str = _value("", "the issuer's public keys in a file")
    jwt_shared_key: str = _value("", "a secret shared with the issuer (HS256), 32 bytes or more")
    body_bytes_max: int = _number(16 * 1024 * 1024, "bytes", 1, 2**30, "the largest body of a request")
    batch_rows_max: int = _number(10_000, "events", 1, 1_000_000, "the most events in a request")
    json_depth_max: int = _number(32, "levels", 1, 256, "how deep JSON in a request may be nested")
    body_timeout_s: int = _number(20, "s", 1, 3_600, "how long a body may take to come")
    requests_per_minute: int = _number(
        600_000, "requests", 0, 60_000_000, "for each token and each session; 0 for no limit"
    )
    stranger_requests_per_minute: int = _number(
        1_200,
        "requests",
        0,
        60_000_000,
        "for each address: what shows no good token or session, and `/metrics`, `/readyz`; 0 for no limit",
    )
    rounds_at_once: int = _number(
        2, "rounds", 1, 1_000, "dispatch rounds at a time; more are answered 503 with `Retry-After`"
    )
    uploads_at_once: int = _number(
        2,
        "documents",
        1,
        1_000,
        "whole documents, workbooks and tables read at a time; more are answered 503 with `Retry-After`",
    )
    token_cache_s: int = _number(
        3,
        "s",
        0,
        86_400,
        "how long a token is believed after it was looked up; a revocation over HTTP is known at once where it is made",
    )
    law_cache_s: int = _number(1, "s", 0, 86_400, "how long cards are shown without a look at the rule books in force")
    idempotency_lease_s: int = _number(60, "s", 1, 86_400, "when a request that never answered may be tried again")
    idempotency_keep_h: int = _number(
        24, "h", 1, 87_600, "how long answers to requests with an Idempotency-Key are kept"
    )
    background: bool = _value(True, "whether this server also does what falls due, sends webhooks and does long work")
    tick_s: int = _number(5, "s", 1, 86_400, "between two looks for what is due")
    messages_keep_d: int = _number(
        30, "days", 0, 36_500, "after which messages to webhooks that arrived or were given up are forgotten"
    )
    webhooks_private: bool = _value(False, "webhooks by `http` and into the own network")
    log_level: LogLevel = _value(
        "info", "JSON lines on stderr from this level on, with request ids, without personal fields"
    )
    forwarded_allow_ips: str = _value("", "as `serve --forwarded-allow-ips`")
    cache_dir: str = _value(
        "",
        "folder for compiled code, also of the command line; by default beside the program, else `~/.cache/riderscore`, else a"
        " temporary folder, with a word on stderr",
    )
    demo: bool = _value(False, "one-click roles; refused on a database that `riderscore demo` did not make")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Settings of the process; misspelt names and values that cannot be read are refused.

        Raises
        ------
        SettingError
            If a variable with our prefix is none of ours, or holds what its field cannot.
        """
        values = {
            name.removeprefix(PREFIX).lower(): value
            for name, value in (os.environ if environ is None else environ).items()
            if name.startswith(PREFIX)
        }
        known = {field.name: field.type for field in fields(cls)}
        for name in values:
            if name not in known:
                raise SettingError(f"{PREFIX}{name.upper()} is no setting of this version")
        try:
            read = cls(**{name: _read(name, known[name], value) for name, value in values.items()})
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise SettingError(f"{PREFIX}{str(first['loc'][0]).upper()}: {first['msg']}") from None
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
