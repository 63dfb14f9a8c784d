"""Late orders of which not every time is known: one reading for each combination, the README's table."""

from itertools import product
from typing import Any

import pytest

from rules.book import Book
from scoring.explain import sentence, tree
from tests.builders import MINUTE_US, book, delivered, rule
from tests.oracle_facts import liability
from tests.scoring.explanations import explained, texts

# Minutes before the delivery, which is 20 minutes late; the wait from each start to each end is a number of its own.
PLACED, ACCEPTED, ARRIVED, READY, PICKED = 40, 35, 30, 17, 13
STARTS = {"arrived": ARRIVED, "accepted": ACCEPTED, "placed": PLACED, "none": None}
ENDS = {"ready": READY, "picked": PICKED, "none": None}
PROMISES = {"later": 20, "earlier": 45, "none": None}
SINCE = {
    "accepted": "arrival not reported: counted from acceptance",
    "placed": "arrival and acceptance not reported: counted from when the order was placed",
    "promised": "arrival not reported: counted from the time that the merchant promised",
}


def paying(unknown_kitchen: str = "assess", **keys: Any) -> Book:
    """0.2 on time, −1 late; what waits give back counts."""
    rules = [
        rule("on_time", points=1, when={"late_min": {"up_to": 0}}),
        rule("late", points=-2, when={"late_min": {"over": 0}}),
    ]
    return book(id="known", rule=rules, unknown_kitchen=unknown_kitchen, **keys)


def order(start: str, end: str, promise: str = "none", **columns: Any) -> dict[str, Any]:
    """A delivery 20 minutes late of which only some times are known."""
    made = delivered(late_min=20)
    names = list(STARTS)
    # A start is the first that is known: later ones may be, too.
    minutes = {
        "arrived_store_us": ARRIVED if start == "arrived" else None,
        "accepted_us": ACCEPTED if names.index(start) <= 1 else None,
        "placed_us": PLACED if names.index(start) <= 2 else None,
        "merchant_ready_us": READY if end == "ready" else None,
        "picked_up_us": PICKED if end != "none" else None,
        "merchant_promised_ready_us": PROMISES[promise],
    }
    at_us = made["occurred_us"]
    known = {name: None if before is None else at_us - before * MINUTE_US for name, before in minutes.items()}
    return made | known | columns


def expected_min(start: str, end: str, promise: str) -> int:
    """Minutes given back: from the start, or the promise where it is later, to the end."""
    begun, over, promised = STARTS[start], ENDS[end], PROMISES[promise]
    if begun is None or over is None:
        return 0
    if promised is not None:
        begun = min(begun, promised)
    return min(20, max(0, begun - over))


@pytest.mark.parametrize("unknown_kitchen", ["assess", "exempt"])
@pytest.mark.parametrize(("start", "end", "promise"), list(product(STARTS, ENDS, PROMISES)))
def test_each_combination_of_missing_times_has_one_reading(
    start: str, end: str, promise: str, unknown_kitchen: str
) -> None:
    """Time given back, who is liable, points, and what the tree says of each row of the table; the oracle agrees."""
    judge, event = paying(unknown_kitchen), order(start, end, promise)
    given_min = expected_min(start, end, promise)

    (why,) = explained([judge], [event])
    lines = list(texts(tree(why, "en")))
    found = liability(judge.model, event, [event])

    is_exempt = unknown_kitchen == "exempt" and end == "none"
    party = "nobody" if is_exempt else "rider" if given_min < 20 else "merchant"
    assert (why.line.late_s, why.line.time_given_back_s) == (20 * 60, given_min * 60)
    assert (why.line.liable_party, why.line.delta_mp) == (party, -2000 if party == "rider" else 1000)
    assert (found.late_s, found.time_given_back_s, found.party, found.exempt) == (
        1200,
        given_min * 60,
        party,
        is_exempt,
    )
    assert any("measured" in line for line in lines) == (given_min > 0 and start == "arrived")
    noted = "promised" if promise == "later" and start != "arrived" else start
    for since, words in SINCE.items():
        assert any(words in line for line in lines) == (given_min > 0 and noted == since)
    assert any("counted to the pick-up" in line for line in lines) == (given_min > 0 and end == "picked")
    assert any("what the kitchen did is not known" in line for line in lines) == (end == "none")
    assert any("takes nothing off" in line for line in lines) == is_exempt


def test_without_a_deadline_nothing_is_late() -> None:
    """Whatever else is missing."""
    event = order("none", "none", promised_us=None, assess_deadline_us=None)

    (why,) = explained([paying("exempt")], [event])

    assert (why.line.late_s, why.line.liable_party, why.line.delta_mp) == (0, "nobody", 1000)


def test_a_report_or_an_extension_still_counts_of_an_unknown_kitchen() -> None:
    """What is known gives back as ever; who gave back a part is named, and the rest is exempt."""
    extension = {"kind": "deadline_extended", "cause": "weather", "extend_s": 300}
    event = order("arrived", "none")
    later = delivered("e2") | extension | {"order_id": event["order_id"], "occurred_us": event["occurred_us"] - 1}

    lines = {
        kitchen: next(why.line for why in explained([paying(kitchen)], [event, later]) if why.line.event_id == "e1")
        for kitchen in ("assess", "exempt")
    }

    assert [(line.time_given_back_s, line.liable_party, line.delta_mp) for line in lines.values()] == [
        (300, "rider", -2000),
        (300, "force_majeure", 1000),
    ]


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en", "so nobody can say whether the kitchen was slow: it counts as on time"),
        ("zh", "无从得知是否商家出餐慢，按准时算"),
    ],
)
def test_an_exempt_order_of_an_unknown_kitchen_is_not_called_anybodys_doing(lang: Any, words: str) -> None:
    """The sentence says what is not known, with the events at hand and without."""
    for with_inputs in (True, False):
        (why,) = explained([paying("exempt")], [order("arrived", "none")], with_inputs=with_inputs)
        assert words in sentence(why, lang)
