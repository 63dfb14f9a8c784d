"""Protection against formulas in exported tables: text that a spreadsheet program would run gets an apostrophe in front.

Source: OWASP, "CSV Injection". Signs of other widths count as well, and blanks before them do not help.
"""

import re
import unicodedata
from typing import Final

_LEADING: Final = " \xa0\u3000\u200b\u200c\u200d\u2060\ufeff"
_SIGNS: Final = frozenset("=+-@")
_ENDS: Final = frozenset("\t\r\n\x0b\x0c")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def is_formula(written: str) -> bool:
    """Whether a spreadsheet program may run a text, apostrophes before it left out; numbers are none.

    Parameters
    ----------
    written
        Any text.

    Returns
    -------
    bool
        True for text that begins, after apostrophes and blanks, with `=`, `+`, `-` or `@` of any width.
    """
    if written[:1].isascii() and written[:1].isalnum():
        return False
    start = written.lstrip("'")
    if not start or _NUMBER.fullmatch(start):
        return False
    if start[0] in _ENDS:
        return True
    first = start.lstrip(_LEADING)[:1]
    return bool(first) and (first in _ENDS or unicodedata.normalize("NFKC", first) in _SIGNS)


def escape_formula(written: str) -> str:
    """Text as a cell of a table that leaves.

    Parameters
    ----------
    written
        Any text.

    Returns
    -------
    str
        With an apostrophe before it if a spreadsheet program might run it.
    """
    return f"'{written}" if is_formula(written) else written


def unescape_formula(written: str) -> str:
    """The text of a cell that may begin with such an apostrophe.

    Parameters
    ----------
    written
        A cell.

    Returns
    -------
    str
        Without the apostrophe that `guarded` put there.
    """
    return written[1:] if written.startswith("'") and is_formula(written[1:]) else written
