"""Writers of one SQLite file: in the order in which they came, and no longer than they wait for."""

import threading

import pytest

from api.db import store as store_module
from api.db.locks import FairLock
from api.db.store import BusyError, Store
from api.db.tables import people


def test_turns_are_given_in_order() -> None:
    """Nobody overtakes, though many wait."""
    turns, order = FairLock(), []

    def write(number: int) -> None:
        with turns.turn(30) as has_turn:
            assert has_turn
            order.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    with turns.turn(30):
        for number, thread in enumerate(threads):
            thread.start()
            while len(turns.waiting) <= number:
                threading.Event().wait(0.001)
    for thread in threads:
        thread.join()

    assert order == list(range(8))


def test_who_waits_too_long_leaves_the_line() -> None:
    """The place of one who gave up is nobody's: the next is served."""
    turns = FairLock()
    with turns.turn(1), turns.turn(0.01) as has_turn:
        assert not has_turn
    with turns.turn(0.01) as has_turn:
        assert has_turn


def test_a_turn_may_end_in_another_thread() -> None:
    """As the transaction of a request whose answer is kept does."""
    turns = FairLock()
    turn = turns.turn(1)
    turn.__enter__()
    thread = threading.Thread(target=turn.__exit__, args=(None, None, None))
    thread.start()
    thread.join()

    with turns.turn(0.01) as has_turn:
        assert has_turn


def test_a_writer_who_is_not_served_in_time_hears_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second writer of the process on SQLite gets no turn while the first has not ended; on PostgreSQL both write."""
    monkeypatch.setattr(store_module, "BUSY_MS", 10)

    other = Store(store.url)

    def second() -> bool:
        try:
            with other.writing(0) as unit:
                unit.connection.execute(people.insert().values(rider_id="r2", recorded_us=0))
        except BusyError:
            return False
        return True

    with store.writing(0) as unit:
        unit.connection.execute(people.insert().values(rider_id="r1", recorded_us=0))
        assert second() is not store.is_sqlite
    other.close()
