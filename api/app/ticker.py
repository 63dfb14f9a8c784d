"""Does what falls due: books that take effect, fades and resets, unanswered appeals, and expired rows.

Each is a unit of its own. Any number of servers may tick on one database: on PostgreSQL who comes second skips the
turn, on SQLite writers take turns anyway, and every verb looks again once it holds its rows.
"""

import threading
from collections.abc import Callable
from typing import Final

from api.books.in_force import RulesInForce, rules_in_force
from api.books.scheduling import activate_due, suspend_overtaken
from api.db.idempotency import delete_answers
from api.db.locks import holds_tick_lock
from api.db.store import Store
from api.db.unit_of_work import WriteUnit
from api.decisions.appeals import settle_appeals
from api.ledger.posting import write_due
from api.settings import Settings
from api.webhooks.deliveries import delete_old_messages, limit_queues
from rules.errors import BookError
from rules.units import US_PER_DAY, US_PER_S

# Short units: whoever posts events of these riders waits for them.
RIDERS_AT_ONCE: Final = 200
_US_PER_H: Final = 3_600 * US_PER_S


class Ticker:
    """What is due, for one server process."""

    def __init__(self, store: Store, settings: Settings, clock: Callable[[], int]) -> None:
        self._store = store
        answers_us = settings.idempotency_keep_h * _US_PER_H
        messages_us = settings.messages_keep_d * US_PER_DAY
        self._clock = clock
        self._stopping = threading.Event()
        # Appeals that the ledger refused: they stay open, people see them late in the inbox, and this says so once.
        self._refused: set[str] = set()
        self._duties: tuple[Callable[[WriteUnit], int], ...] = (
            lambda unit: len(activate_due(unit)),
            suspend_overtaken,
            lambda unit: _by_law(unit, _settle),
            lambda unit: _by_law(unit, self._settle_appeals),
            lambda unit: delete_answers(unit, unit.recorded_us - answers_us),
            lambda unit: delete_old_messages(unit, unit.recorded_us - messages_us),
            limit_queues,
        )

    def ask_to_stop(self) -> None:
        """Let the unit that is going on be the last one."""
        self._stopping.set()

    def step(self) -> bool:
        """Do all that is due by now; the next look comes after a pause.

        Raises
        ------
        ExceptionGroup
            What failed, after everything else was done: one duty that fails must not keep the deadlines of the others.
        """
        failures: list[Exception] = []
        known = len(self._refused)
        for due in self._duties:
            try:
                self._again(due)
            except Exception as error:  # noqa: BLE001 - as said above
                failures.append(error)
        self._store.scrub(again=True)
        if len(self._refused) > known:
            failures.append(RuntimeError(f"upheld appeals were not scored: {', '.join(sorted(self._refused))}"))
        if failures:
            raise ExceptionGroup("what was due and could not be done", failures)
        return False

    def _again(self, due: Callable[[WriteUnit], int]) -> None:
        """Do a part of what is due until nothing is left."""
        while not self._stopping.is_set():
            with self._store.writing(self._clock()) as unit:
                if not holds_tick_lock(unit) or not due(unit):
                    return

    def _settle_appeals(self, unit: WriteUnit, law: RulesInForce) -> int:
        settled = settle_appeals(unit, law, unit.recorded_us, RIDERS_AT_ONCE, self._refused)
        self._refused |= set(settled.refused)
        return settled.num_over


def _by_law(unit: WriteUnit, due: Callable[[WriteUnit, RulesInForce], int]) -> int:
    try:
        law = rules_in_force(unit)
    except BookError:
        # No book is stored yet: nothing was scored that could fall due.
        return 0
    return due(unit, law)


def _settle(unit: WriteUnit, law: RulesInForce) -> int:
    return write_due(unit, law, unit.recorded_us, RIDERS_AT_ONCE)
