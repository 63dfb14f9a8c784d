"""Where one microsecond or one second decides: waits at one counter, order windows, what a window takes along."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest

from rules.book import Book
from tests.builders import DAY_US, MINUTE_US, NOON_US, book, delivered, event, rule, slow_merchant
from tests.scoring.readings import READINGS, Reading, engine, ledger

Read = Callable[..., Reading]
SECOND_MIN = 1 / 60
US_MIN = 1 / MINUTE_US
ORDER_DAYS = 30
CAPPED = book(
    rule=[rule("late", points=-2), rule("review", "bad_review", points=-2)],
    cap=[{"id": "per_order", "scope": "order", "max_deduct": 2}],
)
EXEMPTING = book(report=[{"kind": "merchant_slow", "exempt": True}])


@pytest.fixture(params=list(READINGS))
def read(request: pytest.FixtureRequest) -> Read:
    """Reads a one-rider world by the oracle and by the product."""

    def reading(events: Sequence[dict[str, Any]], *books: Book) -> Reading:
        newest = max(one["occurred_us"] for one in events)
        return READINGS[request.param](books or (book(),), events, newest)["r1"]

    return reading


def rows_in_turn(made: Book, *parts: Sequence[dict[str, Any]], as_of_us: int) -> list[list[tuple[str, str, str, int]]]:
    """(event, rule, kind, points) that each of two runs writes for r1, the first of which ends at `as_of_us`."""
    runner = engine([made])
    first = runner.run(parts[0], as_of_us=as_of_us)
    second = runner.run(parts[1], first.carried)
    return [[line.row[:4] for line in ledger(scored)["r1"]] for scored in (first, second)]


def test_two_late_orders_at_one_slow_counter(read: Read) -> None:
    """Each gains its own 6 minutes and the 2 minutes of the other's wait that are not its own; no second twice.

    a waits from −16 to −10, b from −14 to −8, both are in the bag all the time: 8 minutes each of 10, so 2 remain.
    """
    events = [
        slow_merchant("a", wait_min=6, at_min=0, late_min=10),
        slow_merchant("b", wait_min=6, at_min=2, late_min=10),
    ]

    found = read(events)

    assert found.given_back_s == {"a": 8 * 60, "b": 8 * 60}
    assert [row[:4] for row in found.rows] == [("a", "late_5", "deduct", -1_000), ("b", "late_5", "deduct", -1_000)]


def test_waits_are_shared_whatever_order_they_began_in(read: Read) -> None:
    """Four late orders in one bag, three of which waited 5, 3 and 2 minutes, the last delivered first: 10 minutes each."""
    waits_min = {"a": (-15, -10), "b": (-22, -19), "c": (-30, -28), "d": (-20, -20)}
    events = [
        delivered(name, at_min=at, late_min=20)
        | {
            "arrived_store_us": NOON_US + first * MINUTE_US,
            "merchant_promised_ready_us": NOON_US + first * MINUTE_US,
            "merchant_ready_us": NOON_US + last * MINUTE_US,
            "picked_up_us": NOON_US + last * MINUTE_US,
        }
        for at, (name, (first, last)) in enumerate(waits_min.items())
    ]

    assert read(events).given_back_s == dict.fromkeys("abcd", 10 * 60)


@pytest.mark.parametrize("reading", list(READINGS))
def test_each_of_three_riders_is_judged_by_their_own_kitchen(reading: str) -> None:
    """Ten minutes late each, and 2, 3 and 4 of them waited for food: nobody's wait is another's, none is left out."""
    waits_min = {"r1": 2, "r2": 3, "r3": 4}
    events = [
        slow_merchant(f"e-{rider}", wait_min=wait, late_min=10, rider_id=rider) for rider, wait in waits_min.items()
    ]

    readings = READINGS[reading]((book(),), events, NOON_US)

    assert [readings[rider].given_back_s for rider in waits_min] == [
        {f"e-{rider}": wait * 60} for rider, wait in waits_min.items()
    ]


def test_a_wait_of_part_of_a_second_gives_back_a_whole_one(read: Read) -> None:
    """0.4 s of waiting are rounded up, for the rider: of 301 s late 300 remain, which is the lighter band."""
    found = read([slow_merchant(wait_min=0.4 * SECOND_MIN, late_min=301 * SECOND_MIN)])

    assert found.given_back_s == {"e1": 1}
    assert found.rows == [("e1", "late_5", "deduct", -1_000, 0)]


def test_parts_of_seconds_add_up_before_they_are_rounded(read: Read) -> None:
    """Two waits of 0.4 s in one bag are 0.8 s: one second, not two."""
    first = slow_merchant("a", wait_min=0.4 * SECOND_MIN, at_min=0)
    bag = slow_merchant("b", wait_min=0.4 * SECOND_MIN, at_min=5, late_min=302 * SECOND_MIN)

    found = read([first, bag])

    assert found.given_back_s["b"] == 1
    assert found.rows[-1] == ("b", "late_more", "deduct", -2_000, 0)


@pytest.mark.parametrize(("beyond_us", "score_mp"), [(-1, 68_000), (0, 68_000), (1, 66_000)])
def test_an_order_is_remembered_for_30_days_to_the_microsecond(read: Read, beyond_us: int, score_mp: int) -> None:
    """What comes exactly 30 days after still shares the order's cap; a microsecond later it does not."""
    at_min = ORDER_DAYS * 1_440 + beyond_us * US_MIN
    events = [delivered("e1", late_min=9, order_id="o"), event("bad_review", "e2", at_min=at_min, order_id="o")]

    assert read(events, CAPPED).score_mp == score_mp


