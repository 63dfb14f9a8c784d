"""Runs code that is written for the compiler as Python, with the same results.

Compiled code asks records for their fields by attribute and reckons in 64 bits however narrow a column is; NumPy does
neither, so what goes in is seen through views of the same memory that do. Whole numbers wrap around as they do there.

Knows nothing of compilers.
"""

import threading
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

_THREAD = threading.local()


def is_running() -> bool:
    """Whether this thread is within `run`."""
    return getattr(_THREAD, "is_plain", False)


def run(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Call a function as Python; what it calls runs as Python, too.

    Parameters
    ----------
    function
        Written for the compiler.
    arguments
        Arrays, named tuples of arrays, numbers; arrays are written in place.

    Returns
    -------
    Any
        What the function returns.
    """
    _THREAD.is_plain = True
    try:
        with np.errstate(over="ignore"):
            return function(*map(_seen, arguments))
    finally:
        _THREAD.is_plain = False


class _WideArray(np.ndarray):
    """An array of narrow whole numbers, read as Python's."""

    def __getitem__(self, index: Any) -> Any:
        value = super().__getitem__(index)
        return value.item() if isinstance(value, np.generic) else value


def _seen(value: Any) -> Any:
    """The same memory, as compiled code sees it."""
    if isinstance(value, np.ndarray):
        return _array_seen(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(_seen, value))
    return value


def _array_seen(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.names:
        return array.view(_record_type(array.dtype))
    return array.view(_WideArray) if array.itemsize < 8 else array


@cache
def _record_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The same records, with their fields as attributes."""
    names: tuple[str, ...] = dtype.names or ()
    fields = {name: _field(name, is_unsigned=dtype[name].kind == "u" and dtype[name].itemsize == 8) for name in names}
    return np.dtype((type("Row", (np.void,), fields), dtype))


def _field(name: str, *, is_unsigned: bool) -> property:
    """A field as an attribute; what is hashed stays NumPy's, which wraps around, the rest becomes Python's int."""

    def get_hash(record: Any) -> Any:
        return record[name]

    def get(record: Any) -> Any:
        return record[name].item()

    def put(record: Any, value: Any) -> None:
        record[name] = value

    return property(get_hash if is_unsigned else get, put)
