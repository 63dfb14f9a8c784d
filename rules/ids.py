"""Identities: the digest of a document, and which texts may name an event, a rider, an order, a city or a platform."""

import datetime as dt
import hashlib
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

_MOST_DIGITS = 400

ID_LENGTH_MAX: Final = 128
# Of runs and databases that name no platform.
NO_PLATFORM: Final = "default"
PLATFORM_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
# Given by riderscore itself: what falls due on a day, and decisions on appeals.
RESERVED_PREFIXES: Final = ("reset:", "appeal:")
BIDI_CONTROLS: Final = "\u202a-\u202e\u2066-\u2069"
_BLANK: Final = " \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_INVISIBLE: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0"
    "\U000e0000-\U000e007f"
)
# Patterns that Python and Arrow (RE2) read alike.
_PATTERNS: Final[Mapping[str, str]] = {
    "no_text": "[\\x00\ufffd]",
    "control": "[\\x00-\\x1f\\x7f-\\x9f\u2028\u2029\ufffd]",
    "bidi": f"[{BIDI_CONTROLS}]",
    "invisible": f"[{_INVISIBLE}]",
    "blank": f"^[{_BLANK}]|[{_BLANK}]$",
    "no_value": "^(?:[Nn][Aa][Nn]|[Nn][Uu][Ll][Ll]|[Nn][Oo][Nn][Ee])$",
    "scientific": "^[+-]?[0-9]+[.,][0-9]+[Ee][+-][0-9]+$",
    "point_zero": "^[+-]?[0-9]+[.,]0+$",
    "reserved": f"^(?:{'|'.join(RESERVED_PREFIXES)})",
}
ID_FAULTS: Final = ("too_long", *_PATTERNS)
# What no option lets through.
_NEVER: Final = ("no_text", "reserved")
UNSOUND_ID: Final = "|".join(_PATTERNS.values())
NO_ID: Final = "|".join(_PATTERNS[name] for name in _NEVER)
_COMPILED: Final = {name: re.compile(pattern) for name, pattern in _PATTERNS.items()}


def id_fault(value: str) -> str | None:
    """Name what is wrong with a text as an id; None if it is sound.

    An id has 1 to 128 characters and is read as it was written: what a spreadsheet made of a number, a word that stands
    for no value, and characters that nobody sees would merge two ids or split one.

    Parameters
    ----------
    value
        The text.

    Returns
    -------
    str or None
        One of `ID_FAULTS`.
    """
    if len(value) > ID_LENGTH_MAX:
        return "too_long"
    return next((name for name, pattern in _COMPILED.items() if pattern.search(value)), None)


def is_never_id(value: str) -> bool:
    """Whether a text is no id even for who takes ids as they are: it is too long, holds no text, or is reserved.

    Parameters
    ----------
    value
        The text.

    Returns
    -------
    bool
        True for text over 128 characters, with NUL or U+FFFD, or with a reserved beginning.
    """
    return len(value) > ID_LENGTH_MAX or re.search(NO_ID, value) is not None


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        # 1.0, 1.00 and 1 are the same number and must give the same digest.
        if not value.is_finite() or abs(value.adjusted()) > _MOST_DIGITS:
            # Written out, 1e999999999 would take the memory of the machine.
            return str(value)
        return int(value) if value == value.to_integral_value() else str(value.normalize())
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no canonical form")


def digest(document: dict[str, Any]) -> str:
    """SHA-256 (hex) of a document of plain TOML values, independent of key order and number spelling.

    Parameters
    ----------
    document
        Plain TOML values.

    Returns
    -------
    str
        64 hex digits.
    """
    canonical = json.dumps(document, default=_plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
