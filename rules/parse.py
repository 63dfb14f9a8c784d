"""From the bytes of a rule book to a `Book`, or to every fault in it at once.

Reads no disk: whoever has files passes their content and a `FindParent`. What a document may say is in `book`,
what its parts must agree on in `structure`; comparing rules with each other is `check`.
"""

import datetime as dt
import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from rules.book import Book, BookDocument, Sourced
from rules.errors import BookError, Fault
from rules.ids import digest
from rules.structure import structural_faults
from rules.validation import validated

MAX_BYTES = 1 << 20
_MERGED_LISTS = ("group", "rule", "cap", "tier", "report")
_OWN_KEYS = ("extends", "remove", "announced")
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
# A book has some thousand values in keys of three parts; reading costs as much as the square of a key's parts.
MAX_KEY_PARTS = 16
MAX_VALUES = 50_000
# A deployment table has a row for each city and kind of rider of a country, and each change of its book.
MAX_TABLE_VALUES = 1_000_000
MAX_FAULTS = 200
_PART = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+"""
_LONG_KEY = re.compile(rf"(?<![A-Za-z0-9_-])(?:{_PART}\.[ \t]*+){{{MAX_KEY_PARTS}}}")
# The reader takes a hundred bytes for each digit of a number; no number of a book has twenty.
MAX_DIGITS = 400
_LONG_NUMBER = re.compile(rf"(?<![0-9A-Za-z_\"'])[0-9][0-9A-Fa-f_xob]{{{MAX_DIGITS}}}|\.[0-9][0-9_]{{{MAX_DIGITS}}}")
_AT_LINE = re.compile(r"\(at line (\d+), column \d+\)")


@dataclass(frozen=True, slots=True)
class Source:
    """The content of one document and the name it goes by in messages.

    Parameters
    ----------
    text
        TOML.
    file
        Its name in messages.
    """

    text: str
    file: str


FindParent = Callable[[str, str, dt.date | None], Source | None]
"""`find_parent(reference, file, on)`: the document that `file` extends, on the day it takes effect; None if there
is none. It may raise `BookError` for a parent that cannot be read."""


def no_parents(_reference: str, _file: str, _on: dt.date | None) -> Source | None:
    """The `FindParent` of a book that stands alone."""
    return None


def parse(text: str, file: str, find_parent: FindParent = no_parents) -> Book:
    """Read one rule book.

    Parameters
    ----------
    text
        TOML.
    file
        Its name in messages.
    find_parent
        Where the books it `extends` are found.

    Returns
    -------
    Book
        Everything it extends merged in.

    Raises
    ------
    BookError
        With every fault of the document and its parents.
    """
    document = resolve(read_toml(Source(text, file)), file, find_parent)
    return book_of(document, file)


def book_of(document: dict[str, Any], file: str) -> Book:
    """Validate a resolved document: plain TOML values, decimals as `Decimal`, no `extends`.

    Parameters
    ----------
    document
        Plain TOML values.
    file
        Its name in messages.

    Returns
    -------
    Book
        Parts that state no source or confidence have those of the book.

    Raises
    ------
    BookError
        With every fault found.
    """
    model, faults = validated(BookDocument, document, file)
    faults += structural_faults(document, file)
    if faults or model is None:
        raise BookError(first_faults(faults, file))
    return Book(model=_sourced(model), document=document, digest=digest(document), file=file)


def _sourced(model: BookDocument) -> BookDocument:
    """The book with its source and confidence in each part that states none of its own."""
    updates: dict[str, object] = {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, Sourced):
            updates[name] = _inheriting(value, model)
        elif isinstance(value, tuple) and value and isinstance(value[0], Sourced):
            updates[name] = tuple(_inheriting(part, model) for part in value)
    return model.model_copy(update=updates)


def _inheriting(part: Sourced, book: BookDocument) -> Sourced:
    missing = {
        key: getattr(book, key)
        for key in ("source", "confidence")
        if getattr(part, key) is None and getattr(book, key) is not None
    }
    return part.model_copy(update=missing) if missing else part


def first_faults(faults: Sequence[Fault], file: str) -> tuple[Fault, ...]:
    """The first faults of many, and one that counts the others."""
    if len(faults) <= MAX_FAULTS:
        return tuple(faults)
    others = sum(int(fault.given) if fault.code == "more_faults" else 1 for fault in faults[MAX_FAULTS:])
    return (*faults[:MAX_FAULTS], Fault("more_faults", file, given=str(others)))


def decode(content: bytes, file: str) -> str:
    """The text of a document; anything but plain UTF-8 is a fault.

    Parameters
    ----------
    content
        The bytes of a file, at most `MAX_BYTES`.
    file
        Its name in messages.

    Returns
    -------
    str
        With something in it.

    Raises
    ------
    BookError
        With the one fault found.
    """
    if len(content) > MAX_BYTES:
        raise _single(Fault("too_large", file, given=str(len(content)), allowed=str(MAX_BYTES)))
    if content.startswith(_BYTE_ORDER_MARKS):
        raise _single(Fault("byte_order_mark", file))
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        given = f"0x{content[error.start]:02x}"
        raise _single(Fault("not_utf8", file, given=given, params=(("line", str(line)),))) from None
    if not text.strip():
        raise _single(Fault("empty_file", file))
    return text


def read_toml(source: Source, max_values: int = MAX_VALUES) -> dict[str, Any]:
    """The raw values of a TOML document, decimals exact; of at most so many values.

    Parameters
    ----------
    source
        The text and its name.
    max_values
        The most values that it may have.

    Returns
    -------
    dict
        As written; `extends` is not looked at.

    Raises
    ------
    BookError
        With the one syntax fault that the reader stops at, or what the text holds too much of.
    """
    check_size(source, max_values)
    try:
        # Line ends of Windows are valid TOML, but tomllib wants them normalised.
        return tomllib.loads(source.text.replace("\r\n", "\n"), parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        reason = str(error)
        position = _AT_LINE.search(reason)
        line = position[1] if position else str(source.text.count("\n") + 1)
        reason = reason[: position.start()].strip() if position else reason.removesuffix("(at end of document)").strip()
        raise _single(Fault("toml_syntax", source.file, given=reason, params=(("line", line),))) from None


def check_size(source: Source, max_values: int = MAX_VALUES) -> None:
    """Refuse a text that takes long to read, before it is read: in TOML few letters can ask for much.

    Raises
    ------
    BookError
        If a key has too many parts, a number too many digits, or there are too many values. A text that looks like such a
        key or number counts as one.
    """
    for pattern, code, allowed in (
        (_LONG_KEY, "toml_long_key", MAX_KEY_PARTS),
        (_LONG_NUMBER, "toml_long_number", MAX_DIGITS),
    ):
        match = pattern.search(source.text)
        if match:
            line = str(source.text.count("\n", 0, match.start()) + 1)
            raise _single(Fault(code, source.file, allowed=str(allowed), params=(("line", line),)))
    number = sum(map(source.text.count, "=,["))
    if number > max_values:
        raise _single(Fault("toml_too_much", source.file, given=str(number), allowed=str(max_values)))


def resolve(raw: dict[str, Any], file: str, find_parent: FindParent) -> dict[str, Any]:
    """The document with all that it `extends` merged in, parents first.

    Parameters
    ----------
    raw
        Plain TOML values as written (`read_toml`, `json_form.from_json`).
    file
        Its name in messages.
    find_parent
        Where the books it extends are found.

    Returns
    -------
    dict
        Plain TOML values without `extends` and `remove`.

    Raises
    ------
    BookError
        If a document of the chain cannot be read, is missing, or extends itself.
    """
    chain = [(file, raw)]
    parent = _parent_of(raw, file, find_parent)
    while parent is not None:
        if any(name == parent.file for name, _ in chain):
            path = " → ".join([*(name for name, _ in chain), parent.file])
            raise _single(Fault("extends_cycle", file, key="extends", given=path))
        inherited = read_toml(parent)
        chain.append((parent.file, inherited))
        parent = _parent_of(inherited, parent.file, find_parent)
    faults: list[Fault] = []
    document: dict[str, Any] = {}
    for name, layer in reversed(chain):
        document = _merged(document, layer, name, faults)
    faults += [
        Fault("missing_key", file, key=key) for key in ("id", "effective_from") if len(chain) > 1 and key not in raw
    ]
    if faults:
        # What the document itself gets wrong is reported along with what it extends.
        _, more = validated(BookDocument, document, file)
        raise BookError(first_faults([*faults, *more, *structural_faults(document, file)], file))
    return document


def _parent_of(raw: dict[str, Any], file: str, find_parent: FindParent) -> Source | None:
    if "extends" not in raw:
        if "remove" in raw:
            raise _single(Fault("remove_without_extends", file, key="remove"))
        return None
    reference = raw["extends"]
    if not isinstance(reference, str) or not reference:
        raise _single(Fault("expected_text", file, key="extends", given=str(reference)))
    on = raw.get("effective_from")
    parent = find_parent(reference, file, on if type(on) is dt.date else None)
    if parent is None:
        raise _single(Fault("unknown_parent", file, key="extends", given=f'"{reference}"'))
    return parent


def _merged(parent: dict[str, Any], child: dict[str, Any], file: str, faults: list[Fault]) -> dict[str, Any]:
    """`child` over `parent`: tables key by key, lists of parts by id, everything else replaced."""
    merged = {key: value for key, value in parent.items() if key not in _OWN_KEYS}
    for key, value in child.items():
        if key in ("extends", "remove"):
            continue
        if key in _MERGED_LISTS and isinstance(value, list) and isinstance(merged.get(key), list):
            merged[key] = _merged_list(merged[key], value)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _merged_table(merged[key], value)
        else:
            merged[key] = value
    removed = child.get("remove", [])
    if not isinstance(removed, list) or not all(isinstance(name, str) for name in removed):
        faults.append(Fault("expected_list", file, key="remove", given=str(removed)))
        return merged
    faults += [
        Fault("remove_unknown", file, key="remove", given=f'"{name}"') for name in removed if not _remove(merged, name)
    ]
    return merged


def _merged_table(parent: dict[str, Any], child: dict[str, Any]) -> dict[str, Any]:
    merged = dict(parent)
    for key, value in child.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged_table(merged[key], value) if both else value
    return merged


def _merged_list(parent: list[Any], child: list[Any]) -> list[Any]:
    merged = list(parent)
    positions = {_identity(item): position for position, item in enumerate(parent)}
    for item in child:
        position = positions.get(_identity(item))
        if position is None or _identity(item) == "":
            merged.append(item)
        else:
            merged[position] = item
    return merged


def _identity(item: object) -> str:
    """What a part of a list goes by; a report has no id but a kind and a level."""
    if not isinstance(item, dict):
        return ""
    if "id" in item:
        return str(item["id"])
    return f"{item['kind']}/{item.get('level_from', 0)}" if "kind" in item else ""


def _remove(document: dict[str, Any], name: str) -> bool:
    is_removed = False
    for key in _MERGED_LISTS:
        items = document.get(key)
        if not isinstance(items, list):
            continue
        kept = [item for item in items if _identity(item) != name and _report_name(item) != name]
        if len(kept) < len(items):
            document[key] = kept
            is_removed = True
    return is_removed


def _report_name(item: object) -> str:
    return str(item["kind"]) if isinstance(item, dict) and "id" not in item and "kind" in item else ""


def _single(fault: Fault) -> BookError:
    return BookError((fault,))
