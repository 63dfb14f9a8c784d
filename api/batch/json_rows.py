"""Where the rows of a large JSON list stand, so that each is read by itself: the text never stands in memory whole.

A text of 16 MiB with one character beyond the basic plane takes 64 MiB as Python's text, and its values as much again.
"""

import re
from typing import Any, Final

import numpy as np
from numba import njit

_NUM_ROWS_MAX: Final = 100_000
_LIST: Final = re.compile(rb"[ \t\n\r]*\[")
_WRAPPED: Final = re.compile(rb'[ \t\n\r]*\{[ \t\n\r]*"events"[ \t\n\r]*:[ \t\n\r]*\[')
_END: Final = re.compile(rb"[ \t\n\r]*")
_WRAPPED_END: Final = re.compile(rb"[ \t\n\r]*\}[ \t\n\r]*")


def row_bounds(body: bytes) -> tuple[bool, list[tuple[int, int]]] | None:
    """Whether a body is `{"events": [...]}` (else `[...]`), and from where to where each of its rows stands.

    None for anything else, which is to be read whole. If each row is a value, the body is JSON.
    """
    for begins, ends in ((_LIST, _END), (_WRAPPED, _WRAPPED_END)):
        found = begins.match(body)
        if found is None:
            continue
        starts, stops = np.empty(_NUM_ROWS_MAX, np.int64), np.empty(_NUM_ROWS_MAX, np.int64)
        number, after = _bounds(np.frombuffer(body, np.uint8), found.end(), starts, stops)
        if number < 0 or ends.fullmatch(body, after) is None:
            return None
        bounds = list(zip(starts[:number].tolist(), stops[:number].tolist(), strict=True))
        is_empty = number == 1 and not body[bounds[0][0] : bounds[0][1]].strip()
        return begins is _WRAPPED, [] if is_empty else bounds
    return None


@njit(cache=True, nogil=True)
def _bounds(letters: Any, first: int, starts: Any, stops: Any) -> tuple[int, int]:
    """How many rows were found, -1 for no list, and what comes after its end."""
    number, depth = 0, 1
    in_text, is_escaped = False, False
    start = first
    for k in range(first, letters.size):
        letter = letters[k]
        if in_text:
            if is_escaped:
                is_escaped = False
            elif letter == 92:
                is_escaped = True
            elif letter == 34:
                in_text = False
        elif letter == 34:
            in_text = True
        elif letter == 91 or letter == 123:
            depth += 1
        elif letter == 93 or letter == 125:
            depth -= 1
            if depth == 0:
                if letter == 125 or number >= starts.size:
                    return -1, k
                starts[number], stops[number] = start, k
                return number + 1, k + 1
        elif letter == 44 and depth == 1:
            if number >= starts.size:
                return -1, k
            starts[number], stops[number] = start, k
            number += 1
            start = k + 1
    return -1, letters.size
