"""An output folder is written by one run at a time: a lock file beside it is released when the run ends."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from api.files.atomic import restore_interrupted
from api.files.errors import InputError
from rules.errors import Fault

_NO_LOCKS: Final = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextmanager
def locked_folders(*places: Path | None) -> Iterator[None]:
    """Hold places to write to; another run that wants one of them is refused until this one ends, however it ends.

    Raises
    ------
    InputError
        If another run holds one of them.
    """
    with ExitStack() as stack:
        for place in sorted({place.absolute() for place in places if place is not None}):
            stack.enter_context(_locked(place))
        yield


@contextmanager
def _locked(place: Path) -> Iterator[None]:
    path = place.parent / f".{place.name}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = _lock(path)
    except BlockingIOError as error:
        raise InputError(Fault("output_busy", file=str(place))) from error
    except OSError as error:
        raise InputError(Fault("output_refused", file=str(place), given=error.strerror or str(error))) from error
    try:
        restore_interrupted(place)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def _lock(path: Path) -> int:
    """A handle that holds the lock; tried again where the lock file was removed in the meantime."""
    while True:
        handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # Some network file systems have no locks: there, two runs into one folder are not noticed.
            if error.errno in _NO_LOCKS:
                return handle
            os.close(handle)
            raise
        try:
            if os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        except FileNotFoundError:
            pass
        os.close(handle)
