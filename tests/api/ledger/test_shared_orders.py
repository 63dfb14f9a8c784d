"""An order that two riders delivered is counted and shown; one that its rider delivered twice long ago is counted."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, insert, select, text
from starlette.testclient import TestClient

from api.app.create import create_app
from api.books import in_force
from api.db import schema
from api.db.store import Store
from api.db.tables import events, replays, rider_state, shared_orders
from api.ledger import posting
from api.ledger.replays import replay
from api.ledger.shared_orders import note_shared, num_delivered_twice, num_shared, shared_page
from api.ledger.verify import verify_store
from api.runs.run import score_files
from api.settings import Settings
from scoring.columns import EVENT_SCHEMA
from scoring.hashing import hash_rows
from tests.api.cli.commands import run
from tests.api.ledger.posts import BOOK, later, newest_us, post, publish, table_of
from tests.api.ledgers import write_events
from tests.builders import delivered
from tests.fixtures.v0_1_0.kept import END_US, Kept

BEFORE = "r0015"


@dataclass(frozen=True)
class Somebody:
    """Who asks, and for which cities."""

    cities: tuple[str, ...] = ()
    subject: str = "li.na"
    name: str = "ops:li.na"


def two(order: str = "o1", num_riders: int = 2) -> list[dict[str, Any]]:
    """One order, delivered by each of some riders a few minutes apart."""
    return later([delivered(f"e{k}", rider_id=f"r{k}", order_id=order, at_min=5 * k) for k in range(1, num_riders + 1)])


def pairs(store: Store) -> list[tuple[str, str]]:
    """The events of each row: the first, the later."""
    with store.reading() as unit:
        columns = (shared_orders.c.first_event_id, shared_orders.c.later_event_id)
        return [(row[0], row[1]) for row in unit.connection.execute(select(*columns).order_by(*columns))]


@pytest.mark.parametrize("together", [True, False])
def test_an_order_of_two_riders_is_scored_and_counted(store: Store, together: bool) -> None:
    """In one post or in two: both deliveries are scored, one row names them, and a third rider's is one more row."""
    publish(store, BOOK)
    rows = two(num_riders=3)

    answers = post(store, rows[:2]) if together else post(store, rows[:1]) + post(store, rows[1:2])
    assert pairs(store) == [("e1", "e2")]
    answers += post(store, rows[2:])

    assert [answer.status for answer in answers] == ["scored"] * 3
    assert pairs(store) == [("e1", "e2"), ("e1", "e3")]
    with store.reading() as unit:
        assert (num_shared(unit), num_shared(unit, "hangzhou"), num_shared(unit, "nowhere")) == (1, 1, 0)
        assert num_delivered_twice(unit) == 0
        assert verify_store(unit).notes == {"delivered_twice": 0, "shared_orders": 1}


def test_what_is_rejected_or_has_no_order_is_not_counted(store: Store) -> None:
    """A second delivery of the same rider is `duplicate_order`, a repeat is a repeat, deliveries without an order share none."""
    publish(store, BOOK)
    first = two()[0]
    nameless = [row | {"event_id": f"n{k}", "order_id": None} for k, row in enumerate(two())]

    post(store, [first, *nameless])
    again = post(store, [first, first | {"event_id": "e9", "occurred_us": first["occurred_us"] + 1}])

    assert [answer.reason for answer in again] == [None, "duplicate_order"]
    assert pairs(store) == []


def test_two_writers_at_one_instant_see_each_other_in_the_end(store: Store) -> None:
    """Neither transaction sees the other's delivery while it scores: whoever notes second waits, and names both."""
    publish(store, BOOK)
    if store.is_sqlite:
        pytest.skip("writers of an SQLite file take turns from their first statement on")
    # What all posts name stands already: nobody waits for another's first row of it.
    post(store, two("before"))
    rows = [row | {"event_id": f"{row['event_id']}b"} for row in two()]
    clock_us = newest_us(rows)

    def noted(unit: Any, orders: frozenset[str], stack: ExitStack) -> None:
        note_shared(unit, orders)
        stack.close()

    with ExitStack() as first, ExitStack() as second, ThreadPoolExecutor(1) as pool:
        units = [stack.enter_context(store.writing(clock_us)) for stack in (first, second)]
        done = [
            posting.score_and_store(unit, in_force.rules_in_force(unit, BOOK), table_of([row]))
            for unit, row in zip(units, rows, strict=True)
        ]
        note_shared(units[0], done[0].orders)
        other = pool.submit(noted, units[1], done[1].orders, second)
        with store.engine.connect() as looking:
            waits = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            while not looking.scalar(waits) and not other.done():
                looking.rollback()
        first.close()
        other.result()

    assert pairs(store) == [("e1", "e2"), ("e1b", "e2b")]


def test_who_asks_sees_deliveries_of_riders_of_their_cities(store: Store) -> None:
    """A delivery by a rider of another city is not shown; an order of other cities alone is not listed."""
    publish(store, BOOK)
    rows = two()
    post(store, [rows[0], rows[1] | {"city": "shanghai"}])
    post(
        store, [row | {"event_id": f"x{k}", "rider_id": f"x{k}", "city": "beijing"} for k, row in enumerate(two("o2"))]
    )

    with store.reading() as unit:
        here = shared_page(unit, Somebody(("hangzhou",))).items
        there = shared_page(unit, Somebody(("shanghai",))).items
        everywhere = shared_page(unit, Somebody()).items
        some = shared_page(unit, Somebody(), limit=1)
        rest = shared_page(unit, Somebody(), cursor=some.cursor, limit=1)
        counts = [num_shared(unit, city) for city in ("hangzhou", "shanghai", "beijing")]

    assert [(one.order_id, one.first and one.first.rider_id, one.later) for one in here] == [("o1", "r1", None)]
    assert [(one.order_id, one.first, one.later and one.later.rider_id) for one in there] == [("o1", None, "r2")]
    assert {one.order_id for one in everywhere} == {"o1", "o2"}
    assert (*some.items, *rest.items) == everywhere
    assert rest.cursor is None
    assert counts == [1, 1, 1]


