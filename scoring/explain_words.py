"""Short words that every explanation shares: amounts, spans, instants, conditions, names of rules, effects of tiers.

All words come from the catalogs, titles from the book itself.
"""

import datetime as dt
from zoneinfo import ZoneInfo

from rules.book import Bilingual, Book, BookDocument, Tier
from rules.calendar import LAST_DATE, calendar, utc_moment
from rules.conditions import MAX_FACT, SET_FACTS, UNKNOWN, Condition
from rules.text import Lang, text
from rules.units import PERMILLE, decimal_text, shown_change, yuan_text

# A priority nearer than this to the ordinary one is called slight.
_SLIGHT_PERMILLE = 100


def moved_words(lang: Lang, before_mp: int, after_mp: int) -> str:
    """What riders read of the way from one score to another: one decimal, without a sign; never 0 for a change.

    Parameters
    ----------
    lang
        Language of the words: `zh` or `en`.
    before_mp, after_mp
        The two scores (mp).

    Returns
    -------
    str
        Such as `0.2 points`.
    """
    tenths = abs(shown_change(before_mp, after_mp))
    if tenths == 0 and before_mp != after_mp:
        return text(lang, "unit.under_tenth")
    return text(lang, "unit.points", number=decimal_text(tenths, 10))


def amount_words(lang: Lang, points_mp: int) -> str:
    """An amount that stands alone as riders read it, without a sign.

    Parameters
    ----------
    lang
        Language of the words: `zh` or `en`.
    points_mp
        Points (mp); their sign is left out.

    Returns
    -------
    str
        Such as `2 points`.
    """
    return moved_words(lang, 0, abs(points_mp))


def signed_tenths(tenths: int, exact_mp: int) -> str:
    """A change as riders read it, with a sign; of a change that rounds to nothing the sign and what it is below.

    Parameters
    ----------
    tenths
        The change in tenths of a point, as it is shown.
    exact_mp
        The same change, exact (mp).

    Returns
    -------
    str
        Such as `+0.2`, `±0` or `−<0.1`.
    """
    if tenths == 0:
        return "±0" if exact_mp == 0 else "+<0.1" if exact_mp > 0 else "−<0.1"
    return ("+" if tenths > 0 else "−") + decimal_text(abs(tenths), 10)


def orders_words(lang: Lang, num_orders: int) -> str:
    """A number of on-time orders.

    Parameters
    ----------
    lang
        Language of the words: `zh` or `en`.
    num_orders
        How many.

    Returns
    -------
    str
        Such as `3 on-time orders`.
    """
    return text(lang, "unit.orders", number=num_orders)


def span_words(lang: Lang, seconds: int) -> str:
    """A length of time in minutes and seconds, as short as it is exact.

    Parameters
    ----------
    lang
        Language of the words: `zh` or `en`.
    seconds
        At least 0.

    Returns
    -------
    str
        Such as `4 min 30 s`.
    """
    minutes, rest = divmod(seconds, 60)
    if minutes and rest:
        return text(lang, "unit.minutes_seconds", minutes=minutes, seconds=rest)
    return text(lang, "unit.minutes" if minutes else "unit.seconds", number=minutes or rest)


def titled(lang: Lang, title: Bilingual) -> str:
    """A title of a book in one language.

    Parameters
    ----------
    lang
        Language of the words: `zh` or `en`.
    title
        In both languages.

    Returns
    -------
    str
        The title in that language.
    """
    return title.zh if lang == "zh" else title.en


def clock(at_us: int, model: BookDocument, shape: str = "%Y-%m-%d %H:%M:%S") -> str:
    """An instant on the wall clock of the book's time zone.

    Parameters
    ----------
    at_us
        The instant (µs UTC).
    model
        The book, for its time zone.
    shape
        As `strftime` has it.

    Returns
    -------
    str
        Local date and time.
    """
    moment = utc_moment(at_us)
    return moment.astimezone(ZoneInfo(model.time_zone)).strftime(shape)


