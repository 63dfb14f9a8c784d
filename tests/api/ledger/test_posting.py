"""Posting events: scored once, in one transaction, whatever comes late, twice or in another order."""

import datetime as dt
import random
from collections.abc import Sequence
from typing import Any

import pytest

from api.books import in_force
from api.db.store import Store
from api.ledger import entries, posting
from rules.deployment import Deploy
from rules.errors import BookError
from rules.shelf import versions
from tests.api.books.worlds import NOW_US, enact, version
from tests.api.ledger.posts import (
    BOOK,
    FADING,
    START_US,
    batch_lines,
    later,
    lines_of,
    net_of,
    newest_us,
    post,
    publish,
    publish_books,
    replay_all,
    rider_week,
    same_ledger,
    scores_of,
    settle,
    table_of,
)
from tests.builders import DAY_US, MINUTE_US, appeal_upheld, book, correction, delivered


def in_batches(events: Sequence[dict[str, Any]], size: int) -> list[list[dict[str, Any]]]:
    """Events in posts of some size."""
    return [list(events[first : first + size]) for first in range(0, len(events), size)]


def city(num_riders: int = 3) -> list[dict[str, Any]]:
    """Some riders' days in order of time, when every book is in force."""
    rows = [row for k in range(num_riders) for row in rider_week(f"r{k}", shift_min=7 * k)]
    return sorted(later(rows), key=lambda row: (row["occurred_us"], row["event_id"]))


@pytest.mark.parametrize("size", [3, 1_000])
def test_posts_in_order_give_the_ledger_of_one_batch(store: Store, size: int) -> None:
    """A few at a time or all at once: every event's net and every score are the batch's."""
    publish(store, FADING)
    events = city()

    for some in in_batches(events, size):
        assert {answer.status for answer in post(store, some, FADING)} == {"scored"}
    settle(store, newest_us(events), FADING)

    same_ledger(store, events, newest_us(events), FADING)


def test_posts_in_any_order_give_the_ledger_of_one_batch(store: Store) -> None:
    """Shuffled, but for corrections and appeals, which must come after what they are about."""
    publish(store, FADING)
    events = city()
    plain = [row for row in events if "ref_event_id" not in row]
    random.Random(1).shuffle(plain)
    posted = plain + [row for row in events if "ref_event_id" in row]

    for some in in_batches(posted, 5):
        assert {answer.status for answer in post(store, some, FADING, newest_us(events))} == {"scored"}

    same_ledger(store, events, newest_us(events), FADING)


def test_what_is_posted_again_changes_nothing(store: Store) -> None:
    """The same event later, or twice in one post, is `repeated`; the ledger stays as it is."""
    publish(store, BOOK)
    events = city(1)
    post(store, events)
    before = lines_of(store)

    again = post(store, [*events, *events])

    assert {answer.status for answer in again} == {"repeated"}
    assert lines_of(store) == before


def test_one_post_counts_an_event_once(store: Store) -> None:
    """The first of two equal rows is scored, the second is its repeat."""
    publish(store, BOOK)
    row = later([delivered("e1")])[0]

    assert [answer.status for answer in post(store, [row, row])] == ["scored", "repeated"]
    assert scores_of(lines_of(store)) == {"r1": 70_200}


def test_each_row_is_answered_in_its_place(store: Store) -> None:
    """Good rows are scored though others of the same post are not; every rejection says why."""
    publish(store, BOOK)
    first, other = later([delivered("e1"), delivered("e2", at_min=9)])
    post(store, [first])
    changed = first | {"fee_fen": 900}
    ahead = other | {"event_id": "e3", "occurred_us": other["occurred_us"] + DAY_US}
    old = other | {"event_id": "e4", "occurred_us": other["occurred_us"] - 8 * DAY_US}
    lost = correction("e5", other | {"event_id": "nobody"}, after_min=0)

    answers = post(store, [changed, ahead, other, old, lost], at_us=other["occurred_us"])

    assert [(answer.event_id, answer.status, answer.reason) for answer in answers] == [
        ("e1", "rejected", "duplicate_conflict"),
        ("e3", "rejected", "implausible_time"),
        ("e2", "scored", None),
        ("e4", "rejected", "too_late"),
        ("e5", "rejected", "ref_unknown"),
    ]


