"""Sensitivity analysis: each assumption alone, and all together by Morris' screening, on a small copy of the city.

The same seeds serve every variant, so that two variants differ by the parameter alone. Holds no runs: it says which settings to
run, and reads what came out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from simulations.scenario import Scenario
from simulations.scenario_files import allowed_range
from simulations.study.findings import Estimate
from simulations.study.intervals import F64, paired_t
from simulations.study.morris import elementary_effects, mean_size_reach, morris_design
from simulations.study.paired import Paired

# What is varied: all of how riders respond and what they believe, and the parts of the city that make orders late.
KEYS = (
    "behaviour.rush_permille",
    "behaviour.rush_half_fen",
    "behaviour.jump_per_million",
    "behaviour.jump_most_per_million",
    "behaviour.jump_half_fen",
    "behaviour.decline_crowdsourced_per_million",
    "behaviour.decline_dedicated_per_million",
    "behaviour.decline_gain_permille",
    "behaviour.decline_most_per_million",
    "behaviour.extend_permille",
    "behaviour.extend_most_s",
    "behaviour.leave_per_million",
    "behaviour.leave_gain_permille",
    "behaviour.leave_most_per_million",
    "behaviour.wage_fen_per_h",
    "behaviour.belief_permille",
    "behaviour.horizon_days",
    "behaviour.spread_mp",
    "behaviour.orders_believed",
    "behaviour.fees_believed_fen",
    "behaviour.priority_believed_permille",
    "behaviour.review_believed_permille",
    "people.unsure_later_s",
    "promise.extra_s",
    "kitchens.slow_per_million",
)
SMALL_RIDERS = 40
SMALL_SEEDS = 4
SMALL_DAYS = 2
LEVELS = 4
TRAJECTORIES = 6


@dataclass(frozen=True, slots=True)
class Parameter:
    """One assumption: its value, the range it is varied over, and where the value comes from.

    Parameters
    ----------
    key
        Dotted key of the scenario.
    value
        As the scenario has it, in the unit of the key.
    low, high
        Ends of the range, in the same unit.
    source
        Where the value comes from.
    """

    key: str
    value: int
    low: int
    high: int
    source: str

    def setting(self, value: int) -> str:
        """As `--set` takes it."""
        return f"{self.key}={value}"


@dataclass(frozen=True, slots=True)
class Swing:
    """What one parameter alone does to the difference of one metric.

    Parameters
    ----------
    parameter
        What was varied.
    metric
        Name of the metric.
    at_low, at_value, at_high
        The difference at the low end, at the value assumed, and at the high end.
    changes_sign_at
        The value at which the difference would be zero, read linearly between the three values run; None where all three have
        one sign.
    """

    parameter: Parameter
    metric: str
    at_low: Estimate
    at_value: Estimate
    at_high: Estimate
    changes_sign_at: float | None

    @property
    def width(self) -> float:
        """How far apart the three are."""
        means = (self.at_low.mean, self.at_value.mean, self.at_high.mean)
        return max(means) - min(means)


@dataclass(frozen=True, slots=True)
class ParameterEffect:
    """Morris' elementary effects of one parameter on the difference of one metric, over its whole range.

    Parameters
    ----------
    parameter
        What was varied.
    metric
        Name of the metric; the effects are in its unit.
    mu, mu_star
        Mean of the effects, and of their sizes.
    mu_star_reach
        Half the width of the 95 % interval of `mu_star`.
    sigma
        Spread of the effects: large where parameters interact or the response is curved.
    """

    parameter: Parameter
    metric: str
    mu: float
    mu_star: float
    mu_star_reach: float
    sigma: float


@dataclass(frozen=True, slots=True)
class FindingKept:
    """At how many points of Morris' design the difference of a metric has the sign that it has at the values assumed.

    Parameters
    ----------
    metric
        Name of the metric.
    num_points, num_same_sign
        Points of the design, and those with the same sign.
    """

    metric: str
    num_points: int
    num_same_sign: int


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What varying assumptions showed.

    Parameters
    ----------
    settings
        `key=value` of the city on which it was done.
    num_seeds, num_days
        Seeds of each point, and days after the switch.
    swings
        What each parameter alone does.
    effects
        Morris' effects, parameters varied together.
    kept
        How often the sign of each primary metric stayed.
    """

    settings: tuple[str, ...]
    num_seeds: int
    num_days: int
    swings: tuple[Swing, ...] = ()
    effects: tuple[ParameterEffect, ...] = ()
    kept: tuple[FindingKept, ...] = ()


@dataclass(frozen=True, slots=True)
class Swept:
    """The primary metrics at one point of a sweep.

    Parameters
    ----------
    settings
        `key=value` of the point.
    metrics
        Each primary metric under A and B.
    """

    settings: tuple[str, ...]
    metrics: tuple[Paired, ...]


