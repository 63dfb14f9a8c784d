"""Compiles the hot code when the server starts, so that no request waits for it.

Afterwards all that is loaded and compiled is taken out of the garbage collector's sight: to look through it took a fifth
of a second every other second under load, and nobody was answered meanwhile.
"""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Event, Thread
from typing import Final

import pyarrow as pa

from api.endpoints.common.body_limits import ORDINARY
from api.endpoints.common.json_shape import exceeded_limit
from api.files.json_list import json_list_bounds
from api.service import Service
from rules.compile import compile_books
from rules.compiled import only_machine_code
from rules.shelf import versions
from scoring.columns import EVENT_SCHEMA
from scoring.ledger import entries_table, riders_table
from scoring.prepare import schedule_versions
from scoring.score import score

# A delivery ten minutes late, and its correction: reading, liability, points, reversal, ledger, what is carried.
_EVENTS: Final = (
    {"event_id": "e1", "kind": "delivered", "order_id": "o1", "occurred_us": 1_770_000_600_000_000, "fee_fen": 500},
    {"event_id": "e2", "kind": "correction", "ref_event_id": "e1", "occurred_us": 1_770_003_600_000_000},
)
_RIDER: Final = {"rider_id": "r1", "city": "sample", "rider_kind": "crowdsourced", "promised_us": 1_770_000_000_000_000}


@asynccontextmanager
async def compile_at_start(service: Service) -> AsyncIterator[None]:
    """Begin in a thread beside the server; who writes meanwhile waits, and `/readyz` says so."""
    service.compiled.clear()
    Thread(target=compile_and_freeze, args=(service.compiled,), name="warm", daemon=True).start()
    try:
        yield
    finally:
        gc.unfreeze()


def compile_and_freeze(compiled: Event) -> None:
    """Warm up, then keep what is there for good out of the garbage collector's sight."""
    try:
        compile_scoring()
    finally:
        # What could not be compiled here fails where it is asked for, and is told there.
        compiled.set()
    gc.collect()
    gc.freeze()


def compile_scoring() -> None:
    """Look through a body and score two made-up events under a shipped book; nothing is stored."""
    only_machine_code()
    exceeded_limit(b"[]", ORDINARY.shape)
    json_list_bounds(b"[]")
    program = compile_books(versions("gbt-46862-reference"))
    table = pa.Table.from_pylist([_RIDER | event for event in _EVENTS], schema=EVENT_SCHEMA)
    scored = score(program, schedule_versions(program, range(len(program.books))), table)
    entries_table(scored, scored.until_us)
    riders_table(scored)
    score(program, schedule_versions(program, [0]), table.slice(0, 0), scored.carried)
