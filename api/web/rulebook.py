"""A rule book as its riders read it: each rule with what it costs or earns, and where its number comes from."""

from dataclasses import dataclass

from rules.book import Book, Rule
from rules.text import Lang, text
from rules.units import decimal_text, signed_points_text
from scoring.explain_words import signed_yuan, titled


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule: what it is about, what it is worth, and whether the number was published or is ours."""

    title: str
    worth: str
    gain: int
    source: str | None
    is_ours: bool
    note: str | None


def rows_of(book: Book, lang: Lang) -> tuple[RuleRow, ...]:
    """All rules of a book, in its order."""
    return tuple(
        RuleRow(
            title=titled(lang, rule.title),
            worth=_worth(rule, lang),
            gain=_gain(rule),
            source=rule.source,
            is_ours=rule.confidence == "ours",
            note=None if rule.note is None else titled(lang, rule.note),
        )
        for rule in book.model.rule
    )


def _gain(rule: Rule) -> int:
    """The sign of what a rule does."""
    slide = [corner.points_mp for corner in rule.points_slide or ()]
    amounts = [rule.points_mp or 0, *slide, rule.money_fen or 0, rule.fee_share_permille or 0]
    amounts += [corner.share_permille for corner in rule.fee_share_slide or ()]
    return max(amounts, key=abs)


def _worth(rule: Rule, lang: Lang) -> str:
    if rule.points_slide:
        ends = [signed_points_text(corner.points_mp) for corner in rule.points_slide]
        return text(lang, "rulebook.slide", first=ends[0], last=ends[-1])
    if rule.points_mp is not None:
        return text(lang, "rulebook.points", points=signed_points_text(rule.points_mp))
    if rule.money_fen is not None:
        return text(lang, "rulebook.money", money=signed_yuan(rule.money_fen))
    shares = [rule.fee_share_permille] if rule.fee_share_permille is not None else []
    shares += [corner.share_permille for corner in rule.fee_share_slide or ()]
    return text(lang, "rulebook.share", share=decimal_text(abs(shares[-1]), 10)) if shares else "–"
