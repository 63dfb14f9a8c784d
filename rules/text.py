"""Text for people, from the catalogs in `rules/locale/<lang>/LC_MESSAGES/*.po`.

Holds no text itself. Keys are symbolic (`fault.unknown_key`); a message is a `str.format` template.
Every key stands in every language with the same placeholders (tested).

A message whose words follow a number has plural forms; its `msgid_plural` names the placeholder that is counted.
In a message with several counts, `{riders:rider}` stands for the plural message `count.rider` with that number.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from gettext import c2py
from pathlib import Path
from typing import Final, Literal, get_args

from rules.bidi import isolate
from rules.catalog_files import read_catalog

Lang = Literal["zh", "en"]
LANGS: tuple[Lang, ...] = get_args(Lang)
LOCALE_DIR = Path(__file__).parent / "locale"
# `{riders:rider}`: a number and the noun that it counts.
_COUNTED: Final = re.compile(r"\{(\w+):([a-z_]+)\}")
# Chinese up to its last character, then English from its first letter or number on.
_HAN: Final = r"\u3400-\u9fff"
_BOTH: Final = re.compile(rf"(.*[{_HAN}](?:(?! [\w(])[^\w{_HAN}])*+) ([\w(][^{_HAN}]*[A-Za-z][^{_HAN}]*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Plural:
    """A message whose words follow a number: the placeholder that is counted, and a template for each plural form."""

    counted: str
    forms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Catalog:
    """All messages of one language; `form_of` tells which plural form a number takes.

    `with_nouns` are the keys of messages that hold a number and the noun that it counts.
    """

    plain: Mapping[str, str]
    plurals: Mapping[str, Plural]
    with_nouns: frozenset[str]
    form_of: Callable[[int], int]


@cache
def _read(lang: Lang) -> _Catalog:
    plain: dict[str, str] = {}
    plural: dict[str, Plural] = {}
    form_of: Callable[[int], int] | None = None
    for path in sorted((LOCALE_DIR / lang / "LC_MESSAGES").glob("*.po")):
        expression, messages = read_catalog(path.read_text(encoding="utf-8"))
        form_of = form_of or (c2py(expression) if expression else None)
        for message in messages:
            key, counted = message.key, message.plural
            if key in plain:
                raise ValueError(f"{path.name}: key {key!r} stands twice")
            if counted:
                plural[key] = Plural(counted, tuple(message.forms))
            plain[key] = message.forms[-1]
    if form_of is None:
        raise ValueError(f"no catalog for language {lang!r}")
    forms = {key: (words,) for key, words in plain.items()} | {
        key: plural_message.forms for key, plural_message in plural.items()
    }
    with_nouns = frozenset(key for key, words in forms.items() if any(map(_COUNTED.search, words)))
    return _Catalog(plain, plural, with_nouns, form_of)


def catalog(lang: Lang) -> Mapping[str, str]:
    """All messages of one language: key → template (of a message with plural forms: the one for many).

    Parameters
    ----------
    lang
        `zh` or `en`.

    Returns
    -------
    mapping
        Keys to templates.

    Raises
    ------
    ValueError
        If a key stands twice, or `lang` has no catalog.
    """
    return _read(lang).plain


def plurals(lang: Lang) -> Mapping[str, Plural]:
    """The messages of one language that have plural forms, by key."""
    return _read(lang).plurals


def template(lang: Lang, key: str) -> str:
    """A message with its blanks unfilled, for people: nouns in the form for many.

    Parameters
    ----------
    lang
        `zh` or `en`.
    key
        Key of a message.

    Returns
    -------
    str
        With `{name}` where values go.
    """
    messages = _read(lang)

    def many(counted: re.Match[str]) -> str:
        return messages.plain[f"count.{counted[2]}"].replace("{n}", f"{{{counted[1]}}}")

    return _COUNTED.sub(many, messages.plain[key])


def text(lang: Lang, key: str, /, **params: object) -> str:
    """One message in one language, its placeholders filled, in the plural form of its number.

    What it is filled with keeps its direction to itself (`rules.bidi`).

    Parameters
    ----------
    lang
        `zh` or `en`.
    key
        Key of a message.
    **params
        A value for each placeholder; the one that is counted decides the plural form.

    Returns
    -------
    str
        One line unless the catalog has more.

    Raises
    ------
    KeyError
        If the key is in no catalog, or a placeholder has no parameter.
    """
    messages = _read(lang)
    plural = messages.plurals.get(key)
    template = (
        messages.plain[key] if plural is None else plural.forms[messages.form_of(_number(params[plural.counted]))]
    )
    if key in messages.with_nouns:
        counts = _COUNTED.findall(template)
        params |= {f"{name}_{noun}": text(lang, f"count.{noun}", n=params[name]) for name, noun in counts}
        template = _COUNTED.sub(r"{\1_\2}", template)
    return template.format(**{name: isolate(p) if isinstance(p, str) else p for name, p in params.items()})


def _number(value: object) -> int:
    """What a plural form goes by: the number itself; a fraction is many."""
    if isinstance(value, int):
        return abs(value)
    digits = str(value).replace(",", "")
    return int(digits) if digits.isdecimal() else 2


def in_language(words: str | None, lang: Lang) -> str:
    """Of words that stand in Chinese and then in English the part in one language; all of them where there is one.

    Parameters
    ----------
    words
        Text that a person wrote, in one language or both.
    lang
        The reader's language.

    Returns
    -------
    str
        Empty for None.
    """
    if words is None:
        return ""
    split = _BOTH.fullmatch(words)
    if split is None:
        return words
    return split[1 if lang == "zh" else 2].strip()
