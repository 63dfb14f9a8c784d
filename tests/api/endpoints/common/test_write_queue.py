"""The queue of posts: clients take turns, what waits is done together, and nobody is told what is not so."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from api.db.store import BusyError
from api.endpoints.common import write_queue
from api.endpoints.common.write_queue import Deferred, WriteQueue
from api.refusals import Refused
from tests.api.endpoints import own_loop


@dataclass(frozen=True)
class Item:
    """A request of some rows."""

    name: str
    num_rows: int = 1
    key: str | None = None
    is_held_up: bool = False


class Desk:
    """Work that notes what was done together, and begins its next turn when a test says so."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.apart: list[str] = []
        self.authenticator = threading.Semaphore(0)
        self.apart_gate = threading.Semaphore(0)

    def __call__(self, items: Sequence[Item], *, waits: bool) -> Sequence[Any]:
        """Answer with the names."""
        if waits:
            self.apart += [item.name for item in items]
            assert self.apart_gate.acquire(timeout=30)
            return [item.name for item in items]
        self.batches.append([item.name for item in items])
        assert self.authenticator.acquire(timeout=30)
        return [Deferred() if item.is_held_up else item.name for item in items]


def run(play: Callable[[WriteQueue[Item, str], Desk], Awaitable[None]]) -> Desk:
    """Play something with a queue of its own."""
    desk = Desk()

    async def all_of_it() -> None:
        await play(WriteQueue(desk), desk)

    own_loop.run(all_of_it())
    return desk


def asked(queue: WriteQueue[Item, str], client: str, *items: Item) -> list["asyncio.Task[str]"]:
    """Requests of a client, one after the other."""
    return [asyncio.ensure_future(queue.done(client, item)) for item in items]


async def soon(is_so: Callable[[], bool]) -> None:
    """Let the loop go on until something is so."""
    while not is_so():  # noqa: ASYNC110 - threads have no events of a loop
        await asyncio.sleep(0.001)


def names(client: str, num: int, num_rows: int = 1) -> list[Item]:
    """Items of a client."""
    return [Item(f"{client}{k}", num_rows) for k in range(num)]


def test_all_that_wait_are_done_together() -> None:
    """While one is done the others gather, and are one turn."""

    async def play(queue: WriteQueue[Item, str], desk: Desk) -> None:
        waiting = asked(queue, "a", Item("a0"))
        await soon(lambda: len(desk.batches) == 1)
        waiting += asked(queue, "a", Item("a1"), Item("a2")) + asked(queue, "b", Item("b0"))
        await soon(lambda: queue.num_waiting == 3)
        desk.authenticator.release(2)
        assert await asyncio.gather(*waiting) == ["a0", "a1", "a2", "b0"]

    assert run(play).batches == [["a0"], ["a1", "b0", "a2"]]


def test_who_was_just_answered_goes_together_with_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two halves of the clients do not take turns for ever: whoever comes again at once is waited for."""
    monkeypatch.setattr(write_queue, "LINGER_S", 30.0)

    async def play(queue: WriteQueue[Item, str], desk: Desk) -> None:
        first = asked(queue, "a", Item("a0"))
        await soon(lambda: len(desk.batches) == 1)
        second = asked(queue, "b", Item("b0"))
        await soon(lambda: queue.num_waiting == 1)
        desk.authenticator.release(2)
        assert await first[0] == "a0"
        assert await queue.done("a", Item("a1")) == "a1"
        assert await second[0] == "b0"

    assert run(play).batches == [["a0"], ["b0", "a1"]]


def test_clients_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sends much and large waits as long as anybody: one of each, then another of each."""
    monkeypatch.setattr(write_queue, "ROWS_AT_ONCE", 10)

    async def play(queue: WriteQueue[Item, str], desk: Desk) -> None:
        waiting = asked(queue, "first", Item("first"))
        await soon(lambda: len(desk.batches) == 1)
        waiting += asked(queue, "large", *names("large", 3, 10_000)) + asked(queue, "small", *names("small", 2))
        await soon(lambda: queue.num_waiting == 5)
        desk.authenticator.release(10)
        await asyncio.gather(*waiting)

    assert run(play).batches == [["first"], ["large0"], ["small0", "small1"], ["large1"], ["large2"]]


