"""Warming up reaches everything that is compiled on first use, and leaves nothing to be looked through for garbage."""

import gc
import threading
from typing import Any

from api.http.warmth import warm, warming
from scoring import kernel, ledger, liability, score
from scoring.hashing import write_ids
from tests.api.http import apart

# Warming up asks nothing of a service.
_NOBODY: Any = None


def test_what_posts_need_is_compiled() -> None:
    """After it the kernel, liability, the comparison with what stands and the entry ids have a compiled form."""
    warm()

    needed = (kernel._fold, liability._attribute, score._compare, ledger._id_words, write_ids)
    assert [function.__name__ for function in needed if not function.signatures] == []


def test_what_is_loaded_is_not_looked_through_again() -> None:
    """While a server runs, a full collection of garbage passes over all that was there before the first request."""
    num_seen: list[int] = []

    async def start_and_stop() -> None:
        async with warming(_NOBODY):
            for thread in threading.enumerate():
                if thread.name == "warm":
                    thread.join()
            num_seen.append(len(gc.get_objects()))

    num_before = len(gc.get_objects())
    apart.run(start_and_stop())

    assert num_seen[0] < num_before // 10
    assert gc.get_freeze_count() == 0
