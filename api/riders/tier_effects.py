"""What a tier affects, in fen and orders, and the ways up and back: each as a value and as a statement."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from api.words import Translated, translated
from rules.book import Book, BookDocument, Tier
from rules.text import Lang, text
from rules.units import PERMILLE, points_text, shown_points, yuan_text
from scoring.explain_words import moved_words, orders_words, priority_words, titled

EffectKind = Literal["bonus", "priority", "offers", "warning", "review"]
Needs = Literal["on_time_orders", "training", "other"]


@dataclass(frozen=True, slots=True)
class TierEffect:
    """One thing that a tier affects.

    Parameters
    ----------
    amount
        Of a bonus fen an order; of priority per-mille (1000: as everybody); of offers the orders of a hundred that
        a low score may cost at most; 0 of a warning or review.
    """

    kind: EffectKind
    amount: int
    words: Translated


@dataclass(frozen=True, slots=True)
class TierSummary:
    """A tier and all that it affects; `from_mp` is its lowest score (None: it has none below)."""

    tier_id: str
    title: Translated
    from_mp: int | None
    effects: tuple[TierEffect, ...]


@dataclass(frozen=True, slots=True)
class PathToScore:
    """How to get to a score above.

    Parameters
    ----------
    points_mp
        What is missing.
    orders
        On-time orders that get there; None where they do not.
    needs
        `training`: a passed course gets there or nearer; `other`: neither does under this book.
    """

    target_mp: int
    points_mp: int
    orders: int | None
    needs: Needs
    words: Translated


def tier_summary(tier: Tier, model: BookDocument) -> TierSummary:
    """A tier of a book."""
    return TierSummary(tier.id, Translated(tier.title.zh, tier.title.en), tier.min_mp, tuple(_effects(tier, model)))


def _effects(tier: Tier, model: BookDocument) -> list[TierEffect]:
    effects: list[TierEffect] = []
    if tier.bonus_fen:
        money = yuan_text(tier.bonus_fen)
        effects.append(
            TierEffect("bonus", tier.bonus_fen, translated(lambda lang: text(lang, "tier.bonus", money=money)))
        )
    words = translated(lambda lang: priority_words(lang, tier.priority_permille))
    effects.append(TierEffect("priority", tier.priority_permille, words))
    if tier.priority_permille < PERMILLE:
        effects.append(_offers(model))
    if tier.warning:
        effects.append(TierEffect("warning", 0, translated(lambda lang: text(lang, "tier.warning"))))
    if tier.review:
        effects.append(TierEffect("review", 0, translated(lambda lang: text(lang, "tier.review"))))
    return effects


def _offers(model: BookDocument) -> TierEffect:
    """The hidden-fine floor: how many of a hundred offers a low score may cost."""
    if model.offers is None:
        return TierEffect("offers", 100, translated(lambda lang: text(lang, "rider.no_offer_floor")))
    # A floor is a promise: a part of an order is rounded down.
    most = model.offers.max_loss_permille * 100 // PERMILLE
    return TierEffect("offers", most, translated(lambda lang: text(lang, "rider.offer_floor", most=most)))


def path_to_next_tier(model: BookDocument, score_mp: int, tier: Tier | None, orders: int | None) -> PathToScore | None:
    """The way to the next tier; None at the top."""
    if tier is None:
        return None
    needs = _needs(model, score_mp, orders)
    return _path(
        f"rider.up_{needs}", needs, model, score_mp, tier.min_mp or 0, orders,
        lambda lang: {"title": titled(lang, tier.title)},
    )  # fmt: skip


def path_to_base(book: Book, score_mp: int, orders: int | None) -> PathToScore | None:
    """The way back to the base; None for who is there."""
    base_mp = book.model.score.base_mp
    if score_mp >= base_mp:
        return None
    needs = _needs(book.model, score_mp, orders)
    return _path(
        f"rider.back_{needs}", needs, book.model, score_mp, base_mp, orders, lambda _: {"base": shown_points(base_mp)}
    )


def _path(
    key: str, needs: Needs, model: BookDocument, score_mp: int, target_mp: int, orders: int | None,
    named: Callable[[Lang], dict[str, str]],
) -> PathToScore:  # fmt: skip
    """The way from a score to one above it; `named` is what its words call that score."""
    restores = "" if model.training is None else points_text(model.training.restores_to_mp)

    def words(lang: Lang) -> str:
        points, count = moved_words(lang, score_mp, target_mp), orders_words(lang, orders or 0)
        return text(lang, key, points=points, orders=count, restores=restores, **named(lang))

    return PathToScore(target_mp, target_mp - score_mp, orders, needs, translated(words))


def _needs(model: BookDocument, score_mp: int, orders: int | None) -> Needs:
    if orders is not None:
        return "on_time_orders"
    helps = model.training is not None and score_mp < model.training.restores_to_mp
    return "training" if helps else "other"
