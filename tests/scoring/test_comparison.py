"""Two books over the same deliveries: sums by hand, the hidden fine, who moves, and the spread of income."""

import random
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from rules.book import Book
from rules.compile import compile_books
from rules.shelf import versions
from scoring.columns import EVENT_SCHEMA
from scoring.comparison import Comparison, compare, movement, tier_moves
from scoring.distribution import distribution, exact_sum, gini
from scoring.ledger import entries_table
from scoring.prepare import schedule_versions
from scoring.score import ScoredRun, score
from simulations.sample_city import generate
from simulations.sample_parameters import Conduct, SampleCity
from tests.builders import appeal_upheld, book, correction, delivered, rule, slow_merchant

FINES = [rule("fine", fee_share=Decimal("-0.5"), when={"late_min": {"over": 0}})]


def _fine_book(**keys: Any) -> Book:
    """Half the fee off for any lateness, whoever caused it."""
    tier = [{"id": "all", "title": {"zh": "全", "en": "All"}}]
    return book(**({"id": "fine", "regime": "legacy", "lateness": "gross", "rule": FINES, "tier": tier} | keys))


def _scored(rows: list[dict[str, Any]], *books: Book) -> list[ScoredRun]:
    table = pa.Table.from_pylist(rows, schema=EVENT_SCHEMA)
    programs = [compile_books([one]) for one in books]
    return [score(program, schedule_versions(program, [0]), table) for program in programs]


def _compared(rows: list[dict[str, Any]], a: Book, b: Book) -> Comparison:
    return compare(*_scored(rows, a, b))


# r1 on time; r2 late by 4 minutes of their own; r3 late by 10 minutes, all of them the merchant's. 5 yuan an order.
WORLD = [
    delivered("e1", rider_id="r1"),
    delivered("e2", rider_id="r2", late_min=4),
    slow_merchant("e3", rider_id="r3", late_min=10, wait_min=12),
]


def test_sums_of_a_tiny_world() -> None:
    """Two of three orders are fined, one of them although the merchant was slow; the score deducts one point once."""
    found = _compared(WORLD, _fine_book(), book())

    assert found.num_delivered == 3
    assert found.totals["fees_fen"] == (1_500, 1_500)
    assert found.totals["fines_fen"] == (500, 0)
    assert found.totals["fines_not_liable_fen"] == (250, 0)
    assert found.totals["income_fen"] == (1_000, 1_500)
    assert found.totals["points_awarded_mp"] == (0, 400)
    assert found.totals["points_deducted_mp"] == (0, 1_000)
    assert found.totals["late_s"] == (840, 840)
    assert found.totals["exempted_late_s"] == (600, 600)
    assert found.totals["num_exempt"] == (1, 1)


def test_each_rider_stands_with_both_books_and_the_difference() -> None:
    """Income, score and tier of each rider under A and B, and B − A."""
    riders = _compared(WORLD, _fine_book(), book()).riders

    assert riders.column("rider_id").to_pylist() == ["r1", "r2", "r3"]
    assert riders.column("income_fen_a").to_pylist() == [500, 250, 250]
    assert riders.column("income_fen_diff").to_pylist() == [0, 250, 250]
    assert riders.column("score_mp_b").to_pylist() == [70_200, 69_000, 70_200]
    assert riders.column("tier_a").to_pylist() == ["all"] * 3
    assert riders.column("tier_b").to_pylist() == ["standard"] * 3
    assert riders.column("moved_tier").to_pylist() == [True] * 3


def test_who_gains_and_who_loses() -> None:
    """Riders with more, less and the same, and what they gain and lose in sum."""
    found = _compared(WORLD, _fine_book(), book())

    assert found.income_moves == movement(np.array([0, 250, 250]))
    assert (found.income_moves.num_gain, found.income_moves.num_same, found.income_moves.gain) == (2, 1, 500)
    assert (found.score_moves.num_gain, found.score_moves.num_lose) == (2, 1)
    assert (found.score_moves.gain, found.score_moves.lose) == (400, 1_000)


def test_a_hidden_fine_shows_in_the_band() -> None:
    """A book that takes a bonus away below a score shows less income per order in that band than in the other."""
    many = [delivered(f"a{k}", rider_id="good", at_min=60 * k) for k in range(40)]
    many += [delivered(f"b{k}", rider_id="slow", at_min=60 * k, late_min=2) for k in range(40)]

    found = _compared(many, _fine_book(rule=[rule("none", points=0)]), book())
    low, gold = found.bands

    assert (low.tier, gold.tier) == ("standard", "gold")
    assert (low.num_riders, low.num_delivered, low.income_a_fen, low.income_b_fen) == (1, 40, 20_000, 20_000)
    # 70 → above 75 after 26 orders at 0.2; the 14 orders after that earn 0.50 yuan each.
    assert (gold.income_a_fen, gold.income_b_fen, gold.bonus_b_fen) == (20_000, 20_700, 700)


def test_bands_add_up_to_the_whole() -> None:
    """Riders, deliveries and money of all bands are those of the comparison."""
    found = _compared(WORLD, _fine_book(), book())

    assert sum(band.num_riders for band in found.bands) == 3
    assert sum(band.num_delivered for band in found.bands) == found.num_delivered
    assert sum(band.income_a_fen for band in found.bands) == found.totals["income_fen"][0]
    assert sum(band.income_b_fen for band in found.bands) == found.totals["income_fen"][1]


def test_bands_are_those_of_the_book_that_has_tiers() -> None:
    """Whichever side it stands on."""
    assert _compared(WORLD, _fine_book(), book()).band_book == "b"
    assert _compared(WORLD, book(), _fine_book()).band_book == "a"


