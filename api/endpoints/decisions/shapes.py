"""What people are asked and what they decide: appeals and reviews as JSON, in one language."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from api.decisions.appeals import AppealReason, DismissedReason, UpheldReason
from api.decisions.cases import WORDS_MAX
from api.decisions.reviews import ReviewOutcome
from api.endpoints.common.schemas import InLanguage, ListPage, Model, PlainText

# What a person writes: lines, but no control characters.
Words = Annotated[
    str, StringConstraints(max_length=WORDS_MAX, min_length=1, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+$")
]
# The end of the century: what an instant can be at most.
INSTANT_MAX_US = 4_102_444_800_000_000
InstantUs = Annotated[int, Field(ge=0, le=INSTANT_MAX_US)]
AnswerCode = Literal[UpheldReason, DismissedReason]


class AppealAsked(Model):
    """A rider's appeal against a deduction."""

    reason_code: AppealReason
    reason: Words = Field(examples=["商家出餐晚了二十分钟，有照片"])
    evidence_ref: PlainText | None = Field(None, description="Where the evidence is kept.", examples=["photo/2025/88"])


class AppealAnswer(Model):
    """A person's answer to an appeal."""

    decision: Literal["upheld", "dismissed"]
    reason_code: AnswerCode = Field(description="One of the codes for that decision.")
    reason: Words = Field(examples=["照片和门店记录一致"])


class AppealDecisionShown(Model):
    """The answer to an appeal: who gave it, and why. `timeout` is nobody's silence, for the rider."""

    decision: Literal["upheld", "dismissed"]
    decided_by: str = Field(examples=["ops:li.na"])
    reason_code: AnswerCode | Literal["timeout"] = Field(examples=["evidence_accepted"])
    reason_words: InLanguage
    reason: str | None = Field(description="In the person's words, empty for `timeout`; null once they were erased.")
    decided_us: int


class AppealShown(Model):
    """An appeal and where it stands."""

    appeal_id: str
    rider_id: str
    entry_id: str
    event_id: str
    city: str | None
    book_digest: str
    state: Literal["open", "upheld", "dismissed"]
    reason_code: AppealReason
    reason_words: InLanguage
    reason: str | None = Field(description="In the rider's own words; null once they were erased.")
    evidence_ref: str | None
    filed_us: int
    deadline_us: int = Field(description="Without an answer by then it is decided for the rider.")
    recalculating: bool = Field(description="Decided, and being entered in the ledger.")
    decision: AppealDecisionShown | None


class AppealPage(ListPage):
    """Appeals: open ones by deadline, decided ones newest first."""

    items: tuple[AppealShown, ...]


class ReviewAnswer(Model):
    """What a person decides about a rider, with written reasons."""

    outcome: ReviewOutcome
    reason: Words = Field(examples=["三次严重晚到，已电话沟通"])
    from_us: InstantUs | None = Field(
        None,
        description="When a suspension begins: at least 14 days ahead (or the book's notice). For safety it may be left"
        " out: at once.",
    )
    is_safety: bool = Field(False, description="People are in danger, so the notice cannot be waited for.")


class LiftAsked(Model):
    """Why a suspension ends."""

    reason: Words = Field(examples=["已沟通，恢复接单"])


class ReviewDecisionShown(Model):
    """What was decided, by whom and why; `void` by the `ledger` where the cause was taken back before."""

    outcome: ReviewOutcome | Literal["void", "course_passed"] = Field(examples=["warning"])
    outcome_words: InLanguage
    decided_by: str = Field(examples=["ops:li.na"])
    reason: str | None = Field(description="In the person's words; null once they were erased.")
    is_safety: bool
    from_us: int | None
    decided_us: int


class LiftShown(Model):
    """How a suspension ended: by a person, or by a passed course."""

    lifted_by: str = Field(examples=["training"])
    reason: str | None = Field(description="In the person's words; null once they were erased.")
    event_id: str | None
    lifted_us: int


class ReviewShown(Model):
    """A recommendation that a person look at a rider, and what came of it."""

    review_id: str
    rider_id: str
    entry_id: str
    event_id: str
    city: str | None
    book_digest: str
    score_mp: int
    opened_us: int
    state: Literal["open", "closed", "suspended", "lifted", "void"]
    state_words: InLanguage
    decision: ReviewDecisionShown | None
    lift: LiftShown | None


class ReviewPage(ListPage):
    """Reviews: open ones oldest first, decided ones newest first."""

    items: tuple[ReviewShown, ...]
