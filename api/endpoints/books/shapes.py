"""What the routes of rule books and drafts answer: the shapes; `answers` makes them."""

from typing import Any, Final, Literal

from pydantic import Field

from api.books.draft_rows import DraftState
from api.endpoints.common.schemas import IsoDate, ListPage, Model, TitleShown
from rules.events import EventKind, RiderKind
from scoring.columns import EntryKind

# An example for documents.
DIGEST: Final = "0f3a9c64d1e25b7788c01d2f6a4be35990d7c1a2b3f4e5d6978812345678abcd"


class PlaceShown(Model):
    """Riders of one kind in one city."""

    city: str = Field(examples=["hangzhou"])
    rider_kind: RiderKind = Field(examples=["crowdsourced"])


class VersionLine(Model):
    """An immutable version of a book."""

    digest: str = Field(examples=[DIGEST])
    book_id: str = Field(examples=["taobao-crowdsourced"])
    title: TitleShown
    effective_from: IsoDate = Field(examples=["2025-12-03"])
    since_us: int = Field(description="When it began to judge, in this place or at all.")
    regime: Literal["score", "legacy"] = Field(examples=["score"])


class ScheduledChangeShown(Model):
    """A change to come, as riders are told of it."""

    city: str
    rider_kind: RiderKind
    book_id: str
    digest: str
    title: TitleShown
    effective_us: int
    effective_from: IsoDate
    draft_id: str | None
    restores: str | None = Field(description="For a roll-back, the version whose content comes back.")
    notice_waived: bool


class DraftLine(Model):
    """A draft in a list."""

    draft_id: str = Field(examples=["5d0c9be1a7f34682"])
    book_id: str
    title: str = Field(examples=["淘宝闪购众包服务分"])
    city: str | None
    state: DraftState
    revision: int
    content_digest: str
    targets: tuple[PlaceShown, ...]
    rolls_back: str | None
    effective_us: int | None
    author: str
    recorded_us: int
    changed_us: int


class PlaceBooks(Model):
    """What there is for riders of one kind in one city."""

    city: str
    rider_kind: RiderKind
    in_force: VersionLine | None
    scheduled: tuple[ScheduledChangeShown, ...]
    drafts: tuple[DraftLine, ...]
    history: tuple[VersionLine, ...] = Field(description="What judged before, newest first.")


class BookLine(Model):
    """A book by its id: its versions, newest first, and where it is in force."""

    book_id: str
    title: TitleShown
    versions: tuple[VersionLine, ...]
    places: tuple[PlaceShown, ...]


class BooksPage(ListPage):
    """Places by city and kind of riders; all books by id with the first page."""

    items: tuple[PlaceBooks, ...]
    books: tuple[BookLine, ...]


class FaultShown(Model):
    """One thing to be said of a document."""

    pointer: str = Field(description="The cell it stands in; empty for the whole.", examples=["/rule/3/points"])
    part: str = Field(examples=["rule"])
    rule: str = Field(description="Id of the row, empty for the document itself.", examples=["late_5"])
    key: str = Field(examples=["points"])
    code: str = Field(examples=["too_many_decimals"])
    severity: Literal["error", "warning"]
    given: str
    allowed: str
    clause: str = Field(
        description="Clause of the standard, where one is concerned.", examples=["GB/T 46862-2025 7.2.8"]
    )
    detail: str
    remedy: str


class ClauseShown(Model):
    """The law beside one part of a document."""

    pointer: str = Field(examples=["/rule/1"])
    part: str
    rule: str
    clause: str = Field(examples=["no_fines"])
    number: str = Field(examples=["GB/T 46862-2025 7.2.8"])
    title: str
    law: str


class ChangeShown(Model):
    """One difference, in words and in values."""

    kind: Literal["added", "removed", "changed", "moved"]
    part: str
    id: str
    key: str
    before: Any
    after: Any
    words: str = Field(examples=["late_5: −1 → −2 points, from 2026-03-10"])


class VersionShown(Model):
    """A version in full, the law beside its parts."""

    version: VersionLine
    document: dict[str, Any]
    toml: str
    extends: str | None
    places: tuple[PlaceShown, ...]
    faults: tuple[FaultShown, ...]
    clauses: tuple[ClauseShown, ...]
    before: str | None
    after: str | None
    since: str | None = Field(description="The version that `changes` are told from.")
    changes: tuple[ChangeShown, ...]


class TargetShown(Model):
    """Where a draft is to be in force, and the version it replaces there."""

    city: str
    rider_kind: RiderKind
    replaces: str | None


class ConflictShown(Model):
    """Why a draft was suspended."""

    code: str = Field(examples=["base_moved"])
    given: str
    allowed: str
    detail: str


class RevisionShown(Model):
    """One content that a draft had."""

    revision: int
    author: str
    action: str = Field(description="What made this content.", examples=["saved"])
    content_digest: str
    recorded_us: int


class ApprovalShown(Model):
    """What a second person said of one revision."""

    revision: int
    content_digest: str
    decision: Literal["approved", "rejected"]
    approver: str
    reason: str
    impact_id: str | None
    recorded_us: int


class DraftShown(Model):
    """A draft with its document and its history; the ETag is for If-Match."""

    draft_id: str
    book_id: str
    title: str
    city: str | None
    state: DraftState
    revision: int
    content_digest: str
    base_digest: str | None = Field(description="The version that changes are told from.")
    targets: tuple[TargetShown, ...]
    rolls_back: str | None
    effective_us: int | None
    book_digest: str | None
    conflicts: tuple[ConflictShown, ...]
    author: str
    authors: tuple[str, ...]
    document: dict[str, Any]
    toml: str
    recorded_us: int
    changed_us: int
    revisions: tuple[RevisionShown, ...]
    approvals: tuple[ApprovalShown, ...]
    needs_impact: bool


class DraftPage(ListPage):
    """Drafts, the last begun first."""

    items: tuple[DraftLine, ...]


class CheckedShown(Model):
    """Everything that is to be said of a draft: all of it at once, each with its cell."""

    can_submit: bool
    num_errors: int
    num_warnings: int
    num_examples: int
    document: tuple[FaultShown, ...]
    checks: tuple[FaultShown, ...]
    examples: tuple[FaultShown, ...]
    dates: tuple[FaultShown, ...]
    changes: tuple[ChangeShown, ...]
    clauses: tuple[ClauseShown, ...]


class DraftSaved(Model):
    """A draft after a change, checked."""

    draft: DraftShown
    checked: CheckedShown


class BranchShown(Model):
    """One statement and what it rests on."""

    text: str
    children: tuple["BranchShown", ...]


class TriedRow(Model):
    """A rule beside the event that was tried."""

    rule_id: str
    holds: bool
    fired: bool
    conditions: tuple[str, ...]


class TriedGroup(Model):
    """The rules of a group that are about the event, in reading order."""

    group_id: str
    hit: Literal["first", "all"]
    rows: tuple[TriedRow, ...]


class TriedEntry(Model):
    """An entry that the event would write, and why."""

    rule_id: str
    kind: EntryKind
    delta_mp: int
    score_after_mp: int
    money_fen: int
    sentence: str
    because: BranchShown


class TrialShown(Model):
    """What a draft makes of one event."""

    kind: EventKind
    score_before_mp: int
    score_after_mp: int
    money_fen: int
    facts: dict[str, int] = Field(description="What rules saw; -1 is unknown.")
    groups: tuple[TriedGroup, ...]
    entries: tuple[TriedEntry, ...]
