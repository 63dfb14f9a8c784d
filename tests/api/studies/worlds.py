"""What tests of long work stand on: a city with events, two stored books, a worker that runs until nothing waits."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import update

from api.clock import elapsed_ns, now_us
from api.db.store import Store
from api.db.tables import studies as rows
from api.endpoints.common.logs import make_log
from api.studies import jobs
from api.studies.worker import Worker
from rules.shelf import versions
from tests.api.ledger.posts import BOOK, FADING, later, post, publish, rider_week
from tests.api.studies import server

CITY = "hangzhou"
PATIENCE_S = 240


def city(store: Store, *, num_riders: int = 4, days: int = 3) -> list[dict[str, Any]]:
    """Publish two books and post some days of a city."""
    publish(store, BOOK, FADING)
    events = later(row for k in range(num_riders) for row in rider_week(f"r{k}", days=days, shift_min=7 * k))
    post(store, events, BOOK)
    return events


def digest_of(book_id: str) -> str:
    """The newest version of a shipped book."""
    return versions(book_id)[-1].digest


def ask(store: Store, **options: Any) -> str:
    """Ask for an impact of one book against the other."""
    sides = {"a": digest_of(BOOK), "b": digest_of(FADING)} | options
    with store.writing(now_us()) as unit:
        return jobs.start_impact(unit, "ops:li.na", city=CITY, days=sides.pop("days", 7), **sides)


def study(store: Store, study_id: str) -> jobs.Study:
    """How it stands."""
    with store.reading() as unit:
        return jobs.study_of(unit, study_id)


def wait_for(what: Any, patience_s: int = PATIENCE_S) -> Any:
    """Look until something holds; there is a limit to patience."""
    until_ns = elapsed_ns() + patience_s * 1_000_000_000
    pause = threading.Event()
    while elapsed_ns() < until_ns:
        found = what()
        if found:
            return found
        pause.wait(0.05)
    raise TimeoutError(what)


@contextmanager
def working(store: Store) -> Iterator[Worker]:
    """A worker in a thread of its own."""
    worker = Worker(store, now_us, make_log("error"))
    over = threading.Event()

    def run() -> None:
        while not over.is_set():
            if not worker.step():
                over.wait(0.05)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield worker
    finally:
        over.set()
        worker.ask_to_stop()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


@contextmanager
def other_server(url: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server of its own that does long work; killed at the end if it is still there."""
    with subprocess.Popen([sys.executable, server.__file__, url]) as process:
        try:
            yield process
        finally:
            process.kill()


def run_out(store: Store, study_id: str) -> None:
    """Let a lease be over."""
    with store.writing(now_us()) as unit:
        unit.connection.execute(update(rows).where(rows.c.study_id == study_id).values(lease_us=0))
