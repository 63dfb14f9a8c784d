"""Compiles the city's hot code with Numba, and decides whether the cached machine code is still valid.

Numba caches beside each source file and looks at that one file's age only; our compiled functions contain the
dispatcher's code and constants. So the cache is stamped with the sources of both packages.
"""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import njit

ROOT = Path(__file__).parents[1]
# Modules with compiled code, or with constants that it reads.
COMPILED = ("behaviour", "compiled", "area_state", "price", "randomness", "ranks", "riding", "sending")
Function = TypeVar("Function", bound=Callable[..., Any])


@cache
def sources_digest() -> str:
    """Digest of every source file whose code or constants are compiled."""
    digest = hashlib.sha256()
    own = [ROOT / "simulations" / f"{name}.py" for name in COMPILED]
    for path in (*sorted((ROOT / "dispatch").glob("*.py")), *own):
        digest.update(f"{path.parent.name}/{path.name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _stamped(dispatcher: Any) -> Any:
    # There is no public way to say what Numba compares with the stamp its cache was written under.
    dispatcher._cache._cache_file._source_stamp = sources_digest()  # noqa: SLF001
    return dispatcher


def compiled(function: Function) -> Function:
    """Compile what allocates nothing, cached on disk until any source it was made from changes.

    Without Numba's reference counting (`_nrt`, its own switch), which costs ten times what the arithmetic does: every call
    that takes a tuple of arrays counts each of them up and down. The arrays come from Python and outlive the call.
    """
    return cast(Function, _stamped(njit(cache=True, error_model="numpy", _nrt=False)(function)))


def compiled_with_runtime(function: Function) -> Function:
    """Compile what allocates."""
    return cast(Function, _stamped(njit(cache=True, error_model="numpy")(function)))
