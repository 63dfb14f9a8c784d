"""What is wrong with a text that is no JSON, and where: found only after a parser has refused it."""

import json
import re
from dataclasses import dataclass, field
from typing import Final

from api.files.rejects import shorten
from rules.text_files import BYTE_ORDER_MARK, file_format_of

# Every letter is looked at once: a text without an end is a word too, and nothing is tried twice.
_TOKEN: Final = re.compile(r"""[ \t\r\n]++|"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[^ \t\r\n"{}\[\],:\ufeff]++|.""", re.DOTALL)
_CONSTANTS: Final = frozenset({"NaN", "Infinity", "-Infinity"})


@dataclass(frozen=True, slots=True)
class JsonFault:
    """The first fault of a text.

    Parameters
    ----------
    reason
        One of `api.files.rejects.REASONS`.
    key
        The member it stands in; empty for none.
    value
        What stands there.
    line, at
        Its place: line and character in the line, from 1.
    path
        Keys and positions on the way to it.
    """

    reason: str
    key: str
    value: str
    line: int
    at: int
    path: tuple[str | int, ...] = ()


@dataclass(slots=True)
class _Level:
    """One object or list that is open; a list counts its items."""

    is_object: bool
    keys: set[str] = field(default_factory=set)
    key: str = ""
    item: int = 0
    wants_key: bool = True

    @property
    def step(self) -> str | int:
        return self.key if self.is_object else self.item


def find_json_fault(written: bytes | str) -> JsonFault | None:
    """The first fault of a text: a value that JSON has not, a key that stands twice, a comma too many, or where it ends.

    Returns
    -------
    None for sound JSON.
    """
    if isinstance(written, bytes):
        packing = file_format_of(written)
        if packing is not None:
            return JsonFault("json_packed", "", packing, 1, 1)
        try:
            text = written.decode()
        except UnicodeDecodeError as error:
            line, at = _place(written[: error.start].decode("utf-8", "replace"), None)
            return JsonFault("json_not_utf8", "", written[error.start : error.start + 4].hex(), line, at)
    else:
        text = written
    try:
        json.loads(text)
    except RecursionError:
        return JsonFault("json_syntax", "", "", 1, 1)
    except ValueError as error:
        position = getattr(error, "pos", 0)
        syntax = JsonFault("json_syntax", "", shorten(text[position : position + 20].strip()), *_place(text, position))
        return _walked(text, position) or syntax
    return _walked(text, len(text))


def _walked(text: str, stop: int) -> JsonFault | None:
    """A fault that a walk over the words of a text finds, as far as its grammar is sound: up to where a parser stopped."""
    levels: list[_Level] = []
    before = ""
    for match in _TOKEN.finditer(text):
        word = match[0]
        if word[0] in " \t\r\n":
            continue
        # Parsers stop at a comma too many, or at what follows it.
        if match.start() > stop and before != ",":
            break
        reason = _reason_of(word, before, levels)
        if reason:
            key = _key_of(word) if reason == "json_key_twice" else _inner_key(levels)
            path = tuple(level.step for level in levels if level.step != "")
            path = (*path[:-1], key) if reason == "json_key_twice" else path
            return JsonFault(
                reason, key, shorten(key if reason == "json_key_twice" else word), *_place(text, match.start()), path
            )
        _step(word, levels)
        before = word
    return None


def _reason_of(word: str, before: str, levels: list[_Level]) -> str:
    """Why a word may not stand here; empty if it may."""
    if word in _CONSTANTS:
        return "json_constant"
    if word == BYTE_ORDER_MARK:
        return "json_mark"
    if word in "}]" and before == ",":
        return "json_comma"
    top = levels[-1] if levels else None
    if top is not None and top.is_object and top.wants_key and word[0] == '"':
        return "json_key_twice" if _key_of(word) in top.keys else ""
    return ""


def _step(word: str, levels: list[_Level]) -> None:
    top = levels[-1] if levels else None
    if word in "{[":
        levels.append(_Level(word == "{"))
    elif word in "}]":
        if levels:
            levels.pop()
    elif top is None:
        return
    elif word == ",":
        top.item += 1
        top.wants_key = True
    elif word == ":":
        top.wants_key = False
    elif top.is_object and top.wants_key and word[0] == '"':
        top.key = _key_of(word)
        top.keys.add(top.key)


def _inner_key(levels: list[_Level]) -> str:
    return next((level.key for level in reversed(levels) if level.is_object), "")


def _key_of(word: str) -> str:
    try:
        return str(json.loads(word))
    except ValueError:
        return word.strip('"')


def _place(text: str, position: int | None) -> tuple[int, int]:
    before = text if position is None else text[:position]
    return before.count("\n") + 1, len(before) - before.rfind("\n")
