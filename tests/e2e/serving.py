"""The service on a port of this machine, as `riderscore serve` runs it, with a clock of ours."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import uvicorn

from api.app.create import Hook, create_app
from api.endpoints.common.connections import Connection
from api.settings import Settings
from rules.deployment import NO_PLATFORM

START_S = 30


@contextmanager
def serving(
    url: str, clock: Callable[[], int], hooks: Sequence[Hook] = (), *, platform: str = NO_PLATFORM, demo: bool = True
) -> Iterator[str]:
    """A running service on a database; the address of its start page, without the slash at its end."""
    settings = Settings(database_url=url, platform=platform, demo=demo, token_cache_s=0, log_level="error")
    app = create_app(settings, hooks=hooks, clock=clock)
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, http=Connection, log_level="error", lifespan="on")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + START_S
    while not server.started:
        assert thread.is_alive(), "the service did not start"
        assert time.monotonic() < deadline, "the service takes too long to start"
        thread.join(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(START_S)
