"""How the hot code is compiled.

`compiled` functions allocate nothing and return no array. That lets them do without Numba's reference counting, which
otherwise costs ten times what the arithmetic does: every call that takes a tuple of arrays counts each of them up and
down. What allocates is compiled with `njit(cache=True)` and calls these.
"""

from typing import Any

from numba import njit

# `_nrt` is Numba's own switch for code without its runtime; arrays come from Python and outlive the call, and Numba
# refuses to compile an allocation without it. The lock file holds Numba to a version where it was seen to work.
compiled: Any = njit(cache=True, _nrt=False, forceinline=True)
# A loop that Python calls; what it calls is inlined into it.
compiled_loop: Any = njit(cache=True, _nrt=False)
