"""Whether this process is stopping, and what is under way meanwhile. What is answered then: `api.endpoints.common.stopping`."""

import asyncio
from collections.abc import Callable
from typing import Final

# From the signal until what is under way is answered in any case, and until it is no longer waited for.
ANSWER_S: Final = 8.0
REST_S: Final = 3.0


class Shutdown:
    """Whether this process is stopping, and what is under way meanwhile.

    Parameters
    ----------
    answer_s
        How long what is under way may take before it is answered as unknown.
    """

    def __init__(self, answer_s: float = ANSWER_S) -> None:
        self.has_begun = False
        self._answer_s = answer_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told: list[Callable[[], None]] = []
        self._waiting: set[asyncio.Future[None]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Where requests are answered."""
        self._loop = loop

    def when_begun(self, tell: Callable[[], None]) -> None:
        """Call something at the signal; it must not wait."""
        self._told.append(tell)

    def begin(self) -> None:
        """The signal: from any thread, also in the middle of anything."""
        if self.has_begun:
            return
        self.has_begun = True
        for tell in self._told:
            tell()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.call_later, self._answer_s, self._time_is_up)

    async def rest(self) -> None:
        """Wait a little for what was answered as unknown, so that most of it ends well."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=REST_S)

    async def do(self, work: asyncio.Task[None]) -> bool:
        """Wait for work to end; False if the time is up before. The work goes on."""
        is_late: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tasks.add(work)
        work.add_done_callback(self._ended)
        self._waiting.add(is_late)
        try:
            await asyncio.wait({work, is_late}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._waiting.discard(is_late)
        return work.done()

    def _ended(self, work: asyncio.Task[None]) -> None:
        self._tasks.discard(work)
        if not work.cancelled():
            # Requests that still wait are told; later ones are not.
            work.exception()

    def _time_is_up(self) -> None:
        for is_late in self._waiting:
            if not is_late.done():
                is_late.set_result(None)
