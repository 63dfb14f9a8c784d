"""The answers of a server that is stopping: each says truly whether the request took effect, and no new work begins.

From the signal on whoever asks is told to ask elsewhere. Requests that write go on to their end; one that takes longer
than the time left is answered with what is true, that its outcome is not known, and is still not cut off in the middle.
"""

import asyncio
from collections.abc import Awaitable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.endpoints.common.problems import Problem
from api.endpoints.common.refusal_answers import refuse
from api.shutdown import Shutdown

ELSEWHERE: Final = {"Retry-After": "1", "Connection": "close"}
_WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class StoppingMiddleware:
    """Answers for a server that is stopping."""

    def __init__(self, app: ASGIApp, shutdown: Shutdown) -> None:
        self._app = app
        self._shutdown = shutdown

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one request, or say that it is for another server. No coroutine of its own: most go through."""
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        if self._shutdown.has_begun:
            return refuse(Problem("stopping", headers=ELSEWHERE), scope, receive, send)
        if scope["method"] in _WRITES:
            return self._to_its_end(scope, receive, send)
        return self._app(scope, receive, send)

    async def _to_its_end(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = is_over = False

        async def send_in_time(message: Message) -> None:
            nonlocal has_begun
            if not is_over:
                has_begun = True
                await send(message)

        work = asyncio.ensure_future(self._app(scope, receive, send_in_time))
        if await self._shutdown.do(work) or has_begun:
            await work
            return
        is_over = True
        await refuse(Problem("outcome_unknown", headers=ELSEWHERE), scope, receive, send)
