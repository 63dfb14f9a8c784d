"""The service as people run it: a process of its own on a port of this machine, which can be killed and started again."""

import os
import random
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

# Nothing that slows a test down, and keys whose request died are free again after a second.
SETTINGS: dict[str, str] = {
    "RIDERSCORE_REQUESTS_PER_MINUTE": "0",
    "RIDERSCORE_IDEMPOTENCY_LEASE_S": "1",
    "RIDERSCORE_LOG_LEVEL": "error",
}


class Served:
    """One server after the other at the same address."""

    def __init__(self, url: str, settings: Mapping[str, str]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._url = url
        self._environ = {**os.environ, **SETTINGS, **settings}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def at(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it; it answers once it is there."""
        program = "from api.cli.main import main; main()"
        words = ["serve", "--database-url", self._url, "--port", str(self.port)]
        self._process = subprocess.Popen(
            [sys.executable, "-c", program, *words], env=self._environ, stdout=subprocess.DEVNULL
        )

    def kill(self) -> None:
        """SIGKILL: no time to say anything."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Ask it to stop, and wait until it has."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
            self._process = None

    def kill_again_and_again(self, answers: threading.Semaphore, num_kills: int, luck: random.Random) -> None:
        """Let some answers through, then kill the server a moment later and start another."""
        pause = threading.Event()
        for _ in range(num_kills):
            for _ in range(luck.randint(2, 8)):
                answers.acquire(timeout=120)
            pause.wait(luck.random() * 0.05)
            self.kill()
            self.start()


@contextmanager
def served(url: str, **settings: str) -> Iterator[Served]:
    """A running service; killed at the end if it is still there."""
    server = Served(url, settings)
    server.start()
    try:
        yield server
    finally:
        server.kill()
