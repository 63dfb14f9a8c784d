"""Faults that stop reading or writing before any row: a missing file, an unknown ending, no table.

Bad rows never come here; they are rejects (`api.files.rejects`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rules.errors import Fault


class InputError(Exception):
    """Input that cannot be read, or an output place that may not be written; carries every fault found.

    The command line ends with exit code 2 on it.
    """

    def __init__(self, *faults: Fault) -> None:
        self.faults = faults
        super().__init__("\n".join(fault.describe("en") for fault in faults))

    def __reduce__(self) -> tuple[type["InputError"], tuple[Fault, ...]]:
        """Between processes it travels as its faults, not as its message."""
        return InputError, self.faults


@contextmanager
def system_errors_as(code: str, path: Path) -> Iterator[None]:
    """Turn what the operating system refuses (`OSError`) into an `InputError` of a code, naming the path."""
    try:
        yield
    except OSError as error:
        raise InputError(Fault(code, file=str(path), given=error.strerror or str(error))) from error
