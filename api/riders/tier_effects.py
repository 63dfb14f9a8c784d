"""What a tier affects, in fen and orders, and the ways up and back: each as a value and as a statement."""

from dataclasses import dataclass
from typing import Literal

from api.words import Translated, translated
from rules.book import Book, BookDocument, Tier
from rules.text import text
from rules.units import PERMILLE, points_text, shown_points, yuan_text
from scoring.explain_words import moved_words, orders_words, priority_words, titled

EffectKind = Literal["bonus", "priority", "offers", "warning", "review"]
Needs = Literal["on_time_orders", "training", "other"]


@dataclass(frozen=True, slots=True)
class Effect:
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
class TierOn:
    """A tier and all that it affects; `from_mp` is its lowest score (None: it has none below)."""

    tier_id: str
    title: Translated
    from_mp: int | None
    effects: tuple[Effect, ...]


@dataclass(frozen=True, slots=True)
class Way:
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


def tier_on(tier: Tier, model: BookDocument) -> TierOn:
    """A tier of a book."""
    return TierOn(tier.id, Translated(tier.title.zh, tier.title.en), tier.min_mp, tuple(_effects(tier, model)))


def _effects(tier: Tier, model: BookDocument) -> list[Effect]:
    found: list[Effect] = []
    if tier.bonus_fen:
        money = yuan_text(tier.bonus_fen)
        found.append(Effect("bonus", tier.bonus_fen, translated(lambda lang: text(lang, "tier.bonus", money=money))))
    words = translated(lambda lang: priority_words(lang, tier.priority_permille))
    found.append(Effect("priority", tier.priority_permille, words))
    if tier.priority_permille < PERMILLE:
        found.append(_offers(model))
    if tier.warning:
        found.append(Effect("warning", 0, translated(lambda lang: text(lang, "tier.warning"))))
    if tier.review:
        found.append(Effect("review", 0, translated(lambda lang: text(lang, "tier.review"))))
    return found


def _offers(model: BookDocument) -> Effect:
    """The hidden-fine floor: how many of a hundred offers a low score may cost."""
    if model.offers is None:
        return Effect("offers", 100, translated(lambda lang: text(lang, "rider.no_offer_floor")))
    # A floor is a promise: a part of an order is rounded down.
    most = model.offers.max_loss_permille * 100 // PERMILLE
    return Effect("offers", most, translated(lambda lang: text(lang, "rider.offer_floor", most=most)))


def way_up(model: BookDocument, score_mp: int, tier: Tier | None, orders: int | None) -> Way | None:
    """The way to the next tier; None at the top."""
    if tier is None:
        return None
    target_mp = tier.min_mp or 0
    needs = _needs(model, score_mp, orders)
    points_mp = target_mp - score_mp
    return Way(
        target_mp,
        points_mp,
        orders,
        needs,
        translated(
            lambda lang: text(
                lang,
                f"rider.up_{needs}",
                title=titled(lang, tier.title),
                points=moved_words(lang, score_mp, target_mp),
                orders=orders_words(lang, orders or 0),
                restores="" if model.training is None else points_text(model.training.restores_to_mp),
            )
        ),
    )


def way_back(book: Book, score_mp: int, orders: int | None) -> Way | None:
    """The way back to the base; None for who is there."""
    model = book.model
    base_mp = model.score.base_mp
    if score_mp >= base_mp:
        return None
    needs = _needs(model, score_mp, orders)
    return Way(
        base_mp,
        base_mp - score_mp,
        orders,
        needs,
        translated(
            lambda lang: text(
                lang,
                f"rider.back_{needs}",
                base=shown_points(base_mp),
                points=moved_words(lang, score_mp, base_mp),
                orders=orders_words(lang, orders or 0),
                restores="" if model.training is None else points_text(model.training.restores_to_mp),
            )
        ),
    )


def _needs(model: BookDocument, score_mp: int, orders: int | None) -> Needs:
    if orders is not None:
        return "on_time_orders"
    helps = model.training is not None and score_mp < model.training.restores_to_mp
    return "training" if helps else "other"
