"""Names of the array types that dispatch works on, and of records."""

from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Seconds = npt.NDArray[np.int32]
Stops = npt.NDArray[np.int32]
Words = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]
# Structured arrays; a record's fields are attributes in compiled code: `riders[rider].free_s`.
Records = npt.NDArray[np.void]
Record = Any


def record_of(*names: str) -> np.dtype[np.void]:
    """Return the type of a record of int64 fields."""
    return np.dtype([(name, np.int64) for name in names])
