"""Edges worked by hand, each where a wrong reading would be easy; the oracle and the product must both find them."""

import datetime as dt
from decimal import Decimal

import pytest

from tests.builders import DAY_US, HOUR_US, NOON_US, appeal_upheld, book, correction, delivered, event, rule
from tests.scoring.readings import Read

# 04:00 in Shanghai on Monday 15 December 2025.
MONDAY_US = NOON_US + 5 * DAY_US - 8 * HOUR_US


def test_of_several_exempting_causes_the_first_party_answers(read: Read) -> None:
    """Merchant stands before force majeure, whatever the order of the reports."""
    exempting = book(report=[{"kind": "accident", "exempt": True}, {"kind": "merchant_closed", "exempt": True}])

    found = read([delivered(late_min=9, reports="accident;merchant_closed")], exempting)

    assert found.parties == {"e1": "merchant"}


@pytest.mark.parametrize("by", ["rider", "merchant", "customer", "platform", None])
def test_who_cancelled_answers_for_it(read: Read, by: str | None) -> None:
    """And where nobody says who it was, nobody does."""
    parties = ["rider", "merchant", "customer", "platform", "nobody"]
    cancelling = book(rule=[rule(party, "cancelled", points=1, when={"liable": party}) for party in parties])

    found = read([event("cancelled", party=by)], cancelling)

    assert found.parties == {"e1": by or "nobody"}
    assert [row[1] for row in found.rows] == [by or "nobody"]


@pytest.mark.parametrize(("kind", "capped_mp"), [("crowdsourced", 1_400), ("dedicated", 1_700), (None, 1_700)])
def test_the_limit_of_an_event_goes_by_the_kind_of_rider(read: Read, kind: str | None, capped_mp: int) -> None:
    """Three on-time orders are 0.6 to the crowdsourced and 0.3 to the dedicated; the lesser where nobody knows the kind."""
    limited = book(
        cost_limit={"on_time_orders": 3},
        rule=[
            rule("more", points=Decimal("0.2"), when={"late_min": {"up_to": 0}, "rider_kind": "crowdsourced"}),
            rule("less", points=Decimal("0.1"), when={"late_min": {"up_to": 0}}),
            rule("late", points=-2, when={"late_min": {"over": 0}}),
        ],
    )

    found = read([delivered(late_min=30, rider_kind=kind)], limited)

    assert found.rows[1:] == [("e1", "cost_limit", "cap", capped_mp, 0)]


@pytest.mark.parametrize(("restores_to", "rows"), [(70, []), (Decimal("69.999"), [("fading", "fade", 1)])])
def test_what_a_course_gives_back_does_not_fade_again(
    read: Read, restores_to: int | Decimal, rows: list[tuple[str, str, int]]
) -> None:
    """After 2 points lost and lifted nothing is left to fade; of a lift that is 0.001 short, 0.001."""
    trained = book(fading={"after_days": 3}, training={"restores_to": restores_to, "every_days": 3})

    found = read(
        [delivered(late_min=30), event("training_passed", "t1", at_min=10)], trained, as_of_us=NOON_US + 3 * DAY_US
    )

    assert [row[1:4] for row in found.rows[2:]] == rows
    assert found.score_mp == 70_000


def test_of_several_causes_the_one_that_gave_back_most_answers(read: Read) -> None:
    """3 minutes for weather and 6 for a transfer make up for 9: the platform answers."""
    events = [
        delivered("e1", late_min=9, order_id="o"),
        event("deadline_extended", "x1", at_min=-9, order_id="o", cause="weather", extend_s=180),
        event("deadline_extended", "x2", at_min=-8, order_id="o", cause="transfer", extend_s=360),
    ]

    assert read(events).parties == {"e1": "platform"}


def test_a_rider_who_joins_tomorrow_has_0_days(read: Read) -> None:
    """Tenure is never negative: a rule for the first day holds."""
    first_day = book(rule=[rule("first", points=1, when={"tenure_days": {"up_to": 0}})])

    found = read([delivered(rider_joined_us=NOON_US + DAY_US)], first_day)

    assert found.score_mp == 71_000


@pytest.mark.parametrize(("joined_us", "rules"), [(None, []), (NOON_US, ["first"])])
def test_an_unknown_fact_meets_no_condition(read: Read, joined_us: int | None, rules: list[str]) -> None:
    """A rider whose joining is unknown is not on the first day, nor on any other."""
    first_day = book(rule=[rule("first", points=1, when={"tenure_days": {"from": 0}})])

    found = read([delivered(rider_joined_us=joined_us)], first_day)

    assert [row[1] for row in found.rows] == rules


