"""Posts, appeals, people and deadlines in any order: the ledger stays whole and is the batch's with the same upheld appeals."""

import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from api.books import in_force
from api.db.store import Store
from api.db.tables import appeal_decisions, entries, events, open_appeals, rider_state
from api.db.tables import appeals as appeals_table
from api.decisions import appeals
from api.decisions.appeal_records import APPEALS
from api.ledger.verify import verify_store
from api.refusals import Refused
from scoring.columns import NO_TIME
from tests.api.db.databases import create_tables
from tests.api.ledger.posts import (
    FADING,
    START_US,
    batch_lines,
    chain_breaks,
    later,
    lines_of,
    net_of,
    post,
    publish,
    rider_week,
    settle,
)
from tests.builders import DAY_US, HOUR_US

pytestmark = pytest.mark.slow

RIDERS = ("r0", "r1")
STEPS = st.sampled_from(("post", "post", "post", "file", "file", "uphold", "dismiss", "tick", "wait", "fade"))


class World:
    """A store, a clock that only moves forward, and events that wait to be posted."""

    def __init__(self, store: Store, luck: random.Random) -> None:
        self.store, self.luck = store, luck
        rows = [row for k, rider in enumerate(RIDERS) for row in rider_week(rider, days=2, shift_min=11 * k)]
        self.waiting = later(row for row in rows if "ref_event_id" not in row)
        self.luck.shuffle(self.waiting)
        self.now_us = START_US + 3 * DAY_US

    def post(self) -> None:
        """Some of what waits, in any order; what comes after a book's days is too late."""
        some, self.waiting = self.waiting[:4], self.waiting[4:]
        if some:
            answers = post(self.store, some, FADING, self.now_us)
            assert {answer.reason for answer in answers if answer.status != "scored"} <= {"too_late"}

    def file(self) -> None:
        """Against any entry; most cannot be appealed."""
        with self.store.reading() as unit:
            own = select(entries.c.rider_id, entries.c.entry_id).where(entries.c.of_kind == "deduct")
            found = unit.connection.execute(own.order_by(entries.c.rider_id, entries.c.seq)).all()
        if found:
            rider, entry = self.luck.choice(found)
            with self.store.writing(self.now_us) as unit:
                refusing(lambda: appeals.file_appeal(unit, rider, entry, "other", "why", None, f"rider:{rider}"))

    def decide(self, upheld: bool) -> None:
        """Any appeal, answered or not."""
        with self.store.reading() as unit:
            found = [appeal.appeal_id for rider in RIDERS for appeal in APPEALS.of_rider(unit, rider)]
        if found:
            code = "goodwill" if upheld else "record_confirmed"
            with self.store.writing(self.now_us) as unit:
                law, one = in_force.rules_in_force(unit, FADING), self.luck.choice(found)
                refusing(lambda: appeals.decide_appeal(unit, law, one, upheld, code, "why", "ops:a"))

    def tick(self) -> None:
        """Silence answers."""
        with self.store.writing(self.now_us) as unit:
            appeals.settle_appeals(unit, in_force.rules_in_force(unit, FADING), self.now_us, limit=2)

    def do(self, step: str) -> None:
        """One thing that can happen."""
        self.now_us += HOUR_US
        if step == "wait":
            self.now_us += 20 * HOUR_US if self.waiting else 3 * DAY_US
        elif step == "fade":
            settle(self.store, self.now_us, FADING)
        elif step in ("uphold", "dismiss"):
            self.decide(step == "uphold")
        else:
            {"post": self.post, "file": self.file, "tick": self.tick}[step]()


def refusing(what: Any) -> None:
    """Do it, or be told why not."""
    try:
        what()
    except Refused as refused:
        assert refused.describe("en") != ""


def check(world: World) -> None:
    """The ledger is whole, is the batch's of the same events, and every appeal is answered once or waits."""
    settle(world.store, world.now_us, FADING)
    with world.store.reading() as unit:
        assert chain_breaks(unit) == []
        assert [one for one in verify_store(unit).found if not one.holds] == []
        rows = [dict(row) for row in unit.connection.execute(select(events)).mappings()]
        scores = {row.rider_id: row.score_mp for row in unit.connection.execute(select(rider_state)) if row.carried}
        counts = [
            unit.connection.scalar(select(func.count()).select_from(table))
            for table in (appeals_table, appeal_decisions, open_appeals)
        ]
        upheld = [appeal for rider in RIDERS for appeal in APPEALS.of_rider(unit, rider) if appeal.state == "upheld"]
        assert len(APPEALS.page(unit, "open").items) == counts[2]
    theirs = batch_lines(rows, world.now_us, FADING) if rows else []
    ours = lines_of(world.store)
    assert net_of(ours) == net_of(theirs)
    # Who has events but no line yet stands at the base.
    assert scores == dict.fromkeys(scores, 70_000) | {line["rider_id"]: line["score_after_mp"] for line in ours}
    assert counts[0] == counts[1] + counts[2]
    standing = net_of(ours)
    waived = {(appeal.rider_id, appeal.event_id) for appeal in upheld}
    assert not [key for key, (points, _) in standing.items() if key[:2] in waived and key[3] == "deduct" and points < 0]


def played(url: str, steps: list[str], seed: int) -> None:
    """All steps, one after the other, then the look at what came of it."""
    store = Store(url)
    create_tables(store)
    publish(store, FADING, at_us=NO_TIME)
    world = World(store, random.Random(seed))
    for step in steps:
        world.do(step)
    check(world)
    store.close()


@settings(max_examples=settings().max_examples // 8)
@given(steps=st.lists(STEPS, min_size=4, max_size=18), seed=st.integers(0, 2**16))
def test_whatever_happens_in_whatever_order_the_ledger_is_the_batchs(steps: list[str], seed: int) -> None:
    """Late events, appeals, answers, time-outs and fades interleaved; what was upheld takes nothing."""
    with tempfile.TemporaryDirectory() as folder:
        played(f"sqlite:///{Path(folder) / 'store.db'}", steps, seed)


@pytest.mark.parametrize("seed", range(3))
def test_a_long_story_on_both_engines(url: str, seed: int) -> None:
    """Forty things that happen, on SQLite and PostgreSQL."""
    luck = random.Random(seed)
    kinds = ("post", "post", "file", "file", "uphold", "dismiss", "tick", "wait", "fade")

    played(url, [luck.choice(kinds) for _ in range(40)], seed)
