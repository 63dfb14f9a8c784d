"""Reviews: opened by the ledger, decided by people in writing; suspensions begin with notice and end at once."""

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import DBAPIError

from api.access.audit import AuditFilter, audit_page
from api.books import in_force
from api.db import outbox
from api.db.store import Store
from api.db.tables import entries, review_decisions, rider_state, webhooks
from api.db.tables import outbox as outbox_table
from api.decisions import appeals
from api.decisions.reviews import REVIEWS, Review, decide_review, lift_suspension
from api.ledger.suspensions import suspended_among, suspension_of
from api.refusals import Refused
from api.riders.cards import card_of
from rules.book import Book
from tests.api.books.worlds import Someone
from tests.api.ledger.posts import START_US, later, lines_of, post, publish_books
from tests.builders import DAY_US, HOUR_US, MINUTE_US, book, delivered, event

OPS = "ops:li.na"
TIERS = [
    {"id": "low", "title": {"zh": "低", "en": "Low"}, "review": True},
    {"id": "ok", "title": {"zh": "好", "en": "OK"}, "from": 69},
]
BOOK = book(tier=TIERS, training={"restores_to": 70})


def low(store: Store, *riders: str, own: Book = BOOK) -> list[Review]:
    """Riders whose score has fallen into the tier that asks for a review; their reviews."""
    publish_books(store, [own])
    rows = [delivered(f"e-{rider}", rider_id=rider, late_min=9) for rider in riders or ("r1",)]
    post(store, later(rows), own.id)
    with store.reading() as unit:
        return [review for rider in riders or ("r1",) for review in REVIEWS.of_rider(unit, rider)]


def decide(store: Store, review_id: str, outcome: str = "suspend", **said: Any) -> Review:
    """Decide as a person, an hour after the start."""
    words = {"reason": "late again and again", "actor": OPS} | said
    with store.writing(START_US + HOUR_US) as unit:
        return decide_review(unit, review_id, outcome, **words)


NOTICE_US = START_US + HOUR_US + 14 * DAY_US


def test_the_ledger_opens_a_review_and_decides_nothing(store: Store) -> None:
    """One review for who falls into the tier, with the score that led to it; nobody is suspended by it."""
    (found,) = low(store)

    line = next(line for line in lines_of(store) if line["kind"] == "review")
    assert (found.entry_id, found.score_mp, found.city) == (line["entry_id"], 68_000, "hangzhou")
    assert found.state == "open"
    with store.reading() as unit:
        assert not suspended_among(unit, ["r1"], START_US + 90 * DAY_US)


def test_a_suspension_begins_when_a_person_said_and_not_before(store: Store) -> None:
    """Announced until its date, in force from then on, with the reasons and the person."""
    (found,) = low(store)

    decided = decide(store, found.review_id, from_us=NOTICE_US)

    assert decided.state == "suspended"
    with store.reading() as unit:
        before = suspension_of(unit, "r1", NOTICE_US - 1)
        after = suspension_of(unit, "r1", NOTICE_US)
        assert not suspended_among(unit, ["r1"], NOTICE_US - 1)
        assert suspended_among(unit, ["r1", "r2"], NOTICE_US) == {"r1"}
        assert len(REVIEWS.page(unit, "open").items) == 0
    assert before is not None
    assert after is not None
    assert (before.state, after.state, after.reason, after.decided_by) == (
        "announced", "in_force", "late again and again", OPS
    )  # fmt: skip


def test_notice_is_fourteen_days_unless_for_safety(store: Store) -> None:
    """A book may ask for more, never for less; safety begins at once; without a date or reasons nothing is decided."""
    first, second, third = low(store, "r1", "r2", "r3", own=book(tier=TIERS, suspension={"notice_days": 3}))

    def refused(code: str, **said: Any) -> None:
        with pytest.raises(Refused, match=code):
            decide(store, first.review_id, **said)

    refused("review_from_missing")
    refused("review_notice_short", from_us=NOTICE_US - 1)
    refused("review_from_unwanted", outcome="warning", from_us=NOTICE_US)
    refused("review_from_unwanted", outcome="warning", is_safety=True)
    refused("reason_missing", reason="  ", from_us=NOTICE_US)
    refused("review_outcome_unknown", outcome="void")
    assert decide(store, first.review_id, from_us=NOTICE_US).state == "suspended"
    assert decide(store, second.review_id, from_us=START_US + HOUR_US, is_safety=True).state == "suspended"
    assert decide(store, third.review_id, "no_action").state == "closed"


