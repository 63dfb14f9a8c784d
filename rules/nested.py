"""Values inside documents: read, put and removed at a path. The only place that walks into nested tables and lists.

A path is a sequence of steps: a key of a table, or the position of an item of a list. A position may be text (`"3"`), as
in a JSON pointer. What a document may say is not known here.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

from rules.errors import RuleError

Step = str | int
Path = Sequence[Step]

_POSITION: Final = re.compile(r"0|[1-9]\d{0,5}")


class NowhereError(RuleError, LookupError):
    """A path that leads nowhere.

    Parameters
    ----------
    holder
        The last value that the path reached.
    step
        The step that could not be taken from it.
    """

    def __init__(self, holder: object, step: Step) -> None:
        self.holder = holder
        self.step = step
        super().__init__(f"no {step!r} in a {type(holder).__name__}")

    @property
    def is_row(self) -> bool:
        """Whether what is missing is an item of a list."""
        return isinstance(self.holder, list) and is_position(self.step)


def is_position(step: Step) -> bool:
    """Whether a step can be the position of an item.

    Parameters
    ----------
    step
        One step of a path.

    Returns
    -------
    bool
        True for an int, and for text that is a number without leading zeros.
    """
    return isinstance(step, int) or _POSITION.fullmatch(step) is not None


def child(holder: object, step: Step) -> Any:
    """The value one step into a table or a list.

    Parameters
    ----------
    holder
        A table, a list, or anything else, which has no values inside.
    step
        A key or a position.

    Returns
    -------
    Any
        The value itself, not a copy.

    Raises
    ------
    NowhereError
        If there is no such value.
    """
    if isinstance(holder, dict) and step in holder:
        return holder[step]
    if isinstance(holder, list) and is_position(step) and 0 <= int(step) < len(holder):
        return holder[int(step)]
    raise NowhereError(holder, step)


def reach(document: object, path: Path) -> Any:
    """The value at a path that must lead somewhere.

    Parameters
    ----------
    document
        Where the path begins.
    path
        Steps into it; none for the document itself.

    Returns
    -------
    Any
        The value itself, not a copy.

    Raises
    ------
    NowhereError
        For the first step that cannot be taken.
    """
    value = document
    for step in path:
        value = child(value, step)
    return value


def trail(document: object, path: Path) -> list[Any]:
    """The values that a path passes, from the document on, as far as it leads.

    Parameters
    ----------
    document
        Where the path begins.
    path
        Steps into it.

    Returns
    -------
    list
        The document first; one value more than the path has steps if the path leads to a value.
    """
    values = [document]
    for step in path:
        try:
            values.append(child(values[-1], step))
        except NowhereError:
            break
    return values


def get(document: object, path: Path, default: Any = None) -> Any:
    """The value at a path.

    Parameters
    ----------
    document
        Where the path begins.
    path
        Steps into it; none for the document itself.
    default
        What comes back if the path leads nowhere.

    Returns
    -------
    Any
        The value itself, not a copy.
    """
    try:
        return reach(document, path)
    except NowhereError:
        return default


def put(document: dict[str, Any], path: Path, value: Any) -> None:
    """Put a value at a path; tables that are missing on the way are made, plain values in the way are replaced by them.

    Parameters
    ----------
    document
        The document, which is changed.
    path
        At least one step; an item of a list must be there already.
    value
        What stands there afterwards.

    Raises
    ------
    NowhereError
        If the path is empty or leads into a list at no item of it.
    """
    if not path:
        raise NowhereError(document, "")
    *way, last = path
    holder: Any = document
    for step in way:
        if isinstance(holder, dict) and step != "" and not isinstance(holder.get(step), dict | list):
            holder[step] = {}
        holder = child(holder, step)
    if isinstance(holder, dict):
        holder[last] = value
    else:
        child(holder, last)
        holder[int(last)] = value


def discard(document: dict[str, Any], path: Path) -> None:
    """Remove a key of a table, and the tables above it that are empty without it; nothing if it is not there.

    Parameters
    ----------
    document
        The document, which is changed.
    path
        Steps to the key.
    """
    holders = trail(document, path)[: len(path)]
    if len(holders) < len(path) or not isinstance(holders[-1], dict):
        return
    holders[-1].pop(path[-1], None)
    for above, step, table in reversed(list(zip(holders, path, holders[1:], strict=False))):
        if table != {} or not isinstance(above, dict):
            break
        del above[step]


def pointer_of(path: Path) -> str:
    """A path as a JSON pointer (RFC 6901).

    Parameters
    ----------
    path
        Steps of any kind.

    Returns
    -------
    str
        Such as `/rule/3/points`; empty for no steps.
    """
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def path_of(pointer: str) -> list[str]:
    """The steps of a JSON pointer (RFC 6901); its first slash may be left out.

    Parameters
    ----------
    pointer
        Such as `/rule/3/points`.

    Returns
    -------
    list of str
        The steps, positions as text.
    """
    written = pointer.removeprefix("/")
    return [step.replace("~1", "/").replace("~0", "~") for step in written.split("/")] if written else []
