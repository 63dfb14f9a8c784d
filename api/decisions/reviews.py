"""Reviews: the system recommends that a person look at a rider; a person decides, in writing, and can take it back.

A suspension begins at a date that is at least 14 days off (or the book's `notice_days`, if more) unless it is for safety.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from sqlalchemy import Select, delete, insert, select

from api.access.separation_of_duties import need_other_hand
from api.books.in_force import stored_program
from api.db.audit_notes import add_audit_note
from api.db.cursors import RowPage, newest_first, oldest_first
from api.db.decision_words import keep_words, words_of
from api.db.outbox import iso
from api.db.rider_rows import lock_riders, raise_revision
from api.db.tables import open_reviews, review_decisions, reviews, rider_state, suspension_lifts
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.decisions.already_decided import decided_first, ended_first
from api.decisions.appeals import WORDS_MAX
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


@dataclass(frozen=True, slots=True)
class Lift:
    """The end of a suspension: by a person, or by a passed course (`training`, its event); `reason` as of a decision."""

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


def outcome_words(outcome: str) -> Translated:
    """A decision in words."""
    return translated(lambda lang: text(lang, f"review.outcome_{outcome}"))


def state_words(review: Review) -> Translated:
    """Where a review stands, in words."""
    return translated(lambda lang: text(lang, f"review.state_{review.state}"))


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
    reason = _written(reason)
    if outcome not in OUTCOMES:
        raise Refused(
            "review_outcome_unknown",
            given=outcome,
            allowed=coded(OUTCOMES, lambda lang, code: text(lang, f"review.outcome_{code}")),
        )
    found = _known(unit, review_id)
    need_other_hand(actor, behind_review(unit, review_id))
    row = lock_riders(unit, [found.rider_id])[found.rider_id]
    found = _known(unit, review_id)
    if found.decision is not None:
        stands = found.decision
        # Words that were erased meanwhile cannot be told apart from those that come again.
        same_words = stands.reason in (reason, None)
        if same_words and (stands.outcome, stands.decided_by, stands.is_safety, stands.from_us) == (
            outcome, actor, is_safety, _begins_us(from_us, is_safety, stands.decided_us)
        ):  # fmt: skip
            return found
        sent = {"outcome": outcome, "reason": reason, "from_us": from_us, "is_safety": is_safety}
        first, what = (stands.decided_by, stands.decided_us), (stands.outcome, outcome_words(stands.outcome))
        raise decided_first(unit, "review_decided", found.book_digest, first, what, sent)
    if outcome == "suspend":
        from_us = _begins_us(from_us, is_safety, unit.recorded_us)
        _check_suspension(unit, found, from_us, is_safety, bool(row.review_required))
    elif from_us is not None or is_safety:
        raise Refused("review_from_unwanted")
    decision = {
        "review_id": review_id,
        "outcome": outcome,
        "decided_by": actor,
        "reason_digest": keep_words(unit, "review", review_id, found.rider_id, reason),
        "is_safety": int(is_safety),
        "from_us": from_us,
        "decided_us": unit.recorded_us,
    }
    unit.connection.execute(insert(review_decisions), decision)
    unit.connection.execute(delete(open_reviews).where(open_reviews.c.review_id == review_id))
    raise_revision(unit, [found.rider_id])
    add_audit_note(
        unit, actor, "review_decided", found.rider_id,
        review=review_id, outcome=outcome, from_us=from_us, is_safety=is_safety, city=found.city,
    )  # fmt: skip
    return _known(unit, review_id)


def _begins_us(from_us: int | None, is_safety: bool, decided_us: int) -> int | None:
    return max(from_us or 0, decided_us) if is_safety else from_us


def _written(reason: str) -> str:
    if len(reason) > WORDS_MAX:
        raise Refused("words_too_long", most=WORDS_MAX)
    if not reason.strip():
        raise Refused("reason_missing")
    return reason.strip()


def _known(unit: ReadUnit | WriteUnit, review_id: str) -> Review:
    found = review_of(unit, review_id)
    if found is None:
        raise Refused("review_unknown", review=review_id)
    return found


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
    reason = _written(reason)
    lock_riders(unit, [_known(unit, review_id).rider_id])
    found = _known(unit, review_id)
    if found.lift is not None:
        raise ended_first(unit, review_id, found.book_digest, (found.lift.lifted_by, found.lift.lifted_us), reason)
    if found.state != "suspended":
        raise Refused("review_not_suspended", review=review_id, ended="")
    lifted = {
        "review_id": review_id,
        "lifted_by": actor,
        "reason_digest": keep_words(unit, "lift", review_id, found.rider_id, reason),
        "event_id": None,
        "lifted_us": unit.recorded_us,
    }
    unit.connection.execute(insert(suspension_lifts), lifted)
    raise_revision(unit, [found.rider_id])
    add_audit_note(unit, actor, "suspension_lifted", found.rider_id, review=review_id, city=found.city)
    return _known(unit, review_id)


def _reviews() -> Select[Any]:
    """Reviews with what was decided; `city` is the rider's, whose people decide."""
    decided, lifted = review_decisions.c, suspension_lifts.c
    said, said_of_lift = words_of("review", "decided_words"), words_of("lift", "lift_words")
    return (
        select(
            *(column for column in reviews.c if column.name != "city"),
            rider_state.c.city,
            decided.outcome,
            decided.decided_by,
            decided.reason_digest,
            said.c.reason,
            decided.is_safety,
            decided.from_us,
            decided.decided_us,
            lifted.lifted_by,
            lifted.reason_digest.label("lift_digest"),
            said_of_lift.c.reason.label("lift_reason"),
            lifted.event_id.label("lift_event_id"),
            lifted.lifted_us,
        )
        .outerjoin(rider_state, rider_state.c.rider_id == reviews.c.rider_id)
        .outerjoin(review_decisions, decided.review_id == reviews.c.review_id)
        .outerjoin(said, said.c.decision_id == reviews.c.review_id)
        .outerjoin(suspension_lifts, lifted.review_id == reviews.c.review_id)
        .outerjoin(said_of_lift, said_of_lift.c.decision_id == reviews.c.review_id)
    )