@pytest.mark.parametrize("from_us", [None, START_US + HOUR_US - 1], ids=["no date", "a clock behind ours"])
def test_a_suspension_for_safety_begins_at_once(store: Store, from_us: int | None) -> None:
    """By the store's clock, whatever the client's says; asked again later, it is the same decision."""
    (found,) = low(store)

    decided = decide(store, found.review_id, from_us=from_us, is_safety=True)

    assert decided.decision is not None
    assert decided.decision.from_us == decided.decision.decided_us == START_US + HOUR_US
    with store.writing(START_US + 2 * HOUR_US) as unit:
        again = decide_review(unit, found.review_id, "suspend", "late again and again", OPS, from_us, is_safety=True)
        assert again == decided
        assert suspended_among(unit, ["r1"], unit.recorded_us)


def test_a_book_may_ask_for_longer_notice(store: Store) -> None:
    """Thirty days in the book are thirty days."""
    (found,) = low(store, own=book(tier=TIERS, suspension={"notice_days": 30}))

    with pytest.raises(Refused, match="review_notice_short"):
        decide(store, found.review_id, from_us=NOTICE_US)
    assert decide(store, found.review_id, from_us=NOTICE_US + 16 * DAY_US).state == "suspended"


def test_a_decision_is_made_once(store: Store) -> None:
    """The same again is the first; another is refused; so is a review that nobody knows."""
    (found,) = low(store)
    first = decide(store, found.review_id, "warning")

    assert decide(store, found.review_id, "warning") == first
    with pytest.raises(Refused, match="review_decided"):
        decide(store, found.review_id, "no_action")
    with pytest.raises(Refused, match="review_unknown"):
        decide(store, "none", "no_action")


def test_the_database_refuses_what_no_person_may_decide(store: Store) -> None:
    """Neither short notice, nor a machine's word, nor a suspension without a date."""
    low(store)
    good = {
        "review_id": "x", "outcome": "suspend", "decided_by": OPS, "reason_digest": "y", "is_safety": 0,
        "from_us": 14 * DAY_US + 1, "decided_us": 1,
    }  # fmt: skip

    for wrong in (
        {"from_us": 14 * DAY_US}, {"from_us": None}, {"decided_by": "machine"}, {"reason_digest": ""},
        {"outcome": "ban"}, {"decided_by": "ledger"}, {"from_us": 0, "is_safety": 1},
    ):  # fmt: skip
        with pytest.raises(DBAPIError), store.writing(START_US) as unit:
            unit.connection.execute(insert(review_decisions), good | wrong)
    with store.writing(START_US) as unit:
        unit.connection.execute(insert(review_decisions), good)
        unit.connection.execute(insert(review_decisions), good | {"review_id": "z", "from_us": 1, "is_safety": 1})


def test_a_passed_course_restores_at_once(store: Store) -> None:
    """Score and orders, in the transaction of the course; announced suspensions end as well."""
    first, second = low(store, "r1", "r2")
    decide(store, first.review_id, from_us=START_US + HOUR_US, is_safety=True)
    decide(store, second.review_id, from_us=NOTICE_US)
    at_us = START_US + 2 * HOUR_US
    courses = [event("training_passed", f"t-{rider}", rider_id=rider, at_min=120) for rider in ("r1", "r2")]

    with store.reading() as unit:
        assert suspended_among(unit, ["r1"], at_us - 1)
    post(store, later(courses), BOOK.id)

    with store.reading() as unit:
        assert suspended_among(unit, ["r1", "r2"], at_us) == frozenset()
        assert suspension_of(unit, "r2", NOTICE_US + 1) is None
        assert [REVIEWS.find(unit, review.review_id).state for review in (first, second)] == ["lifted", "lifted"]  # type: ignore[union-attr]
        lift = REVIEWS.find(unit, first.review_id).lift  # type: ignore[union-attr]
        scores = unit.connection.scalars(select(rider_state.c.score_mp)).all()
    assert lift is not None
    assert (lift.lifted_by, lift.event_id, lift.lifted_us) == ("training", "t-r1", at_us)
    assert scores == [70_000, 70_000]


