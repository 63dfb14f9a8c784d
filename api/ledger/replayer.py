"""Enters what was accepted about riders' older past, one rider after the other, whoever has waited longest first.

Where nothing waits, riders with long histories and few checkpoints get some: those of a database from before there were
any, and those that were loaded. Long pasts are folded in a process apart, so that nobody waits longer for an answer.
"""

from collections.abc import Callable
from typing import Final

from api.db.store import Store
from api.ledger.checkpoints import riders_lacking_checkpoints
from api.ledger.replay_process import ReplayProcess, ReplayProcessError
from api.ledger.replays import LONG, HistoryReader, add_missing_checkpoints, is_long, prepare, replay, waiting_riders
from rules.units import US_PER_S

RIDERS_AT_ONCE: Final = 20
# Until a rider whose replay failed is tried again.
AGAIN_US: Final = 60 * US_PER_S
# All riders are looked at for checkpoints once when the server starts, then once in so long.
LOOK_US: Final = 3_600 * US_PER_S
LOOKED_AT_ONCE: Final = 1_000


class Replayer:
    """Replays, for one server process; any number may work on one database.

    Parameters
    ----------
    apart_from
        Histories of more entries than this are folded in the process apart.
    apart
        That process; by default one of its own.
    """

    def __init__(
        self, store: Store, clock: Callable[[], int], apart_from: int = LONG, apart: ReplayProcess | None = None
    ) -> None:
        self._store = store
        self._apart_from = apart_from
        self._clock = clock
        self._failed_us: dict[str, int] = {}
        self._looked_at: str | None = ""
        self._look_us = 0
        self._apart = ReplayProcess(store.url) if apart is None else apart
        self._has_begun = self._is_stopping = False

    def step(self) -> bool:
        """Do what waits; True if there may be more.

        Raises
        ------
        ExceptionGroup
            What failed, after the others were done.
        ApartError
            If the process apart failed at something else than a rider's replay.
        """
        try:
            return not self._is_stopping and self._step()
        except (ReplayProcessError, ExceptionGroup):
            # The process apart was ended, and what was asked of it goes on waiting.
            if self._is_stopping:
                return False
            raise

    def _step(self) -> bool:
        if not self._has_begun:
            self._begin()
        now_us = self._clock()
        self._failed_us = {rider: at for rider, at in self._failed_us.items() if at + AGAIN_US > now_us}
        with self._store.reading() as unit:
            riders = waiting_riders(unit, RIDERS_AT_ONCE, self._failed_us)
        failures: list[Exception] = []
        for rider in riders:
            try:
                replay(self._store, rider, self._clock, self._reading(rider))
            except Exception as error:  # noqa: BLE001 - one rider must not keep the others waiting
                self._failed_us[rider] = self._clock()
                failures.append(error)
        if failures:
            raise ExceptionGroup("replays that failed and wait on", failures)
        return len(riders) == RIDERS_AT_ONCE or (not riders and self._fill(now_us))

    def ask_to_stop(self) -> None:
        """End the process apart; what waits goes on waiting."""
        self._is_stopping = True
        self._apart.close()

    def _begin(self) -> None:
        """Where there are long histories, let the process apart be ready before it is needed; tried once."""
        self._has_begun = True
        with self._store.reading() as unit:
            has_long = is_long(unit, more_than=self._apart_from)
        if has_long:
            self._apart.read(prepare, "", self._clock())

    def _reading(self, rider: str) -> HistoryReader | None:
        with self._store.reading() as unit:
            return self._apart.read if is_long(unit, rider, self._apart_from) else None

    def _fill(self, now_us: int) -> bool:
        """Leave checkpoints of some riders; True if there are more to look at."""
        if self._looked_at is None:
            if now_us < self._look_us + LOOK_US:
                return False
            self._looked_at = ""
        with self._store.reading() as unit:
            riders, self._looked_at = riders_lacking_checkpoints(unit, self._looked_at, LOOKED_AT_ONCE)
        for rider in riders:
            add_missing_checkpoints(self._store, rider, self._clock(), self._reading(rider))
        self._look_us = now_us
        return self._looked_at is not None
