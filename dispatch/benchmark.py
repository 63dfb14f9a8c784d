"""One instance folder played, checked and measured: what the command line does, as a call.

Invariant: what is reported was measured on the solution files' contents by the independent checker.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from dispatch.check import DayMetrics, RuleViolation, check_day, measure_day
from dispatch.errors import DispatchError
from dispatch.explain import explanation_document
from dispatch.greedy import solve_nearest
from dispatch.horizon import PlayedDay, SearchSettings, solve
from dispatch.mdrp import Instance, Solution, read_instance
from dispatch.mdrp_day import day_problem, day_solution
from dispatch.objective import Weights

# A weight times any distance or time of a day stays within 64 bits.
SETTING_MAX: Final = 10**9
_DIGITS_MAX: Final = 19


class SearchSettingError(DispatchError):
    """A key or value that no weight or setting has; `key` names the text.

    Parameters
    ----------
    key
        Of the text.
    given
        What was written.
    detail
        What is allowed.
    """

    def __init__(self, key: str, given: str, detail: str) -> None:
        self.key, self.given, self.detail = key, given, detail
        super().__init__(f"{given}: {detail}")


@dataclass(frozen=True, slots=True)
class BenchmarkPlan:
    """By what policy, weights and settings to play."""

    policy: str
    weights: Weights
    settings: SearchSettings


@dataclass(frozen=True, slots=True)
class Played:
    """A played day with everything known of it.

    Parameters
    ----------
    instance
        The day that was played.
    plan
        Policy, weights and settings.
    day
        What became of its orders.
    solution
        Contents of its solution files.
    violations
        Rules that it breaks.
    metrics
        Measured on the solution files.
    """

    instance: Instance
    plan: BenchmarkPlan
    day: PlayedDay
    solution: Solution
    violations: tuple[RuleViolation, ...]
    metrics: DayMetrics

    @property
    def explanations(self) -> Iterator[Mapping[str, object]]:
        """Why each order went where it went, as JSON objects."""
        names = self.day.problem
        return (explanation_document(one, names.orders.names, names.riders.names) for one in self.day.explanations)


def benchmark_plan(policy: str, given: Mapping[str, str], seed: int) -> BenchmarkPlan:
    """Return the plan for a policy with some weights and settings changed.

    Parameters
    ----------
    policy
        `assign` or `nearest`.
    given
        Weights and settings to change, by name, as written.
    seed
        Of the random choices.

    Returns
    -------
    BenchmarkPlan
        The plan, all else as shipped.

    Raises
    ------
    SearchSettingError
        If a key is unknown or its value not a whole number in range.
    """
    keys = {field.name: kind for kind in (Weights, SearchSettings) for field in fields(kind)}
    values: dict[type, dict[str, int]] = {Weights: {}, SearchSettings: {"seed": seed}}
    for key, value in given.items():
        if key not in keys:
            raise SearchSettingError("dispatch.unknown_setting", f"{key}={value}", ", ".join(sorted(keys)))
        if not value.isdecimal() or len(value) > _DIGITS_MAX or int(value) > SETTING_MAX:
            raise SearchSettingError("dispatch.bad_setting", f"{key}={value[:80]}", f"0 … {SETTING_MAX}")
        values[keys[key]][key] = int(value)
    try:
        return BenchmarkPlan(policy, Weights(**values[Weights]), SearchSettings(**values[SearchSettings]))
    except ValueError as error:
        raise SearchSettingError(
            "dispatch.bad_setting", " ".join(f"{k}={v}" for k, v in given.items()), str(error)
        ) from error


def play_instance(folder: Path, plan: BenchmarkPlan, stop: Callable[[], bool] | None = None) -> Played:
    """Read, play, check and measure one instance.

    Parameters
    ----------
    folder
        Of the instance: its four files.
    plan
        Policy, weights and settings.
    stop
        Asked before each search; true skips it.

    Returns
    -------
    Played
        The day with its solution, violations and measures.

    Raises
    ------
    InstanceError
        If the instance is malformed.
    """
    instance = read_instance(folder)
    problem = day_problem(instance)
    day = solve_nearest(problem) if plan.policy == "nearest" else solve(problem, plan.weights, plan.settings, stop)
    solution = day_solution(instance, day)
    violations = check_day(instance, solution, tuple(day.refused))
    return Played(instance, plan, day, solution, violations, measure_day(instance, solution))


def run_document(played: Played) -> dict[str, Any]:
    """Return run.json's content but the version: all metrics, seed, parameters, what was refused and why.

    Parameters
    ----------
    played
        A played day.

    Returns
    -------
    dict[str, Any]
        A JSON object.
    """
    day = played.day
    return {
        "instance": played.instance.name,
        "policy": played.plan.policy,
        "seed": played.plan.settings.seed,
        "weights": asdict(played.plan.weights),
        "settings": asdict(played.plan.settings),
        "metrics": asdict(played.metrics),
        "counts": {
            "orders": len(played.instance.orders),
            "delivered": played.metrics.delivered,
            "waiting": 0,
            "refused": len(day.refused),
        },
        "refused": dict(sorted(day.refused.items())),
        "violations": [asdict(violation) for violation in played.violations],
        "rounds": day.rounds,
        "repairs": day.repairs,
        "cut_off": day.cut_off,
        "deterministic": not day.cut_off,
    }
