"""A rule book as a rider's page shows it: each rule in words, and the scale of scores as a drawing with tiers, base and rider."""

from dataclasses import dataclass
from typing import Final

from rules.book import Book, Rule, Tier
from rules.text import Lang
from rules.units import PERMILLE, points_text
from scoring.book_words import outcome_words, when_words
from scoring.explain_words import titled

WIDTH: Final = 330
# Labels nearer to each other than this would run into one another.
APART: Final = 26


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


@dataclass(frozen=True, slots=True)
class ScaleBand:
    """One tier: from `x`, `width` wide, drawn as `fill`."""

    x: float
    width: float
    fill: str


@dataclass(frozen=True, slots=True)
class ScoreScale:
    """A scale of `WIDTH` units: bands, labelled thresholds, and the rider's place."""

    bands: tuple[ScaleBand, ...]
    ticks: tuple[tuple[float, str], ...]
    here: float


def score_scale(book: Book, score_mp: int) -> ScoreScale:
    """The scale of a book with a score on it."""
    low, high = book.model.score.floor_mp, book.model.score.ceiling_mp
    wide = max(high - low, 1)

    def at(points_mp: int) -> float:
        return round(WIDTH * (min(max(points_mp, low), high) - low) / wide, 1)

    tiers = book.model.tier
    starts = [low, *(_threshold(tier) for tier in tiers[1:]), high]
    bands = tuple(
        ScaleBand(at(start), round(at(stop) - at(start), 1), fill_of(tier))
        for tier, start, stop in zip(tiers, starts[:-1], starts[1:], strict=True)
    )
    ticks: list[tuple[float, str]] = []
    for points_mp in sorted({low, high, book.model.score.base_mp, *starts[1:-1]}, key=lambda mp: mp not in (low, high)):
        if all(abs(at(points_mp) - x) >= APART for x, _ in ticks):
            ticks.append((at(points_mp), points_text(points_mp)))
    return ScoreScale(bands, tuple(sorted(ticks)), at(score_mp))


def _threshold(tier: Tier) -> int:
    points_mp = tier.from_mp if tier.above_mp is None else tier.above_mp
    return 0 if points_mp is None else points_mp


def fill_of(tier: Tier) -> str:
    """How a tier is coloured: by what it does to a rider, not by its place."""
    if tier.bonus_fen or tier.priority_permille > PERMILLE:
        return "fill-good"
    if tier.review or tier.warning or tier.priority_permille < PERMILLE:
        return "fill-bad" if tier.review else "fill-warn"
    return "fill-mute"
