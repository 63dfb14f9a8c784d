"""What an answer hinges on: ranges, turning points, and Morris on functions whose effects are known."""

import numpy as np
import pytest

from simulations.scenario_files import allowed_range, read
from simulations.study.sensitivity import (
    KEYS,
    Parameter,
    kept,
    morris_effects,
    morris_points,
    parameters,
    small_settings,
    swing,
)

pytestmark = pytest.mark.slow

CHOSEN = (
    Parameter("behaviour.rush_permille", 100, 0, 300, "assumption"),
    Parameter("behaviour.belief_permille", 1_000, 0, 3_000, "assumption"),
    Parameter("people.unsure_later_s", 150, 0, 600, "assumption"),
)


def test_every_key_has_a_range_around_its_value() -> None:
    """All keys are the scenario's, each range holds the value and stays within what a scenario allows."""
    found = parameters(read("ordinary-week"))

    assert {one.key for one in found} == set(KEYS)
    for one in found:
        least, most = allowed_range(one.key.rpartition(".")[2])
        assert least <= one.low <= one.value <= one.high <= most
        assert one.source


def test_the_small_city_keeps_the_load() -> None:
    """Orders a rider stay what they were; a city that is small already is left alone."""
    whole = read("ordinary-week")

    small = read("ordinary-week", small_settings(whole))

    assert small.town.orders_per_day / small.town.riders == pytest.approx(
        whole.town.orders_per_day / whole.town.riders, rel=0.01
    )
    assert small_settings(small) == ()


def test_a_turning_point_is_read_between_the_runs() -> None:
    """From −1 at 0 to +1 at 100 the difference is zero at 50; where the sign never changes there is none."""
    low, value, high = (np.array([each, each]) for each in (-1.0, 1.0, 3.0))

    turning = swing(CHOSEN[0], "income_per_day_fen", low, value, high)
    steady = swing(CHOSEN[0], "income_per_day_fen", value, value, high)

    assert turning.changes_sign_at == pytest.approx(50.0)
    assert turning.width == pytest.approx(4.0)
    assert steady.changes_sign_at is None


def test_morris_finds_the_slopes_of_a_line() -> None:
    """On a linear function the elementary effects are slope × range, without spread; what is not in it has none."""
    points = morris_points(CHOSEN, 1)
    values = np.array([2.0 * a - 0.5 * b for a, b, _ in points])

    effects = {one.parameter.key: one for one in morris_effects(CHOSEN, "income_per_day_fen", points, values, 1)}

    assert effects["behaviour.rush_permille"].mu_star == pytest.approx(600)
    assert effects["behaviour.belief_permille"].mu == pytest.approx(-1_500)
    assert effects["people.unsure_later_s"].mu_star == pytest.approx(0)
    assert effects["behaviour.rush_permille"].sigma == pytest.approx(0, abs=1e-6)


def test_signs_are_counted_over_all_points() -> None:
    """The sign at the values assumed is the measure; a difference of zero has no sign."""
    found = kept("income_per_day_fen", np.array([1.0, 3.0]), np.array([2.0, -1.0, 0.0, 5.0]))

    assert (found.num_points, found.num_same_sign) == (4, 2)


def test_morris_sees_interaction_as_spread() -> None:
    """A product of two parameters has effects that depend on the other: sigma is as large as the effects."""
    points = morris_points(CHOSEN, 2)
    values = np.array([float(a * c) for a, _, c in points])

    first, *_ = morris_effects(CHOSEN, "income_per_day_fen", points, values, 2)

    assert first.sigma > 0.3 * first.mu_star
    assert morris_points(CHOSEN, 2) == points
