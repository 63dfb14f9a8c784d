"""`pytest -p tests.soak.uncompiled`: compiled functions run as the Python that they are written in.

A fault in compiled code is judged in seconds that way; compiling it takes a minute. Compiled code asks records for their
fields by attribute and reckons in 64 bits however narrow a column is; NumPy does neither, so what goes in is seen
through views of the same memory that do.
"""

from collections.abc import Callable
from functools import wraps
from types import SimpleNamespace
from typing import Any

import numba
import numpy as np


class _Record(np.record):
    """A row whose whole numbers have 64 bits; a field goes before a method of NumPy's of that name (`all`)."""

    def __getattribute__(self, name: str) -> Any:
        is_field = name in (super().__getattribute__("dtype").names or ())
        return _wide(self[name]) if is_field else super().__getattribute__(name)


class _Array(np.ndarray):
    """An array whose whole numbers have 64 bits."""

    def __getitem__(self, index: Any) -> Any:
        return _wide(super().__getitem__(index))


def _wide(value: Any) -> Any:
    return np.int64(value) if isinstance(value, np.integer) and value.itemsize < 8 else value


def _seen(value: Any) -> Any:
    """The same memory, as compiled code sees it."""
    if isinstance(value, _Array):
        return value
    if isinstance(value, np.ndarray):
        return value.view(np.dtype((_Record, value.dtype)) if value.dtype.names else value.dtype, _Array)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(_seen, value))
    if isinstance(value, tuple):
        return tuple(map(_seen, value))
    return value


def _njit(*functions: Callable[..., Any], **_options: Any) -> Any:
    """Stands in for `numba.njit`."""

    def decorate(function: Callable[..., Any]) -> Any:
        @wraps(function)
        def plain(*arguments: Any) -> Any:
            return function(*map(_seen, arguments))

        # `rules.compiled` writes the stamp of the cache there.
        plain._cache = SimpleNamespace(_cache_file=SimpleNamespace())  # type: ignore[attr-defined]
        plain.py_func = function  # type: ignore[attr-defined]
        return plain

    return decorate(functions[0]) if functions else decorate


numba.njit = _njit
