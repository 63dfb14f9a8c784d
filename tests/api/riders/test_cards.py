"""The rider's card: what it says agrees with the ledger, the batch's riders table and the kernel."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import BigInteger, literal, select

from api.books import in_force
from api.db.rider_rows import row_of
from api.db.store import Store
from api.db.tables import entries
from api.decisions import appeals, reviews
from api.ledger import posting
from api.riders import cards, forecast
from api.riders.cards import CARD_COLUMNS, CardRow, RiderCard, card_key, card_of, rules_version
from api.riders.forecast import forecast_of
from rules.book import Book
from rules.compile import compile_books
from rules.deployment import Deploy
from rules.shelf import versions
from rules.units import tenths_of
from scoring.ledger import riders_table
from scoring.prepare import schedule_versions
from scoring.score import score
from tests.api.ledger.posts import (
    BOOK,
    FADING,
    LATER_US,
    START_US,
    later,
    lines_of,
    newest_us,
    post,
    publish,
    publish_books,
    rider_week,
    settle,
    table_of,
)
from tests.builders import DAY_US, HOUR_US, MINUTE_US, NOON_US, book, correction, delivered, event


def card(store: Store, at_us: int, book_id: str = BOOK, rider_id: str = "r1") -> RiderCard:
    """A card as its rider would see it."""
    with store.reading() as unit:
        found = card_of(unit, in_force.rules_in_force(unit, book_id), rider_id, at_us)
    assert found is not None
    return found


def test_a_card_says_score_tier_and_all_that_it_affects(store: Store) -> None:
    """In fen and orders, here and in the next tier, and the ways there."""
    publish(store, FADING)
    post(store, later([delivered("e1"), delivered("e2", at_min=9, late_min=10)]), FADING)

    found = card(store, START_US + 30 * MINUTE_US, FADING)

    assert (found.score_mp, found.base_mp, found.tier.tier_id) == (68_700, 70_000, "normal")
    assert [(effect.kind, effect.amount) for effect in found.tier.effects] == [("priority", 1_000)]
    assert found.next_tier is not None
    assert [(effect.kind, effect.amount) for effect in found.next_tier.effects] == [("bonus", 50), ("priority", 1_050)]
    assert found.up is not None
    assert (found.up.orders, found.up.points_mp) == (32, 6_301)
    assert found.back is not None
    assert (found.back.orders, found.back.target_mp) == (7, 70_000)
    assert "7 on-time orders" in found.back.words.en
    assert [(item.points_mp, item.due_us - START_US) for item in found.returning] == [
        (1_500, 30 * DAY_US + 9 * MINUTE_US)
    ]
    assert found.book.text is not None


@pytest.mark.parametrize(("late_min", "points_mp", "orders"), [(0, 200, None), (3, -600, 3), (10, -1_500, 8)])
def test_a_forecast_says_how_many_orders_it_takes_back(
    store: Store, late_min: int, points_mp: int, orders: int | None
) -> None:
    """Whole orders: seven at 0.2 do not make up for 1.5 points."""
    publish(store, FADING)
    post(store, later([delivered("e1")]), FADING)

    with store.reading() as unit:
        (found,) = (
            forecast_of(unit, in_force.rules_in_force(unit, FADING), "r1", START_US + MINUTE_US, (late_min,)) or ()
        )

    assert (found.points_mp, found.back_orders) == (points_mp, orders)


@pytest.mark.parametrize("points_mp", [-70_051, -151, -150, -149, -51, -50, -49, -1, 0, 49, 50, 51, 149, 150, 69_950])
def test_tenths_are_the_same_in_the_database(store: Store, points_mp: int) -> None:
    """What a card adds up there is rounded as each amount of it is shown."""
    with store.reading() as unit:
        found = unit.connection.scalar(select(cards._tenths(literal(points_mp, BigInteger))))

    assert found == tenths_of(points_mp)


def test_a_low_tier_says_what_it_may_cost_at_most(store: Store) -> None:
    """The floor under lost offers is told where the priority is below everybody's, and its absence too."""
    low = [
        {"id": "low", "title": {"zh": "低", "en": "Low"}, "priority": Decimal("0.5"), "warning": True, "review": True}
    ]
    tier = [*low, {"id": "ok", "title": {"zh": "好", "en": "OK"}, "from": 69}]
    bare = book(id="bare", tier=tier)
    kind = book(id="kind", tier=tier, offers={"max_loss": Decimal("0.1")}, training={"restores_to": 69})
    publish_books(store, [bare, kind])
    for rider, book_id in (("r1", "bare"), ("r2", "kind")):
        post(store, later([delivered("e1", rider_id=rider, late_min=9)]), book_id)

    first, second = card(store, START_US, "bare"), card(store, START_US, "kind", "r2")

    assert [(effect.kind, effect.amount) for effect in first.tier.effects] == [
        ("priority", 500), ("offers", 100), ("warning", 0), ("review", 0)
    ]  # fmt: skip
    assert [effect.amount for effect in second.tier.effects if effect.kind == "offers"] == [10]
    assert first.is_review_open


