"""Compiles the hot code with Numba, and decides whether the cached machine code is still valid.

`inlined` and `compiled` functions allocate nothing and return no array. That lets them do without Numba's reference
counting, which otherwise costs ten times what the arithmetic does: every call that takes a tuple of arrays counts each
of them up and down. What allocates is `compiled_with_runtime`.

Numba caches beside each source file and looks at that file's age alone, while compiled functions hold each other's code
and constants across files. So the cache is stamped with all sources that go into it.
"""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit

ROOT = Path(__file__).parents[1]


@cache
def sources_digest() -> str:
    """Digest of every source file whose code or constants are compiled."""
    digest = hashlib.sha256()
    for folder in ("rules", "scoring"):
        for path in sorted((ROOT / folder).glob("*.py")):
            digest.update(f"{folder}/{path.name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _stamped(dispatcher: Any) -> Any:
    # There is no public way to say what Numba compares with the stamp its cache was written under.
    dispatcher._cache._cache_file._source_stamp = sources_digest()  # noqa: SLF001
    return dispatcher


# `_nrt` is Numba's own switch for code without its runtime; arrays come from Python and outlive the call, and Numba
# refuses to compile an allocation without it. The lock file holds Numba to a version where it was seen to work.
# `nogil`: other threads of the process go on meanwhile; all that is read and written belongs to the call.
def inlined(function: Callable[..., Any]) -> Any:
    """Compile what other compiled code calls; it becomes part of its caller."""
    return _stamped(njit(cache=True, _nrt=False, forceinline=True)(function))


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a loop that Python calls."""
    return _stamped(njit(cache=True, _nrt=False, nogil=True)(function))


def compiled_with_runtime(function: Callable[..., Any]) -> Any:
    """Compile what allocates."""
    return _stamped(njit(cache=True, nogil=True)(function))
