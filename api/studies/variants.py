"""Variants of a study: assumptions one at a time and together on a small city, and sweeps over any key."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from api.runs.engines import Engine
from api.studies.arms import tasks_of, two_arms
from api.studies.design import Books, Design, Setting, varied
from api.studies.tasks import StudyCity, Task, read_outcome, run_all, task_of
from rules.errors import Fault
from simulations.scenario import Scenario
from simulations.study.intervals import F64
from simulations.study.metrics import PRIMARY, stacked
from simulations.study.paired import paired
from simulations.study.sensitivity import (
    SMALL_DAYS,
    SMALL_SEEDS,
    FindingKept,
    Parameter,
    ParameterEffect,
    Sensitivity,
    Swept,
    Swing,
    kept,
    morris_effects,
    morris_points,
    parameters,
    small_settings,
    swing,
)

MORRIS_SEED = 1
Settings = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StudyVariants:
    """All variants of a study: the runs they need, and how to read them.

    Parameters
    ----------
    points
        Settings → scenario and books of each variant of the small city.
    morris
        Points of Morris' design, values of `chosen` in order.
    """

    folder: Path
    design: Design
    chosen: tuple[Parameter, ...]
    points: dict[Settings, tuple[Scenario, Books]]
    morris: tuple[tuple[int, ...], ...]
    seeds: tuple[int, ...]
    days: int
    small: Settings = field(default=())

    def tasks(self) -> Iterator[Task]:
        """Every run of the small city."""
        for scenario, books in self.points.values():
            yield from tasks_of(self.small_city(scenario), two_arms(*books), self.seeds)

    def sweep_tasks(self) -> Iterator[Task]:
        """Every run of the sweep, on the city of the study."""
        for point in self.design.sweep:
            yield from tasks_of(self.whole_city(point.scenario), two_arms(*point.books), self.design.seeds)

    def small_city(self, scenario: Scenario) -> StudyCity:
        """The small city with another scenario."""
        return StudyCity(self.folder, scenario, self.days, self.design.given)

    def whole_city(self, scenario: Scenario) -> StudyCity:
        """The study's city with another scenario."""
        return StudyCity(self.folder, scenario, self.design.days, self.design.given)


def variants_of(folder: Path, design: Design) -> StudyVariants:
    """Which variants a study asks for; none where its sensitivity is off."""
    asked = design.request.sensitivity
    if asked == "off":
        return StudyVariants(folder, design, (), {}, (), (), 0)
    chosen, small = parameters(design.scenario), () if design.given is not None else small_settings(design.scenario)
    settings: list[Settings] = [()]
    if asked in ("one-at-a-time", "both"):
        settings += [(each.setting(value),) for each in chosen for value in (each.low, each.high)]
    morris: list[tuple[int, ...]] = []
    if asked in ("morris", "both"):
        morris = morris_points(chosen, MORRIS_SEED)
        settings += [_settings(chosen, point) for point in morris]
    points = {point_settings: _variant(design, (*small, *point_settings)) for point_settings in dict.fromkeys(settings)}
    seeds = design.seeds[:SMALL_SEEDS]
    return StudyVariants(folder, design, chosen, points, tuple(morris), seeds, min(design.days, SMALL_DAYS), small)


def sensitivity_of(variants: StudyVariants, run: Engine, one_done: Callable[[], None]) -> Sensitivity | None:
    """Run the small city's variants and read them."""
    if not variants.points:
        return None
    run_all(run, variants.tasks(), one_done)
    differences = {point_settings: _differences(variants, *point) for point_settings, point in variants.points.items()}
    return Sensitivity(
        settings=variants.small,
        num_seeds=len(variants.seeds),
        num_days=variants.days,
        swings=_swings(variants, differences),
        effects=_effects(variants, differences),
        kept=_kept(variants, differences),
    )


def sweep_of(variants: StudyVariants, run: Engine, one_done: Callable[[], None]) -> tuple[Swept, ...]:
    """Run the sweep and read it."""
    run_all(run, variants.sweep_tasks(), one_done)
    return tuple(_swept(variants, point) for point in variants.design.sweep)


def _settings(chosen: Sequence[Parameter], point: Sequence[int]) -> Settings:
    return tuple(each.setting(value) for each, value in zip(chosen, point, strict=True))


def _variant(design: Design, settings: Settings) -> tuple[Scenario, Books]:
    faults: list[Fault] = []
    # The books of the design have the request's changes in them already; settings here are the scenario's.
    scenario, _ = varied(design.request, design.books, settings, faults)
    if scenario is None:
        raise ValueError(f"a variant of a sound scenario is unsound: {[fault.describe('en') for fault in faults]}")
    return scenario, design.books


def _measured(city: StudyCity, books: Books, seeds: Sequence[int]) -> dict[str, list[dict[str, float]]]:
    """Arm → metrics by seed."""
    return {
        name: [read_outcome(task_of(city, arm.plan, seed).path).metrics() for seed in seeds]
        for name, arm in two_arms(*books).items()
    }


def _differences(variants: StudyVariants, scenario: Scenario, books: Books) -> dict[str, F64]:
    """Primary metric → B − A by seed."""
    measured = _measured(variants.small_city(scenario), books, variants.seeds)
    return {name: stacked(measured["b"], name) - stacked(measured["a"], name) for name in PRIMARY}


def _swings(variants: StudyVariants, differences: dict[Settings, dict[str, F64]]) -> tuple[Swing, ...]:
    swings = [
        swing(
            each,
            name,
            differences[each.setting(each.low),][name],
            differences[()][name],
            differences[each.setting(each.high),][name],
        )
        for name in PRIMARY
        for each in variants.chosen
        if (each.setting(each.low),) in differences
    ]
    return tuple(sorted(swings, key=lambda row: (PRIMARY.index(row.metric), -row.width)))


def _effects(variants: StudyVariants, differences: dict[Settings, dict[str, F64]]) -> tuple[ParameterEffect, ...]:
    effects: list[ParameterEffect] = []
    for name in PRIMARY if variants.morris else ():
        effects += morris_effects(
            variants.chosen, name, variants.morris, _at_points(variants, differences, name), MORRIS_SEED
        )
    return tuple(effects)


def _kept(variants: StudyVariants, differences: dict[Settings, dict[str, F64]]) -> tuple[FindingKept, ...]:
    names = PRIMARY if variants.morris else ()
    return tuple(kept(name, differences[()][name], _at_points(variants, differences, name)) for name in names)


def _at_points(variants: StudyVariants, differences: dict[Settings, dict[str, F64]], name: str) -> F64:
    """Mean difference at each point of Morris' design."""
    means = [np.nanmean(differences[_settings(variants.chosen, point)][name]) for point in variants.morris]
    return np.array(means, np.float64)


def _swept(variants: StudyVariants, point: Setting) -> Swept:
    measured = _measured(variants.whole_city(point.scenario), point.books, variants.design.seeds)
    metrics = [
        paired(name, stacked(measured["a"], name), stacked(measured["b"], name), len(PRIMARY)) for name in PRIMARY
    ]
    return Swept(point.settings, tuple(metric for metric in metrics if metric is not None))
