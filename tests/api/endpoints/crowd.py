"""Many clients that post the same events over HTTP: shuffled, repeated, overlapping, again and again until answered."""

import datetime as dt
import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import httpx2

from api.access import keys
from api.books import in_force
from api.clock import elapsed_ns, now_us
from api.db.store import Store
from api.ledger.verify import verify_store
from rules.deployment import Deploy
from rules.units import US_PER_DAY
from tests.api.ledger.posts import (
    FADING,
    batch_lines,
    later,
    lines_of,
    net_of,
    newest_us,
    publish,
    rider_week,
    scores_of,
)

PATIENCE_S: Final = 240
Event = dict[str, Any]


def day(num_riders: int) -> list[Event]:
    """A day of riders that ended an hour ago, without what must come after something else."""
    rows = [row for k in range(num_riders) for row in rider_week(f"r{k:03}", days=1, shift_min=3 * (k % 60))]
    rows = [row for row in rows if "ref_event_id" not in row]
    return later(rows, now_us() - newest_us(rows) - US_PER_DAY // 24)


def prepare(store: Store) -> str:
    """Put a book in force and make a key; the key."""
    publish(store, FADING, at_us=now_us())
    with store.writing(now_us()) as unit:
        row = {
            "city": "hangzhou",
            "rider_kind": "crowdsourced",
            "book": FADING,
            "from": dt.date(2025, 12, 3),
            "source": "test",
        }
        in_force.deploy(unit, [Deploy.model_validate(row | {"confidence": "ours"})])
        return keys.create_key(unit, "platform", "p", actor="test:test")[1]


class Crowd:
    """Clients of one service.

    Parameters
    ----------
    at
        Its address; a client that gets no answer asks there again.
    share
        How much of all events each client posts.
    """

    def __init__(self, at: str, token: str, events: Sequence[Event], *, share: float, size: int) -> None:
        self._at = at
        self._token = token
        self._events = events
        self._share = share
        self._size = size
        self._answers: Counter[tuple[str, str, str]] = Counter()
        self._lock = threading.Lock()
        self.num_unanswered = 0

    def post(self, num_clients: int, on_answer: Callable[[], None] = lambda: None) -> None:
        """Let all clients post at once, until each post of each is answered; then everything once more."""
        with ThreadPoolExecutor(num_clients) as pool:
            for done in [pool.submit(self._client, seed, on_answer) for seed in range(num_clients)]:
                done.result()
        self._one([list(self._events)], "last", on_answer)

    def statuses(self) -> Counter[str]:
        """How often each status was answered."""
        found: Counter[str] = Counter()
        for (_, _, status), number in self._answers.items():
            found[status] += number
        return found

    def scored_more_than_once(self) -> list[tuple[str, str]]:
        """Events that more than one answer says were scored by it."""
        return [
            (rider, event)
            for (rider, event, status), number in self._answers.items()
            if status == "scored" and number > 1
        ]

    def _client(self, seed: int, on_answer: Callable[[], None]) -> None:
        luck = random.Random(seed)
        mine = [row for row in self._events if luck.random() < self._share]
        mine += luck.sample(mine, len(mine) // 5)
        luck.shuffle(mine)
        # Half of the clients name their requests, half rely on the events' ids.
        name = f"client-{seed}" if seed % 2 else None
        self._one([mine[first : first + self._size] for first in range(0, len(mine), self._size)], name, on_answer)

    def _one(self, posts: Sequence[Sequence[Event]], name: str | None, on_answer: Callable[[], None]) -> None:
        pause = threading.Event()
        with httpx2.Client(base_url=self._at, timeout=60, trust_env=False) as client:
            for number, rows in enumerate(posts):
                headers = {"Authorization": f"Bearer {self._token}"}
                headers |= {} if name is None else {"Idempotency-Key": f"{name}-{number}"}
                until_ns = elapsed_ns() + PATIENCE_S * 1_000_000_000
                while not self._answered(client, rows, headers):
                    if elapsed_ns() > until_ns:
                        raise TimeoutError(f"no answer to post {number} of {name}")
                    pause.wait(0.05)
                on_answer()

    def _answered(self, client: httpx2.Client, rows: Sequence[Event], headers: dict[str, str]) -> bool:
        try:
            answer = client.post("/v1/events", json={"events": rows}, headers=headers)
        except httpx2.TransportError:
            self.num_unanswered += 1
            return False
        if answer.status_code != 200:
            # In flight, as far as the server knows, until the lease of the request that died is over; or starting.
            assert answer.status_code in (409, 503), answer.text
            return False
        with self._lock:
            for one in answer.json()["results"]:
                self._answers[one["rider_id"], one["event_id"], one["status"]] += 1
        return True


def assert_exactly_once(store: Store, events: Sequence[Event]) -> None:
    """The stored ledger is the batch's: the net effect of every event, every final score; and it vouches for itself."""
    lines, wanted = lines_of(store), batch_lines(events, newest_us(events), FADING)
    assert net_of(lines) == net_of(wanted)
    assert scores_of(lines) == scores_of(wanted)
    with store.reading() as unit:
        verified = verify_store(unit)
    assert [one for one in verified.found if not one.holds] == []
