"""Reviews: the system recommends that a person look at a rider; a person decides, in writing, and can take it back.

A suspension begins at a date that is at least 14 days off (or the book's `notice_days`, if more) unless it is for safety.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from sqlalchemy import Select, insert, select

from api.books.in_force import stored_program
from api.db.audit_notes import add_audit_note
from api.db.decision_words import keep_words, words_of
from api.db.outbox import iso
from api.db.records import record_of
from api.db.rider_rows import lock_riders, raise_revision
from api.db.tables import open_reviews, review_decisions, reviews, rider_state, suspension_lifts
from api.db.unit_of_work import WriteUnit
from api.decisions.cases import CaseStore, already_decided, already_ended, need_written, reason_of
from api.ledger.filings import behind_review
from api.refusals import Refused
from api.words import Translated, coded, translated
from rules.book import BookDocument
from rules.text import text
from rules.units import US_PER_DAY

# What a person can decide; `void` is the ledger's word, when the cause was taken back before, and `course_passed` that
# of a course that restored the score before.
ReviewOutcome = Literal["no_action", "warning", "training", "suspend"]
OUTCOMES: Final[tuple[ReviewOutcome, ...]] = get_args(ReviewOutcome)
NOTICE_DAYS: Final = 14
State = Literal["open", "closed", "suspended", "lifted", "void"]


@dataclass(frozen=True, slots=True)
class ReviewDecision:
    """What a person (`ops:…`) decided and why; `from_us` is when a suspension begins. `ledger` and `training` only close.

    `reason` is None once it was erased.
    """

    outcome: str
    decided_by: str
    reason: str | None
    is_safety: bool
    from_us: int | None
    decided_us: int

    @property
    def outcome_words(self) -> Translated:
        """The outcome in words."""
        return translated(lambda lang: text(lang, f"review.outcome_{self.outcome}"))


@dataclass(frozen=True, slots=True)
class Lift:
    """The end of a suspension: by a person, or by a passed course (`training`, its event); `reason` as in a decision."""

    lifted_by: str
    reason: str | None
    event_id: str | None
    lifted_us: int


@dataclass(frozen=True, slots=True)
class Review:
    """A recommendation to look at a rider, what a person decided, and how a suspension ended."""

    review_id: str
    rider_id: str
    entry_id: str
    event_id: str
    city: str | None
    book_digest: str
    score_mp: int
    opened_us: int
    decision: ReviewDecision | None
    lift: Lift | None

    @property
    def state(self) -> State:
        """Open until decided; a suspension stands until it is lifted."""
        if self.decision is None:
            return "open"
        if self.decision.outcome == "void":
            return "void"
        if self.decision.outcome != "suspend":
            return "closed"
        return "suspended" if self.lift is None else "lifted"

    @property
    def state_words(self) -> Translated:
        """The state in words."""
        return translated(lambda lang: text(lang, f"review.state_{self.state}"))


def notice_days_of(book: BookDocument) -> int:
    """Days between the decision and the beginning of a suspension, at least."""
    return NOTICE_DAYS if book.suspension is None else max(NOTICE_DAYS, book.suspension.notice_days)


def decide_review(
    unit: WriteUnit,
    review_id: str,
    outcome: str,
    reason: str,
    actor: str,
    from_us: int | None = None,
    is_safety: bool = False,
) -> Review:
    """Decide a review as a person (`actor`). The same decision by the same person again is the first one.

    Parameters
    ----------
    from_us
        When a suspension begins; of suspensions only.
    is_safety
        The suspension cannot wait for the notice because people are in danger: without a date, or with one that has
        passed by the store's clock, it begins at once.

    Raises
    ------
    Refused
        review_unknown, decides_own, review_decided, review_outcome_unknown, reason_missing, words_too_long, review_from_missing,
        review_from_unwanted, review_notice_short, review_not_recommended (the score no longer asks for it).
    """
    reason = need_written(reason)
    if outcome not in OUTCOMES:
        raise Refused(
            "review_outcome_unknown",
            given=outcome,
            allowed=coded(OUTCOMES, lambda lang, code: text(lang, f"review.outcome_{code}")),
        )
    review, row = REVIEWS.hold(unit, review_id, actor, lambda: behind_review(unit, review_id))
    first = review.decision
    if first is not None:
        # Words that were erased meanwhile cannot be told apart from those that come again.
        same_words = first.reason in (reason, None)
        if same_words and (first.outcome, first.decided_by, first.is_safety, first.from_us) == (
            outcome, actor, is_safety, _begins_us(from_us, is_safety, first.decided_us)
        ):  # fmt: skip
            return review
        sent = {"outcome": outcome, "reason": reason, "from_us": from_us, "is_safety": is_safety}
        raise already_decided(unit, "review_decided", review, first, (first.outcome, first.outcome_words), sent)
    if outcome == "suspend":
        from_us = _begins_us(from_us, is_safety, unit.recorded_us)
        _check_suspension(unit, review, from_us, is_safety, bool(row.review_required))
    elif from_us is not None or is_safety:
        raise Refused("review_from_unwanted")
    decision = {
        "review_id": review_id,
        "outcome": outcome,
        "decided_by": actor,
        "reason_digest": keep_words(unit, "review", review_id, review.rider_id, reason),
        "is_safety": int(is_safety),
        "from_us": from_us,
        "decided_us": unit.recorded_us,
    }
    REVIEWS.close(unit, [review], [decision])
    add_audit_note(
        unit, actor, "review_decided", review.rider_id,
        review=review_id, outcome=outcome, from_us=from_us, is_safety=is_safety, city=review.city,
    )  # fmt: skip
    return REVIEWS.get(unit, review_id)


def _begins_us(from_us: int | None, is_safety: bool, decided_us: int) -> int | None:
    return max(from_us or 0, decided_us) if is_safety else from_us


def _check_suspension(
    unit: WriteUnit, review: Review, from_us: int | None, is_safety: bool, is_recommended: bool
) -> None:
    if from_us is None:
        raise Refused("review_from_missing")
    if not is_recommended and not is_safety:
        raise Refused("review_not_recommended")
    if is_safety:
        return
    book = next(book for book in stored_program(unit).books if book.digest == review.book_digest)
    days = notice_days_of(book.model)
    earliest_us = unit.recorded_us + days * US_PER_DAY
    if from_us < earliest_us:
        raise Refused("review_notice_short", days=days, earliest=iso(earliest_us))


def lift_suspension(unit: WriteUnit, review_id: str, reason: str, actor: str) -> Review:
    """End a suspension as a person; one that is only announced never begins.

    Raises
    ------
    Refused
        review_unknown, review_not_suspended, reason_missing, words_too_long.
    """
    reason = need_written(reason)
    lock_riders(unit, [REVIEWS.get(unit, review_id).rider_id])
    review = REVIEWS.get(unit, review_id)
    if review.lift is not None:
        raise already_ended(unit, review_id, review, review.lift, reason)
    if review.state != "suspended":
        raise Refused("review_not_suspended", review=review_id, ended="")
    lifted = {
        "review_id": review_id,
        "lifted_by": actor,
        "reason_digest": keep_words(unit, "lift", review_id, review.rider_id, reason),
        "event_id": None,
        "lifted_us": unit.recorded_us,
    }
    unit.connection.execute(insert(suspension_lifts), lifted)
    raise_revision(unit, [review.rider_id])
    add_audit_note(unit, actor, "suspension_lifted", review.rider_id, review=review_id, city=review.city)
    return REVIEWS.get(unit, review_id)


def _reviews() -> Select[Any]:
    """Reviews with what was decided; `city` is the rider's, whose people decide."""
    decided, lifted = review_decisions.c, suspension_lifts.c
    reasons, lift_reasons = words_of("review", "decided_words"), words_of("lift", "lift_words")
    return (
        select(
            *(column for column in reviews.c if column.name != "city"),
            rider_state.c.city,
            decided.outcome,
            decided.decided_by,
            decided.reason_digest,
            reasons.c.reason,
            decided.is_safety,
            decided.from_us,
            decided.decided_us,
            lifted.lifted_by,
            lifted.reason_digest.label("lift_digest"),
            lift_reasons.c.reason.label("lift_reason"),
            lifted.event_id.label("lift_event_id"),
            lifted.lifted_us,
        )
        .outerjoin(rider_state, rider_state.c.rider_id == reviews.c.rider_id)
        .outerjoin(review_decisions, decided.review_id == reviews.c.review_id)
        .outerjoin(reasons, reasons.c.decision_id == reviews.c.review_id)
        .outerjoin(suspension_lifts, lifted.review_id == reviews.c.review_id)
        .outerjoin(lift_reasons, lift_reasons.c.decision_id == reviews.c.review_id)
    )


def _review(row: Any) -> Review:
    decision = lift = None
    if row["outcome"] is not None:
        reason = reason_of(row["reason"], row["reason_digest"])
        decision = record_of(ReviewDecision, row, reason=reason, is_safety=bool(row["is_safety"]))
    if row["lifted_by"] is not None:
        reason = reason_of(row["lift_reason"], row["lift_digest"])
        lift = Lift(row["lifted_by"], reason, row["lift_event_id"], row["lifted_us"])
    return record_of(Review, row, decision=decision, lift=lift)


REVIEWS: Final = CaseStore(
    "review", reviews, open_reviews, review_decisions, "opened_us", "opened_us", _reviews, _review
)
