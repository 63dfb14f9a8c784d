"""Exactly once through the service as people run it: sixteen clients at once, servers killed at any moment."""

import random
import threading
from typing import Final

import pytest

from api.db.store import Store
from tests.api.endpoints.crowd import Crowd, assert_exactly_once, day, prepare
from tests.api.endpoints.served import served

pytestmark = pytest.mark.slow

CLIENTS: Final = {"postgresql": (16, 200), "sqlite": (8, 50)}


def test_sixteen_clients_make_one_ledger(store: Store, url: str) -> None:
    """Shuffled, repeated, overlapping posts: the net effect of every event and every final score are the batch's."""
    num_clients, num_riders = CLIENTS[store.engine.dialect.name]
    token, events = prepare(store), day(num_riders)
    with served(url) as server:
        crowd = Crowd(server.at, token, events, share=0.4, size=60)

        crowd.post(num_clients)

        server.stop()
    assert crowd.scored_more_than_once() == []
    assert crowd.statuses()["scored"] == len(events)
    assert set(crowd.statuses()) == {"scored", "repeated"}
    assert_exactly_once(store, events)


@pytest.mark.parametrize("num_kills", [3])
def test_killed_servers_lose_and_double_nothing(store: Store, url: str, num_kills: int) -> None:
    """SIGKILL in the middle of posts; clients ask again until they are answered. None lost, none twice."""
    token, events = prepare(store), day(30)
    luck = random.Random(7)
    with served(url) as server:
        crowd = Crowd(server.at, token, events, share=1, size=8)
        answers = threading.Semaphore(0)
        killed = threading.Thread(target=server.kill_again_and_again, args=(answers, num_kills, luck))
        killed.start()

        crowd.post(4, answers.release)

        killed.join()
    assert crowd.num_unanswered > 0
    assert crowd.scored_more_than_once() == []
    assert_exactly_once(store, events)
