"""How many requests a token may make: the generic cell rate algorithm, one number a token.

A token may use a minute's allowance at once and gets it back evenly. Nothing here reads a clock.
"""

from dataclasses import dataclass
from typing import Final

from rules.units import US_PER_S

WINDOW_US: Final = 60 * US_PER_S
# Tokens whose allowance is whole again are forgotten when this many are held.
_NUM_HELD_MAX: Final = 100_000


@dataclass(frozen=True, slots=True)
class Allowed:
    """Whether a request may go on, and what is left; seconds are rounded up."""

    is_allowed: bool
    remaining: int
    reset_s: int


class Allowance:
    """Requests a minute, by token; 0 for no limit."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._step_us = max(WINDOW_US // per_minute, 1) if per_minute else 0
        self._full_us: dict[str, int] = {}

    def take(self, token_id: str, now_us: int) -> Allowed:
        """Count one request of a token."""
        if not self._step_us:
            return Allowed(is_allowed=True, remaining=0, reset_s=0)
        full_us = max(self._full_us.get(token_id, 0), now_us) + self._step_us
        over_us = full_us - now_us - WINDOW_US
        if over_us > 0:
            return Allowed(is_allowed=False, remaining=0, reset_s=-(-over_us // US_PER_S))
        if len(self._full_us) >= _NUM_HELD_MAX:
            self._full_us = {token: until for token, until in self._full_us.items() if until > now_us}
        self._full_us[token_id] = full_us
        return Allowed(is_allowed=True, remaining=-over_us // self._step_us, reset_s=-(-(full_us - now_us) // US_PER_S))
