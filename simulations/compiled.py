"""How the city's hot code is compiled, and when what was compiled before is still good.

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
Function = TypeVar("Function", bound=Callable[..., Any])


@cache
def sources_digest() -> str:
    """Digest of every source file whose code or constants are compiled."""
    digest = hashlib.sha256()
    for folder in ("dispatch", "simulations"):
        for path in sorted((ROOT / folder).glob("*.py")):
            digest.update(f"{folder}/{path.name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _stamped(dispatcher: Any) -> Any:
    # There is no public way to say what Numba compares with the stamp its cache was written under.
    dispatcher._cache._cache_file._source_stamp = sources_digest()  # noqa: SLF001
    return dispatcher


def compiled(function: Function) -> Function:
    """Compile a function on its first call, cached on disk until any source of the two packages changes."""
    return cast(Function, _stamped(njit(cache=True, error_model="numpy")(function)))
