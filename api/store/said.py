"""The same words in both languages: what verbs of the store answer with, so that pages and programs choose."""

from collections.abc import Callable
from dataclasses import dataclass

from rules.text import Lang


@dataclass(frozen=True, slots=True)
class Said:
    """One statement in Chinese and English."""

    zh: str
    en: str

    def lang(self, lang: Lang) -> str:
        """The statement in one language."""
        return self.zh if lang == "zh" else self.en


def both(say: Callable[[Lang], str]) -> Said:
    """A statement said in each language."""
    return Said(say("zh"), say("en"))
