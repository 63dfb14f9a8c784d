"""One cell of a rule book's tables: a plain TOML value as people write it, and back.

What a cell shows reads back to the same value. What cannot be read stays as it was typed, with a code that says why;
whether a value is allowed is for `rules` to say, not for a cell.

=========  ==============================  ============================
kind       written                         value
=========  ==============================  ============================
number     -0.5                            Decimal("-0.5")
yuan       0.50                            50 (fen)
choices    delivered; cancelled            ["delivered", "cancelled"]
switch     true                            True
range      >0 ≤5                           {over = 0, up_to = 5}
slide      0: 0; 5: -1                     [{late_min = 0, points = 0}, …]
texts      one a line                      ["…", "…"]
=========  ==============================  ============================
"""

import datetime as dt
import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from api.endpoints.books.columns import Column
from rules.text import LANGS, catalog
from rules.units import FEN_PER_YUAN, yuan_text
from rules.validation import as_written

MAX_CELL: Final = 4_000
_NUMBER: Final = re.compile(r"[+-]?\d{1,12}(\.\d{1,12})?")
_YUAN: Final = re.compile(r"\s*(?:元|yuan|¥|CNY)\s*", re.IGNORECASE)
_LIMIT: Final = re.compile(r"\s*(>=|<=|≥|≤|>|<)\s*([^\s<>≥≤=,;]+)\s*[,;]?")
_SIGNS: Final = {">": "over", ">=": "from", "≥": "from", "<=": "up_to", "≤": "up_to", "<": "below"}
_SHOWN: Final = {"over": ">", "from": "≥", "up_to": "≤", "below": "<"}
_YES: Final = ("true", "yes", "1", "是", "√", "✓")
_NO: Final = ("false", "no", "0", "否", "×")
_SEPARATORS: Final = re.compile(r"[;,、\n]")
# Signs of a keyboard in Chinese mode, and the minus of a typesetter.
_PLAIN_SIGNS: Final = str.maketrans({"−": "-", "–": "-", "：": ":", "；": ";", "，": ",", "＞": ">", "＜": "<"})

Read = tuple[Any, str]


def text_of(column: Column, value: Any) -> str:
    """A value as its cell shows it; what does not fit the column is shown as a book would write it."""
    if value is None:
        return ""
    shown = _SHOW[column.kind](column, value)
    return shown if shown is not None else value if isinstance(value, str) else as_written(value)


def value_of(column: Column, written: str) -> Read:
    """The value of a cell, and the code of what is wrong with how it is written (empty: nothing).

    An empty cell is None; a cell that cannot be read is its text.
    """
    written = written.replace("\r\n", "\n").replace("\r", "\n")
    if not written.strip():
        return None, ""
    if len(written) > MAX_CELL:
        return written, "cell_long"
    if column.kind == "text":
        return written, ""
    return _READ[column.kind](column, written)


