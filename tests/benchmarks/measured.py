"""A command and all that it starts: how long it takes, and how much memory it holds at most."""

import os
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

SAMPLE_S = 0.5
KIB_PER_GIB = 1 << 20


@dataclass(frozen=True)
class Measured:
    """What a command took: wall seconds, and the peaks of its process tree's PSS, all of it and what no file backs."""

    seconds: float
    pss_gib: float
    anonymous_gib: float


def measured(command: list[str]) -> Measured:
    """Run a command to its end.

    Raises
    ------
    RuntimeError
        With what it said, if it fails.
    """
    started = time.monotonic()
    with subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        peaks, ended = [0, 0], threading.Event()
        watcher = threading.Thread(target=_watch, args=(process.pid, peaks, ended), daemon=True)
        watcher.start()
        said, _ = process.communicate()
        seconds = time.monotonic() - started
        ended.set()
        watcher.join()
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}\n{said.decode()}")
    return Measured(seconds, peaks[0] / KIB_PER_GIB, peaks[1] / KIB_PER_GIB)


def _watch(session: int, peaks: list[int], ended: threading.Event) -> None:
    while not ended.wait(SAMPLE_S):
        found = [_kib(pid) for pid in _of_session(session)]
        for k in range(2):
            peaks[k] = max(peaks[k], sum(one[k] for one in found))


def _of_session(session: int) -> list[int]:
    """Processes of a session: all that a command started and did not send away."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name, in brackets, may hold anything; after it come state, parent, group and session.
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            found.append(int(path.parent.name))
    return found


def _kib(pid: int) -> tuple[int, int]:
    """PSS of a process, and its share that no file backs."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0, 0
    said = {name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in lines[1:])}
    return said.get("Pss", 0), said.get("Pss_Anon", said.get("Pss", 0))


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))
