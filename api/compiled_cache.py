"""Where compiled code is kept: what `RIDERSCORE_CACHE_DIR` names, else a folder of the reader's own, else a temporary one.

Numba keeps it beside the sources, or below HOME, and gives up where it may write to neither. The choice goes into the environment,
so that child processes make the same one.
"""

import os
import stat
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from rules.sources import ROOT

VARIABLE: Final = "RIDERSCORE_CACHE_DIR"
_NUMBA_VARIABLE: Final = "NUMBA_CACHE_DIR"


def choose_cache(tell: Callable[[str, str], None], environ: Mapping[str, str] | None = None) -> Path | None:
    """Choose a folder for compiled code, once for a process and its children.

    Parameters
    ----------
    tell
        Is told why the chosen folder is none that lasts: `cli.cache_refused` where the one that was named cannot be written,
        `cli.cache_temporary`; and the folder it is about.
    environ
        Of this process unless given.

    Returns
    -------
    Path | None
        None where Numba finds its place beside the sources.
    """
    named = (os.environ if environ is None else environ).get(VARIABLE, "")
    if named and _is_writable(Path(named)):
        return _chosen(Path(named))
    if named:
        tell("cli.cache_refused", named)
    elif _NUMBA_VARIABLE in (os.environ if environ is None else environ):
        return None
    for folder in _lasting():
        if _is_writable(folder):
            return None if folder.is_relative_to(ROOT) else _chosen(folder)
    temporary = _temporary()
    tell("cli.cache_temporary", str(temporary))
    return _chosen(temporary)


def _chosen(folder: Path) -> Path:
    os.environ[_NUMBA_VARIABLE] = str(folder)
    return folder


def _lasting() -> list[Path]:
    """Folders that stay, best first: beside the sources, then where caches of a user belong."""
    home = os.environ.get("XDG_CACHE_HOME")
    try:
        below = Path(home) if home else Path.home() / ".cache"
    except RuntimeError:
        # Nobody knows whose home it is.
        return [ROOT / "rules" / "__pycache__"]
    return [ROOT / "rules" / "__pycache__", below / "riderscore"]


def _is_writable(folder: Path) -> bool:
    """Whether files can be made in a folder, which is made if need be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _temporary() -> Path:
    """A folder for temporary files that no other user may write to, since what lies in it is run."""
    getuid = getattr(os, "getuid", None)
    if getuid is not None:
        folder = Path(tempfile.gettempdir()) / f"riderscore-cache-{getuid()}"
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            found = folder.lstat()
        except OSError:
            return Path(tempfile.mkdtemp(prefix="riderscore-cache-"))
        if stat.S_ISDIR(found.st_mode) and found.st_uid == getuid() and not found.st_mode & 0o077:
            return folder
    return Path(tempfile.mkdtemp(prefix="riderscore-cache-"))