def test_a_card_counts_as_the_batch_counts(store: Store) -> None:
    """Orders on time, late and exempt, whatever came late or was corrected; money of today and of the week."""
    publish(store, FADING)
    # From a Monday on.
    events = later([*rider_week("r1"), *rider_week("r2", shift_min=31)], LATER_US + DAY_US)
    for first in range(0, len(events), 4):
        post(store, events[first : first + 4], FADING, newest_us(events))
    end_us = newest_us(events)
    found = versions(FADING)
    scored = score(compile_books(found), schedule_versions(compile_books(found), [0]), table_of(events), None, end_us)
    theirs = {row["rider_id"]: row for row in riders_table(scored).to_pylist()}

    for rider in ("r1", "r2"):
        ours = card(store, end_us, FADING, rider)
        row = theirs[rider]
        counted = ours.counters
        assert (counted.delivered, counted.on_time, counted.late, counted.exempt) == tuple(
            row[name] for name in ("num_delivered", "num_on_time", "num_late", "num_exempt")
        )
        assert ours.score_mp == row["score_mp"]
        assert ours.tier.tier_id == row["tier"]
        assert ours.back is None or ours.back.orders == row["on_time_orders_to_recover"]
        week = ours.money_week
        assert (week.fees_fen, week.fines_fen, week.bonus_fen, week.income_fen) == tuple(
            row[name] for name in ("fees_fen", "fines_fen", "bonus_fen", "income_fen")
        )


def test_money_follows_a_corrected_fee_and_the_local_day(store: Store) -> None:
    """A delivery of yesterday counts for the week alone; a corrected fee is the fee."""
    publish(store, BOOK)
    # A Monday and a Tuesday.
    first, second = later([delivered("e1"), delivered("e2", at_min=24 * 60)], LATER_US + DAY_US)
    post(store, [first, second, correction("c1", second, after_min=5, fee_fen=900)])

    found = card(store, START_US + 2 * DAY_US + HOUR_US)

    assert (found.money_today.orders, found.money_today.fees_fen) == (1, 900)
    assert (found.money_week.orders, found.money_week.fees_fen) == (2, 1_400)


def test_points_and_money_of_today_are_of_the_same_day(store: Store) -> None:
    """What is entered after the local day has begun about the day before is neither today's points nor its money."""
    publish(store, BOOK)
    rows = later([delivered("e1", late_min=3), delivered("e2", at_min=24 * 60, late_min=2)])

    post(store, rows, BOOK, START_US + DAY_US + HOUR_US)

    found = card(store, START_US + DAY_US + HOUR_US)
    assert [entry.line.event_id for entry in found.today] == ["e2", "e1"]
    assert (found.today_mp, found.earlier_mp) == (-1_000, -1_000)
    assert found.money_today.orders == 1


