"""All that goes on behind a running service: the tick, deliveries, long work, the figures of cities.

The service enters `background` when it starts and leaves it when it stops. A process that is killed leaves nothing
behind that another does not take up.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final, get_args

from anyio.to_thread import run_sync

from api.app.ticker import Ticker
from api.cities.count_figures import FigureCounter
from api.clock import elapsed_ns
from api.db.clock_guard import ClockGuard
from api.db.store import UnreachableError, connection_errors
from api.endpoints.common.logs import make_log
from api.ledger.replayer import Replayer
from api.loop import Loop
from api.service import Service
from api.studies.jobs import Kind
from api.studies.worker import Worker
from api.webhooks.deliverer import WebhookDeliverer
from api.webhooks.sender import WebhookSender

STOP_S: Final = 5
FIGURES_S: Final = 60
LOOK_S: Final = 0.5


class Background:
    """The threads behind one service."""

    def __init__(self, service: Service) -> None:
        store, clock, log = service.store, service.clock, make_log(service.settings.log_level)
        sender = WebhookSender(allow_private=service.settings.webhooks_private, clock=clock)
        self._deliverer = WebhookDeliverer(store, clock, sender, log)
        self._workers = {kind: Worker(store, clock, log, kind) for kind in get_args(Kind)}
        self._counter = FigureCounter(store, clock)
        self._ticker = Ticker(store, service.settings, clock)
        self._replayer = Replayer(store, clock)

        def may_act() -> bool:
            return service.compiled.is_set() and (service.clock_guard is None or service.clock_guard.may_act())

        self.loops = (
            Loop("tick", self._ticker.step, service.settings.tick_s, log, may_act),
            Loop("replay", self._replayer.step, LOOK_S, log, may_act),
            Loop("send", self._deliverer.step, LOOK_S, log, may_act),
            *(Loop(f"work-{kind}", worker.step, LOOK_S, log, may_act) for kind, worker in self._workers.items()),
            Loop("figures", self._counter.step, FIGURES_S, log, may_act),
        )

    def start(self) -> None:
        """Begin all of it."""
        for loop in self.loops:
            loop.start()

    def ask_to_stop(self) -> None:
        """Begin nothing new: long work is given back, what falls due waits for the next look."""
        for loop in self.loops:
            loop.ask_to_stop()
        self._ticker.ask_to_stop()
        self._counter.ask_to_stop()
        self._replayer.ask_to_stop()
        for worker in self._workers.values():
            worker.ask_to_stop()

    def stop(self) -> None:
        """End all of it; deliveries on their way are waited for."""
        self.ask_to_stop()
        until_ns = elapsed_ns() + STOP_S * 1_000_000_000
        for loop in self.loops:
            loop.join(max(until_ns - elapsed_ns(), 0) / 1e9)
        self._deliverer.close()


@asynccontextmanager
async def background(service: Service) -> AsyncIterator[None]:
    """All that goes on behind a service, while it runs; nothing where the settings say so."""
    if not service.settings.background:
        yield
        return
    behind = Background(service)
    behind.start()
    service.shutdown.when_begun(behind.ask_to_stop)
    try:
        yield
    finally:
        await run_sync(behind.stop)


@asynccontextmanager
async def watching_clock(service: Service) -> AsyncIterator[None]:
    """Look at the clock before anything else begins, and at each tick while the service runs."""
    clock_guard = service.clock_guard
    if clock_guard is None:
        yield
        return
    clock_guard.watch()
    with suppress(UnreachableError):
        await run_sync(_first_look, clock_guard)
    loop = Loop("clock", clock_guard.look, service.settings.tick_s, make_log(service.settings.log_level))
    loop.start()
    try:
        yield
    finally:
        loop.ask_to_stop()
        await run_sync(loop.join, STOP_S)


def _first_look(clock_guard: ClockGuard) -> None:
    with connection_errors():
        clock_guard.look()
