"""Effects of scoring beside the ledger, in the same transaction: reviews opened or closed, messages, marks.

Reviews opened by entries of kind `review` (or closed where such an entry is taken back), suspensions and reviews ended
by a passed course, and messages to those who listen. The system recommends; nothing here decides against a rider.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
from sqlalchemy import delete, select

from api.db.audit_notes import add_audit_note
from api.db.bulk import add_rows, among, in_chunks, rows_among
from api.db.outbox import Message, emit, wanted_kinds
from api.db.rider_rows import RiderRow, raise_revision
from api.db.tables import entries, open_reviews, review_decisions, reviews
from api.db.unit_of_work import WriteUnit
from api.ledger.suspensions import TRAINING, lift_trained
from rules.events import KIND_CODE
from scoring.ledger import standing_figures
from scoring.score import ScoredRun

LEDGER: Final = "ledger"
VOID: Final = "void"
COURSE_PASSED: Final = "course_passed"
_TRAINING_PASSED: Final = KIND_CODE["training_passed"]
_TOLD: Final = ("score.changed", "tier.changed", "review.needed")
_ENTRY_SAYS: Final = (
    "entry_id", "event_id", "seq", "rule_id", "kind", "of_kind", "delta_mp", "score_after_mp", "money_fen",
    "book_digest", "occurred_us",
)  # fmt: skip

Line = Mapping[str, Any]
Key = tuple[str, str, str, int]


def consequences(
    unit: WriteUnit,
    scored: ScoredRun,
    lines: Sequence[Line],
    before: Mapping[str, RiderRow],
    after: Sequence[RiderRow],
) -> None:
    """Write what follows from a run.

    Parameters
    ----------
    lines
        The run's entries, by rider in order.
    before, after
        The riders' rows; those before are held by this unit.
    """
    messages: list[Message] = []
    of_review = [line for line in lines if line["of_kind"] == "review"]
    if of_review:
        cities = {row.rider_id: row.city for row in after}
        messages += open_and_close_reviews(unit, of_review, cities)
    passed = _passed(scored)
    if passed:
        restore_trained(unit, passed, after)
    if not lines:
        return
    kinds = wanted_kinds(unit)
    if not kinds.isdisjoint(_TOLD):
        emit(unit, [*_changes(scored, lines, before, after, kinds), *messages])


def _passed(scored: ScoredRun) -> dict[str, str]:
    """Courses passed in this run: the event, by rider."""
    prepared = scored.prepared
    rows = np.flatnonzero((scored.events["kind"] == _TRAINING_PASSED) & (prepared.is_new == 1))
    if not rows.size:
        return {}
    ids, riders = (prepared.column(name, rows).cast(pa.string()).to_pylist() for name in ("event_id", "rider_id"))
    return dict(zip(riders, ids, strict=True))


def _key(line: Line) -> Key:
    """What a review's entry and its reversal have in common."""
    at_us = line["occurred_us"] if line["of_us"] is None else line["of_us"]
    return line["rider_id"], line["event_id"], line["rule_id"], at_us


def open_and_close_reviews(unit: WriteUnit, lines: Sequence[Line], cities: Mapping[str, str | None]) -> list[Message]:
    """Open and close reviews as the ledger says; a rider who waits for one gets no second."""
    waiting = _waiting(unit, {line["rider_id"] for line in lines})
    opened: dict[str, tuple[Key, Line]] = {}
    void: list[dict[str, Any]] = []
    for line in lines:
        rider, key = line["rider_id"], _key(line)
        if line["kind"] != "reverse":
            if rider not in waiting and rider not in opened:
                opened[rider] = key, line
        elif rider in opened and opened[rider][0] == key:
            del opened[rider]
        elif waiting.get(rider, ("", None))[1] == key:
            void.append({"review_id": waiting.pop(rider)[0], "rider_id": rider, "city": cities[rider]})
    _close(unit, void, VOID, LEDGER)
    rows = [_review(unit, line, cities[rider]) for rider, (_, line) in opened.items()]
    add_rows(unit, reviews, rows)
    queue = ("review_id", "rider_id", "entry_id", "city", "opened_us")
    add_rows(unit, open_reviews, [{name: row[name] for name in queue} for row in rows])
    return [Message("review.needed", row, row["rider_id"], row["city"]) for row in rows]


