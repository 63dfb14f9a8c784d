"""Who may not take orders, since when and on whose word. A person begins a suspension; a passed course or a person ends it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Select, and_, insert, or_, select

from api.db.audit_notes import add_audit_note
from api.db.bulk import among, in_chunks, rows_among
from api.db.decision_words import words_of
from api.db.rider_rows import raise_revision
from api.db.tables import review_decisions, reviews, rider_state, suspension_lifts
from api.db.unit_of_work import ReadUnit, WriteUnit

TRAINING = "training"


@dataclass(frozen=True, slots=True)
class Suspension:
    """A suspension that has not ended: `announced` until it begins, then `in_force`; `reason` is None once erased."""

    review_id: str
    state: Literal["announced", "in_force"]
    from_us: int
    reason: str | None
    decided_by: str
    is_safety: bool


def _standing(at_us: int) -> Select[Any]:
    """Suspensions decided and not ended by an instant."""
    decided, words = review_decisions.c, words_of("review", "decided_words")
    return (
        select(
            reviews.c.rider_id, decided.review_id, decided.from_us, words.c.reason, decided.decided_by, decided.is_safety
        )
        .join(review_decisions, decided.review_id == reviews.c.review_id)
        .outerjoin(words, words.c.decision_id == reviews.c.review_id)
        .outerjoin(suspension_lifts, suspension_lifts.c.review_id == reviews.c.review_id)
        .where(
            decided.outcome == "suspend",
            decided.decided_us <= at_us,
            or_(suspension_lifts.c.review_id.is_(None), suspension_lifts.c.lifted_us > at_us),
        )
    )  # fmt: skip


def suspension_of(unit: ReadUnit | WriteUnit, rider_id: str, at_us: int) -> Suspension | None:
    """What stands against a rider at an instant; of several the one that begins first, then the one decided first."""
    decided = review_decisions.c
    query = (
        _standing(at_us)
        .where(reviews.c.rider_id == rider_id)
        .order_by(decided.from_us, decided.decided_us, decided.review_id)
    )
    row = unit.connection.execute(query.limit(1)).one_or_none()
    if row is None:
        return None
    state: Literal["announced", "in_force"] = "announced" if row.from_us > at_us else "in_force"
    return Suspension(row.review_id, state, row.from_us, row.reason, row.decided_by, bool(row.is_safety))


def standing_among(unit: ReadUnit | WriteUnit, rider_ids: Iterable[str], at_us: int) -> frozenset[str]:
    """Those of some riders against whom a suspension stands at an instant, announced or in force."""
    return frozenset(row.rider_id for row in rows_among(unit, _standing(at_us), reviews.c.rider_id, rider_ids))


def suspended_among(
    unit: ReadUnit | WriteUnit, rider_ids: Iterable[str], at_us: int, cities: Collection[str] = ()
) -> frozenset[str]:
    """Those of some riders who may not take orders at an instant; with cities, those of riders of these."""
    query = _standing(at_us).where(review_decisions.c.from_us <= at_us)
    if cities:
        query = query.join(rider_state, rider_state.c.rider_id == reviews.c.rider_id)
        query = query.where(rider_state.c.city.in_(sorted(cities)))
    return frozenset(row.rider_id for row in rows_among(unit, query, reviews.c.rider_id, rider_ids))


def lift_trained(unit: WriteUnit, passed: dict[str, str]) -> None:
    """End every suspension of riders who passed a course, at once, announced ones too.

    Parameters
    ----------
    passed
        The event of the course, by rider; their rows are held.
    """
    for some in in_chunks(sorted(passed)):
        query = (
            select(reviews.c.rider_id, reviews.c.review_id, reviews.c.city)
            .join(
                review_decisions,
                and_(review_decisions.c.review_id == reviews.c.review_id, review_decisions.c.outcome == "suspend"),
            )
            .outerjoin(suspension_lifts, suspension_lifts.c.review_id == reviews.c.review_id)
            .where(suspension_lifts.c.review_id.is_(None), among(unit, reviews.c.rider_id, some))
        )
        rows = unit.connection.execute(query).all()
        lifts = [
            {
                "review_id": row.review_id,
                "lifted_by": TRAINING,
                "reason_digest": "",
                "event_id": passed[row.rider_id],
                "lifted_us": unit.recorded_us,
            }
            for row in rows
        ]
        if lifts:
            unit.connection.execute(insert(suspension_lifts), lifts)
            raise_revision(unit, {row.rider_id for row in rows})
        for row in rows:
            add_audit_note(
                unit, TRAINING, "suspension_lifted", row.rider_id,
                review=row.review_id, event=passed[row.rider_id], city=row.city,
            )  # fmt: skip
