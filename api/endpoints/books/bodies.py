"""What the routes of rule books and drafts are asked: bodies, and how they become what the store takes."""

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import Field

from api.books.draft_content import MAX_TARGETS
from api.books.places import BookPlace
from api.endpoints.books.shapes import DIGEST
from api.endpoints.common.schemas import City, IdText, Model
from rules.book import ExampleFacts
from rules.edits import MAX_EDITS, Edit
from rules.events import CancelParty, FeedbackKind, MisconductKind, ReportKind, RiderKind, StepKind, TimeKind
from rules.parse import MAX_BYTES

BookIdText = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$", examples=["taobao-crowdsourced"])]
BookDigest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", examples=[DIGEST])]
TitleText = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$", examples=["雨天不扣分"])]
# A line of any script with something to read in it.
ReasonText = Annotated[
    str,
    Field(
        max_length=2_000, pattern=r"^[^\x00]*[^\x00\s][^\x00]*$", examples=["已与骑手代表沟通 agreed with the riders"]
    ),
]
Toml = Annotated[
    str, Field(max_length=MAX_BYTES, examples=['id = "hangzhou-pilot"\nextends = "gbt-46862-reference"\n'])
]
DocumentBody = Annotated[
    dict[str, Any],
    Field(
        description="A rule book (`riderscore schema book`) with dates and times as text; it may be faulty.",
        examples=[{"id": "hangzhou-pilot", "effective_from": "2026-03-01", "rule": []}],
    ),
]
ORDINARY = ExampleFacts()


class PlaceAsked(Model):
    """Riders of one kind in one city."""

    city: City
    rider_kind: RiderKind = Field(examples=["crowdsourced"])


Targets = Annotated[list[PlaceAsked], Field(max_length=MAX_TARGETS)]


class FromVersion(Model):
    """Begin with a stored version."""

    digest: BookDigest
    city: City | None = Field(
        default=None, description="Where the change is to be; null: wherever the book is in force."
    )
    targets: Targets | None = None
    book_id: BookIdText | None = Field(
        default=None, description="Of the new version; null: chosen, so that no other city is changed."
    )
    title: TitleText | None = None


class FromPlace(Model):
    """Begin with what is in force for riders of a kind in a city."""

    city: City
    rider_kind: RiderKind


class FromToml(Model):
    """Begin with a document as a person writes it; `extends` is merged in."""

    toml: Toml
    targets: Targets
    title: TitleText | None = None


class FromDocument(Model):
    """Begin with a document as JSON."""

    document: DocumentBody
    targets: Targets
    title: TitleText | None = None


class FromNothing(Model):
    """Begin an empty book."""

    empty_book_id: BookIdText
    targets: Targets
    title: TitleText | None = None


DraftAsked = FromVersion | FromPlace | FromToml | FromDocument | FromNothing


class PutDocument(Model):
    """Another document."""

    document: DocumentBody


class PutToml(Model):
    """Another document, as a person writes it."""

    toml: Toml


class PutEdits(Model):
    """Edits of cells and rows, all or none."""

    edits: Annotated[list[Edit], Field(max_length=MAX_EDITS)] = Field(
        examples=[[{"op": "set", "path": "/rule/1/points", "value": -2}, {"op": "move", "part": "rule", "at": 2, "to": 0}]]
    )  # fmt: skip


class PutTargets(Model):
    """Other places."""

    targets: Targets


DraftChange = PutDocument | PutToml | PutEdits | PutTargets


class RestoreAsked(Model):
    """Which content again."""

    revision: int = Field(ge=1, le=2**31)


class ReasonAsked(Model):
    """Why something is done."""

    reason: ReasonText


class ScheduleAsked(Model):
    """What gives way: the drafts that are scheduled for the same day, each by its id."""

    replaces: Annotated[list[IdText], Field(max_length=100)] = Field(default=[])


class ApprovalAsked(Model):
    """A decision on what was read."""

    content_digest: BookDigest
    reason: Annotated[
        str, Field(max_length=2_000, pattern=r"^[^\x00]*$", examples=["读过影响评估，同意 impact read"])
    ] = ""
    impact_id: Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")] | None = None


class RejectionAsked(Model):
    """A refusal of what was read, and why."""

    content_digest: BookDigest
    reason: ReasonText


class RollbackAsked(Model):
    """Which version again, and why."""

    digest: BookDigest
    reason: ReasonText


class ImpactOfDraft(Model):
    """The history to look at."""

    city: City | None = Field(default=None, description="Null where the draft is about one city.")
    days: int = Field(default=28, ge=1, le=92)
    rider_kind: RiderKind | None = None


class FactsAsked(Model):
    """The facts of an event to try; what is not given is ordinary, as in a book's examples."""

    late_s: int = Field(default=ORDINARY.late_s, ge=0, le=86_400, examples=[240])
    rider_kind: RiderKind | None = None
    tenure_days: int | None = Field(default=None, ge=0, le=36_000)
    num_delivered: int = Field(default=ORDINARY.num_delivered, ge=0, le=1_000_000)
    weather_level: int = Field(default=ORDINARY.weather_level, ge=0, le=15)
    distance_m: int = Field(default=ORDINARY.distance_m, ge=0, le=1_000_000)
    time_of_day: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] | None = None
    nth_in_month: int = Field(default=ORDINARY.nth_in_month, ge=1, le=1_000_000)
    party: CancelParty | None = None
    reports: Annotated[list[ReportKind], Field(max_length=20)] = Field(default=[], examples=[["merchant_slow"]])
    fee_fen: int = Field(default=ORDINARY.fee_fen, ge=0, le=1_000_000)
    score_mp: int | None = Field(default=None, ge=-1_000_000, le=1_000_000)

    def given(self) -> ExampleFacts:
        """The facts in the units that a book holds."""
        time_of_day = None if self.time_of_day is None else dt.time.fromisoformat(self.time_of_day)
        reports = tuple(dict.fromkeys(self.reports))
        return ExampleFacts.model_construct(
            **dict(self) | {"kind": None, "time_of_day": time_of_day, "reports": reports}
        )


# Corrections and upheld appeals are about another event, of which there is none here.
TriedKind = Literal[StepKind, MisconductKind, FeedbackKind, ReportKind, TimeKind, "training_passed"]


class EventTried(Model):
    """One event."""

    kind: TriedKind = Field(examples=["delivered"])
    facts: FactsAsked = FactsAsked()


def places_of(targets: list[PlaceAsked]) -> list[BookPlace]:
    """Places as the store takes them."""
    return [BookPlace(target.city, target.rider_kind) for target in targets]
