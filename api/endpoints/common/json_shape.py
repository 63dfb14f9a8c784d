"""What a JSON text holds, counted in one pass over its bytes before anything is made of it.

The pass allocates nothing and ends at the first limit that is passed. It checks no grammar: of what is no JSON it counts
what it would be.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from rules.compiled import compiled_with_runtime

# Deeper than any limit that a setting may ask for.
DEPTH_MAX: Final = 256
DEEP, MANY, LONG, ROWS = 1, 2, 3, 4


@dataclass(frozen=True, slots=True)
class JsonShape:
    """How much a JSON text may hold.

    Parameters
    ----------
    depth_max
        Levels of lists and objects.
    values_max
        Values in all: whatever a comma, a bracket or a brace begins.
    members_max, items_max
        Values of one object, of one list.
    text_bytes_max
        Bytes of one text or number.
    """

    depth_max: int
    values_max: int
    members_max: int
    items_max: int
    text_bytes_max: int


def exceeded_limit(body: bytes, shape: JsonShape, *, is_lines: bool = False) -> int:
    """The first limit that a text passes: `DEEP`, `MANY`, `LONG`, `ROWS`; 0 if it keeps all.

    Parameters
    ----------
    is_lines
        A value a line: each line begins anew. There may be twice as many as items, since some may be blank.
    """
    depth_max = min(shape.depth_max, DEPTH_MAX)
    limits = (depth_max, shape.values_max, shape.members_max, shape.items_max, shape.text_bytes_max)
    return int(_passed(np.frombuffer(body, np.uint8), limits, is_lines))


@compiled_with_runtime()
def _passed(letters: Any, limits: tuple[int, int, int, int, int], is_lines: bool) -> int:
    depth_max, values_max, members_max, items_max, text_max = limits
    counts = np.zeros(DEPTH_MAX + 2, np.int64)
    most = np.zeros(DEPTH_MAX + 2, np.int64)
    is_list = np.zeros(DEPTH_MAX + 2, np.bool_)
    depth, num_values, num_lines, run = 0, 0, 0, 0
    in_text, is_escaped = False, False
    for k in range(letters.size):
        letter = letters[k]
        if letter == 10 and is_lines:
            num_lines += 1
            depth, run, in_text, is_escaped = 0, 0, False, False
            if num_lines > 2 * items_max:
                return ROWS
        elif in_text:
            run += 1
            if run > text_max:
                return LONG
            if is_escaped:
                is_escaped = False
            elif letter == 92:
                is_escaped = True
            elif letter == 34:
                in_text, run = False, 0
        elif letter == 34:
            in_text, run = True, 0
        elif letter == 44 or letter == 58:
            run = 0
            if letter == 44:
                num_values += 1
                counts[depth] += 1
                if depth and counts[depth] >= most[depth]:
                    return ROWS if is_list[depth] else MANY
                if num_values > values_max:
                    return MANY
        elif letter == 91 or letter == 123:
            run = 0
            num_values += 1
            depth += 1
            if depth > depth_max:
                return DEEP
            counts[depth], is_list[depth] = 0, letter == 91
            most[depth] = members_max if letter == 123 else items_max
            if num_values > values_max:
                return MANY
        elif letter == 93 or letter == 125:
            run = 0
            depth = max(depth - 1, 0)
        elif letter == 32 or letter == 10 or letter == 13 or letter == 9:
            run = 0
        else:
            run += 1
            if run > text_max:
                return LONG
    return 0
