"""One signed POST to a receiver, by the Standard Webhooks convention; never to an address it must not reach.

A name is looked up once and the connection goes to the address that was checked: a name that answers differently the
second time gains nothing. No redirects, no proxies, answers are not read. An attempt is over after `TIMEOUT_S` in all:
looking the name up, connecting, sending, and waiting for the head of an answer, however slowly it drips.
"""

import asyncio
import datetime as dt
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import httpx2
from standardwebhooks.webhooks import Webhook as Signer

from api.webhooks.deliveries import AttemptResult, DeliveryAttempt
from api.webhooks.public_addresses import is_public_address
from rules.units import US_PER_S

TIMEOUT_S: Final = 10
NAMES_AT_ONCE: Final = 64
AGENT: Final = "riderscore-webhooks"
_WAIT_MAX_S: Final = 86_400


class WebhookSender:
    """Sends parcels; safe to call from many threads.

    Parameters
    ----------
    allow_private
        Whether `http` and addresses of the own network will do.
    clock
        Signed with the message (µs UTC).
    """

    def __init__(self, *, allow_private: bool, clock: Callable[[], int]) -> None:
        self._allow_private = allow_private
        self._clock = clock
        self._loop = asyncio.new_event_loop()
        # A host name that does not resolve holds one thread; other receivers do not wait for it.
        self._names = ThreadPoolExecutor(NAMES_AT_ONCE, "riderscore-names")
        self._loop.set_default_executor(self._names)
        self._client = httpx2.AsyncClient(
            timeout=TIMEOUT_S, follow_redirects=False, trust_env=False, limits=httpx2.Limits(max_connections=None)
        )
        self._thread = threading.Thread(target=self._loop.run_forever, name="riderscore-sender", daemon=True)
        self._thread.start()

    def send(self, attempt: DeliveryAttempt) -> AttemptResult:
        """Try once."""
        return asyncio.run_coroutine_threadsafe(self._in_time(attempt), self._loop).result()

    def close(self) -> None:
        """Give back all connections."""
        asyncio.run_coroutine_threadsafe(self._client.aclose(), self._loop).result(TIMEOUT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT_S)
        self._names.shutdown(wait=False, cancel_futures=True)
        self._loop.close()

    async def _in_time(self, attempt: DeliveryAttempt) -> AttemptResult:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self._send(attempt)
        except TimeoutError:
            return AttemptResult(error=f"no answer within {TIMEOUT_S} s")

    async def _send(self, attempt: DeliveryAttempt) -> AttemptResult:
        parts = urlsplit(attempt.url)
        host = parts.hostname or ""
        if not self._allow_private and parts.scheme != "https":
            return AttemptResult(error="not https")
        try:
            address = await self._address(host, parts.port or (443 if parts.scheme == "https" else 80))
        except OSError as error:
            return AttemptResult(error=f"name not found: {error.strerror or error}")
        except UnicodeError:
            # An empty label, or one too long: no name at all.
            return AttemptResult(error="name not found")
        if address is None:
            return AttemptResult(error="address of a private network")
        shown = f"[{address}]" if ":" in address else address
        port = "" if parts.port is None else f":{parts.port}"
        url = urlunsplit((parts.scheme, shown + port, parts.path or "/", parts.query, ""))
        named = f"[{host}]" if ":" in host else host
        headers = {"Host": named + port, "User-Agent": AGENT, "Content-Type": "application/json"} | self._signed(
            attempt
        )
        try:
            request = self._client.build_request(
                "POST", url, content=attempt.body.encode(), headers=headers, extensions={"sni_hostname": host}
            )
            answer = await self._client.send(request, stream=True)
            await answer.aclose()
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            return AttemptResult(error=f"{type(error).__name__}: {error}")
        return AttemptResult(answer.status_code, retry_after_s=_seconds(answer.headers.get("retry-after", "")))

    async def _address(self, host: str, port: int) -> str | None:
        """Where a name leads; None if any of its addresses must not be reached."""
        infos = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(info[4][0]) for info in infos]
        if not self._allow_private and not all(map(is_public_address, addresses)):
            return None
        return addresses[0]

    def _signed(self, attempt: DeliveryAttempt) -> dict[str, str]:
        """Headers of the convention: the same id at every attempt, this moment, a signature for each good secret."""
        message_id = f"msg_{attempt.recorded_us:x}_{attempt.outbox_id:x}"
        seconds = self._clock() // US_PER_S
        at = dt.datetime.fromtimestamp(seconds, dt.UTC)
        signatures = [Signer(secret).sign(message_id, at, attempt.body) for secret in attempt.secrets]
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(seconds),
            "webhook-signature": " ".join(signatures),
            "riderscore-platform": attempt.platform,
        }


def _seconds(header: str) -> int | None:
    """`Retry-After` in seconds; a date is not worth reading."""
    return min(int(header), _WAIT_MAX_S) if header.isascii() and header.isdigit() and len(header) < 10 else None