def test_bad_weather_reported_for_an_order_counts_for_its_review(read: Read) -> None:
    """The level of a severe-weather report is a fact of every event of that order."""
    storm = book(rule=[rule("storm", "bad_review", points=-1, when={"weather_level": {"from": 3}})])
    events = [
        event("severe_weather", "w1", order_id="o1", level=4),
        event("bad_review", "e1", at_min=30, order_id="o1"),
        event("bad_review", "e2", at_min=31, order_id="o2"),
    ]

    assert [row[0] for row in read(events, storm).rows] == ["e1"]


@pytest.mark.parametrize(("level", "score_mp"), [(0, 68_000), (1, 69_000), (2, 69_000), (3, 70_200), (5, 70_200)])
def test_weather_does_what_its_level_says(read: Read, level: int, score_mp: int) -> None:
    """Nine minutes late: from level 1 on 5 minutes come back, from level 3 on the order is exempt."""
    weather = book(
        report=[
            {"kind": "severe_weather", "level_from": 3, "exempt": True},
            {"kind": "severe_weather", "level_from": 1, "gives_back_min": 5},
        ]
    )

    assert read([delivered(late_min=9, reports="severe_weather", level=level)], weather).score_mp == score_mp


def test_what_could_not_be_delivered_for_a_verified_cause_is_not_the_riders(read: Read) -> None:
    """Undelivered because the customer could not be reached: the rule that takes points does not hold."""
    strict = book(
        rule=[rule("undelivered", "undelivered", points=-3)], report=[{"kind": "customer_unreachable", "exempt": True}]
    )
    events = [
        event("undelivered", "e1", order_id="o1"),
        event("undelivered", "e2", order_id="o2", at_min=1),
        event("customer_unreachable", "x1", order_id="o2", at_min=-5),
    ]

    assert [row[0] for row in read(events, strict).rows] == ["e1"]


@pytest.mark.parametrize(("minute", "points_mp"), [(29, 1_000), (30, 0)])
def test_the_end_of_a_time_of_day_is_outside(read: Read, minute: int, points_mp: int) -> None:
    """A rule up to 12:30 holds at 12:29 and no longer at 12:30."""
    noon = book(rule=[rule("noon", points=1, when={"time_of_day": {"from": dt.time(12), "below": dt.time(12, 30)}})])

    assert read([delivered(at_min=minute)], noon).score_mp == 70_000 + points_mp


@pytest.mark.parametrize(("days", "score_mp"), [(29, 68_000), (31, 66_000)])
def test_an_order_is_remembered_for_30_days(read: Read, days: int, score_mp: int) -> None:
    """A bad review on the 29th day shares the order's cap, on the 31st it does not."""
    capped = book(
        rule=[rule("late", points=-2), rule("review", "bad_review", points=-2)],
        cap=[{"id": "per_order", "scope": "order", "max_deduct": 2}],
    )
    events = [delivered("e1", late_min=9, order_id="o"), event("bad_review", "e2", at_min=days * 1_440, order_id="o")]

    assert read(events, capped).score_mp == score_mp


def test_a_lower_cap_of_a_new_version_gives_back_no_more_than_the_event_took(read: Read) -> None:
    """5 points went before the cap of 2 was in force; the next event of the order costs nothing, and gives nothing."""
    rules = [rule("late", points=-5), rule("review", "bad_review", points=-1)]
    old = book(rule=rules)
    cap = [{"id": "per_order", "scope": "order", "max_deduct": 2}]
    new = book(effective_from=dt.date(2025, 12, 11), rule=rules, cap=cap)
    events = [delivered("e1", late_min=9, order_id="o"), event("bad_review", "e2", at_min=1_440, order_id="o")]

    found = read(events, old, new)

    assert [row[1:4] for row in found.rows] == [
        ("late", "deduct", -5_000),
        ("review", "deduct", -1_000),
        ("per_order", "cap", 1_000),
    ]


def test_what_is_due_comes_before_an_event_of_the_same_instant(read: Read) -> None:
    """A fade due at noon is written before the order delivered at noon."""
    fading = book(fading={"after_days": 1})

    found = read([delivered("late", late_min=9), delivered("next", at_min=1_440)], fading)

    assert [row[:2] for row in found.rows] == [("late", "late_more"), ("late", "fading"), ("next", "on_time")]


@pytest.mark.parametrize("days_before", [5, 4])
def test_a_reset_drops_the_fades_that_are_due_with_it_or_later(read: Read, days_before: int) -> None:
    """After a change from fading to weekly resets, Monday's reset makes good what was still to fade."""
    old = book(fading={"after_days": 5})
    new = book(effective_from=dt.date(2025, 12, 12), reset={"every": "week"})
    late_us = MONDAY_US - days_before * DAY_US
    late = delivered("late", occurred_us=late_us, delivered_us=late_us, assess_deadline_us=late_us - 600_000_000)
    nothing = event("accepted", "a1", occurred_us=MONDAY_US - 2 * DAY_US)

    found = read([late, nothing], old, new, as_of_us=MONDAY_US + 9 * DAY_US)

    assert [row[:4] for row in found.rows] == [
        ("late", "late_more", "deduct", -2_000),
        ("reset:2025-12-15", "reset", "reset", 2_000),
    ]


