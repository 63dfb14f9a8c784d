"""A study before it runs: its scenario and books found, every fault of a request said at once."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal, get_args

from api.files.atomic import check_output
from api.files.errors import InputError
from api.files.parquet_files import SCHEMA_VERSION
from api.files.real_orders import read_real_orders
from api.runs.engines import EngineName
from api.studies.tasks import given_digest, sources_digest
from dispatch.mdrp import InstanceError, InstanceFault
from rules.amend import amend, parse_changes
from rules.book import Book
from rules.errors import BookError, Fault
from simulations.real_day import RealDay
from simulations.scenario import Scenario
from simulations.scenario_files import read

SIDES = ("a", "b")
MARKER = "study.json"
DEFAULT_DAYS = 7
SWEEP_MAX = 200
Sensitivity = Literal["off", "one-at-a-time", "morris", "both"]
SENSITIVITIES: tuple[Sensitivity, ...] = get_args(Sensitivity)
FindBook = Callable[[str], tuple[Book, ...]]
Books = tuple[tuple[Book, ...], tuple[Book, ...]]


@dataclass(frozen=True, slots=True)
class StudyRequest:
    """What is asked of a study.

    Parameters
    ----------
    scenario
        A shipped scenario's name, or a path to a TOML file.
    books
        Old and new book, as `rules.shelf.find` takes them (or the `find_book` of `run_study`).
    seeds
        How many seeds; the most, where `precision` may end the study earlier.
    days
        Days after the switch; None for `DEFAULT_DAYS`.
    jobs
        Runs side by side; None for all cores. The results do not depend on it.
    sets
        `key=value` of the scenario; `a:key=value` and `b:key=value` change the old and the new book (`rules.amend`).
    first_seed
        The first of consecutive seeds.
    precision
        Stop once the 95 % interval of every primary metric is at most ± this share of its mean under the old book; acts from
        20 seeds on.
    sensitivity
        Which parameters matter, on a small copy of the city.
    sweeps
        `key=value,value,…`: the study's primary metrics at each value (each combination, for several).
    lang
        Language that the report opens in; it holds both.
    orders
        A Grubhub instance folder or a `meituan` file whose orders and couriers take the place of drawn ones.
    engine, ray_address
        Where the runs are done, as `api.runs.engines.engine` takes them. The results do not depend on it.
    """

    scenario: str
    books: tuple[str, str]
    seeds: int = 20
    days: int | None = None
    jobs: int | None = None
    sets: tuple[str, ...] = ()
    first_seed: int = 1
    precision: float | None = None
    sensitivity: Sensitivity = "one-at-a-time"
    sweeps: tuple[str, ...] = ()
    lang: Literal["zh", "en"] = "zh"
    orders: str | None = None
    engine: EngineName = "local"
    ray_address: str | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """One point of a sweep: what was set, and what it makes of scenario and books."""

    settings: tuple[str, ...]
    scenario: Scenario
    books: Books


@dataclass(frozen=True, slots=True)
class Design:
    """A study that can run.

    Parameters
    ----------
    scenario, books
        With the settings of the request in them.
    sweep
        Each combination of the values that are swept.
    """

    request: "StudyRequest"
    scenario: Scenario
    books: Books
    days: int
    seeds: tuple[int, ...]
    sweep: tuple[Setting, ...]
    given: RealDay | None = None

    def document(self) -> dict[str, Any]:
        """What was asked, and what makes the same results again."""
        request = self.request
        return {
            "command": "simulate",
            "version": version("riderscore"),
            "schema_version": SCHEMA_VERSION,
            "sources": sources_digest(),
            "scenario": {"reference": request.scenario, "name": self.scenario.name, "digest": self.scenario.digest},
            "books": {
                side: {"reference": reference, "versions": [_version(book) for book in versions]}
                for side, reference, versions in zip(SIDES, request.books, self.books, strict=True)
            },
            "first_seed": request.first_seed,
            "seeds": request.seeds,
            "days": self.days,
            "sets": list(request.sets),
            "precision": request.precision,
            "sensitivity": request.sensitivity,
            "sweeps": list(request.sweeps),
            "orders": None if self.given is None else {"path": request.orders, "digest": given_digest(self.given)},
        }


def design_of(request: "StudyRequest", find_book: FindBook, folder: Path) -> Design:
    """Find scenario and books and apply the settings.

    Raises
    ------
    InputError
        With every fault of the request.
    """
    faults: list[Fault] = []
    books_found = tuple(_found(reference, find_book, faults) for reference in request.books)
    scenario, books = varied(request, books_found, (), faults)
    sweep = []
    for settings in _combinations(request.sweeps, faults):
        swept, swept_books = varied(request, books_found, settings, faults)
        if swept is not None and swept_books is not None:
            sweep.append(Setting(settings, swept, swept_books))
    faults += _plain_faults(request)
    given = _given(request.orders, faults)
    try:
        check_output(folder, marker=MARKER)
    except InputError as error:
        faults += error.faults
    if faults or scenario is None or books is None:
        raise InputError(*dict.fromkeys(faults))
    days = DEFAULT_DAYS if request.days is None else request.days
    seeds = tuple(range(request.first_seed, request.first_seed + request.seeds))
    return Design(request, scenario, books, days, seeds, tuple(sweep), given)


def varied(
    request: "StudyRequest", versions_by_side: Sequence[tuple[Book, ...]], settings: Sequence[str], faults: list[Fault]
) -> tuple[Scenario | None, Books | None]:
    """Scenario and books with the settings of the request and further ones; faults are added to `faults`."""
    written = (*request.sets, *settings)
    of_books = {side: [text[2:] for text in written if _side(text) == side] for side in SIDES}
    try:
        scenario = read(request.scenario, [text for text in written if not _side(text)])
    except BookError as error:
        faults += error.faults
        scenario = None
    amended = tuple(
        _amended(versions, of_books[side], faults) for side, versions in zip(SIDES, versions_by_side, strict=True)
    )
    return scenario, (amended[0], amended[1]) if all(amended) else None


def _given(path: str | None, faults: list[Fault]) -> RealDay | None:
    if path is None:
        return None
    if not Path(path).exists():
        faults.append(Fault("not_found", file=path))
        return None
    try:
        return read_real_orders(Path(path))
    except InputError as error:
        faults += error.faults
    except InstanceError as error:
        faults += [_of_instance(path, one) for one in error.faults]
    return None


def _of_instance(path: str, fault: InstanceFault) -> Fault:
    """What `dispatch` says of an instance, in the same words."""
    params = {"file": fault.file, "line": str(fault.line), "detail": fault.detail, "said": f"@{fault.key}"}
    return Fault("input_instance", file=path, given=fault.given, params=tuple(params.items()))


def _side(setting: str) -> str:
    """`a` or `b` of a setting that changes a book, empty for one of the scenario."""
    start = setting[:2].lower()
    return start[0] if start in ("a:", "b:") else ""


def _found(reference: str, find_book: FindBook, faults: list[Fault]) -> tuple[Book, ...]:
    try:
        return find_book(reference)
    except BookError as error:
        faults += error.faults
        return ()


def _amended(versions: tuple[Book, ...], settings: list[str], faults: list[Fault]) -> tuple[Book, ...]:
    """All versions with the same changes."""
    if not settings or not versions:
        return versions
    try:
        changes = parse_changes(settings, versions[-1].file)
        return tuple(amend(book, changes) for book in versions)
    except BookError as error:
        faults += error.faults
        return ()


def _combinations(sweeps: Sequence[str], faults: list[Fault]) -> list[tuple[str, ...]]:
    """Every combination of the values that are swept, as settings."""
    axes = []
    for sweep in sweeps:
        key, equals, values = sweep.partition("=")
        each = _values(values)
        if not equals or not key.strip() or not each:
            faults.append(Fault("bad_sweep", file="--sweep", given=sweep))
            continue
        axes.append([f"{key.strip()}={value}" for value in each])
    number = math.prod(map(len, axes))
    if number > SWEEP_MAX:
        allowed = f"1 … {SWEEP_MAX}"
        faults.append(Fault("out_of_range", file="--sweep", key="sweep", given=str(number), allowed=allowed))
        return []
    return list(itertools.product(*axes)) if axes else []


def _values(written: str) -> list[str]:
    """Values between commas; those inside brackets belong to a list."""
    values, depth = [""], 0
    for letter in written:
        depth += (letter == "[") - (letter == "]")
        if letter == "," and depth <= 0:
            values.append("")
        else:
            values[-1] += letter
    return [value.strip() for value in values if value.strip()]


SEED_MAX: Final = 2**63 - 1


def _plain_faults(request: "StudyRequest") -> list[Fault]:
    faults = []
    if request.seeds < 1:
        faults.append(Fault("out_of_range", file="--seeds", key="seeds", given=str(request.seeds), allowed="≥ 1"))
    last = request.first_seed + request.seeds - 1
    if not 0 <= request.first_seed <= last <= SEED_MAX and request.seeds >= 1:
        written = f"{request.first_seed} … {last}"
        faults.append(Fault("out_of_range", file="--seed", key="seed", given=written, allowed=f"0 … {SEED_MAX}"))
    if request.days is not None and request.days < 1:
        faults.append(Fault("out_of_range", file="--days", key="days", given=str(request.days), allowed="≥ 1"))
    if request.jobs is not None and request.jobs < 1:
        faults.append(Fault("out_of_range", file="--jobs", key="jobs", given=str(request.jobs), allowed="≥ 1"))
    if request.sensitivity not in SENSITIVITIES:
        allowed = ", ".join(SENSITIVITIES)
        fault = Fault(
            "out_of_range", file="--sensitivity", key="sensitivity", given=request.sensitivity, allowed=allowed
        )
        faults.append(fault)
    if request.precision is not None and not 0 < request.precision < 1:
        written = str(request.precision)
        faults.append(Fault("out_of_range", file="--precision", key="precision", given=written, allowed="0 … 1"))
    return faults


def _version(book: Book) -> dict[str, str]:
    return {"id": book.id, "effective_from": book.model.effective_from.isoformat(), "digest": book.digest}
