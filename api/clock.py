"""The wall clock: nothing else in the product reads it."""

import time
from typing import Final

# Linux alone counts the time a machine was suspended; elsewhere a suspension looks like a jump of the wall clock.
_COUNTER: Final[int | None] = getattr(time, "CLOCK_BOOTTIME", None)
# A platform's clock may run ahead of ours by this much.
AHEAD_US: Final = 600_000_000


def now_us() -> int:
    """Microseconds since 1970, UTC."""
    return time.time_ns() // 1_000


def elapsed_ns() -> int:
    """A clock that never goes back, for measuring how long something took."""
    return time.perf_counter_ns()


def running_us() -> int:
    """Microseconds since the machine started, its sleep included: it goes on evenly however the wall clock is set."""
    return (time.monotonic_ns() if _COUNTER is None else time.clock_gettime_ns(_COUNTER)) // 1_000
