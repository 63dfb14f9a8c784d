"""Compiles hot code with Numba, and decides whether the cached machine code is still valid: the one place for both.

`compiled` and `inlined` functions allocate nothing and return no array. That lets them do without Numba's reference
counting, which otherwise costs ten times what the arithmetic does: every call that takes a tuple of arrays counts each
of them up and down. What allocates is `compiled_with_runtime`.

A function that names its `rows` runs as the Python that it is written in (`rules.plain`) while inputs are small: to load machine
code takes half a second, to make it many. Results are the same to the bit.

Numba caches beside each source file and looks at that file's age alone, while compiled functions hold each other's code
and constants across files. So the cache is stamped with all sources that go into it.

Numba is imported when something is compiled, not by who imports this module.

Invariant: everything compiled is cached on disk where any folder can be written, and no code is run that was compiled from
other sources.
"""

import os
from collections.abc import Callable
from functools import cache, update_wrapper
from pathlib import Path
from threading import Lock
from typing import Any, Final, TypeVar, cast

from rules import plain
from rules.sources import ROOT, files_digest, sources_digest

# The sources whose code or constants are compiled into a package's functions.
_SOURCES = {
    "api": (
        "rules/compiled.py",
        "rules/ids.py",
        "api/files/id_checks.py",
        "api/files/json_list.py",
        "api/endpoints/common/json_shape.py",
    ),
    "scoring": ("rules/*.py", "scoring/*.py"),
    "dispatch": ("rules/compiled.py", "dispatch/*.py"),
    "simulations": ("rules/compiled.py", "dispatch/*.py", "simulations/*.py"),
}
# Up to how many rows a call, and how many in all its calls, a process works off in Python: where machine code lies in the cache,
# and where it would have to be made. An event is looked at by a dozen calls, and takes half a millisecond in all. To load
# machine code takes as long as 2 000 events, to make it as long as 40 000.
LOADED_ROWS: Final = (1_000, 15_000)
MADE_ROWS: Final = (20_000, 300_000)

Function = TypeVar("Function", bound=Callable[..., Any])
_MAKING: Final = Lock()


class _Process:
    """What a process has done in Python so far, and whom it tells what it compiles."""

    def __init__(self) -> None:
        self.rows_done = 0
        self.is_only_machine_code = False
        self.tell: Callable[[str], None] | None = None


_PROCESS: Final = _Process()


def only_machine_code() -> None:
    """From now on compile what small inputs need, too: for a process that stays, such as a server."""
    _PROCESS.is_only_machine_code = True


def tell_what_is_compiled(tell: Callable[[str], None] | None) -> None:
    """From now on name each function that is compiled, before it is; not those that are read from the cache.

    Parameters
    ----------
    tell
        Takes a name, such as `scoring.kernel.fold`; None tells nobody.
    """
    _PROCESS.tell = tell


class Compiled:
    """A function that becomes machine code when that is worth it.

    Parameters
    ----------
    function
        As it is written.
    rows
        Position of the argument whose length says how much a call does; None for what is always machine code.
    options
        Numba's.
    """

    def __init__(self, function: Callable[..., Any], rows: int | None, options: dict[str, Any]) -> None:
        self.py_func = function
        self._rows = rows
        self._options = options
        self._machine: Any = None
        update_wrapper(self, function)

    def __call__(self, *arguments: Any) -> Any:
        """What the function returns."""
        if plain.is_running():
            return self.py_func(*arguments)
        if "forceinline" in self._options:
            # It has no entry from Python: machine code would jump to nowhere.
            return plain.run(self.py_func, arguments)
        if self._machine is None:
            if self._rows is not None and self._is_small(len(arguments[self._rows])):
                return plain.run(self.py_func, arguments)
            self.machine_code()
        return self._machine(*arguments)

    def _is_small(self, rows: int) -> bool:
        """Whether a call is better done in Python."""
        if _PROCESS.is_only_machine_code:
            return False
        most, most_in_all = LOADED_ROWS if is_kept(self.py_func) else MADE_ROWS
        if rows > most or _PROCESS.rows_done + rows > most_in_all:
            return False
        _PROCESS.rows_done += rows
        return True

    def machine_code(self) -> Any:
        """Numba's function, made or read from the cache when it is called."""
        with _MAKING:
            if self._machine is None:
                self._machine = _cached(self.py_func, **self._options)
        return self._machine


