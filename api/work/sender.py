"""One signed POST to a receiver, by the Standard Webhooks convention; never to an address it must not reach.

A name is looked up once and the connection goes to the address that was checked: a name that answers differently the
second time gains nothing. No redirects, no proxies, answers are not read.
"""

import datetime as dt
import socket
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import httpx2
from standardwebhooks.webhooks import Webhook as Signer

from api.store.addresses import is_public_address
from api.store.deliveries import Parcel, Sent
from rules.units import US_PER_S

TIMEOUT_S: Final = 10
AGENT: Final = "riderscore-webhooks"
_WAIT_MAX_S: Final = 86_400


class Sender:
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
        self._client = httpx2.Client(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False)

    def send(self, parcel: Parcel) -> Sent:
        """Try once."""
        parts = urlsplit(parcel.url)
        host = parts.hostname or ""
        if not self._allow_private and parts.scheme != "https":
            return Sent(error="not https")
        try:
            address = self._address(host, parts.port or (443 if parts.scheme == "https" else 80))
        except OSError as error:
            return Sent(error=f"name not found: {error.strerror or error}")
        if address is None:
            return Sent(error="address of a private network")
        shown = f"[{address}]" if ":" in address else address
        port = "" if parts.port is None else f":{parts.port}"
        url = urlunsplit((parts.scheme, shown + port, parts.path or "/", parts.query, ""))
        named = f"[{host}]" if ":" in host else host
        headers = {"Host": named + port, "User-Agent": AGENT, "Content-Type": "application/json"} | self._signed(parcel)
        try:
            request = self._client.build_request(
                "POST", url, content=parcel.body.encode(), headers=headers, extensions={"sni_hostname": host}
            )
            answer = self._client.send(request, stream=True)
            answer.close()
        except httpx2.HTTPError as error:
            return Sent(error=f"{type(error).__name__}: {error}")
        return Sent(answer.status_code, retry_after_s=_seconds(answer.headers.get("retry-after", "")))

    def close(self) -> None:
        """Give back all connections."""
        self._client.close()

    def _address(self, host: str, port: int) -> str | None:
        """Where a name leads; None if any of its addresses must not be reached."""
        found = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        if not self._allow_private and not all(map(is_public_address, found)):
            return None
        return found[0]

    def _signed(self, parcel: Parcel) -> dict[str, str]:
        """Headers of the convention: the same id at every attempt, this moment, a signature for each good secret."""
        message_id = f"msg_{parcel.recorded_us:x}_{parcel.outbox_id:x}"
        seconds = self._clock() // US_PER_S
        at = dt.datetime.fromtimestamp(seconds, dt.UTC)
        signatures = [Signer(secret).sign(message_id, at, parcel.body) for secret in parcel.secrets]
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(seconds),
            "webhook-signature": " ".join(signatures),
            "riderscore-platform": parcel.platform,
        }


def _seconds(header: str) -> int | None:
    """`Retry-After` in seconds; a date is not worth reading."""
    return min(int(header), _WAIT_MAX_S) if header.isascii() and header.isdigit() and len(header) < 10 else None
