"""The threads on which requests that write run: one that holds row locks can always finish."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from inspect import iscoroutinefunction
from threading import BoundedSemaphore
from typing import Any, Final, TypeVar

from anyio import CapacityLimiter, fail_after
from anyio.to_thread import run_sync
from fastapi.routing import APIRoute

from api.db.store import BusyError

# How long somebody waits for a thread that is free; they may ask again.
THREAD_WAIT_S: Final = 2
T = TypeVar("T")


class ThreadedRoute(APIRoute):
    """Routes of which the work alone is done in a thread, not what becomes of its answer.

    A request whose answer is kept holds its rows until it is answered (`api.endpoints.common.idempotency_keys`). A plain function's answer
    is checked in one more thread, and there is none where as many requests as there are threads wait for those rows.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint if iscoroutinefunction(endpoint) else _threaded(endpoint), **options)


def _threaded(work: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(work)
    async def endpoint(*args: Any, **keywords: Any) -> Any:
        return await run_sync(partial(work, *args, **keywords))

    return endpoint


async def run_limited(work: Callable[[], T], turns: CapacityLimiter) -> T:
    """Do some work in a thread, once one of a few turns is free.

    Raises
    ------
    BusyError
        If none is within `THREAD_WAIT_S`.
    """
    try:
        # Only the wait can be given up; work that has begun ends.
        with fail_after(THREAD_WAIT_S):
            return await run_sync(work, limiter=turns)
    except TimeoutError:
        raise BusyError("no thread is free") from None


class ConcurrencyLimit:
    """So many pieces of work of one kind at a time; more are refused, not queued."""

    def __init__(self, number: int) -> None:
        self._free = BoundedSemaphore(number)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """One turn, for a block.

        Raises
        ------
        BusyError
            If none is free.
        """
        if not self._free.acquire(blocking=False):
            raise BusyError("as many run as may run at once")
        try:
            yield
        finally:
            self._free.release()
