"""API keys: `rs_<key id>_<secret>`. The secret is shown once and held as a hash; the id may stand in logs.

The secret is 256 random bits, so a plain SHA-256 of it cannot be guessed back; no slow hash is needed. Who may make which
key: `api.access.key_rights`.
"""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from sqlalchemy import Select, and_, func, insert, or_, select, update

from api.db.audit_notes import add_audit_note
from api.db.bulk import rows_among
from api.db.cursors import CursorPage, cursor_at, read_cursor
from api.db.new_names import new_id
from api.db.records import cut_page, record_of
from api.db.rider_rows import home_of
from api.db.tables import api_keys, audit
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.refusals import Refused
from rules.units import US_PER_DAY, US_PER_S

Role = Literal["platform", "rider", "ops", "approver", "policy"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
# Days until a key ends, where whoever makes it says nothing else.
LIFE_DAYS: Final[Mapping[Role, int]] = {"rider": 30, "ops": 90, "approver": 90, "policy": 90, "platform": 365}
KEY: Final = re.compile(r"rs_([0-9a-f]{16})_([0-9a-f]{64})")
# Writing each use would make every read a write.
LAST_USE_INTERVAL_US: Final = 60 * US_PER_S


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of a key; never its secret.

    Parameters
    ----------
    created_by
        The person who made it (`platform:dispatch-1`), or `cli:token` for the command on the server.
    parent
        The key that it was made with, if any.
    expires_us
        None for never: only keys from before keys had to end.
    """

    key_id: str
    role: Role
    subject: str
    cities: tuple[str, ...]
    created_by: str
    created_us: int
    expires_us: int | None
    last_used_us: int | None
    revoked_us: int | None
    parent: str | None = None

    @property
    def person(self) -> str:
        """Whose it is, as the audit trail names them."""
        return f"{self.role}:{self.subject}"

    def is_good(self, at_us: int) -> bool:
        """Whether it opens anything at an instant."""
        return self.revoked_us is None and (self.expires_us is None or self.expires_us > at_us)


@dataclass(frozen=True, slots=True)
class EndedKey:
    """A rider's key that an upgrade has ended."""

    key_id: str
    rider_id: str
    city: str | None
    created_by: str


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
    parent: str | None = None,
) -> tuple[Key, str]:
    """Make a key; the text that comes with it is its only copy. Does not check rights.

    Parameters
    ----------
    expires_us
        None for as long as keys of the role live.
    parent
        The key that it is made with.

    Raises
    ------
    Refused
        `key_expires_past` if it would never be good.
    """
    if expires_us is None:
        expires_us = unit.recorded_us + LIFE_DAYS[role] * US_PER_DAY
    if expires_us <= unit.recorded_us:
        raise Refused("key_expires_past")
    key_id, secret = new_id(), secrets.token_hex(32)
    key = Key(key_id, role, subject, tuple(cities), actor, unit.recorded_us, expires_us, None, None, parent)
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
            "parent": parent,
        },
    )
    _note(unit, actor, "key_created", key, holder=subject, cities=list(cities), expires_us=expires_us, parent=parent)
    return key, f"rs_{key_id}_{secret}"


def _note(unit: WriteUnit, actor: str, action: str, key: Key, **detail: Any) -> None:
    """An audit line about a key: a rider's stands under the rider, in their city."""
    if key.role == "rider":
        home = home_of(unit, key.subject)
        detail["city"] = None if home is None else home.city
    subject = key.subject if key.role == "rider" else key.key_id
    add_audit_note(unit, actor, action, subject, key=key.key_id, role=key.role, **detail)


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


def refusals_of(unit: ReadUnit | WriteUnit, key_ids: Collection[str], at_us: int) -> dict[str, Refused]:
    """Those of some keys that are good no more, each with what its holder is told."""
    known = {row.key_id: _key(row) for row in rows_among(unit, select(api_keys), api_keys.c.key_id, key_ids)}
    reasons = {key_id: _why_ended(known.get(key_id), at_us) for key_id in key_ids}
    return {key_id: Refused(code) for key_id, code in reasons.items() if code is not None}


def _why_ended(key: Key | None, at_us: int) -> str | None:
    if key is None:
        return "token_invalid"
    if key.revoked_us is not None:
        return "token_revoked"
    return None if key.is_good(at_us) else "token_expired"


def need_valid_key(unit: WriteUnit, key_id: str | None, *, holds: bool = False) -> None:
    """Let go on who came with a key that is good at this moment, whatever was believed when they came, or with none.

    Parameters
    ----------
    holds
        Keep others from ending the key until the unit is committed: they wait, and then find what was made with it.

    Raises
    ------
    Refused
        `token_revoked`, `token_expired`, `token_invalid`.
    """
    if key_id is None:
        return
    if holds:
        unit.connection.execute(_row_of(key_id).with_for_update(read=True))
    for refused in refusals_of(unit, (key_id,), unit.recorded_us).values():
        raise refused


def _row_of(key_id: str) -> Select[Any]:
    return select(api_keys.c.key_id).where(api_keys.c.key_id == key_id)


def list_keys(
    unit: ReadUnit | WriteUnit,
    cities: Sequence[str] = (),
    cursor: str | None = None,
    limit: int = 50,
    *,
    made_by: str | None = None,
) -> CursorPage[Key]:
    """A page of keys, oldest first; with `cities`, those that are good in none but these; with `made_by`, those of one maker."""
    query = select(api_keys).order_by(api_keys.c.created_us, api_keys.c.key_id)
    if cursor is not None:
        at_us, name = read_cursor(cursor)
        same = and_(api_keys.c.created_us == at_us, api_keys.c.key_id > name)
        query = query.where(or_(api_keys.c.created_us > at_us, same))
    if made_by is not None:
        query = query.where(api_keys.c.created_by == made_by)
    items: list[Key] = []
    for key in map(_key, unit.connection.execute(query)):
        if not cities or (key.cities and set(key.cities) <= set(cities)):
            items.append(key)
        if len(items) > limit:
            break
    return cut_page(items, limit, lambda last: cursor_at(last.created_us, last.key_id))


