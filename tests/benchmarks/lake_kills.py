"""`python -m tests.benchmarks.lake_kills --events N --kills K`: SIGKILL to `riderscore score` on a lake, again and again.

A generated day is scored with a state, once in peace. Then the same command is run and its whole process group killed, now
at a random moment, now some tenths of a second into a stage, until it has been killed K times; whenever a run comes to its end, ledger and state must be those of the
run in peace byte for byte (but for the seconds in `run.json`), and the next one starts from nothing. Says which stage the
kills hit, or raises.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import cycle
from pathlib import Path

EVENTS_PER_RIDER = 14
BOOK = "gbt-46862-reference"
POLL_S = 0.02
SOON_S = 0.3
STAGES = ("reading", "scoring", "putting the ledger in place", "putting the state in place", "cleaning up")
Moment = Callable[[float], bool]


def riderscore(*arguments: object) -> list[str]:
    """The command of this environment."""
    return [str(Path(sys.executable).with_name("riderscore")), *map(str, arguments)]


def generated(folder: Path, num_events: int) -> Path:
    """A day, made once."""
    day = folder / f"day-{num_events}"
    if not (day / "bench.json").exists():
        size = ["--riders", max(1, num_events // EVENTS_PER_RIDER), "--events", num_events]
        subprocess.run(riderscore("bench", "generate", *size, "--out", day), check=True, stdout=subprocess.DEVNULL)
    return day


def contents(folder: Path) -> dict[str, bytes]:
    """All files; of `run.json` all but the seconds, of `state.json` all but the ledger that goes with it."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for name, own in (("run.json", "seconds"), ("state.json", "made")):
        if name in found:
            found[name] = json.dumps(json.loads(found[name]) | {own: None}).encode()
    return found


def stage_of(out: Path, state: Path) -> str:
    """Where a run stood when it was killed."""
    root = out.parent / f".{out.name}.work"
    if state.exists():
        return "cleaning up"
    if not (root / "work.json").exists():
        return "starting"
    if (root / "open.json").exists():
        return f"putting the {'state' if out.exists() else 'ledger'} in place"
    if out.exists() or list(root.glob("*/parts/[0-9]*.json")):
        return "scoring"
    return "reading" if list(root.glob("*/spills/*")) else "starting"


def run_and_kill(command: list[str], moment: Moment) -> bool:
    """Run the command, and kill it and its workers at a moment; whether it came to its end before."""
    with subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as run:
        started = time.monotonic()
        while run.poll() is None and not moment(time.monotonic() - started):
            time.sleep(POLL_S)
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
            run.communicate()
            return False
        said = run.communicate()[1]
    if run.returncode != 0:
        raise RuntimeError(said.decode())
    return True


def moments(places: list[Path], whole_s: float, luck: random.Random) -> Iterator[Moment]:
    """When to kill: anywhere, and soon after a run has come to each stage in turn."""
    for stage in cycle(STAGES):
        yield partial(_after, luck.uniform(0, whole_s))
        yield _Within(places, stage, luck.expovariate(1 / SOON_S))


def _never(_now_s: float) -> bool:
    return False


def _after(delay_s: float, now_s: float) -> bool:
    return now_s > delay_s


class _Within:
    """Some time after a stage was first seen; invariant: `since_s` is when that was, or None."""

    def __init__(self, places: list[Path], stage: str, delay_s: float) -> None:
        self.places, self.stage, self.delay_s = places, stage, delay_s
        self.since_s: float | None = None

    def __call__(self, now_s: float) -> bool:
        if self.since_s is None and stage_of(*self.places) == self.stage:
            self.since_s = now_s
        return self.since_s is not None and now_s > self.since_s + self.delay_s


def endure(folder: Path, num_events: int, num_kills: int, luck: random.Random) -> str:
    """Kill and compare; what happened, in lines."""
    day = generated(folder, num_events)
    peace = [folder / "peace", folder / "peace-state"]
    started = time.monotonic()
    subprocess.run(command_of(day, *peace), check=True, stdout=subprocess.DEVNULL)
    whole_s = time.monotonic() - started
    wanted = [contents(place) for place in peace]
    places = [folder / "out", folder / "out-state"]
    hits: Counter[str] = Counter()
    when = moments(places, whole_s, luck)
    num_runs = num_ends = 0
    while hits.total() < num_kills or num_runs > 0:
        num_runs += 1
        # Once there were enough kills, the last run may come to its end.
        moment = next(when) if hits.total() < num_kills else _never
        if not run_and_kill(command_of(day, *places), moment):
            hits[stage_of(*places)] += 1
            continue
        found = [contents(place) for place in places]
        differing = [name for one, other in zip(found, wanted, strict=True) for name in one.keys() ^ other.keys()]
        differing += [
            name for one, other in zip(found, wanted, strict=True) for name in one if one[name] != other.get(name)
        ]
        assert not differing, differing[:10]
        left = {path.name for path in folder.iterdir()} - {day.name, *(place.name for place in (*peace, *places))}
        assert not left, left
        for place in places:
            shutil.rmtree(place)
        num_runs, num_ends = 0, num_ends + 1
    listed = "\n".join(f"  {number:3d} while {stage}" for stage, number in hits.most_common())
    return (
        f"{num_events} events, {whole_s:.0f} s in peace: {hits.total()} kills, {num_ends} runs that came to their end, "
        f"ledger and state byte for byte the same, nothing left behind\n{listed}\n"
    )


def command_of(day: Path, out: Path, state: Path) -> list[str]:
    """Score the day, with the ledger and the state somewhere."""
    return riderscore("score", day, "--book", BOOK, "--out", out, "--state", state)


@contextmanager
def scratch(given: Path | None) -> Iterator[Path]:
    """A folder to work in: the one given, or one that goes away."""
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="riderscore-") as name:
        yield Path(name)


def main() -> None:
    """Read the options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dir", type=Path, help="an empty folder to work in (default: a temporary one)")
    options = parser.parse_args()
    with scratch(options.dir) as folder:
        sys.stdout.write(endure(folder, options.events, options.kills, random.Random(options.seed)))


if __name__ == "__main__":
    main()
