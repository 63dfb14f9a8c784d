"""Responses and what they respond to: the price of a minute from any book, and one small function each."""

import numpy as np
import pytest

from rules.amend import amend
from rules.shelf import shipped as shipped_books
from rules.shelf import versions
from simulations.behaviour import decline_chance, extension_s, jump_chance, leave_chance, pressure, rush
from simulations.compiled_random import rank, state_of
from simulations.counter_random import MILLION, CounterRandom
from simulations.price import (
    LATE_MIN_S,
    PRICE,
    STEP_S,
    point_values,
    prices,
)
from simulations.scenario_files import read
from tests.simulations.cities import LEGACY, REFERENCE, SCORE, books

pytestmark = pytest.mark.slow

SCENARIO = read("ordinary-week")
USUAL = 4  # variant: crowdsourced, past a year, unprotected


def bin_at(late_s: int) -> int:
    return (late_s - LATE_MIN_S) // STEP_S


def test_a_known_lateness_costs_what_the_book_says() -> None:
    """The legacy table: 40 % up to 6 minutes, 50 up to 12, 60 up to 18, then 70."""
    table = prices(books(LEGACY)[0], SCENARIO.people, 0).table

    found = [round(float(table["known_share"][USUAL, bin_at(60 * minute)]), 3) for minute in (0, 1, 6, 7, 12, 18, 30)]

    assert found == [0, 0.4, 0.4, 0.5, 0.5, 0.6, 0.7]


def test_uncertainty_blurs_the_price() -> None:
    """Expected on time to the second, half of the first step is expected to be lost; far early and far late are certain."""
    table = prices(books(LEGACY)[0], SCENARIO.people, 0).table
    loss, slope = table["loss_share"][USUAL], table["slope_share"][USUAL]

    assert loss[bin_at(0)] == pytest.approx(0.2, abs=0.02)
    assert loss[bin_at(-3_000)] == pytest.approx(0, abs=1e-9)
    assert loss[bin_at(4_500)] == pytest.approx(0.7, abs=1e-9)
    assert slope.argmax() == pytest.approx(bin_at(0), abs=3)
    assert (slope >= 0).all()