def test_a_loaded_ledger_is_counted(store: Store, tmp_path: Path, url: str) -> None:
    """`db load` notes what its riders share with each other and with those who are there."""
    publish(store, BOOK)
    rows = two(num_riders=3)
    path = write_events(tmp_path / "events.parquet", rows[1:])
    post(store, rows[:1])
    score_files([path], BOOK, tmp_path / "ledger", state=tmp_path / "state")

    loaded = run("db", "load", str(tmp_path / "ledger"), "--state", str(tmp_path / "state"), "--database-url", url)

    assert loaded.exit_code == 0, loaded.output
    assert {one for pair in pairs(store) for one in pair} == {"e1", "e2", "e3"}
    assert len(pairs(store)) == 2


@dataclass(frozen=True)
class Old:
    """A database of 0.1.0 before the table was there, with pairs that version took."""

    kept: Kept
    store: Store
    rider: str
    order: str


@pytest.fixture
def old(v0_1_0: Kept) -> Iterator[Old]:
    """One delivery stored and scored again for its rider under another event id."""
    store = Store(v0_1_0.url)
    schema.upgrade(store, BEFORE)
    with store.writing(END_US) as unit:
        found = select(events).where(events.c.kind == "delivered", events.c.order_id.is_not(None))
        row = dict(unit.connection.execute(found.order_by(events.c.occurred_us.desc()).limit(1)).mappings().one())
        again = row | {"event_id": "again", "occurred_us": row["occurred_us"] + 1}
        content = hash_rows(table_of([again]), EVENT_SCHEMA.names).view(np.int64)
        unit.connection.execute(insert(events), again | {"content": int(content[0])})
        waits = {
            "rider_id": row["rider_id"],
            "event_id": "again",
            "about_us": row["occurred_us"],
            "recorded_us": END_US,
        }
        unit.connection.execute(insert(replays), waits)
    replay(store, row["rider_id"], lambda: END_US)
    yield Old(v0_1_0, store, row["rider_id"], row["order_id"])
    store.close()


def test_duplicates_stored_before_are_counted_and_no_fault(old: Old) -> None:
    """After the upgrade the meter and `verify` say how many; nothing is scored anew, and every check holds."""
    with old.store.reading() as unit:
        before = unit.connection.scalar(select(func.sum(rider_state.c.score_mp)))
        assert unit.connection.scalar(select(func.count()).select_from(replays)) == 0

    schema.upgrade(old.store)

    with old.store.reading() as unit:
        # Its cities number their orders alike.
        shared = num_shared(unit)
        assert num_delivered_twice(unit) == 1
        assert unit.connection.scalar(select(func.sum(rider_state.c.score_mp))) == before
    told = run("verify", "--database", old.kept.url, "--lang", "en")
    assert told.exit_code == 0, told.output
    assert "Note: 1 delivery is of an order that its rider had delivered already" in told.output
    assert "说明：有 1 次送达" in run("verify", "--database", old.kept.url, "--lang", "zh").output
    as_json = json.loads(run("verify", "--database", old.kept.url, "--json").stdout)
    assert (as_json["holds"], as_json["notes"]) == (True, {"delivered_twice": 1, "shared_orders": shared})
    app = create_app(Settings(database_url=old.kept.url), hooks=(), clock=lambda: END_US + 60_000_000)
    with TestClient(app) as client:
        meters = client.get("/metrics").text
    assert "riderscore_orders_delivered_twice 1.0" in meters
    assert f"riderscore_orders_shared {shared}.0" in meters


def test_the_upgrade_finds_what_a_post_would_have_found(old: Old) -> None:
    """Pairs of one rider and of two, stored before: the rows that the migration makes are those that `note_shared` makes."""
    with old.store.writing(END_US) as unit:
        own = select(events).where(events.c.rider_id == old.rider, events.c.order_id == old.order)
        row = dict(unit.connection.execute(own.limit(1)).mappings().one())
        for number in (1, 2):
            other = row | {"rider_id": "other", "event_id": f"o{number}", "recorded_us": END_US + number}
            unit.connection.execute(insert(events), other)

    schema.upgrade(old.store)
    columns = [column for column in shared_orders.c if column.name != "recorded_us"]
    with old.store.writing(END_US) as unit:
        filled = sorted(map(tuple, unit.connection.execute(select(*columns))))
        unit.connection.execute(shared_orders.delete())
        note_shared(unit, set(unit.connection.scalars(select(events.c.order_id).where(events.c.order_id.is_not(None)))))
        noted = sorted(map(tuple, unit.connection.execute(select(*columns))))

    assert filled == noted
    first, second = (row for row in filled if row[4] == "other")
    assert first[1] != "other"
    assert (first[0], first[5]) == (old.order, "o1")
    assert (second[0], second[1], second[2], second[5]) == (old.order, "other", "o1", "o2")
    assert (old.rider, "again") in [(row[1], row[5]) for row in filled if row[1] == row[4]]
