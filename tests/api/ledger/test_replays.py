"""Corrections and appeals of long ago: accepted at once, entered behind the service, once, whatever happens meanwhile."""

import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import func, select

from api.books import in_force
from api.db.store import Store
from api.db.tables import audit, entries
from api.db.tables import checkpoints as kept
from api.db.tables import events as stored
from api.db.tables import replays as waits
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.decisions import appeals
from api.decisions.appeal_records import APPEALS
from api.ledger import checkpoints, posting, replays
from api.ledger.recalculation import recalculation_of
from api.ledger.replayer import Replayer
from api.ledger.replays import replay, waiting_riders
from api.ledger.rider_past import load_past
from api.ledger.verify import verify_store
from api.riders import cards
from api.riders.entries_explained import entries_page
from tests.api.ledger.late_changes import Events, fix_of, history, is_whole, late_of, num_waiting, posted_by_day
from tests.api.ledger.posts import (
    FADING,
    later,
    lines_of,
    newest_us,
    post,
    publish,
    replay_all,
    rider_week,
    same_ledger,
    scores_of,
    settle,
)
from tests.builders import DAY_US, HOUR_US, MINUTE_US, appeal_upheld, correction, delivered, event

# Seconds of work.
pytestmark = pytest.mark.slow


def test_an_old_correction_is_accepted_then_entered(store: Store) -> None:
    """Nothing is entered with the answer; after the replay the ledger is that of one run over everything."""
    publish(store, FADING)
    events = history()
    posted_by_day(store, events)
    now_us, before = newest_us(events), lines_of(store)
    fix = fix_of(late_of(events), now_us)

    answers = post(store, [fix], FADING)

    assert [answer.status for answer in answers] == ["accepted"]
    assert lines_of(store) == before
    replay_all(store, now_us)
    assert num_waiting(store) == 0
    same_ledger(store, [*events, fix], now_us, FADING)
    assert is_whole(store)


def test_a_repeat_gets_the_same_answer(store: Store) -> None:
    """While it waits it is accepted again, in the same post or a later one; then it is a repeat like any other."""
    publish(store, FADING)
    events = history()
    posted_by_day(store, events)
    fix = fix_of(late_of(events), newest_us(events))

    statuses = [answer.status for answer in [*post(store, [fix, fix], FADING), *post(store, [fix], FADING)]]
    other = post(store, [fix | {"fee_fen": 1}], FADING)
    replay_all(store, newest_us(events))

    assert statuses == ["accepted"] * 3
    assert [(answer.status, answer.reason) for answer in other] == [("rejected", "duplicate_conflict")]
    assert [answer.status for answer in post(store, [fix], FADING)] == ["repeated"]
    same_ledger(store, [*events, fix], newest_us(events), FADING)


def test_the_line_is_drawn_by_what_it_is_about(store: Store) -> None:
    """Up to `late_days` old it is scored at once, a microsecond more and it is accepted, however short the history."""
    publish(store, FADING)
    events = later([delivered("e1", late_min=4), delivered("e2", at_min=30, late_min=4)])
    post(store, events, FADING)
    now_us = events[1]["occurred_us"] + 7 * DAY_US

    answers = post(store, [fix_of(row, now_us, f"fix-{row['event_id']}") for row in events], FADING, now_us)

    assert [answer.status for answer in answers] == ["accepted", "scored"]


def test_what_would_be_rejected_is_rejected_at_once(store: Store) -> None:
    """Too late, earlier than what it is about, under an id of other content: the answer does not wait."""
    publish(store, FADING)
    events = history()
    posted_by_day(store, events)
    now_us, old = newest_us(events), late_of(events)
    rows = [
        fix_of(old, now_us - 8 * DAY_US, "late"),
        fix_of(old, old["occurred_us"] - 1, "before"),
        fix_of(old, now_us, "twice"),
        fix_of(old, now_us, "twice") | {"fee_fen": 1},
        fix_of(old | {"event_id": "nobody"}, now_us, "lost"),
    ]

    answers = post(store, rows, FADING, now_us)

    assert [answer.reason for answer in answers] == [
        "too_late", "too_late", "duplicate_conflict", "duplicate_conflict", "ref_unknown",
    ]  # fmt: skip
    assert num_waiting(store) == 0


