"""Bodies: read once, whole, within a time, a size and a depth; refused before anything is done with them."""

import re
from typing import Any, Final

import numpy as np
from anyio import fail_after
from anyio.to_thread import run_sync
from starlette.types import Message, Receive, Scope

from api.http.problems import Problem
from api.settings import Settings

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
_LARGE_BYTES: Final = 64 * 1024
_STRINGS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_CLOSE: Final = {"Connection": "close"}


async def read_body(scope: Scope, receive: Receive, settings: Settings) -> bytes:
    """The whole body of a request.

    Raises
    ------
    Problem
        `body_too_large` (before it is read where its length is stated), `body_timeout`, `json_too_deep`.
    """
    stated = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    if stated.isdigit() and int(stated) > settings.body_bytes_max:
        raise Problem("body_too_large", headers=_CLOSE, limit=settings.body_bytes_max)
    parts: list[bytes] = []
    num_bytes = 0
    try:
        with fail_after(settings.body_timeout_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Problem("bad_request")
                part = message.get("body", b"")
                num_bytes += len(part)
                if num_bytes > settings.body_bytes_max:
                    raise Problem("body_too_large", headers=_CLOSE, limit=settings.body_bytes_max)
                parts.append(part)
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        raise Problem("body_timeout", headers=_CLOSE, limit=settings.body_timeout_s) from None
    return b"".join(parts)


async def check_depth(body: bytes, limit: int) -> None:
    """Refuse JSON that is nested too deeply for any use.

    Raises
    ------
    Problem
        `json_too_deep`.
    """
    deep = depth_of(body) if len(body) < _LARGE_BYTES else await run_sync(depth_of, body)
    if deep > limit:
        raise Problem("json_too_deep", limit=limit)


def depth_of(body: bytes) -> int:
    """How deeply a JSON text is nested; an upper bound for what is no JSON."""
    if b"\\" in body or len(body) < _LARGE_BYTES:
        body = _STRINGS.sub(b"", body)
        inside: Any = False
        letters = np.frombuffer(body, np.uint8)
    else:
        letters = np.frombuffer(body, np.uint8)
        inside = np.cumsum(letters == ord('"'), dtype=np.int32) & 1 == 1
    opens = (letters == ord("[")) | (letters == ord("{"))
    closes = (letters == ord("]")) | (letters == ord("}"))
    steps = opens.astype(np.int8) - closes.astype(np.int8)
    steps[np.broadcast_to(inside, steps.shape)] = 0
    return int(np.cumsum(steps, dtype=np.int32).max(initial=0))


def content_type_of(scope: Scope) -> str:
    """The media type of a body, without parameters."""
    found = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    return str(found.decode("latin-1").partition(";")[0].strip().lower())


def replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives a body that was read; then what the connection says."""
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return receive_again
