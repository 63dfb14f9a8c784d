"""A study, files out: `riderscore simulate`, and the work behind a study started from the web.

scenario and two books → runs by seed and arm, each kept as soon as it is done → intervals, decomposition, sensitivity → tables,
charts, `report.html`, `summary.json`, `run.json`. The same request in the same folder goes on where it was stopped.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.child_process import WorkError
from api.files.atomic import write_json
from api.runs.engines import Engine, engine
from api.runs.run import Stopwatch
from api.studies.arms import Arms, all_arms, seed_results, tasks_of
from api.studies.design import MARKER, Design, FindBook, StudyRequest, design_of
from api.studies.result_files import StudyResults, write_results
from api.studies.tasks import StudyCity, run_all
from api.studies.variants import sensitivity_of, sweep_of, variants_of
from rules.shelf import find
from simulations.study.findings import findings
from simulations.study.metrics import PRIMARY, stacked
from simulations.study.seed import SeedResult
from simulations.study.stopping import looks, seeds_needed

RUNS_PERMILLE = 950
ProgressCallback = Callable[[int, str], None]
Stop = Callable[[], bool]


class StudyStopped(WorkError):  # noqa: N818 - nothing went wrong
    """The study was asked to stop; what is finished is kept and the same request goes on from there."""


def ignore_progress(permille: int, stage: str) -> None:
    """Progress that is not reported."""


def never() -> bool:
    """A study that is never asked to stop."""
    return False


@dataclass(slots=True)
class _Work:
    """Progress over all runs of a study, and whether to stop."""

    total: int
    tell: ProgressCallback
    stop: Stop
    done: int = 0
    stage: str = "runs"

    def one_done(self) -> None:
        """One more run is finished."""
        self.done += 1
        self.tell(min(self.done * RUNS_PERMILLE // max(self.total, 1), RUNS_PERMILLE), self.stage)
        if self.stop():
            raise StudyStopped


def run_study(
    request: StudyRequest,
    folder: Path,
    progress: ProgressCallback = ignore_progress,
    stop: Stop = never,
    find_book: FindBook = find,
) -> dict[str, Any]:
    """Run a study and write all of it; return `summary.json`.

    Parameters
    ----------
    folder
        Absent, empty, or of an earlier study; finished runs in it are used again.
    progress
        Told per mille and stage: `runs`, `sensitivity`, `sweep`, `report`.
    stop
        Asked after every run.
    find_book
        Reference → versions of a book.

    Raises
    ------
    InputError
        With every fault of scenario, books, settings and folder at once, or without an engine; nothing is written then.
    StudyStopped
        If `stop` says so.
    """
    watch = Stopwatch()
    design = design_of(request, find_book, folder)
    arms = all_arms(*design.books)
    variants = variants_of(folder, design)
    total = len(arms) * len(design.seeds) + sum(1 for _ in variants.tasks()) + sum(1 for _ in variants.sweep_tasks())
    work = _Work(total, progress, stop)
    with engine(request.engine, request.jobs, request.ray_address) as run:
        write_json(folder / MARKER, design.document())
        results = _seeds(folder, design, arms, run, work)
        study_findings = findings(results)
        watch.lap("runs")
        work.stage = "sensitivity"
        sensitivity = sensitivity_of(variants, run, work.one_done)
        watch.lap("sensitivity")
        work.stage = "sweep"
        sweep = sweep_of(variants, run, work.one_done)
        watch.lap("sweep")
    progress(RUNS_PERMILLE, "report")
    summary = write_results(folder, design, StudyResults(results, study_findings, sensitivity, sweep), watch)
    progress(1000, "report")
    return summary


def _seeds(folder: Path, design: Design, arms: Arms, run: Engine, work: _Work) -> list[SeedResult]:
    """Run all seeds, or as many as the precision asked for needs."""
    seeds, precision = design.seeds, design.request.precision
    city = StudyCity(folder, design.scenario, design.days, design.given)
    waves = (len(seeds),) if precision is None else (*looks(len(seeds)), len(seeds))
    results: list[SeedResult] = []
    for wave in waves:
        new = seeds[len(results) : wave]
        run_all(run, tasks_of(city, arms, new), work.one_done)
        results += seed_results(city, arms, new)
        if precision is not None and _enough(results, precision):
            break
    return results


def _enough(results: Sequence[SeedResult], precision: float) -> bool:
    pairs = [
        (
            stacked([result.metrics["a"] for result in results], name),
            stacked([result.metrics["b"] for result in results], name),
        )
        for name in PRIMARY
    ]
    return seeds_needed(pairs, precision) is not None
