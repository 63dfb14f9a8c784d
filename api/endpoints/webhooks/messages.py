"""What messages to webhooks hold, by kind: shapes that the API's document shows. `api.db.outbox` writes them."""

from typing import Final, Literal

from pydantic import Field

from api.db.outbox import Kind
from api.decisions.appeals import DismissedReason, UpheldReason
from api.endpoints.common.schemas import Model
from rules.events import RiderKind
from scoring.columns import EntryKind


class MessageEntry(Model):
    """An entry that moved the score."""

    entry_id: str
    event_id: str
    seq: int
    rule_id: str
    kind: EntryKind = Field(description="What the entry does.", examples=["deduct"])
    of_kind: EntryKind
    delta_mp: int
    score_after_mp: int
    money_fen: int
    book_digest: str
    occurred_us: int


class ScoreChange(Model):
    """A rider whose score moved, with the entries that moved it."""

    rider_id: str
    city: str | None
    book_digest: str | None
    score_before_mp: int
    score_mp: int
    seq: int = Field(description="The position of the rider's last entry.", examples=[4])
    entries: tuple[MessageEntry, ...] = Field(description="The newest of them; 200 at most.")
    num_entries: int = Field(description="How many there are in all.", examples=[1])
    cursor: str | None = Field(description="Asks `GET /v1/riders/{rider_id}/entries` for those before; null for none.")


class TierChange(Model):
    """A rider who came into another tier."""

    rider_id: str
    city: str | None
    book_digest: str | None
    score_before_mp: int
    score_mp: int
    seq: int = Field(description="The position of the rider's last entry.", examples=[4])
    tier_before: str = Field(description="The tier before, by its id.", examples=["normal"])
    tier: str = Field(description="The tier now, by its id.", examples=["reward"])


class ReviewNeed(Model):
    """A rider at whom a person is asked to look."""

    review_id: str
    rider_id: str
    entry_id: str
    event_id: str
    city: str | None
    book_digest: str
    score_mp: int
    opened_us: int


class AppealOutcome(Model):
    """An appeal that was answered."""

    appeal_id: str
    rider_id: str
    city: str | None
    entry_id: str
    event_id: str
    decision: Literal["upheld", "dismissed"] = Field(description="`upheld` took the deduction back.")
    decided_by: str = Field(description="Who answered; `timeout` where nobody did.", examples=["ops:li.na"])
    reason_code: UpheldReason | DismissedReason | Literal["timeout"]
    decided_us: int


class RiderErasure(Model):
    """A rider whose personal fields were erased: forget them, too."""

    rider_id: str
    city: str | None


class BookChange(Model):
    """A change of the rules that was scheduled for a city."""

    draft_id: str
    book_id: str
    book_digest: str
    city: str
    rider_kinds: tuple[RiderKind, ...] = Field(description="The riders whom it is about.")
    effective_at: str = Field(description="When it takes effect, ISO 8601.", examples=["2026-02-28T20:00:00.000000Z"])


class ChangeConflict(Model):
    """Why a change was suspended."""

    code: str = Field(examples=["base_moved"])
    given: str
    allowed: str


class BookSuspension(BookChange):
    """A change that will not take effect as it is."""

    conflicts: tuple[ChangeConflict, ...]


class Ping(Model):
    """Nothing happened: the message that `ping` sends."""

    webhook_id: str


# The data of each kind of message, and when it is sent.
MESSAGES: Final[dict[Kind, tuple[type[Model], str]]] = {
    "score.changed": (ScoreChange, "A rider's score moved."),
    "tier.changed": (TierChange, "A rider came into another tier."),
    "review.needed": (ReviewNeed, "A person is asked to look at a rider."),
    "appeal.decided": (AppealOutcome, "An appeal was answered."),
    "rider.erased": (RiderErasure, "A rider's personal fields were erased."),
    "book.scheduled": (BookChange, "A change of the rules was scheduled."),
    "book.suspended": (BookSuspension, "A scheduled change will not take effect as it is."),
    "ping": (Ping, "Somebody asked for a test message."),
}
