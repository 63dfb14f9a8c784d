"""Exactly once: clients that repeat, overlap and run at the same time; processes that are killed."""

import json
import random
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from api.db.store import Store
from api.ledger import posting
from tests.api.ledger import poster
from tests.api.ledger.posts import FADING, chain_breaks, later, newest_us, post, publish, rider_week, same_ledger

pytestmark = pytest.mark.slow

NUM_WRITERS = {"sqlite": 2, "postgresql": 8}


def city(num_riders: int, days: int = 1) -> list[dict[str, Any]]:
    """Riders' days, without what must come after something else."""
    rows = [row for k in range(num_riders) for row in rider_week(f"r{k:02}", days=days, shift_min=3 * k)]
    return later(row for row in rows if "ref_event_id" not in row)


def share(events: list[dict[str, Any]], seed: int, size: int) -> list[list[dict[str, Any]]]:
    """One client's posts: most of the events, shuffled, some of them twice."""
    luck = random.Random(seed)
    mine = [row for row in events if luck.random() < 0.6]
    mine += luck.sample(mine, len(mine) // 5)
    luck.shuffle(mine)
    return [mine[first : first + size] for first in range(0, len(mine), size)]


def whole(store: Store) -> bool:
    """Whether every chain vouches for its ledger."""
    with store.reading() as unit:
        return not chain_breaks(unit)


def test_concurrent_clients_score_every_event_once(store: Store) -> None:
    """Shuffled, repeated, overlapping posts of the same riders by all at once: the batch ledger, to the point."""
    publish(store, FADING)
    engine = store.engine.dialect.name
    events = city(24 if engine == "postgresql" else 8)
    clock_us = newest_us(events)

    def client(seed: int) -> list[posting.EventOutcome]:
        return [answer for some in share(events, seed, 25) for answer in post(store, some, FADING, clock_us)]

    with ThreadPoolExecutor(NUM_WRITERS[engine]) as pool:
        answers = [answer for answers in pool.map(client, range(NUM_WRITERS[engine])) for answer in answers]
    answers += post(store, events, FADING, clock_us)

    scored = [(answer.rider_id, answer.event_id) for answer in answers if answer.status == "scored"]
    assert {answer.status for answer in answers} == {"scored", "repeated"}
    assert sorted(scored) == sorted((row["rider_id"], row["event_id"]) for row in events)
    same_ledger(store, events, clock_us, FADING)
    assert whole(store)


@pytest.mark.parametrize("num_kills", [3])
def test_a_killed_poster_loses_and_doubles_nothing(store: Store, url: str, tmp_path: Path, num_kills: int) -> None:
    """SIGKILL at any moment, then the same posts again: what was answered is there, and nothing is there twice."""
    publish(store, FADING)
    events = city(6, days=2)
    random.Random(3).shuffle(events)
    clock_us = newest_us(events)
    batches = [events[first : first + 4] for first in range(0, len(events), 4)]
    answered = -1

    for kill in range(num_kills):
        path = tmp_path / "posts.json"
        # A client that lost the answer posts again from a little before where it was.
        resume = max(0, answered - 2)
        path.write_text(json.dumps({"batches": batches, "clock_us": clock_us, "from": resume}), encoding="utf-8")
        with subprocess.Popen(
            [sys.executable, poster.__file__, url, str(path), FADING], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                answered = max(answered, int(line))
                if int(line) >= resume + 3 + 2 * kill:
                    process.send_signal(signal.SIGKILL)
                    break
    done = [row for some in batches[: answered + 1] for row in some]
    assert {answer.status for answer in post(store, done, FADING, clock_us)} == {"repeated"}

    post(store, events, FADING, clock_us)

    same_ledger(store, events, clock_us, FADING)
    assert whole(store)
