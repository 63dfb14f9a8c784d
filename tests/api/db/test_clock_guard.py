"""The clock guard: a clock that jumped, went back or was silent too long decides nothing."""

from collections.abc import Callable

import pytest
from sqlalchemy import select

from api.clock import now_us
from api.db.clock_guard import APART_US, GAP_US, ClockGuard, ClockState, clock_row, confirm_clock, database_now_us
from api.db.identity import mark_demo
from api.db.store import Store, UnreachableError
from api.db.tables import audit
from api.refusals import Refused
from tests.api.endpoints.conftest import Clock
from tests.api.ledger.posts import START_US

S = 1_000_000


class Times:
    """The wall clock and the running time of one machine; both go on, and the wall clock can be set."""

    def __init__(self, wall_us: int = START_US) -> None:
        self.wall_us, self.running_us = wall_us, 5 * S

    def pass_(self, seconds: float) -> None:
        """Let time pass."""
        self.wall_us += int(seconds * S)
        self.running_us += int(seconds * S)

    def set_(self, seconds: float) -> None:
        """Set the wall clock ahead, or back."""
        self.wall_us += int(seconds * S)

    def clock_guard(self, store: Store, *, is_demo: bool = False) -> ClockGuard:
        """The guard of a server that starts on this machine."""
        clock_guard = ClockGuard(
            store, lambda: self.wall_us, lambda: self.running_us, by_database=False, is_demo=is_demo
        )
        clock_guard.look()
        return clock_guard


def refused(clock_guard: ClockGuard) -> str | None:
    """The code with which writing is refused; None where it is not."""
    try:
        clock_guard.permit()
    except Refused as refusal:
        return refusal.code
    return None


def by_person(store: Store, times: Times) -> None:
    """What `riderscore doctor --confirm-clock` does."""
    with store.writing(times.wall_us) as unit:
        confirm_clock(unit, times.wall_us, "cli:doctor")


def heartbeat(store: Store) -> int | None:
    """When all was last known to be in order."""
    with store.reading() as unit:
        return clock_row(unit).heartbeat_us


