"""The arms of a study: which runs each seed needs, and what its files say once they are there.

`a` keeps the old book, `b` changes to the new one; `blind` is `b` with a dispatcher that does not see tiers, `base` is `a` with the
same; `again` is `a` with the riders' answers to offers drawn anew. Arms that cannot differ from another are not run.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from api.studies.tasks import StudyCity, Task, read_outcome, task_of
from rules.book import Book
from simulations.study.hidden_fine import gives_priority
from simulations.study.seed import SeedResult, seed_result
from simulations.world import BookSwitch

Versions = tuple[Book, ...]


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm: its plan, and the book its deliveries are scored under again for the decomposition."""

    plan: BookSwitch
    fixed_under: Versions | None = None


Arms = Mapping[str, Arm]


def all_arms(old: Versions, new: Versions) -> Arms:
    """The arms of a whole study."""
    arms = {"a": Arm(BookSwitch(old, old)), "b": Arm(BookSwitch(old, new)), "again": Arm(BookSwitch(old, old, noise=1))}
    if gives_priority(new) or gives_priority(old):
        arms["blind"] = Arm(BookSwitch(old, new, blind=True))
    if gives_priority(old):
        arms["base"] = Arm(BookSwitch(old, old, blind=True))
    fixed = "base" if "base" in arms else "a"
    arms[fixed] = Arm(arms[fixed].plan, fixed_under=new)
    return arms


def two_arms(old: Versions, new: Versions) -> Arms:
    """The two books and nothing else: for sweeps and sensitivities."""
    return {"a": Arm(BookSwitch(old, old)), "b": Arm(BookSwitch(old, new))}


def tasks_of(city: StudyCity, arms: Arms, seeds: Sequence[int]) -> Iterator[Task]:
    """All runs of some seeds, seed by seed."""
    for seed in seeds:
        for arm in arms.values():
            yield task_of(city, arm.plan, seed, arm.fixed_under)


def seed_results(city: StudyCity, arms: Arms, seeds: Sequence[int]) -> list[SeedResult]:
    """What the finished runs of some seeds say; one seed's tables are held at a time."""
    book = arms["b"].plan.book
    return [
        seed_result(
            {name: read_outcome(task_of(city, arm.plan, seed, arm.fixed_under).path) for name, arm in arms.items()},
            book,
        )
        for seed in seeds
    ]
