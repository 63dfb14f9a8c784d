"""With which key, and by whom, the events were posted that opened a review: whoever stands behind it does not decide it."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select

from api.store.bulk import add_missing, among, in_chunks
from api.store.other_hands import behind_filing
from api.store.tables import review_filings, reviews
from api.store.units import ReadUnit, WriteUnit

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
    for some in in_chunks(sorted(entry_ids)):
        opened = unit.connection.scalars(select(reviews.c.review_id).where(among(unit, reviews.c.entry_id, some)))
        rows = [{"review_id": one, "filed_by": filed_by, "filed_key": key_id} for one in sorted(opened)]
        if rows:
            add_missing(unit, review_filings, rows)


def behind_review(unit: ReadUnit | WriteUnit, review_id: str) -> frozenset[str]:
    """Who stands behind a review; nobody where time alone, or an event of before this was written down, opened it."""
    query = select(review_filings).where(review_filings.c.review_id == review_id)
    row = unit.connection.execute(query).one_or_none()
    return frozenset() if row is None else behind_filing(unit, row.filed_by, row.filed_key)
