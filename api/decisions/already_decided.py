"""The refusal for a second decider: it names who was first, when and what, and returns the second's own words."""

from collections.abc import Mapping
from typing import Any, Final

from api.books.in_force import stored_program
from api.db.unit_of_work import WriteUnit
from api.refusals import Refused
from api.words import Translated, translated
from rules.text import text
from scoring.explain_words import clock

# Deciders that are no persons, and the message that names each.
_NOBODY: Final = {"timeout": "review.by_timeout", "ledger": "review.by_ledger", "training": "review.by_training"}


def decided_first(
    unit: WriteUnit,
    code: str,
    book_digest: str,
    first: tuple[str, int],
    stands: tuple[str, Translated],
    sent: Mapping[str, Any],
) -> Refused:
    """The refusal that a second decider gets.

    Parameters
    ----------
    first
        Who decided, and when.
    stands
        What was decided: its code and its words.
    sent
        What the second decider sent; it comes back to them word for word, since it was not saved.
    """
    by, at = _told(unit, book_digest, first)
    facts = _facts(first, stands[0], sent)
    return Refused(code, by=by, at=at, answer=stands[1], facts=facts)


def ended_first(unit: WriteUnit, review_id: str, book_digest: str, first: tuple[str, int], reason: str) -> Refused:
    """The refusal for whoever ends a suspension that has been ended; parameters as of `decided_first`."""
    by, at = _told(unit, book_digest, first)
    return Refused(
        "review_not_suspended",
        review=review_id,
        ended=translated(lambda lang: text(lang, "refused.ended_by", by=by.lang(lang), at=at)),
        facts=_facts(first, "lifted", {"reason": reason}),
    )


def _told(unit: WriteUnit, book_digest: str, first: tuple[str, int]) -> tuple[Translated, str]:
    """Who was first, in words, and when by the book's clock."""
    by, at_us = first
    model = next(book.model for book in stored_program(unit).books if book.digest == book_digest)
    who = translated(lambda lang: text(lang, _NOBODY[by]) if by in _NOBODY else by)
    return who, clock(at_us, model, "%Y-%m-%d %H:%M")


def _facts(first: tuple[str, int], stands: str, sent: Mapping[str, Any]) -> dict[str, Any]:
    """The same for programs."""
    return {"decided_by": first[0], "decided_us": first[1], "stands": stands, "not_saved": dict(sent)}
