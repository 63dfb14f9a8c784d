"""The worked examples of the domain, by hand, through the shipped books."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.shelf import shipped, versions
from tests.builders import DAY_US, NOON_US, correction, delivered, event, slow_merchant
from tests.oracle_history import outcomes
from tests.scoring.readings import READINGS, Reading, engine, ledger, standings
from tests.strategies import histories, last_us

TAOBAO = "taobao-crowdsourced"


def read(book_id: str, events: list[dict[str, Any]], as_of_us: int | None = None) -> Reading:
    """The product's reading of one rider's events under a shipped book; the oracle must say the same."""
    as_of_us = last_us(events) if as_of_us is None else as_of_us
    books = versions(book_id)
    found = READINGS["product"](books, events, as_of_us)["r1"]
    assert found == READINGS["oracle"](books, events, as_of_us)["r1"]
    return found


def on_time_orders(num_orders: int) -> list[dict[str, Any]]:
    """So many deliveries on time, one every half hour."""
    return [delivered(f"ok{n:03}", at_min=30 * n) for n in range(num_orders)]


def test_taobao_on_time_lifts_70() -> None:
    """70 → on time → 70.2."""
    found = read(TAOBAO, [delivered()])

    assert found.rows == [("e1", "on_time", "award", 200, 0)]
    assert found.score_mp == 70_200


def test_taobao_4_minutes_late_costs_1() -> None:
    """70 → 4 minutes late by the rider's own doing → 69."""
    found = read(TAOBAO, [delivered(late_min=4)])

    assert found.score_mp == 69_000
    assert found.parties == {"e1": "rider"}


def test_taobao_30_minutes_late_costs_2() -> None:
    """70 → 30 minutes late → 68."""
    assert read(TAOBAO, [delivered(late_min=30)]).score_mp == 68_000


def test_taobao_never_takes_more_than_2_an_order() -> None:
    """An order 30 minutes late that was delivered a second time, late again, costs 2: the second time is rejected."""
    found = read(
        TAOBAO, [delivered("e1", late_min=30, order_id="o"), delivered("e2", at_min=9, late_min=30, order_id="o")]
    )

    assert found.score_mp == 68_000
    assert found.parties == {"e1": "rider"}


def test_taobao_a_slow_merchant_clears_all_three_in_the_bag() -> None:
    """A merchant 12 minutes slow, two more orders in the bag, all three late: none is deducted."""
    events = [
        slow_merchant("slow", wait_min=12, late_min=12),
        delivered("second", at_min=5, late_min=11),
        delivered("third", at_min=9, late_min=12),
    ]

    found = read(TAOBAO, events)

    assert [row[2] for row in found.rows] == ["award", "award", "award"]
    assert set(found.parties.values()) == {"merchant"}
    assert found.score_mp == 70_600


def test_the_legacy_fine_takes_money_for_the_same_three() -> None:
    """The fine that the score replaced took 50 % of each of the three fees, whoever was slow."""
    events = [
        slow_merchant("slow", wait_min=12, late_min=12),
        delivered("second", at_min=5, late_min=11),
        delivered("third", at_min=9, late_min=12),
    ]

    found = read("legacy-fine", events)

    assert [row[4] for row in found.rows] == [-250, -250, -250]
    assert found.score_mp == 70_000


@pytest.mark.parametrize(
    ("late_min", "fine_fen"), [(0, 0), (1, -133), (6, -133), (6.5, -166), (12, -166), (18, -199), (19, -233)]
)
def test_legacy_bands_of_a_fee_round_down(late_min: float, fine_fen: int) -> None:
    """40, 50, 60, 70 % of 3.33 yuan, rounded down to whole fen."""
    found = read("legacy-fine", [delivered(late_min=late_min, fee_fen=333)])

    assert sum(row[4] for row in found.rows) == fine_fen


def test_taobao_75_1_earns_the_reward() -> None:
    """26 orders on time bring 70 to 75.2; the reward begins with the first order that finds more than 75."""
    found = read(TAOBAO, on_time_orders(27))

    assert found.score_mp == 75_400
    assert [row[:2] for row in found.rows if row[4]] == [("ok026", "tier:reward")]
    assert found.tier == "reward"


