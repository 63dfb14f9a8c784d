"""Bodies: read once, whole, within a time, a size and a shape; refused before anything is done with them."""

import io
from typing import Final

from anyio import fail_after
from anyio.to_thread import run_sync
from starlette.types import Message, Receive, Scope

from api.endpoints.common.json_shape import DEEP, LONG, ROWS, JsonShape, exceeded_limit
from api.endpoints.common.problems import Problem

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
# Smaller bodies are looked through in less time than it takes to hand them to a thread.
_LARGE_BYTES: Final = 512 * 1024
_CLOSE: Final = {"Connection": "close"}


async def read_body(scope: Scope, receive: Receive, bytes_max: int, timeout_s: int) -> bytes:
    """The whole body of a request.

    Raises
    ------
    Problem
        `body_too_large` (before it is read where its length is stated), `body_timeout`, `bad_request`.
    """
    too_large = Problem("body_too_large", headers=_CLOSE, limit=bytes_max)
    stated = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    if stated.isdigit() and (len(stated) > 18 or int(stated) > bytes_max):
        raise too_large
    # Gives what was written without a copy: a body of sixteen MiB never stands there twice.
    body = io.BytesIO()
    try:
        with fail_after(timeout_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Problem("bad_request")
                part = message.get("body", b"")
                if body.tell() + len(part) > bytes_max:
                    raise too_large
                body.write(part)
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        raise Problem("body_timeout", headers=_CLOSE, limit=timeout_s) from None
    return body.getvalue()


async def check_shape(body: bytes, shape: JsonShape, *, is_lines: bool = False) -> None:
    """Refuse JSON that holds more than any use needs, before it is parsed.

    Raises
    ------
    Problem
        `json_too_deep`, `json_too_long`, `json_too_many`, `too_many_rows`.
    """
    if len(body) < _LARGE_BYTES:
        exceeded = exceeded_limit(body, shape, is_lines=is_lines)
    else:
        exceeded = await run_sync(lambda: exceeded_limit(body, shape, is_lines=is_lines))
    if exceeded == DEEP:
        raise Problem("json_too_deep", limit=shape.depth_max)
    if exceeded == LONG:
        raise Problem("json_too_long", limit=shape.text_bytes_max)
    if exceeded == ROWS:
        raise Problem("too_many_rows", limit=shape.items_max)
    if exceeded:
        raise Problem("json_too_many", limit=shape.values_max, members=shape.members_max)


def check_coding(scope: Scope) -> None:
    """Refuse a body that is packed: nobody can say how large it is before it is unpacked.

    Raises
    ------
    Problem
        `coding_unsupported`.
    """
    for name, value in scope["headers"]:
        if name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
            raise Problem("coding_unsupported", headers={"Accept-Encoding": "identity"})


def content_type_of(scope: Scope) -> str:
    """The media type of a body, without parameters."""
    value_of_header = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    return str(value_of_header.decode("latin-1").partition(";")[0].strip().lower())


def receive_again_of(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives a body that was read, once, and keeps none; then what the connection says."""
    left: list[bytes] = [body]

    async def receive_again() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return receive_again
