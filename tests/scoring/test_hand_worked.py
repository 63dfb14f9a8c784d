"""Cases worked by hand in a tiny world; the oracle and the product must both find them.

The tiny book: base 70; on time +0.2; up to 5 minutes late −1; later −2; above 75 an extra 0.50 an order.
"""

import datetime as dt
from decimal import Decimal

import pytest

from tests.builders import (
    DAY_US,
    NOON_US,
    appeal_upheld,
    book,
    correction,
    delivered,
    event,
    rule,
    slow_merchant,
)
from tests.scoring.readings import Read


def test_on_time_earns_the_award(read: Read) -> None:
    """A delivery on time lifts 70 by the award."""
    found = read([delivered(late_min=0)])

    assert found.rows == [("e1", "on_time", "award", 200, 0)]
    assert found.score_mp == 70_200


@pytest.mark.parametrize(
    ("late_s", "rule_id", "delta_mp"),
    [
        (-60, "on_time", 200),
        (0.9, "on_time", 200),
        (1, "late_5", -1_000),
        (240, "late_5", -1_000),
        (300, "late_5", -1_000),
        (300.9, "late_5", -1_000),
        (301, "late_more", -2_000),
        (1_800, "late_more", -2_000),
        (86_400, "late_more", -2_000),
    ],
)
def test_lateness_falls_into_its_band(read: Read, late_s: float, rule_id: str, delta_mp: int) -> None:
    """4 minutes late cost 1 point and 30 minutes 2, never more; part seconds do not count, a band includes its end."""
    found = read([delivered(late_min=late_s / 60)])

    assert [row[1] for row in found.rows] == [rule_id]
    assert found.score_mp == 70_000 + delta_mp


def test_slow_merchant_clears_the_whole_bag(read: Read) -> None:
    """A merchant 12 minutes slow with two more orders in the bag: none of the three is deducted."""
    events = [
        slow_merchant("slow", wait_min=12, at_min=0, late_min=10),
        delivered("before", at_min=4, late_min=10),
        delivered("after", at_min=8, late_min=12),
    ]

    found = read(events)

    assert {row[1] for row in found.rows} == {"on_time"}
    assert found.given_back_s == {"slow": 600, "before": 600, "after": 720}
    assert found.parties == {"slow": "merchant", "before": "merchant", "after": "merchant"}
    assert found.score_mp == 70_600


def test_only_the_riders_share_of_lateness_counts(read: Read) -> None:
    """Of 16 minutes late, 12 were the merchant's: the rider answers for 4."""
    found = read([slow_merchant(wait_min=12, late_min=16)])

    assert found.rows == [("e1", "late_5", "deduct", -1_000, 0)]
    assert found.parties == {"e1": "rider"}


def test_each_second_of_waiting_counts_once(read: Read) -> None:
    """Two orders wait at one counter at the same time; a third in the bag gains that stretch once."""
    events = [
        slow_merchant("a", wait_min=6, at_min=0),
        slow_merchant("b", wait_min=6, at_min=2),
        delivered("bag", at_min=5, late_min=10),
    ]

    found = read(events)

    assert found.given_back_s["bag"] == 8 * 60
    assert ("bag", "late_5", "deduct", -1_000, 0) in found.rows


def test_a_wait_before_the_order_was_accepted_gives_nothing(read: Read) -> None:
    """An order accepted after the wait had ended gains nothing from it."""
    events = [
        slow_merchant("slow", wait_min=12, at_min=0),
        delivered("later", at_min=60, late_min=4),
    ]

    found = read(events)

    assert found.given_back_s == {"slow": 0, "later": 0}
    assert found.score_mp == 70_000 + 200 - 1_000


def test_a_reward_begins_above_75(read: Read) -> None:
    """At exactly 75 there is no reward, at 75.1 there is; the score before the order decides."""
    at_75 = book(score={"base": 75, "floor": 0, "ceiling": 100})
    above = book(score={"base": Decimal("75.1"), "floor": 0, "ceiling": 100})

    first, second = read([delivered()], at_75), read([delivered()], above)

    assert [row[4] for row in first.rows] == [0]
    assert first.tier == "gold"
    assert second.rows == [("e1", "on_time", "award", 200, 0), ("e1", "tier:gold", "award", 0, 50)]


