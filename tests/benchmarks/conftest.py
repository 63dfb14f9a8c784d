"""One day for all contestants, and the table at the end: events per second as multiples of the peer's in the same run.

`BENCH_EVENTS` and `BENCH_RIDERS` set the size (1 000 000 and 70 000), `BENCH_PEER_EVENTS` how many of them the
slow peers see (20 000 for GoRules' engine; ten times as many for plain Python).
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rules.compile import Program, compile_books
from rules.shelf import versions
from scoring.columns import Events, Liability
from scoring.liability import attribute
from scoring.prepare import PreparedEvents, prepare_events, schedule_versions
from tests.benchmarks.national_day import write_day

NUM_EVENTS = int(os.environ.get("BENCH_EVENTS", "1_000_000"))
NUM_RIDERS = int(os.environ.get("BENCH_RIDERS", str(max(1, NUM_EVENTS // 14))))
PEER_EVENTS = int(os.environ.get("BENCH_PEER_EVENTS", "20_000"))


class Day:
    """The day's file, and for one book its rows ready to fold."""

    def __init__(self, path: Path, book_id: str) -> None:
        from api.files.readers import read_events

        self.path = path
        self.book = versions(book_id)[-1]
        self.program: Program = compile_books([self.book])
        self.schedule = schedule_versions(self.program, [0])
        self.table = read_events([path], "native").table
        self.prepared: PreparedEvents = prepare_events(self.table, self.program, self.schedule)
        self.events: Events = self.prepared.events
        self.liability: Liability = attribute(self.program.tables, self.events, self.prepared.start)
        self.until_us = np.full(len(self.prepared.riders), int(self.events["occurred_us"].max()), np.int64)


@pytest.fixture(scope="session")
def day_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The day as Parquet."""
    return write_day(tmp_path_factory.mktemp("day") / "day.parquet", NUM_RIDERS, NUM_EVENTS)


@pytest.fixture(scope="session", params=["taobao-crowdsourced", "gbt-46862-reference"])
def day(request: pytest.FixtureRequest, day_file: Path) -> Day:
    """The day under one book."""
    return Day(day_file, request.param)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Events per second, and multiples of each peer of the same group.

    The fastest round counts, for all alike: what else the machine does can only slow a round down.
    """
    session = getattr(config, "_benchmarksession", None)
    found = [one for one in getattr(session, "benchmarks", []) if "events" in one.extra_info and not one.has_error]
    if not found:
        return
    write = terminalreporter.write_line
    terminalreporter.section("events per second (fastest round), as multiples of the peers in this run")
    for group in dict.fromkeys(one.group for one in found):
        rows = [(one.extra_info, one.extra_info["events"] / one.stats.min) for one in found if one.group == group]
        peers = [(info["who"], rate) for info, rate in rows if info["peer"]]
        write("")
        write(group)
        for info, rate in rows:
            ratios = "" if info["peer"] else "  ".join(f"{rate / other:,.1f} x {who}" for who, other in peers)
            write(f"  {info['who']:<34} {rate / 1e6:>10.3f} M/s   {ratios}".rstrip())