def test_what_comes_meanwhile_is_scored_at_once(store: Store) -> None:
    """New, late and recent corrections go on; the replay finds them there."""
    publish(store, FADING)
    events = history()
    posted_by_day(store, events)
    now_us = newest_us(events)
    fix = fix_of(late_of(events), now_us)
    post(store, [fix], FADING)
    new = later([delivered("new", rider_id="r0", at_min=12 * 1440, late_min=9)])[0]
    late = new | {
        "event_id": "late",
        "order_id": "late",
        "occurred_us": now_us - DAY_US,
        "delivered_us": now_us - DAY_US,
    }
    recent = fix_of(
        next(row for row in reversed(events) if row["occurred_us"] > row["assess_deadline_us"]), now_us, "f2"
    )
    end_us = new["occurred_us"]

    answers = post(store, [new, late, recent], FADING, end_us)
    replay_all(store, end_us)
    settle(store, end_us, FADING)

    assert {answer.status for answer in answers} == {"scored"}
    same_ledger(store, [*events, fix, new, late, recent], end_us, FADING)
    assert is_whole(store)


def test_several_that_wait_are_entered_together(store: Store) -> None:
    """Corrections of corrections and appeals, stored one after the other, of the same and of other events."""
    publish(store, FADING)
    events = history()
    posted_by_day(store, events)
    now_us = newest_us(events)
    lates = [row for row in events if row["occurred_us"] > row["assess_deadline_us"]]
    first = fix_of(lates[0], now_us, "a")
    again = correction("b", first, assess_deadline_us=lates[0]["assess_deadline_us"]) | {
        "ref_event_id": "a", "occurred_us": now_us + MINUTE_US,
    }  # fmt: skip
    upheld = appeal_upheld("c", lates[1]) | {"occurred_us": now_us + 2 * MINUTE_US}
    for row in (first, again, upheld):
        assert [answer.status for answer in post(store, [row], FADING)] == ["accepted"]

    replay_all(store, now_us + HOUR_US)

    settle(store, now_us + HOUR_US, FADING)
    same_ledger(store, [*events, first, again, upheld], now_us + HOUR_US, FADING)


@pytest.mark.parametrize("together", [True, False])
def test_the_last_in_time_stands_though_it_came_first(store: Store, together: bool) -> None:
    """Two corrections of one old order, the earlier of which comes later, in one replay or in two."""
    publish(store, FADING)
    events = history()
    posted_by_day(store, events)
    now_us, old = newest_us(events), late_of(events)
    last = fix_of(old, now_us, "last")
    first = fix_of(old, now_us - HOUR_US, "first") | {"assess_deadline_us": old["occurred_us"] - 60 * MINUTE_US}

    for row in (last, first):
        assert [answer.status for answer in post(store, [row], FADING, now_us)] == ["accepted"]
        if not together:
            replay_all(store, now_us)
    replay_all(store, now_us)

    same_ledger(store, [*events, last, first], now_us, FADING)


class KilledError(Exception):
    """The process is gone."""


class Dying(Store):
    """A store whose writers are killed just before they commit."""

    @contextmanager
    def writing(self, recorded_us: int) -> Iterator[WriteUnit]:
        """Do all of it, then die."""
        with super().writing(recorded_us) as unit:
            yield unit
            raise KilledError


