"""Morris' screening (Morris 1991; Campolongo, Cariboni, Saltelli 2007): a design on the unit cube, and what it shows.

A trajectory changes one variable at a time, each once, by the same step up or down. Draws and results are those of SALib
1.6, which brought plotting libraries of 60 MB with these few lines.
"""

from statistics import NormalDist
from typing import Final

import numpy as np

from simulations.study.intervals import CONFIDENCE, F64

_NUM_RESAMPLES: Final = 100


def step_of(num_levels: int) -> float:
    """How far a variable moves, as a share of its range; `num_levels` is even."""
    return num_levels / (2 * (num_levels - 1))


def morris_design(num_variables: int, num_trajectories: int, num_levels: int, seed: int) -> F64:
    """Points of a design on the unit cube.

    Parameters
    ----------
    num_levels
        How many values a variable may take; even.
    seed
        Another seed is another design.

    Returns
    -------
    F64
        float64[num_trajectories · (num_variables + 1), num_variables], trajectory by trajectory.
    """
    rng = np.random.default_rng(seed)
    trajectories = [_trajectory(num_variables, num_levels, rng) for _ in range(num_trajectories)]
    return np.concatenate([np.empty((0, num_variables)), *trajectories])


def _trajectory(num_variables: int, num_levels: int, rng: np.random.Generator) -> F64:
    step = step_of(num_levels)
    order = np.eye(num_variables)
    rng.shuffle(order)
    directions = rng.choice([-1, 1], num_variables)
    start = rng.choice(np.linspace(0, 1 - step, num_levels // 2), num_variables)
    # Row k says which variables have moved by then; those that go down start a step above.
    moved = np.tril(np.ones((num_variables + 1, num_variables)), -1) @ order.T
    points: F64 = start + step / 2 * ((2 * moved - 1) * directions + 1)
    return points


def elementary_effects(points: F64, outputs: F64, num_levels: int) -> F64:
    """What a step of each variable up did to the output; 0 where rounding left the variable where it was.

    Parameters
    ----------
    points
        Of a design, scaled to the ranges of the variables; float64[trajectories · (variables + 1), variables].
    outputs
        One for each point.

    Returns
    -------
    F64
        float64[variables, trajectories].
    """
    num_variables = points.shape[1]
    moves = np.sign(np.diff(points.reshape(-1, num_variables + 1, num_variables), axis=1))
    changes = np.diff(outputs.reshape(-1, num_variables + 1), axis=1)
    effects: F64 = np.einsum("tk,tkj->jt", changes, moves) / step_of(num_levels)
    return effects


def mean_size_reach(effects: F64, seed: int) -> F64:
    """Half-width of an interval for the mean size of each variable's effects, by resampling its trajectories."""
    rng = np.random.default_rng(seed)
    quantile = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    num = effects.shape[1]
    sizes = [np.abs(row[rng.integers(num, size=(_NUM_RESAMPLES, num))]).mean(axis=1) for row in effects]
    return np.array([quantile * size.std(ddof=1) for size in sizes])
