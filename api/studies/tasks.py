"""One run of a study as a file, named by a digest of its inputs, so that an existing run is not repeated.

A file holds the outcome of one (scenario, plan, seed): rider days as Parquet, the facts as JSON in its schema. It is written at once
or not at all; what was killed leaves nothing behind. Runs are done by workers, wherever those are; only who asks for them writes files.
"""

import hashlib
import json
import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from api.files.atomic import atomic_file
from api.files.errors import InputError
from api.files.parquet_files import plain_schema
from api.runs.engines import Engine
from rules import sources
from rules.book import Book
from rules.errors import Fault
from rules.ids import digest
from simulations.real_day import RealDay
from simulations.scenario import Scenario
from simulations.study.outcome import OUTCOME_DAYS, RunOutcome
from simulations.world import BookSwitch

WORLDS = "worlds"
_FACTS = b"riderscore"
_NAME_LENGTH = 32
# Of the study, what makes an outcome; the rest reads outcomes.
_SOURCES = (
    "rules/**/*.py", "scoring/**/*.py", "dispatch/**/*.py", "simulations/*.py",
    *(f"simulations/study/{name}.py" for name in ("conservation", "outcome", "fixed", "metrics")),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Task:
    """One run to do.

    Parameters
    ----------
    sources
        Digest of the code that names the run: whoever does it must have the same.
    fixed_under
        The book under which its deliveries are scored again, if any.
    """

    path: Path
    sources: str
    scenario: Scenario
    plan: BookSwitch
    seed: int
    days: int
    fixed_under: tuple[Book, ...] | None = None
    given: RealDay | None = None


@dataclass(frozen=True, slots=True)
class StudyCity:
    """What a study's runs have in common: where their files go, the city, the days after the switch."""

    folder: Path
    scenario: Scenario
    days: int
    given: RealDay | None = None


def task_of(city: StudyCity, plan: BookSwitch, seed: int, fixed_under: tuple[Book, ...] | None = None) -> Task:
    """A run of a study, under the name that its content gives it."""
    document = {
        "sources": sources_digest(),
        "scenario": city.scenario.digest,
        "orders": "" if city.given is None else given_digest(city.given),
        "warm_up": [book.digest for book in plan.warm_up],
        "book": [book.digest for book in plan.book],
        "blind": plan.blind,
        "behaviour_off": plan.behaviour_off,
        "noise": plan.noise,
        "seed": seed,
        "days": city.days,
        "fixed_under": [book.digest for book in fixed_under or ()],
    }
    path = city.folder / WORLDS / f"{digest(document)[:_NAME_LENGTH]}.parquet"
    return Task(path, sources_digest(), city.scenario, plan, seed, city.days, fixed_under, city.given)


def given_digest(given: RealDay) -> str:
    """Digest of real orders and couriers."""
    sha256 = hashlib.sha256(given.name.encode())
    for each in fields(given)[1:]:
        sha256.update(each.name.encode() + np.ascontiguousarray(getattr(given, each.name)).tobytes())
    return sha256.hexdigest()


def is_done(path: Path) -> bool:
    """Whether a finished run is there."""
    try:
        return path.is_file() and _FACTS in (pq.read_schema(path).metadata or {})
    except (OSError, pa.ArrowException):
        return False


def run_all(run: Engine, tasks: Iterable[Task], one_done: Callable[[], None]) -> None:
    """Do the runs that are not done yet, and keep each as soon as it is.

    Parameters
    ----------
    one_done
        Called after every run, those found done included; what it raises ends the work, finished runs stay.
    """
    waiting = []
    for task in {each.path: each for each in tasks}.values():
        if is_done(task.path):
            one_done()
        else:
            waiting.append(task)
    for path, content in run(run_task, waiting):
        with atomic_file(path) as temporary:
            temporary.write_bytes(content)
        one_done()


def run_task(task: Task) -> tuple[Path, bytes]:
    """Do a run: its file, and what belongs in it; what a worker is asked to do.

    Raises
    ------
    InputError
        If this worker's code is not that of who asks: on a cluster it may be installed apart.
    """
    if task.sources != sources_digest():
        raise InputError(Fault("other_sources", file="--engine", given=platform.node()))
    from simulations.run import run
    from simulations.study.fixed import rescored
    from simulations.study.outcome import outcome_of

    world = run(task.scenario, task.plan, task.seed, task.days, task.given)
    fixed = None if task.fixed_under is None else rescored(world, task.scenario, task.fixed_under)
    return task.path, _content(outcome_of(world, task.scenario, fixed))


def _content(outcome: RunOutcome) -> bytes:
    facts = json.dumps(outcome.facts, allow_nan=False, sort_keys=True).encode()
    plain = outcome.days.cast(plain_schema(outcome.days.schema))
    table = plain.combine_chunks().replace_schema_metadata({_FACTS: facts})
    written = pa.BufferOutputStream()
    pq.write_table(table, written, compression="zstd")
    return written.getvalue().to_pybytes()


def read_outcome(path: Path) -> RunOutcome:
    """An outcome from its file."""
    table = pq.read_table(path)
    facts = json.loads(table.schema.metadata[_FACTS])
    return RunOutcome(table.replace_schema_metadata(None).cast(OUTCOME_DAYS), facts)


def sources_digest() -> str:
    """Digest of all code that a run and its outcome go through: another version of it makes other runs."""
    return sources.sources_digest(*_SOURCES)
