"""Where independent tasks run: processes of this machine, or Ray, local or on a cluster.

An engine is a function `(task, items) → results as they come in`. Tasks are functions of a module, items and results are
picklable, and a task may be run again after its worker is lost: it must leave the same behind however often it runs.
Tasks are handed out as they can be worked on, so that whoever stops need not wait for a long queue.
"""

import logging
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from multiprocessing.process import BaseProcess
from typing import Any, Final, Literal, Protocol, TypeVar, get_args

from api.extras import need_extra
from api.files.errors import InputError
from api.runs.outcome import RunError
from rules.errors import Fault

EngineName = Literal["local", "ray"]
ENGINES: Final[tuple[EngineName, ...]] = get_args(EngineName)
# How often Ray gives a task to another worker when one is lost, with its node or alone.
MAX_RETRIES: Final = 20
CONNECT_TIMEOUT_S: Final = 5
# Tasks handed out beyond those being worked on.
QUEUED_TASKS: Final = 1

T = TypeVar("T")
R = TypeVar("R")


class Engine(Protocol):
    """Runs tasks side by side."""

    def __call__(self, task: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Results in the order in which they are done; what a task raises is raised here."""
        ...


class WorkersLostError(RunError):
    """Processes or nodes died more often than tasks are tried again; most often for want of memory."""


@contextmanager
def engine(name: EngineName, num_workers: int | None = None, address: str | None = None) -> Iterator[Engine]:
    """An engine by name.

    Parameters
    ----------
    num_workers
        Tasks side by side: by default one a core, with Ray as many as it has room for. One is done in this process.
    address
        Of a Ray cluster; by default that of `RAY_ADDRESS`, else a Ray of this machine for the run.

    Raises
    ------
    InputError
        If Ray is not installed, or there is no cluster at the address.
    WorkersLostError
        While tasks run, if workers die of more than their tasks' own faults.
    """
    with (
        _ray(num_workers, address)
        if name == "ray"
        else _local(num_workers or len(os.sched_getaffinity(0))) as run_tasks
    ):
        yield run_tasks


def _local(num_workers: int) -> AbstractContextManager[Engine]:
    return _here() if num_workers == 1 else _processes(num_workers)


@contextmanager
def _here() -> Iterator[Engine]:
    yield lambda task, items: (task(item) for item in items)


@contextmanager
def _processes(num_workers: int) -> Iterator[Engine]:
    # spawn: a fork would copy threads of Arrow in the middle of what they do.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(num_workers, context, initializer=_end_with_parent) as pool:

        def run(task: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
            queued, under_way = iter(items), set[Future[R]]()
            while True:
                free = num_workers + QUEUED_TASKS - len(under_way)
                under_way |= {pool.submit(task, item) for item in islice(queued, free)}
                if not under_way:
                    return
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()

        try:
            yield run
        except BrokenProcessPool as error:
            raise WorkersLostError from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            # Whoever stops a command need not wait for what its workers are at; what they leave behind is not read.
            for worker in multiprocessing.active_children():
                worker.terminate()
            raise


def _end_with_parent() -> None:
    """In a worker: end when the parent does, however it ends; a pool's workers would wait for it for ever.

    Ctrl-C ends a worker without words: its parent has them.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_wait_for, args=(parent,), daemon=True).start()


def _wait_for(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


@contextmanager
def _ray(num_workers: int | None, address: str | None) -> Iterator[Engine]:
    need_extra("ray", "--engine")
    import ray

    started = not ray.is_initialized()
    if started:
        try:
            _check_listening(address)
            ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        except (OSError, ValueError) as error:
            raise InputError(
                Fault("ray_unreachable", file=str(address), given=str(error).partition("\n")[0])
            ) from error

    def run(task: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        # Ray takes functions only, and a task may be a function with some arguments already in it.
        def call(item: T) -> R:
            return task(item)

        remote: Any = ray.remote(num_cpus=1, max_retries=MAX_RETRIES)(call)
        queued, under_way = iter(items), list[Any]()
        try:
            while True:
                free = None if num_workers is None else num_workers - len(under_way)
                under_way += [remote.remote(item) for item in islice(queued, free)]
                if not under_way:
                    return
                done, under_way = ray.wait(under_way)
                yield _result(ray, done[0])
        finally:
            # A Ray that was there before goes on after us.
            for reference in under_way if ray.is_initialized() else ():
                ray.cancel(reference)

    try:
        yield run
    finally:
        if started:
            ray.shutdown()


def _check_listening(address: str | None) -> None:
    """Raise `OSError` where nobody listens at `HOST:PORT`: Ray itself would try for minutes."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), CONNECT_TIMEOUT_S).close()


def _result(ray: Any, reference: Any) -> Any:
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        # Ray wraps what a task raised; callers know the plain error.
        raise (error.cause or error) from error
    except ray.exceptions.RayError as error:
        raise WorkersLostError(str(error).partition("\n")[0]) from error
