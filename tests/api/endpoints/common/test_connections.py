"""Connections that hold a place and ask for nothing."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import uvicorn

from api.endpoints.common import connections
from api.endpoints.common.connections import Connection
from api.endpoints.common.head_requests import HeadMiddleware

pytestmark = pytest.mark.slow

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bytes]]
DEADLINE_S = 30


async def hello(_scope: object, receive: Callable[[], Awaitable[object]], send: Callable[..., Awaitable[None]]) -> None:
    """Answers everything."""
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


def said_to(talk: Talk, app: object = hello) -> bytes:
    """What a client hears of a server that lets go soon."""

    async def serve() -> bytes:
        config = uvicorn.Config(app, http=Connection, lifespan="off", log_level="error", ws="none")  # type: ignore[arg-type]
        server = uvicorn.Server(config)
        with socket.create_server(("127.0.0.1", 0)) as sock, socket.socket() as asking:
            # Little waits in the system's own buffers, so that it shows who reads.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
            asking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
            asking.connect(sock.getsockname())
            served = asyncio.create_task(server.serve([sock]))
            reader, writer = await asyncio.open_connection(sock=asking)
            heard = await asyncio.wait_for(talk(reader, writer), DEADLINE_S)
            writer.close()
            server.should_exit = True
            await served
            return heard

    # In a thread of its own: in this one the browser's loop may be running.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(serve())).result()


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> bytes:
    """Says nothing at all."""
    return await reader.read()


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Says a header letter by letter and never ends."""
    writer.write(b"GET / HTTP/1.1\r\nx: ")
    heard = asyncio.create_task(reader.read())
    while not heard.done():
        writer.write(b"y")
        await asyncio.wait([heard], timeout=0.02)
    return await heard


async def second(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Asks once, and then begins to ask again."""
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    await reader.readuntil(b"hello")
    writer.write(b"GET / HT")
    return await reader.read()


async def wordy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Says too much before asking."""
    writer.write(b"GET / HTTP/1.1\r\n")
    heard = asyncio.create_task(reader.read())
    while not heard.done():
        writer.write(b"x: " + b"y" * 30_000 + b"\r\n")
        await asyncio.wait([heard], timeout=0.02)
    return await heard


async def echo(_scope: object, receive: Callable[[], Awaitable[dict]], send: Callable[..., Awaitable[None]]) -> None:
    """Answers with what it was sent."""
    message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": message["body"]})


def test_an_offer_to_speak_http_2_loses_no_body() -> None:
    """As Java's client makes it with every first POST: it is passed over, and the request is answered as it came."""

    async def offering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        offer = b"Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\nUpgrade: h2c\r\n"
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\n" + offer + b"Content-Length: 5\r\n\r\nhello")
        return await reader.readuntil(b"hello")

    assert said_to(offering, echo).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("talk", [silent, dripping, second])
def test_who_does_not_say_what_they_want_is_let_go(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence, a header that never ends, a second request that never begins: the place is free again in time."""
    monkeypatch.setattr(connections, "HEAD_S", 0.2)

    assert said_to(talk).startswith(b"HTTP/1.1 408 ")


def test_who_says_too_much_is_let_go() -> None:
    """Headers without end are refused long before they fill the memory."""
    assert said_to(wordy).startswith(b"HTTP/1.1 431 ")


def test_who_asks_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow body is not a slow head; requests follow each other on one connection."""
    monkeypatch.setattr(connections, "HEAD_S", 0.2)

    async def patient(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        for _ in range(3):
            writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\na")
            heard = asyncio.create_task(reader.readuntil(b"hello"))
            await asyncio.wait([heard], timeout=0.25)
            writer.write(b"b")
            answer = await heard
        return answer

    assert said_to(patient).startswith(b"HTTP/1.1 200 ")


def test_who_does_not_read_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that nobody reads is given up in time, with all that waits to be sent."""
    monkeypatch.setattr(connections, "READ_S", 0.2)
    ended = asyncio.Event()

    async def long(_scope: object, _receive: object, send: Callable[..., Awaitable[None]]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            for _ in range(4_000):
                await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
        finally:
            ended.set()

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await ended.wait()
        return b"let go"

    assert said_to(deaf, long) == b"let go"


def test_who_reads_slowly_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who takes some of it every now and then gets all of it."""
    monkeypatch.setattr(connections, "READ_S", 0.2)
    monkeypatch.setattr(connections, "READ_BYTES_MIN", 1)
    size = 3_000_000

    async def long(_scope: object, _receive: object, send: Callable[..., Awaitable[None]]) -> None:
        headers = [(b"content-length", str(size).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x" * size})

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        heard = b""
        while len(heard) < size and (part := await reader.read(1_000_000)):
            heard += part
            await asyncio.sleep(0.02)
        return heard[-size:]

    assert len(said_to(slow, long)) == size


def test_a_rest_that_never_ends_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is answered before its body was read may be sent to its end, not for ever."""
    monkeypatch.setattr(connections, "REST_S", 0.2)

    async def at_once(_scope: object, _receive: object, send: Callable[..., Awaitable[None]]) -> None:
        await send({"type": "http.response.start", "status": 401, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async def dripping_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 16000000\r\n\r\n")
        heard = asyncio.create_task(reader.read())
        while not heard.done():
            writer.write(b"y")
            await asyncio.wait([heard], timeout=0.02)
        return b"" if heard.exception() else heard.result()

    assert said_to(dripping_body, at_once)[:12] in (b"HTTP/1.1 401", b"")


async def headed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Asks for a head, and then for the whole by the same connection."""
    writer.write(b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    return head + await reader.read()


def test_a_head_leaves_its_connection_open() -> None:
    """After a head, which names the length of a body that does not come, the next request has its answer."""
    heard = said_to(headed, HeadMiddleware(hello))

    assert heard.count(b"content-length: 5") == 2
    assert heard.endswith(b"hello")