def test_a_deduction_fades(read: Read) -> None:
    """A deduction comes back three days after its event, as an entry of its own."""
    fading = book(fading={"after_days": 3})

    early = read([delivered(late_min=30)], fading, as_of_us=NOON_US + 3 * DAY_US - 1)
    late = read([delivered(late_min=30)], fading, as_of_us=NOON_US + 3 * DAY_US)

    assert early.score_mp == 68_000
    assert late.rows == [("e1", "late_more", "deduct", -2_000, 0), ("e1", "fading", "fade", 2_000, 0)]
    assert late.score_mp == 70_000


def test_only_what_was_really_lost_fades(read: Read) -> None:
    """At the floor a deduction of 2 cost half a point, so half a point comes back."""
    fading = book(fading={"after_days": 1}, score={"base": 70, "floor": Decimal("69.5"), "ceiling": 100})

    found = read([delivered(late_min=30)], fading, as_of_us=NOON_US + DAY_US)

    assert [row[1:4] for row in found.rows] == [
        ("late_more", "deduct", -2_000),
        ("floor", "clamp", 1_500),
        ("fading", "fade", 500),
    ]


def test_a_fade_stops_at_the_ceiling(read: Read) -> None:
    """What a fade would give beyond the ceiling is taken by a clamp entry."""
    narrow = book(fading={"after_days": 1}, score={"base": 70, "floor": 0, "ceiling": 70})
    events = [delivered("late", late_min=4), *[delivered(f"ok{n}", at_min=n + 1) for n in range(3)]]

    found = read(events, narrow, as_of_us=NOON_US + DAY_US)

    assert found.rows[-2:] == [("late", "fading", "fade", 1_000, 0), ("late", "ceiling", "clamp", -600, 0)]
    assert found.score_mp == 70_000


def test_a_new_week_resets_the_score(read: Read) -> None:
    """On Monday at 04:00 local time the score is the base again, once, and the next order counts from there."""
    weekly = book(reset={"every": "week"})
    monday_4h = NOON_US + 5 * DAY_US - 8 * 3_600_000_000
    events = [delivered("e1", late_min=30), delivered("e2", at_min=8 * 1_440)]

    before = read(events[:1], weekly, as_of_us=monday_4h - 1)
    found = read(events, weekly)

    assert before.score_mp == 68_000
    assert found.rows[1] == ("reset:2025-12-15", "reset", "reset", 2_000, 0)
    assert found.score_mp == 70_200


def test_newcomers_lose_nothing(read: Read) -> None:
    """The first two orders cost nothing, the third does."""
    kind = book(newcomer={"first_orders": 2, "first_days": 0})

    found = read([delivered(f"e{n}", at_min=60 * n, late_min=30) for n in (1, 2, 3)], kind)

    assert [row[1] for row in found.rows] == ["late_more", "newcomer", "late_more", "newcomer", "late_more"]
    assert found.score_mp == 68_000


def test_newcomer_days_count_local_days(read: Read) -> None:
    """Joined yesterday at 23:00, the first two days protect today at noon and no longer tomorrow."""
    kind = book(newcomer={"first_orders": 0, "first_days": 2})
    joined = {"rider_joined_us": NOON_US - 13 * 3_600_000_000}
    events = [delivered("e1", late_min=30, **joined), delivered("e2", at_min=1_440, late_min=30, **joined)]

    found = read(events, kind)

    assert [row[:2] for row in found.rows] == [("e1", "late_more"), ("e1", "newcomer"), ("e2", "late_more")]


def test_one_event_costs_at_most_so_many_on_time_orders(read: Read) -> None:
    """With +0.2 an on-time order, a limit of 3 orders makes −2 a −0.6."""
    limited = book(cost_limit={"on_time_orders": 3})

    found = read([delivered(late_min=30)], limited)

    assert found.rows[1] == ("e1", "cost_limit", "cap", 1_400, 0)
    assert found.score_mp == 69_400


def test_an_order_cap_spans_the_events_of_an_order(read: Read) -> None:
    """A late order that also gets a bad review costs at most 2.5 in all; another order starts afresh."""
    raw_rules = [
        rule("late", points=-2, when={"late_min": {"over": 0}}),
        rule("review", "bad_review", points=-1),
    ]
    capped = book(rule=raw_rules, cap=[{"id": "per_order", "scope": "order", "max_deduct": Decimal("2.5")}])
    events = [
        delivered("e1", late_min=9, order_id="o1"),
        event("bad_review", "e2", at_min=30, order_id="o1"),
        event("bad_review", "e3", at_min=31, order_id="o1"),
        event("bad_review", "e4", at_min=32, order_id="o2"),
    ]

    found = read(events, capped)

    assert [row[:4] for row in found.rows] == [
        ("e1", "late", "deduct", -2_000),
        ("e2", "review", "deduct", -1_000),
        ("e2", "per_order", "cap", 500),
        ("e3", "review", "deduct", -1_000),
        ("e3", "per_order", "cap", 1_000),
        ("e4", "review", "deduct", -1_000),
    ]


