"""The same words in both languages: the store answers in both, the page or route chooses."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from rules.text import Lang, text

# Cities of the shipped deployment, whose names stand in the catalogs; others are shown as they are written.
NAMED_CITIES: Final = (
    "beijing", "changchun", "changzhou", "chengdu", "chongqing", "dalian", "fuzhou", "guangzhou", "guiyang",
    "hangzhou", "harbin", "hohhot", "jieyang", "jingdezhen", "lanzhou", "nanchang", "nanjing", "nanning",
    "nantong", "qingdao", "quanzhou", "sample", "shanghai", "shenyang", "shenzhen", "shijiazhuang", "taiyuan",
    "wuhan", "xiamen", "xian", "xinxiang",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Translated:
    """One statement in Chinese and English."""

    zh: str
    en: str

    def lang(self, lang: Lang) -> str:
        """The statement in one language."""
        return self.zh if lang == "zh" else self.en


def translated(say: Callable[[Lang], str]) -> Translated:
    """A statement said in each language."""
    return Translated(say("zh"), say("en"))


def city_name(city: str, lang: Lang) -> str:
    """A city as people call it."""
    return text(lang, f"city_name.{city}") if city in NAMED_CITIES else city


def city_words(city: str) -> Translated:
    """A city as people call it, in both languages."""
    return translated(lambda lang: city_name(city, lang))


def state_words(*states: str) -> Translated:
    """States of drafts."""
    return translated(
        lambda lang: text(lang, "refused.or").join(text(lang, f"web_books.state_{state}") for state in states)
    )


def work_words(state: str) -> Translated:
    """The state of long work."""
    return translated(lambda lang: text(lang, f"work.state_{state}"))


def role_words(role: str) -> Translated:
    """A role, and its code."""
    return coded((role,), lambda lang, code: text(lang, f"login.as_{code}"))


def coded(codes: Iterable[str], words: Callable[[Lang, str], str]) -> Translated:
    """What can be chosen: words for people, and the codes that programs send."""
    known = tuple(codes)
    return translated(lambda lang: text(lang, "refused.or").join(f"{words(lang, code)} ({code})" for code in known))
