"""Answers by Idempotency-Key: a request that is repeated gets the answer it got, and is not done again.

A request is claimed before it is done, and its answer is kept in the transaction that does it: both stand or neither.
One that never answered (its process died) may be claimed again when its lease is over; then the first can no longer end.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, LargeBinary, Row, bindparam, delete, func, literal, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from api.db.bulk import add_missing, pairs_among
from api.db.tables import idempotency
from api.db.unit_of_work import WriteUnit
from api.refusals import Refused

_FORGOTTEN_AT_ONCE: Final = 5_000


@dataclass(frozen=True, slots=True)
class ClaimedKey:
    """A request that this process does; `recorded_us` tells it from a later claim of the same key."""

    actor: str
    key: str
    recorded_us: int


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What was answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def claim_key(unit: WriteUnit, actor: str, key: str, request_digest: str, lease_us: int) -> ClaimedKey | StoredAnswer:
    """Take a request on, or give the answer it got before.

    Raises
    ------
    Refused
        `idempotency_key_reused` for another request, `idempotency_in_flight` while it is being answered.
    """
    is_key = (idempotency.c.actor == actor) & (idempotency.c.key == key)
    fresh = {"actor": actor, "key": key, "request_digest": request_digest, "recorded_us": unit.recorded_us}
    make = postgresql.insert if unit.connection.dialect.name == "postgresql" else sqlite.insert
    added = make(idempotency).on_conflict_do_nothing().returning(idempotency.c.key)
    if unit.connection.execute(added, fresh).one_or_none() is not None:
        return ClaimedKey(actor, key, unit.recorded_us)
    row = unit.connection.execute(select(idempotency).where(is_key).with_for_update()).one_or_none()
    if row is None:  # given up between the two statements
        raise Refused("idempotency_in_flight")
    claimed = _claimed(unit, KeyedRequest(actor, key, request_digest), row, lease_us)
    if isinstance(claimed, Refused):
        raise claimed
    return claimed


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A request that is to be done once: whose, under which key, and a digest of what it asks."""

    actor: str
    key: str
    request_digest: str


def claim_keys(
    unit: WriteUnit, wanted: Sequence[KeyedRequest], lease_us: int
) -> list[ClaimedKey | StoredAnswer | Refused]:
    """As `claim_key` of each, in the transaction that does them all; what is refused is told, not raised.

    Parameters
    ----------
    wanted
        Each key of an actor once.

    On PostgreSQL a request that another server does at this moment is waited for, and its answer given.
    """
    ordered = sorted(wanted, key=lambda request: (request.actor, request.key))
    pairs = [(request.actor, request.key) for request in ordered]
    known = _rows_of(unit, pairs)
    new = [
        {
            "actor": request.actor,
            "key": request.key,
            "request_digest": request.request_digest,
            "recorded_us": unit.recorded_us,
        }
        for request in ordered
        if (request.actor, request.key) not in known
    ]
    add_missing(unit, idempotency, new)
    if new and unit.connection.dialect.name == "postgresql":
        # Those that another server has added meanwhile are not ours; SQLite has one writer.
        known |= {pair: row for pair, row in _rows_of(unit, pairs).items() if not _is_fresh(row, unit.recorded_us)}
    return [_claimed(unit, request, known.get((request.actor, request.key)), lease_us) for request in wanted]


def _is_fresh(row: Row[Any], recorded_us: int) -> bool:
    return row.status is None and row.recorded_us == recorded_us


def _rows_of(unit: WriteUnit, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Row[Any]]:
    """What is known of some keys."""
    is_asked = pairs_among(unit, (idempotency.c.actor, idempotency.c.key), pairs)
    return {(row.actor, row.key): row for row in unit.connection.execute(select(idempotency).where(is_asked))}