def test_a_day_cap_ends_with_the_local_day(read: Read) -> None:
    """At most 3 points a day; the day ends at 04:00, not at midnight."""
    capped = book(cap=[{"id": "per_day", "scope": "day", "max_deduct": 3, "kinds": ["delivered"]}])
    events = [delivered(f"e{n}", at_min=minute, late_min=30) for n, minute in enumerate((0, 60, 15 * 60, 16 * 60))]

    found = read(events, capped)

    assert [row[:4] for row in found.rows] == [
        ("e0", "late_more", "deduct", -2_000),
        ("e1", "late_more", "deduct", -2_000),
        ("e1", "per_day", "cap", 1_000),
        ("e2", "late_more", "deduct", -2_000),
        ("e2", "per_day", "cap", 2_000),
        ("e3", "late_more", "deduct", -2_000),
    ]


def test_an_award_cap_takes_back_the_excess(read: Read) -> None:
    """At most 0.3 points may be won a day."""
    capped = book(cap=[{"id": "per_day", "scope": "day", "max_award": Decimal("0.3")}])

    found = read([delivered(f"e{n}", at_min=60 * n) for n in range(3)], capped)

    assert [row[3] for row in found.rows] == [200, 200, -100, 200, -200]


def test_a_group_of_all_stays_within_its_own_limits(read: Read) -> None:
    """Two rules of one group both hit; the group gives back what is beyond its limit, under the group's id."""
    both = [
        rule("late", points=-2, when={"late_min": {"over": 0}}),
        rule("far", points=-1, when={"late_min": {"over": 5}}),
    ]
    group = [{"id": "main", "hit": "all", "max_deduct": Decimal("2.5")}]

    found = read([delivered(late_min=9)], book(rule=both, group=group))

    assert [row[1:4] for row in found.rows] == [
        ("late", "deduct", -2_000),
        ("far", "deduct", -1_000),
        ("main", "cap", 500),
    ]


def test_the_scale_has_a_floor_and_a_ceiling(read: Read) -> None:
    """A score leaves the scale only for the moment before its clamp entry, which moves no money."""
    narrow = book(score={"base": 70, "floor": 69, "ceiling": Decimal("70.1")})

    found = read([delivered("e1"), delivered("e2", at_min=60, late_min=9)], narrow)

    assert [row[1:] for row in found.rows] == [
        ("on_time", "award", 200, 0),
        ("ceiling", "clamp", -100, 0),
        ("late_more", "deduct", -2_000, 0),
        ("floor", "clamp", 900, 0),
    ]


def test_a_passed_course_restores_at_most_so_often(read: Read) -> None:
    """A course lifts the score to 70 at once; a second one within three days does nothing."""
    trained = book(training={"restores_to": 70, "every_days": 3})
    events = [
        delivered("e1", late_min=30),
        event("training_passed", "t1", at_min=10),
        delivered("e2", at_min=20, late_min=30),
        event("training_passed", "t2", at_min=30),
        event("training_passed", "t3", at_min=10 + 3 * 1_440),
    ]

    found = read(events, trained)

    assert [row[:4] for row in found.rows if row[2] == "training"] == [
        ("t1", "training", "training", 2_000),
        ("t3", "training", "training", 2_000),
    ]


def test_a_person_is_asked_once_per_fall(read: Read) -> None:
    """Entering the lowest tier asks for a review once; leaving it and falling again asks anew."""
    tiers = [
        {"id": "low", "title": {"zh": "低", "en": "Low"}, "review": True},
        {"id": "fine", "title": {"zh": "好", "en": "Fine"}, "from": 70},
    ]
    quick = [
        rule("up", points=5, when={"late_min": {"up_to": 0}}),
        rule("down", points=-4, when={"late_min": {"over": 0}}),
    ]
    lates = (9, 9, 0, 0, 9, 9)

    found = read(
        [delivered(f"e{n}", at_min=60 * n, late_min=late) for n, late in enumerate(lates)],
        book(tier=tiers, rule=quick),
    )

    assert [row[:3] for row in found.rows if row[2] == "review"] == [
        ("e0", "tier:low", "review"),
        ("e4", "tier:low", "review"),
    ]
    assert found.review_required