def _show_number(_: Column, value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return _number_text(value)


def _number_text(value: int | Decimal) -> str:
    is_plain = isinstance(value, Decimal) and value.is_finite() and -12 <= value.adjusted() <= 12
    return f"{value:f}" if is_plain else str(value)


def _show_yuan(_: Column, value: Any) -> str | None:
    return None if isinstance(value, bool) or not isinstance(value, int) else yuan_text(value)


def _show_text(_: Column, value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _show_choices(_: Column, value: Any) -> str | None:
    values = [value] if isinstance(value, str) else value
    is_plain = isinstance(values, list) and all(
        isinstance(word, str) and not _SEPARATORS.search(word) for word in values
    )
    return "; ".join(values) if is_plain and values else None


def _show_switch(_: Column, value: Any) -> str | None:
    return ("true" if value else "false") if isinstance(value, bool) else None


def _show_date(_: Column, value: Any) -> str | None:
    return value.isoformat() if isinstance(value, dt.date) else None


def _show_time(_: Column, value: Any) -> str | None:
    if not isinstance(value, dt.time):
        return None
    return value.isoformat() if value.second or value.microsecond else value.strftime("%H:%M")


def _show_range(column: Column, value: Any) -> str | None:
    if not isinstance(value, dict) or not value or not set(value) <= set(_SHOWN):
        return None
    show = _show_time if column.inner == "time" else _show_number
    shown = [(sign, show(column, value[key])) for key, sign in _SHOWN.items() if key in value]
    return None if any(text is None for _, text in shown) else " ".join(f"{sign}{text}" for sign, text in shown)


def _show_slide(column: Column, value: Any) -> str | None:
    keys = {"late_min", column.inner}
    if (
        not isinstance(value, list)
        or not value
        or any(not isinstance(corner, dict) or set(corner) != keys for corner in value)
    ):
        return None
    shown = [(_show_number(column, corner["late_min"]), _show_number(column, corner[column.inner])) for corner in value]
    if any(None in pair for pair in shown):
        return None
    return "; ".join(f"{late}: {amount}" for late, amount in shown)


def _show_texts(_: Column, value: Any) -> str | None:
    is_plain = isinstance(value, list) and all(isinstance(line, str) and line and "\n" not in line for line in value)
    return "\n".join(value) if is_plain and value else None


def _read_number(_: Column, written: str) -> Read:
    value = _number(written)
    return (written, "cell_number") if value is None else (value, "")


def _read_whole(_: Column, written: str) -> Read:
    value = _number(written)
    if value is None:
        return written, "cell_whole"
    if isinstance(value, Decimal) and value == value.to_integral_value():
        # A spreadsheet writes 500 as 500.0.
        return int(value), ""
    return value, ""


def _read_yuan(_: Column, written: str) -> Read:
    value = _number(_YUAN.sub("", _plain(written)))
    fen = None if value is None else Decimal(value) * FEN_PER_YUAN
    return (written, "cell_yuan") if fen is None or fen != fen.to_integral_value() else (int(fen), "")


def yuan_of_fen(written: str) -> str:
    """A cell of a column in fen as one in yuan; what is no whole number is marked, since it is no yuan either."""
    value = _number(written)
    if value is None or value != int(value):
        return f"{written} fen" if written.strip() else written
    return yuan_text(int(value))


def _number(written: str) -> int | Decimal | None:
    plain = _plain(written)
    if not _NUMBER.fullmatch(plain):
        return None
    try:
        return Decimal(plain) if "." in plain else int(plain)
    except InvalidOperation:
        return None


def _read_choice(column: Column, written: str) -> Read:
    word = _word(column, written)
    return (written.strip(), "") if word is None else (word, "")


def _read_choices(column: Column, written: str) -> Read:
    words = [word for word in (part.strip() for part in _SEPARATORS.split(_plain(written))) if word]
    values = [_word(column, word) or word for word in words]
    return (values[0] if column.is_bare and len(values) == 1 else values), ""


def _read_switch(_: Column, written: str) -> Read:
    plain = _plain(written).lower()
    if plain in _YES:
        return True, ""
    return (False, "") if plain in _NO else (written, "cell_switch")


def _read_date(_: Column, written: str) -> Read:
    plain = _plain(written).replace("/", "-").replace("年", "-").replace("月", "-").replace("日", "")
    match = re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2})", plain)
    try:
        return (dt.date(*map(int, match.groups())), "") if match else (written, "cell_date")
    except ValueError:
        return written, "cell_date"


def _read_time(_: Column, written: str) -> Read:
    value = _time(written)
    return (written, "cell_time") if value is None else (value, "")


def _time(written: str) -> dt.time | None:
    match = re.fullmatch(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", _plain(written))
    try:
        return dt.time(int(match[1]), int(match[2]), int(match[3] or 0)) if match else None
    except ValueError:
        return None


def _read_range(column: Column, written: str) -> Read:
    plain = _plain(written)
    limits: dict[str, Any] = {}
    position = 0
    while position < len(plain):
        match = _LIMIT.match(plain, position)
        value = None if match is None else _time(match[2]) if column.inner == "time" else _number(match[2])
        if match is None or value is None or _SIGNS[match[1]] in limits:
            return written, "cell_range_time" if column.inner == "time" else "cell_range"
        limits[_SIGNS[match[1]]] = value
        position = match.end()
    return limits, ""


def _read_slide(column: Column, written: str) -> Read:
    corners = []
    for part in re.split(r"[;\n]", _plain(written)):
        if not part.strip():
            continue
        late, colon, amount = part.partition(":")
        values = _number(late), _number(amount)
        if not colon or None in values:
            return written, "cell_slide"
        corners.append({"late_min": values[0], column.inner: values[1]})
    return (corners, "") if corners else (written, "cell_slide")


def _read_texts(_: Column, written: str) -> Read:
    return [line.strip() for line in written.split("\n") if line.strip()], ""


def _plain(written: str) -> str:
    """Full-width digits and signs as their usual ones, without space around."""
    return unicodedata.normalize("NFKC", written).translate(_PLAIN_SIGNS).strip()


def _word(column: Column, written: str) -> str | None:
    """One of the column's words, written as such or in the words of the trade."""
    plain = _plain(written)
    if plain in column.choices:
        return plain
    for choice in column.choices:
        if any(plain.lower() == catalog(lang).get(f"word.{choice}", "").lower() for lang in LANGS):
            return choice
    return None


_SHOW: Final[dict[str, Callable[[Column, Any], str | None]]] = {
    "text": _show_text,
    "number": _show_number,
    "whole": _show_number,
    "yuan": _show_yuan,
    "choice": _show_text,
    "choices": _show_choices,
    "switch": _show_switch,
    "date": _show_date,
    "time": _show_time,
    "range": _show_range,
    "slide": _show_slide,
    "texts": _show_texts,
}
_READ: Final[dict[str, Callable[[Column, str], Read]]] = {
    "number": _read_number,
    "whole": _read_whole,
    "yuan": _read_yuan,
    "choice": _read_choice,
    "choices": _read_choices,
    "switch": _read_switch,
    "date": _read_date,
    "time": _read_time,
    "range": _read_range,
    "slide": _read_slide,
    "texts": _read_texts,
}