def in_month(words: str, at_us: int, model: BookDocument, lang: Lang) -> str:
    """A count of the month that an instant falls into, with the month and when it ends: its last day ends in the next."""
    days = calendar(model.time_zone, model.day_starts)
    date = days.date_of(at_us)
    ends = (date.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
    end = clock(days.start_of(ends), model, "%m-%d %H:%M") if ends <= LAST_DATE else "—"
    return text(lang, "tree.in_month", fact=words, month=text(lang, f"month.{date.month}"), end=end)


def in_day(words: str, at_us: int, model: BookDocument, lang: Lang) -> str:
    """A limit of the local day that an instant falls into, with the instant at which that ends."""
    days = calendar(model.time_zone, model.day_starts)
    ends = days.date_of(at_us) + dt.timedelta(days=1)
    end = clock(days.start_of(ends), model, "%m-%d %H:%M") if ends <= LAST_DATE else "—"
    return text(lang, "tree.in_day", rule=words, end=end)


def condition_words(test: Condition, value: int, lang: Lang, at: tuple[int, BookDocument] | None = None) -> str:
    """A condition of a rule and the fact that met it.

    Parameters
    ----------
    test
        The condition.
    value
        The fact in its own unit; `UNKNOWN` where nobody knows it.
    lang
        Language of the words: `zh` or `en`.
    at
        When (µs UTC), and in which book, for a count to name its period.

    Returns
    -------
    str
        A phrase.
    """
    fact = text(lang, f"fact.{test.fact}")
    if test.fact == "nth_in_month" and at is not None:
        fact = in_month(fact, *at, lang)
    wanted = wanted_words(test, lang)
    if value == UNKNOWN:
        return text(lang, "tree.condition_bare", fact=fact, wanted=wanted)
    return text(lang, "tree.condition", fact=fact, wanted=wanted, value=_value(test.fact, value, lang))


def wanted_words(test: Condition, lang: Lang) -> str:
    """What a condition of a rule asks of its fact."""
    if test.codes is not None:
        names = [text(lang, f"word.{SET_FACTS[test.fact][code]}") for code in sorted(test.codes)]
        return text(lang, "say.or").join(names)
    if test.fact == "late_s" and test.lo == 0 and test.hi == 0:
        return text(lang, "range.on_time")
    if test.fact == "late_s" and test.lo == 1 and test.hi == MAX_FACT:
        return text(lang, "range.late")
    low, high = _value(test.fact, test.lo, lang), _value(test.fact, test.hi, lang)
    if test.hi == MAX_FACT:
        if test.fact == "late_s" and test.lo % 60 == 1:
            return text(lang, "range.over", low=_value(test.fact, test.lo - 1, lang))
        return text(lang, "range.from", low=low)
    if test.lo == 0:
        return text(lang, "range.up_to", high=high)
    if test.fact == "late_s" and test.lo == 1:
        return text(lang, "range.late_up_to", high=high)
    if test.fact == "late_s" and test.lo % 60 == 1:
        return text(lang, "range.over_up_to", low=_value(test.fact, test.lo - 1, lang), high=high)
    return text(lang, "range.between", low=low, high=high)


def _value(fact: str, value: int, lang: Lang) -> str:
    if fact in SET_FACTS:
        return text(lang, f"word.{SET_FACTS[fact][value]}")
    if fact == "late_s":
        return span_words(lang, value)
    if fact == "distance_m":
        return text(lang, "unit.km", number=decimal_text(value, 1_000))
    if fact == "minute_of_day":
        return f"{value // 60:02d}:{value % 60:02d}"
    return str(value)


def signed_yuan(money_fen: int) -> str:
    """Money with a sign, as points have one."""
    return ("+" if money_fen > 0 else "−") + yuan_text(abs(money_fen))


def rule_words(rule_id: str, book: Book, lang: Lang) -> str:
    """What a rule id of the ledger means: the book's title of it, or the words for a fixed label."""
    model = book.model
    if rule_id.startswith("tier:"):
        tier_title = next((tier.title for tier in model.tier if f"tier:{tier.id}" == rule_id), None)
        return rule_id if tier_title is None else text(lang, "tree.tier_title", title=titled(lang, tier_title))
    titles: dict[str, Bilingual | None] = {rule.id: rule.title for rule in model.rule}
    titles |= {cap.id: cap.title for cap in model.cap} | {group.id: group.title for group in model.group}
    if rule_id not in titles:
        return text(lang, f"label.{rule_id}")
    title = titles[rule_id]
    return rule_id if title is None else titled(lang, title)


def effects(tier: Tier, lang: Lang) -> str:
    """All that a tier affects, in words."""
    phrases = []
    if tier.bonus_fen:
        phrases.append(text(lang, "tier.bonus", money=yuan_text(tier.bonus_fen)))
    phrases.append(priority_words(lang, tier.priority_permille))
    if tier.warning:
        phrases.append(text(lang, "tier.warning"))
    if tier.review:
        phrases.append(text(lang, "tier.review"))
    return text(lang, "tier.and").join(phrases)


def priority_words(lang: Lang, priority_permille: int) -> str:
    """What a dispatch priority means for a rider who has it.

    Parameters
    ----------
    lang
        Language of the words: `zh` or `en`.
    priority_permille
        The tier's priority; 1 000 is the ordinary one.

    Returns
    -------
    str
        A phrase.
    """
    way = priority_permille - PERMILLE
    if way == 0:
        return text(lang, "tier.no_priority")
    slightly = "slightly_" if abs(way) < _SLIGHT_PERMILLE else ""
    key = f"tier.priority_{slightly}more" if way > 0 else f"tier.priority_{slightly}less"
    return text(lang, key, x=decimal_text(priority_permille, PERMILLE))