def test_an_exempting_report_earns_the_award(read: Read) -> None:
    """A verified report that exempts makes a late order count as on time, and its cause answers."""
    exempting = book(report=[{"kind": "customer_unreachable", "exempt": True}])

    found = read([delivered(late_min=30, reports="customer_unreachable")], exempting)

    assert found.rows == [("e1", "on_time", "award", 200, 0)]
    assert found.parties == {"e1": "customer"}


def test_a_report_long_after_the_delivery_does_not_count(read: Read) -> None:
    """A report reaches a delivery at most `late_days` away: 7 days after it counts, a minute more does not."""
    exempting = book(report=[{"kind": "accident", "exempt": True}])
    late = delivered("e1", late_min=9, order_id="o1")
    week_min = 7 * 1_440

    near = read([late, event("accident", "x1", at_min=week_min, order_id="o1")], exempting)
    far = read([late, event("accident", "x1", at_min=week_min + 1, order_id="o1")], exempting)

    assert near.score_mp == 70_200
    assert far.score_mp == 68_000


def test_causes_add_up_and_claims_of_one_cause_do_not(read: Read) -> None:
    """6 minutes waited, 8 granted for the same kitchen and 3 for weather give back 11 of 15."""
    events = [
        slow_merchant("e1", wait_min=6, late_min=15, order_id="o1"),
        event("deadline_extended", "x1", at_min=-20, order_id="o1", cause="merchant_slow", extend_s=300),
        event("deadline_extended", "x2", at_min=-19, order_id="o1", cause="merchant_slow", extend_s=180),
        event("deadline_extended", "x3", at_min=-18, order_id="o1", cause="weather", extend_s=180),
    ]

    found = read(events)

    assert found.given_back_s["e1"] == 11 * 60
    assert found.score_mp == 69_000


def test_a_gross_book_ignores_whose_fault_it_was(read: Read) -> None:
    """The legacy way takes 40 % of the fee for a merchant's lateness; who answers is recorded all the same."""
    fine = [rule("late", fee_share=Decimal("-0.4"), when={"late_min": {"over": 0}})]
    legacy = book(lateness="gross", regime="legacy", rule=fine)

    found = read([slow_merchant(wait_min=12, late_min=10, fee_fen=333)], legacy)

    assert found.rows == [("e1", "late", "deduct", 0, -133)]
    assert found.parties == {"e1": "merchant"}


def test_a_slide_is_straight_between_its_corners(read: Read) -> None:
    """Between −1 at 0 minutes and −2 at 7 minutes, 100 seconds cost 1.238 (cut toward zero)."""
    corners = [{"late_min": 0, "points": -1}, {"late_min": 7, "points": -2}]
    sliding = book(rule=[rule("slide", points_slide=corners, when={"late_min": {"over": 0}})])

    found = read([delivered("e1", late_min=100 / 60), delivered("e2", at_min=60, late_min=30)], sliding)

    assert [row[3] for row in found.rows] == [-1_238, -2_000]


def test_a_new_version_with_another_base_moves_the_scale(read: Read) -> None:
    """Points earned are kept when the base goes from 70 to 80; the version starts at 04:00 of its day."""
    old = book()
    new = book(effective_from=dt.date(2025, 12, 11), score={"base": 80, "floor": 0, "ceiling": 100})
    hour_3, hour_4 = 15 * 60, 16 * 60
    events = [delivered("e1"), delivered("e2", at_min=hour_3), delivered("e3", at_min=hour_4)]

    found = read(events, old, new)

    assert [row[:4] for row in found.rows] == [
        ("e1", "on_time", "award", 200),
        ("e2", "on_time", "award", 200),
        ("reset:2025-12-11", "base", "reset", 10_000),
        ("e3", "on_time", "award", 200),
        ("e3", "tier:gold", "award", 0),
    ]
    assert found.score_mp == 80_600


