"""A rule book in words, made from the rules themselves: what is scored is what is said.

The free words of a book (titles, notes, its publication) are comments: they stand beside these, never instead of them.
"""

from collections.abc import Iterable, Iterator

from rules.book import Book, BookDocument, Cap, ReportEffect, Rule, Tier
from rules.conditions import UNKNOWN, conditions_of
from rules.text import Lang, text
from rules.units import decimal_text, points_text, signed_points_text, yuan_text
from scoring.explain_words import condition_words, effects, titled, wanted_words


def public_text(book: Book, lang: Lang) -> str:
    """All that a book does to points, money and tiers, a line each.

    Parameters
    ----------
    book
        A book, whole.
    lang
        Language of the words: `zh` or `en`.

    Returns
    -------
    str
        Plain text, lines joined by line breaks.
    """
    return "\n".join(line[0].upper() + line[1:] for line in _lines(book.model, lang))


def _lines(model: BookDocument, lang: Lang) -> Iterator[str]:
    score = model.score
    yield text(
        lang,
        "public.score",
        base=points_text(score.base_mp),
        floor=points_text(score.floor_mp),
        ceiling=points_text(score.ceiling_mp),
    )
    for rule in model.rule:
        yield rule_line(rule, model, lang)
    for cap in model.cap:
        kinds = text(lang, "web_books.between").join(text(lang, f"word.{kind}") for kind in cap.kinds or ())
        yield text(lang, "public.cap" if kinds else "public.cap_all", words=cap_words(cap, lang), kinds=kinds)
    for report in model.report:
        yield text(lang, "public.report", words=report_words(report, lang))
    yield from _protections(model, lang)
    for tier in model.tier:
        yield text(
            lang,
            "public.tier",
            title=titled(lang, tier.title),
            score=threshold(tier, lang),
            effects=effects(tier, lang),
        )


def _protections(model: BookDocument, lang: Lang) -> Iterator[str]:
    if model.cost_limit is not None:
        yield text(lang, "public.cost_limit", orders=model.cost_limit.on_time_orders)
    if model.newcomer is not None and model.newcomer.first_days:
        yield text(lang, "public.newcomer_days", days=model.newcomer.first_days)
    if model.newcomer is not None and model.newcomer.first_orders:
        yield text(lang, "public.newcomer_orders", orders=model.newcomer.first_orders)
    if model.fading is not None:
        yield text(lang, "public.fading", days=model.fading.after_days)
    if model.reset is not None:
        yield text(lang, "public.reset", every=text(lang, f"word.{model.reset.every}"))
    if model.training is not None:
        yield text(lang, "public.training", points=points_text(model.training.restores_to_mp))


def rule_line(rule: Rule, model: BookDocument, lang: Lang) -> str:
    """When a rule applies and what it gives or takes, from its conditions and amounts alone."""
    return text(lang, "public.rule", when=when_words(rule, model, lang), outcome=outcome_words(rule, lang))


def when_words(rule: Rule, model: BookDocument, lang: Lang) -> str:
    """The events that a rule is about, and what must hold.

    Parameters
    ----------
    rule
        A rule of the book.
    model
        The book, for its calendar.
    lang
        Language of the words: `zh` or `en`.

    Returns
    -------
    str
        Kinds and conditions, joined.
    """
    tests = (
        text(lang, "public.condition", fact=text(lang, f"fact.{test.fact}"), wanted=wanted_words(test, lang))
        for test in conditions_of(rule, model)
    )
    return text(lang, "public.separator").join((kinds_words(rule, lang), *tests))


def kinds_words(rule: Rule, lang: Lang) -> str:
    """The events that a rule is about.

    Parameters
    ----------
    rule
        A rule of a book.
    lang
        Language of the words: `zh` or `en`.

    Returns
    -------
    str
        The kinds, joined.
    """
    return text(lang, "web_books.between").join(text(lang, f"word.{kind}") for kind in rule.kind)


def conditions_words(rule: Rule, model: BookDocument, lang: Lang) -> tuple[str, ...]:
    """What must hold for a rule to apply.

    Parameters
    ----------
    rule
        A rule of the book.
    model
        The book, for its calendar.
    lang
        Language of the words: `zh` or `en`.

    Returns
    -------
    tuple[str, ...]
        A phrase per condition; empty where the rule has none.
    """
    return tuple(condition_words(test, UNKNOWN, lang) for test in conditions_of(rule, model))


def outcome_words(rule: Rule, lang: Lang) -> str:
    """What a rule gives or takes.

    Parameters
    ----------
    rule
        A rule of a book.
    lang
        Language of the words: `zh` or `en`.

    Returns
    -------
    str
        Points, shares and money, joined.
    """
    phrases = []
    if rule.points_mp is not None:
        phrases.append(text(lang, "web_books.points", points=signed_points_text(rule.points_mp)))
    if rule.points_slide:
        values = [(corner.late_s, signed_points_text(corner.points_mp)) for corner in rule.points_slide]
        phrases.append(_corners("web_books.corner", values, lang))
    if rule.fee_share_permille is not None:
        phrases.append(text(lang, "web_books.share", share=decimal_text(rule.fee_share_permille, 10)))
    if rule.fee_share_slide:
        values = [(corner.late_s, decimal_text(corner.share_permille, 10)) for corner in rule.fee_share_slide]
        phrases.append(_corners("web_books.corner_share", values, lang))
    if rule.money_fen is not None:
        phrases.append(text(lang, "web_books.money", yuan=yuan_text(rule.money_fen)))
    return text(lang, "web_books.and").join(phrases)


def _corners(key: str, values: Iterable[tuple[int, str]], lang: Lang) -> str:
    """The corners of a slide: seconds late, and what is given or taken there."""
    corners = (text(lang, key, late=decimal_text(late_s, 60), value=value) for late_s, value in values)
    return text(lang, "web_books.between").join(corners)


def threshold(tier: Tier, lang: Lang) -> str:
    """From which score a tier begins.

    Parameters
    ----------
    tier
        A tier of a book.
    lang
        Language of the words: `zh` or `en`.

    Returns
    -------
    str
        The lowest score of the tier in points.
    """
    if tier.above_mp is not None:
        return text(lang, "web_books.above", points=points_text(tier.above_mp))
    if tier.from_mp is not None:
        return text(lang, "web_books.from", points=points_text(tier.from_mp))
    return text(lang, "web_books.lowest")


def cap_words(cap: Cap, lang: Lang) -> str:
    """A cap in words.

    Parameters
    ----------
    cap
        A cap of a book.
    lang
        Language of the words: `zh` or `en`.

    Returns
    -------
    str
        A sentence without a full stop.
    """
    scope = text(lang, f"word.{cap.scope}")
    if cap.max_deduct_mp is not None:
        return text(lang, "web_books.cap_deduct", scope=scope, points=points_text(cap.max_deduct_mp))
    return text(lang, "web_books.cap_award", scope=scope, points=points_text(cap.max_award_mp or 0))


def report_words(report: ReportEffect, lang: Lang) -> str:
    """What a report does, in words.

    Parameters
    ----------
    report
        What a book says of one kind of report.
    lang
        Language of the words: `zh` or `en`.

    Returns
    -------
    str
        A sentence without a full stop.
    """
    kind = text(lang, f"word.{report.kind}")
    if report.level_from:
        kind = text(lang, "web_books.from_level", kind=kind, level=report.level_from)
    if report.exempt:
        return text(lang, "web_books.exempts", kind=kind)
    return text(lang, "web_books.gives_back", kind=kind, minutes=decimal_text(report.gives_back_s or 0, 60))