def test_today_is_told_in_both_languages(store: Store) -> None:
    """What moved since the local day began, a sentence each; yesterday is not today's."""
    publish(store, BOOK)
    post(store, later([delivered("e1", late_min=3)]))
    post(store, later([delivered("e2", at_min=24 * 60), delivered("e3", at_min=24 * 60 + 9, late_min=2)]))

    found = card(store, START_US + DAY_US + HOUR_US)

    assert [entry.line.event_id for entry in found.today] == ["e3", "e2"]
    assert found.today_mp == -800
    assert found.today[0].sentence.en.startswith("You delivered order order-e3 2 min late")
    assert "order-e3" in found.today[0].sentence.zh
    assert found.today[0].appeal.can
    assert not found.today[1].appeal.can
    assert any(line.en.startswith("Last") or "order-e3" in line.en for line in found.words)


@pytest.mark.parametrize("book_id", [BOOK, FADING, "jd-service-score", "meituan-anzhun"])
@pytest.mark.parametrize("late_min", [0, 3, 10])
def test_a_forecast_is_what_then_happens(store: Store, book_id: str, late_min: int) -> None:
    """The next order, posted for real, moves the score as was said; asking writes nothing."""
    publish(store, book_id)
    post(store, later(row for row in rider_week("r1", days=1) if "ref_event_id" not in row), book_id)
    now_us = START_US + 26 * HOUR_US
    settle(store, now_us, book_id)
    before = lines_of(store)
    with store.reading() as unit:
        told = forecast_of(unit, in_force.rules_in_force(unit, book_id), "r1", now_us, (late_min,))

    assert told is not None
    assert lines_of(store) == before
    next_order = delivered("next", late_min=late_min) | {"occurred_us": now_us, "delivered_us": now_us}
    due_us = now_us - late_min * MINUTE_US
    next_order |= {"promised_us": due_us, "assess_deadline_us": due_us}
    at_once = ("accepted_us", "arrived_store_us", "merchant_ready_us", "merchant_promised_ready_us", "picked_up_us")
    post(store, [next_order | dict.fromkeys(at_once, now_us)], book_id)
    own = [line for line in lines_of(store) if line["event_id"] == "next"]
    assert told[0].points_mp == sum(line["delta_mp"] for line in own)
    assert told[0].money_fen == sum(line["money_fen"] for line in own)
    assert told[0].score_after_mp == lines_of(store)[-1]["score_after_mp"]
    assert told[0].tier_id == card(store, now_us, book_id).tier.tier_id


