"""Explanations for people: a rider's card here, and by their names the sentence and tree of an entry.

A card says score, tier and all that it affects, the way up and the way back, and what happened last.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rules.book import Book, Tier
from rules.text import Lang, text
from rules.units import points_text, shown_points
from scoring.because import Because, EntryLine
from scoring.explain_entry import Branch, riders_tree, sentence, sentence_change, tree
from scoring.explain_words import clock, effects, orders_words, titled


@dataclass(frozen=True, slots=True)
class LedgerCard:
    """Where a rider stands and what it means.

    Parameters
    ----------
    rider_id
        Whose card it is.
    score_mp
        The score now (mp).
    book
        The book they are under.
    tier, next_tier
        Now, and the next above (None: there is none).
    to_next_tier, to_recover
        On-time orders; None where there already or out of reach.
    review_required
        Whether a person should look.
    last
        What happened last (`last_of`).
    """

    rider_id: str
    score_mp: int
    book: Book
    tier: Tier
    next_tier: Tier | None
    to_next_tier: int | None
    to_recover: int | None
    review_required: bool
    last: Because | None


def card(rider: Mapping[str, Any], books: Mapping[str, Book], last: Because | None) -> LedgerCard:
    """The card of one row of the riders table.

    Parameters
    ----------
    rider
        A row of the riders table by column.
    books
        Books by digest.
    last
        Why the entry that happened last stands; None for a rider without one.

    Returns
    -------
    LedgerCard
        What the card says, in no language yet.
    """
    book = books[rider["book_digest"]]
    tiers = book.model.tier
    at = next(position for position, tier in enumerate(tiers) if tier.id == rider["tier"])
    return LedgerCard(
        rider_id=rider["rider_id"],
        score_mp=rider["score_mp"],
        book=book,
        tier=tiers[at],
        next_tier=tiers[at + 1] if at + 1 < len(tiers) else None,
        to_next_tier=rider["on_time_orders_to_next_tier"],
        to_recover=rider["on_time_orders_to_recover"],
        review_required=rider["review_required"],
        last=last,
    )


def last_of(lines: Sequence[EntryLine]) -> EntryLine | None:
    """The entry that tells what happened last: not what a limit, a bonus or a review added to it.

    Parameters
    ----------
    lines
        One rider's entries in order.

    Returns
    -------
    EntryLine | None
        None where nothing has happened yet.
    """
    telling_kinds = ("award", "deduct", "fade", "reset", "training")
    telling = [line for line in lines if line.of_kind in telling_kinds and not line.rule_id.startswith("tier:")]
    if not telling:
        return None
    # The first entry of an event tells all of it.
    return next(line for line in telling if _writing(line) == _writing(telling[-1]))


def _writing(line: EntryLine) -> tuple[object, ...]:
    """What all entries share that one event wrote at one time."""
    return line.event_id, line.at_us, line.recorded_us, line.kind == "reverse"


def card_lines(card: LedgerCard, lang: Lang) -> Sequence[str]:
    """A card as a person would like to read it, a statement a line.

    Parameters
    ----------
    card
        A rider's card.
    lang
        Language of the words: `zh` or `en`.

    Returns
    -------
    Sequence[str]
        Lines without line breaks.
    """
    model = card.book.model
    lines = [
        text(lang, "card.head", rider=card.rider_id, score=shown_points(card.score_mp), book=titled(lang, model.title)),
        text(lang, "card.tier", title=titled(lang, card.tier.title), effects=effects(card.tier, lang)),
        _next_tier(card, lang),
        _recovery(card, lang),
    ]
    if card.review_required:
        lines.append(text(lang, "card.review"))
    if card.last is not None:
        at = clock(card.last.line.occurred_us, model, "%m-%d %H:%M")
        lines.append(text(lang, "card.last", at=at, sentence=sentence(card.last, lang)))
    return tuple(line for line in lines if line)


def _next_tier(card: LedgerCard, lang: Lang) -> str:
    if card.next_tier is None:
        return text(lang, "card.top")
    title, effect = titled(lang, card.next_tier.title), effects(card.next_tier, lang)
    if card.next_tier.above_mp is not None:
        threshold = text(lang, "card.above", points=points_text(card.next_tier.above_mp))
    else:
        threshold = text(lang, "card.from", points=points_text(card.next_tier.from_mp or 0))
    if card.to_next_tier is None:
        return text(lang, "card.next_unreachable", title=title, effects=effect, threshold=threshold)
    orders = orders_words(lang, card.to_next_tier)
    return text(lang, "card.next", title=title, effects=effect, threshold=threshold, orders=orders)


def _recovery(card: LedgerCard, lang: Lang) -> str:
    model = card.book.model
    base = points_text(model.score.base_mp)
    if card.score_mp >= model.score.base_mp:
        return ""
    if card.to_recover is not None:
        return text(lang, "card.recover", base=base, orders=orders_words(lang, card.to_recover))
    if model.training is not None and card.score_mp < model.training.restores_to_mp:
        return text(lang, "card.training", points=points_text(model.training.restores_to_mp))
    return text(lang, "card.no_way_back", base=base)


__all__ = [
    "Branch",
    "LedgerCard",
    "card",
    "card_lines",
    "effects",
    "last_of",
    "riders_tree",
    "sentence",
    "sentence_change",
    "titled",
    "tree",
]