@pytest.mark.parametrize("when", ["folded", "written"])
def test_a_kill_leaves_the_wait(store: Store, when: str) -> None:
    """Whenever it comes, nothing of the replay is there, it still waits, and the next start does it once."""
    publish(store, FADING)
    events = history()
    posted_by_day(store, events)
    now_us = newest_us(events)
    fix = fix_of(late_of(events), now_us)
    post(store, [fix], FADING)
    before = lines_of(store)
    moments = iter([now_us])

    def clock() -> int:
        if when == "written":
            return now_us
        try:
            return next(moments)
        except StopIteration:
            raise KilledError from None

    dying = Dying(store.url)
    with pytest.raises(KilledError):
        replay(dying, "r0", clock)
    dying.close()

    assert lines_of(store) == before
    assert num_waiting(store) == 1
    Replayer(store, lambda: now_us).step()
    same_ledger(store, [*events, fix], now_us, FADING)
    assert num_waiting(store) == 0


def test_two_servers_enter_it_once(store: Store) -> None:
    """Both may fold it; one writes."""
    publish(store, FADING)
    events = history()
    posted_by_day(store, events)
    now_us = newest_us(events)
    fix = fix_of(late_of(events), now_us)
    post(store, [fix], FADING)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: replay(store, "r0", lambda: now_us), range(2)))

    same_ledger(store, [*events, fix], now_us, FADING)
    assert is_whole(store)


class Busy(Store):
    """A store in which the rider gets something else whenever their past has been read."""

    def __init__(self, store: Store, posts: Iterator[Events]) -> None:
        super().__init__(store.url)
        self._store = store
        self._posts = posts
        self.posted: Events = []

    @contextmanager
    def reading(self) -> Iterator[ReadUnit]:
        """Read; then somebody posts."""
        with super().reading() as unit:
            yield unit
        rows = next(self._posts, [])
        if rows:
            assert {answer.status for answer in post(self._store, rows, FADING)} == {"scored"}
            self.posted += rows


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Riders whose past is folded by replays, as often as it is."""
    found: list[str] = []

    def noted(unit: Any, law: Any, riders: Any, *more: Any) -> Any:
        found.extend(row.rider_id for row in riders)
        return load_past(unit, law, riders, *more)

    monkeypatch.setattr(replays, "load_past", noted)
    return found


@pytest.mark.parametrize("seed", range(6))
def test_a_rider_who_never_rests_is_folded_once(store: Store, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """New orders, late ones, recent corrections, misconduct and a course, between each two steps of the replay, are taken in."""
    luck = random.Random(seed)
    publish(store, FADING)
    events = history(days=15)
    posted_by_day(store, events)
    now_us = newest_us(events)
    old = [row for row in events if row["occurred_us"] < now_us - 7 * DAY_US - HOUR_US]
    fixes = [
        fix_of(row, now_us, f"a{k}") if k % 2 else appeal_upheld(f"a{k}", row) | {"occurred_us": now_us}
        for k, row in enumerate(luck.sample(old, 3))
    ]
    assert {answer.status for answer in post(store, fixes, FADING)} == {"accepted"}
    end = 15 * 1440

    def others() -> Iterator[Events]:
        for k in range(9):
            new = delivered(f"n{k}", rider_id="r0", at_min=end + 20 * k, late_min=luck.randint(-9, 12))
            late = delivered(
                f"l{k}", rider_id="r0", at_min=end - luck.randint(1, 6 * 1440), late_min=luck.randint(-9, 12)
            )
            recent = luck.choice([row for row in events if row["occurred_us"] > now_us - 6 * DAY_US])
            fix = fix_of(recent, now_us + k * MINUTE_US, f"f{k}")
            word = event("false_delivered", f"w{k}", rider_id="r0", at_min=end + 20 * k + 1, order_id=f"order-n{k}")
            made = {"new": later([new]), "late": later([late]), "fix": [fix], "word": later([new, word])}
            yield made[luck.choice([*made])]

    folds = counted(monkeypatch)
    busy = Busy(store, others())
    replay(busy, "r0", lambda: newest_us([*events, *busy.posted]))
    busy.close()

    lines = lines_of(store)
    end_us = newest_us([*events, *fixes, *busy.posted])
    settle(store, end_us, FADING)
    assert folds == ["r0"]
    assert len(busy.posted) >= 2
    assert len({line["entry_id"] for line in lines}) == len(lines)
    assert num_waiting(store) == 0
    same_ledger(store, [*events, *fixes, *busy.posted], end_us, FADING)
    assert is_whole(store)
    with store.reading() as unit:
        assert [found for found in verify_store(unit).found if not found.holds] == []


def test_a_rider_whose_past_changes_again_and_again_is_entered_under_the_lock(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What bears on more than the last days is folded anew, and at last with the rider held."""
    publish(store, FADING)
    events = history()
    posted_by_day(store, events)
    now_us = newest_us(events)
    fix = fix_of(late_of(events), now_us)
    post(store, [fix], FADING)
    orders = later([delivered(f"n{k}", rider_id="r0", at_min=12 * 1440 + k) for k in range(9)])
    # In hand for eleven days.
    long = [row | {"accepted_us": row["occurred_us"] - 11 * DAY_US, "placed_us": None} for row in orders]
    folds = counted(monkeypatch)

    busy = Busy(store, iter([row] for row in long))
    replay(busy, "r0", lambda: newest_us(orders))
    busy.close()

    assert folds == ["r0"] * (replays.TRIES + 1)
    same_ledger(store, [*events, fix, *busy.posted], newest_us(orders), FADING)