def all_keys(unit: ReadUnit | WriteUnit) -> tuple[Key, ...]:
    """Every key there ever was, oldest first."""
    query = select(api_keys).order_by(api_keys.c.created_us, api_keys.c.key_id)
    return tuple(map(_key, unit.connection.execute(query)))


def num_without_end(unit: ReadUnit | WriteUnit) -> int:
    """How many keys are good for ever, unless they are revoked."""
    query = select(func.count()).where(api_keys.c.expires_us.is_(None), api_keys.c.revoked_us.is_(None))
    return unit.connection.execute(query).scalar_one()


@dataclass(frozen=True, slots=True)
class Revocation:
    """What a revocation came to.

    Parameters
    ----------
    keys
        Ids of the keys that it ended.
    num_left
        Keys that these made, or keys that those made and so on, which are still good.
    """

    keys: tuple[str, ...]
    num_left: int


def revoke_key(unit: WriteUnit, key_id: str, actor: str, *, with_children: bool = False) -> Revocation:
    """End a key; one that is ended already stays as it was.

    Parameters
    ----------
    with_children
        End the keys that it made, too, those that these made, and so on.

    Raises
    ------
    Refused
        `key_unknown`.
    """
    # Who makes a key with this one at the moment is waited for, so that it is found below.
    unit.connection.execute(_row_of(key_id).with_for_update())
    key = key_by_id(unit, key_id)
    if key is None:
        raise Refused("key_unknown")
    below = keys_made_with(unit, key)
    ended = [each for each in (key, *(below if with_children else ())) if _end(unit, each, actor)]
    left = () if with_children else tuple(each for each in below if each.is_good(unit.recorded_us))
    return Revocation(tuple(each.key_id for each in ended), len(left))


def _end(unit: WriteUnit, key: Key, actor: str) -> bool:
    ended = unit.connection.execute(
        update(api_keys)
        .where(api_keys.c.key_id == key.key_id, api_keys.c.revoked_us.is_(None))
        .values(revoked_us=unit.recorded_us)
    )
    if ended.rowcount:
        _note(unit, actor, "key_revoked", key)
    return bool(ended.rowcount)


def keys_made_with(unit: ReadUnit | WriteUnit, key: Key) -> tuple[Key, ...]:
    """Keys that a key made, those that these made, and so on."""
    made: dict[str, Key] = {}
    waiting = [key]
    while waiting:
        for child in map(_key, unit.connection.execute(_children(waiting.pop()))):
            if child.key_id not in made and child.key_id != key.key_id:
                made[child.key_id] = child
                waiting.append(child)
    return tuple(made.values())


def _children(key: Key) -> Select[Any]:
    """Keys made by a key; of those whose maker's key is not known, all that the same person made."""
    unknown = and_(api_keys.c.parent.is_(None), api_keys.c.created_by == key.person)
    return (
        select(api_keys)
        .where(or_(api_keys.c.parent == key.key_id, unknown))
        .order_by(api_keys.c.created_us, api_keys.c.key_id)
    )


def ended_by_upgrade(unit: ReadUnit | WriteUnit, since_us: int = 0) -> tuple[EndedKey, ...]:
    """Riders' keys that an upgrade of the database has ended, because operations had made them."""
    query = select(audit).where(
        audit.c.action == "key_revoked", audit.c.actor.startswith("upgrade:"), audit.c.recorded_us >= since_us
    )
    ended = []
    for row in unit.connection.execute(query.order_by(audit.c.audit_id)):
        detail = json.loads(row.detail)
        ended.append(EndedKey(detail["key"], row.subject, row.city, detail["created_by"]))
    return tuple(ended)


def keys_of(unit: ReadUnit | WriteUnit, role: Role, subject: str) -> tuple[Key, ...]:
    """Every key that a person ever held in a role."""
    query = select(api_keys).where(api_keys.c.role == role, api_keys.c.subject == subject)
    return tuple(map(_key, unit.connection.execute(query.order_by(api_keys.c.created_us, api_keys.c.key_id))))


def revoke_keys_of(unit: WriteUnit, rider_id: str, actor: str) -> int:
    """End all keys of a rider; how many were good."""
    theirs = (api_keys.c.role == "rider", api_keys.c.subject == rider_id, api_keys.c.revoked_us.is_(None))
    ended = unit.connection.scalars(
        select(api_keys.c.key_id).where(*theirs).order_by(api_keys.c.created_us, api_keys.c.key_id)
    ).all()
    for key_id in ended:
        revoke_key(unit, key_id, actor)
    return len(ended)


def record_use(unit: WriteUnit, key_id: str) -> None:
    """Keep when a key was last used, to the minute."""
    before = unit.recorded_us - LAST_USE_INTERVAL_US
    unit.connection.execute(
        update(api_keys)
        .where(api_keys.c.key_id == key_id, or_(api_keys.c.last_used_us.is_(None), api_keys.c.last_used_us <= before))
        .values(last_used_us=unit.recorded_us)
    )


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _key(row: Any) -> Key:
    return record_of(Key, row, cities=tuple(json.loads(row.cities)))
