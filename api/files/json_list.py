"""Where the rows of a large JSON list stand, so that each is read by itself: the text never stands in memory whole.

A text of 16 MiB with one character beyond the basic plane takes 64 MiB as Python's text, and its values as much again.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from rules.compiled import compiled_with_runtime

_NUM_ROWS_MAX: Final = 100_000
_EVENTS: Final = np.frombuffer(b"events", np.uint8)


@dataclass(frozen=True, slots=True)
class JsonListBounds:
    """Where a list begins and ends, without its brackets, and from where to where each of its rows stands."""

    start: int
    stop: int
    rows: list[tuple[int, int]]


def json_list_bounds(body: bytes) -> JsonListBounds | None:
    """The rows of `[...]`, or of `{"events": [...]}` with whatever else beside; None for anything else.

    If each row is a value, and what is around them is JSON, the body is.
    """
    letters = np.frombuffer(body, np.uint8)
    first = _list_start(letters, _EVENTS)
    if first < 0:
        return None
    starts, stops = np.empty(_NUM_ROWS_MAX, np.int64), np.empty(_NUM_ROWS_MAX, np.int64)
    number, stop = _bounds(letters, first, starts, stops)
    if number < 0:
        return None
    rows = list(zip(starts[:number].tolist(), stops[:number].tolist(), strict=True))
    is_empty = number == 1 and not body[first:stop].strip()
    return JsonListBounds(first, stop, [] if is_empty else rows)


@compiled_with_runtime()
def _list_start(letters: Any, name: Any) -> int:
    """The place after the bracket that begins the list, or that of a member of the outermost object; -1 for none."""
    depth, text_start, text_stop = 0, 0, 0
    in_text, is_escaped, is_named = False, False, False
    for k in range(letters.size):
        letter = letters[k]
        if in_text:
            if is_escaped:
                is_escaped = False
            elif letter == 92:
                is_escaped = True
            elif letter == 34:
                in_text, text_stop = False, k
        elif letter == 32 or letter == 10 or letter == 13 or letter == 9:
            continue
        elif letter == 58 and depth == 1:
            is_named = text_stop - text_start == name.size and bool(np.all(letters[text_start:text_stop] == name))
        else:
            if letter == 91 and (depth == 0 or (depth == 1 and is_named)):
                return k + 1
            is_named = False
            if letter == 34:
                in_text, text_start = True, k + 1
            elif letter == 91 or letter == 123:
                depth += 1
            elif letter == 93 or letter == 125:
                depth -= 1
            if depth <= 0 and letter != 123:
                return -1
    return -1


@compiled_with_runtime()
def _bounds(letters: Any, first: int, starts: Any, stops: Any) -> tuple[int, int]:
    """How many rows were found, -1 for no list, and where it ends."""
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
                return number + 1, k
        elif letter == 44 and depth == 1:
            if number >= starts.size:
                return -1, k
            starts[number], stops[number] = start, k
            number += 1
            start = k + 1
    return -1, letters.size