def test_taobao_exactly_75_earns_nothing_yet() -> None:
    """25 orders on time bring exactly 75: above means above."""
    found = read(TAOBAO, on_time_orders(26))

    assert sum(row[4] for row in found.rows) == 0
    assert found.rows[24][3] == 200
    assert found.score_mp == 75_200


@pytest.mark.parametrize("report", ["merchant_slow", "customer_unreachable", "address_changed", "access_blocked"])
def test_taobao_a_verified_report_exempts(report: str) -> None:
    """Each of the published reports makes a late order cost nothing, and it earns the award."""
    found = read(TAOBAO, [delivered(late_min=30, reports=report)])

    assert found.score_mp == 70_200
    assert found.parties["e1"] in {"merchant", "customer", "force_majeure"}


def test_meituan_late_by_band() -> None:
    """12 → 4 minutes late −3, 12 minutes late −5, on time +0.1."""
    events = [delivered("e1", late_min=4), delivered("e2", at_min=60, late_min=12), delivered("e3", at_min=120)]

    assert read("meituan-anzhun", events).score_mp == 12_000 - 3_000 - 5_000 + 100


def test_meituan_asks_a_person_at_zero() -> None:
    """Two orders 30 minutes late empty the card: a review is recommended, once, and a course restores it."""
    events = [
        delivered("e1", late_min=30),
        delivered("e2", at_min=60, late_min=30),
        delivered("e3", at_min=120, late_min=30),
        event("training_passed", "t1", at_min=200),
    ]

    found = read("meituan-anzhun", events)

    assert [row[:2] for row in found.rows if row[2] == "review"] == [("e2", "tier:course")]
    assert found.score_mp == 12_000
    assert not found.review_required


def test_reference_book_slides_without_a_cliff() -> None:
    """9 and 10 minutes late differ by a tenth of a point, for a rider past the first orders and days."""
    old_hand = {"rider_joined_us": NOON_US - 400 * DAY_US}
    many = [delivered(f"ok{n:03}", at_min=n, **old_hand) for n in range(60)]
    base = read("gbt-46862-reference", many).score_mp

    nine = read("gbt-46862-reference", [*many, delivered("x", at_min=100, late_min=9, **old_hand)])
    ten = read("gbt-46862-reference", [*many, delivered("x", at_min=100, late_min=10, **old_hand)])

    assert (nine.score_mp - base, ten.score_mp - base) == (-1_400, -1_500)


def test_reference_book_spares_newcomers() -> None:
    """30 minutes late cost nothing on the 30th day after joining and 2 points on the 31st."""
    on_day = [delivered(late_min=30, rider_joined_us=NOON_US - days * DAY_US) for days in (29, 30)]

    spared, charged = (read("gbt-46862-reference", [one]).score_mp for one in on_day)

    assert (spared, charged) == (70_000, 68_000)


def test_a_correction_brings_back_what_a_wrong_clock_took() -> None:
    """Late by the wrong clock, on time by the right one: −2, then +2 and +0.2, each a line of its own."""
    late = delivered("e1", late_min=30)
    fixed = correction("c1", late, assess_deadline_us=late["occurred_us"])

    found = read(TAOBAO, [late, fixed])

    assert [row[1:4] for row in found.rows] == [
        ("late_over_5", "deduct", -2_000),
        ("late_over_5", "reverse", 2_000),
        ("on_time", "reenter", 200),
    ]
    assert found.score_mp == 70_200


@pytest.mark.parametrize("book_id", shipped())
@settings(max_examples=settings().max_examples // 3)
@given(events=histories(), days=st.integers(0, 40))
def test_shipped_books_read_as_the_oracle_reads_them(book_id: str, events: list[dict[str, Any]], days: int) -> None:
    """Under every shipped book the product's entries are the oracle's, in order."""
    as_of_us = last_us(events) + days * DAY_US
    expected = outcomes([book.model for book in versions(book_id)], events, as_of_us)

    scored = engine(versions(book_id)).run(events, as_of_us=as_of_us)

    found, ends = ledger(scored), standings(scored)
    for rider, outcome in expected.items():
        assert [line.line for line in found[rider]] == outcome.lines
        assert ends[rider]["score_mp"] == outcome.score_mp
