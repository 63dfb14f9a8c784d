"""The score on its scale, as a drawing: where the tiers lie, where the base is, where the rider stands."""

from dataclasses import dataclass
from typing import Final

from rules.book import Book, Tier
from rules.units import PERMILLE, points_text

WIDTH: Final = 330
# Labels nearer to each other than this would run into one another.
APART: Final = 26


@dataclass(frozen=True, slots=True)
class Band:
    """One tier: from `x`, `width` wide, drawn as `fill`."""

    x: float
    width: float
    fill: str


@dataclass(frozen=True, slots=True)
class Ruler:
    """A scale of `WIDTH` units: bands, labelled thresholds, and the rider's place."""

    bands: tuple[Band, ...]
    ticks: tuple[tuple[float, str], ...]
    here: float


def ruler_of(book: Book, score_mp: int) -> Ruler:
    """The scale of a book with a score on it."""
    low, high = book.model.score.floor_mp, book.model.score.ceiling_mp
    wide = max(high - low, 1)

    def at(points_mp: int) -> float:
        return round(WIDTH * (min(max(points_mp, low), high) - low) / wide, 1)

    tiers = book.model.tier
    starts = [low, *(_threshold(tier) for tier in tiers[1:]), high]
    bands = tuple(
        Band(at(start), round(at(stop) - at(start), 1), fill_of(tier))
        for tier, start, stop in zip(tiers, starts[:-1], starts[1:], strict=True)
    )
    ticks: list[tuple[float, str]] = []
    for points_mp in sorted({low, high, book.model.score.base_mp, *starts[1:-1]}, key=lambda mp: mp not in (low, high)):
        if all(abs(at(points_mp) - x) >= APART for x, _ in ticks):
            ticks.append((at(points_mp), points_text(points_mp)))
    return Ruler(bands, tuple(sorted(ticks)), at(score_mp))


def _threshold(tier: Tier) -> int:
    found = tier.from_mp if tier.above_mp is None else tier.above_mp
    return 0 if found is None else found


def fill_of(tier: Tier) -> str:
    """How a tier is coloured: by what it does to a rider, not by its place."""
    if tier.bonus_fen or tier.priority_permille > PERMILLE:
        return "fill-good"
    if tier.review or tier.warning or tier.priority_permille < PERMILLE:
        return "fill-bad" if tier.review else "fill-warn"
    return "fill-mute"
