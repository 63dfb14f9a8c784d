"""With which key, and by whom, the events were posted that opened a review: whoever stands behind it does not decide it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select, update

from api.access.separation_of_duties import behind_filing
from api.db.bulk import add_missing, among, in_chunks, pairs_among, rows_among
from api.db.tables import replays, review_filings, reviews
from api.db.unit_of_work import ReadUnit, WriteUnit

Line = Mapping[str, Any]


def note_filing(unit: WriteUnit, lines: Iterable[Line], filed_by: str, key_id: str | None) -> None:
    """Write down who has opened reviews with a post.

    Parameters
    ----------
    lines
        Entries that the post wrote, in the unit that wrote them.
    filed_by
        As the audit trail names them: `platform:dispatch-1`.
    """
    entry_ids = {line["entry_id"] for line in lines if line["of_kind"] == "review" and line["kind"] != "reverse"}
    opened = sorted(
        row.review_id for row in rows_among(unit, select(reviews.c.review_id), reviews.c.entry_id, entry_ids)
    )
    filed = [{"review_id": review_id, "filed_by": filed_by, "filed_key": key_id} for review_id in opened]
    add_missing(unit, review_filings, filed)


def note_waiting(unit: WriteUnit, accepted: Collection[tuple[str, str]], filed_by: str, key_id: str | None) -> None:
    """Write down who has posted events that wait for their replay; whoever posted them first stays."""
    for some in in_chunks(sorted(accepted)):
        here = pairs_among(unit, (replays.c.rider_id, replays.c.event_id), some)
        unit.connection.execute(
            update(replays).where(here, replays.c.filed_by.is_(None)).values(filed_by=filed_by, filed_key=key_id)
        )


def note_replayed(unit: WriteUnit, rider_id: str, event_ids: Sequence[str], lines: Iterable[Line]) -> None:
    """As `note_filing`, for what a replay wrote of a rider whose events still wait: each review by what caused it."""
    filed = select(replays.c.event_id, replays.c.filed_by, replays.c.filed_key).where(
        replays.c.rider_id == rider_id, among(unit, replays.c.event_id, event_ids), replays.c.filed_by.is_not(None)
    )
    known = {row.event_id: row for row in unit.connection.execute(filed)}
    for line in lines:
        row = known.get(line["cause_event_id"] or line["event_id"])
        if row is not None:
            note_filing(unit, [line], row.filed_by, row.filed_key)


def behind_review(unit: ReadUnit | WriteUnit, review_id: str) -> frozenset[str]:
    """Who stands behind a review; nobody where time alone, or an event of before this was written down, opened it."""
    query = select(review_filings).where(review_filings.c.review_id == review_id)
    row = unit.connection.execute(query).one_or_none()
    return frozenset() if row is None else behind_filing(unit, row.filed_by, row.filed_key)
