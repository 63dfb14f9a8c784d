"""Messages to webhooks, stored in the same transaction as the change they report; `api.webhooks.deliverer` sends them.

A message and its deliveries, one for each webhook that listens, are rows of the same transaction: nothing is announced
that did not happen, and nothing that happened is left out, in whatever order transactions end. A message that nobody
listens to is not kept. Messages of a rider are numbered in the order of the rider's ledger, since their writers hold
the rider's row.
"""

import datetime as dt
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from sqlalchemy import func, select, text

from api.db.bulk import add_rows
from api.db.identity import platform_of
from api.db.tables import outbox, webhook_attempts, webhooks
from api.db.unit_of_work import ReadUnit, WriteUnit
from rules.units import US_PER_S

Kind = Literal[
    "score.changed",
    "tier.changed",
    "review.needed",
    "appeal.decided",
    "rider.erased",
    "book.scheduled",
    "book.suspended",
    "ping",
]
KINDS: Final[tuple[str, ...]] = get_args(Kind)
PING: Final = "ping"
ERASED: Final = "rider.erased"
# What tells of single riders: whoever hears of any of these hears of erasures, too.
_OF_RIDERS: Final = frozenset({"score.changed", "tier.changed", "review.needed", "appeal.decided", ERASED})
# Bodies of messages: what proxies let through, and receivers read in one go.
BODY_BYTES_MAX: Final = 256 * 1024
ENTRIES_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Message:
    """Something that happened.

    Parameters
    ----------
    data
        What the receiver is told: ids, whole numbers, digests; no personal fields.
    rider_id
        Whose it is: messages of one rider are delivered in their order.
    city
        The city; None concerns all cities.
    """

    kind: Kind
    data: dict[str, Any] = field(hash=False)
    rider_id: str | None = None
    city: str | None = None


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Who wants to hear of what; empty sets for all."""

    webhook_id: str
    kinds: frozenset[str]
    cities: frozenset[str]

    def hears(self, message: Message) -> bool:
        """Whether a message is for them."""
        in_city = not self.cities or message.city is None or message.city in self.cities
        return in_city and (not self.kinds or message.kind in self.kinds)


def subscribers(unit: ReadUnit | WriteUnit, *, off_too: bool = False) -> tuple[Subscriber, ...]:
    """Webhooks that are neither removed nor, unless these are wanted too, switched off."""
    query = select(webhooks.c.webhook_id, webhooks.c.kinds, webhooks.c.cities).where(webhooks.c.removed_us.is_(None))
    query = query if off_too else query.where(webhooks.c.disabled_us.is_(None))
    rows = unit.connection.execute(query.order_by(webhooks.c.recorded_us, webhooks.c.webhook_id))
    return tuple(
        Subscriber(row.webhook_id, frozenset(json.loads(row.kinds)), frozenset(json.loads(row.cities))) for row in rows
    )


def wanted_kinds(unit: ReadUnit | WriteUnit) -> frozenset[str]:
    """Kinds of messages that anybody listens to."""
    kinds: set[str] = set()
    for listener in subscribers(unit):
        kinds |= listener.kinds or set(KINDS)
    return frozenset(kinds)


def emit(unit: WriteUnit, messages: Iterable[Message]) -> None:
    """Send a message to every webhook that listens, once this unit is committed."""
    queued = list(messages)
    if not queued:
        return
    known = subscribers(unit)
    heard = [
        (message, [subscriber.webhook_id for subscriber in known if subscriber.hears(message)]) for message in queued
    ]
    enqueue(unit, [(message, hooks) for message, hooks in heard if hooks])


def emit_erasure(unit: WriteUnit, rider_id: str, city: str | None, cities_before: Sequence[str]) -> None:
    """Tell everybody who may ever have been told of a rider that the person is erased, so that they forget them too.

    Webhooks that are switched off hear it when they are switched on again.
    """
    theirs = {city, *cities_before}
    hooks = [
        known.webhook_id
        for known in subscribers(unit, off_too=True)
        if (city is None or not known.cities or theirs & known.cities) and (not known.kinds or _OF_RIDERS & known.kinds)
    ]
    if hooks:
        enqueue(unit, [(Message(ERASED, {"rider_id": rider_id, "city": city}, rider_id, city), hooks)])


def enqueue(unit: WriteUnit, heard: Sequence[tuple[Message, Sequence[str]]]) -> list[int]:
    """Write messages and a delivery for each webhook named beside them; returns the messages' numbers."""
    if not heard:
        return []
    numbers, platform = _numbers(unit, len(heard)), platform_of(unit)
    add_rows(
        unit,
        outbox,
        [
            {
                "outbox_id": number,
                "kind": message.kind,
                "rider_id": message.rider_id,
                "city": message.city,
                "payload": _body(message, platform, unit.recorded_us),
                "recorded_us": unit.recorded_us,
            }
            for number, (message, _) in zip(numbers, heard, strict=True)
        ],
    )
    add_rows(
        unit,
        webhook_attempts,
        [
            {
                "webhook_id": webhook_id,
                "outbox_id": number,
                "rider_id": message.rider_id,
                "state": "waiting",
                "num_attempts": 0,
                "next_us": unit.recorded_us,
            }
            for number, (message, hooks) in zip(numbers, heard, strict=True)
            for webhook_id in hooks
        ],
    )
    return numbers


def iso(at_us: int) -> str:
    """An instant as ISO-8601 in UTC, whole microseconds."""
    seconds, micros = divmod(at_us, US_PER_S)
    at = dt.datetime.fromtimestamp(seconds, dt.UTC).replace(microsecond=micros)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _body(message: Message, platform: str, recorded_us: int) -> str:
    body = {"type": message.kind, "timestamp": iso(recorded_us), "platform": platform, "data": message.data}
    return _bounded(body)


def within_bound(body: str) -> str:
    """A body as it may be sent: one that is too large with fewer entries, as `_bounded` says."""
    return (
        body if len(body) * 4 <= BODY_BYTES_MAX or len(body.encode()) <= BODY_BYTES_MAX else _bounded(json.loads(body))
    )


def _bounded(body: dict[str, Any]) -> str:
    """A body of `BODY_BYTES_MAX` at most: of many entries the newest, how many there are, and what asks for the rest.

    The cursor is that of `GET /v1/riders/{rider_id}/entries`, which gives older entries first after it.
    """
    data = body["data"]
    entries = data.get("entries")
    if entries is None:
        return _written(body)
    num_all = data.get("num_entries", len(entries))
    newest = entries[-ENTRIES_MAX:]
    while True:
        cursor = str(newest[0]["seq"]) if newest and len(newest) < num_all else None
        bounded = data | {"entries": newest, "num_entries": num_all, "cursor": cursor}
        written = _written(body | {"data": bounded})
        if len(written.encode()) <= BODY_BYTES_MAX or len(newest) <= 1:
            return written
        newest = newest[-(len(newest) // 2) :]


def _written(body: dict[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _numbers(unit: WriteUnit, count: int) -> list[int]:
    """The next numbers of the outbox. SQLite has one writer at a time; PostgreSQL's sequence never gives one twice."""
    if unit.connection.dialect.name == "postgresql":
        asked = text("SELECT nextval(pg_get_serial_sequence('outbox', 'outbox_id')) FROM generate_series(1, :count)")
        return sorted(unit.connection.scalars(asked, {"count": count}))
    last = unit.connection.scalar(select(func.max(outbox.c.outbox_id))) or 0
    return list(range(last + 1, last + count + 1))
