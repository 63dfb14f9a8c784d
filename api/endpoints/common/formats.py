"""Amounts and instants as pages show them."""

from collections.abc import Callable, Iterable
from typing import Any, Final
from zoneinfo import ZoneInfo

from markupsafe import Markup

from api.words import city_name
from rules.bidi import isolate
from rules.calendar import utc_moment
from rules.text import Lang, in_language, text
from rules.units import decimal_text, points_text, shown_points, signed_points_text, yuan_text
from scoring.explain import sentence_change
from scoring.explain_words import amount_words

# Lists that mix books show one clock; a page about one book shows that book's.
ZONE: Final = "Asia/Shanghai"
MINUTE_US: Final = 60_000_000
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US


def clock(at_us: int, shape: str = "%m-%d %H:%M", zone: str = ZONE) -> str:
    """An instant on a wall clock."""
    moment = utc_moment(at_us)
    return moment.astimezone(ZoneInfo(zone)).strftime(shape)


def machine_time(at_us: int) -> str:
    """An instant for `<time datetime>`."""
    return utc_moment(at_us).strftime("%Y-%m-%dT%H:%M:%SZ")


def signed_points(points_mp: int) -> str:
    """Points with a sign; no change is ±0."""
    return signed_points_text(points_mp) if points_mp else "±0"


def shown_amount(points_mp: int, lang: Lang) -> str:
    """An amount of points that stands alone, as riders read it."""
    return amount_words(lang, points_mp)


def gain_class(amount: int) -> str:
    """How an amount is coloured."""
    return "good" if amount > 0 else "bad" if amount < 0 else "even"


def span(us: int, lang: Lang) -> str:
    """A length of time in the largest unit that says enough: 3 days, 5 hours, 12 minutes."""
    us = abs(us)
    unit, size = (
        ("days", DAY_US) if us >= 2 * DAY_US else ("hours", HOUR_US) if us >= 2 * HOUR_US else ("minutes", MINUTE_US)
    )
    return text(lang, f"span.{unit}", number=us // size)


def share(part: int, whole: int) -> str:
    """A part of a whole in per cent, one decimal; a dash of nothing."""
    return f"{part / whole:.1%}" if whole else "–"


def thousands(number: int) -> str:
    """A count with separators."""
    return f"{number:,}"


def money(fen: int) -> str:
    """Fen as yuan with separators."""
    whole, _, rest = yuan_text(abs(fen)).partition(".")
    return ("−" if fen < 0 else "") + f"{int(whole):,}" + (f".{rest}" if rest else "")


def signed_money(fen: int) -> str:
    """Money with a sign."""
    return ("+" if fen > 0 else "") + money(fen)


def signed(number: int) -> str:
    """A count with a sign."""
    return f"+{number}" if number > 0 else f"−{-number}" if number < 0 else "0"


def city_pairs(cities: Iterable[str], lang: Lang) -> list[tuple[str, str]]:
    """Cities as choices, by their names."""
    return [(city, city_name(city, lang)) for city in cities]


def pairs(names: Iterable[str]) -> list[tuple[str, str]]:
    """Names as choices that read as they are written."""
    return [(name, name) for name in names]


def yuan_short(fen: int) -> str:
    """Fen as whole yuan, for figures at a glance, rounded."""
    return f"{(fen + 50) // 100:,}"


def permille(value: int) -> str:
    """Per-mille as a factor: 1100 is 1.1."""
    return decimal_text(value, 1_000)


def centi(value: int) -> str:
    """Hundredths with two decimals."""
    return f"{value // 100}.{value % 100:02d}"


def tenths(value: int) -> str:
    """Per-mille as per cent with one decimal."""
    return f"{value // 10}.{value % 10}"


def own_words(words: str | None) -> str | None:
    """An id, or what a person wrote, on a page: from right to left if it is so, and turning nothing beside it."""
    if not words or isinstance(words, Markup):
        return words
    shown = isolate(words)
    return words if shown == words else Markup("<bdi>{}</bdi>").format(shown[1:-1])


PLAIN: Final[dict[str, Callable[..., Any]]] = {
    "points": points_text,
    "shown_points": shown_points,
    "told_change": sentence_change,
    "signed_points": signed_points,
    "yuan": yuan_text,
    "money": money,
    "signed_money": signed_money,
    "clock": clock,
    "own_words": own_words,
    "machine_time": machine_time,
    "gain_class": gain_class,
    "thousands": thousands,
    "signed": signed,
    "yuan_short": yuan_short,
    "permille": permille,
    "centi": centi,
    "tenths": tenths,
    "pairs": pairs,
    "share": share,
}
IN_WORDS: Final[dict[str, Callable[..., Any]]] = {
    "span": span,
    "shown_amount": shown_amount,
    "city": city_name,
    "city_pairs": city_pairs,
    "in_language": in_language,
}
