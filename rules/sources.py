"""Digests of the program's own source files: what was made by other code is made anew.

Compiled code (`rules.compiled`) and the cached runs of studies are named by them. Nothing here knows what is cached.
"""

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]


@cache
def sources_digest(*patterns: str) -> str:
    """Digest of the program's source files that patterns name.

    Parameters
    ----------
    *patterns
        Such as ``scoring/*.py``, relative to the program's folder.

    Returns
    -------
    str
        SHA-256 in hexadecimal of each file's name and content, in the order of names.
    """
    return files_digest(path for pattern in patterns for path in ROOT.glob(pattern))


def files_digest(paths: Iterable[Path]) -> str:
    """SHA-256 in hexadecimal of the name and content of each file, in the order of names; a name counts once."""
    digest = hashlib.sha256()
    for path in sorted(set(paths)):
        name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        digest.update(name.as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
