"""Enters what was accepted about riders' older past, one rider after the other, the longest wait first.

Where nothing waits, riders with long histories and few checkpoints get some: those of a database from before there were
any, and those that were loaded. Long pasts are folded in a process apart, so that nobody waits longer for an answer.
"""

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from threading import Lock
from typing import Final, TypeVar

from api.child_process import NICE, WorkError
from api.db.store import Store
from api.db.unit_of_work import ReadUnit
from api.ledger.checkpoints import riders_lacking_checkpoints
from api.ledger.replays import LONG, HistoryReader, add_missing_checkpoints, is_long, prepare, replay, waiting_riders
from rules.units import US_PER_S

RIDERS_AT_ONCE: Final = 20
# Until a rider whose replay failed is tried again.
AGAIN_US: Final = 60 * US_PER_S
# All riders are looked at for checkpoints once when the server starts, then once in so long.
LOOK_US: Final = 3_600 * US_PER_S
LOOKED_AT_ONCE: Final = 1_000


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


class Replayer:
    """Replays, for one server process; any number may work on one database.

    Parameters
    ----------
    apart_from
        Histories of more entries than this are folded in the process apart.
    apart
        That process; by default one of its own.
    """

    def __init__(
        self, store: Store, clock: Callable[[], int], apart_from: int = LONG, apart: ReplayProcess | None = None
    ) -> None:
        self._store = store
        self._apart_from = apart_from
        self._clock = clock
        self._failed_us: dict[str, int] = {}
        self._looked_at: str | None = ""
        self._look_us = 0
        self._apart = ReplayProcess(store.url) if apart is None else apart
        self._has_begun = self._is_stopping = False

    def step(self) -> bool:
        """Do what waits; True if there may be more.

        Raises
        ------
        ExceptionGroup
            What failed, after the others were done.
        ApartError
            If the process apart failed at something else than a rider's replay.
        """
        try:
            return not self._is_stopping and self._step()
        except (ReplayProcessError, ExceptionGroup):
            # The process apart was ended, and what was asked of it goes on waiting.
            if self._is_stopping:
                return False
            raise

    def _step(self) -> bool:
        if not self._has_begun:
            self._begin()
        now_us = self._clock()
        self._failed_us = {rider: at for rider, at in self._failed_us.items() if at + AGAIN_US > now_us}
        with self._store.reading() as unit:
            riders = waiting_riders(unit, RIDERS_AT_ONCE, self._failed_us)
        failures: list[Exception] = []
        for rider in riders:
            try:
                replay(self._store, rider, self._clock, self._reading(rider))
            except Exception as error:  # noqa: BLE001 - one rider must not keep the others waiting
                self._failed_us[rider] = self._clock()
                failures.append(error)
        if failures:
            raise ExceptionGroup("replays that failed and wait on", failures)
        return len(riders) == RIDERS_AT_ONCE or (not riders and self._fill(now_us))

    def ask_to_stop(self) -> None:
        """End the process apart; what waits goes on waiting."""
        self._is_stopping = True
        self._apart.close()

    def _begin(self) -> None:
        """Where there are long histories, let the process apart be ready before it is needed; tried once."""
        self._has_begun = True
        with self._store.reading() as unit:
            has_long = is_long(unit, more_than=self._apart_from)
        if has_long:
            self._apart.read(prepare, "", self._clock())

    def _reading(self, rider: str) -> HistoryReader | None:
        with self._store.reading() as unit:
            return self._apart.read if is_long(unit, rider, self._apart_from) else None

    def _fill(self, now_us: int) -> bool:
        """Leave checkpoints of some riders; True if there are more to look at."""
        if self._looked_at is None:
            if now_us < self._look_us + LOOK_US:
                return False
            self._looked_at = ""
        with self._store.reading() as unit:
            riders, self._looked_at = riders_lacking_checkpoints(unit, self._looked_at, LOOKED_AT_ONCE)
        for rider in riders:
            add_missing_checkpoints(self._store, rider, self._clock(), self._reading(rider))
        self._look_us = now_us
        return self._looked_at is not None


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