def test_a_forecast_is_the_same_however_many_copies_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a rider who carries much one at a time is asked; in the order and as often as was asked."""
    publish(store, BOOK)
    post(store, later(row for row in rider_week("r1", days=1) if "ref_event_id" not in row))
    asked = (3, 0, 10, 3)

    def told() -> object:
        with store.reading() as unit:
            return forecast_of(unit, in_force.rules_in_force(unit, BOOK), "r1", START_US + 26 * HOUR_US, asked)

    whole = told()
    monkeypatch.setattr(forecast, "_COPIED_BYTES", 1)

    assert told() == whole
    assert isinstance(whole, tuple)
    assert tuple(one.late_min for one in whole) == asked


def test_a_forecast_settles_what_is_due(store: Store) -> None:
    """A deduction that fades before the next order is back by then, though the tick has not run."""
    publish(store, FADING)
    post(store, later([delivered("e1", late_min=10)]), FADING)
    with store.reading() as unit:
        law = in_force.rules_in_force(unit, FADING)
        (soon,) = forecast_of(unit, law, "r1", START_US + DAY_US, (0,)) or ()
        (then,) = forecast_of(unit, law, "r1", START_US + 31 * DAY_US, (0,)) or ()
        assert forecast_of(unit, law, "nobody", START_US) is None

    assert (soon.score_after_mp, then.score_after_mp) == (68_700, 70_200)
    assert (soon.points_mp, then.points_mp) == (200, 200)


def test_the_next_change_is_announced_with_its_difference(store: Store) -> None:
    """Its date, its title, and in words what will be different; after it took effect it is no announcement."""
    now = book(id="own", effective_from=dt.date(2026, 1, 1))
    rules = [*now.document["rule"]]
    rules[1] = rules[1] | {"points": -2}
    then = book(id="own", effective_from=dt.date(2026, 3, 1), announced=dt.date(2026, 2, 10), rule=rules)
    publish_books(store, [now, then])
    post(store, later([delivered("e1")]), "own")

    found = card(store, START_US, "own")

    assert found.announced is not None
    assert (found.announced.date, found.announced.digest) == (dt.date(2026, 3, 1), then.digest)
    assert [change.en for change in found.announced.changes] == ["late_5: −1 → −2 points"]
    assert not found.announced.notice_waived
    assert card(store, found.announced.from_us, "own").announced is None


def test_a_card_says_which_book_judges_the_next_order(store: Store) -> None:
    """From the day on which another book judges the place, until the rider's next order has moved the card to it."""
    one, two = (
        book(id=name, effective_from=dt.date(2026, 1, 1), title={"zh": name, "en": name}) for name in ("one", "two")
    )
    day = dt.date(2026, 1, 20)
    rows = [
        Deploy.model_validate(
            {
                "city": "hangzhou",
                "rider_kind": "crowdsourced",
                "book": name,
                "from": from_,
                "source": "t",
                "confidence": "ours",
            }
        )
        for name, from_ in (("one", dt.date(2026, 1, 1)), ("two", day))
    ]
    publish_books(store, [one, two])
    with store.writing(START_US) as unit:
        in_force.deploy(unit, rows)
    at_us = int(dt.datetime(2026, 1, 21, 12, tzinfo=dt.UTC).timestamp()) * 1_000_000

    def told(now_us: int) -> RiderCard:
        with store.reading() as unit:
            found = card_of(unit, in_force.rules_in_force(unit), "r1", now_us)
        assert found is not None
        return found

    def order(name: str, us: int) -> None:
        with store.writing(us) as unit:
            posting.post_events(
                unit, in_force.rules_in_force(unit), table_of([delivered(name, at_min=(us - NOON_US) / MINUTE_US)])
            )

    order("e1", at_us - 5 * DAY_US)
    before, between = told(at_us - 4 * DAY_US), told(at_us)
    order("e2", at_us)
    after = told(at_us + 1)

    assert [found.judged_next is None for found in (before, between, after)] == [True, False, True]
    assert [found.book.book_id for found in (before, between, after)] == ["one", "one", "two"]
    assert before.good_until_us <= at_us
    assert between.judged_next is not None
    assert "“two”" in between.judged_next.en
    assert between.words[0] == between.judged_next


def test_every_change_to_come_is_announced_against_the_one_before(store: Store) -> None:
    """Two versions to come: two dates, and each says what is different from the version before it."""
    now = book(id="own", effective_from=dt.date(2026, 1, 1))

    def later_version(month: int, points: int) -> Book:
        rules = [*now.document["rule"]]
        rules[1] = rules[1] | {"points": points}
        day = dt.date(2026, month, 1)
        return book(id="own", effective_from=day, announced=day - dt.timedelta(days=20), rule=rules)

    publish_books(store, [now, later_version(3, -2), later_version(4, -1), later_version(5, -3)])
    post(store, later([delivered("e1")]), "own")

    found = card(store, START_US, "own").announcements

    assert [change.date.month for change in found] == [3, 4, 5]
    assert [change.changes[0].en for change in found] == [
        "late_5: −1 → −2 points", "late_5: −2 → −1 points", "late_5: −1 → −3 points",
    ]  # fmt: skip


def test_a_card_holds_every_decision_on_appeals_and_reviews(store: Store) -> None:
    """Answered and open, newest first, with who decided, when and in which words."""
    publish(store, FADING)
    post(store, later([delivered(f"e{k}", at_min=20 * k, late_min=10) for k in range(8)]), FADING)
    with store.reading() as unit:
        deductions = list(unit.connection.scalars(select(entries.c.entry_id).where(entries.c.kind == "deduct")))
    for k, entry in enumerate(deductions[:7]):
        with store.writing(START_US + (k + 1) * MINUTE_US) as unit:
            law = in_force.rules_in_force(unit, FADING)
            filed, _ = appeals.file_appeal(unit, "r1", entry, "not_late", f"words {k}", None, "rider:r1")
            if k != 3:
                appeals.decide_appeal(unit, law, filed.appeal_id, False, "record_confirmed", f"answer {k}", "ops:li")

    found = card(store, START_US + HOUR_US, FADING)

    decided = [appeal.decision for appeal in found.all_appeals if appeal.decision]
    assert [decision.reason for decision in decided] == [f"answer {k}" for k in (6, 5, 4, 2, 1, 0)]
    assert [appeal.reason for appeal in found.appeals] == ["words 3"]


