"""Independent tasks: every result once, errors as they were, a lost worker told."""

import os
import signal
from functools import partial

import pytest

from api.runs.engines import WorkersLostError, engine

pytestmark = pytest.mark.slow


def square(number: int) -> int:
    """A task."""
    return number * number


def where(_number: int) -> int:
    """Which process does it."""
    return os.getpid()


def fail_at(bad: int, number: int) -> int:
    """A task with a fault at one item."""
    if number == bad:
        raise ValueError(f"{number} is bad")
    return number


def die(_number: int) -> None:
    """What the system does to a process for which there is no memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_every_item_has_its_result_once() -> None:
    """More items than workers, handed out one by one; an engine serves several rounds."""
    with engine("local", 2) as run:
        first, second = sorted(run(square, iter(range(9)))), list(run(square, ()))

    assert first == [number * number for number in range(9)]
    assert second == []


def test_unless_told_otherwise_there_is_a_worker_a_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cores that this process may use, not those of the machine: one is this process, two are others."""
    found = []
    for cores in ({0}, {0, 1}):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _pid, cores=cores: cores)
        with engine("local") as run:
            found.append(set(run(where, range(3))) == {os.getpid()})

    assert found == [True, False]


def test_one_worker_is_this_process() -> None:
    """Alone nothing is started."""
    with engine("local", 1) as run:
        found = set(run(where, range(3)))

    assert found == {os.getpid()}


@pytest.mark.parametrize("num_workers", [1, 2])
def test_what_a_task_raises_is_raised(num_workers: int) -> None:
    """With its own type and words."""
    with engine("local", num_workers) as run, pytest.raises(ValueError, match="5 is bad"):
        list(run(partial(fail_at, 5), range(50)))


def test_a_lost_worker_is_told() -> None:
    """A process that was killed is no result, and no hanging."""
    with pytest.raises(WorkersLostError), engine("local", 2) as run:
        list(run(die, range(2)))
