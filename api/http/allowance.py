"""How many requests somebody may make: the generic cell rate algorithm, one number for each of them.

A token, a session or an address may use a minute's allowance at once and gets it back evenly. Nothing here reads a
clock, and no more is held than `_NUM_HELD_MAX` numbers: who has asked least lately is forgotten first.
"""

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Final

from starlette.types import Scope

from rules.units import US_PER_S

WINDOW_US: Final = 60 * US_PER_S
_NUM_HELD_MAX: Final = 100_000


@dataclass(frozen=True, slots=True)
class Allowed:
    """Whether a request may go on, and what is left; seconds are rounded up."""

    is_allowed: bool
    remaining: int
    reset_s: int


class Allowance:
    """Requests a minute, by who asks; 0 for no limit. Good in any thread."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._step_us = max(WINDOW_US // per_minute, 1) if per_minute else 0
        self._full_us: OrderedDict[str, int] = OrderedDict()
        self._lock = Lock()

    def forget(self) -> None:
        """Give everybody a whole allowance, as after the clock was set."""
        with self._lock:
            self._full_us.clear()

    def take(self, who: str, now_us: int) -> Allowed:
        """Count one request of somebody."""
        if not self._step_us:
            return Allowed(is_allowed=True, remaining=0, reset_s=0)
        with self._lock:
            full_us = max(self._full_us.get(who, 0), now_us) + self._step_us
            over_us = full_us - now_us - WINDOW_US
            if over_us > 0:
                return Allowed(is_allowed=False, remaining=0, reset_s=-(-over_us // US_PER_S))
            self._full_us[who] = full_us
            self._full_us.move_to_end(who)
            if len(self._full_us) > _NUM_HELD_MAX:
                self._full_us.popitem(last=False)
        return Allowed(is_allowed=True, remaining=-over_us // self._step_us, reset_s=-(-(full_us - now_us) // US_PER_S))


@dataclass(frozen=True, slots=True)
class Allowances:
    """What may be asked: by a token or session that is good, and by an address that shows none."""

    known: Allowance
    strangers: Allowance


def address_of(scope: Scope) -> str:
    """The address that a request comes from; of IPv6 the network, which one client has whole."""
    host = str((scope.get("client") or ("",))[0])
    if ":" not in host:
        return host
    try:
        return str(ipaddress.ip_network((host.partition("%")[0], 64), strict=False).network_address)
    except ValueError:
        return host
