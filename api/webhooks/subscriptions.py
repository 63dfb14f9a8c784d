"""Webhooks: where others want to hear of changes, by the Standard Webhooks convention. Sending: `api.webhooks.deliverer`.

A secret is shown once, when it is made. The one before goes on signing for a day, so that a receiver can change over.
"""

import base64
import json
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, Row, func, insert, select, update

from api.db.audit_notes import add_audit_note
from api.db.cursors import CursorPage, cursor_at, read_cursor
from api.db.new_names import new_id
from api.db.outbox import KINDS, PING, Message, enqueue
from api.db.records import cut_page, record_of
from api.db.tables import outbox, webhook_attempts, webhooks
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.refusals import Refused
from api.webhooks.public_addresses import is_public_name
from api.words import Translated, translated
from rules.text import text
from rules.units import US_PER_DAY

OVERLAP_US: Final = US_PER_DAY
NUM_MAX: Final = 100
# Per owner, so that one owner cannot use up the whole limit.
NUM_OF_ONE_MAX: Final = 10
_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook: address, kinds of message and cities; empty `kinds` and `cities` for all.

    Parameters
    ----------
    webhook_id
        Its id.
    url
        Where messages are sent.
    kinds, cities
        What it hears of; empty for all.
    created_by
        The actor that made it.
    recorded_us
        When it was made, microseconds UTC.
    failing_us
        Since when no delivery succeeded; None while they do.
    disabled_us, disabled_why
        When it was switched off, because no delivery succeeded (`failing`), it asked for it (`gone`), or more waits for it
        than may: then what waits is sent, and nothing more is kept until half is gone (`full`).
    """

    webhook_id: str
    url: str
    kinds: tuple[str, ...]
    cities: tuple[str, ...]
    created_by: str
    recorded_us: int
    failing_us: int | None
    disabled_us: int | None
    disabled_why: str | None


@dataclass(frozen=True, slots=True)
class WebhookDelivery:
    """One message on its way to one webhook; `state` is waiting, delivered or given_up."""

    outbox_id: int
    kind: str
    state: str
    num_attempts: int
    next_us: int
    last_status: int | None
    last_error: str | None
    recorded_us: int
    delivered_us: int | None


def register(
    unit: WriteUnit,
    actor: str,
    url: str,
    kinds: Sequence[str] = (),
    cities: Sequence[str] = (),
    *,
    allow_private: bool = False,
) -> tuple[Webhook, str]:
    """Register a webhook.

    Parameters
    ----------
    unit
        The unit of work that writes.
    actor
        Who makes it.
    url
        Where messages are sent.
    kinds, cities
        What it hears of; empty for all.
    allow_private
        Whether `http` and addresses of the own network will do.

    Returns
    -------
    tuple[Webhook, str]
        The webhook, and its secret, which is shown this once.

    Raises
    ------
    Refused
        `webhook_url`, `webhook_kind`, `too_many_own_webhooks`, `too_many_webhooks`.
    """
    check_url(url, allow_private=allow_private)
    unknown = sorted(set(kinds) - set(KINDS) | ({PING} & set(kinds)))
    if unknown:
        raise Refused("webhook_kind", kind=unknown[0], allowed=", ".join(kind for kind in KINDS if kind != PING))
    num_own, num_all = (
        unit.connection.scalar(select(func.count()).select_from(webhooks).where(*_live(whose))) or 0
        for whose in (actor, None)
    )
    if num_own >= NUM_OF_ONE_MAX:
        raise Refused("too_many_own_webhooks", num_max=NUM_OF_ONE_MAX)
    if num_all >= NUM_MAX:
        raise Refused("too_many_webhooks", num_max=NUM_MAX)
    webhook_id, secret = f"wh_{new_id(20)}", _new_secret()
    unit.connection.execute(
        insert(webhooks),
        {
            "webhook_id": webhook_id,
            "url": url,
            "secret": secret,
            "kinds": json.dumps(sorted(set(kinds))),
            "cities": json.dumps(sorted(set(cities)), ensure_ascii=False),
            "created_by": actor,
            "recorded_us": unit.recorded_us,
        },
    )
    add_audit_note(
        unit, actor, "webhook.register", webhook_id, url=url, kinds=sorted(set(kinds)), cities=sorted(set(cities))
    )
    return webhook_of(unit, webhook_id), secret


def check_url(url: str, *, allow_private: bool) -> None:
    """Refuse an address that may not be called. Names are looked up again, and checked, whenever something is sent.

    Raises
    ------
    Refused
        `webhook_url`, with the reason as a word.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise Refused("webhook_url", why=_why("malformed")) from None
    if not host or not url.isascii() or any(c.isspace() for c in url) or parts.scheme not in ("http", "https"):
        raise Refused("webhook_url", why=_why("malformed"))
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise Refused("webhook_url", why=_why("credentials"))
    if allow_private:
        return
    if parts.scheme != "https":
        raise Refused("webhook_url", why=_why("not_https"))
    if not is_public_name(host):
        raise Refused("webhook_url", why=_why("private"))


def webhook_of(unit: ReadUnit | WriteUnit, webhook_id: str, actor: str | None = None) -> Webhook:
    """Find one webhook that is not removed.

    Parameters
    ----------
    unit
        The unit of work that reads.
    webhook_id
        The webhook.
    actor
        If named, the webhook has to be one that this actor made.

    Returns
    -------
    Webhook
        The webhook.

    Raises
    ------
    Refused
        `webhook_unknown`.
    """
    result = unit.connection.execute(select(webhooks).where(webhooks.c.webhook_id == webhook_id, *_live(actor)))
    row = result.one_or_none()
    if row is None:
        raise Refused("webhook_unknown", webhook_id=webhook_id)
    return _webhook(row)