def test_an_upheld_appeal_gives_the_fine_back(read: Read) -> None:
    """Under the legacy fine the money comes back, to the fen."""
    fine = [rule("late", fee_share=Decimal("-0.4"), when={"late_min": {"over": 0}})]
    late = delivered("e1", late_min=9, fee_fen=333)

    found = read([late, appeal_upheld("a1", late)], book(lateness="gross", regime="legacy", rule=fine))

    assert [row[2:] for row in found.rows] == [("deduct", 0, -133), ("reverse", 0, 133), ("reenter", 0, 0)]


def test_a_correction_of_a_correction_means_the_first_event(read: Read) -> None:
    """The second correction, naming the first, replaces the original's facts once more."""
    late = delivered("e1", late_min=9)
    first = correction("c1", late, assess_deadline_us=late["occurred_us"])
    second = correction(
        "c2", late, after_min=90, ref_event_id="c1", assess_deadline_us=late["occurred_us"] - 60_000_000
    )

    found = read([late, first, second])

    assert [row[:3] for row in found.rows[1:]] == [
        ("e1", "late_more", "reverse"),
        ("e1", "on_time", "reenter"),
        ("e1", "on_time", "reverse"),
        ("e1", "late_5", "reenter"),
    ]
    assert found.score_mp == 69_000


def test_a_corrected_wait_moves_the_other_orders_too(read: Read) -> None:
    """Once the slow kitchen is known, the order that was in the same bag is re-entered as well."""
    plain = delivered("slow", at_min=0)
    us = plain["occurred_us"]
    bag = delivered("bag", at_min=5, late_min=8)
    known = correction("c1", plain, merchant_ready_us=us - 1_200_000_000, picked_up_us=us - 1_200_000_000)

    found = read([plain, bag, known])

    assert found.given_back_s["bag"] == 480
    assert found.score_mp == 70_400
    assert ("bag", "late_more", "reverse", 2_000, 0) in found.rows


def test_a_month_begins_with_its_first_local_day(read: Read) -> None:
    """The third bad review of a month costs; at 03:59 on the first it is still the old month, at 04:00 the new one."""
    third = book(rule=[rule("third", "bad_review", points=-1, when={"nth_in_month": {"from": 3}})])
    january_us = NOON_US + 22 * DAY_US - 8 * HOUR_US
    moments = (january_us - 3, january_us - 2, january_us - 1, january_us, january_us + 1)
    events = [event("bad_review", f"e{n}", occurred_us=us) for n, us in enumerate(moments)]

    assert [row[0] for row in read(events, third).rows] == ["e2"]


def test_a_correction_that_names_no_delivery_time_means_the_events_own(read: Read) -> None:
    """The correction's own time is not taken for the time of delivery."""
    late = delivered("e1", late_min=9)
    vague = correction("c1", late, delivered_us=None, assess_deadline_us=late["occurred_us"] - 60_000_000)

    found = read([late, vague])

    assert found.rows[-1][:3] == ("e1", "late_5", "reenter")
    assert found.score_mp == 69_000


def test_local_days_follow_daylight_saving(read: Read) -> None:
    """In Berlin the day that begins on 25 October 2025 at 04:00 has 25 hours."""
    berlin = book(
        effective_from=dt.date(2025, 10, 1),
        time_zone="Europe/Berlin",
        cap=[{"id": "per_day", "scope": "day", "max_deduct": 2}],
    )
    start = int(dt.datetime(2025, 10, 25, 2, tzinfo=dt.UTC).timestamp()) * 1_000_000
    moments = (start, start + 25 * 3_600_000_000 - 1, start + 25 * 3_600_000_000)
    events = [
        delivered(f"e{n}", late_min=9, occurred_us=us, delivered_us=us, assess_deadline_us=us - 540_000_000)
        for n, us in enumerate(moments)
    ]

    found = read(events, berlin)

    assert [row[1] for row in found.rows] == ["late_more", "late_more", "per_day", "late_more"]


def test_a_condition_on_the_time_of_day_reads_the_clock_on_the_wall(read: Read) -> None:
    """At 03:30 after the clocks went back in Berlin, a rule for 03:00 to 04:00 holds."""
    night = [rule("night", points=1, when={"time_of_day": {"from": dt.time(3), "below": dt.time(4)}})]
    berlin = book(effective_from=dt.date(2025, 10, 1), time_zone="Europe/Berlin", rule=night)
    us = int(dt.datetime(2025, 10, 26, 2, 30, tzinfo=dt.UTC).timestamp()) * 1_000_000

    found = read([delivered(occurred_us=us), delivered("e2", occurred_us=us - 3_600_000_000)], berlin)

    assert [row[0] for row in found.rows] == ["e1"]