@pytest.mark.parametrize(("beyond_us", "rules"), [(0, ["review", "per_order"]), (1, ["review"])])
def test_a_carried_order_is_remembered_as_long(beyond_us: int, rules: list[str]) -> None:
    """A review that comes with the next run, as late as can be, shares the cap of an order 30 days before, to the µs."""
    order = delivered("e1", late_min=9, order_id="o")
    review = event("bad_review", "e2", at_min=ORDER_DAYS * 1_440 + beyond_us * US_MIN, order_id="o")

    _, written = rows_in_turn(CAPPED, [order], [review], as_of_us=NOON_US + ORDER_DAYS * DAY_US + 7 * DAY_US)

    assert [row[1] for row in written] == rules


@pytest.mark.parametrize("apart_us", [0, 1])
def test_a_window_takes_the_oldest_report_along_that_bears_on_it(apart_us: int) -> None:
    """An order at the start of the window with a report `late_days` before it reads the same in the next run.

    A microsecond further apart the report bears on it in neither run.
    """
    report = event("merchant_slow", "report", at_min=-7 * 1_440 - apart_us * US_MIN, order_id="o")
    order = delivered("e1", late_min=9, order_id="o")
    later = delivered("e2", at_min=60)

    first, second = rows_in_turn(EXEMPTING, [report, order], [later], as_of_us=NOON_US + 7 * DAY_US)

    assert [row[:3] for row in first] == [("e1", *(("late_more", "deduct") if apart_us else ("on_time", "award")))]
    assert second == [("e2", "on_time", "award", 200)]


def test_a_window_takes_orders_along_that_were_in_the_bag(read: Read) -> None:
    """An order before the window whose wait ended a second after one inside was accepted still gives it that second."""
    inside = delivered("b", late_min=301 * SECOND_MIN)
    ready_us = inside["accepted_us"] + 1_000_000
    before = slow_merchant("a", wait_min=5, at_min=-US_MIN) | {
        "accepted_us": ready_us - 20 * MINUTE_US, "arrived_store_us": ready_us - 5 * MINUTE_US, "placed_us": None,
        "merchant_promised_ready_us": ready_us - 5 * MINUTE_US, "merchant_ready_us": ready_us, "picked_up_us": ready_us,
    }  # fmt: skip
    later = delivered("c", at_min=60)

    first, second = rows_in_turn(book(), [before, inside], [later], as_of_us=NOON_US + 7 * DAY_US)

    assert first[-1] == ("b", "late_5", "deduct", -1_000)
    assert read([before, inside]).given_back_s["b"] == 1
    assert second == [("c", "on_time", "award", 200)]


@pytest.mark.parametrize(("least", "is_paid"), [(70, True), ("70.001", False)])
def test_a_tier_begins_with_its_least_score(read: Read, least: int | str, is_paid: bool) -> None:
    """Whoever has exactly as much stands in it: the bonus of an order at 70, be it 1 fen, is that of the tier from 70 on."""
    title = {"zh": "级", "en": "Tier"}
    tiers = [
        {"id": "normal", "title": title},
        {"id": "reward", "title": title, "from": Decimal(least), "bonus_fen": 1},
    ]

    found = read([delivered()], book(tier=tiers))

    assert (("e1", "tier:reward", "award", 0, 1) in found.rows) is is_paid


def test_more_carried_fades_than_a_block_of_entries_has_room_for() -> None:
    """A rider of 1 100 small deductions who rides no more gets each back: what is due is counted before it is written."""
    fading = book(
        rule=[rule("late", points=Decimal("-0.05"), when={"late_min": {"over": 0}})], fading={"after_days": 30}
    )
    late = [delivered(f"e{n:04}", at_min=n, late_min=9) for n in range(1_100)]

    _, written = rows_in_turn(
        fading, late, [event("reassigned_system", "last", at_min=40 * 1_440)], as_of_us=NOON_US + 20 * DAY_US
    )

    assert [row[1:] for row in written] == [("fading", "fade", 50)] * 1_100


def test_what_falls_due_has_no_lateness() -> None:
    """Neither a reset nor a fade repeats the facts of the order before it, nor moves money."""
    late = delivered(late_min=30)
    due = [
        line
        for made in (book(reset={"every": "week"}), book(fading={"after_days": 3}))
        for line in ledger(engine([made]).run([late], as_of_us=NOON_US + 6 * DAY_US))["r1"]
        if line.kind != "deduct"
    ]

    assert [(line.kind, line.late_s, line.time_given_back_s, line.liable_party, line.money_fen) for line in due] == [
        ("reset", 0, 0, "nobody", 0),
        ("fade", 0, 0, "nobody", 0),
    ]
