"""A thread that does one thing again and again until it is told to stop, whatever happens to the database meanwhile."""

import threading
from collections.abc import Callable
from typing import Any


class Loop:
    """Calls `step` until `stop`.

    Parameters
    ----------
    step
        Does what is there to do; True if there may be more at once.
    pause_s
        Seconds to wait where there is nothing to do.
    log
        Hears of steps that failed.
    may_act
        Asked before each step; while it says no, nothing is done.
    """

    def __init__(
        self, name: str, step: Callable[[], bool], pause_s: float, log: Any, may_act: Callable[[], bool] | None = None
    ) -> None:
        self._name = name
        self._step = step
        self._pause_s = pause_s
        self._log = log
        self._may_act = may_act
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"riderscore-{name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Let the step that is going on be the last one."""
        self._stopping.set()

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; False if it takes longer."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def is_alive(self) -> bool:
        """Whether it goes on."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            more = False
            try:
                more = (self._may_act is None or self._may_act()) and self._step()
            except Exception:  # noqa: BLE001 - as said below
                # A database that is away for a while, or one row that cannot be worked on, must not end the thread:
                # nobody would notice until the backlog shows.
                self._log.exception("work.failed", loop=self._name)
            if not more:
                self._stopping.wait(self._pause_s)
