"""Requests that write wait in one queue and are served together in batches.

Clients take turns, however much each sends; of one client the first comes first. The queue lives on the event loop; the
work alone is done in threads.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Generic, Protocol, TypeVar

from api.db.store import BusyError
from api.refusals import Refused

# Served at once: more would only make those who come now wait for longer.
ROWS_AT_ONCE: Final = 1_000
NUM_AT_ONCE: Final = 128
# Waiting in all; of one client half as much.
NUM_WAITING_MAX: Final = 2_000
ROWS_WAITING_MAX: Final = 100_000
NUM_ASIDE: Final = 4
# A transaction costs about the same for one as for a dozen. So those who were just answered, and are likely to come
# again at once, are waited for as long, until as many rows wait as are worth a transaction of their own.
LINGER_S: Final = 0.03
ROWS_ENOUGH: Final = 128


class Deferred:
    """Says of a request that others would wait with it: it is done apart."""


class QueueItem(Protocol):
    """What the queue must know of a request."""

    @property
    def num_rows(self) -> int:
        """How much work it is."""

    @property
    def key(self) -> Hashable | None:
        """While one waits apart, no other of the same key is done."""


Item = TypeVar("Item", bound=QueueItem)
Result = TypeVar("Result")


class QueueHandler(Protocol):
    """Does requests in a thread: to each a result or an exception, or `Deferred` unless `waits`."""

    def __call__(self, items: Sequence[Any], *, waits: bool) -> Sequence[Any]:
        """Do them all; raises nothing."""


@dataclass(slots=True)
class _QueuedItem(Generic[Item, Result]):
    item: Item
    answer: "asyncio.Future[Result]"

    def tell(self, result: Any) -> None:
        """Give the answer to the request that waits, if it still does."""
        if self.answer.done():
            return
        if isinstance(result, BaseException):
            self.answer.set_exception(result)
        else:
            self.answer.set_result(result)


@dataclass(slots=True)
class _ClientQueue(Generic[Item, Result]):
    """What waits of one client."""

    places: deque[_QueuedItem[Item, Result]] = field(default_factory=deque)
    num_rows: int = 0


class WriteQueue(Generic[Item, Result]):
    """Requests that wait to be done, for one event loop."""

    def __init__(self, work: QueueHandler) -> None:
        self._work = work
        self._lines: OrderedDict[str, _ClientQueue[Item, Result]] = OrderedDict()
        self._num_waiting = self._rows_waiting = 0
        self._aside: deque[_QueuedItem[Item, Result]] = deque()
        self._keys_aside: set[Hashable] = set()
        self._num_aside = 0
        self._is_working = self._is_closed = False
        # How many are expected to come; when to go on although not as many wait.
        self._num_expected = 1
        self._lingers: asyncio.TimerHandle | None = None
        self._ended = asyncio.Event()
        self._threads = ThreadPoolExecutor(1 + NUM_ASIDE, "posts")

    @property
    def num_waiting(self) -> int:
        """How many wait, those that are being done left out."""
        return self._num_waiting + len(self._aside)

    async def done(self, client: str, item: Item) -> Result:
        """Wait for one's turn, and for what comes of it.

        Raises
        ------
        BusyError
            If too many wait already, or the service stops: nothing was done.
        Refused
            `idempotency_in_flight` if another of the same key waits apart.
        """
        line = self._lines.get(client)
        if (
            self._is_closed
            or self._num_waiting >= NUM_WAITING_MAX
            or self._rows_waiting >= ROWS_WAITING_MAX
            or (line is not None and 2 * len(line.places) >= NUM_WAITING_MAX)
            or (line is not None and 2 * line.num_rows >= ROWS_WAITING_MAX)
        ):
            raise BusyError("too many posts wait")
        if line is None:
            line = self._lines[client] = _ClientQueue()
        place: _QueuedItem[Item, Result] = _QueuedItem(item, asyncio.get_running_loop().create_future())
        line.places.append(place)
        line.num_rows += item.num_rows
        self._num_waiting += 1
        self._rows_waiting += item.num_rows
        if self._is_working or self._is_enough():
            self._go_on()
        else:
            self._linger()
        return await place.answer

    async def close(self) -> None:
        """Refuse the requests that wait, and wait until what is being done has ended."""
        self._is_closed = True
        while self._lines:
            for place in self._next():
                place.tell(BusyError("the service stops"))
        while self._aside:
            self._aside.popleft().tell(BusyError("the service stops"))
        while self._is_working or self._num_aside:
            self._ended.clear()
            await self._ended.wait()
        self._threads.shutdown()

    def _is_enough(self) -> bool:
        return self._num_waiting >= self._num_expected or self._rows_waiting >= ROWS_ENOUGH

    def _linger(self) -> None:
        if self._lingers is None:
            self._lingers = asyncio.get_running_loop().call_later(LINGER_S, self._go_on)

    def _go_on(self) -> None:
        """Let the next be done, if nobody works."""
        if self._lingers is not None:
            self._lingers.cancel()
            self._lingers = None
        if not self._is_working:
            places = self._next()
            if places:
                self._is_working = True
                self._begin(places, self._served, waits=False)
        while self._aside and self._num_aside < NUM_ASIDE:
            self._num_aside += 1
            self._begin([self._aside.popleft()], self._served_aside, waits=True)

    def _begin(self, places: list[_QueuedItem[Item, Result]], then: Any, *, waits: bool) -> None:
        items = [place.item for place in places]
        loop = asyncio.get_running_loop()
        doing = loop.run_in_executor(self._threads, partial(self._work, items, waits=waits))
        doing.add_done_callback(partial(then, places))

    def _next(self) -> list[_QueuedItem[Item, Result]]:
        """One of each client in turn, then another of each, until it is enough or nobody waits.

        A client whose next one is too much beside the others is passed by, and comes first the next time.
        """
        taken: list[_QueuedItem[Item, Result]] = []
        passed: set[str] = set()
        num_rows = 0
        while len(taken) < NUM_AT_ONCE:
            client = next((name for name in self._lines if name not in passed), None)
            if client is None:
                break
            line = self._lines[client]
            place = line.places[0]
            if taken and num_rows + place.item.num_rows > ROWS_AT_ONCE:
                passed.add(client)
                continue
            line.places.popleft()
            line.num_rows -= place.item.num_rows
            self._num_waiting -= 1
            self._rows_waiting -= place.item.num_rows
            self._lines.move_to_end(client)
            if not line.places:
                del self._lines[client]
            if place.answer.done():
                continue  # nobody waits for it any more
            if place.item.key is not None and place.item.key in self._keys_aside:
                place.tell(Refused("idempotency_in_flight"))
                continue
            taken.append(place)
            num_rows += place.item.num_rows
        return taken

    def _served(self, places: list[_QueuedItem[Item, Result]], doing: "asyncio.Future[Sequence[Any]]") -> None:
        self._is_working = False
        for place, result in zip(places, _results(doing, len(places)), strict=True):
            if isinstance(result, Deferred) and not self._is_closed:
                self._keys_aside.add(place.item.key)
                self._aside.append(place)
            else:
                place.tell(BusyError("the service stops") if isinstance(result, Deferred) else result)
        # Those who are answered now come again in a moment, and go together with those who wait. Without them, two halves
        # of the clients would take turns for ever.
        self._num_expected = len(places) + self._num_waiting
        if self._is_enough() or self._aside:
            self._go_on()
        elif self._num_waiting:
            self._linger()
        self._ended.set()

    def _served_aside(self, places: list[_QueuedItem[Item, Result]], doing: "asyncio.Future[Sequence[Any]]") -> None:
        self._num_aside -= 1
        for place, result in zip(places, _results(doing, len(places)), strict=True):
            self._keys_aside.discard(place.item.key)
            place.tell(result)
        self._go_on()
        self._ended.set()


def _results(doing: "asyncio.Future[Sequence[Any]]", num: int) -> Sequence[Any]:
    error = doing.exception()
    return doing.result() if error is None else [error] * num