def test_a_new_version_takes_effect_without_an_event(read: Read) -> None:
    """A rider who rides no more is taken to the new scale at 04:00 of its day, and not a moment before."""
    first = book()
    second = book(effective_from=dt.date(2025, 12, 12), score={"base": 80, "floor": 0, "ceiling": 100})
    start_us = NOON_US + DAY_US + 16 * 3_600_000_000

    before = read([delivered("e1", late_min=4)], first, second, as_of_us=start_us - 1)
    found = read([delivered("e1", late_min=4)], first, second, as_of_us=start_us)

    assert before.score_mp == 69_000
    assert found.rows[1:] == [("reset:2025-12-12", "base", "reset", 10_000, 0)]
    assert found.score_mp == 79_000


def test_a_new_versions_tiers_hold_from_its_instant(read: Read) -> None:
    """A version that raises the threshold asks for a review at once; one that lowers it again lifts it, without a line."""
    watched = [
        {"id": "low", "title": {"zh": "低", "en": "Low"}, "review": True},
        {"id": "standard", "title": {"zh": "普通", "en": "Standard"}, "from": 70},
    ]
    first = book()
    second = book(effective_from=dt.date(2025, 12, 12), tier=watched)
    third = book(effective_from=dt.date(2025, 12, 13))
    noon_us = NOON_US + DAY_US

    found = read([delivered("e1", late_min=4)], first, second, as_of_us=noon_us + DAY_US)
    lifted = read([delivered("e1", late_min=4)], first, second, third, as_of_us=noon_us + 2 * DAY_US)

    assert found.rows[1:] == [("reset:2025-12-12", "tier:low", "review", 0, 0)]
    assert found.review_required
    assert lifted.rows == found.rows
    assert not lifted.review_required


def test_a_correction_is_written_at_its_own_time(read: Read) -> None:
    """A deduction for a wrong time is reversed and entered again as an award, after what came in between."""
    late = delivered("e1", late_min=9)
    fixed = correction("c1", late, after_min=120, assess_deadline_us=late["occurred_us"])

    found = read([late, delivered("e2", at_min=60), fixed])

    assert found.rows == [
        ("e1", "late_more", "deduct", -2_000, 0),
        ("e2", "on_time", "award", 200, 0),
        ("e1", "late_more", "reverse", 2_000, 0),
        ("e1", "on_time", "reenter", 200, 0),
    ]
    assert found.score_mp == 70_400


def test_a_correction_moves_only_what_it_changes(read: Read) -> None:
    """Corrected before a day cap had bitten, the later order's cap entry changes and its deduction stays."""
    capped = book(cap=[{"id": "per_day", "scope": "day", "max_deduct": 3}])
    late = delivered("e1", late_min=9)
    fixed = correction("c1", late, after_min=120, assess_deadline_us=late["occurred_us"])

    found = read([late, delivered("e2", at_min=60, late_min=9), fixed], capped)

    assert [row[:4] for row in found.rows[:3]] == [
        ("e1", "late_more", "deduct", -2_000),
        ("e2", "late_more", "deduct", -2_000),
        ("e2", "per_day", "cap", 1_000),
    ]
    assert ("e2", "per_day", "reverse", -1_000, 0) in found.rows[3:]
    assert found.score_mp == 70_000 + 200 - 2_000


def test_an_upheld_appeal_takes_the_deduction_back(read: Read) -> None:
    """After an upheld appeal the rule still stands in the ledger, at 0 points, and nobody answers for it."""
    late = delivered("e1", late_min=9)

    found = read([late, appeal_upheld("a1", late)])

    assert found.rows == [
        ("e1", "late_more", "deduct", -2_000, 0),
        ("e1", "late_more", "reverse", 2_000, 0),
        ("e1", "late_more", "reenter", 0, 0),
    ]
    assert found.parties == {"e1": "nobody"}
    assert found.score_mp == 70_000


def test_an_upheld_appeal_against_misconduct_leaves_nothing(read: Read) -> None:
    """A bad review that was appealed costs nothing, and nothing of it fades later."""
    reviews = book(rule=[rule("review", "bad_review", points=-3)], fading={"after_days": 1})
    bad = event("bad_review", "e1")

    found = read([bad, appeal_upheld("a1", bad)], reviews, as_of_us=NOON_US + 2 * DAY_US)

    assert found.score_mp == 70_000
    assert not [row for row in found.rows if row[2] == "fade"]


def test_events_at_the_same_instant_stand_in_order_of_their_ids(read: Read) -> None:
    """Ties in time are broken by event id, whatever the order of arrival."""
    found = read([delivered("b", late_min=9), delivered("a")])

    assert [row[0] for row in found.rows] == ["a", "b"]
