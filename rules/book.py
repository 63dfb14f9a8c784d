"""What a rule book may say: the closed document model behind a TOML file.

Numbers are converted to exact units while they are read (points → milli-points, minutes → seconds, shares →
per-mille); a value that does not fit exactly is a fault. Nothing is executed here: `parse` reads documents,
`check` compares rules with each other, `compile` turns a book into columns.
"""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from rules.events import (
    CANCEL_PARTIES,
    KINDS,
    PARTIES,
    RIDER_KINDS,
    CancelParty,
    EventKind,
    Party,
    ReportKind,
    RiderKind,
)
from rules.units import MP_PER_POINT, PERMILLE, exact

MAX_POINTS_MP = 1_000 * MP_PER_POINT
FIRST_YEAR, LAST_YEAR = 2000, 2099


def _exact_number(value: object, scale: int, unit: str, decimals: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise PydanticCustomError("number_type", "expected a number", {"unit": unit})
    try:
        return exact(value, scale)
    except ValueError:
        raise PydanticCustomError(
            "too_many_decimals", "too many decimals", {"unit": unit, "decimals": decimals}
        ) from None


def _whole(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int):
        raise PydanticCustomError("whole_number", "expected a whole number", {})
    return value


def _real_date(value: object) -> object:
    # TOML has real dates; a quoted date or a date with a time is a slip that lax parsing would hide.
    if isinstance(value, dt.datetime) or not isinstance(value, dt.date):
        raise PydanticCustomError("date_type", "expected a date", {})
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise PydanticCustomError("date_range", "year out of range", {})
    return value


def _real_time(value: object) -> object:
    if not isinstance(value, dt.time):
        raise PydanticCustomError("time_type", "expected a time of day", {})
    if value.second or value.microsecond:
        raise PydanticCustomError("whole_minutes", "expected whole minutes", {})
    return value


def _number(scale: int, unit: str, decimals: int, low: int, high: int, *, above_low: bool = False) -> tuple[Any, ...]:
    """Annotations of an int of 1/`scale` that is written as a decimal; `low` and `high` are in the unit that is held.

    With `above_low` the number must be more than `low`, not `low` itself.
    """
    schema = {
        "type": "number",
        "description": f"{unit}, at most {decimals} decimals",
        "exclusiveMinimum" if above_low else "minimum": low // scale if low % scale == 0 else low / scale,
        "maximum": high // scale,
    }
    limits = Field(gt=low, le=high) if above_low else Field(ge=low, le=high)
    read = partial(_exact_number, scale=scale, unit=unit, decimals=decimals)
    return BeforeValidator(read), limits, WithJsonSchema(schema)


def _whole_number(low: int, high: int) -> tuple[Any, ...]:
    """Annotations of an int that is written as it is held."""
    schema = {"type": "integer", "minimum": low, "maximum": high}
    return BeforeValidator(_whole), Field(ge=low, le=high), WithJsonSchema(schema)


PointsMp = Annotated[int, *_number(MP_PER_POINT, "points", 3, -MAX_POINTS_MP, MAX_POINTS_MP)]
PositivePointsMp = Annotated[int, *_number(MP_PER_POINT, "points", 3, 0, MAX_POINTS_MP, above_low=True)]
MinutesAsS = Annotated[int, *_number(60, "minutes", 2, 0, 86_400)]
KilometresAsM = Annotated[int, *_number(1_000, "km", 3, 0, 1_000_000)]
SharePermille = Annotated[int, *_number(PERMILLE, "share", 3, -PERMILLE, PERMILLE)]
PositiveSharePermille = Annotated[int, *_number(PERMILLE, "share", 3, 0, PERMILLE)]
# A priority multiplier stays close to 1 by type: a book cannot starve a rider of orders.
PriorityPermille = Annotated[int, *_number(PERMILLE, "multiplier", 3, 500, 2_000)]
Whole = Annotated[int, *_whole_number(0, 1_000_000)]
PositiveWhole = Annotated[int, *_whole_number(1, 1_000_000)]
Fen = Annotated[int, *_whole_number(-1_000_000, 1_000_000)]
Level = Annotated[int, *_whole_number(0, 15)]
Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
BookId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Words = Annotated[str, StringConstraints(min_length=1, max_length=2_000, strip_whitespace=True)]

LocalDate = Annotated[
    dt.date,
    BeforeValidator(_real_date),
    WithJsonSchema({"type": "string", "format": "date", "pattern": r"^20[0-9]{2}-[0-9]{2}-[0-9]{2}$"}),
]
# A local time of day has no offset, so it is not the `time` of JSON Schema.
LocalTime = Annotated[
    dt.time,
    BeforeValidator(_real_time),
    WithJsonSchema(
        {"type": "string", "format": "time-local", "pattern": r"^([01][0-9]|2[0-3]):[0-5][0-9](:00(\.0{1,6})?)?$"}
    ),
]

Confidence = Literal["H", "M", "L", "ours"]


class BookPart(BaseModel):
    """Base of every part of a book: frozen, and an unknown key is a fault.

    A field is named after the unit that it holds (`late_s`), its alias after the unit that people write (`late_min`).
    Only aliases are read: a value is converted when it is read, so a name that says seconds must not take minutes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


class Bilingual(BookPart):
    """The same words in Chinese and English."""

    zh: Words
    en: Words


class Sourced(BookPart):
    """A part that says where its numbers come from.

    `confidence` is domain.md's: H primary source or several outlets, M one reputable source, L one forum or blog,
    `ours` nobody's published number.
    """

    source: Words | None = None
    confidence: Confidence | None = None
    note: Bilingual | None = None


class LatenessRange(BookPart):
    """A range of lateness, held in seconds and written in minutes; `over` and `below` exclude their limit, `from` and `up_to` include it."""

    over: MinutesAsS | None = None
    from_: MinutesAsS | None = Field(None, alias="from")
    up_to: MinutesAsS | None = None
    below: MinutesAsS | None = None


class DistanceRange(BookPart):
    """A range of distances, held in metres and written in kilometres."""

    over: KilometresAsM | None = None
    from_: KilometresAsM | None = Field(None, alias="from")
    up_to: KilometresAsM | None = None
    below: KilometresAsM | None = None


class WholeRange(BookPart):
    """A range of whole numbers (days, orders, levels)."""

    over: Whole | None = None
    from_: Whole | None = Field(None, alias="from")
    up_to: Whole | None = None
    below: Whole | None = None


class TimeRange(BookPart):
    """A stretch of the local day, `from` included, `below` excluded; across midnight takes two rules."""

    from_: LocalTime | None = Field(None, alias="from")
    below: LocalTime | None = None


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _not_empty(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise PydanticCustomError("empty_list", "the list is empty", {})
    if len(set(values)) != len(values):
        raise PydanticCustomError("repeated_value", "a value stands twice", {})
    return values


def _one_or_more(choices: tuple[str, ...]) -> tuple[Any, ...]:
    """Annotations of a list of different words, of which a single one may stand without a list."""
    word = {"type": "string", "enum": list(choices)}
    several = {"type": "array", "items": word, "minItems": 1, "uniqueItems": True}
    return BeforeValidator(_as_list), AfterValidator(_not_empty), WithJsonSchema({"anyOf": [word, several]})


RiderKinds = Annotated[tuple[RiderKind, ...], *_one_or_more(RIDER_KINDS)]
CancelParties = Annotated[tuple[CancelParty, ...], *_one_or_more(CANCEL_PARTIES)]
LiableParties = Annotated[tuple[Party, ...], *_one_or_more(PARTIES)]
EventKinds = Annotated[tuple[EventKind, ...], *_one_or_more(KINDS)]


class When(BookPart):
    """The conditions of a rule; all that are given must hold. A condition on a fact that is unknown does not hold.

    `late_min` is lateness as the book measures it (`lateness = "remaining"` or `"gross"`), 0 for an exempt order
    in a book that measures what remains. `num_delivered` counts the rider's deliveries before this event,
    `tenure_days` local days since joining, `nth_in_month` is 1 for the rider's first event of this kind in the
    local calendar month.
    """

    late_s: LatenessRange | None = Field(None, alias="late_min")
    rider_kind: RiderKinds | None = None
    tenure_days: WholeRange | None = None
    num_delivered: WholeRange | None = None
    weather_level: WholeRange | None = None
    distance_m: DistanceRange | None = Field(None, alias="distance_km")
    time_of_day: TimeRange | None = None
    nth_in_month: WholeRange | None = None
    party: CancelParties | None = None
    liable: LiableParties | None = None


class PointsAt(BookPart):
    """One corner of a sliding scale of points."""

    late_s: MinutesAsS = Field(alias="late_min")
    points_mp: PointsMp = Field(alias="points")


class ShareAt(BookPart):
    """One corner of a sliding scale of a share of the delivery fee."""

    late_s: MinutesAsS = Field(alias="late_min")
    share_permille: SharePermille = Field(alias="share")


class ExampleFacts(BookPart):
    """The facts of an example; what is not given is ordinary (on time, clear weather, an experienced rider)."""

    kind: EventKind | None = None
    late_s: MinutesAsS = Field(0, alias="late_min")
    rider_kind: RiderKind | None = None
    tenure_days: Whole | None = None
    num_delivered: Whole = 1_000
    weather_level: Level = 0
    distance_m: KilometresAsM = Field(3_000, alias="distance_km")
    time_of_day: LocalTime | None = None
    nth_in_month: PositiveWhole = 1
    party: CancelParty | None = None
    reports: tuple[ReportKind, ...] = ()
    fee_fen: Whole = 500
    score_mp: PointsMp | None = Field(None, alias="score")


class Expect(BookPart):
    """What an example must give. `points` is the rule's own, `net_points` the event's after caps and limits."""

    points_mp: PointsMp | None = Field(None, alias="points")
    net_points_mp: PointsMp | None = Field(None, alias="net_points")
    money_fen: Fen | None = None
    fires: StrictBool = True


class Example(BookPart):
    """A worked case stored with its rule; it runs as a test."""

    title: Words | None = None
    given: ExampleFacts
    expect: Expect


class RuleGroup(BookPart):
    """Rules that are read together: `first` match wins, or `all` that match add up within the group's own caps."""

    id: Id
    title: Bilingual | None = None
    hit: Literal["first", "all"] = "first"
    max_deduct_mp: PositivePointsMp | None = Field(None, alias="max_deduct")
    max_award_mp: PositivePointsMp | None = Field(None, alias="max_award")


class Rule(Sourced):
    """One row: for which events, under which conditions, how many points or how much money."""

    id: Id
    group: Id
    title: Bilingual
    kind: EventKinds
    when: When = When()
    points_mp: PointsMp | None = Field(None, alias="points")
    points_slide: tuple[PointsAt, ...] | None = None
    fee_share_permille: SharePermille | None = Field(None, alias="fee_share")
    fee_share_slide: tuple[ShareAt, ...] | None = None
    money_fen: Fen | None = None
    example: tuple[Example, ...] = ()


class Cap(Sourced):
    """A limit on points of one event, one order or one local day, in one direction."""

    id: Id
    title: Bilingual | None = None
    scope: Literal["event", "order", "day"]
    max_deduct_mp: PositivePointsMp | None = Field(None, alias="max_deduct")
    max_award_mp: PositivePointsMp | None = Field(None, alias="max_award")
    kinds: EventKinds | None = None


class Tier(Sourced):
    """A band of scores by absolute threshold, and all that it affects. The lowest tier has no threshold."""

    id: Id
    title: Bilingual
    above_mp: PointsMp | None = Field(None, alias="above")
    from_mp: PointsMp | None = Field(None, alias="from")
    bonus_fen: Whole = 0
    priority_permille: PriorityPermille = Field(PERMILLE, alias="priority")
    warning: StrictBool = False
    review: StrictBool = False

    @property
    def min_mp(self) -> int | None:
        """The lowest score of the tier; None for the lowest tier."""
        return self.from_mp if self.above_mp is None else self.above_mp + 1


class ReportEffect(Sourced):
    """What a verified exception report does to lateness: exempt the order, or give seconds back."""

    kind: ReportKind
    level_from: Level = 0
    exempt: StrictBool = False
    gives_back_s: MinutesAsS | None = Field(None, alias="gives_back_min")


class Score(Sourced):
    """The scale."""

    base_mp: PointsMp = Field(alias="base")
    floor_mp: PointsMp = Field(alias="floor")
    ceiling_mp: PointsMp = Field(alias="ceiling")


class CostLimit(Sourced):
    """The most that one event may cost, stated in on-time orders needed to win it back."""

    on_time_orders: PositiveWhole
    kinds: EventKinds | None = None


class Newcomer(Sourced):
    """No deduction in a rider's first orders or days, for the event kinds named."""

    first_orders: Whole = 0
    first_days: Whole = 0
    kinds: EventKinds = ("delivered",)


class Fading(Sourced):
    """A deduction is returned this many days after its event."""

    after_days: PositiveWhole


class Reset(Sourced):
    """The score returns to the base when a local calendar period begins."""

    every: Literal["week", "month", "quarter", "year"]


class Training(Sourced):
    """A passed course lifts the score to at least this value, at once, at most every so many days."""

    restores_to_mp: PointsMp = Field(alias="restores_to")
    every_days: Whole = 0


class AppealTerms(Sourced):
    """How long a rider may appeal, how soon it is decided, and for whom when nobody answers."""

    within_days: PositiveWhole
    decide_days: PositiveWhole
    on_timeout: Literal["for_rider", "against_rider"] = "for_rider"


class SuspensionTerms(Sourced):
    """Who may suspend and how long before. The system itself only recommends."""

    decided_by: Literal["person", "machine"] = "person"
    notice_days: Whole = 14


class Offers(Sourced):
    """The largest share of offered orders that a low score may cost (the hidden-fine floor)."""

    max_loss_permille: PositiveSharePermille = Field(alias="max_loss")


class WorkingHours(Sourced):
    """Working time, for the dispatcher."""

    daily_h: PositiveWhole = 8
    continuous_h: PositiveWhole = 4
    rest_min: PositiveWhole = 20
    weekly_rest_days: Whole = 1
    max_speed_kmh: PositiveWhole = 15


class Publication(Sourced):
    """What riders are told and who was consulted before the book took effect."""

    text: Bilingual
    consulted: tuple[Words, ...] = ()


class BookDocument(Sourced):
    """A whole rule book as written, after `extends` is resolved.

    `announced` is the day riders were told of this version; every version but a book's first needs it, since the
    notice period (`notice_days`) is counted from it. `unknown_kitchen` is for late orders with neither a ready nor a
    pick-up time: `assess` judges them by their lateness, `exempt` takes nothing off.
    """

    id: BookId
    effective_from: LocalDate
    announced: LocalDate | None = None
    title: Bilingual
    regime: Literal["score", "legacy"] = "score"
    time_zone: Words = "Asia/Shanghai"
    day_starts: LocalTime = dt.time(4)
    lateness: Literal["remaining", "gross"] = "remaining"
    unknown_kitchen: Literal["assess", "exempt"] = "assess"
    late_days: PositiveWhole = 7
    notice_days: Whole = 7
    rider_kinds: RiderKinds = RIDER_KINDS
    score: Score
    group: tuple[RuleGroup, ...]
    rule: tuple[Rule, ...]
    cap: tuple[Cap, ...] = ()
    tier: tuple[Tier, ...]
    report: tuple[ReportEffect, ...] = ()
    cost_limit: CostLimit | None = None
    newcomer: Newcomer | None = None
    fading: Fading | None = None
    reset: Reset | None = None
    training: Training | None = None
    appeal: AppealTerms | None = None
    suspension: SuspensionTerms | None = None
    offers: Offers | None = None
    hours: WorkingHours | None = None
    publication: Publication | None = None


@dataclass(frozen=True, slots=True)
class Book:
    """A parsed rule book; two files that say the same have the same digest.

    Parameters
    ----------
    model
        The document as the model holds it, in exact units.
    document
        Plain TOML values, nothing left to `extends`.
    digest
        SHA-256 (64 hex digits) of the document's canonical form (`rules.ids.digest`).
    file
        Where it was read, for messages only.
    """

    model: BookDocument
    document: dict[str, Any]
    digest: str
    file: str

    @property
    def id(self) -> str:
        """The book's id, shared by all its versions."""
        return self.model.id
