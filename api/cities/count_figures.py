"""`python -m api.cities.count_figures`: counts the figures of cities anew, in a process of low priority.

Counting a day of a large city takes seconds of a core, which those who wait for an answer shall not notice.
"""

import subprocess
import threading
from collections.abc import Callable
from typing import Final

from api.child_process import end, read_order, start
from api.cities.daily_figures import is_behind, refresh
from api.clock import now_us
from api.db.store import Store

_LOOK_S: Final = 0.25


class FigureCounter:
    """Keeps the figures of cities up to date, for one server process."""

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock
        self._stopping = threading.Event()

    def ask_to_stop(self) -> None:
        """End the process that counts; nothing is lost by that."""
        self._stopping.set()

    def step(self) -> bool:
        """Count what has changed; where events keep coming, once in a while is enough."""
        if is_behind(self._store, self._clock()):
            process = start("api.cities.count_figures", {"url": self._store.url, "now_us": self._clock()})
            try:
                self._wait(process)
            finally:
                end(process)
        return False

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        while process.poll() is None and not self._stopping.wait(_LOOK_S):
            pass


def main() -> None:
    """Do it once."""
    order = read_order()
    store = Store(order["url"])
    refresh(store, order.get("now_us", now_us()))
    store.close()


if __name__ == "__main__":
    main()