def key_of(store: Store, rider_id: str = "r1") -> Any:
    """What a kept card is compared by."""
    with store.reading() as unit:
        row = row_of(unit, rider_id)
        assert row is not None
        return card_key(CardRow(*(getattr(row, name) for name in CARD_COLUMNS)), rules_version(unit))


def test_a_card_is_the_same_while_its_key_and_time_are(store: Store) -> None:
    """Whatever is written for a rider changes the key; what only time changes ends `good_until_us`."""
    publish(store, FADING)
    post(store, later([delivered("e1", late_min=10)]), FADING)
    now_us = START_US + MINUTE_US
    kept, key = card(store, now_us, FADING), key_of(store)

    assert replace(card(store, kept.good_until_us - 1, FADING), as_of_us=now_us, forecast=kept.forecast) == kept
    keys = [key]
    entry = kept.today[0].line.entry_id
    with store.writing(now_us) as unit:
        filed, _ = appeals.file_appeal(unit, "r1", entry, "not_late", "on time", None, "rider:r1")
    keys.append(key_of(store))
    with store.writing(now_us) as unit:
        law = in_force.rules_in_force(unit, FADING)
        appeals.decide_appeal(unit, law, filed.appeal_id, False, "record_confirmed", "checked", "ops:a")
    keys.append(key_of(store))
    publish(store, BOOK)
    keys.append(key_of(store))
    post(store, later([delivered("e2", at_min=9)]), FADING)
    keys.append(key_of(store))
    assert len(set(keys)) == len(keys)


def test_open_appeals_stand_on_the_card_until_answered(store: Store) -> None:
    """With their deadline; the card's entry says that it was appealed."""
    publish(store, BOOK)
    post(store, later([delivered("e1", late_min=10)]))
    entry = card(store, START_US).today[0].line.entry_id
    with store.writing(START_US) as unit:
        filed, _ = appeals.file_appeal(unit, "r1", entry, "not_late", "on time", None, "rider:r1")

    found = card(store, START_US + 1)
    assert found.appeals == (filed,)
    assert found.good_until_us <= filed.deadline_us
    assert found.today[0].appeal.appeal == filed
    with store.writing(filed.deadline_us) as unit:
        appeals.settle_appeals(unit, in_force.rules_in_force(unit, BOOK), filed.deadline_us)
    assert card(store, filed.deadline_us).appeals == ()


def test_who_has_no_event_has_no_card(store: Store) -> None:
    """Nor has a rider whose only event was refused."""
    publish(store, BOOK)
    post(store, later([event("correction", "c1", ref_event_id="none")]))

    with store.reading() as unit:
        law = in_force.rules_in_force(unit, BOOK)
        assert card_of(unit, law, "r1", START_US) is None
        assert card_of(unit, law, "nobody", START_US) is None


def test_a_suspension_stands_first_on_the_card(store: Store) -> None:
    """Since when, why and by whom."""
    publish(store, "meituan-anzhun")
    rows = [delivered(f"e{k}", at_min=k, late_min=60) for k in range(3)]
    post(store, later(rows), "meituan-anzhun")
    with store.reading() as unit:
        (found,) = reviews.REVIEWS.of_rider(unit, "r1")
    with store.writing(START_US + HOUR_US) as unit:
        from_us = START_US + 15 * DAY_US
        reviews.decide_review(unit, found.review_id, "suspend", "three very late", "ops:li.na", from_us)

    told = card(store, START_US + 2 * HOUR_US, "meituan-anzhun")

    assert told.suspension is not None
    assert told.suspension.state == "announced"
    assert "three very late" in told.words[0].en
    assert not told.is_review_open
