"""The examples inside rule books run through the real scoring."""

import datetime as dt
from decimal import Decimal

import pytest

from rules.book import Book
from rules.shelf import shipped, versions
from scoring.examples import check_examples, example_outcomes
from tests.builders import book, rule

SHIPPED = [one for book_id in shipped() for one in versions(book_id)]


def with_example(given: dict[str, object], expect: dict[str, object], **keys: object) -> Book:
    """A tiny book whose rule for lateness of up to 5 minutes has one example."""
    late = rule("late_5", points=-1, when={"late_min": {"over": 0, "up_to": 5}})
    late["example"] = [{"title": "the case", "given": given, "expect": expect}]
    return book(rule=[rule("on_time", points=Decimal("0.2"), when={"late_min": {"up_to": 0}}), late], **keys)


@pytest.mark.parametrize("shipped_book", SHIPPED, ids=lambda one: f"{one.id}@{one.model.effective_from}")
def test_every_example_of_a_shipped_book_comes_true(shipped_book: Book) -> None:
    """What a shipped book promises in its examples is what scoring gives."""
    assert len(example_outcomes(shipped_book)) >= len(shipped_book.model.rule)
    assert check_examples(shipped_book) == ()


@pytest.mark.parametrize(
    ("given", "expect", "key", "said", "is_so"),
    [
        ({"late_min": 4}, {"points": -2}, "points", "-2", "-1"),
        ({"late_min": 4}, {"net_points": Decimal("-0.5")}, "net_points", "-0.5", "-1"),
        ({"late_min": 4}, {"money_fen": -100}, "money_fen", "-100", "0"),
        ({"late_min": 6}, {"points": -1}, "fires", "true", "false"),
        ({"late_min": 4}, {"fires": False}, "fires", "false", "true"),
    ],
)
def test_an_example_that_fails_says_what_it_says_and_what_is_so(
    given: dict[str, object], expect: dict[str, object], key: str, said: str, is_so: str
) -> None:
    """The fault names rule, key, the value written and the value that scoring gives."""
    (fault,) = check_examples(with_example(given, expect))

    assert (fault.code, fault.rule, fault.key) == ("example_fails", "late_5", f"example.expect.{key}")
    assert (fault.given, fault.allowed) == (said, is_so)
    assert "the case" in fault.describe("en")
    assert "the case" in fault.describe("zh")


def test_a_title_in_two_languages_is_told_in_one() -> None:
    """Who reads Chinese is told the Chinese part, who reads English the English one."""
    both = {"title": "晚 4 分钟 four minutes late", "given": {"late_min": 4}, "expect": {"points": 1}}
    [fault] = check_examples(book(rule=[rule("late_5", when={"late_min": {"over": 0}}, points=-1, example=[both])]))

    assert "晚 4 分钟" in fault.describe("zh")
    assert "four minutes late" not in fault.describe("zh")
    assert "four minutes late" in fault.describe("en")
    assert "晚" not in fault.describe("en")


def test_all_failures_of_an_example_are_reported() -> None:
    """Points, net points and money that are all wrong are three faults."""
    faults = check_examples(with_example({"late_min": 4}, {"points": 1, "net_points": 1, "money_fen": 1}))

    assert [fault.key.rpartition(".")[2] for fault in faults] == ["points", "net_points", "money_fen"]


def test_the_score_of_an_example_bears_on_its_net_points() -> None:
    """A rider at 0.4 points can lose no more than that."""
    example = with_example({"late_min": 4, "score": Decimal("0.4")}, {"points": -1, "net_points": Decimal("-0.4")})

    assert check_examples(example) == ()


@pytest.mark.parametrize(
    ("condition", "given"),
    [
        ({"tenure_days": {"up_to": 12}}, {"tenure_days": 12}),
        ({"tenure_days": {"from": 365}}, {}),
        ({"num_delivered": {"below": 3}}, {"num_delivered": 2}),
        ({"weather_level": {"from": 3, "up_to": 3}}, {"weather_level": 3}),
        ({"distance_km": {"over": 5}}, {"distance_km": Decimal("5.001")}),
        ({"time_of_day": {"from": dt.time(11), "below": dt.time(13)}}, {}),
        ({"time_of_day": {"from": dt.time(2), "below": dt.time(3)}}, {"time_of_day": dt.time(2, 30)}),
        ({"nth_in_month": {"from": 4, "up_to": 4}}, {"nth_in_month": 4}),
        ({"rider_kind": "dedicated"}, {"rider_kind": "dedicated"}),
    ],
)
def test_every_fact_that_can_be_given_is_realised(condition: dict[str, object], given: dict[str, object]) -> None:
    """Each fact of an example reaches the rule as it was given; what is not given is ordinary."""
    met = rule("met", points=1, when=condition)
    met["example"] = [{"given": given, "expect": {"points": 1}}]

    assert check_examples(book(rule=[met])) == ()


def test_a_cancelled_order_is_the_fault_of_the_party_given() -> None:
    """`party` decides who answers for a cancellation."""
    cancelled = rule("cancelled", "cancelled", points=-1, when={"party": "rider"})
    cancelled["example"] = [
        {"given": {"party": "rider"}, "expect": {"points": -1, "net_points": -1}},
        {"given": {"party": "merchant"}, "expect": {"fires": False}},
    ]

    assert check_examples(book(rule=[cancelled])) == ()


def test_a_fine_takes_its_share_of_the_fee_given() -> None:
    """40 % of a fee of 6.00 yuan is 2.40 yuan."""
    fine = rule("fine", fee_share=Decimal("-0.4"), when={"late_min": {"over": 0}})
    fine["example"] = [{"given": {"late_min": 3, "fee_fen": 600}, "expect": {"money_fen": -240}}]

    assert check_examples(book(rule=[fine], lateness="gross", regime="legacy")) == ()


def test_a_book_without_examples_has_no_failures() -> None:
    """Nothing to run is nothing to report."""
    assert check_examples(book()) == ()
