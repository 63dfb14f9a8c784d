"""A resolved document as TOML in the style in which the shipped books are written by hand.

Short tables stand on one line, parts of lists under their own heading. Reading it back gives the same digest.
"""

import re
from typing import Any

import tomli_w

_WIDTH = 110
_BILINGUAL = {"zh", "en"}
_HEADED = ("example",)
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def toml_of(document: dict[str, Any]) -> str:
    """The document as TOML text.

    Parameters
    ----------
    document
        Plain TOML values.

    Returns
    -------
    str
        Ends with a line feed.
    """
    return "\n".join(_lines((), document)).strip() + "\n"


def _lines(path: tuple[str, ...], table: dict[str, Any]) -> list[str]:
    lines = [f"{_key(key)} = {_inline(value)}" for key, value in table.items() if _on_one_line(path, key, value)]
    for key, value in table.items():
        if _on_one_line(path, key, value):
            continue
        inner = (*path, _key(key))
        heading = ".".join(inner)
        if isinstance(value, dict):
            lines += ["", f"[{heading}]", *_lines(inner, value)]
        else:
            for item in value:
                lines += ["", f"[[{heading}]]", *_lines(inner, item)]
    return lines


def _key(key: str) -> str:
    """A key as it is written: bare where it can be, else quoted."""
    return key if _BARE.fullmatch(key) else tomli_w.dumps({key: 0}).removesuffix(" = 0\n")


def _on_one_line(path: tuple[str, ...], key: str, value: Any) -> bool:
    if isinstance(value, dict):
        fits = len(key) + len(_inline(value)) <= _WIDTH
        # At the top, tables such as [score] have a heading of their own; a title has not.
        return fits and (bool(path) or set(value) <= _BILINGUAL)
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return bool(path) and key not in _HEADED
    return True


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{_key(key)} = {_inline(item)}" for key, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list):
        return "[" + ", ".join(_inline(item) for item in value) + "]"
    return tomli_w.dumps({"value": value}).removeprefix("value = ").rstrip("\n")
