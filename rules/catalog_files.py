"""Reads gettext catalogs (`.po`), as far as ours go: messages, plural forms, how forms are chosen.

Comments are passed by; contexts and obsolete messages have no place in our catalogs, and are refused. A library that reads
all of the format takes 33 MB of an install, and longer to import than the catalogs to be read.
"""

from dataclasses import dataclass, field
from typing import Final

_ESCAPES: Final = {"n": "\n", "t": "\t", '"': '"', "\\": "\\"}
_PLURAL_FORMS: Final = "Plural-Forms:"


@dataclass(slots=True)
class CatalogMessage:
    """One message: its key, for a counted one what `msgid_plural` says, and its text in each plural form."""

    key: str
    plural: str = ""
    forms: list[str] = field(default_factory=list)


def read_catalog(text: str) -> tuple[str, list[CatalogMessage]]:
    """Read a catalog.

    Parameters
    ----------
    text
        Of a `.po` file.

    Returns
    -------
    tuple[str, list[CatalogMessage]]
        The expression that chooses a plural form, in C; the messages in their order.

    Raises
    ------
    ValueError
        If a line is none of those that our catalogs have.
    """
    messages: list[CatalogMessage] = []
    part = ""
    for number, line in enumerate(text.splitlines(), 1):
        words, _, quoted = line.strip().partition('"')
        if not line.strip() or line.startswith("#"):
            continue
        if not quoted.endswith('"'):
            raise ValueError(f"line {number}: {line!r}")
        part = words.strip() or part
        value = _unescaped(quoted[:-1])
        if words.strip() == "msgid":
            messages.append(CatalogMessage(value))
        elif not messages:
            raise ValueError(f"line {number}: {line!r}")
        else:
            _add(messages[-1], part, value, f"line {number}: {line!r}", is_new=bool(words.strip()))
    header = next((message.forms[0] for message in messages if not message.key), "")
    return _plural_expression(header), [message for message in messages if message.key]


def _add(message: CatalogMessage, part: str, value: str, place: str, *, is_new: bool) -> None:
    if part == "msgid":
        message.key += value
    elif part == "msgid_plural":
        message.plural += value
    elif part.startswith("msgstr"):
        if is_new:
            message.forms.append("")
        message.forms[-1] += value
    else:
        raise ValueError(place)


def _unescaped(quoted: str) -> str:
    if "\\" not in quoted:
        return quoted
    head, *rest = quoted.replace("\\\\", "\\\0").split("\\")
    return head + "".join("\\" + part[1:] if part[0] == "\0" else _ESCAPES[part[0]] + part[1:] for part in rest)


def _plural_expression(header: str) -> str:
    for line in header.splitlines():
        if line.startswith(_PLURAL_FORMS):
            return line.partition("plural=")[2].strip().rstrip(";")
    return ""
