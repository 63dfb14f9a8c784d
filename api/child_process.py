"""Child processes for long work: of low priority, given their task on stdin, ended with the parent.

The input is one line of JSON and then stays open. When it ends, whoever held it is gone, and the process ends itself
with all that it has started. What must not be seen by others, such as a password, stands in no command line.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any, Final

NICE: Final = 10


class WorkError(Exception):
    """The family of errors of work that goes on behind a request or a command: it failed, was stopped or taken away."""


def start(module: str, order: Mapping[str, Any]) -> subprocess.Popen[bytes]:
    """A process that runs a module, which begins with `read_order`."""
    command = [sys.executable, "-m", module]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603 - our own module
    if process.stdin is None:
        raise RuntimeError("the process has no input")
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.flush()
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process with all it has started, if it is still there."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()


def read_order() -> dict[str, Any]:
    """In the process: what is to be done. From here on the process ends with whoever gave the order.

    Whoever waits for an answer of the service comes first: the priority is low.
    """
    order: dict[str, Any] = json.loads(sys.stdin.readline())
    threading.Thread(target=_watch_input, args=(order.get("folder"),), daemon=True).start()
    os.nice(NICE)
    return order


def _watch_input(folder: str | None) -> None:
    """End with all that was started here once nobody holds the other end."""
    while sys.stdin.read(4096):
        pass
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)
