"""What click says, in the reader's language: wrong usage, headings of help.

click looks its words up with gettext, in the domain `messages`. Their translations stand in `locale/`, apart from the
catalogs of `rules/locale`, whose keys are symbolic: here the keys are click's own English.
"""

import gettext
import itertools
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rules.text import LANGS, Lang

LOCALE_DIR: Final = Path(__file__).parent / "locale"
_DOMAIN: Final = "messages"
# gettext asks this variable first.
_LANGUAGE: Final = "LANGUAGE"


def default_lang() -> Lang:
    """Language of the environment: Chinese where LANG says so, else English."""
    spoken = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "zh" if spoken.lower().startswith("zh") else "en"


def lang_of(words: Sequence[str]) -> Lang:
    """Language that a command line asks for, before it is parsed; that of the environment where it names none."""
    for word, following in itertools.zip_longest(words, words[1:], fillvalue=""):
        named = following if word == "--lang" else word.removeprefix("--lang=")
        for lang in LANGS:
            if word.startswith("--lang") and named == lang:
                return lang
    return default_lang()


@contextmanager
def click_speaks(lang: Lang) -> Iterator[None]:
    """Let click speak a language until the block ends."""
    before = os.environ.get(_LANGUAGE)
    gettext.bindtextdomain(_DOMAIN, LOCALE_DIR)
    os.environ[_LANGUAGE] = lang
    try:
        yield
    finally:
        if before is None:
            del os.environ[_LANGUAGE]
        else:
            os.environ[_LANGUAGE] = before