def test_card_entries_and_appeal_say_so_until_then(store: Store) -> None:
    """An appeal about an old order: decided at once, and all that may change says that it is being recalculated."""
    publish(store, FADING)
    events = history(days=3)
    posted_by_day(store, events)
    old = late_of(events)
    with store.reading() as unit:
        own = (entries.c.event_id == old["event_id"], entries.c.kind == "deduct")
        entry_id = unit.connection.scalar(select(entries.c.entry_id).where(*own))
    with store.writing(old["occurred_us"] + 6 * DAY_US) as unit:
        filed, _ = appeals.file_appeal(unit, "r0", str(entry_id), "other", "why", None, "rider:r0")
    now_us = old["occurred_us"] + 8 * DAY_US

    with store.writing(now_us) as unit:
        law = in_force.rules_in_force(unit, FADING)
        decided = appeals.decide_appeal(unit, law, filed.appeal_id, True, "goodwill", "yes", "ops:li")

    def told() -> tuple[bool, bool, list[bool]]:
        with store.reading() as unit:
            card = cards.card_of(unit, in_force.rules_in_force(unit, FADING), "r0", now_us)
            page = entries_page(unit, "r0", now_us, limit=100)
            appeal = APPEALS.find(unit, filed.appeal_id)
        assert card is not None
        assert appeal is not None
        marked = [entry.recalculating == (entry.line.at_us >= old["occurred_us"]) for entry in page.items]
        return card.recalculating is not None, appeal.recalculating, marked

    assert (decided.state, decided.recalculating) == ("upheld", True)
    card_says, appeal_says, marked = told()
    assert card_says
    assert appeal_says
    assert all(marked)
    replay_all(store, now_us)
    with store.reading() as unit:
        assert recalculation_of(unit, "r0") is None
    assert told()[:2] == (False, False)
    upheld = event("appeal_upheld", f"appeal:{filed.appeal_id}", rider_id="r0", ref_event_id=old["event_id"])
    same_ledger(store, [*events, upheld | {"occurred_us": now_us}], now_us, FADING)


def test_silence_about_an_old_order_takes_the_same_way(store: Store) -> None:
    """A deadline that runs out upholds, and the ledger follows by a replay."""
    publish(store, FADING)
    events = history(days=1)
    posted_by_day(store, events)
    old = late_of(events)
    with store.reading() as unit:
        own = (entries.c.event_id == old["event_id"], entries.c.kind == "deduct")
        entry_id = unit.connection.scalar(select(entries.c.entry_id).where(*own))
    with store.writing(old["occurred_us"] + 6 * DAY_US) as unit:
        filed, _ = appeals.file_appeal(unit, "r0", str(entry_id), "other", "why", None, "rider:r0")
    with store.writing(filed.deadline_us) as unit:
        settled = appeals.settle_appeals(unit, in_force.rules_in_force(unit, FADING), filed.deadline_us)

    assert settled.refused == ()
    assert num_waiting(store) == 1
    before = scores_of(lines_of(store))["r0"]
    replay_all(store, filed.deadline_us)
    assert scores_of(lines_of(store))["r0"] > before


