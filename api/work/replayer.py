"""Enters what was accepted about riders' older past, one rider after the other, whoever has waited longest first.

Where nothing waits, riders with long histories and few checkpoints get some: those of a database from before there were
any, and those that were loaded.
"""

from collections.abc import Callable
from typing import Final

from api.store.checkpoints import needy
from api.store.replays import fill, replay, waiting_riders
from api.store.units import Store
from rules.units import US_PER_S

RIDERS_AT_ONCE: Final = 20
# Until a rider whose replay failed is tried again.
AGAIN_US: Final = 60 * US_PER_S
# All riders are looked at for checkpoints once when the server starts, then once in so long.
LOOK_US: Final = 3_600 * US_PER_S
LOOKED_AT_ONCE: Final = 1_000


class Replayer:
    """Replays, for one server process; any number may work on one database."""

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock
        self._failed_us: dict[str, int] = {}
        self._looked_at: str | None = ""
        self._look_us = 0

    def step(self) -> bool:
        """Do what waits; True if there may be more.

        Raises
        ------
        ExceptionGroup
            What failed, after the others were done.
        """
        now_us = self._clock()
        self._failed_us = {rider: at for rider, at in self._failed_us.items() if at + AGAIN_US > now_us}
        with self._store.reading() as unit:
            riders = waiting_riders(unit, RIDERS_AT_ONCE, self._failed_us)
        failures: list[Exception] = []
        for rider in riders:
            try:
                replay(self._store, rider, self._clock)
            except Exception as error:  # noqa: BLE001 - one rider must not keep the others waiting
                self._failed_us[rider] = self._clock()
                failures.append(error)
        if failures:
            raise ExceptionGroup("replays that failed and wait on", failures)
        return len(riders) == RIDERS_AT_ONCE or (not riders and self._fill(now_us))

    def _fill(self, now_us: int) -> bool:
        """Leave checkpoints of some riders; True if there are more to look at."""
        if self._looked_at is None:
            if now_us < self._look_us + LOOK_US:
                return False
            self._looked_at = ""
        with self._store.reading() as unit:
            riders, self._looked_at = needy(unit, self._looked_at, LOOKED_AT_ONCE)
        for rider in riders:
            fill(self._store, rider, self._clock())
        self._look_us = now_us
        return self._looked_at is not None
