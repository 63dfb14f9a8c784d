"""A replay under SIGKILL: card and entries say that it waits, a repeat is answered alike, and it is entered once."""

import random
import threading
from typing import Any

import httpx2
import pytest

from api.clock import now_us
from api.db.store import Store
from api.ledger.verify import verify_store
from rules.units import US_PER_DAY
from tests.api.endpoints.crowd import prepare
from tests.api.endpoints.served import Served, served
from tests.api.ledger.posts import FADING, batch_lines, later, lines_of, net_of, post, scores_of
from tests.builders import correction, delivered

PATIENCE_S = 120
NUM_DAYS, NUM_A_DAY = 40, 60
NUM_KILLS = 6


def history() -> list[dict[str, Any]]:
    """Forty days of one rider that ended an hour ago, every third order late."""
    rows = [
        delivered(f"e{day}-{order}", at_min=day * 1440 + order * 12, late_min=4 if order % 3 == 0 else -5)
        for day in range(NUM_DAYS)
        for order in range(NUM_A_DAY)
    ]
    return later(rows, now_us() - rows[-1]["occurred_us"] - US_PER_DAY // 24)


class Asking:
    """Who asks one service after the other, again until it is there."""

    def __init__(self, server: Served, token: str) -> None:
        self._at = server.at
        self._headers = {"Authorization": f"Bearer {token}"}
        self._pause = threading.Event()

    def post(self, row: dict[str, Any]) -> str:
        """What becomes of an event."""
        return str(self._json("POST", "/v1/events", json=row)["results"][0]["status"])

    def is_waiting(self) -> bool:
        """Whether the card says so; the newest entries must agree."""
        card = self._json("GET", "/v1/riders/r1/card")
        page = self._json("GET", "/v1/riders/r1/entries")
        assert (
            card["recalculating"] is None
            or page["recalculating"] is None
            or all(entry["recalculating"] for entry in page["items"])
        )
        return card["recalculating"] is not None

    def _json(self, method: str, path: str, **options: Any) -> Any:
        for _ in range(PATIENCE_S * 20):
            try:
                answer = httpx2.request(method, self._at + path, headers=self._headers, trust_env=False, **options)
            except httpx2.TransportError:
                self._pause.wait(0.05)
                continue
            if answer.status_code == 200:
                return answer.json()
            assert answer.status_code == 503, answer.text
            self._pause.wait(0.05)
        raise TimeoutError(path)


@pytest.mark.slow
def test_a_killed_server_loses_no_replay(store: Store, url: str) -> None:
    """Killed while it waits and at any moment of the replay, again and again: entered in the end, once."""
    token, events = prepare(store), history()
    for day in range(NUM_DAYS):
        assert {answer.status for answer in post(store, events[day * NUM_A_DAY : (day + 1) * NUM_A_DAY], FADING)} == {
            "scored"
        }
    fixes = [
        correction(f"fix{k}", events[3 * k], assess_deadline_us=events[3 * k]["occurred_us"])
        | {"occurred_us": events[-1]["occurred_us"]}
        for k in range(5)
    ]
    luck, pause = random.Random(7), threading.Event()

    with served(url, RIDERSCORE_BACKGROUND="0") as server:
        asking = Asking(server, token)
        first = [asking.post(fix) for fix in fixes]
        server.kill()
        server.start()
        again, was_waiting = [asking.post(fix) for fix in fixes], asking.is_waiting()
    before = lines_of(store)
    with served(url) as server:
        asking = Asking(server, token)
        for _ in range(NUM_KILLS):
            asking.is_waiting()
            pause.wait(luck.random() * 0.5)
            server.kill()
            server.start()
        while asking.is_waiting():
            pause.wait(0.05)
        after = [asking.post(fix) for fix in fixes]
        server.stop()

    assert first == again == ["accepted"] * 5
    assert was_waiting
    assert after == ["repeated"] * 5
    assert lines_of(store)[: len(before)] == before
    wanted = batch_lines([*events, *fixes], events[-1]["occurred_us"], FADING)
    assert net_of(lines_of(store)) == net_of(wanted)
    assert scores_of(lines_of(store)) == scores_of(wanted)
    with store.reading() as unit:
        assert [found for found in verify_store(unit).found if not found.holds] == []
