"""Progress of long work as server-sent events: numbered, so that who lost the connection goes on where it was."""

import json
from collections.abc import AsyncIterator
from typing import Final

from anyio import sleep
from anyio.to_thread import run_sync
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from api.clock import elapsed_ns
from api.service import Service
from api.studies.jobs import ENDED, ProgressStep, steps_of, study_of
from rules.text import Lang, catalog

LOOK_S: Final = 0.5
HEARTBEAT_S: Final = 15
WAIT_S_MAX: Final = 3_600

_STAGE: Final = "work.stage_"


def progress_stream(service: Service, study_id: str, after: int, wait_s: int = WAIT_S_MAX) -> Response:
    """What happens to a study from now on, as an answer that ends with it.

    Of work that has ended the steps not known yet; where there are none, 204: a browser then asks no more.

    Parameters
    ----------
    after
        The last step that the client knows (`Last-Event-ID`); 0 for all.
    wait_s
        Ends after so many seconds; a browser then asks again by itself.
    """
    with service.reading() as unit:
        if study_of(unit, study_id).has_ended and not steps_of(unit, study_id, after):
            return Response(status_code=204)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return EventSourceResponse(_steps(service, study_id, after, wait_s), headers=headers, ping=HEARTBEAT_S, sep="\n")


def last_event(header: str | None) -> int:
    """The number in `Last-Event-ID`; 0 for anything that is none of ours."""
    return int(header) if header and header.isascii() and header.isdigit() and len(header) < 18 else 0


async def _steps(service: Service, study_id: str, after: int, wait_s: int) -> AsyncIterator[ServerSentEvent]:
    until_ns = elapsed_ns() + wait_s * 1_000_000_000

    def look() -> tuple[tuple[ProgressStep, ...], bool]:
        with service.reading() as unit:
            return steps_of(unit, study_id, after), study_of(unit, study_id).has_ended

    while True:
        steps, has_ended = await run_sync(look)
        for step in steps:
            after = step.step
            yield _event(step)
            if step.state in ENDED:
                return
        # A client may know of more steps than there are.
        if has_ended or elapsed_ns() >= until_ns:
            return
        await sleep(LOOK_S)


def _event(step: ProgressStep) -> ServerSentEvent:
    data = {"step": step.step, "permille": step.permille, "stage": step.stage, "state": step.state}
    return ServerSentEvent(json.dumps(data), event=step.state if step.state in ENDED else "progress", id=str(step.step))


def stages(lang: Lang) -> dict[str, str]:
    """The parts of long work, in words, for the page's script."""
    messages = catalog(lang)
    return {key.removeprefix(_STAGE): words for key, words in messages.items() if key.startswith(_STAGE)}