@pytest.mark.parametrize("size", [1, 2])
def test_small_ones_are_taken_along_past_large_ones(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """However many send much, whoever fills the rest of the next turn is in it; those passed by come first after it."""
    monkeypatch.setattr(write_queue, "ROWS_AT_ONCE", 10)

    async def play(queue: WriteQueue[Item, str], desk: Desk) -> None:
        waiting = asked(queue, "first", Item("first"))
        await soon(lambda: len(desk.batches) == 1)
        for client in "abc":
            waiting += asked(queue, client, *names(client, 2, 8))
        waiting += asked(queue, "small", Item("small", size))
        await soon(lambda: queue.num_waiting == 7)
        desk.authenticator.release(10)
        await asyncio.gather(*waiting)

    assert run(play).batches[1:] == [["a0", "small"], ["b0"], ["c0"], ["a1"], ["b1"], ["c1"]]


def test_a_full_queue_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """One client fills half of it at most; what is refused was not done."""
    monkeypatch.setattr(write_queue, "NUM_WAITING_MAX", 6)

    async def play(queue: WriteQueue[Item, str], desk: Desk) -> None:
        waiting = asked(queue, "first", Item("first"))
        await soon(lambda: len(desk.batches) == 1)
        waiting += asked(queue, "a", *names("a", 3)) + asked(queue, "b", *names("b", 3))
        await soon(lambda: queue.num_waiting == 6)
        for client in ("a", "c"):
            with pytest.raises(BusyError):
                await queue.done(client, Item("refused"))
        desk.authenticator.release(10)
        await asyncio.gather(*waiting)
        again = asked(queue, "a", *names("x", 3))
        await asyncio.gather(*again)

    done = [name for batch in run(play).batches for name in batch]
    assert "refused" not in done
    assert len(done) == 10


def test_who_went_away_is_left_out_and_undoes_nobody() -> None:
    """A request whose client went before its turn is not done; one that went during it does not disturb the others."""

    async def play(queue: WriteQueue[Item, str], desk: Desk) -> None:
        first, second = asked(queue, "a", Item("a0")), asked(queue, "b", Item("b0"), Item("b1"))
        await soon(lambda: len(desk.batches) == 1)
        first[0].cancel()
        second[0].cancel()
        await asyncio.sleep(0)
        desk.authenticator.release(5)
        assert await second[1] == "b1"

    assert run(play).batches == [["a0"], ["b1"]]


def test_what_others_would_wait_with_is_done_apart() -> None:
    """The rest goes on; another of the same key is refused meanwhile, since its answer is not known yet."""

    async def play(queue: WriteQueue[Item, str], desk: Desk) -> None:
        desk.authenticator.release(10)
        held_up = asked(queue, "a", Item("slow", key="k", is_held_up=True))
        await soon(lambda: bool(desk.apart))
        assert await queue.done("b", Item("quick")) == "quick"
        with pytest.raises(Refused, match="idempotency_in_flight"):
            await queue.done("a", Item("same", key="k"))
        desk.apart_gate.release()
        assert await held_up[0] == "slow"
        assert await queue.done("a", Item("later", key="k")) == "later"

    assert run(play).apart == ["slow"]


def test_closing_ends_what_was_begun_and_refuses_the_rest() -> None:
    """Nobody hears that nothing was done of what was done, nor the other way round."""

    async def play(queue: WriteQueue[Item, str], desk: Desk) -> None:
        begun = asked(queue, "a", Item("a0"))
        await soon(lambda: len(desk.batches) == 1)
        waits = asked(queue, "a", Item("a1"))
        await soon(lambda: queue.num_waiting == 1)
        closing = asyncio.ensure_future(queue.close())
        with pytest.raises(BusyError):
            await waits[0]
        assert not closing.done()
        desk.authenticator.release()
        assert await begun[0] == "a0"
        await closing
        with pytest.raises(BusyError):
            await queue.done("a", Item("a2"))

    assert run(play).batches == [["a0"]]


def test_a_fault_of_the_work_is_told_to_all_and_the_queue_goes_on() -> None:
    """Work that raises leaves nobody waiting."""
    faults = [RuntimeError("broken")]

    def work(items: Sequence[Item], *, waits: bool) -> Sequence[Any]:
        assert not waits
        if faults:
            raise faults.pop()
        return [item.name for item in items]

    async def play() -> None:
        queue: WriteQueue[Item, str] = WriteQueue(work)
        with pytest.raises(RuntimeError, match="broken"):
            await queue.done("a", Item("a0"))
        assert await queue.done("a", Item("a1")) == "a1"

    own_loop.run(play())
