"""Morris' design: each variable moves once a trajectory, by one step; draws and effects are those of SALib."""

import numpy as np
import pytest

from simulations.study.morris import elementary_effects, mean_size_reach, morris_design, step_of


@pytest.mark.parametrize(("num_variables", "num_levels"), [(1, 4), (3, 4), (8, 6)])
def test_a_trajectory_moves_each_variable_once(num_variables: int, num_levels: int) -> None:
    """Points lie on the grid within the unit cube; from one to the next one variable moves by a step, each once."""
    points = morris_design(num_variables, 5, num_levels, 1)

    assert points.shape == (5 * (num_variables + 1), num_variables)
    assert points.min() >= 0
    assert points.max() <= 1
    np.testing.assert_allclose(points * (num_levels - 1), np.round(points * (num_levels - 1)), atol=1e-12)
    for trajectory in points.reshape(5, num_variables + 1, num_variables):
        moves = np.abs(np.diff(trajectory, axis=0))
        np.testing.assert_allclose(moves.sum(axis=0), step_of(num_levels))
        np.testing.assert_allclose(moves.sum(axis=1), step_of(num_levels))


def test_a_seed_names_the_design_that_salib_drew() -> None:
    """Studies of earlier versions and of this one run the same points: SALib 1.6, three variables, seed 1."""
    low, high = np.array([0.0, 1.0, 2.0]), np.array([7.0, 10.0, 13.0])

    points = morris_design(3, 6, 4, 1) * (high - low) + low

    np.testing.assert_allclose(points[:4], [[7, 7, 2], [7 / 3, 7, 2], [7 / 3, 1, 2], [7 / 3, 1, 28 / 3]])


def test_effects_are_those_of_salib() -> None:
    """Means, spreads and reaches on a function with curves and interaction, as SALib 1.6 computed them."""
    low, high = np.array([0.0, 1.0, 2.0]), np.array([7.0, 10.0, 13.0])
    points = morris_design(3, 6, 4, 1) * (high - low) + low

    effects = elementary_effects(points, (points**2).sum(axis=1) + points[:, 0] * points[:, 2], 4)

    np.testing.assert_allclose(effects.mean(axis=1), [92.94444444444441, 108.0, 203.5])
    np.testing.assert_allclose(effects.std(axis=1, ddof=1), [32.44648014922535, 27.88548009269339, 55.59566330009728])
    np.testing.assert_allclose(mean_size_reach(effects, 1), [21.96222706065059, 21.226920790724016, 40.83012919166293])


def test_a_variable_that_rounding_left_in_place_has_no_effect() -> None:
    """A range too narrow for a step of whole numbers gives no effect, not a division by nothing."""
    points = np.round(morris_design(2, 4, 4, 3) * np.array([0.4, 9.0]))

    effects = elementary_effects(points, points[:, 1] * 2.0, 4)

    assert (effects[0] == 0).all()
    assert (effects[1] > 0).all()
