"""Faults of a book as its pages tell them: by the names of fields and choices, without the signs of a file."""

import re
from dataclasses import replace
from typing import Final

from api.endpoints.books.columns import FEN, YUAN
from api.words import city_name
from rules.errors import Fault
from rules.events import RIDER_KINDS
from rules.text import Lang, catalog, text
from rules.units import yuan_text

# A name of a book's document, such as `severe_weather` or `score.base`, standing alone.
_NAME: Final = re.compile(r'(?<![\w./])"?([a-z]\w*(?:\.[a-z]\w*)*)"?(?![\w./])')
# A place where a book is in force, `city/kind of riders`.
_PLACE: Final = re.compile(rf"([^\s,、/]+)/({'|'.join(RIDER_KINDS)})(?!\w)")
# A whole number as such, not the beginning of another.
_WHOLE: Final = re.compile(r"(?<![\w.])-?\d+(?![\w.])")


def page_words(fault: Fault, lang: Lang) -> tuple[str, str]:
    """What is wrong and the remedy, for who fills in a page."""
    given, allowed = _given(fault.given, lang), named_in(fault.allowed, lang)
    if fault.key.endswith(FEN) and not fault.given.startswith('"'):
        given, allowed = (_WHOLE.sub(lambda found: yuan_text(int(found[0])), words) for words in (given, allowed))
    if fault.key == "targets":
        given, allowed = (_PLACE.sub(lambda found: _place(found, lang), words) for words in (given, allowed))
    named = replace(fault, key=key_name(fault.key, lang), given=given, allowed=allowed)
    what, remedy = named.in_words(lang)
    values = {"key": named.key, "given": named.given, "allowed": named.allowed}
    known = catalog(lang)
    if f"page_fault.{fault.code}" in known:
        what = text(lang, f"page_fault.{fault.code}", **values)
    if f"page_remedy.{fault.code}" in known:
        remedy = text(lang, f"page_remedy.{fault.code}", **values)
    # In a file a key stands before its value.
    pair = text(lang, "web_books.key_given", key=named.key, given=named.given)
    return what.replace(f"{named.key} = {named.given}", pair), remedy


def _place(found: re.Match[str], lang: Lang) -> str:
    """A city and its riders, as a page names them."""
    return f"{city_name(found[1], lang)} · {text(lang, f'word.{found[2]}')}"


def key_name(key: str, lang: Lang) -> str:
    """What a page calls a key of the document."""
    last = re.sub(r"\[\d+\]", "", key.rpartition(".")[2])
    if last.endswith(FEN):
        last = last.removesuffix(FEN) + YUAN
    return catalog(lang).get(f"key.{last}", key)


def named_in(words: str, lang: Lang) -> str:
    """A text of names with the words of the page instead; what is no name stays."""
    known = catalog(lang)

    def name(found: re.Match[str]) -> str:
        last = found[1].rpartition(".")[2]
        return known.get(f"word.{found[1]}") or known.get(f"key.{last}") or found[0]

    return _NAME.sub(name, words).replace(", ", text(lang, "diff.between"))


def _given(given: str, lang: Lang) -> str:
    """A value as it was filled in: without the quotes of a file, switches and choices in words."""
    bare = given[1:-1] if len(given) > 1 and given[0] == given[-1] == '"' else given
    if bare in ("true", "false"):
        return text(lang, "diff.yes" if bare == "true" else "diff.no")
    return catalog(lang).get(f"word.{bare}", bare)