def compiled(*, rows: int | None = None) -> Callable[[Function], Function]:
    """Compile a loop that Python calls; other threads of the process go on meanwhile.

    The function allocates nothing and returns no array.

    Parameters
    ----------
    rows
        As of `Compiled`.

    Returns
    -------
    Callable
        Decorates a function; it is compiled at its first call, or read from the cache on disk.
    """
    return lambda function: _made(function, rows, nogil=True, _nrt=False, no_cfunc_wrapper=True)


def compiled_with_runtime(*, rows: int | None = None) -> Callable[[Function], Function]:
    """Compile what may allocate arrays and return them.

    Parameters
    ----------
    rows
        As of `Compiled`.

    Returns
    -------
    Callable
        Decorates a function; it is compiled at its first call, or read from the cache on disk.
    """
    return lambda function: _made(function, rows, nogil=True, no_cfunc_wrapper=True)


def inlined(function: Function) -> Function:
    """Compile what other compiled code calls; it becomes part of its caller. Called from Python it runs as Python.

    Parameters
    ----------
    function
        Allocates nothing and returns no array.

    Returns
    -------
    Function
        Compiled with its callers.
    """
    return _made(function, None, forceinline=True, _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def _made(function: Function, rows: int | None, **options: Any) -> Function:
    return cast(Function, Compiled(function, rows, options))


@cache
def is_kept(function: Callable[..., Any]) -> bool:
    """Whether machine code of a function lies where Numba keeps it, though perhaps that of older sources.

    Asked before Numba is imported, so by the names that it gives its files.
    """
    path = Path(function.__code__.co_filename)
    pattern = f"{path.stem}.{function.__name__}-*.nbi"
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    folders = Path(chosen).glob(f"*/{pattern}") if chosen else (path.parent / "__pycache__").glob(pattern)
    return any(True for _ in folders)


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
def _cached(function: Callable[..., Any], **options: Any) -> Any:
    from numba import njit

    _listen()
    try:
        dispatcher = njit(cache=True, **options)(function)
    except RuntimeError:
        # Numba has no folder to write to: what is compiled lasts as long as the process.
        return njit(**options)(function)
    cache_file = dispatcher._cache._cache_file  # noqa: SLF001
    cache_file._source_stamp = stamp_of(function.__code__.co_filename)  # noqa: SLF001
    cache_file._load_index = _unless_unreadable(cache_file)  # noqa: SLF001
    return dispatcher


def _unless_unreadable(cache_file: Any) -> Callable[[], dict[Any, str]]:
    """Numba's index holds its stamp and the names of types together: one that names a type of older sources is stale."""

    def load_index() -> dict[Any, str]:
        try:
            return cast("dict[Any, str]", type(cache_file)._load_index(cache_file))  # noqa: SLF001
        except (AttributeError, ImportError):
            return {}

    return load_index


def _listen() -> None:
    """Teach Numba what a `Compiled` is, and hear when it compiles; once a process."""
    from numba.core import event, types
    from numba.extending import typeof_impl

    if Compiled in typeof_impl.registry:
        return

    @typeof_impl.register(Compiled)  # type: ignore[untyped-decorator]
    def type_of(value: Compiled, _context: Any) -> Any:
        return types.Dispatcher(value.machine_code())

    class Listener(event.Listener):  # type: ignore[misc]
        """Names the outermost of the functions that are being compiled."""

        depth = 0

        def on_start(self, event: Any) -> None:
            function = event.data["dispatcher"].py_func
            if self.depth == 0 and _PROCESS.tell is not None:
                _PROCESS.tell(f"{function.__module__}.{function.__name__}")
            self.depth += 1

        def on_end(self, event: Any) -> None:  # noqa: ARG002 as of Numba
            self.depth -= 1

    event.register("numba:compile", Listener())