def restore_trained(unit: WriteUnit, passed: dict[str, str], after: Sequence[RiderRow]) -> None:
    """End what stands against riders who passed a course: suspensions, and reviews that nobody has decided.

    Where the score still asks for a review after the course, the review stays.

    Parameters
    ----------
    passed
        The event of the course, by rider.
    after
        Rows of riders as they are now, held by this unit.
    """
    lift_trained(unit, passed)
    restored = [row.rider_id for row in after if row.rider_id in passed and not row.review_required]
    query = select(open_reviews.c.review_id, open_reviews.c.rider_id, open_reviews.c.city)
    rows = list(rows_among(unit, query, open_reviews.c.rider_id, restored))
    _close(unit, [row._asdict() | {"event": passed[row.rider_id]} for row in rows], COURSE_PASSED, TRAINING)
    raise_revision(unit, {row.rider_id for row in rows})


def _waiting(unit: WriteUnit, riders: set[str]) -> dict[str, tuple[str, Key]]:
    """Open reviews by rider, and what opened them."""
    query = select(open_reviews.c.review_id, entries).join(entries, entries.c.entry_id == open_reviews.c.entry_id)
    rows = rows_among(unit, query, open_reviews.c.rider_id, riders)
    return {row.rider_id: (row.review_id, _key(row._asdict())) for row in rows}


def _review(unit: WriteUnit, line: Line, city: str | None) -> dict[str, Any]:
    return {
        "review_id": f"rv_{line['entry_id']}",
        "rider_id": line["rider_id"],
        "entry_id": line["entry_id"],
        "event_id": line["event_id"],
        "city": city,
        "book_digest": line["book_digest"],
        "score_mp": line["score_after_mp"],
        "opened_us": unit.recorded_us,
    }


def _close(unit: WriteUnit, closed: Sequence[Mapping[str, Any]], outcome: str, by: str) -> None:
    """End reviews that no person has decided and none needs to any more: `review_id`, `rider_id`, `city`, why."""
    ended = {"outcome": outcome, "decided_by": by, "reason_digest": "", "is_safety": 0, "from_us": None}
    decisions = [{"review_id": review["review_id"], **ended, "decided_us": unit.recorded_us} for review in closed]
    add_rows(unit, review_decisions, decisions)
    for some in in_chunks([review["review_id"] for review in closed]):
        unit.connection.execute(delete(open_reviews).where(among(unit, open_reviews.c.review_id, some)))
    for review in closed:
        why = {name: review[name] for name in review if name not in ("review_id", "rider_id")}
        add_audit_note(
            unit, by, "review_closed", review["rider_id"], review=review["review_id"], outcome=outcome, **why
        )


def _changes(
    scored: ScoredRun, lines: Sequence[Line], before: Mapping[str, RiderRow], after: Sequence[RiderRow],
    kinds: frozenset[str],
) -> list[Message]:  # fmt: skip
    """One message a rider whose score moved, with the entries that moved it; one a rider who changed tier."""
    lines_of_rider: dict[str, list[Line]] = {}
    for line in lines:
        lines_of_rider.setdefault(line["rider_id"], []).append(line)
    tiers = _tiers(scored, before, after) if "tier.changed" in kinds else {}
    messages: list[Message] = []
    for row in after:
        moved = lines_of_rider.get(row.rider_id)
        if not moved:
            continue
        was_mp = moved[0]["score_after_mp"] - moved[0]["delta_mp"]
        data = {
            "rider_id": row.rider_id,
            "city": row.city,
            "book_digest": row.book_digest,
            "score_before_mp": was_mp,
            "score_mp": row.score_mp,
            "seq": row.seq,
        }
        if "score.changed" in kinds and any(line["delta_mp"] or line["money_fen"] for line in moved):
            entries_shown = [{name: line[name] for name in _ENTRY_SAYS} for line in moved]
            messages.append(Message("score.changed", data | {"entries": entries_shown}, row.rider_id, row.city))
        if row.rider_id in tiers:
            was, now = tiers[row.rider_id]
            messages.append(Message("tier.changed", data | {"tier_before": was, "tier": now}, row.rider_id, row.city))
    return messages


def _tiers(scored: ScoredRun, before: Mapping[str, RiderRow], after: Sequence[RiderRow]) -> dict[str, tuple[str, str]]:
    """Riders whose tier is another one, with both; a rider's first tier is no change."""
    known = [row for row in after if row.rider_id in before and before[row.rider_id].book_digest is not None]
    books = scored.program.books
    position = {book.digest: k for k, book in enumerate(books)}

    def tiers(rows: Sequence[RiderRow]) -> list[str]:
        book = np.array([position[row.book_digest or ""] for row in rows], np.int64)
        kind, score_mp = (
            np.array([getattr(row, name) for row in rows], np.int64) for name in ("rider_kind", "score_mp")
        )
        return standing_figures(books, book, kind, score_mp).tier.tolist()

    was, now = tiers([before[row.rider_id] for row in known]), tiers(known)
    return {row.rider_id: (a, b) for row, a, b in zip(known, was, now, strict=True) if a != b}
