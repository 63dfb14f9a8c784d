"""Compiles hot code with Numba, and decides whether the cached machine code is still valid: the one place for both.

`compiled` and `inlined` functions allocate nothing and return no array. That lets them do without Numba's reference
counting, which otherwise costs ten times what the arithmetic does: every call that takes a tuple of arrays counts each
of them up and down. What allocates is `compiled_with_runtime`.

Numba caches beside each source file and looks at that file's age alone, while compiled functions hold each other's code
and constants across files. So the cache is stamped with all sources that go into it.

Numba is imported by whoever compiles, not by who imports this module: the rules themselves need none.

Invariant: everything compiled is cached on disk, and no code is run that was compiled from other sources.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from rules.sources import ROOT, files_digest, sources_digest

# The sources whose code or constants are compiled into a package's functions.
_SOURCES = {
    "scoring": ("rules/*.py", "scoring/*.py"),
    "dispatch": ("rules/compiled.py", "dispatch/*.py"),
    "simulations": ("rules/compiled.py", "dispatch/*.py", "simulations/*.py"),
}

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a loop that Python calls; other threads of the process go on meanwhile.

    Parameters
    ----------
    function
        Allocates nothing and returns no array.

    Returns
    -------
    Function
        Compiled at its first call, or read from the cache on disk.
    """
    return _cached(function, nogil=True, _nrt=False, no_cfunc_wrapper=True)


def compiled_with_runtime(function: Function) -> Function:
    """Compile what allocates.

    Parameters
    ----------
    function
        May allocate arrays and return them.

    Returns
    -------
    Function
        Compiled at its first call, or read from the cache on disk.
    """
    return _cached(function, nogil=True, no_cfunc_wrapper=True)


def inlined(function: Function) -> Function:
    """Compile what other compiled code calls; it becomes part of its caller.

    Parameters
    ----------
    function
        Allocates nothing and returns no array.

    Returns
    -------
    Function
        Compiled with its callers.
    """
    return _cached(function, forceinline=True, _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def stamp_of(file: str) -> str:
    """Digest of every source that functions of a source file may contain: the stamp of their cached machine code."""
    path = Path(file)
    package = path.relative_to(ROOT).parts[0] if path.is_relative_to(ROOT) else ""
    if package in _SOURCES:
        return sources_digest(*_SOURCES[package])
    everything = (source for patterns in _SOURCES.values() for pattern in patterns for source in ROOT.glob(pattern))
    return files_digest((path, *everything))


# `_nrt` is Numba's own switch for code without its runtime; arrays come from Python and outlive the call, and Numba
# refuses to compile an allocation without it. There is no public way to say what Numba compares with the stamp its cache
# was written under. The lock file holds Numba to a version where both were seen to work.
def _cached(function: Function, **options: Any) -> Function:
    from numba import njit

    dispatcher = njit(cache=True, **options)(function)
    cache_file = dispatcher._cache._cache_file  # noqa: SLF001
    cache_file._source_stamp = stamp_of(function.__code__.co_filename)  # noqa: SLF001
    cache_file._load_index = _unless_unreadable(cache_file)  # noqa: SLF001
    return cast(Function, dispatcher)


def _unless_unreadable(cache_file: Any) -> Callable[[], dict[Any, str]]:
    """Numba's index holds its stamp and the names of types together: one that names a type of older sources is stale."""

    def load_index() -> dict[Any, str]:
        try:
            return cast("dict[Any, str]", type(cache_file)._load_index(cache_file))  # noqa: SLF001
        except (AttributeError, ImportError):
            return {}

    return load_index
