"""One client's connection: who does not say what they want, soon and in few words, is let go.

The server closes those with nothing more to say by itself, and bodies have a time and a size of their own
(`api.http.intake`).
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_S: Final = 10.0
HEAD_BYTES_MAX: Final = 64 * 1024
_ANSWER: Final = b"HTTP/1.1 %s\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class Connection(HttpToolsProtocol):
    """A connection whose requests begin in time: line and headers within `HEAD_S` and `HEAD_BYTES_MAX`."""

    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        self._head_until: asyncio.TimerHandle | None = None
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody is there, who is to say what they want."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more."""
        self._has_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes of a request."""
        super().data_received(data)
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
