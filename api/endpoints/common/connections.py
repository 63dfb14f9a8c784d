"""One client's connection: closed if the request header comes too slowly or is too long.

So is who does not read the answer. The server closes those with nothing more to say by itself, and bodies have a time and a size of their own
(`api.endpoints.common.bodies`).
"""

import asyncio
import re
import socket
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_S: Final = 10.0
HEAD_BYTES_MAX: Final = 64 * 1024
# A reader takes at least so many bytes in so many seconds; then they are looked at again.
READ_S: Final = 30.0
READ_BYTES_MIN: Final = 32 * 1024
# Of an answer so much may wait in the system for its reader; by itself it takes in megabytes for one who reads nothing.
SENT_AHEAD_BYTES: Final = 64 * 1024
# What was refused before its body was read may go on sending it for so long.
REST_S: Final = 20.0
_ANSWER: Final = b"HTTP/1.1 %s\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"

# An offer to speak HTTP/2 from here on, which Java's client makes by itself: a server may pass over it. The parser takes
# the bytes after it for the other protocol, and the body would be lost.
_OFFER: Final = re.compile(rb"\r\nupgrade:[ \t]*h2c[ \t]*(?=\r\n)", re.IGNORECASE)


def _without_offer(data: bytes) -> bytes:
    """The bytes with which a request begins, without an offer to change the protocol."""
    head_end = data.find(b"\r\n\r\n") + 2
    if head_end < 2 or b"h2c" not in data[:head_end]:
        return data
    return _OFFER.sub(b"", data[:head_end], count=1) + data[head_end:]


class Connection(HttpToolsProtocol):
    """A connection whose requests begin in time and whose answers are read.

    Line and headers come within `HEAD_S` and `HEAD_BYTES_MAX`; of an answer `READ_BYTES_MIN` are read every `READ_S`.
    """

    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        self._head_until: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._read_until: asyncio.TimerHandle | None = None
        self._num_unread = 0
        self._rest_until: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timer for the request header, and bound what is sent ahead."""
        super().connection_made(transport)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SENT_AHEAD_BYTES)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._has_head()
        self._forget_reader()
        self._has_rest()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes of a request."""
        super().data_received(data if self._head_until is None else _without_offer(data))
        if self._head_until is None:
            return
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES_MAX:
            self._let_go(b"431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        """A request begins, the first one or one after others."""
        super().on_message_begin()
        if self._head_until is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        """Its line and headers are there."""
        self._has_head()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Its body is there."""
        self._has_rest()
        super().on_message_complete()

    def pause_writing(self) -> None:
        """More is written than is read: the reader is watched from now on."""
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        """What was written has been read."""
        self._forget_reader()
        super().resume_writing()

    def on_response_complete(self) -> None:
        """All is said; it is still to be read, and what was not asked for may still come."""
        if self.cycle is not None and self.cycle.more_body and not self.transport.is_closing():
            self._rest_until = self._rest_until or self.loop.call_later(REST_S, self.transport.abort)
        if self._read_until is None and self.transport.get_write_buffer_size():
            self._watch_reader()
        super().on_response_complete()

    def _watch_reader(self) -> None:
        self._forget_reader()
        self._num_unread = self.transport.get_write_buffer_size()
        self._read_until = self.loop.call_later(READ_S, self._look_at_reader)

    def _look_at_reader(self) -> None:
        """Let a reader go who has taken next to nothing; nothing of theirs is kept."""
        self._read_until = None
        left = self.transport.get_write_buffer_size()
        if left == 0:
            return
        if self._num_unread - left < min(READ_BYTES_MIN, self._num_unread):
            self.transport.abort()
        else:
            self._watch_reader()

    def _forget_reader(self) -> None:
        if self._read_until is not None:
            self._read_until.cancel()
            self._read_until = None

    def _has_rest(self) -> None:
        if self._rest_until is not None:
            self._rest_until.cancel()
            self._rest_until = None

    def _await_head(self) -> None:
        self._head_bytes = 0
        self._head_until = self.loop.call_later(HEAD_S, self._let_go, b"408 Request Timeout")

    def _has_head(self) -> None:
        if self._head_until is not None:
            self._head_until.cancel()
            self._head_until = None

    def _let_go(self, status: bytes) -> None:
        self._has_head()
        if not self.transport.is_closing():
            self.transport.write(_ANSWER % status)
            self.transport.close()
