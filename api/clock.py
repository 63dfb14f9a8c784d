"""The wall clock: nothing else in the product reads it."""

import time


def now_us() -> int:
    """Microseconds since 1970, UTC."""
    return time.time_ns() // 1_000


def elapsed_ns() -> int:
    """A clock that never goes back, for measuring how long something took."""
    return time.perf_counter_ns()
