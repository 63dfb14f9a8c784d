"""Warming up reaches everything that is compiled on first use, and leaves nothing to be looked through for garbage."""

import gc
import threading
from typing import Any, cast

import pytest
from starlette.testclient import TestClient

from api.app.warm_up import compile_at_start, compile_scoring
from api.db.store import Store
from api.refusals import Refused
from scoring import kernel, ledger, liability, score
from scoring.hashing import write_ids
from tests.api.endpoints import own_loop
from tests.api.endpoints.conftest import Bearer
from tests.api.ledger.posts import later, publish
from tests.builders import delivered

# Seconds of work.
pytestmark = pytest.mark.slow


class Cold:
    """A service whose code is not compiled yet, as far as warming asks."""

    def __init__(self) -> None:
        self.compiled = threading.Event()


def test_what_posts_need_is_compiled() -> None:
    """After it the kernel, liability, the comparison with what stands and the entry ids have a compiled form."""
    compile_scoring()

    needed = (kernel._fold, liability._attribute, score._compare, ledger._id_words, write_ids)
    assert [function.__name__ for function in needed if not function.machine_code().signatures] == []


def test_what_is_loaded_is_not_looked_through_again() -> None:
    """While a server runs, a full collection of garbage passes over all that was there before the first request."""
    num_seen: list[int] = []

    async def start_and_stop() -> None:
        async with compile_at_start(cast("Any", Cold())):
            for thread in threading.enumerate():
                if thread.name == "warm":
                    thread.join()
            num_seen.append(len(gc.get_objects()))

    num_before = len(gc.get_objects())
    own_loop.run(start_and_stop())

    assert num_seen[0] < num_before // 10
    assert gc.get_freeze_count() == 0


def test_who_writes_waits_for_compiled_code(client: TestClient, bearer: Bearer, store: Store) -> None:
    """A post that comes before it is answered after it, holds nothing meanwhile, and `/readyz` says why."""
    publish(store, "taobao-crowdsourced")
    service = client.app.state.service  # type: ignore[attr-defined]
    service.compiled.clear()
    said: list[Any] = []
    body = later([delivered("e1")])
    headers = bearer("platform")
    post = threading.Thread(target=lambda: said.append(client.post("/v1/events", json=body, headers=headers)))
    post.start()

    ready = client.get("/readyz")
    with store.writing(service.clock()):
        cold = list(said)
    service.compiled.set()
    post.join(30)

    assert (ready.status_code, ready.json()["checks"]["compiled"], cold) == (503, False, [])
    assert said[0].status_code == 200
    assert client.get("/readyz").json()["checks"]["compiled"]


def test_who_waits_for_compiled_code_is_told_of_the_end(client: TestClient) -> None:
    """A server that is stopped meanwhile says so, and has done nothing."""
    service = client.app.state.service  # type: ignore[attr-defined]
    service.compiled.clear()
    service.shutdown.has_begun = True

    with pytest.raises(Refused, match="stopping"), service.writing():
        pass
