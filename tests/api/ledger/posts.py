"""What store tests do over and over: books in, events in, and the ledger compared with the batch's."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
from sqlalchemy import select

from api.books import in_force
from api.db.store import Store
from api.db.tables import entries
from api.db.unit_of_work import ReadUnit
from api.ledger import posting
from api.ledger.replays import replay, waiting_riders
from api.ledger.verify import CHAIN, verify_store
from rules.book import Book
from rules.compile import compile_books
from rules.shelf import versions
from scoring.columns import EVENT_SCHEMA
from scoring.ledger import entries_table
from scoring.prepare import schedule_versions
from scoring.score import score
from tests.builders import DAY_US, NOON_US, appeal_upheld, correction, delivered, event, slow_merchant

Event = Mapping[str, Any]
BOOK = "taobao-crowdsourced"
FADING = "gbt-46862-reference"
# Every shipped book is in force by then.
LATER_US = 60 * DAY_US
START_US = NOON_US + LATER_US


def later(events: Iterable[Event], by_us: int = LATER_US) -> list[dict[str, Any]]:
    """The same events, some time later."""
    return [{k: v + by_us if k.endswith("_us") and v is not None else v for k, v in row.items()} for row in events]


def newest_us(events: Iterable[Event]) -> int:
    """When the last of some events occurred."""
    return max(row["occurred_us"] for row in events)


def table_of(events: Sequence[Event]) -> pa.Table:
    """Events as the canonical table."""
    return pa.Table.from_pylist([dict(row) for row in events], schema=EVENT_SCHEMA)


def publish(store: Store, *book_ids: str, at_us: int = START_US) -> None:
    """Store shipped books."""
    publish_books(store, [book for book_id in book_ids for book in versions(book_id)], at_us)


def publish_books(store: Store, found: Sequence[Book], at_us: int = START_US) -> None:
    """Store books."""
    with store.writing(at_us) as unit:
        in_force.publish(unit, found)


def post(
    store: Store, events: Sequence[Event], book_id: str = BOOK, at_us: int | None = None
) -> list[posting.EventOutcome]:
    """Post events under one book; the store's clock is that of the newest of them unless said."""
    with store.writing(newest_us(events) if at_us is None else at_us) as unit:
        return posting.post_events(unit, in_force.rules_in_force(unit, book_id), table_of(events))


def settle(store: Store, as_of_us: int, book_id: str = BOOK) -> int:
    """Run the tick until nothing is due; how many riders were touched."""
    total = 0
    while True:
        with store.writing(as_of_us) as unit:
            done = posting.write_due(unit, in_force.rules_in_force(unit, book_id), as_of_us, limit=7)
        total += done
        if not done:
            return total


def replay_all(store: Store, now_us: int) -> None:
    """Enter what was accepted about older events."""
    with store.reading() as unit:
        riders = waiting_riders(unit, 1_000)
    for rider in riders:
        replay(store, rider, lambda: now_us)


def lines_of(store: Store) -> list[dict[str, Any]]:
    """The whole ledger, by rider and number."""
    with store.reading() as unit:
        rows = unit.connection.execute(select(entries).order_by(entries.c.rider_id, entries.c.seq))
        return [dict(row) for row in rows.mappings()]


Net = dict[tuple[Any, ...], tuple[int, int]]


def net_of(lines: Iterable[Mapping[str, Any]]) -> Net:
    """Points and money that stand for each (rider, event, rule, kind), reversals taken off."""
    points: Counter[tuple[Any, ...]] = Counter()
    money: Counter[tuple[Any, ...]] = Counter()
    for line in lines:
        key = tuple(line[name] for name in ("rider_id", "event_id", "rule_id", "of_kind"))
        points[key] += line["delta_mp"]
        money[key] += line["money_fen"]
    return {key: (points[key], money[key]) for key in points if points[key] or money[key]}


def scores_of(lines: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Score of each rider after their last line."""
    return {line["rider_id"]: line["score_after_mp"] for line in lines}


def batch_lines(events: Sequence[Event], as_of_us: int, book_id: str = BOOK) -> list[dict[str, Any]]:
    """The ledger of everything at once, without a store."""
    found = versions(book_id)
    program = compile_books(found)
    scored = score(program, schedule_versions(program, range(len(found))), table_of(events), None, as_of_us)
    return entries_table(scored, as_of_us).to_pylist()


def same_ledger(store: Store, events: Sequence[Event], as_of_us: int, book_id: str = BOOK) -> None:
    """Assert that the store's ledger nets to the batch's: each event, each final score."""
    ours, theirs = lines_of(store), batch_lines(events, as_of_us, book_id)
    assert net_of(ours) == net_of(theirs)
    assert scores_of(ours) == scores_of(theirs)


def rider_week(rider: str, *, days: int = 3, shift_min: float = 0) -> list[dict[str, Any]]:
    """Days of one rider: on time, late, a slow merchant with others in the bag, misconduct, facts of other days, changes.

    Reports and extensions come hours or a day after the order they are about; so do a correction and an appeal.
    """
    rows: list[dict[str, Any]] = []
    for day in range(days):
        at, key, own = day * 24 * 60 + shift_min, f"{rider}-{day}", {"rider_id": rider}
        late = delivered(f"{key}b", at_min=at + 50, late_min=4, **own)
        very_late = delivered(f"{key}c", at_min=at + 100, late_min=30, **own)
        rows += [
            delivered(f"{key}a", at_min=at, **own),
            late,
            very_late,
            slow_merchant(f"{key}d", wait_min=12, at_min=at + 160, late_min=9, **own),
            delivered(f"{key}e", at_min=at + 165, late_min=8, **own),
            event("false_delivered", f"{key}f", at_min=at + 200, order_id=late["order_id"], **own),
            event("bad_review", f"{key}g", at_min=at + 230, order_id=f"order-{key}a", **own),
            event("access_blocked", f"{key}h", at_min=at + 300, order_id=late["order_id"], **own),
            event(
                "deadline_extended", f"{key}i", at_min=at + 25 * 60, order_id=very_late["order_id"],
                cause="red_light", extend_s=600, **own,
            ),
        ]  # fmt: skip
        if day == 0:
            rows += [
                correction(f"{key}j", very_late, after_min=30 * 60, assess_deadline_us=very_late["occurred_us"]),
                appeal_upheld(f"{key}k", rows[4], after_min=26 * 60),
            ]
    return rows


def chain_breaks(unit: ReadUnit) -> list[tuple[str, int | None, str]]:
    """Where the chains of entries are broken, as `riderscore verify --database` finds it: rider, number, what."""
    chain = next(found for found in verify_store(unit).found if found.check == CHAIN)
    return [(broken.rider, broken.seq, broken.what) for broken in chain.violations]


def occurred(row: dict[str, Any]) -> int:
    """When an event occurred."""
    return int(row["occurred_us"])


def without_base(net: Net) -> Net:
    """Nets but for changes of base: an earlier first event makes the opening an entry that one run does not need."""
    return {key: value for key, value in net.items() if key[2] != "base"}