def _review(row: Any) -> Review:
    decision = lift = None
    if row["outcome"] is not None:
        decision = ReviewDecision(
            outcome=row["outcome"],
            decided_by=row["decided_by"],
            reason=row["reason"] if row["reason_digest"] else "",
            is_safety=bool(row["is_safety"]),
            from_us=row["from_us"],
            decided_us=row["decided_us"],
        )
    if row["lifted_by"] is not None:
        reason = row["lift_reason"] if row["lift_digest"] else ""
        lift = Lift(row["lifted_by"], reason, row["lift_event_id"], row["lifted_us"])
    own = {name: row[name] for name in Review.__dataclass_fields__ if name not in ("decision", "lift")}
    return Review(**own, decision=decision, lift=lift)


def review_of(unit: ReadUnit | WriteUnit, review_id: str) -> Review | None:
    """One review."""
    row = unit.connection.execute(_reviews().where(reviews.c.review_id == review_id)).mappings().one_or_none()
    return None if row is None else _review(row)


def reviews_of(unit: ReadUnit | WriteUnit, rider_id: str) -> tuple[Review, ...]:
    """All reviews of a rider, newest first."""
    query = _reviews().where(reviews.c.rider_id == rider_id).order_by(reviews.c.opened_us.desc(), reviews.c.review_id)
    return tuple(_review(row) for row in unit.connection.execute(query).mappings())


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """Reviews in an order, and what asks for those after them; None at the end."""

    reviews: tuple[Review, ...]
    cursor: str | None


def open_reviews_by_time(
    unit: ReadUnit | WriteUnit, cities: Sequence[str] = (), cursor: str | None = None, limit: int = 50
) -> ReviewPage:
    """Reviews that wait for a person, the oldest first.

    Parameters
    ----------
    cities
        Only these; empty for all.
    """
    query = _reviews().join(open_reviews, open_reviews.c.review_id == reviews.c.review_id)
    if cities:
        query = query.where(rider_state.c.city.in_(cities))
    return _page(oldest_first(unit, query, open_reviews.c.opened_us, open_reviews.c.review_id, cursor, limit))


def decided_reviews(
    unit: ReadUnit | WriteUnit, cities: Sequence[str] = (), cursor: str | None = None, limit: int = 50
) -> ReviewPage:
    """Reviews that were decided, the newest decisions first; those that closed themselves are among them."""
    decided = review_decisions.c
    query = _reviews().where(decided.review_id.is_not(None))
    if cities:
        query = query.where(rider_state.c.city.in_(cities))
    return _page(newest_first(unit, query, decided.decided_us, decided.review_id, cursor, limit))


def own_reviews(
    unit: ReadUnit | WriteUnit, rider_id: str, state: Literal["open", "decided"] | None, cursor: str | None, limit: int
) -> ReviewPage:
    """A rider's own reviews, open, decided, or (None) both, newest first."""
    decided = review_decisions.c.review_id
    query = _reviews().where(reviews.c.rider_id == rider_id)
    if state is not None:
        query = query.where(decided.is_(None) if state == "open" else decided.is_not(None))
    return _page(newest_first(unit, query, reviews.c.opened_us, reviews.c.review_id, cursor, limit))


def _page(found: RowPage) -> ReviewPage:
    return ReviewPage(tuple(map(_review, found.rows)), found.cursor)
