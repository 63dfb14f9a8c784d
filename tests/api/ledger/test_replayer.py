"""The process apart: long pasts are folded there, to the same lines; whatever becomes of it, nothing is lost."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from threading import Thread

import pytest

from api.db.store import Store
from api.db.unit_of_work import ReadUnit
from api.ledger.replayer import R, Replayer, ReplayProcess, ReplayProcessError
from api.ledger.replays import prepare
from tests.api.ledger.late_changes import Events, fix_of, history, is_whole, late_of, num_waiting, posted_by_day
from tests.api.ledger.posts import FADING, lines_of, newest_us, post, publish, same_ledger

pytestmark = pytest.mark.slow


def own_pid(_unit: ReadUnit, _rider_id: str, _now_us: int) -> int:
    """The process that calls this."""
    return os.getpid()


def priority(_unit: ReadUnit, _rider_id: str, _now_us: int) -> int:
    """How nice the process is that calls this."""
    return os.nice(0)


def failing(_unit: ReadUnit, rider_id: str, _now_us: int) -> int:
    """Nothing: it fails."""
    raise ValueError(f"cannot fold {rider_id}")


def dying(_unit: ReadUnit, _rider_id: str, _now_us: int) -> int:
    """Nothing: the process is killed, as for want of memory."""
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def endless(_unit: ReadUnit, _rider_id: str, _now_us: int) -> int:
    """Nothing for a long time."""
    time.sleep(600)
    return 0


class Lame(ReplayProcess):
    """One that fails at being made ready."""

    def read(self, work: Callable[[ReadUnit, str, int], R], rider_id: str, now_us: int) -> R:
        """As the other, but for `prepare`."""
        if work is prepare:
            raise ReplayProcessError("not ready")
        return super().read(work, rider_id, now_us)


def with_a_wait(store: Store) -> tuple[Events, int]:
    """A rider about whom an old correction waits: all that was posted, and when it ended."""
    publish(store, FADING)
    events = history()
    posted_by_day(store, events)
    now_us = newest_us(events)
    fix = fix_of(late_of(events), now_us)
    post(store, [fix], FADING)
    return [*events, fix], now_us


@pytest.fixture
def apart(store: Store) -> Iterator[ReplayProcess]:
    """A process apart on a database."""
    made = ReplayProcess(store.url)
    yield made
    made.close()


def test_it_is_another_process_of_low_priority_and_is_kept(apart: ReplayProcess) -> None:
    """All calls are made in one process that is not this one."""
    pids = {apart.read(own_pid, "r0", 0) for _ in range(3)}

    assert len(pids) == 1
    assert os.getpid() not in pids
    assert apart.read(priority, "r0", 0) > os.nice(0)


def test_what_fails_there_is_told_here(apart: ReplayProcess) -> None:
    """With the words and the place of the failure; the process goes on."""
    pid = apart.read(own_pid, "r0", 0)

    with pytest.raises(ReplayProcessError, match=r"(?s)in failing.*ValueError: cannot fold r0"):
        apart.read(failing, "r0", 0)

    assert apart.read(own_pid, "r0", 0) == pid


def test_a_process_that_is_killed_is_replaced(apart: ReplayProcess) -> None:
    """The call that was under way fails; the next has a new process."""
    pid = apart.read(own_pid, "r0", 0)

    with pytest.raises(ReplayProcessError, match="ended while it worked on rider r0"):
        apart.read(dying, "r0", 0)

    assert apart.read(own_pid, "r0", 0) != pid


def test_closing_does_not_wait_for_what_is_under_way(store: Store) -> None:
    """A service that stops ends the process at once, and begins none anew."""
    apart = ReplayProcess(store.url)
    failures = []

    def read() -> None:
        try:
            apart.read(endless, "r0", 0)
        except ReplayProcessError as error:
            failures.append(error)

    apart.read(own_pid, "r0", 0)
    reading = Thread(target=read)
    reading.start()
    apart.close()
    reading.join(60)

    assert not reading.is_alive()
    assert len(failures) == 1
    with pytest.raises(ReplayProcessError, match="stopping"):
        apart.read(own_pid, "r0", 0)


def test_a_long_past_is_folded_apart_to_the_same_ledger(store: Store) -> None:
    """The lines are those of one run over everything, and the chain vouches for them."""
    everything, now_us = with_a_wait(store)
    replayer = Replayer(store, lambda: now_us, apart_from=0)

    replayer.step()
    replayer.ask_to_stop()

    assert num_waiting(store) == 0
    same_ledger(store, everything, now_us, FADING)
    assert is_whole(store)


def test_what_waits_goes_on_waiting_when_the_service_stops(store: Store) -> None:
    """Nothing is written and nothing is reported as a failure; the next server does it."""
    everything, now_us = with_a_wait(store)
    before = lines_of(store)
    replayer = Replayer(store, lambda: now_us, apart_from=0)
    replayer.ask_to_stop()

    assert not replayer.step()

    assert lines_of(store) == before
    later = Replayer(store, lambda: now_us, apart_from=0)
    later.step()
    later.ask_to_stop()
    same_ledger(store, everything, now_us, FADING)


def test_a_process_that_cannot_begin_keeps_nobody_waiting(store: Store) -> None:
    """It is made ready once; where that fails it is told, and the next step replays all the same."""
    everything, now_us = with_a_wait(store)
    replayer = Replayer(store, lambda: now_us, apart_from=0, apart=Lame(store.url))

    with pytest.raises(ReplayProcessError, match="not ready"):
        replayer.step()
    replayer.step()
    replayer.ask_to_stop()

    assert num_waiting(store) == 0
    same_ledger(store, everything, now_us, FADING)
