"""How many requests each requester may make: the generic cell rate algorithm, one number for each of them.

A token, a session or an address may use a minute's number of requests at once and gets it back evenly. Nothing here reads a
clock, and no more is held than `_NUM_HELD_MAX` numbers: who has asked least lately is forgotten first.
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from cachetools import LRUCache
from starlette.types import Scope

from rules.units import US_PER_S

WINDOW_US: Final = 60 * US_PER_S
_NUM_HELD_MAX: Final = 100_000
_NUM_SEEN_MAX: Final = 50_000
# How many keys and sessions a minute are looked up for an address that may ask no more: one of them may be good.
_CHANCES_PER_MINUTE: Final = 6


@dataclass(frozen=True, slots=True)
class RateDecision:
    """Whether a request may go on, and what is left; seconds are rounded up."""

    is_allowed: bool
    remaining: int
    reset_s: int


class RateLimit:
    """Requests a minute, by who asks; 0 for no limit. Good in any thread."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._step_us = max(WINDOW_US // per_minute, 1) if per_minute else 0
        self._full_us: OrderedDict[str, int] = OrderedDict()
        self._lock = Lock()

    def forget(self) -> None:
        """Reset every requester's limit to a whole minute, as after the clock was set."""
        with self._lock:
            self._full_us.clear()

    def take(self, who: str, now_us: int) -> RateDecision:
        """Count one request of a requester."""
        if not self._step_us:
            return RateDecision(is_allowed=True, remaining=0, reset_s=0)
        with self._lock:
            full_us = max(self._full_us.get(who, 0), now_us) + self._step_us
            over_us = full_us - now_us - WINDOW_US
            if over_us > 0:
                return RateDecision(is_allowed=False, remaining=0, reset_s=-(-over_us // US_PER_S))
            self._full_us[who] = full_us
            self._full_us.move_to_end(who)
            if len(self._full_us) > _NUM_HELD_MAX:
                self._full_us.popitem(last=False)
        return RateDecision(
            is_allowed=True, remaining=-over_us // self._step_us, reset_s=-(-(full_us - now_us) // US_PER_S)
        )

    def give_back(self, who: str) -> None:
        """Take back the count of one request."""
        with self._lock:
            if who in self._full_us:
                self._full_us[who] -= self._step_us


class KnownCredentials:
    """Keys or sessions that were good here, the latest of them. Good in any thread."""

    def __init__(self) -> None:
        self._held: LRUCache[Hashable, bool] = LRUCache(_NUM_SEEN_MAX)
        self._lock = Lock()

    def has(self, shown: Hashable) -> bool:
        """Whether one was good when it was looked up last."""
        with self._lock:
            return bool(self._held.get(shown))

    def note(self, shown: Hashable, *, is_good: bool) -> None:
        """Keep in mind what became of one."""
        with self._lock:
            if is_good:
                self._held[shown] = True
            else:
                self._held.pop(shown, None)


@dataclass(frozen=True, slots=True)
class NewCredentialCount:
    """The count of a key or session that was not good here before: whether it may be looked up, and what if it is wrong."""

    may_look: bool
    if_wrong: RateDecision


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What may be asked: by a token or session that is good, and by an address that shows none.

    Whoever shows a key or session that was not good here before is counted for the address before it is looked up.
    Once the address may ask no more, a few a minute are looked up all the same: others ask from there too.
    """

    known: RateLimit
    strangers: RateLimit
    chances: RateLimit = field(default_factory=lambda: RateLimit(_CHANCES_PER_MINUTE))

    def look(self, address: str, now_us: int) -> NewCredentialCount:
        """Count one that is new here."""
        allowed = self.strangers.take(address, now_us)
        return NewCredentialCount(allowed.is_allowed or self.chances.take(address, now_us).is_allowed, allowed)

    def was_good(self, address: str, look: NewCredentialCount) -> None:
        """It was good: it does not count."""
        (self.strangers if look.if_wrong.is_allowed else self.chances).give_back(address)

    def forget(self) -> None:
        """Reset every requester's limit to a whole minute, as after the clock was set."""
        for limit in (self.known, self.strangers, self.chances):
            limit.forget()


def address_of(scope: Scope) -> str:
    """The address that a request comes from; of IPv6 the network, which one client has whole."""
    host = str((scope.get("client") or ("",))[0])
    if ":" not in host:
        return host
    try:
        return str(ipaddress.ip_network((host.partition("%")[0], 64), strict=False).network_address)
    except ValueError:
        return host
