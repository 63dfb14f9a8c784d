"""API keys: `rs_<key id>_<secret>`. The secret is shown once and held as a hash; the id may stand in logs.

The secret is 256 random bits, so a plain SHA-256 of it cannot be guessed back; no slow hash is needed.
"""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from sqlalchemy import insert, or_, select, update

from api.store.people import note
from api.store.refusals import Refused
from api.store.tables import api_keys
from api.store.units import ReadUnit, WriteUnit
from rules.units import US_PER_S

Role = Literal["platform", "rider", "ops", "approver", "policy"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
KEY: Final = re.compile(r"rs_([0-9a-f]{16})_([0-9a-f]{64})")
# Writing each use would make every read a write.
USE_WRITTEN_EVERY_US: Final = 60 * US_PER_S


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of a key; never its secret."""

    key_id: str
    role: Role
    subject: str
    cities: tuple[str, ...]
    created_by: str
    created_us: int
    expires_us: int | None
    last_used_us: int | None
    revoked_us: int | None


@dataclass(frozen=True, slots=True)
class KeyPage:
    """Keys by id; `cursor` asks for the next page."""

    keys: tuple[Key, ...]
    cursor: str | None


def role_of(written: str) -> Role:
    """A role by its name.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    for role in ROLES:
        if role == written:
            return role
    raise ValueError(written)


def create_key(
    unit: WriteUnit,
    role: Role,
    subject: str,
    cities: Sequence[str] = (),
    *,
    expires_us: int | None = None,
    actor: str,
) -> tuple[Key, str]:
    """Make a key; the text that comes with it is its only copy.

    Raises
    ------
    Refused
        `key_expires_past` if it would never be good.
    """
    if expires_us is not None and expires_us <= unit.recorded_us:
        raise Refused("key_expires_past")
    key_id, secret = secrets.token_hex(8), secrets.token_hex(32)
    key = Key(key_id, role, subject, tuple(cities), actor, unit.recorded_us, expires_us, None, None)
    unit.connection.execute(
        insert(api_keys),
        {
            "key_id": key_id,
            "secret_hash": _hash(secret),
            "role": role,
            "subject": subject,
            "cities": json.dumps(list(cities), ensure_ascii=False),
            "created_by": actor,
            "created_us": unit.recorded_us,
            "expires_us": expires_us,
        },
    )
    note(unit, actor, "key_created", key_id, role=role, holder=subject, cities=list(cities), expires_us=expires_us)
    return key, f"rs_{key_id}_{secret}"


def key_of(unit: ReadUnit | WriteUnit, written: str) -> Key | None:
    """The key that a text is, expired and revoked ones included; None where the secret is not the one."""
    match = KEY.fullmatch(written)
    if match is None:
        return None
    row = unit.connection.execute(select(api_keys).where(api_keys.c.key_id == match[1])).one_or_none()
    # The same work whether or not the id is known.
    held = bytes(32) if row is None else bytes(row.secret_hash)
    if not hmac.compare_digest(held, _hash(match[2])) or row is None:
        return None
    return _key(row)


def key_by_id(unit: ReadUnit | WriteUnit, key_id: str) -> Key | None:
    """A key by its public id."""
    row = unit.connection.execute(select(api_keys).where(api_keys.c.key_id == key_id)).one_or_none()
    return None if row is None else _key(row)


def list_keys(
    unit: ReadUnit | WriteUnit, cities: Sequence[str] = (), cursor: str | None = None, limit: int = 50
) -> KeyPage:
    """A page of keys by id; with `cities`, those that are good in none but these."""
    rows = unit.connection.execute(
        select(api_keys).where(api_keys.c.key_id > (cursor or "")).order_by(api_keys.c.key_id)
    )
    found: list[Key] = []
    for key in map(_key, rows):
        if not cities or (key.cities and set(key.cities) <= set(cities)):
            found.append(key)
        if len(found) > limit:
            break
    return KeyPage(tuple(found[:limit]), found[limit - 1].key_id if len(found) > limit else None)


def revoke_key(unit: WriteUnit, key_id: str, actor: str) -> None:
    """End a key; one that is ended already stays as it was.

    Raises
    ------
    Refused
        `key_unknown`.
    """
    if key_by_id(unit, key_id) is None:
        raise Refused("key_unknown")
    ended = unit.connection.execute(
        update(api_keys)
        .where(api_keys.c.key_id == key_id, api_keys.c.revoked_us.is_(None))
        .values(revoked_us=unit.recorded_us)
    )
    if ended.rowcount:
        note(unit, actor, "key_revoked", key_id)


def note_use(unit: WriteUnit, key_id: str) -> None:
    """Keep when a key was last used, to the minute."""
    before = unit.recorded_us - USE_WRITTEN_EVERY_US
    unit.connection.execute(
        update(api_keys)
        .where(api_keys.c.key_id == key_id, or_(api_keys.c.last_used_us.is_(None), api_keys.c.last_used_us <= before))
        .values(last_used_us=unit.recorded_us)
    )


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _key(row: Any) -> Key:
    return Key(
        row.key_id, row.role, row.subject, tuple(json.loads(row.cities)), row.created_by, row.created_us,
        row.expires_us, row.last_used_us, row.revoked_us,
    )  # fmt: skip
