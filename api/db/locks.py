"""Locks: writers of one SQLite file within a process, in the order in which they came; one server at a time for the tick.

SQLite itself lets whoever waits sleep and look again: the lucky overtake, and a thread that sleeps holds nobody's place.
Other processes still meet at the file.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final
from weakref import WeakValueDictionary

from sqlalchemy import text

from api.db.unit_of_work import WriteUnit

_KNOWN: Final[WeakValueDictionary[str, "FairLock"]] = WeakValueDictionary()
_MEMORY: Final = Lock()


class FairLock:
    """A lock that is given in the order of asking. It may be released in another thread than the one that took it."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._is_taken = False
        self.waiting: deque[Lock] = deque()

    @contextmanager
    def turn(self, timeout_s: float) -> Iterator[bool]:
        """A turn of one's own; False if there was none in time."""
        has_turn = self._take(timeout_s)
        try:
            yield has_turn
        finally:
            if has_turn:
                self._give_on()

    def _take(self, timeout_s: float) -> bool:
        with self._guard:
            if not self._is_taken:
                self._is_taken = True
                return True
            mine = Lock()
            mine.acquire()
            self.waiting.append(mine)
        if mine.acquire(timeout=timeout_s):
            return True
        with self._guard:
            if mine in self.waiting:
                self.waiting.remove(mine)
                return False
        # It was given at the last moment.
        return True

    def _give_on(self) -> None:
        with self._guard:
            if self.waiting:
                self.waiting.popleft().release()
            else:
                self._is_taken = False


def lock_of_file(path: str) -> FairLock:
    """The turns of one database file, the same for every store of this process."""
    with _MEMORY:
        return _KNOWN.setdefault(path, FairLock())


_TICK: Final = 7_286_146_126


def holds_tick_lock(unit: WriteUnit) -> bool:
    """Whether no other server does this now; held until the unit ends. SQLite has one writer at a time anyway."""
    if unit.connection.dialect.name != "postgresql":
        return True
    return bool(unit.connection.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _TICK}))