def test_a_person_may_end_a_suspension(store: Store) -> None:
    """In writing and once; a review without a suspension has nothing to end."""
    first, second = low(store, "r1", "r2")
    decide(store, first.review_id, from_us=START_US + HOUR_US, is_safety=True)

    with store.writing(START_US + 2 * HOUR_US) as unit:
        with pytest.raises(Refused, match="reason_missing"):
            lift_suspension(unit, first.review_id, "", OPS)
        with pytest.raises(Refused, match="review_not_suspended"):
            lift_suspension(unit, second.review_id, "why", OPS)
        assert lift_suspension(unit, first.review_id, "talked to her", OPS).state == "lifted"
    with pytest.raises(Refused, match="review_not_suspended"), store.writing(START_US + 3 * HOUR_US) as unit:
        lift_suspension(unit, first.review_id, "again", OPS)
    with store.reading() as unit:
        assert suspended_among(unit, ["r1"], START_US + 2 * HOUR_US - 1)
        assert not suspended_among(unit, ["r1"], START_US + 2 * HOUR_US)


def test_a_review_whose_cause_is_taken_back_is_void(store: Store) -> None:
    """An upheld appeal lifts the score out of the tier: nobody needs to look, and nobody is suspended for it."""
    (found,) = low(store)
    with store.reading() as unit:
        entry = str(unit.connection.scalar(select(entries.c.entry_id).where(entries.c.kind == "deduct")))
    with store.writing(START_US + MINUTE_US) as unit:
        filed, _ = appeals.file_appeal(unit, "r1", entry, "not_late", "on time", None, "rider:r1")
        law = in_force.rules_in_force(unit, BOOK.id)
        appeals.decide_appeal(unit, law, filed.appeal_id, True, "record_wrong", "so it was", OPS)

    with store.reading() as unit:
        assert REVIEWS.find(unit, found.review_id).state == "void"  # type: ignore[union-attr]
        assert len(REVIEWS.page(unit, "open").items) == 0
    with pytest.raises(Refused, match="review_decided"):
        decide(store, found.review_id, from_us=NOTICE_US)


def test_a_passed_course_ends_the_review_that_waits(store: Store) -> None:
    """Nobody needs to decide any more: card, inbox and audit say the same, and nobody can suspend for it afterwards."""
    (found,) = low(store)
    post(store, later([event("training_passed", "t1", at_min=30)]), BOOK.id)

    with store.reading() as unit:
        ended = REVIEWS.find(unit, found.review_id)
        card = card_of(unit, in_force.rules_in_force(unit, BOOK.id), "r1", START_US + HOUR_US)
        (line,) = audit_page(unit, Someone("li.na"), AuditFilter(action="review_closed")).items
        assert len(REVIEWS.page(unit, "open").items) == 0
    assert ended is not None
    assert ended.decision is not None
    assert (ended.state, ended.decision.outcome, ended.decision.decided_by) == ("closed", "course_passed", "training")
    assert card is not None
    assert not card.is_review_open
    assert (line.actor, line.subject, line.city, line.detail["event"]) == ("training", "r1", "hangzhou", "t1")
    with pytest.raises(Refused, match="review_decided"):
        decide(store, found.review_id, from_us=START_US + HOUR_US, is_safety=True)


def test_a_course_that_does_not_bring_the_score_back_leaves_the_review(store: Store) -> None:
    """Where the score still asks for a person after the course, a person still looks."""
    (found,) = low(store, own=book(tier=TIERS, training={"restores_to": Decimal("68.5")}))
    post(store, later([event("training_passed", "t1", at_min=30)]), BOOK.id)

    with store.reading() as unit:
        assert REVIEWS.find(unit, found.review_id) == found
        assert len(REVIEWS.page(unit, "open").items) == 1


def test_who_has_left_the_tier_is_not_suspended_for_it(store: Store) -> None:
    """The score no longer recommends it; only safety may still ask for it."""
    (found,) = low(store)
    post(store, later([delivered(f"d{k}", at_min=30 + k) for k in range(5)]), BOOK.id)

    with pytest.raises(Refused, match="review_not_recommended"):
        decide(store, found.review_id, from_us=NOTICE_US)
    assert decide(store, found.review_id, from_us=START_US + HOUR_US, is_safety=True).state == "suspended"


