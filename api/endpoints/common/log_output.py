"""Writes log lines to the process's output without ever blocking the writer.

Lines wait in a queue with a limit; a thread of its own writes them. While the other end is full, lines are left out and
counted, and the count is the first thing written when it flows again.
"""

import datetime as dt
import io
import json
import os
import select
import sys
from collections import deque
from functools import cache
from threading import Condition, Thread
from time import sleep
from typing import Final

from api.clock import now_us

LINES_MAX: Final = 10_000
BYTES_MAX: Final = 4 * 1024 * 1024
_WRITTEN_AT_ONCE: Final = 1_024
_CLOSE_S: Final = 1.0
# Lines are gathered for so long before they are written: waking a thread for each would cost more than the line.
_GATHER_S: Final = 0.02


class LogOutput(io.TextIOBase):
    """Text to a file descriptor, written by a thread that is started with the first line.

    Parameters
    ----------
    lines_max, bytes_max
        What may wait; beyond it lines are left out.
    """

    def __init__(self, descriptor: int, *, lines_max: int = LINES_MAX, bytes_max: int = BYTES_MAX) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._lines_max, self._bytes_max = lines_max, bytes_max
        self._changed = Condition()
        self._lines: deque[bytes] = deque()
        self._num_bytes = 0
        self._num_dropped = 0
        # Whether lines wait or are being written: the thread is told of the first of them only.
        self._is_busy = False
        self._thread: Thread | None = None

    def writable(self) -> bool:
        """Whether text can be written here."""
        return True

    def write(self, text: str, /) -> int:
        """Let some text wait to be written, or leave it out where too much waits already."""
        content = text.encode("utf-8", "backslashreplace")
        with self._changed:
            if len(self._lines) >= self._lines_max or self._num_bytes + len(content) > self._bytes_max:
                self._num_dropped += 1
                return len(text)
            self._lines.append(content)
            self._num_bytes += len(content)
            if not self._is_busy:
                self._begin()
        return len(text)

    def drain(self, timeout_s: float = _CLOSE_S) -> bool:
        """Wait until all is written, no longer than so many seconds; whether it was."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._is_busy, timeout_s)

    def _begin(self) -> None:
        self._is_busy = True
        if self._thread is None:
            self._thread = Thread(target=self._run, name="log", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._lines:
                    self._is_busy = False
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: bool(self._lines))
            sleep(_GATHER_S)
            with self._changed:
                some = [self._lines.popleft() for _ in range(min(len(self._lines), _WRITTEN_AT_ONCE))]
                self._num_bytes -= sum(map(len, some))
                num_dropped, self._num_dropped = self._num_dropped, 0
            content = b"".join([_dropped(num_dropped), *some] if num_dropped else some)
            if not self._wrote(content):
                return

    def _wrote(self, content: bytes) -> bool:
        """Whether the other end took it all; it may be gone."""
        view = memoryview(content)
        while view:
            try:
                view = view[os.write(self._descriptor, view) :]
            except BlockingIOError:
                select.select([], [self._descriptor], [])
            except OSError:
                # Nobody will ever read: lines are left out from now on.
                with self._changed:
                    self._lines.clear()
                    self._num_bytes, self._lines_max, self._is_busy = 0, 0, False
                    self._changed.notify_all()
                return False
        return True


def _dropped(number: int) -> bytes:
    at = dt.datetime.fromtimestamp(now_us() / 1e6, dt.UTC).isoformat().replace("+00:00", "Z")
    line = {"num": number, "event": "log_lines_dropped", "level": "warning", "timestamp": at}
    return json.dumps(line).encode() + b"\n"


@cache
def stderr_output() -> LogOutput:
    """The outlet to this process's stderr, the one for all of its logs."""
    return LogOutput(sys.__stderr__.fileno() if sys.__stderr__ is not None else 2)
