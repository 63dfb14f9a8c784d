"""A small law to change: two cities, two authors, an approver, and a clock that only tests move."""

import copy
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import insert

from api.books import approvals, drafts, in_force, scheduling
from api.books.draft_rows import Draft
from api.books.places import BookPlace
from api.db.store import Store
from api.db.tables import studies
from api.db.unit_of_work import ReadUnit, WriteUnit
from rules.book import Book
from rules.calendar import calendar
from rules.deployment import Deploy
from rules.edits import SetCell
from rules.parse import book_of
from tests.builders import DAY_US, rule, tiny_book

START = dt.date(2026, 3, 2)
# 12:00 in Shanghai on START.
NOW_US = int(dt.datetime(2026, 3, 2, 4, tzinfo=dt.UTC).timestamp()) * 1_000_000
HERE, THERE = BookPlace("hangzhou", "crowdsourced"), BookPlace("ningbo", "crowdsourced")
BOTH = (HERE, THERE)


@dataclass(frozen=True, slots=True)
class Someone:
    """A person in a role."""

    subject: str
    role: str = "ops"
    cities: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.role}:{self.subject}"


ANN, BEN = Someone("ann"), Someone("ben")
CAI = Someone("cai", "approver")


def raw(book_id: str = "city", **keys: Any) -> dict[str, Any]:
    """A book that passes every check without an error: sources and examples everywhere."""
    said = {"source": "a test", "confidence": "ours"}
    rules = [
        rule("on_time", points=Decimal("0.2"), when={"late_min": {"up_to": 0}}),
        rule("late", points=-1, when={"late_min": {"over": 0}}),
    ]
    expected = ({"late_min": 0}, {"points": Decimal("0.2")}), ({"late_min": 3}, {"points": -1})
    for row, (given, expect) in zip(rules, expected, strict=True):
        row.update(said | {"example": [{"given": given, "expect": expect}]})
    document = tiny_book(id=book_id, effective_from=dt.date(2025, 12, 1), rule=rules, notice_days=7, late_days=2)
    document["score"] |= said
    for tier in document["tier"]:
        tier.update(said)
    return document | keys


def version(book_id: str = "city", **keys: Any) -> Book:
    """A parsed book of `raw`."""
    return book_of(raw(book_id, **keys), f"{book_id}.toml")


def enact(store: Store, *found: Book, places: Sequence[BookPlace] = BOTH, at_us: int = NOW_US - 30 * DAY_US) -> None:
    """Put versions in force the way a database is seeded; the book of the first judges the places."""
    with store.writing(at_us) as unit:
        in_force.publish(unit, found)
        rows = [deploy(place, found[0]) for place in places]
        in_force.deploy(unit, rows)


def deploy(place: BookPlace, book: Book) -> Deploy:
    """A row of the deployment table."""
    own = {"source": "a test", "confidence": "ours", "from": book.model.effective_from, "book": book.id}
    return Deploy.model_validate(own | {"city": place.city, "rider_kind": place.rider_kind})


def day_us(date: dt.date) -> int:
    """When a local day of these books begins."""
    return calendar("Asia/Shanghai", dt.time(4)).start_of(date)


def changed(points: Any = -2, **keys: Any) -> list[SetCell]:
    """Edits: another deduction for lateness, with its example."""
    return [
        SetCell(path="/rule/1/points", value=points),
        SetCell(path="/rule/1/example/0/expect/points", value=points),
        *(SetCell(path=f"/{key}", value=value) for key, value in keys.items()),
    ]


def begun(unit: WriteUnit, who: Someone = ANN, digest: str | None = None, points: Any = -2) -> Draft:
    """A sound change of what is in force, open."""
    found = version().digest if digest is None else digest
    draft = drafts.draft_from_version(unit, who, found)
    return drafts.edit_cells(unit, who, draft.draft_id, draft.etag, changed(points))


def submitted(unit: WriteUnit, who: Someone = ANN, points: Any = -2) -> Draft:
    """The same, submitted."""
    draft = begun(unit, who, points=points)
    return approvals.submit(unit, who, draft.draft_id, draft.etag)


def approved(unit: WriteUnit, who: Someone = ANN, by: Someone = CAI, points: Any = -2) -> Draft:
    """The same, approved."""
    return said_yes(unit, submitted(unit, who, points), by)


def said_yes(unit: WriteUnit, draft: Draft, by: Someone = CAI, impact_id: str | None = None) -> Draft:
    """An approval of a submitted draft as it stands."""
    return approvals.approve(
        unit, by, draft.draft_id, draft.etag, content_digest=draft.content_digest, reason="read it", impact_id=impact_id
    )


def scheduled(unit: WriteUnit, who: Someone = ANN, by: Someone = CAI, points: Any = -2) -> Draft:
    """The same, on the schedule."""
    draft = approved(unit, who, by, points)
    return scheduling.schedule(unit, who, draft.draft_id, draft.etag)


def done_impact(unit: WriteUnit, draft: Draft, study_id: str = "i1", **columns: Any) -> str:
    """A finished impact of a draft's present content."""
    row = {
        "study_id": study_id, "kind": "impact", "request": "{}", "requested_by": "ops:ann", "city": "hangzhou",
        "draft_id": draft.draft_id, "content_digest": draft.content_digest, "state": "done", "progress_permille": 1000,
        "stage": "done", "created_us": unit.recorded_us, "num_starts": 1,
    }  # fmt: skip
    unit.connection.execute(insert(studies), copy.deepcopy(row) | columns)
    return study_id


def next_change(
    unit: ReadUnit | WriteUnit, city: str, rider_kind: str, after_us: int
) -> scheduling.ScheduledChange | None:
    """The next change that is announced for riders of a kind in a city after an instant."""
    for change in scheduling.scheduled_for(unit, after_us):
        if (change.city, change.rider_kind) == (city, rider_kind):
            return change
    return None
