"""The random draws of `simulations.counter_random` for compiled code: one draw at a time, equal to the bit.

A tested copy, since compiled code cannot call the array version; a module apart, since the sample city draws without
Numba and must not wait for its import. `dispatch.search` has a sequence of its own (xorshift64*): its draws depend on those
before, and every published solution on their order.
"""

import numpy as np

from rules.compiled import compiled
from simulations.counter_random import CounterRandom, purpose_state

MILLION = 1_000_000
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def state_of(rng: CounterRandom, purpose: str) -> np.uint64:
    """What compiled draws of a purpose start from."""
    return purpose_state(rng, purpose)


@compiled()
def _mixed(state: np.uint64) -> np.uint64:
    state = (state ^ (state >> np.uint64(30))) * _FIRST
    state = (state ^ (state >> np.uint64(27))) * _SECOND
    return state ^ (state >> np.uint64(31))


@compiled()
def rank(state: np.uint64, entity: int, day: int, occurrence: int) -> int:
    """A rank of 0 … 999 999 millionths: `CounterRandom.below(MILLION, …)`."""
    state = _mixed(state ^ _mixed(np.uint64(entity) + _GOLDEN))
    state = _mixed(state ^ _mixed(np.uint64(day) + _GOLDEN))
    state = _mixed(state ^ _mixed(np.uint64(occurrence) + _GOLDEN))
    return np.int64(((state >> np.uint64(32)) * np.uint64(MILLION)) >> np.uint64(32))
