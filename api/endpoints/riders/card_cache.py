"""Riders' cards as finished bytes, kept until the rider's row or the rules change.

row by the raw driver → the kept card is that row's → bytes; else made once from the store.
"""

import re
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from anyio import CapacityLimiter
from cachetools import LRUCache
from starlette.responses import Response
from starlette.types import Scope, Send

from api.books.in_force import rules_in_force
from api.db.rider_rows import row_of
from api.db.store import UnreachableError
from api.endpoints.common.etags import etag_of, is_unchanged
from api.endpoints.common.problems import Problem
from api.endpoints.common.threads import run_limited
from api.endpoints.riders.shapes import bytes_tag, card_bytes
from api.riders.card_row import CardRows, card_rows
from api.riders.cards import CARD_COLUMNS, CardRow, card_key, card_of, rules_version
from api.service import Actor, Service, preferred_lang
from rules.text import Lang
from rules.units import US_PER_S

_NUM_MAKERS: Final = 4
_KEPT_BYTES: Final = 64 * 1024 * 1024

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class CachedCard:
    """A finished card: what it was made from, until when it is good, and what goes over the wire."""

    key: tuple[object, ...]
    good_until_us: int
    body: bytes
    tag: str
    headers: Headers
    headers_unchanged: Headers


class _Route(NamedTuple):
    path: str


# What the log and the meters name; the route of the same path answers whatever is not answered here.
_ROUTE: Final = _Route("/v1/riders/{rider_id}/card")
_PATH: Final = re.compile(r"/v1/riders/([A-Za-z0-9_.:-]{1,200})/card")


async def answer_card(desk: "CardCache", scope: Scope, send: Send) -> bool:
    """Answer a request for a card before any routing, if it is one by somebody who may; says whether it was.

    Raises
    ------
    Problem
        `rider_unknown`.
    """
    path = _PATH.fullmatch(scope["path"])
    actor: Actor | None = scope["state"].get("actor")
    if path is None or actor is None or not actor.may("self:read", "riders:read"):
        return False
    scope["route"] = _ROUTE
    language = known = b""
    for name, value in scope["headers"]:
        if name == b"accept-language":
            language = value
        elif name == b"if-none-match":
            known = value
    cached = await desk.card(actor, path[1], preferred_lang(language.decode("latin-1")))
    if known and is_unchanged(known.decode("latin-1"), cached.tag):
        await send({"type": "http.response.start", "status": 304, "headers": cached.headers_unchanged})
        await send({"type": "http.response.body", "body": b""})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": cached.headers})
        await send({"type": "http.response.body", "body": cached.body})
    return True


class PreparedResponse(Response):
    """An answer whose headers are put together already."""

    def __init__(self, body: bytes, headers: Headers, status: int = 200) -> None:
        self.status_code = status
        self.body = body
        self.background = None
        self.raw_headers = headers


class CardCache:
    """Gives out cards, for one event loop."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._rows: CardRows | None = None
        self._kept: LRUCache[tuple[str, Lang], CachedCard] = LRUCache(
            _KEPT_BYTES, getsizeof=lambda cached: len(cached.body)
        )
        # Making a card is work for a processor: more at once would only keep other requests from their threads.
        self._makers = CapacityLimiter(_NUM_MAKERS)
        self._lookers = CapacityLimiter(1)
        self._mark = ""
        self._mark_until_us = 0

    async def card(self, actor: Actor, rider_id: str, lang: Lang) -> CachedCard:
        """A rider's card as bytes.

        Raises
        ------
        Problem
            `rider_unknown`, for one who has no card and for one who is not the actor's to see.
        """
        if self._rows is None:
            self._rows = card_rows(self._service.store)
        row = await self._rows.card_row(rider_id)
        if row is None or row.book_digest is None or not actor.may_see_rider(rider_id, row.city):
            raise Problem("rider_unknown")
        now_us = self._service.clock()
        if now_us >= self._mark_until_us:
            await self._look_at_law(now_us)
        cached = self._kept.get((rider_id, lang))
        if cached is None or now_us >= cached.good_until_us or cached.key != card_key(row, self._mark):
            cached = await run_limited(partial(self._made, rider_id, lang), self._makers)
            self._kept[rider_id, lang] = cached
        return cached

    async def close(self) -> None:
        """Give back all connections."""
        rows, self._rows = self._rows, None
        if rows is not None:
            await rows.close()

    async def _look_at_law(self, now_us: int) -> None:
        # While one request looks, others use what was known before.
        self._mark_until_us = now_us + self._service.settings.law_cache_s * US_PER_S
        try:
            self._mark = await run_limited(self._read_mark, self._lookers)
        except UnreachableError:
            self._mark_until_us = 0
            raise

    def _read_mark(self) -> str:
        with self._service.reading() as unit:
            return rules_version(unit)

    def _made(self, rider_id: str, lang: Lang) -> CachedCard:
        with self._service.reading() as unit:
            row = row_of(unit, rider_id)
            card = card_of(unit, rules_in_force(unit), rider_id, self._service.clock())
            mark = rules_version(unit)
        if card is None or row is None:
            raise Problem("rider_unknown")
        key = card_key(CardRow(*(getattr(row, name) for name in CARD_COLUMNS)), mark)
        body = card_bytes(card, lang)
        tag = etag_of(bytes_tag(body))
        shared = [
            (b"etag", tag.encode()),
            (b"content-language", lang.encode()),
            (b"vary", b"Accept-Language, Authorization"),
            (b"cache-control", b"private, no-cache"),
        ]
        of_body = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        return CachedCard(key, card.good_until_us, body, tag, of_body + shared, shared)