@pytest.mark.parametrize("gap_us", [0, 3_600 * S, GAP_US])
def test_a_gap_of_a_day_is_accepted(store: Store, gap_us: int) -> None:
    """A server that starts within 24 h of the last heartbeat goes on, and the heartbeat with it."""
    times = Times()
    times.clock_guard(store)
    times.pass_(gap_us // S)

    clock_guard = times.clock_guard(store)

    assert refused(clock_guard) is None
    assert clock_guard.may_act()
    assert heartbeat(store) == times.wall_us


@pytest.mark.parametrize(
    ("ahead_us", "why"), [(GAP_US + S, "gap"), (30 * 86_400 * S, "gap"), (-APART_US - S, "back"), (-86_400 * S, "back")]
)
def test_a_server_started_at_another_time_writes_nothing(store: Store, ahead_us: int, why: str) -> None:
    """Longer after the heartbeat than a day, or before it: writing is refused, and no heartbeat follows the wrong clock."""
    times = Times()
    times.clock_guard(store)
    times.set_(ahead_us // S)

    clock_guard = times.clock_guard(store)

    assert clock_guard.state == ClockState("held", why)
    assert refused(clock_guard) == "clock_held"
    assert not clock_guard.may_act()
    assert heartbeat(store) == START_US


@pytest.mark.parametrize("ahead_s", [31, 6 * 3_600, 30 * 86_400, -31, -86_400])
def test_a_clock_that_moves_while_a_server_runs_is_not_followed(store: Store, ahead_s: int) -> None:
    """The first write after it is refused, before any tick, and the server's own time does not move with it."""
    times = Times()
    clock_guard = times.clock_guard(store)
    times.pass_(1)
    times.set_(ahead_s)

    assert refused(clock_guard) == "clock_held"
    assert not clock_guard.may_act()
    assert clock_guard.now_us() == START_US + S


def test_a_jump_between_two_ticks_is_seen_by_the_second(store: Store) -> None:
    """Nobody wrote meanwhile; what falls due waits all the same."""
    times = Times()
    clock_guard = times.clock_guard(store)
    times.set_(3_600)
    times.pass_(5)

    clock_guard.look()

    assert clock_guard.state == ClockState("held", "jump")
    with store.reading() as unit:
        assert clock_row(unit).why == "jump"


def test_a_hold_stays_until_a_person_ends_it(store: Store) -> None:
    """Neither the clock's return, nor another server, nor a restart ends it; a confirmation does, for all of them."""
    times = Times()
    clock_guard = times.clock_guard(store)
    times.set_(3_600)
    assert refused(clock_guard) == "clock_held"
    times.set_(-3_600)
    clock_guard.look()
    other = times.clock_guard(store)
    assert [refused(clock_guard), refused(other)] == ["clock_held", "clock_held"]

    by_person(store, times)
    clock_guard.look()
    other.look()

    assert [refused(clock_guard), refused(other), refused(times.clock_guard(store))] == [None, None, None]
    with store.reading() as unit:
        assert list(unit.connection.scalars(select(audit.c.action))) == ["clock_confirmed"]


def test_a_clock_set_back_goes_on_once_confirmed(store: Store) -> None:
    """The heartbeat begins again at the confirmed time, and what is compared with it."""
    times = Times()
    clock_guard = times.clock_guard(store)
    times.set_(-86_400)
    clock_guard.look()

    by_person(store, times)
    times.pass_(5)
    clock_guard.look()

    assert refused(clock_guard) is None
    assert clock_guard.now_us() == heartbeat(store) == times.wall_us


def test_a_demo_confirms_itself(store: Store) -> None:
    """After three weeks a demo opens as before."""
    times = Times()
    times.clock_guard(store, is_demo=True)
    times.set_(21 * 86_400)

    clock_guard = times.clock_guard(store, is_demo=True)

    assert refused(clock_guard) is None
    assert clock_guard.now_us() == times.wall_us


def test_slow_steering_of_the_clock_is_no_jump(store: Store) -> None:
    """A clock that the network steers by a second an hour stays believed for days; steps of 29 s a minute do not."""
    times = Times()
    clock_guard = times.clock_guard(store)
    for _ in range(3 * 24):
        times.pass_(3_601)
        times.set_(1)
        clock_guard.look()
    assert refused(clock_guard) is None

    for _ in range(2):
        times.pass_(60)
        times.set_(29)
        clock_guard.look()

    assert refused(clock_guard) == "clock_held"


def test_a_suspended_machine_is_a_gap(store: Store) -> None:
    """Eight hours of sleep pass for both clocks."""
    times = Times()
    clock_guard = times.clock_guard(store)
    times.pass_(8 * 3_600)

    clock_guard.look()

    assert refused(clock_guard) is None


def own_clock(off_s: int) -> Callable[[], int]:
    """A process's clock beside this machine's."""
    return lambda: now_us() + off_s * S


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("off_s", [-3_600, -40, 40, 30 * 86_400])
def test_a_process_apart_from_the_database_takes_itself_out_alone(store: Store, off_s: int) -> None:
    """On PostgreSQL the database's clock decides: the others go on, and so does this one once its clock is right."""
    wrong = Clock(off_s)
    apart = ClockGuard(store, lambda: now_us() + wrong.now_us * S)
    right = ClockGuard(store)
    for clock_guard in (right, apart):
        clock_guard.look()

    assert [refused(right), refused(apart)] == [None, "clock_apart"]
    assert not apart.may_act()
    assert abs(apart.now_us() - now_us()) < 10 * S
    with store.reading() as unit:
        assert clock_row(unit).held_us is None

    wrong.now_us = 0
    apart.look()

    assert refused(apart) is None


def test_small_differences_from_the_database_are_borne(store: Store) -> None:
    """Twenty seconds are no reason to stop; what is written bears the database's time."""
    clock_guard = ClockGuard(store, own_clock(20))

    clock_guard.look()

    assert refused(clock_guard) is None
    if store.engine.dialect.name == "postgresql":
        assert abs(clock_guard.now_us() - now_us()) < 10 * S


def test_a_clock_that_is_not_believed_does_not_say_the_time(store: Store) -> None:
    """A server that starts a month ahead goes on from the last heartbeat, so that nothing is kept until a wrong time."""
    times = Times()
    times.clock_guard(store)
    times.set_(30 * 86_400)

    clock_guard = times.clock_guard(store)
    times.pass_(60)

    assert clock_guard.now_us() == START_US + 60 * S


def test_who_keeps_things_until_a_time_is_told_when_it_is_set(store: Store) -> None:
    """A confirmation while a server runs sets its time; the first look does not."""
    times, told = Times(), []
    clock_guard = ClockGuard(store, lambda: times.wall_us, lambda: times.running_us, by_database=False)
    clock_guard.when_set.append(lambda: told.append(1))
    clock_guard.look()
    times.set_(3_600)
    clock_guard.look()
    assert told == []

    by_person(store, times)
    clock_guard.look()

    assert told == [1]


def test_nothing_is_written_before_the_first_look(store: Store) -> None:
    """A database that was away when the server started lets nothing in at a clock that nobody looked at."""
    times = Times()
    clock_guard = ClockGuard(store, lambda: times.wall_us, lambda: times.running_us, by_database=False)
    clock_guard.watch()
    with pytest.raises(UnreachableError):
        clock_guard.permit()

    clock_guard.look()

    assert refused(clock_guard) is None


def test_a_database_of_a_demo_confirms_itself(store: Store) -> None:
    """The mark in the database is enough, whatever the setting says."""
    times = Times()
    with store.writing(START_US) as unit:
        mark_demo(unit)
    times.clock_guard(store)
    times.set_(21 * 86_400)

    assert refused(times.clock_guard(store)) is None


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_database_clock_that_jumps_does_not_move_the_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """While two clocks disagree a process goes by what has passed since they agreed."""
    clock_guard = ClockGuard(store)
    clock_guard.look()
    real = database_now_us
    monkeypatch.setattr("api.db.clock_guard.database_now_us", lambda unit: real(unit) + 31 * 86_400 * S)

    clock_guard.look()

    assert refused(clock_guard) == "clock_apart"
    assert abs(clock_guard.now_us() - now_us()) < 10 * S
