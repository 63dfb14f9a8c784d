"""The only module that imports Numba: a decorator that keeps a function's type, and the names of the array types.

Numba caches what it compiled beside each source file and looks at that one file's age only; our compiled functions
contain each other's code and constants across files. So the cache is stamped with all of the package's sources.

Invariant: everything compiled is cached on disk, and no code is run that was compiled from other sources.
"""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

Ints = npt.NDArray[np.int64]
Seconds = npt.NDArray[np.int32]
Stops = npt.NDArray[np.int32]
Words = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a function on its first call, cached on disk until any source of the package changes."""
    # Columns belong to one caller, so a long search need not keep the other threads of a server waiting.
    dispatcher = njit(cache=True, nogil=True)(function)
    # There is no public way to say what numba compares with the stamp its cache was written under.
    dispatcher._cache._cache_file._source_stamp = sources_digest()  # noqa: SLF001
    return cast(Function, dispatcher)


@cache
def sources_digest() -> str:
    """Return a digest of the package's source files."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
