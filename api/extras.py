"""What is installed on demand: a missing part is named with the line that installs it.

Invariant: each extra of pyproject.toml stands here, and each one here there (tested).
"""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Final

from api.files.errors import InputError
from rules.errors import Fault

# Extra → the module by which one sees that it is there.
EXTRAS: Final[Mapping[str, str]] = {"ray": "ray"}


def need_extra(extra: str, place: str) -> None:
    """Raise where an extra is not installed.

    Parameters
    ----------
    extra
        A key of `EXTRAS`.
    place
        What needs it, as the reader has named it, such as an option.

    Raises
    ------
    InputError
        Names the extra and the line that installs it.
    """
    if find_spec(EXTRAS[extra]) is None:
        raise InputError(Fault("extra_missing", file=place, given=extra, allowed=f'pip install "riderscore[{extra}]"'))
