"""Seals: each row of the audit trail, and each decision of a person, holds a hash of all rows before it.

Triggers note each row that is added; at the edge of its transaction it is sealed. So a row that was changed, removed or
slipped in by another way shows. Words that may be erased stand elsewhere: a row holds a digest of them at most.

The format never changes: a column that is added later is not sealed.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Table, Text, and_, cast, delete, exists, insert, select, update
from sqlalchemy.sql.elements import ColumnElement

from api.db import tables
from api.db.bulk import among
from api.db.unit_of_work import ReadUnit, WriteUnit

GENESIS: Final = bytes(32)
# What is sealed of each table; the key comes first.
SEALED: Final[Mapping[str, tuple[str, ...]]] = {
    "approvals": ("approval_id", "draft_id", "revision", "content_digest", "decision", "approver", "reason", "impact_id", "recorded_us"),
    "appeal_decisions": ("appeal_id", "decision", "decided_by", "reason_code", "reason_digest", "decided_us"),
    "review_decisions": ("review_id", "outcome", "decided_by", "reason_digest", "is_safety", "from_us", "decided_us"),
    "suspension_lifts": ("review_id", "lifted_by", "reason_digest", "event_id", "lifted_us"),
    "audit": ("audit_id", "recorded_us", "actor", "action", "subject", "detail", "city"),
}  # fmt: skip
_AT_ONCE: Final = 1_000
Breach = Literal["changed", "removed", "unsealed", "chain", "cut_off"]


@dataclass(frozen=True, slots=True)
class BrokenSeal:
    """A row of `table` that is no longer what was sealed, or a seal that does not follow the one before.

    `what` is `changed`, `removed`, `unsealed` (the row was slipped in), `chain` or `cut_off` (the last seals are gone).
    """

    table: str
    key: str
    what: Breach


def digest_of(table: str, values: Sequence[Any]) -> bytes:
    """The digest of a row: its table and what is sealed of it, as compact JSON."""
    return hashlib.sha256(json.dumps([table, *values], ensure_ascii=False, separators=(",", ":")).encode()).digest()


def next_seal(before: bytes, digest: bytes) -> bytes:
    """The chain value of a row."""
    return hashlib.sha256(before + digest).digest()


def seal_waiting(unit: WriteUnit) -> None:
    """Seal what this transaction has added; nothing else is waited for afterwards."""
    waiting = tables.seal_queue
    rows = unit.connection.execute(select(waiting).order_by(waiting.c.queue_id)).all()
    if not rows:
        return
    head = unit.connection.execute(select(tables.seal_head).with_for_update()).one()
    number, chain, sealed = head.number, bytes(head.chain), []
    digests = _digests(unit, [(row.sealed_table, row.row_key) for row in rows])
    for row in rows:
        digest = digests.get((row.sealed_table, row.row_key))
        if digest is None:  # gone again, which the table's own triggers allow nobody
            continue
        number, chain = number + 1, next_seal(chain, digest)
        sealed.append(
            {"number": number, "sealed_table": row.sealed_table, "row_key": row.row_key, "digest": digest, "chain": chain}
        )  # fmt: skip
    if sealed:
        unit.connection.execute(insert(tables.seals), sealed)
        unit.connection.execute(update(tables.seal_head).values(number=number, chain=chain))
    unit.connection.execute(delete(waiting).where(waiting.c.queue_id <= rows[-1].queue_id))


def verify_seals(unit: ReadUnit) -> Iterator[BrokenSeal]:
    """Every row that is not as it was sealed; in pages, so that memory does not grow with the trail."""
    number, chain = 0, GENESIS
    while True:
        query = select(tables.seals).where(tables.seals.c.number > number).order_by(tables.seals.c.number)
        page = unit.connection.execute(query.limit(_AT_ONCE)).all()
        if not page:
            break
        digests = _digests(unit, [(row.sealed_table, row.row_key) for row in page])
        for row in page:
            digest = digests.get((row.sealed_table, row.row_key))
            if row.number != number + 1 or next_seal(chain, bytes(row.digest)) != bytes(row.chain):
                yield BrokenSeal(row.sealed_table, row.row_key, "chain")
            if digest is None:
                yield BrokenSeal(row.sealed_table, row.row_key, "removed")
            elif digest != bytes(row.digest):
                yield BrokenSeal(row.sealed_table, row.row_key, "changed")
            number, chain = row.number, bytes(row.chain)
    head = unit.connection.execute(select(tables.seal_head)).one_or_none()
    if head is None or (head.number, bytes(head.chain)) != (number, chain):
        yield BrokenSeal("seals", str(number if head is None else head.number), "cut_off")
    yield from _unsealed(unit)


def _unsealed(unit: ReadUnit) -> Iterator[BrokenSeal]:
    for name in SEALED:
        key = _key(tables.metadata.tables[name])
        sealed = exists().where(and_(tables.seals.c.sealed_table == name, tables.seals.c.row_key == key))
        query = select(key.label("key")).where(~sealed).execution_options(yield_per=_AT_ONCE)
        for row in unit.connection.execute(query):
            yield BrokenSeal(name, row.key, "unsealed")


def _digests(unit: ReadUnit | WriteUnit, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], bytes]:
    """The digests of rows as they are; those that are not there are left out."""
    digests: dict[tuple[str, str], bytes] = {}
    for name, columns in SEALED.items():
        table = tables.metadata.tables[name]
        keys = [key for sealed, key in wanted if sealed == name]
        # A statement takes so many values and no more.
        for first in range(0, len(keys), _AT_ONCE):
            among_them = _among(unit, table, keys[first : first + _AT_ONCE])
            for row in unit.connection.execute(select(*(table.c[column] for column in columns)).where(among_them)):
                digests[name, str(row[0])] = digest_of(name, tuple(row))
    return digests


def _among(unit: ReadUnit | WriteUnit, table: Table, keys: Sequence[str]) -> ColumnElement[bool]:
    key = table.c[SEALED[table.name][0]]
    if isinstance(key.type, Text):
        return among(unit, key, keys)
    return key.in_([int(name) for name in keys if name.isdigit()])


def _key(table: Table) -> ColumnElement[str]:
    return cast(table.c[SEALED[table.name][0]], Text)
