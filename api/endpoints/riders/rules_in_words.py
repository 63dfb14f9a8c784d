"""A rule book as its riders read it: each rule with when it applies and what it costs or earns."""

from dataclasses import dataclass

from rules.book import Book, Rule
from rules.text import Lang
from scoring.book_words import outcome_words, when_words
from scoring.explain_words import titled


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule: its name, when it applies, what it is worth; `note` is the book's comment on it."""

    title: str
    when: str
    worth: str
    gain: int
    note: str | None


def rows_of(book: Book, lang: Lang) -> tuple[RuleRow, ...]:
    """All rules of a book, in its order."""
    return tuple(
        RuleRow(
            title=titled(lang, rule.title),
            when=when_words(rule, book.model, lang),
            worth=outcome_words(rule, lang),
            gain=_gain(rule),
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