def test_one_event_a_post_gives_the_ledger_of_one_batch(store: Store) -> None:
    """As a platform posts that does not collect."""
    publish(store, BOOK)
    events = city(1)

    for row in events:
        post(store, [row])

    same_ledger(store, events, newest_us(events))


def test_a_book_never_judges_what_came_before_it(store: Store) -> None:
    """An event older than the first version has no book in the service; a week later it has."""
    publish_books(store, [book()])
    early, good = delivered("e1", at_min=-10 * 24 * 60), delivered("e2", at_min=-3 * 24 * 60)

    answers = [*post(store, [early], "tiny"), *post(store, [good], "tiny")]

    assert [(answer.status, answer.reason) for answer in answers] == [("rejected", "no_book"), ("scored", None)]


def test_the_deployment_table_chooses_the_book(store: Store) -> None:
    """City and kind of rider decide; who has no row has no book."""
    publish(store, BOOK, "taobao-dedicated")
    row = {"source": "a test", "confidence": "ours", "from": dt.date(2025, 12, 3), "city": "hangzhou"}
    with store.writing(START_US) as unit:
        rows = [
            Deploy.model_validate(row | {"rider_kind": "crowdsourced", "book": BOOK}),
            Deploy.model_validate(row | {"rider_kind": "dedicated", "book": "taobao-dedicated"}),
        ]
        in_force.deploy(unit, rows)
        in_force.deploy(unit, rows)
    events = later(
        [
            delivered("e1"),
            delivered("e2", rider_id="r2", rider_kind="dedicated"),
            delivered("e3", rider_id="r3", city="elsewhere"),
        ]
    )

    with store.writing(START_US) as unit:
        answers = posting.post_events(unit, in_force.rules_in_force(unit), table_of(events))

    assert [answer.reason for answer in answers] == [None, None, "no_book"]
    digests = {line["rider_id"]: line["book_digest"] for line in lines_of(store)}
    assert digests == {"r1": versions(BOOK)[0].digest, "r2": versions("taobao-dedicated")[0].digest}


def test_the_legacy_fine_cannot_be_deployed(store: Store) -> None:
    """It can be stored and studied, never put in force."""
    publish(store, "legacy-fine")
    row = Deploy.model_validate(
        {"source": "a test", "confidence": "ours", "from": dt.date(2025, 12, 3), "city": "x", "rider_kind": "dedicated",
         "book": "legacy-fine"}
    )  # fmt: skip

    with pytest.raises(BookError, match="legacy"), store.writing(START_US) as unit:
        in_force.deploy(unit, [row])


def test_a_late_event_reverses_and_re_enters(store: Store) -> None:
    """Another order's wait becomes known after the fact: the deduction it excuses is taken back through the ledger."""
    publish(store, FADING)
    events = city(1)
    slow = next(row for row in events if row["event_id"] == "r0-0d")
    others = [row for row in events if row is not slow and "ref_event_id" not in row]
    post(store, others, FADING)

    post(store, [slow], FADING, newest_us(others))

    kinds = {line["kind"] for line in lines_of(store)}
    assert {"reverse", "reenter"} <= kinds
    same_ledger(store, [*others, slow], newest_us(others), FADING)


def test_corrections_and_appeals_reach_behind_the_window(store: Store) -> None:
    """Weeks later, with other events between, they change exactly what they are about."""
    publish(store, FADING)
    week = later(rider_week("r0", days=1)[:9] + rider_week("r1", days=1)[:9])
    between = [row | {"event_id": f"x{row['event_id']}"} for row in later(week, 20 * DAY_US)]
    late = next(row for row in week if row["event_id"] == "r0-0c")
    post(store, week, FADING)
    post(store, between, FADING)

    ends = [appeal_upheld("appeal", late, after_min=30 * 24 * 60)]
    ends.append(correction("fix", week[-8], after_min=31 * 24 * 60, assess_deadline_us=None, promised_us=None))
    for row in ends:
        assert [answer.status for answer in post(store, [row], FADING)] == ["accepted"]
        replay_all(store, row["occurred_us"])
    events = [*week, *between, *ends]
    settle(store, newest_us(events), FADING)

    same_ledger(store, events, newest_us(events), FADING)


