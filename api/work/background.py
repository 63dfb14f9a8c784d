"""All that goes on behind a running service: the tick, deliveries, long work, the figures of cities.

The service enters `background` when it starts and leaves it when it stops. A process that is killed leaves nothing
behind that another does not take up.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from anyio.to_thread import run_sync

from api.http.context import Service
from api.http.logs import make_log
from api.work.deliverer import Deliverer
from api.work.figures import Counter
from api.work.loop import Loop
from api.work.sender import Sender
from api.work.ticker import Ticker
from api.work.worker import Worker

STOP_S: Final = 15
FIGURES_S: Final = 60
LOOK_S: Final = 0.5


class Background:
    """The threads behind one service."""

    def __init__(self, service: Service) -> None:
        store, clock, log = service.store, service.clock, make_log(service.settings.log_level)
        sender = Sender(allow_private=service.settings.webhooks_private, clock=clock)
        self._deliverer = Deliverer(store, clock, sender, log)
        self._worker = Worker(store, clock, log)
        self._counter = Counter(store, clock)
        ticker = Ticker(store, service.settings, clock)
        self.loops = (
            Loop("tick", ticker.step, service.settings.tick_s, log),
            Loop("send", self._deliverer.step, LOOK_S, log),
            Loop("work", self._worker.step, LOOK_S, log),
            Loop("figures", self._counter.step, FIGURES_S, log),
        )

    def start(self) -> None:
        """Begin all of it."""
        for loop in self.loops:
            loop.start()

    def stop(self) -> None:
        """End all of it: long work is given back, deliveries on their way are waited for."""
        for loop in self.loops:
            loop.ask_to_stop()
        self._worker.ask_to_stop()
        self._counter.ask_to_stop()
        for loop in self.loops:
            loop.join(STOP_S)
        self._deliverer.close()


@asynccontextmanager
async def background(service: Service) -> AsyncIterator[None]:
    """All that goes on behind a service, while it runs; nothing where the settings say so."""
    if not service.settings.background:
        yield
        return
    behind = Background(service)
    behind.start()
    try:
        yield
    finally:
        await run_sync(behind.stop)
