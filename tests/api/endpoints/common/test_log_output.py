"""Logs that nobody reads: the service goes on, and says afterwards how many lines are missing."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import httpx2
import pytest

from api.endpoints.common.log_output import LogOutput
from api.endpoints.common.logs import make_log
from tests.api.endpoints.served import Served

pytestmark = pytest.mark.slow

SMALL_PIPE = 4_096
DEADLINE_S = 60


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A small pipe, its reading and its writing end."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, SMALL_PIPE)
    yield reading, writing
    os.close(writing)


def test_a_full_pipe_holds_nobody_up(pipe: tuple[int, int]) -> None:
    """All lines are taken at once; when somebody reads, what is missing is counted in a line of its own."""
    reading, writing = pipe
    outlet = LogOutput(writing, lines_max=100)
    log = make_log("info", outlet)

    for number in range(5_000):
        log.info("line", number=number)
    heard: list[bytes] = []
    reader = Thread(target=lambda: heard.extend(iter(lambda: os.read(reading, 65_536), b"")), daemon=True)
    reader.start()
    assert outlet.drain(DEADLINE_S)
    log.info("last")
    assert outlet.drain(DEADLINE_S)
    os.dup2(os.open(os.devnull, os.O_WRONLY), writing)
    reader.join(DEADLINE_S)

    lines = [json.loads(line) for line in b"".join(heard).splitlines()]
    num_dropped = sum(line["num"] for line in lines if line["event"] == "log_lines_dropped")
    assert num_dropped > 0
    assert num_dropped + sum(line["event"] == "line" for line in lines) == 5_000
    assert lines[-1]["event"] == "last"
    os.close(reading)


def test_a_reader_who_is_gone_ends_nothing(pipe: tuple[int, int]) -> None:
    """The other end is closed: lines are left out, and who writes them does not hear of it."""
    reading, writing = pipe
    outlet = LogOutput(writing)
    log = make_log("info", outlet)
    os.close(reading)

    for _ in range(3):
        log.info("line")
        outlet.drain(DEADLINE_S)

    assert outlet.drain(DEADLINE_S)


def test_a_service_whose_log_nobody_reads_goes_on(tmp_path: Path) -> None:
    """Its stderr is a small pipe that nobody reads: thousands of requests are answered all the same."""
    server = Served(f"sqlite:///{tmp_path / 'store.db'}", {"RIDERSCORE_LOG_LEVEL": "info"})
    program = "from api.cli.main import main; main()"
    words = ["serve", "--database-url", f"sqlite:///{tmp_path / 'store.db'}", "--port", str(server.port)]
    environ = {**os.environ, "RIDERSCORE_BACKGROUND": "0", "RIDERSCORE_LOG_LEVEL": "info"}
    process = subprocess.Popen(
        [sys.executable, "-c", program, *words], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    assert process.stdout is not None
    fcntl.fcntl(process.stderr, fcntl.F_SETPIPE_SZ, SMALL_PIPE)
    try:
        assert process.stdout.readline()
        with httpx2.Client(base_url=server.at, timeout=DEADLINE_S, trust_env=False) as client:
            statuses = {client.get("/healthz").status_code for _ in range(2_000)}
    finally:
        process.kill()
        process.communicate()

    assert statuses == {200}
