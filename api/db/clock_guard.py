"""Whether the clock may be believed: a clock guard, so that a wrong clock decides nothing.

The tick writes a heartbeat, the time at which the store was last known to be in order. A clock that is more than
`GAP_US` past it, before it, or that moved by itself while this process ran, is not believed: reads go on, and posts and
what falls due wait until a person confirms the clock (`riderscore doctor --confirm-clock`). Until then no heartbeat is
written. A hold stands in the database, so that every process keeps it and a restart does not end it.

On PostgreSQL the database's clock is the one that counts. A process whose own clock is more than `APART_US` from it
takes itself out alone, without a hold, and comes back once the two agree again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import select, text, update

from api.clock import now_us, running_us
from api.db.audit_notes import add_audit_note
from api.db.identity import is_demo
from api.db.store import Store, UnreachableError
from api.db.tables import clock
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.refusals import Refused
from rules.units import US_PER_S

# While nothing runs, the clock may go on by this much.
GAP_US: Final = 24 * 3_600 * US_PER_S
# Two clocks, or one clock at two times, may differ by this much.
APART_US: Final = 30 * US_PER_S
# A gap that is worth a line in the log.
_NOTED_US: Final = 300 * US_PER_S
# Clocks are steered slowly by the network's time: what was compared is renewed this often.
_RENEWED_US: Final = 3_600 * US_PER_S
_SAID_AGAIN_US: Final = 600 * US_PER_S

Why = Literal["gap", "back", "jump"]
Status = Literal["unknown", "believed", "held", "apart"]
# What an operator types; the same in every language.
REMEDY: Final = "riderscore doctor --confirm-clock"


@dataclass(frozen=True, slots=True)
class ClockRow:
    """What the database says of its clock (µs UTC).

    Parameters
    ----------
    heartbeat_us
        When all was last known to be in order; None before the first tick.
    confirmations
        How often a person, or a demo, said that the clock is right.
    held_us
        What the clock showed when it was no longer believed; None where it is.
    why
        `gap`: too long after the heartbeat; `back`: before it; `jump`: it moved while a server ran.
    """

    heartbeat_us: int | None
    confirmations: int
    held_us: int | None
    why: Why | None


@dataclass(frozen=True, slots=True)
class ClockState:
    """What a process thinks of the clock; `off_s` is how far its own is ahead of the database's (s)."""

    status: Status
    why: Why | None = None
    off_s: int = 0


class _Anchor(NamedTuple):
    """A time that was believed, and how long the machine had been running then."""

    at_us: int
    running_us: int


def clock_row(unit: ReadUnit | WriteUnit) -> ClockRow:
    """The row; a write unit holds it."""
    wanted = select(clock.c.heartbeat_us, clock.c.confirmations, clock.c.held_us, clock.c.why)
    if isinstance(unit, WriteUnit):
        wanted = wanted.with_for_update()
    return ClockRow(*unit.connection.execute(wanted).one())