def _claimed(
    unit: WriteUnit, request: KeyedRequest, row: Row[Any] | None, lease_us: int
) -> ClaimedKey | StoredAnswer | Refused:
    mine = ClaimedKey(request.actor, request.key, unit.recorded_us)
    if row is None:
        return mine
    if row.request_digest != request.request_digest:
        return Refused("idempotency_key_reused")
    if row.status is not None:
        return StoredAnswer(row.status, json.loads(row.headers), bytes(row.body))
    if row.recorded_us + lease_us > unit.recorded_us:
        return Refused("idempotency_in_flight")
    taken = _of(ClaimedKey(request.actor, request.key, row.recorded_us))
    changed = unit.connection.execute(update(idempotency).where(taken).values(recorded_us=unit.recorded_us))
    return mine if changed.rowcount else Refused("idempotency_in_flight")


def store_answers(unit: WriteUnit, done: Sequence[tuple[ClaimedKey, StoredAnswer]]) -> None:
    """Keep what was answered to requests that `claim_keys` gave to this unit."""
    if not done:
        return
    mine = (idempotency.c.actor == bindparam("of_actor")) & (idempotency.c.key == bindparam("of_key"))
    unit.connection.execute(
        update(idempotency)
        .where(mine)
        .values(status=bindparam("to_status"), headers=bindparam("to_headers"), body=bindparam("to_body")),
        [
            {
                "of_actor": made.actor,
                "of_key": made.key,
                "to_status": answer.status,
                "to_headers": json.dumps(dict(answer.headers)),
                "to_body": answer.body,
            }
            for made, answer in done
        ],
    )


def store_answer(unit: WriteUnit, made: ClaimedKey, answer: StoredAnswer) -> None:
    """Keep what was answered, in the unit that did it.

    Raises
    ------
    Refused
        `idempotency_in_flight` where another request has claimed the request since: what was done must not stand.
    """
    changed = unit.connection.execute(
        update(idempotency)
        .where(_of(made))
        .values(
            status=answer.status,
            headers=json.dumps(dict(answer.headers)),
            body=answer.body,
        )
    )
    if not changed.rowcount:
        raise Refused("idempotency_in_flight")


def release_key(unit: WriteUnit, made: ClaimedKey) -> None:
    """Forget a request that changed nothing, so that it can be tried again at once."""
    unit.connection.execute(delete(idempotency).where(_of(made)))


def delete_answer(unit: WriteUnit, actor: str, key: str, before_us: int) -> None:
    """Delete one answer if it is old."""
    is_key = (idempotency.c.actor == actor) & (idempotency.c.key == key)
    unit.connection.execute(delete(idempotency).where(is_key, idempotency.c.recorded_us < before_us))


def delete_answers(unit: WriteUnit, before_us: int) -> int:
    """Delete old answers; how many. Call again until none is left."""
    old = select(idempotency.c.actor, idempotency.c.key).where(idempotency.c.recorded_us < before_us)
    rows = unit.connection.execute(old.limit(_FORGOTTEN_AT_ONCE)).all()
    for row in rows:
        is_key = (idempotency.c.actor == row.actor) & (idempotency.c.key == row.key)
        unit.connection.execute(delete(idempotency).where(is_key, idempotency.c.recorded_us < before_us))
    return len(rows)


def _of(made: ClaimedKey) -> ColumnElement[bool]:
    return (
        (idempotency.c.actor == made.actor)
        & (idempotency.c.key == made.key)
        & (idempotency.c.recorded_us == made.recorded_us)
        & idempotency.c.status.is_(None)
    )


def delete_answers_about(unit: WriteUnit, rider_id: str) -> int:
    """Let go of answers to a rider, and of all that mention one: they may hold a person's words; how many."""
    body = idempotency.c.body
    # As every answer of ours writes it.
    name = literal(json.dumps(rider_id, ensure_ascii=False).encode(), LargeBinary)
    is_postgresql = unit.connection.dialect.name == "postgresql"
    place = func.pg_catalog.position(body, name) if is_postgresql else func.instr(body, name)
    theirs = or_(idempotency.c.actor == f"rider:{rider_id}", place > 0)
    return unit.connection.execute(delete(idempotency).where(theirs)).rowcount