def webhooks_of(unit: ReadUnit | WriteUnit, actor: str | None = None, cities: Collection[str] = ()) -> list[Webhook]:
    """List the webhooks that are not removed, the oldest first.

    Parameters
    ----------
    unit
        The unit of work that reads.
    actor
        Those that this actor made; None for those of all.
    cities
        Only those that hear of these cities alone; empty for no limit.

    Returns
    -------
    list[Webhook]
        The webhooks.
    """
    rows = unit.connection.execute(
        select(webhooks).where(*_live(actor)).order_by(webhooks.c.recorded_us, webhooks.c.webhook_id)
    )
    live = [_webhook(row) for row in rows]
    return [webhook for webhook in live if not cities or (webhook.cities and set(webhook.cities) <= set(cities))]


def remove(unit: WriteUnit, actor: str, webhook_id: str) -> None:
    """Remove a webhook; deliveries that wait are given up.

    Parameters
    ----------
    unit
        The unit of work that writes.
    actor
        Who does it, for the audit trail.
    webhook_id
        The webhook.
    """
    unit.connection.execute(
        update(webhooks)
        .where(webhooks.c.webhook_id == webhook_id)
        .values(removed_us=unit.recorded_us, secret="", old_secret=None)
    )
    unit.connection.execute(
        update(webhook_attempts)
        .where(webhook_attempts.c.webhook_id == webhook_id, webhook_attempts.c.state == "waiting")
        .values(state="given_up", last_error="removed")
    )
    add_audit_note(unit, actor, "webhook.remove", webhook_id)


def rotate(unit: WriteUnit, actor: str, webhook_id: str) -> str:
    """Make a new secret; the one before also signs for one more day.

    Parameters
    ----------
    unit
        The unit of work that writes.
    actor
        Who does it, for the audit trail.
    webhook_id
        The webhook.

    Returns
    -------
    str
        The new secret, which is shown this once.
    """
    secret = _new_secret()
    unit.connection.execute(
        update(webhooks)
        .where(webhooks.c.webhook_id == webhook_id)
        .values(old_secret=webhooks.c.secret, old_secret_until_us=unit.recorded_us + OVERLAP_US, secret=secret)
    )
    add_audit_note(unit, actor, "webhook.rotate", webhook_id)
    return secret


def enable(unit: WriteUnit, actor: str, webhook_id: str) -> Webhook:
    """Switch a webhook on again; what waited meanwhile is sent, what happened meanwhile was not kept.

    Parameters
    ----------
    unit
        The unit of work that writes.
    actor
        Who does it, for the audit trail.
    webhook_id
        The webhook.

    Returns
    -------
    Webhook
        The webhook after the change.
    """
    unit.connection.execute(
        update(webhooks)
        .where(webhooks.c.webhook_id == webhook_id)
        .values(disabled_us=None, disabled_why=None, failing_us=None)
    )
    add_audit_note(unit, actor, "webhook.enable", webhook_id)
    return webhook_of(unit, webhook_id)


def ping(unit: WriteUnit, webhook_id: str) -> int:
    """Send a message without content, to see whether it arrives.

    Parameters
    ----------
    unit
        The unit of work that writes.
    webhook_id
        The webhook.

    Returns
    -------
    int
        The number of the message (`outbox_id`).
    """
    return enqueue(unit, [(Message(PING, {"webhook_id": webhook_id}), [webhook_id])])[0]


def deliveries_of(
    unit: ReadUnit | WriteUnit, webhook_id: str, cursor: str | None = None, limit: int = 50
) -> CursorPage[WebhookDelivery]:
    """List what was sent to a webhook or is to be sent, newest first.

    Parameters
    ----------
    unit
        The unit of work that reads.
    webhook_id
        The webhook.
    cursor
        Where the page before ended; None for the first page.
    limit
        Deliveries of one page, at least 1.

    Returns
    -------
    CursorPage[WebhookDelivery]
        One page, and the cursor of the next.
    """
    attempts = webhook_attempts.c
    query = (
        select(webhook_attempts, outbox.c.kind, outbox.c.recorded_us)
        .join(outbox, outbox.c.outbox_id == attempts.outbox_id)
        .where(attempts.webhook_id == webhook_id)
        .order_by(attempts.outbox_id.desc())
        .limit(limit + 1)
    )
    if cursor is not None:
        query = query.where(attempts.outbox_id < read_cursor(cursor)[0])
    deliveries = [record_of(WebhookDelivery, row) for row in unit.connection.execute(query)]
    return cut_page(deliveries, limit, lambda last: cursor_at(last.outbox_id, ""))


def _live(actor: str | None) -> tuple[ColumnElement[bool], ...]:
    live = webhooks.c.removed_us.is_(None)
    return (live,) if actor is None else (live, webhooks.c.created_by == actor)


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def _webhook(row: Row[Any]) -> Webhook:
    return record_of(Webhook, row, kinds=tuple(json.loads(row.kinds)), cities=tuple(json.loads(row.cities)))


def _why(code: str) -> Translated:
    return translated(lambda lang: text(lang, f"webhook.why_{code}"))
