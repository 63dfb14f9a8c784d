"""Which delivery is to be sent next, by whom, and what came of it.

Whoever sends one first moves its next time on, and counts the attempt: nobody else takes it up meanwhile, and if the
sender dies it comes up again. Messages of one rider wait for each other while an earlier one has not failed often.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import RowMapping, and_, delete, exists, func, or_, select, tuple_, update

from api.db.audit_notes import add_audit_note
from api.db.identity import platform_of
from api.db.outbox import within_bound
from api.db.tables import outbox, webhook_attempts, webhooks
from api.db.unit_of_work import ReadUnit, WriteUnit
from rules.units import US_PER_DAY, US_PER_S

LEASE_US: Final = 60 * US_PER_S
# After each failed attempt, seconds until the next; after the last one the message is given up. Two days in all.
RETRY_S: Final = (5, 30, 120, 600, 1_800, 3_600, 10_800, 28_800, 43_200, 86_400)
# How often a message may fail before later ones of the same rider pass it.
HOLDS_BACK: Final = 4
DISABLED_AFTER_US: Final = 3 * US_PER_DAY
# How many messages may wait for one receiver before no more are kept for it.
WAITING_MAX: Final = 50_000
FULL: Final = "full"
SYSTEM: Final = "system:deliveries"
_ERROR_CHARS: Final = 300
_FORGOTTEN_AT_ONCE: Final = 1_000


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """A message for one webhook, claimed for one attempt."""

    webhook_id: str
    outbox_id: int
    num_attempts: int
    url: str
    secrets: tuple[str, ...]
    body: str
    recorded_us: int
    platform: str


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """What came of an attempt: a status, or the reason why there is none; `retry_after_s` as the receiver asked."""

    status: int | None = None
    error: str | None = None
    retry_after_s: int | None = None

    @property
    def arrived(self) -> bool:
        """Whether the receiver has it."""
        return self.status is not None and 200 <= self.status < 300


def is_any_due(unit: ReadUnit, now_us: int, busy: Collection[str] = ()) -> bool:
    """Whether something waits to be sent to a receiver that is not busy."""
    due = select(webhook_attempts.c.outbox_id).where(
        webhook_attempts.c.state == "waiting",
        webhook_attempts.c.next_us <= now_us,
        webhook_attempts.c.webhook_id.not_in(sorted(busy)),
    )
    return unit.connection.execute(due.limit(1)).first() is not None


def lease_due_attempts(unit: WriteUnit, limit: int, on_way: Mapping[str, int] | None = None) -> list[DeliveryAttempt]:
    """Take up deliveries that are due: of each receiver the oldest, up to a number on their way at once.

    Parameters
    ----------
    on_way
        How many are on their way already, by webhook.
    """
    is_on = or_(webhooks.c.disabled_us.is_(None), webhooks.c.disabled_why == FULL)
    live = select(webhooks.c.webhook_id).where(webhooks.c.removed_us.is_(None), is_on)
    attempts: list[DeliveryAttempt] = []
    for webhook_id in unit.connection.scalars(live.order_by(webhooks.c.recorded_us, webhooks.c.webhook_id)).all():
        room = limit - (on_way or {}).get(webhook_id, 0)
        if room > 0:
            attempts += _due_attempts_of(unit, webhook_id, room)
    if attempts:
        mine = webhook_attempts
        unit.connection.execute(
            update(mine)
            .where(
                tuple_(mine.c.webhook_id, mine.c.outbox_id).in_(
                    [(attempt.webhook_id, attempt.outbox_id) for attempt in attempts]
                )
            )
            .values(num_attempts=mine.c.num_attempts + 1, next_us=unit.recorded_us + LEASE_US)
        )
    return attempts


def _due_attempts_of(unit: WriteUnit, webhook_id: str, limit: int) -> list[DeliveryAttempt]:
    """The oldest deliveries of one receiver that are due and wait for no earlier one of their rider."""
    mine, earlier = webhook_attempts, webhook_attempts.alias("earlier")
    held_back = exists().where(
        earlier.c.webhook_id == mine.c.webhook_id,
        earlier.c.rider_id == mine.c.rider_id,
        earlier.c.outbox_id < mine.c.outbox_id,
        earlier.c.state == "waiting",
        earlier.c.num_attempts <= HOLDS_BACK,
    )
    query = (
        select(mine, outbox.c.payload, outbox.c.recorded_us, webhooks)
        .join(outbox, outbox.c.outbox_id == mine.c.outbox_id)
        .join(webhooks, webhooks.c.webhook_id == mine.c.webhook_id)
        .where(
            mine.c.webhook_id == webhook_id, mine.c.state == "waiting", mine.c.next_us <= unit.recorded_us, ~held_back
        )
        .order_by(mine.c.next_us, mine.c.outbox_id)
        .limit(limit)
        .with_for_update(of=mine, skip_locked=True)
    )
    platform = platform_of(unit)
    return [_attempt(row, platform, unit.recorded_us) for row in unit.connection.execute(query).mappings()]


def _attempt(row: RowMapping, platform: str, now_us: int) -> DeliveryAttempt:
    old = row[webhooks.c.old_secret]
    is_good = old is not None and (row[webhooks.c.old_secret_until_us] or 0) > now_us
    return DeliveryAttempt(
        webhook_id=row[webhook_attempts.c.webhook_id],
        outbox_id=row[webhook_attempts.c.outbox_id],
        num_attempts=row[webhook_attempts.c.num_attempts] + 1,
        url=row[webhooks.c.url],
        secrets=(row[webhooks.c.secret], old) if is_good else (row[webhooks.c.secret],),
        # Messages from before bodies had a bound wait in upgraded databases.
        body=within_bound(row[outbox.c.payload]),
        recorded_us=row[outbox.c.recorded_us],
        platform=platform,
    )


def limit_queues(unit: WriteUnit) -> int:
    """Keep no new messages for receivers with too many waiting ones, until half of them are gone.

    What waits goes on being sent. The owner of such a webhook sees it there (`disabled_why`), and sees from the numbers
    (`seq`) of the riders' entries that messages are missing.

    Parameters
    ----------
    unit
        The unit of work that writes.

    Returns
    -------
    int
        Always 0: looking once is enough.
    """
    attempts = webhook_attempts.c
    counted = (
        select(attempts.webhook_id, func.count().label("num"))
        .where(attempts.state == "waiting")
        .group_by(attempts.webhook_id)
    )
    waiting = {row.webhook_id: row.num for row in unit.connection.execute(counted)}
    known = select(webhooks.c.webhook_id, webhooks.c.disabled_us, webhooks.c.disabled_why)
    for row in unit.connection.execute(known.where(webhooks.c.removed_us.is_(None))).all():
        num = waiting.get(row.webhook_id, 0)
        if row.disabled_us is None and num > WAITING_MAX:
            values: dict[str, object] = {"disabled_us": unit.recorded_us, "disabled_why": FULL}
            add_audit_note(unit, SYSTEM, "webhook.disable", row.webhook_id, why=FULL, num_waiting=num)
        elif row.disabled_why == FULL and num <= WAITING_MAX // 2:
            values = {"disabled_us": None, "disabled_why": None}
            add_audit_note(unit, SYSTEM, "webhook.enable", row.webhook_id, num_waiting=num)
        else:
            continue
        unit.connection.execute(update(webhooks).where(webhooks.c.webhook_id == row.webhook_id).values(**values))
    return 0


def delete_old_messages(unit: WriteUnit, before_us: int) -> int:
    """Delete some old messages that have arrived, were given up, or have no receiver any more.

    What waits for a webhook that is switched off stays until it is switched on again or removed. The newest message
    stays, so that numbers go on.

    Parameters
    ----------
    unit
        The unit of work that writes.
    before_us
        Messages recorded before this instant are old; microseconds UTC.

    Returns
    -------
    int
        How many deliveries were deleted; 0 when nothing is left to delete.
    """
    attempts = webhook_attempts.c
    query = (
        select(attempts.webhook_id, attempts.outbox_id)
        .join(outbox, outbox.c.outbox_id == attempts.outbox_id)
        .join(webhooks, webhooks.c.webhook_id == attempts.webhook_id)
        .where(
            outbox.c.recorded_us < before_us,
            outbox.c.outbox_id < select(func.max(outbox.c.outbox_id)).scalar_subquery(),
            or_(attempts.state != "waiting", webhooks.c.removed_us.is_not(None)),
        )
        .limit(_FORGOTTEN_AT_ONCE)
    )
    rows = unit.connection.execute(query).all()
    if not rows:
        return 0
    done = tuple_(attempts.webhook_id, attempts.outbox_id).in_([(row.webhook_id, row.outbox_id) for row in rows])
    unit.connection.execute(delete(webhook_attempts).where(done))
    left = exists().where(attempts.outbox_id == outbox.c.outbox_id)
    numbers = sorted({row.outbox_id for row in rows})
    unit.connection.execute(delete(outbox).where(outbox.c.outbox_id.in_(numbers), ~left))
    return len(rows)


def record_result(unit: WriteUnit, attempt: DeliveryAttempt, result: AttemptResult, jitter_permille: int) -> None:
    """Write what came of an attempt.

    Parameters
    ----------
    jitter_permille
        0…1000, by chance: how much of up to half the wait is added, so that not all come back at once.
    """
    if result.arrived:
        _change(
            unit, attempt, state="delivered", last_status=result.status, last_error=None, delivered_us=unit.recorded_us
        )
        unit.connection.execute(
            update(webhooks)
            .where(webhooks.c.webhook_id == attempt.webhook_id, webhooks.c.failing_us.is_not(None))
            .values(failing_us=None)
        )
        return
    error = (result.error or f"HTTP {result.status}")[:_ERROR_CHARS]
    tried = {"last_status": result.status, "last_error": error}
    if attempt.num_attempts > len(RETRY_S):
        _change(unit, attempt, state="given_up", **tried)
    else:
        wait_us = RETRY_S[attempt.num_attempts - 1] * US_PER_S
        wait_us += wait_us * jitter_permille // 2_000
        asked_us = min(result.retry_after_s or 0, RETRY_S[-1]) * US_PER_S
        _change(unit, attempt, next_us=unit.recorded_us + max(wait_us, asked_us), **tried)
    _record_failure(unit, attempt.webhook_id, is_gone=result.status == 410)


def _change(unit: WriteUnit, attempt: DeliveryAttempt, **values: object) -> None:
    """Change a delivery, unless a later attempt was begun meanwhile."""
    attempts = webhook_attempts.c
    unit.connection.execute(
        update(webhook_attempts)
        .where(
            and_(attempts.webhook_id == attempt.webhook_id, attempts.outbox_id == attempt.outbox_id),
            attempts.num_attempts == attempt.num_attempts,
            attempts.state == "waiting",
        )
        .values(**values)
    )


def _record_failure(unit: WriteUnit, webhook_id: str, *, is_gone: bool) -> None:
    """Remember since when nothing gets through; switch a webhook off after long, or where it says that it is gone."""
    row = unit.connection.execute(
        select(webhooks.c.failing_us, webhooks.c.disabled_us)
        .where(webhooks.c.webhook_id == webhook_id)
        .with_for_update()
    ).one()
    since_us = unit.recorded_us if row.failing_us is None else row.failing_us
    values: dict[str, object] = {"failing_us": since_us}
    why = "gone" if is_gone else "failing" if unit.recorded_us - since_us >= DISABLED_AFTER_US else None
    if why is not None and row.disabled_us is None:
        values |= {"disabled_us": unit.recorded_us, "disabled_why": why}
        add_audit_note(unit, SYSTEM, "webhook.disable", webhook_id, why=why, failing_us=since_us)
    unit.connection.execute(update(webhooks).where(webhooks.c.webhook_id == webhook_id).values(**values))
