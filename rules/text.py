"""Text for people, from the catalogs in `rules/locale/<lang>/LC_MESSAGES/*.po`.

Holds no text itself. Keys are symbolic (`fault.unknown_key`); a message is a `str.format` template.
Every key stands in every language with the same placeholders (tested).
"""

from functools import cache
from pathlib import Path
from typing import Literal

from babel.messages.pofile import read_po

Lang = Literal["zh", "en"]
LANGS: tuple[Lang, ...] = ("zh", "en")
LOCALE_DIR = Path(__file__).parent / "locale"


@cache
def catalog(lang: Lang) -> dict[str, str]:
    """All messages of one language: key → template.

    Raises
    ------
    ValueError
        If a key stands twice, or `lang` has no catalog.
    """
    messages: dict[str, str] = {}
    paths = sorted((LOCALE_DIR / lang / "LC_MESSAGES").glob("*.po"))
    if not paths:
        raise ValueError(f"no catalog for language {lang!r}")
    for path in paths:
        with path.open("rb") as file:
            for message in read_po(file, locale=lang):
                if not message.id:
                    continue
                key = str(message.id)
                if key in messages:
                    raise ValueError(f"{path.name}: key {key!r} stands twice")
                messages[key] = str(message.string)
    return messages


def text(lang: Lang, key: str, /, **params: object) -> str:
    """One message in one language, its placeholders filled.

    Raises
    ------
    KeyError
        If the key is in no catalog, or a placeholder has no parameter.
    """
    return catalog(lang)[key].format(**params)
