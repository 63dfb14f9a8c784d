"""Entries told from the store: each with its sentence, its tree and whether it can be appealed."""

from typing import Any

import pytest
from sqlalchemy import select

from api.books import in_force
from api.db.store import Store
from api.db.tables import entries
from api.ledger.posting import write_due
from api.ledger.stored_events import StoredEvents, stored_events_of
from api.riders import entries_explained
from api.riders.entries_explained import ExplainedEntry, entries_page, entry_of
from rules.text import LANGS
from scoring.explain import sentence, tree
from tests.api.ledger.late_changes import fix_of, history, late_of, posted_by_day
from tests.api.ledger.posts import BOOK, FADING, START_US, later, newest_us, post, publish, replay_all, rider_week
from tests.builders import DAY_US, HOUR_US, delivered


def week(store: Store) -> int:
    """Days of two riders with late reports, a correction, an appeal, and what fades; until when."""
    publish(store, FADING)
    events = later([*rider_week("r1"), *rider_week("r2", shift_min=31)])
    for first in range(0, len(events), 5):
        post(store, events[first : first + 5], FADING, newest_us(events) + first)
    end_us = newest_us(events) + 40 * DAY_US
    with store.writing(end_us) as unit:
        write_due(unit, in_force.rules_in_force(unit, FADING), end_us)
    return end_us


def told_entries(store: Store, rider_id: str, now_us: int, limit: int = 7) -> list[ExplainedEntry]:
    """All entries of a rider, page by page."""
    found: list[ExplainedEntry] = []
    cursor = None
    while True:
        with store.reading() as unit:
            page = entries_page(unit, rider_id, now_us, cursor, limit)
        found += page.items
        cursor = page.cursor
        if cursor is None:
            return found


def test_every_entry_is_told_as_from_all_events(store: Store) -> None:
    """A page reads only the events around it, and says what the whole history says; the events bear every entry out."""
    end_us = week(store)

    paged = told_entries(store, "r1", end_us)

    assert [entry.line.seq for entry in paged] == list(range(len(paged), 0, -1))
    assert {entry.line.of_kind for entry in paged} >= {"award", "deduct", "cap", "fade"}
    for entry in paged:
        with store.reading() as unit:
            whole = entry_of(unit, entry.line.entry_id, end_us)
        assert whole is not None
        assert whole.sentence == entry.sentence
        assert (whole.order_id, whole.event_kind, whole.appeal) == (entry.order_id, entry.event_kind, entry.appeal)
        assert whole.why.agrees is not False
        assert whole.order_id is not None
        for lang in LANGS:
            assert tree(whole.why, lang).text == whole.sentence.lang(lang) == sentence(whole.why, lang)


def test_what_can_be_appealed_is_said_with_its_days(store: Store) -> None:
    """Deductions that stand, until the days of the book are over; everything else says why not."""
    publish(store, FADING)
    post(store, later([delivered("e1"), delivered("e2", at_min=9, late_min=6)]), FADING)

    first, second = told_entries(store, "r1", START_US + HOUR_US)
    late, _ = told_entries(store, "r1", START_US + 8 * DAY_US)

    assert (first.appeal.can, first.appeal.until_us, first.appeal.terms) == (
        True,
        first.line.recorded_us + 7 * DAY_US,
        "book",
    )
    assert (second.appeal.can, second.appeal.why_not) == (False, "appeal_nothing")
    assert (late.appeal.can, late.appeal.why_not) == (False, "appeal_too_late")
    assert "7" in late.appeal.words.zh


def test_an_entry_nobody_has_is_none(store: Store) -> None:
    """Nor has a rider without events any page but an empty one."""
    publish(store, BOOK)
    post(store, later([delivered("e1")]))

    with store.reading() as unit:
        assert entry_of(unit, "none", START_US) is None
        assert entries_page(unit, "nobody", START_US).items == ()
        known = unit.connection.scalar(select(entries.c.entry_id))
        assert entry_of(unit, str(known), START_US) is not None


def test_a_page_of_today_does_not_read_all_since_an_old_order(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was entered today about an order of long ago is told from the events around it, not from all that lie between."""
    publish(store, FADING)
    events = history(days=90)
    posted_by_day(store, events)
    now_us = newest_us(events)
    post(store, [fix_of(late_of(events), now_us)], FADING)
    replay_all(store, now_us)
    sizes: list[int] = []

    def noted(*of: Any) -> StoredEvents:
        found = stored_events_of(*of)
        sizes.append(found.table.num_rows)
        return found

    monkeypatch.setattr(entries_explained, "stored_events_of", noted)
    with store.reading() as unit:
        page = entries_page(unit, "r0", now_us, limit=6)
    monkeypatch.undo()

    assert min(entry.line.at_us for entry in page.items) < now_us - 80 * DAY_US
    assert max(entry.line.at_us for entry in page.items) > now_us - DAY_US
    assert sum(sizes) < len(events) // 4
    for entry in page.items:
        with store.reading() as unit:
            whole = entry_of(unit, entry.line.entry_id, now_us)
        assert whole is not None
        assert whole.sentence == entry.sentence