def test_a_long_stretch_leaves_checkpoints_and_they_follow_the_past(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Late, corrected and old facts in turn: each drops what no longer follows, and the ledger is that of one run."""
    monkeypatch.setattr(checkpoints, "STEP", 5)
    monkeypatch.setattr(posting, "WINDOW_US", HOUR_US)
    publish(store, FADING)
    events = [row for row in later(rider_week("r0", days=10)) if row.get("ref_event_id") is None]
    events.sort(key=lambda row: (row["occurred_us"], row["event_id"]))
    held = events[::7]
    posted_by_day(store, [row for row in events if row not in held and row["occurred_us"] <= held[-1]["occurred_us"]])
    rest = [row for row in events if row not in held and row["occurred_us"] > held[-1]["occurred_us"]]
    now_us = newest_us(events)
    fresh = [row for row in held if row["occurred_us"] >= now_us - 7 * DAY_US]

    for row in [*rest, *reversed(fresh)]:
        assert [answer.status for answer in post(store, [row], FADING, now_us)] == ["scored"]
    posted = [row for row in events if row not in held or row in fresh]
    fixes = [fix_of(row, now_us, f"fix-{row['event_id']}") for row in posted if row["kind"] == "delivered"][::4]
    for row in fixes:
        post(store, [row], FADING, now_us)
    replay_all(store, now_us)
    settle(store, now_us, FADING)

    with store.reading() as unit:
        assert (unit.connection.scalar(select(func.count()).select_from(kept)) or 0) > 3
    same_ledger(store, [*posted, *fixes], now_us, FADING)
    assert is_whole(store)


class Followed(Store):
    """A store in which the rider gets an order as soon as nothing waits any more."""

    def __init__(self, store: Store, row: dict[str, Any]) -> None:
        super().__init__(store.url)
        self._store = store
        self._row = row
        self.num_kept: int | None = None

    @contextmanager
    def writing(self, recorded_us: int) -> Iterator[WriteUnit]:
        """Write; then somebody posts, once."""
        with super().writing(recorded_us) as unit:
            yield unit
        if self.num_kept is None and not num_waiting(self._store):
            assert [answer.status for answer in post(self._store, [self._row], FADING)] == ["scored"]
            self.num_kept = num_kept(self._store)


def num_kept(store: Store) -> int:
    """How many checkpoints there are."""
    with store.reading() as unit:
        return unit.connection.scalar(select(func.count()).select_from(kept)) or 0


@pytest.mark.parametrize("goes_on", [True, False])
def test_checkpoints_are_left_only_of_a_rider_who_rests(
    store: Store, monkeypatch: pytest.MonkeyPatch, *, goes_on: bool
) -> None:
    """They are written after the replay: where the rider has gone on by then, they may not follow any more."""
    monkeypatch.setattr(checkpoints, "STEP", 5)
    publish(store, FADING)
    events = history(days=20)
    posted_by_day(store, events)
    now_us = newest_us(events)
    row = later([delivered("next", rider_id="r0", at_min=20 * 1440, late_min=3)])[0]
    fix = fix_of(late_of(events), now_us)
    post(store, [fix], FADING)
    with store.writing(now_us) as unit:
        unit.connection.execute(kept.delete())
    following = Followed(store, row) if goes_on else store

    replay(following, "r0", lambda: now_us)

    if isinstance(following, Followed):
        assert num_kept(store) == following.num_kept
        following.close()
        same_ledger(store, [*events, row, fix], newest_us([row]), FADING)
    else:
        assert num_kept(store) > 3


def test_one_rider_who_fails_does_not_keep_others(store: Store) -> None:
    """A replay that cannot be done is reported and waits; the next rider's is done."""
    publish(store, FADING)
    events = [*history("r0"), *history("r1")]
    posted_by_day(store, sorted(events, key=lambda row: row["occurred_us"]))
    now_us = newest_us(events)
    fixes = [fix_of(late_of(history(rider)), now_us, f"fix-{rider}") for rider in ("r0", "r1")]
    post(store, fixes, FADING)
    with store.writing(now_us) as unit:
        unit.connection.execute(waits.update().where(waits.c.rider_id == "r0").values(recorded_us=0))
        unit.connection.exec_driver_sql("UPDATE rider_state SET carried = NULL WHERE rider_id = 'r0'")
    replayer = Replayer(store, lambda: now_us)

    with pytest.raises(ExceptionGroup, match="replays that failed"):
        replayer.step()

    with store.reading() as unit:
        assert waiting_riders(unit, 9) == ["r0"]
    assert not replayer.step()


def answers_of(store: Store, rows: Events, now_us: int) -> list[tuple[str, str, str | None]]:
    """What a post is answered, row by row."""
    return [(answer.event_id, answer.status, answer.reason) for answer in post(store, rows, FADING, now_us)]


@pytest.mark.case
@pytest.mark.parametrize("first", ["too_late", "duplicate_conflict", "twice"])
def test_what_is_about_a_rejected_row_is_about_nothing(store: Store, first: str) -> None:
    """A chain is followed only through rows that are stored: together the answers are those of one post after another.

    The rider's next correction is entered.
    """
    publish(store, FADING)
    events = history()
    posted_by_day(store, events)
    now_us, old = newest_us(events), late_of(events)
    named = fix_of(old, now_us if first == "duplicate_conflict" else now_us - 8 * DAY_US, "c1")
    second = {"duplicate_conflict": [named | {"fee_fen": 1}], "twice": [named]}.get(first, [])
    after = [fix_of(old, now_us, f"c{k + 1}") | {"ref_event_id": f"c{k}"} for k in (1, 2)]
    why = "too_late" if first == "twice" else first

    together = answers_of(store, [named, *second, *after], now_us)

    assert together[: 1 + len(second)] == [("c1", "rejected", why)] * (1 + len(second))
    assert together[1 + len(second) :] == [("c2", "rejected", "ref_unknown"), ("c3", "rejected", "ref_unknown")]
    assert answers_of(store, after, now_us) == together[1 + len(second) :]
    good = fix_of(old, now_us, "good")
    assert answers_of(store, [good], now_us) == [("good", "accepted", None)]
    replay_all(store, now_us)
    assert num_waiting(store) == 0
    same_ledger(store, [*events, good], now_us, FADING)


@pytest.mark.case
def test_a_stored_row_about_nothing_does_not_stop_the_replay(store: Store) -> None:
    """It is left out and the audit trail says so; what else waits about the rider is entered."""
    publish(store, FADING)
    events = history()
    posted_by_day(store, events)
    now_us, old = newest_us(events), late_of(events)
    good = fix_of(old, now_us, "good")
    post(store, [good], FADING)
    with store.writing(now_us) as unit:
        for table, stray in ((stored, {"event_id": "stray", "ref_event_id": "gone"}), (waits, {"event_id": "stray"})):
            row = unit.connection.execute(select(table).where(table.c.event_id == "good")).mappings().one()
            unit.connection.execute(table.insert().values({**row, **stray}))

    replay_all(store, now_us)

    assert num_waiting(store) == 0
    same_ledger(store, [*events, good], now_us, FADING)
    with store.reading() as unit:
        found = unit.connection.execute(select(audit).where(audit.c.action == "replay.refuse")).all()
    assert [(row.subject, json.loads(row.detail)["reason"]) for row in found] == [("r0", "ref_unknown")]
