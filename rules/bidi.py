"""Direction of text: an id, a name or a comment in a script that runs from right to left must not reorder the text around it.

Such text is put between the isolates of Unicode (UAX #9); text without such letters and controls is left as it is.
"""

import re
from typing import Final

_ISOLATE: Final = "\u2068"
_END: Final = "\u2069"
# Controls of direction, and letters of scripts that run from right to left.
_CONTROLS: Final = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_CONTROL: Final = re.compile(f"[{_CONTROLS}]")
_TURNS: Final = re.compile(
    f"[{_CONTROLS}\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
_ISOLATED: Final = re.compile(f"{_ISOLATE}[^{_CONTROLS}]*{_END}")


def has_right_to_left(value: str) -> bool:
    """Whether a text holds letters from right to left or controls of direction."""
    return _TURNS.search(value) is not None


def show_controls(value: str) -> str:
    """A text whose controls of direction are seen, by their numbers."""
    return _CONTROL.sub(lambda control: f"\\u{ord(control[0]):04x}", value)


def isolate(value: str) -> str:
    """A text as it stands in a sentence: its direction is its own, and its controls of direction are seen.

    What is a sentence already, with every such part isolated, stays as it is.

    Parameters
    ----------
    value
        Text from elsewhere.

    Returns
    -------
    str
        Between U+2068 and U+2069 if it turns the direction; else as it is.
    """
    if not has_right_to_left(value):
        return value
    around = _ISOLATED.split(value)
    if len(around) > 1 and not any(map(has_right_to_left, around)):
        return value
    return f"{_ISOLATE}{show_controls(value)}{_END}"
