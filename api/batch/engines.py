"""Where independent tasks run: processes of this machine, or Ray, local or on a cluster.

An engine is a function `(task, items) → results as they come in`. Tasks are functions of a module, items and results are
picklable, and a task may be run again after its worker is lost: it must leave the same behind however often it runs.
"""

import logging
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from importlib.util import find_spec
from multiprocessing import get_context
from typing import Any, Final, Literal, Protocol, TypeVar

from api.batch.errors import InputError
from rules.errors import Fault

EngineName = Literal["local", "ray"]
ENGINES: Final[tuple[EngineName, ...]] = ("local", "ray")
# How often Ray gives a task to another worker when one is lost, with its node or alone.
TRIES: Final = 20
KNOCK_S: Final = 5

T = TypeVar("T")
R = TypeVar("R")


class Engine(Protocol):
    """Runs tasks side by side."""

    def __call__(self, task: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Results in the order in which they are done; what a task raises is raised here."""
        ...


@contextmanager
def engine(name: EngineName, num_workers: int | None = None, address: str | None = None) -> Iterator[Engine]:
    """An engine by name.

    Parameters
    ----------
    num_workers
        Processes of the local engine; by default one a core.
    address
        Of a Ray cluster; by default that of `RAY_ADDRESS`, else a Ray of this machine for the run.

    Raises
    ------
    InputError
        If Ray is not installed, or there is no cluster at the address.
    """
    with _local(num_workers) if name == "local" else _ray(address) as made:
        yield made


@contextmanager
def _local(num_workers: int | None) -> Iterator[Engine]:
    # spawn: a fork would copy threads of Arrow in the middle of what they do.
    with ProcessPoolExecutor(num_workers or os.cpu_count(), get_context("spawn")) as pool:

        def run(task: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
            futures = [pool.submit(task, item) for item in items]
            for future in as_completed(futures):
                yield future.result()

        try:
            yield run
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def _ray(address: str | None) -> Iterator[Engine]:
    if find_spec("ray") is None:
        raise InputError(Fault("ray_missing", file="--engine"))
    import ray

    started = not ray.is_initialized()
    if started:
        try:
            _knock(address)
            ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        except (OSError, ValueError) as error:
            raise InputError(
                Fault("ray_unreachable", file=str(address), given=str(error).partition("\n")[0])
            ) from error

    def run(task: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        # Ray takes functions only, and a task may be a function with some arguments already in it.
        def call(item: T) -> R:
            return task(item)

        remote: Any = ray.remote(num_cpus=1, max_retries=TRIES)(call)
        waiting = [remote.remote(item) for item in items]
        while waiting:
            done, waiting = ray.wait(waiting)
            yield _result(ray, done[0])

    try:
        yield run
    finally:
        if started:
            ray.shutdown()


def _knock(address: str | None) -> None:
    """Raise `OSError` where nobody listens at `HOST:PORT`: Ray itself would try for minutes."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), KNOCK_S).close()


def _result(ray: Any, reference: Any) -> Any:
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        # Ray wraps what a task raised; callers know the plain error.
        raise (error.cause or error) from error