def test_the_tick_writes_what_is_due_once(store: Store) -> None:
    """Fades are entered at their due instant by the tick; a second tick finds nothing to do."""
    publish(store, FADING)
    events = city(2)
    post(store, events, FADING)
    end_us = newest_us(events) + 200 * DAY_US

    touched = settle(store, end_us, FADING)

    assert touched > 0
    assert {"fade"} <= {line["kind"] for line in lines_of(store)}
    assert settle(store, end_us, FADING) == 0
    same_ledger(store, events, end_us, FADING)


def test_nothing_is_settled_before_its_time(store: Store) -> None:
    """The tick cannot run ahead of the store's clock."""
    publish(store, BOOK)

    with store.writing(START_US) as unit, pytest.raises(ValueError, match="not due"):
        posting.write_due(unit, in_force.rules_in_force(unit, BOOK), START_US + 1)


def test_a_new_book_version_goes_on_with_the_riders_it_finds(store: Store) -> None:
    """What is carried under the old books means the same under the old and new ones together."""
    publish(store, FADING)
    events = city(2)
    half = len(events) // 2
    for some in in_batches(events[:half], 3):
        post(store, some, FADING)

    publish(store, BOOK, "meituan-anzhun")
    for some in in_batches(events[half:], 3):
        post(store, some, FADING)

    settle(store, newest_us(events), FADING)
    same_ledger(store, events, newest_us(events), FADING)


def test_a_failed_post_leaves_nothing(store: Store) -> None:
    """One commit, at the edge: a unit that raises has written nothing."""
    publish(store, BOOK)
    row = later([delivered("e1")])

    def broken_off() -> None:
        with store.writing(START_US) as unit:
            posting.post_events(unit, in_force.rules_in_force(unit, BOOK), table_of(row))
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        broken_off()

    assert lines_of(store) == []
    assert [answer.status for answer in post(store, row)] == ["scored"]


def test_a_rider_reads_their_ledger_page_by_page(store: Store) -> None:
    """Newest first, each entry once, and where the rider stands agrees with the last of them."""
    publish(store, FADING)
    events = city(2)
    post(store, events, FADING)

    pages, cursor = [], None
    with store.reading() as unit:
        while True:
            page = entries.entries_of(unit, "r1", cursor, limit=5)
            pages.append(page.entries)
            cursor = page.cursor
            if cursor is None:
                break
        standing = entries.rider_row(unit, "r1")
        unknown = entries.rider_row(unit, "nobody")

    found = [entry["seq"] for page in pages for entry in page]
    assert found == list(range(len(found), 0, -1))
    assert standing is not None
    assert (standing.score_mp, standing.num_entries) == (pages[0][0]["score_after_mp"], len(found))
    assert standing.book_digest == versions(FADING)[0].digest
    assert unknown is None


def test_minutes_pass_between_event_and_post(store: Store) -> None:
    """Online, the store's clock runs ahead of events; riders who are posted rarely are brought up to date first."""
    publish(store, FADING)
    events = city()

    for k, some in enumerate(in_batches(events, 3)):
        post(store, some, FADING, newest_us(some) + (k % 5) * 7 * MINUTE_US)
    end_us = newest_us(events) + 40 * MINUTE_US
    settle(store, end_us, FADING)

    same_ledger(store, events, end_us, FADING)
    assert net_of(lines_of(store)) == net_of(batch_lines(events, end_us, FADING))


@pytest.mark.parametrize(("unknown_kitchen", "points_mp"), [("assess", -1000), ("exempt", 200)])
def test_an_unknown_kitchen_is_judged_by_the_service_as_its_book_says(
    store: Store, unknown_kitchen: str, points_mp: int
) -> None:
    """As a run over files judges it."""
    enact(store, version(unknown_kitchen=unknown_kitchen))
    event = delivered(late_min=20, merchant_ready_us=None, picked_up_us=None)
    by_us = NOW_US - event["occurred_us"]
    event = {k: v + by_us if k.endswith("_us") and v is not None else v for k, v in event.items()}
    with store.writing(NOW_US) as unit:
        posting.post_events(unit, in_force.rules_in_force(unit), table_of([event]))

    (line,) = lines_of(store)

    party = "rider" if unknown_kitchen == "assess" else "nobody"
    assert (line["delta_mp"], line["liable_party"], line["late_s"]) == (points_mp, party, 1200)
