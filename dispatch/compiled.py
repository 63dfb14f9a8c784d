"""The one door to numba: a decorator that keeps a function's type, and the names of the array types.

Invariant: everything compiled is cached on disk, so a second process does not compile.
"""

from collections.abc import Callable
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
    """Compile a function on its first call, cached on disk."""
    return cast(Function, njit(cache=True)(function))
