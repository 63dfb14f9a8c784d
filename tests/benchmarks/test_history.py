"""What a rider with 100 000 events costs: late events, old corrections, the card, and whoever else posts meanwhile.

The bars: a late event and a recent correction 200 ms, an old correction 200 ms until it is accepted and 2 s until it is
entered, a cold card 50 ms; others' posts at the 99th percentile within 10 % while a replay goes on. Reported, never
asserted. `RIDERSCORE_HISTORY_EVENTS` makes it another number.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from api.books import in_force
from api.clock import elapsed_ns
from api.db import schema
from api.db.store import Store
from api.ledger import posting
from api.ledger.loading import LedgerPart, load_part
from api.ledger.replayer import Replayer
from api.ledger.replays import add_missing_checkpoints, replay, waiting_riders
from api.riders import cards
from api.runs.loadable import loadable_parts
from api.runs.run import score_files
from rules.shelf import versions
from tests.api.db import cluster
from tests.api.ledger.posts import START_US, later, table_of
from tests.api.ledgers import write_events
from tests.builders import MINUTE_US, correction, delivered

BOOK = "gbt-46862-reference"
NUM_EVENTS = int(os.environ.get("RIDERSCORE_HISTORY_EVENTS", "100000"))
GAP_MIN = 5
OTHERS, OTHERS_ROUNDS = 200, 4

Row = dict[str, Any]


def order(k: int) -> Row:
    """The rider's k-th order."""
    return later([delivered(f"e{k:07}", rider_id="old", at_min=k * GAP_MIN, late_min=(k * 7) % 23 - 16)])[0]


END_US = order(NUM_EVENTS - 1)["occurred_us"]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A database in which one rider has a long history."""
    bin_ = cluster.programs()
    if request.param == "sqlite":
        store = _filled(f"sqlite:///{tmp_path_factory.mktemp('history') / 'store.db'}")
        yield store
        store.close()
    elif bin_ is None:
        pytest.skip("PostgreSQL is not installed")
    else:
        with tempfile.TemporaryDirectory(prefix="riderscore-") as folder:
            Path(folder).chmod(0o755)
            with cluster.running(bin_, Path(folder) / "cluster") as url:
                store = _filled(cluster.new_database(url))
                yield store
                store.close()


def _filled(url: str) -> Store:
    store = Store(url)
    schema.upgrade(store)
    with store.writing(START_US) as unit:
        in_force.publish(unit, versions(BOOK))
    with tempfile.TemporaryDirectory(prefix="riderscore-") as folder:
        path = write_events(Path(folder) / "events.parquet", [order(k) for k in range(NUM_EVENTS)])
        out, state = Path(folder) / "ledger", Path(folder) / "state"
        score_files([path], BOOK, out, state=state)
        for given in loadable_parts(out, state):
            for _ in load_part(store, LedgerPart(given), lambda: END_US):
                pass
    add_missing_checkpoints(store, "old", END_US)
    return store


def _post(store: Store, rows: list[Row], clock_us: int) -> list[str]:
    with store.writing(clock_us) as unit:
        answers = posting.post_events(unit, in_force.rules_in_force(unit, BOOK), table_of(rows))
    return [answer.status for answer in answers]


def late(number: int) -> Row:
    """An order of six days ago that comes now."""
    at_min = (NUM_EVENTS - 1) * GAP_MIN - 6 * 24 * 60 + number / 10
    return later([delivered(f"late{number}", rider_id="old", at_min=at_min, late_min=3)])[0]


def fix(number: int, k: int) -> Row:
    """A correction, made now, of the k-th order."""
    row = order(k)
    return correction(f"fix{number}-{k}", row, assess_deadline_us=row["occurred_us"]) | {"occurred_us": END_US}


def _told(benchmark: Any, store: Store, what: str, bar_ms: int) -> None:
    benchmark.group = f"a rider with {NUM_EVENTS} events"
    benchmark.extra_info.update(who=store.engine.dialect.name, what=what, bar_ms=bar_ms)


POSTS: dict[str, tuple[Callable[[int], Row], str]] = {
    "late event": (late, "scored"),
    "recent correction": (lambda n: fix(n, NUM_EVENTS - 1 - 200 - 7 * n), "scored"),
    "old correction": (lambda n: fix(n, 10 + 7 * n), "accepted"),
}


@pytest.mark.parametrize("what", POSTS)
def test_posts(benchmark: Any, store: Store, what: str) -> None:
    """One event, to its answer."""
    make, status = POSTS[what]
    numbers = iter(range(1_000))
    _told(benchmark, store, what, 200)

    answers = benchmark.pedantic(
        lambda row: _post(store, [row], END_US), setup=lambda: (((make(next(numbers)),), {})), rounds=5,
        warmup_rounds=1,
    )  # fmt: skip

    assert answers == [status]


def test_replays(benchmark: Any, store: Store) -> None:
    """An old correction, until it is entered."""
    numbers = iter(range(2_000, 3_000))

    def accept() -> None:
        _replay_all(store)
        number = next(numbers)
        assert _post(store, [fix(number, number - 1_900)], END_US) == ["accepted"]

    _told(benchmark, store, "replay", 2_000)
    benchmark.pedantic(lambda: _replay_all(store), setup=accept, rounds=4, warmup_rounds=1)


def _replay_all(store: Store) -> None:
    with store.reading() as unit:
        riders = waiting_riders(unit, 9)
    for rider in riders:
        replay(store, rider, lambda: END_US)


def test_cold_card(benchmark: Any, store: Store) -> None:
    """The card, made from the store."""

    def card() -> object:
        with store.reading() as unit:
            return cards.card_of(unit, in_force.rules_in_force(unit, BOOK), "old", END_US)

    _told(benchmark, store, "cold card", 50)
    assert benchmark.pedantic(card, rounds=10, warmup_rounds=1) is not None


def test_others(benchmark: Any, store: Store) -> None:
    """Single posts of other riders: alone, and while the service replays, at the median and the 99th percentile."""
    numbers = iter(range(100_000))
    replayer = Replayer(store, lambda: END_US)
    replayer.step()

    def took_ms() -> float:
        k = next(numbers)
        row = later([delivered(f"o{k}", rider_id=f"other{k % 50}", at_min=(NUM_EVENTS - 1) * GAP_MIN)])[0]
        began_ns = elapsed_ns()
        _post(store, [row], END_US + MINUTE_US)
        return (elapsed_ns() - began_ns) / 1e6

    for _ in range(OTHERS):
        took_ms()
    alone, beside = [], []
    for number in range(5_000, 5_000 + OTHERS_ROUNDS):
        alone += [took_ms() for _ in range(OTHERS)]
        _post(store, [fix(number, number)], END_US)
        behind = Thread(target=replayer.step)
        behind.start()
        while behind.is_alive():
            beside.append(took_ms())
    replayer.ask_to_stop()
    figures = {
        f"p{percent}_{who}_ms": round(float(np.percentile(times, percent)), 1)
        for who, times in (("alone", alone), ("beside", beside))
        for percent in (50, 95, 99)
    }
    _told(benchmark, store, "others' posts beside a replay, and alone", 0)
    ratios = {f"times_p{k}": round(figures[f"p{k}_beside_ms"] / figures[f"p{k}_alone_ms"], 2) for k in (50, 95, 99)}
    benchmark.extra_info.update(figures, num_beside=len(beside), **ratios)
    benchmark.pedantic(lambda: None, rounds=1)
