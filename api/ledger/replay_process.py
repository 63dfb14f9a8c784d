"""A process of low priority beside the service, for what takes long in one piece: folding a rider's long past.

Python runs one thread at a time, so a second of folding in the service would be felt by everybody who waits for an
answer. The process begins when it is first needed, is kept, and ends with the service; results come back pickled.
"""

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from threading import Lock
from typing import TypeVar

from api.child_process import NICE, WorkError
from api.db.store import Store
from api.db.unit_of_work import ReadUnit

R = TypeVar("R")


class ReplayProcessError(WorkError):
    """The process has ended, or the work in it failed; the text says how."""


class ReplayProcess:
    """Calls functions with snapshots of the store, one at a time, in a process of its own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = Lock()
        self._process: BaseProcess | None = None
        self._line: Connection | None = None
        self._is_closed = False

    def start(self) -> Connection:
        """The line to the process, which begins if it has not.

        Raises
        ------
        ApartError
            After `close`.
        """
        with self._lock:
            if self._is_closed:
                raise ReplayProcessError("the service is stopping")
            if self._line is not None and self._process is not None and self._process.is_alive():
                return self._line
            # spawn: a fork would copy threads in the middle of what they do.
            context = multiprocessing.get_context("spawn")
            self._line, other = context.Pipe()
            self._process = context.Process(target=_serve, args=(other, self._url), name="riderscore-fold", daemon=True)
            self._process.start()
            other.close()
            return self._line

    def read(self, work: Callable[[ReadUnit, str, int], R], rider_id: str, now_us: int) -> R:
        """Call a function of a module with a snapshot, a rider and an instant; what it gives.

        Raises
        ------
        ApartError
            If it failed, or the process ended meanwhile.
        """
        line = self.start()
        try:
            line.send((work, rider_id, now_us))
            found, failure = line.recv()
        except (EOFError, OSError):
            self._end()
            raise ReplayProcessError(f"the process ended while it worked on rider {rider_id}") from None
        if failure is not None:
            raise ReplayProcessError(failure)
        result: R = found
        return result

    def close(self) -> None:
        """End the process, whatever it does; nothing is lost by that."""
        with self._lock:
            self._is_closed = True
        self._end()

    def _end(self) -> None:
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.join()


def _serve(line: Connection, url: str) -> None:
    """In the process: answer until the service is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICE)
    store = Store(url)
    while True:
        try:
            work, rider_id, now_us = line.recv()
        except (EOFError, OSError):
            return
        try:
            with store.reading() as unit:
                result = work(unit, rider_id, now_us)
        except Exception:  # noqa: BLE001 - whatever it was, whoever asked must be told
            line.send((None, traceback.format_exc()))
        else:
            line.send((result, None))