def database_now_us(unit: ReadUnit | WriteUnit) -> int | None:
    """The database's clock; None for SQLite, which has none of its own."""
    if unit.connection.dialect.name != "postgresql":
        return None
    return int(unit.connection.scalar(text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")) or 0)


def clock_doubt(row: ClockRow, at_us: int) -> Why | None:
    """Why a time cannot follow the heartbeat; None where it can."""
    if row.heartbeat_us is None:
        return None
    gap_us = at_us - row.heartbeat_us
    if gap_us > GAP_US:
        return "gap"
    return "back" if gap_us < -APART_US else None


def require_believed_clock(unit: WriteUnit) -> None:
    """Go on where no server has stopped because of the clock.

    Raises
    ------
    Refused
        `clock_held`.
    """
    if clock_row(unit).why is not None:
        raise Refused("clock_held", command=REMEDY, seconds=0)


def confirm_clock(unit: WriteUnit, at_us: int, actor: str) -> None:
    """Believe the clock as it is now: the heartbeat begins again here, and whoever waits goes on."""
    row = clock_row(unit)
    unit.connection.execute(
        update(clock).values(heartbeat_us=at_us, confirmations=row.confirmations + 1, held_us=None, why=None)
    )
    add_audit_note(unit, actor, "clock_confirmed", "clock", clock_us=at_us, heartbeat_us=row.heartbeat_us, why=row.why)


class ClockGuard:
    """The time of one process, and whether it may be acted upon.

    Parameters
    ----------
    wall
        This process's clock.
    running
        Counts time evenly, however the clock is set.
    by_database
        Whether a database that has a clock of its own decides; tests whose time is their own say no.
    is_demo
        A demo confirms its clock by itself; a database that is marked as a demo's does anyway.
    """

    def __init__(
        self,
        store: Store,
        wall: Callable[[], int] = now_us,
        running: Callable[[], int] = running_us,
        *,
        by_database: bool = True,
        is_demo: bool = False,
        log: Any = None,
    ) -> None:
        self._store, self._wall, self._running = store, wall, running
        self._by_database = by_database and store.engine.dialect.name == "postgresql"
        self._is_demo = is_demo
        self._log = log
        self._lock = Lock()
        self._anchor: _Anchor | None = None
        self._compared: _Anchor | None = None
        self._confirmations: int | None = None
        self._seen: Why | None = None
        self._said: tuple[ClockState, int] | None = None
        self._is_watched = False
        # Called when the time was set anew: what was kept until some time is to be forgotten.
        self.when_set: list[Callable[[], None]] = []
        self.state = ClockState("unknown")

    def now_us(self) -> int:
        """The time: of the last look at the clock, and what passed since. A clock that jumps does not move it."""
        anchor = self._anchor
        return self._wall() if anchor is None else anchor.at_us + self._running() - anchor.running_us

    def watch(self) -> None:
        """From now on nothing is written before a first look."""
        self._is_watched = True

    def permit(self) -> None:
        """Go on where the clock is believed; what a process writes asks this first.

        Raises
        ------
        Refused
            `clock_held`, `clock_apart`.
        UnreachableError
            If the clock is watched and the database did not let it be looked at yet.
        """
        compared = self._compared
        if compared is not None and not self._by_database:
            passed_us = self._running() - compared.running_us
            moved_us = self._wall() - compared.at_us - passed_us
            if abs(moved_us) > APART_US:
                # The next look writes it down; a unit of this thread may be open now.
                self._seen = "jump" if moved_us > 0 else "back"
                self.state = ClockState("held", self._seen)
        if self._is_watched and self.state.status == "unknown":
            raise UnreachableError("the clock was not looked at yet")
        if self.state.status in ("held", "apart"):
            raise Refused(f"clock_{self.state.status}", command=REMEDY, seconds=abs(self.state.off_s))

    def may_act(self) -> bool:
        """Whether what falls due may be done."""
        return self.state.status == "believed"

    def look(self) -> bool:
        """Compare the clocks and write the heartbeat, or hold; False, as a loop's step that has nothing more to do."""
        with self._lock, self._store.writing(self._wall()) as unit:
            off_us = 0
            at_us = self._wall()
            if self._by_database:
                own_us, at_us = at_us, database_now_us(unit) or at_us
                off_us = own_us - at_us
            here = _Anchor(at_us, self._running())
            row = clock_row(unit)
            if abs(off_us) > APART_US:
                # Which of the two is wrong is not known: what passed since the last look is.
                if self._anchor is None:
                    self._anchor = here
                self._become(ClockState("apart", off_s=off_us // US_PER_S))
                return False
            self._judge(unit, row, here)
        return False

    def _judge(self, unit: WriteUnit, row: ClockRow, here: _Anchor) -> None:
        if row.confirmations != self._confirmations:
            # The clock was confirmed by hand: earlier heartbeats no longer count.
            is_set = self._confirmations is not None
            self._confirmations, self._compared, self._seen = row.confirmations, None, None
            if is_set:
                self._forget()
        why = row.why or self._seen or self._moved(here) or clock_doubt(row, here.at_us)
        if why is None:
            self._believe(unit, row, here)
        elif self._is_demo or is_demo(unit):
            confirm_clock(unit, here.at_us, "service:demo")
            self._confirmations = row.confirmations + 1
            self._compared = self._anchor = here
            self._seen = None
            self._forget()
            self._tell("clock.confirmed_by_demo", why=why)
            self._become(ClockState("believed"))
        else:
            if row.held_us is None:
                unit.connection.execute(update(clock).values(held_us=here.at_us, why=why))
            if self._anchor is None:
                # A clock that is not believed does not say the time; the last one that was does.
                self._anchor = here if row.heartbeat_us is None else _Anchor(row.heartbeat_us, here.running_us)
            self._become(ClockState("held", why))

    def _forget(self) -> None:
        for forget in self.when_set:
            forget()

    def _moved(self, here: _Anchor) -> Why | None:
        if self._compared is None:
            return None
        moved_us = here.at_us - self._compared.at_us - (here.running_us - self._compared.running_us)
        return None if abs(moved_us) <= APART_US else ("jump" if moved_us > 0 else "back")

    def _believe(self, unit: WriteUnit, row: ClockRow, here: _Anchor) -> None:
        gap_us = 0 if row.heartbeat_us is None else here.at_us - row.heartbeat_us
        if gap_us > _NOTED_US:
            self._tell("clock.gap_accepted", gap_s=gap_us // US_PER_S)
        if row.heartbeat_us is None or gap_us > 0:
            unit.connection.execute(update(clock).values(heartbeat_us=here.at_us))
        if self._compared is None or here.running_us - self._compared.running_us > _RENEWED_US:
            self._compared = here
        self._anchor = here
        self._become(ClockState("believed"))

    def _become(self, state: ClockState) -> None:
        self.state = state
        at_us = self._running()
        if self._said is not None and self._said[0].status == state.status and at_us - self._said[1] < _SAID_AGAIN_US:
            return
        if state.status == "held":
            self._tell("clock.held", why=state.why, remedy=REMEDY)
        elif state.status == "apart":
            self._tell("clock.apart", off_s=state.off_s)
        elif self._said is not None and self._said[0].status != state.status:
            self._tell("clock.believed")
        self._said = (state, at_us)

    def _tell(self, event: str, **facts: object) -> None:
        if self._log is not None:
            self._log.warning(event, **facts)
