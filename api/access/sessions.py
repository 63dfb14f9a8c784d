"""Sessions of people in the console: a random text in a cookie, held as a hash, that ends where the service says so.

A session never outlives what it was begun with: a key that is revoked or has expired ends its sessions.
"""

import hashlib
import json
import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import and_, delete, insert, or_, select, update

from api.access.keys import Role, role_of
from api.db.bulk import rows_among
from api.db.records import record_of
from api.db.tables import api_keys, sessions
from api.db.unit_of_work import ReadUnit, WriteUnit
from rules.units import US_PER_S

SESSION_S: Final = 12 * 3_600
_WRITTEN: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Session:
    """Whose a session is; `session_id` is the hash of what the cookie holds.

    Parameters
    ----------
    key_id
        The API key that it was begun with; None for a JWT, or a role of a demo.
    signed_by
        The print of the issuer's key that its JWT was signed with; the service asks whether the issuer still has it.
    """

    session_id: str
    role: Role
    subject: str
    cities: tuple[str, ...]
    key_id: str | None
    expires_us: int
    signed_by: str | None = None


def begin_session(
    unit: WriteUnit,
    role: Role,
    subject: str,
    cities: Sequence[str] = (),
    key_id: str | None = None,
    until_us: int | None = None,
    signed_by: str | None = None,
) -> str:
    """Begin a session; what its cookie holds, of which no copy is kept.

    Parameters
    ----------
    until_us
        Until when what it is begun with is good; None for ever.
    """
    # Those that are over are of no use to anybody.
    unit.connection.execute(delete(sessions).where(sessions.c.expires_us <= unit.recorded_us))
    written = secrets.token_hex(32)
    expires_us = unit.recorded_us + SESSION_S * US_PER_S
    unit.connection.execute(
        insert(sessions),
        {
            "session_id": _hash(written),
            "role": role,
            "subject": subject,
            "cities": json.dumps(list(cities), ensure_ascii=False),
            "key_id": key_id,
            "signed_by": signed_by,
            "created_us": unit.recorded_us,
            "expires_us": expires_us if until_us is None else min(expires_us, until_us),
        },
    )
    return written


def session_of(unit: ReadUnit | WriteUnit, written: str, at_us: int) -> Session | None:
    """The session that a cookie's text is; None where there is none, or it is over."""
    if not _WRITTEN.fullmatch(written):
        return None
    query = select(sessions).where(sessions.c.session_id == _hash(written))
    row = unit.connection.execute(query).one_or_none()
    if row is None or ended_among(unit, (), {row.session_id}, at_us)[1]:
        return None
    return record_of(Session, row, role=role_of(row.role), cities=tuple(json.loads(row.cities)))


def end_session(unit: WriteUnit, written: str) -> None:
    """End a session at once; what is none stays none."""
    if _WRITTEN.fullmatch(written):
        unit.connection.execute(
            update(sessions)
            .where(sessions.c.session_id == _hash(written), sessions.c.ended_us.is_(None))
            .values(ended_us=unit.recorded_us)
        )


def end_sessions_of(unit: WriteUnit, role: Role, subject: str) -> None:
    """Delete every session of a person, which ends them."""
    unit.connection.execute(delete(sessions).where(sessions.c.role == role, sessions.c.subject == subject))


def ended_among(
    unit: ReadUnit | WriteUnit, key_ids: Collection[str], session_ids: Collection[str], at_us: int
) -> tuple[frozenset[str], frozenset[str]]:
    """Those of some keys and sessions that are good no more, unknown ones included."""
    good_key = and_(
        api_keys.c.revoked_us.is_(None), or_(api_keys.c.expires_us.is_(None), api_keys.c.expires_us > at_us)
    )
    live_keys = rows_among(unit, select(api_keys.c.key_id).where(good_key), api_keys.c.key_id, key_ids)
    held = (
        select(sessions.c.session_id)
        .outerjoin(api_keys, api_keys.c.key_id == sessions.c.key_id)
        .where(
            sessions.c.ended_us.is_(None),
            sessions.c.expires_us > at_us,
            or_(sessions.c.key_id.is_(None), and_(api_keys.c.key_id.is_not(None), good_key)),
        )
    )
    live_sessions = rows_among(unit, held, sessions.c.session_id, session_ids)
    return (
        frozenset(key_ids).difference(row.key_id for row in live_keys),
        frozenset(session_ids).difference(row.session_id for row in live_sessions),
    )


def _hash(written: str) -> str:
    return hashlib.sha256(written.encode()).hexdigest()