def parameters(scenario: Scenario) -> tuple[Parameter, ...]:
    """List the parameters that are varied in a scenario.

    Parameters
    ----------
    scenario
        The city.

    Returns
    -------
    tuple[Parameter, ...]
        With their ranges; one whose range is a point is left out.
    """
    found = []
    for key in KEYS:
        value = _value(scenario, key)
        low, high = _range(scenario, key, value)
        if low < high:
            found.append(Parameter(key, value, low, high, scenario.sources[key]))
    return tuple(found)


def small_settings(scenario: Scenario) -> tuple[str, ...]:
    """Choose settings that make a small copy of a city at the same load.

    Parameters
    ----------
    scenario
        The city.

    Returns
    -------
    tuple[str, ...]
        `key=value`; none where the city is small already.
    """
    town = scenario.town
    if town.riders <= SMALL_RIDERS:
        return ()
    share = SMALL_RIDERS / town.riders
    merchants = round(town.merchants_per_area * SMALL_RIDERS / town.riders_per_area)
    return (
        f"riders={SMALL_RIDERS}",
        f"riders_per_area={SMALL_RIDERS}",
        f"merchants_per_area={max(merchants, 1)}",
        f"orders_per_day={max(round(town.orders_per_day * share), 1)}",
        f"warm_up_days={min(town.warm_up_days, 1)}",
    )


def swing(parameter: Parameter, metric: str, low: F64, value: F64, high: F64) -> Swing:
    """Read three runs of one parameter: at the low end, at the value assumed, at the high end.

    Parameters
    ----------
    parameter
        What was varied.
    metric
        Name of the metric.
    low, value, high
        Differences by seed at each of the three.

    Returns
    -------
    Swing
        The three estimates, and where the difference changes sign.
    """
    ends = [(parameter.low, _mean(low)), (parameter.value, _mean(value)), (parameter.high, _mean(high))]
    return Swing(parameter, metric, estimate(low), estimate(value), estimate(high), _crossing(ends))


def morris_points(chosen: Sequence[Parameter], seed: int) -> list[tuple[int, ...]]:
    """Choose the points of Morris' design (Morris 1991; Campolongo and others 2007).

    Parameters
    ----------
    chosen
        The parameters to vary.
    seed
        Of the random trajectories.

    Returns
    -------
    list[tuple[int, ...]]
        Whole numbers, one row a run, one column a parameter.
    """
    low = np.array([parameter.low for parameter in chosen], np.float64)
    high = np.array([parameter.high for parameter in chosen], np.float64)
    unit = morris_design(len(chosen), TRAJECTORIES, LEVELS, seed)
    return [tuple(round(float(value)) for value in row) for row in unit * (high - low) + low]


def morris_effects(
    chosen: Sequence[Parameter], metric: str, points: Sequence[Sequence[int]], differences: F64, seed: int
) -> tuple[ParameterEffect, ...]:
    """Work out elementary effects from the mean difference at each point.

    Parameters
    ----------
    chosen
        The parameters that were varied.
    metric
        Name of the metric.
    points
        Rows of `morris_points`.
    differences
        Mean difference at each point.
    seed
        Of the resampling that gives `mu_star_reach`.

    Returns
    -------
    tuple[ParameterEffect, ...]
        One a parameter, the largest `mu_star` first.
    """
    effects = elementary_effects(np.array(points, np.float64), differences, LEVELS)
    reach = mean_size_reach(effects, seed)
    screened = [
        ParameterEffect(
            parameter,
            metric,
            float(effects[k].mean()),
            float(np.abs(effects[k]).mean()),
            float(np.nan_to_num(reach[k])),
            float(effects[k].std(ddof=1)),
        )
        for k, parameter in enumerate(chosen)
    ]
    return tuple(sorted(screened, key=lambda effect: -effect.mu_star))


def kept(metric: str, as_assumed: F64, differences: F64) -> FindingKept:
    """Count signs.

    Parameters
    ----------
    metric
        Name of the metric.
    as_assumed
        Differences by seed at the values assumed.
    differences
        Mean difference at each point of the design.

    Returns
    -------
    FindingKept
        How many points have the sign of the mean of `as_assumed`.
    """
    return FindingKept(metric, differences.size, int((np.sign(differences) == np.sign(_mean(as_assumed))).sum()))


def estimate(values: F64) -> Estimate:
    """Mean and interval of the seeds in which the metric is defined."""
    defined = values[~np.isnan(values)]
    return Estimate(_mean(values), paired_t(defined))


def _mean(values: F64) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else 0.0


def _crossing(ends: Sequence[tuple[int, float]]) -> float | None:
    for (x, y), (next_x, next_y) in pairwise(ends):
        if y * next_y < 0:
            return x + (next_x - x) * y / (y - next_y)
    return None


def _value(scenario: Scenario, key: str) -> int:
    part, _, name = key.rpartition(".")
    return int(getattr(getattr(scenario, part), name))


def _range(scenario: Scenario, key: str, value: int) -> tuple[int, int]:
    """The range that the scenario states; else from half to twice the value, within what is allowed."""
    stated = scenario.ranges.get(key)
    if stated is not None:
        return stated
    least, most = allowed_range(key.rpartition(".")[2])
    return max(value // 2, least), min(value * 2, most)