def test_the_inbox_is_oldest_first_by_city_and_page(store: Store) -> None:
    """Each rider waits once, however often the tier is entered."""
    publish_books(store, [BOOK])
    for k in range(5):
        city = "hangzhou" if k % 2 else "suzhou"
        rows = [delivered(f"e{k}", rider_id=f"r{k}", city=city, at_min=k, late_min=9)]
        # Out of the tier by a course, and into it again.
        rows += [event("training_passed", f"t{k}", rider_id=f"r{k}", city=city, at_min=k + 0.2)]
        rows += [delivered(f"f{k}", rider_id=f"r{k}", city=city, at_min=k + 0.5, late_min=9)]
        post(store, later(rows), BOOK.id)

    with store.reading() as unit:
        first = REVIEWS.page(unit, "open", limit=3)
        second = REVIEWS.page(unit, "open", cursor=first.cursor, limit=3)
        here = REVIEWS.page(unit, "open", ("hangzhou",))
    assert [review.rider_id for page in (first, second) for review in page.items] == ["r0", "r1", "r2", "r3", "r4"]
    assert second.cursor is None
    assert [review.rider_id for review in here.items] == ["r1", "r3"]
    decide(store, here.items[0].review_id, "warning")
    with store.reading() as unit:
        page = REVIEWS.page(unit, "decided", ("hangzhou",))
        assert [review.rider_id for review in page.items] == ["r1"]
        assert len(REVIEWS.page(unit, "open", ("hangzhou",)).items) == 1


def listen(store: Store, *kinds: str) -> None:
    """A webhook that wants to hear."""
    import json

    row = {
        "webhook_id": "w1", "url": "https://example.org/", "kinds": json.dumps(kinds), "cities": "[]", "created_by": OPS,
        "recorded_us": START_US,
    }  # fmt: skip
    row |= {column.name: "x" for column in webhooks.c if not column.nullable and column.name not in row}
    with store.writing(START_US) as unit:
        unit.connection.execute(insert(webhooks), row)


def told(store: Store) -> list[dict[str, Any]]:
    """What stands in the outbox."""
    import json

    with store.reading() as unit:
        query = select(outbox_table.c.payload).order_by(outbox_table.c.outbox_id)
        return [json.loads(payload) for payload in unit.connection.scalars(query)]


def test_whoever_listens_is_told_in_the_same_transaction(store: Store) -> None:
    """Score, tier, review and answer, in that order, without a name; nothing is kept where nobody listens."""
    publish_books(store, [BOOK])
    post(store, later([delivered("e0")]), BOOK.id)
    assert told(store) == []
    listen(store)

    low(store)
    with store.reading() as unit:
        entry = str(unit.connection.scalar(select(entries.c.entry_id).where(entries.c.kind == "deduct")))
    with store.writing(START_US + HOUR_US) as unit:
        filed, _ = appeals.file_appeal(unit, "r1", entry, "not_late", "Zhang San, 138", None, "rider:r1")
        law = in_force.rules_in_force(unit, BOOK.id)
        appeals.decide_appeal(unit, law, filed.appeal_id, True, "record_wrong", "so it was", OPS)

    found = told(store)
    assert [message["type"] for message in found] == [
        "score.changed", "tier.changed", "review.needed", "score.changed", "tier.changed", "appeal.decided"
    ]  # fmt: skip
    assert found[0]["data"]["score_mp"] == 68_200
    assert [entry["delta_mp"] for entry in found[0]["data"]["entries"]] == [-2_000, 0]
    assert (found[1]["data"]["tier_before"], found[1]["data"]["tier"]) == ("ok", "low")
    assert found[5]["data"]["decision"] == "upheld"
    assert "138" not in str(found)


def test_only_kinds_that_are_wanted_are_kept(store: Store) -> None:
    """A hook for reviews alone costs a post nothing else."""
    publish_books(store, [BOOK])
    listen(store, "review.needed")

    low(store)

    with store.reading() as unit:
        assert outbox.wanted_kinds(unit) == {"review.needed"}
    assert [message["type"] for message in told(store)] == ["review.needed"]