def test_the_same_book_twice_differs_in_nothing() -> None:
    """No difference, nobody moves, all riders on the diagonal."""
    found = _compared(WORLD, book(), book())

    assert all(a == b for a, b in found.totals.values())
    assert (found.income_moves.num_same, found.score_moves.num_same) == (3, 3)
    assert found.tiers == {("standard", "standard"): 3}
    assert found.riders.column("moved_tier").to_pylist() == [False] * 3


def test_a_fine_that_is_reversed_does_not_count() -> None:
    """After an upheld appeal and after a correction nothing of the fine is left in any sum."""
    late = delivered("e1", rider_id="r1", late_min=10)
    wrong = delivered("e2", rider_id="r2", late_min=10)
    right = correction("c1", wrong, delivered_us=wrong["delivered_us"] - 10 * 60_000_000)

    found = _compared([late, appeal_upheld("a1", late), wrong, right], _fine_book(), book())

    assert found.totals["fines_fen"] == (0, 0)
    assert found.totals["fines_not_liable_fen"] == (0, 0)
    assert found.totals["late_s"] == (600, 600)


def test_sums_are_those_of_the_two_ledgers_read_line_by_line() -> None:
    """For a city with corrections and appeals, a slow reading of both ledgers gives the same fines and bonuses."""
    city = replace(SampleCity(num_riders=25, num_days=5), conduct=Conduct(appealed=900_000, corrected=20_000))
    table = generate(city, 5)
    books = [versions("legacy-fine"), versions("taobao-crowdsourced")]
    programs = [compile_books(own) for own in books]
    a, b = (score(program, schedule_versions(program, [0]), table) for program in programs)

    found = compare(a, b)
    lines_a, lines_b = (entries_table(one, 0).to_pylist() for one in (a, b))
    judging = ("award", "deduct", "reenter")
    party_b = {line["event_id"]: line["liable_party"] for line in lines_b if line["kind"] in judging}
    fine_of = dict.fromkeys(party_b, 0)
    party_a = {}
    for line in lines_a:
        fine_of[line["event_id"]] -= line["money_fen"]
        if line["kind"] in judging:
            party_a[line["event_id"]] = line["liable_party"]
    innocent = [
        fine for event_id, fine in fine_of.items()
        if fine and not party_a[event_id] == party_b[event_id] == "rider"
    ]  # fmt: skip

    assert any(line["kind"] == "reverse" for line in lines_a)
    assert found.totals["fines_fen"] == (sum(fine_of.values()), 0)
    assert found.totals["fines_not_liable_fen"] == (sum(innocent), 0)
    assert 0 < sum(innocent) < sum(fine_of.values())
    assert found.totals["bonus_fen"] == (0, sum(line["money_fen"] for line in lines_b))
    assert found.totals["score_mp"][1] == sum(
        70_000 + sum(line["delta_mp"] for line in lines_b if line["rider_id"] == rider)
        for rider in found.riders.column("rider_id").to_pylist()
    )


def test_results_over_different_rows_are_refused() -> None:
    """Two results that did not score the same rows cannot be compared."""
    (first,), (second,) = _scored(WORLD, book()), _scored(WORLD[:2], book())

    with pytest.raises(ValueError, match="same rows"):
        compare(first, second)


def test_moves_between_tiers() -> None:
    """Up, down and unchanged follow the order of B's tiers; a tier that B does not have cannot be compared."""
    tiers = {("standard", "gold"): 3, ("gold", "standard"): 2, ("gold", "gold"): 5, ("all", "gold"): 7}

    moves = tier_moves(tiers, [book()])

    assert (moves.num_up, moves.num_down, moves.num_same, moves.num_not_comparable) == (3, 2, 5, 7)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([5, 5, 5, 5], Fraction(0)),
        ([0, 0, 0, 8], Fraction(3, 4)),
        ([1, 2, 3, 4], Fraction(1, 4)),
        ([3, 1], Fraction(1, 4)),
        ([7], Fraction(0)),
    ],
)
def test_gini_of_known_lists(values: list[int], expected: Fraction) -> None:
    """Equal 0, one of four has all 3/4, one to four 1/4."""
    assert gini(np.array(values)) == expected


@pytest.mark.parametrize("values", [[], [0, 0], [-1, 4]])
def test_gini_without_meaning_is_none(values: list[int]) -> None:
    """Nobody, nothing to share, or a negative income."""
    assert gini(np.array(values, np.int64)) is None
    assert distribution(np.array(values, np.int64)).gini_permille is None


def test_gini_is_the_mean_difference_of_all_pairs() -> None:
    """The fast formula equals the definition on random lists longer than a block."""
    luck = random.Random(3)
    values = [luck.randrange(1_000) for _ in range(500)]

    pairs = sum(abs(x - y) for x in values for y in values)

    assert gini(np.array(values)) == Fraction(pairs, 2 * len(values) * sum(values))


def test_large_sums_do_not_overflow() -> None:
    """Ten thousand incomes of 10¹² add up exactly, and their Gini is 0: the sum of ranks alone would not fit int64."""
    values = np.full(10_000, 10**12)

    assert exact_sum(values) == 10**16
    assert gini(values) == 0


def test_quantiles_are_nearest_ranks() -> None:
    """Of 1 … 10 the median is 5, the tenth 1, the ninetieth 9, the mean 5.5 rounded to even."""
    found = distribution(np.arange(10, 0, -1))

    assert (found.num, found.total, found.mean, found.median, found.p10, found.p90) == (10, 55, 6, 5, 1, 9)
