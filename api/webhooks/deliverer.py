"""Sends what stands in the outbox: a few at a time to each receiver, which has room of its own: a slow one holds up no other.

At least once: what was sent and not written down, because the server was killed between, is sent again under the same
id.
"""

import secrets
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from api.db.store import Store
from api.webhooks.deliveries import DeliveryAttempt, is_any_due, lease_due_attempts, record_result
from api.webhooks.sender import WebhookSender
from api.webhooks.subscriptions import NUM_MAX

NUM_TO_ONE: Final = 4
# Room for every receiver there can be: nobody waits for another's.
NUM_AT_ONCE: Final = NUM_TO_ONE * NUM_MAX
_FULL_S: Final = 0.2


class WebhookDeliverer:
    """The deliveries of one server process.

    Parameters
    ----------
    store
        Where messages wait.
    clock
        The service's time, microseconds UTC.
    sender
        Sends one attempt to its receiver.
    log
        Takes the lines of the log.
    """

    def __init__(self, store: Store, clock: Callable[[], int], sender: WebhookSender, log: Any) -> None:
        self._store = store
        self._clock = clock
        self._log = log
        self._sender = sender
        self._pool = ThreadPoolExecutor(NUM_AT_ONCE, "riderscore-send")
        self._on_way: Counter[str] = Counter()
        self._changed = threading.Condition()

    def step(self) -> bool:
        """Take up what is due as far as each receiver has room; False if nothing was taken up."""
        with self._changed:
            on_way = dict(self._on_way)
        with self._store.reading() as unit:
            busy = [webhook for webhook, number in on_way.items() if number >= NUM_TO_ONE]
            is_due = is_any_due(unit, self._clock(), busy)
        if not is_due:
            if busy:
                with self._changed:
                    self._changed.wait(_FULL_S)
            return bool(busy)
        with self._store.writing(self._clock()) as unit:
            parcels = lease_due_attempts(unit, NUM_TO_ONE, on_way)
        for parcel in parcels:
            with self._changed:
                self._on_way[parcel.webhook_id] += 1
            self._pool.submit(self._deliver, parcel)
        return bool(parcels)

    def wait(self) -> None:
        """Until nothing is on its way."""
        with self._changed:
            while self._on_way.total():
                self._changed.wait(_FULL_S)

    def close(self) -> None:
        """Wait for what is on its way, then give everything back."""
        self._pool.shutdown(wait=True)
        self._sender.close()

    def _deliver(self, attempt: DeliveryAttempt) -> None:
        try:
            result = self._sender.send(attempt)
            with self._store.writing(self._clock()) as unit:
                record_result(unit, attempt, result, secrets.randbelow(1_001))
            self._log.info(
                "webhook.sent", webhook_id=attempt.webhook_id, outbox_id=attempt.outbox_id, attempt=attempt.num_attempts,
                status=result.status, error=result.error,
            )  # fmt: skip
        except Exception:  # noqa: BLE001 - one message must not end the sender
            # Not written down: it comes up again when its lease has run out.
            self._log.exception("webhook.failed", webhook_id=attempt.webhook_id, outbox_id=attempt.outbox_id)
        finally:
            with self._changed:
                self._on_way[attempt.webhook_id] -= 1
                self._on_way += Counter()
                self._changed.notify_all()
