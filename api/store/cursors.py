"""Where a page ended, by the values that order it: good however many rows come before it meanwhile."""

from api.store.refusals import Refused

_MOST_US = 2**63


def cursor_at(at_us: int, name: str) -> str:
    """The place of a row that is ordered by a time and an id."""
    return f"{at_us}.{name}"


def read_cursor(cursor: str) -> tuple[int, str]:
    """Time and id of `cursor_at`.

    Raises
    ------
    Refused
        cursor_invalid, for what is none of ours.
    """
    at_us, dot, name = cursor.partition(".")
    if not dot or not at_us.isascii() or not at_us.isdigit() or int(at_us) >= _MOST_US or "\0" in name:
        raise Refused("cursor_invalid")
    return int(at_us), name
