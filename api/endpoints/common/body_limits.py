"""Size limits of requests by route, checked before the body is read and listed in the API's document.

A route that is not named here takes `ORDINARY` bodies. Sizes are what the largest useful body needs, with room.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from fastapi.routing import APIRoute

from api.access.scopes import Scope
from api.endpoints.common.json_shape import JsonShape
from api.settings import Settings

KIB: Final = 1_024
MIB: Final = 1_024 * KIB
PATH_BYTES_MAX: Final = 4 * KIB
QUERY_BYTES_MAX: Final = 8 * KIB
HEADERS_MAX: Final = 100
WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
# An event has some 30 columns; unknown ones are left out, so there may be a few of them.
_VALUES_A_ROW: Final = 64


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """What the body of a request may hold."""

    bytes_max: int
    shape: JsonShape


def _limits(
    bytes_max: int, values_max: int, *, text_bytes_max: int, items_max: int = 1_000, members_max: int = 256
) -> BodyLimits:
    shape = JsonShape(32, values_max, members_max, items_max=items_max, text_bytes_max=text_bytes_max)
    return BodyLimits(bytes_max, shape)


ORDINARY: Final = _limits(64 * KIB, 2_000, text_bytes_max=32 * KIB)
# Up to 1 000 cities or places, which are texts of any script.
_LISTS: Final = _limits(512 * KIB, 10_000, text_bytes_max=32 * KIB, items_max=2_000)
# A document of 1 MiB is longer as JSON, where a character may take six.
_DOCUMENT: Final = _limits(3 * MIB, 50_000, text_bytes_max=3 * MIB, items_max=5_000)
# Each member that is none of a rider's or an order's would be a fault of its own.
_ROUND: Final = _limits(4 * MIB, 100_000, text_bytes_max=4 * KIB, items_max=2_000, members_max=16)
_EVENTS: Final = "/v1/events"
_BY_PATH: Final[Mapping[str, BodyLimits]] = {
    "/v1/dispatch/rounds": _ROUND,
    "/v1/books/drafts": _DOCUMENT,
    "/v1/books/drafts/{draft_id}": _DOCUMENT,
    "/v1/tokens": _LISTS,
    "/v1/webhooks": _LISTS,
}


def limits_of(path: str, settings: Settings) -> BodyLimits:
    """What the body of a route may hold, by the path's template."""
    if path == _EVENTS:
        rows = settings.batch_rows_max
        shape = JsonShape(settings.json_depth_max, rows * _VALUES_A_ROW, 256, rows, 64 * KIB)
        return BodyLimits(settings.body_bytes_max, shape)
    limits = _BY_PATH.get(path, ORDINARY)
    bytes_max = min(limits.bytes_max, settings.body_bytes_max)
    return BodyLimits(bytes_max, replace(limits.shape, depth_max=settings.json_depth_max))


@dataclass(frozen=True, slots=True)
class BodyRoute:
    """A route that takes a body: the scopes of which it asks one (none: open to all), and its limits."""

    path: str
    scopes: tuple[Scope, ...]
    limits: BodyLimits


class BodyRoutes:
    """Which route a request with a body is for, known before the body is read."""

    def __init__(self, routes: Iterable[tuple[APIRoute, Sequence[Scope]]], settings: Settings) -> None:
        self._plain: dict[tuple[str, str], BodyRoute] = {}
        self._others: list[tuple[str, re.Pattern[str], BodyRoute]] = []
        for route, scopes in routes:
            wanted = BodyRoute(route.path_format, tuple(scopes), limits_of(route.path_format, settings))
            for method in WITH_BODY & set(route.methods or ()):
                if "{" in route.path_format:
                    self._others.append((method, route.path_regex, wanted))
                else:
                    self._plain[method, route.path_format] = wanted

    def wanted(self, method: str, path: str) -> BodyRoute | None:
        """The route that a request is for; None where no route takes it."""
        known = self._plain.get((method, path))
        if known is not None:
            return known
        return next((route for other, regex, route in self._others if other == method and regex.match(path)), None)