def test_the_price_is_the_derivative_of_the_loss() -> None:
    """Summed over minutes, the price of a minute is the whole loss."""
    table = prices(books(LEGACY)[0], SCENARIO.people, 0).table

    total = table["slope_share"][USUAL, :: 60 // STEP_S].sum()

    assert total == pytest.approx(table["loss_share"][USUAL, -1] - table["loss_share"][USUAL, 0], abs=0.01)


@pytest.mark.parametrize("name", ["no fine", "no effects"])
def test_nothing_at_stake_costs_exactly_nothing(name: str) -> None:
    """A fine of zero, and points that affect nothing, price a minute at 0, not nearly 0."""
    book = books(name)[0]
    table, value = prices(book, SCENARIO.people, 0).table, point_values(book, SCENARIO.behaviour, np.array([70_000]))

    assert not any(table[name].any() for name in ("loss_share", "loss_fen", "slope_share"))
    assert not (table["loss_mp"] * value).any()


def test_prices_come_from_the_content_not_the_name() -> None:
    """The same rules under another id, title and date cost the same."""
    book = books(SCORE)[0]
    renamed = amend(book, {"id": "anything", "title": {"zh": "别的", "en": "Something"}})

    a, b = (prices(each, SCENARIO.people, 0).table for each in (book, renamed))

    assert book.digest != renamed.digest
    assert np.array_equal(a, b)


@pytest.mark.parametrize("name", shipped_books())
def test_every_shipped_book_has_a_finite_price(name: str) -> None:
    """Losses never fall with lateness, in any weather, under any shipped book."""
    for level in (0, 2):
        table = prices(versions(name)[0], SCENARIO.people, level).table
        assert all(np.isfinite(table[name]).all() for name in PRICE.names)
        assert (np.diff(table["loss_mp"], axis=-1) >= -1e-9).all()


def test_newcomers_under_protection_lose_only_the_award() -> None:
    """The reference book takes nothing from first-month riders for lateness: what is lost is the on-time award."""
    table = prices(books(REFERENCE)[0], SCENARIO.people, 0).table

    assert table["loss_mp"][1, -1] == pytest.approx(200, abs=1)
    assert table["loss_mp"][0, -1] > 2_000


def test_points_are_worth_most_near_a_threshold() -> None:
    """The shadow value of a point follows from what tiers affect: more near 75, nothing far above it."""
    value = point_values(books(SCORE)[0], SCENARIO.behaviour, np.array([70_000, 75_000, 95_000]))

    assert value[1] > value[0] > value[2]
    assert value[2] < value[1] / 1_000


def test_belief_scales_the_value_of_a_point() -> None:
    """Half the belief, half the value; none, nothing."""
    score = np.array([72_000])
    sets = ("behaviour.belief_permille=500",), ("behaviour.belief_permille=0",)

    full = point_values(books(SCORE)[0], SCENARIO.behaviour, score)
    half, none = (point_values(books(SCORE)[0], read("ordinary-week", each).behaviour, score) for each in sets)

    assert half == pytest.approx(full / 2)
    assert not none.any()


def test_slope_of_points_is_steepest_at_the_bands() -> None:
    """Under the score a minute costs most around 0 and 5 minutes late."""
    slope = prices(books(SCORE)[0], SCENARIO.people, 0).table["slope_mp"][USUAL]

    assert slope[bin_at(0)] > slope[bin_at(-600)]
    assert slope[bin_at(300)] > slope[bin_at(1_200)]


def test_pressure_saturates() -> None:
    """None without a price, half at the stated price, never all."""
    assert pressure(0.0, 30.0) == 0
    assert pressure(-5.0, 30.0) == 0
    assert pressure(30.0, 30.0) == pytest.approx(0.5)
    assert pressure(1e9, 30.0) < 1 + 1e-9


def test_rush_and_jumps_grow_with_pressure_and_boldness() -> None:
    """Both begin at their base and stay within their bounds."""
    assert rush(0.0, 1.0, 0.1) == 0
    assert rush(0.5, 2.0, 0.1) == pytest.approx(0.1)
    assert rush(1.0, 9.0, 0.9) == 0.5
    assert jump_chance(0.0, 1.0, 0.06, 0.3) == pytest.approx(0.06)
    assert jump_chance(1.0, 1.0, 0.06, 0.3) == pytest.approx(0.3)
    assert jump_chance(1.0, 9.0, 0.06, 0.3) == 0.95


def test_declining_grows_with_the_expected_loss() -> None:
    """The base rate without a loss, more with one, never beyond the most."""
    assert decline_chance(0.0, 500.0, 0.03, 0.5, 0.4) == pytest.approx(0.03)
    assert decline_chance(250.0, 500.0, 0.03, 0.5, 0.4) == pytest.approx(0.28)
    assert decline_chance(5_000.0, 500.0, 0.03, 0.5, 0.4) == pytest.approx(0.4)
    assert decline_chance(5.0, 0.0, 0.03, 0.5, 0.4) == pytest.approx(0.03)


def test_an_unmet_target_lengthens_the_day() -> None:
    """Half of the gap is worked off at the day's pace; a met target adds nothing."""
    assert extension_s(10_000.0, 10_000.0, 20_000.0, 0.5, 3_600.0) == 0
    assert extension_s(9_000.0, 10_000.0, 18_000.0, 0.5, 3_600.0) == pytest.approx(1_000)
    assert extension_s(100.0, 10_000.0, 18_000.0, 0.5, 3_600.0) == 3_600
    assert extension_s(0.0, 10_000.0, 18_000.0, 0.5, 3_600.0) == pytest.approx(1_800)


def test_leaving_follows_income() -> None:
    """The base chance at the outside wage, more below, less above, bounded."""
    assert leave_chance(2_000.0, 2_000.0, 0.003, 2.0, 0.03) == pytest.approx(0.003)
    assert leave_chance(1_000.0, 2_000.0, 0.003, 2.0, 0.03) == pytest.approx(0.012)
    assert leave_chance(4_000.0, 2_000.0, 0.003, 2.0, 0.03) == pytest.approx(0.00075)
    assert leave_chance(0.0, 2_000.0, 0.003, 2.0, 0.03) == 0.03


def test_compiled_luck_is_the_same_luck() -> None:
    """A draw in compiled code equals the array's, bit for bit."""
    rng = CounterRandom(7)
    entity, day, occurrence = np.arange(200) * 977, np.arange(200) % 9, np.arange(200) % 31

    expected = rng.below(MILLION, "offer.answer", entity, day, occurrence)

    state = state_of(rng, "offer.answer")
    found = [rank(state, int(a), int(b), int(c)) for a, b, c in zip(entity, day, occurrence, strict=True)]
    assert found == expected.tolist()
