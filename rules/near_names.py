"""Find the known name that a misspelt name was meant to be. Works on names alone; what they mean is not known here."""

import re
from collections.abc import Iterable
from typing import Final

# Longer names are looked at no further.
_LENGTH_MAX: Final = 64
_TIMES: Final = ("_at", "_us")
_UNITS: Final = (*_TIMES, "_id", "_fen", "_m", "_s")


def near_name(written: str, known: Iterable[str]) -> str | None:
    """Find the known name that a name is a near miss of, the nearest if several; None if it is none, or itself known.

    Near is: the same but for case, blanks, hyphens and underscores; the same without its unit (`fee` for `fee_fen`); or a
    few letters wrong, left out, put in or swapped: one in short names, two from 9 letters on, three from 16.

    Parameters
    ----------
    written
        The name that was written.
    known
        All names there are.

    Returns
    -------
    str or None
        One of `known`.
    """
    known = list(known)
    if written in known or not written or len(written) > _LENGTH_MAX:
        return None
    plain = _plain(written)
    near = [(distance, name) for name in known if (distance := _distance_of(plain, name)) is not None]
    return min(near)[1] if near else None


def _plain(name: str) -> str:
    return re.sub(r"[\s_\-.]+", "", name).lower()


def _distance_of(plain: str, name: str) -> int | None:
    """How far apart two names are; None if too far to be meant."""
    whole = _plain(name)
    stem = next((_plain(name[: -len(unit)]) for unit in _UNITS if name.endswith(unit)), whole)
    if plain in (whole, stem) or (name.endswith(_TIMES) and plain in (f"{stem}time", f"{stem}timestamp", f"{stem}ts")):
        return 0
    most = 1 + (len(whole) >= 9) + (len(whole) >= 16)
    if abs(len(plain) - len(whole)) > most:
        return None
    distance = _letters_apart(plain, whole)
    return distance if distance <= most else None


def _letters_apart(left: str, right: str) -> int:
    """Letters to change, put in, leave out, or swap with their neighbour (optimal string alignment)."""
    before: list[int] = []
    above = list(range(len(right) + 1))
    for i, letter in enumerate(left, 1):
        row = [i]
        for j, other in enumerate(right, 1):
            cost = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == right[j - 2] and left[i - 2] == other:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, above = above, row
    return above[-1]
