"""What a rule book may say: the closed document model behind a TOML file.

Each key is described beside its field, in the unit that people write; schemas, the rule editor and the reference read it
here. Numbers are converted to exact units while they are read (`rules.book_values`). Nothing is executed here: `parse`
reads documents, `check` compares rules with each other, `compile` turns a book into columns.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from rules.book_values import (
    BookId,
    CancelParties,
    Confidence,
    EventKinds,
    Fen,
    Id,
    KilometresAsM,
    Level,
    LiableParties,
    LocalDate,
    LocalTime,
    MinutesAsS,
    PointsMp,
    PositivePointsMp,
    PositiveSharePermille,
    PositiveWhole,
    PriorityPermille,
    RiderKinds,
    SharePermille,
    Whole,
    Words,
)
from rules.events import RIDER_KINDS, CancelParty, EventKind, ReportKind, RiderKind
from rules.units import PERMILLE


def _key(default: Any, description: str, *examples: Any, alias: str | None = None, missing: str | None = None) -> Any:
    """A key that may be left out: its default, what it says, examples as they are written, what its absence means."""
    extra: dict[str, Any] | None = None if missing is None else {"x-when-missing": missing}
    return Field(default, alias=alias, description=description, examples=list(examples), json_schema_extra=extra)


def _need(description: str, *examples: Any, alias: str | None = None) -> Any:
    """A key that must be there."""
    return Field(alias=alias, description=description, examples=list(examples))


class BookPart(BaseModel):
    """Base of every part of a book: frozen, and an unknown key is a fault.

    A field is named after the unit that it holds (`late_s`), its alias after the unit that people write (`late_min`).
    Only aliases are read: a value is converted when it is read, so a name that says seconds must not take minutes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


class Bilingual(BookPart):
    """The same words in Chinese and English."""

    zh: Words = _need("The words in Chinese.", "准时送达加分")
    en: Words = _need("The words in English.", "Delivered on time")


class Sourced(BookPart):
    """A part that says where its numbers come from.

    `confidence` is domain.md's: H primary source or several outlets, M one reputable source, L one forum or blog,
    `ours` nobody's published number.
    """

    source: Words | None = _key(None, "Where the numbers come from.", "GB/T 46862-2025, 7.4.4", missing="the book's")
    confidence: Confidence | None = _key(
        None,
        "How sure the source is: H a primary source or several outlets, M one reputable source, L one forum or blog, "
        "`ours` nobody's published number.",
        "ours",
        missing="the book's",
    )
    note: Bilingual | None = _key(None, "A remark for readers; it decides nothing.", missing="no remark")


class LatenessRange(BookPart):
    """A range of lateness, held in seconds and written in minutes; `over` and `below` exclude their limit, `from` and `up_to` include it."""

    over: MinutesAsS | None = _key(None, "More than this.", 5, missing="no such limit")
    from_: MinutesAsS | None = _key(None, "This or more.", 5, alias="from", missing="no such limit")
    up_to: MinutesAsS | None = _key(None, "This or less.", 10, missing="no such limit")
    below: MinutesAsS | None = _key(None, "Less than this.", 10, missing="no such limit")


class DistanceRange(BookPart):
    """A range of distances, held in metres and written in kilometres."""

    over: KilometresAsM | None = _key(None, "More than this.", 3, missing="no such limit")
    from_: KilometresAsM | None = _key(None, "This or more.", 3, alias="from", missing="no such limit")
    up_to: KilometresAsM | None = _key(None, "This or less.", 5.5, missing="no such limit")
    below: KilometresAsM | None = _key(None, "Less than this.", 5.5, missing="no such limit")


class WholeRange(BookPart):
    """A range of whole numbers (days, orders, levels)."""

    over: Whole | None = _key(None, "More than this.", 2, missing="no such limit")
    from_: Whole | None = _key(None, "This or more.", 3, alias="from", missing="no such limit")
    up_to: Whole | None = _key(None, "This or less.", 30, missing="no such limit")
    below: Whole | None = _key(None, "Less than this.", 31, missing="no such limit")


class TimeRange(BookPart):
    """A stretch of the local day, `from` included, `below` excluded; across midnight takes two rules."""

    from_: LocalTime | None = _key(
        None, "At this time of day or later.", "11:00", alias="from", missing="no such limit"
    )
    below: LocalTime | None = _key(None, "Before this time of day.", "13:30", missing="no such limit")


class When(BookPart):
    """The conditions of a rule; all that are given must hold. A condition on a fact that is unknown does not hold.

    `late_min` is lateness as the book measures it (`lateness = "remaining"` or `"gross"`), 0 for an exempt order
    in a book that measures what remains. `num_delivered` counts the rider's deliveries before this event,
    `tenure_days` local days since joining, `nth_in_month` is 1 for the rider's first event of this kind in the
    local calendar month.
    """

    late_s: LatenessRange | None = _key(
        None,
        "Lateness in minutes, as the book measures it; 0 for an exempt order where what remains is measured.",
        {"over": 0, "up_to": 5},
        alias="late_min",
        missing="any lateness",
    )
    rider_kind: RiderKinds | None = _key(None, "How the rider works.", "dedicated", missing="any kind of rider")
    tenure_days: WholeRange | None = _key(
        None, "Local days since the rider joined (`rider_joined` of events).", {"over": 30}, missing="any"
    )
    num_delivered: WholeRange | None = _key(
        None, "The rider's deliveries before this event.", {"from": 200}, missing="any number"
    )
    weather_level: WholeRange | None = _key(
        None, "The highest level of severe weather known for the order.", {"from": 1}, missing="any weather"
    )
    distance_m: DistanceRange | None = _key(
        None, "The order's distance in kilometres.", {"over": 3.5}, alias="distance_km", missing="any distance"
    )
    time_of_day: TimeRange | None = _key(
        None,
        "The local time of day of the event, in the book's time zone.",
        {"from": "11:00", "below": "13:30"},
        missing="any time",
    )
    nth_in_month: WholeRange | None = _key(
        None,
        "1 for the rider's first event of this kind in the local calendar month, 2 for the second, and so on.",
        {"over": 2},
        missing="any",
    )
    party: CancelParties | None = _key(None, "Who cancelled the order (`party` of events).", "rider", missing="anybody")
    liable: LiableParties | None = _key(None, "Who answers for the event.", "rider", missing="anybody")


class PointsAt(BookPart):
    """One corner of a sliding scale of points."""

    late_s: MinutesAsS = _need("Lateness at this corner.", 5, alias="late_min")
    points_mp: PointsMp = _need("Points at this corner; between two corners a straight line.", -1, alias="points")


class ShareAt(BookPart):
    """One corner of a sliding scale of a share of the delivery fee."""

    late_s: MinutesAsS = _need("Lateness at this corner.", 5, alias="late_min")
    share_permille: SharePermille = _need(
        "Share of the fee at this corner; between two corners a straight line.", -0.4, alias="share"
    )


class ExampleFacts(BookPart):
    """The facts of an example; what is not given is ordinary (on time, clear weather, an experienced rider)."""

    kind: EventKind | None = _key(None, "What happened.", "delivered", missing="the first kind of the rule")
    late_s: MinutesAsS = _key(0, "Lateness before anything is given back.", 9, alias="late_min")
    rider_kind: RiderKind | None = _key(
        None, "How the rider works.", "crowdsourced", missing="the first kind of the book"
    )
    tenure_days: Whole | None = _key(None, "Local days since the rider joined.", 12, missing="a year")
    num_delivered: Whole = _key(1_000, "The rider's deliveries before.", 12)
    weather_level: Level = _key(0, "The level of severe weather.", 3)
    distance_m: KilometresAsM = _key(3_000, "The order's distance.", 5.5, alias="distance_km")
    time_of_day: LocalTime | None = _key(None, "The local time of day.", "12:30", missing="noon")
    nth_in_month: PositiveWhole = _key(1, "Which event of its kind it is in the month.", 3)
    party: CancelParty | None = _key(None, "Who cancelled the order.", "merchant", missing="nobody")
    reports: tuple[ReportKind, ...] = _key((), "Verified exception reports on the order.", ["merchant_slow"])
    fee_fen: Whole = _key(500, "What the rider is paid for the delivery.", 480)
    score_mp: PointsMp | None = _key(None, "The rider's score before.", 72.5, alias="score", missing="the book's base")


class Expect(BookPart):
    """What an example must give. `points` is the rule's own, `net_points` the event's after caps and limits."""

    points_mp: PointsMp | None = _key(
        None, "Points of this rule, before caps.", -1.5, alias="points", missing="not checked"
    )
    net_points_mp: PointsMp | None = _key(
        None, "Points of the whole event, after caps and limits.", -1, alias="net_points", missing="not checked"
    )
    money_fen: Fen | None = _key(None, "Money of this rule.", -200, missing="not checked")
    fires: StrictBool = _key(True, "Whether the rule takes effect at all.", False)


class Example(BookPart):
    """A worked case stored with its rule; it runs as a test."""

    title: Words | None = _key(None, "The case in a few words.", "9 minutes late", missing="told by its number")
    given: ExampleFacts = _need("The facts of the case.", {"late_min": 9})
    expect: Expect = _need("What they must give.", {"points": -1.4})


class RuleGroup(BookPart):
    """Rules that are read together: `first` match wins, or `all` that match add up within the group's own caps."""

    id: Id = _need("Names the group.", "lateness")
    title: Bilingual | None = _key(None, "What readers call it.", missing="its id")
    hit: Literal["first", "all"] = _key(
        "first", "`first`: the first rule that holds wins; `all`: all that hold add up.", "all"
    )
    max_deduct_mp: PositivePointsMp | None = _key(
        None, "The most that its rules take for one event.", 3, alias="max_deduct", missing="no limit"
    )
    max_award_mp: PositivePointsMp | None = _key(
        None, "The most that its rules give for one event.", 1, alias="max_award", missing="no limit"
    )


class Rule(Sourced):
    """One row: for which events, under which conditions, how many points or how much money."""

    id: Id = _need("Names the rule; stays the same when the rule is changed.", "late_5")
    group: Id = _need("The group that it is read in.", "lateness")
    title: Bilingual = _need("What riders read.")
    kind: EventKinds = _need("The kinds of events that it is about, one or a list.", "delivered")
    when: When = _key(When(), "Its conditions; all must hold.", {"late_min": {"over": 0}})
    points_mp: PointsMp | None = _key(
        None, "Points that it gives, or takes below zero.", -1, alias="points", missing="none, or `points_slide`"
    )
    points_slide: tuple[PointsAt, ...] | None = _key(
        None,
        "Points by lateness: corners of a sliding scale, the first and the last hold beyond.",
        [{"late_min": 0, "points": 0}, {"late_min": 5, "points": -1}],
        missing="none, or `points`",
    )
    fee_share_permille: SharePermille | None = _key(
        None, "A share of the order's fee, taken below zero.", -0.4, alias="fee_share", missing="none"
    )
    fee_share_slide: tuple[ShareAt, ...] | None = _key(
        None,
        "A share of the fee by lateness: corners of a sliding scale.",
        [{"late_min": 0, "share": 0}, {"late_min": 10, "share": -0.5}],
        missing="none",
    )
    money_fen: Fen | None = _key(None, "A fixed amount, taken below zero.", 50, missing="none")
    example: tuple[Example, ...] = _key((), "Worked cases; each runs as a test.")


class Cap(Sourced):
    """A limit on points of one event, one order or one local day, in one direction."""

    id: Id = _need("Names the limit.", "day_limit")
    title: Bilingual | None = _key(None, "What riders read.", missing="its id")
    scope: Literal["event", "order", "day"] = _need("What it sums: one event, one order or one local day.", "day")
    max_deduct_mp: PositivePointsMp | None = _key(
        None, "The most that may be taken.", 5, alias="max_deduct", missing="then `max_award` is there"
    )
    max_award_mp: PositivePointsMp | None = _key(
        None, "The most that may be given.", 5, alias="max_award", missing="then `max_deduct` is there"
    )
    kinds: EventKinds | None = _key(None, "The kinds of events that it sums.", "delivered", missing="all kinds")


class Tier(Sourced):
    """A band of scores by absolute threshold, and all that it affects. The lowest tier has no threshold."""

    id: Id = _need("Names the tier.", "reward")
    title: Bilingual = _need("What riders read.")
    above_mp: PointsMp | None = _key(
        None, "The tier begins just over this score.", 75, alias="above", missing="then `from`, or the lowest tier"
    )
    from_mp: PointsMp | None = _key(
        None, "The tier begins at this score.", 80, alias="from", missing="then `above`, or the lowest tier"
    )
    bonus_fen: Whole = _key(0, "Money added to each order.", 50)
    priority_permille: PriorityPermille = _key(
        PERMILLE, "How soon work is offered: higher is sooner, 1 is neutral.", 1.1, alias="priority"
    )
    warning: StrictBool = _key(False, "Whether the card warns the rider.", True)
    review: StrictBool = _key(False, "Whether a person is asked to look at the rider.", True)

    @property
    def min_mp(self) -> int | None:
        """The lowest score of the tier; None for the lowest tier."""
        return self.from_mp if self.above_mp is None else self.above_mp + 1


class ReportEffect(Sourced):
    """What a verified exception report does to lateness: exempt the order, or give seconds back."""

    kind: ReportKind = _need("The report.", "merchant_slow")
    level_from: Level = _key(0, "Of `severe_weather`: from which level on.", 3)
    exempt: StrictBool = _key(False, "Whether the order costs the rider nothing.", True)
    gives_back_s: MinutesAsS | None = _key(
        None, "How much lateness is given back.", 10, alias="gives_back_min", missing="then `exempt` is true"
    )


class Score(Sourced):
    """The scale."""

    base_mp: PointsMp = _need("The score that a rider begins with.", 70, alias="base")
    floor_mp: PointsMp = _need("The lowest score there is.", 0, alias="floor")
    ceiling_mp: PointsMp = _need("The highest score there is.", 100, alias="ceiling")


class CostLimit(Sourced):
    """The most that one event may cost, stated in on-time orders needed to win it back."""

    on_time_orders: PositiveWhole = _need("On-time orders that must win the loss back.", 10)
    kinds: EventKinds | None = _key(None, "The kinds of events that it limits.", "delivered", missing="all kinds")


class Newcomer(Sourced):
    """No deduction in a rider's first orders or days, for the event kinds named."""

    first_orders: Whole = _key(0, "So many first deliveries cost nothing.", 50)
    first_days: Whole = _key(0, "So many first days since joining cost nothing.", 30)
    kinds: EventKinds = _key(("delivered",), "The kinds of events that cost nothing.", ["delivered", "bad_review"])


class Fading(Sourced):
    """A deduction is returned this many days after its event."""

    after_days: PositiveWhole = _need("Days after its event until a deduction is returned.", 30)


class Reset(Sourced):
    """The score returns to the base when a local calendar period begins."""

    every: Literal["week", "month", "quarter", "year"] = _need("When the score returns to the base.", "month")


class Training(Sourced):
    """A passed course lifts the score to at least this value, at once, at most every so many days."""

    restores_to_mp: PointsMp = _need("The score that a passed course lifts to.", 70, alias="restores_to")
    every_days: Whole = _key(0, "Days until another course counts.", 30)


class AppealTerms(Sourced):
    """How long a rider may appeal, how soon it is decided, and for whom when nobody answers."""

    within_days: PositiveWhole = _need("Days after a deduction within which it can be appealed.", 7)
    decide_days: PositiveWhole = _need("Days within which an appeal is answered.", 3)
    on_timeout: Literal["for_rider", "against_rider"] = _key(
        "for_rider", "For whom it is decided when nobody answers.", "for_rider"
    )


class SuspensionTerms(Sourced):
    """Who may suspend and how long before. The system itself only recommends."""

    decided_by: Literal["person", "machine"] = _key("person", "Who decides on a suspension.", "person")
    notice_days: Whole = _key(14, "Days between the decision and its beginning.", 14)


class Offers(Sourced):
    """The largest share of offered orders that a low score may cost (the hidden-fine floor)."""

    max_loss_permille: PositiveSharePermille = _need(
        "Share of offered orders that a low score may cost at most.", 0.1, alias="max_loss"
    )


class WorkingHours(Sourced):
    """Working time, for the dispatcher."""

    daily_h: PositiveWhole = _key(8, "Hours of order-taking a day, after which the rider is asked.", 8)
    continuous_h: PositiveWhole = _key(4, "Hours without a pause.", 4)
    rest_min: PositiveWhole = _key(20, "Minutes of the pause.", 20)
    weekly_rest_days: Whole = _key(1, "Days of rest in seven.", 1)
    max_speed_kmh: PositiveWhole = _key(15, "Speed that times are planned with, in kilometres an hour.", 15)


class Publication(Sourced):
    """What riders are told and who was consulted before the book took effect."""

    text: Bilingual = _need("What riders are told.")
    consulted: tuple[Words, ...] = _key((), "Who was consulted.", ["riders' council of Hangzhou"])


class BookDocument(Sourced):
    """A whole rule book as written, after `extends` is resolved.

    `announced` is the day riders were told of this version; every version but a book's first needs it, since the
    notice period (`notice_days`) is counted from it. `unknown_kitchen` is for late orders with neither a ready nor a
    pick-up time: `assess` judges them by their lateness, `exempt` takes nothing off.
    """

    source: Words | None = _key(None, "Where the numbers come from.", "ours, for the pilot", missing="not stated")
    confidence: Confidence | None = _key(
        None, "How sure the source is, as in every table.", "ours", missing="not stated"
    )
    id: BookId = _need("Names the book; all its versions share it.", "hangzhou-pilot")
    effective_from: LocalDate = _need(
        "The day on which this version takes effect; the next version ends it.", "2026-03-01"
    )
    announced: LocalDate | None = _key(
        None, "The day on which riders were told.", "2026-02-10", missing="the first version of a book"
    )
    title: Bilingual = _need("What the book is called.")
    regime: Literal["score", "legacy"] = _key(
        "score", "`score`, or `legacy`: may take money for lateness, can be studied and never deployed.", "score"
    )
    time_zone: Words = _key("Asia/Shanghai", "IANA time zone of local days and times.", "Asia/Shanghai")
    day_starts: LocalTime = _key(dt.time(4), "Local time at which a day begins.", "04:00")
    lateness: Literal["remaining", "gross"] = _key(
        "remaining",
        "What rules see as lateness: what `remaining` time was the rider's, or all of it (`gross`).",
        "remaining",
    )
    unknown_kitchen: Literal["assess", "exempt"] = _key(
        "assess",
        "Late orders with neither a ready nor a pick-up time: `assess` judges them by their lateness, `exempt` takes "
        "nothing off.",
        "exempt",
    )
    late_days: PositiveWhole = _key(7, "Days after which a late event is refused.", 7)
    notice_days: Whole = _key(7, "Days between announcement and effect.", 14)
    rider_kinds: RiderKinds = _key(RIDER_KINDS, "The riders whom the book is for.", ["crowdsourced"])
    score: Score = _need("The range of scores, and where riders begin.", {"base": 70, "floor": 0, "ceiling": 100})
    group: tuple[RuleGroup, ...] = _need("The groups of rules, in order.", [{"id": "lateness"}])
    rule: tuple[Rule, ...] = _need("The rules, in the order in which a group reads them.")
    cap: tuple[Cap, ...] = _key((), "Limits on points of an event, an order or a day.")
    tier: tuple[Tier, ...] = _need("The tiers, the lowest first.")
    report: tuple[ReportEffect, ...] = _key(
        (), "What verified reports do.", [{"kind": "merchant_slow", "gives_back_min": 10}]
    )
    cost_limit: CostLimit | None = _key(
        None, "The most that one event may cost.", {"on_time_orders": 10}, missing="no limit"
    )
    newcomer: Newcomer | None = _key(None, "Protection of newcomers.", {"first_days": 30}, missing="none")
    fading: Fading | None = _key(None, "When deductions are returned.", {"after_days": 30}, missing="never")
    reset: Reset | None = _key(None, "When the score returns to the base.", {"every": "month"}, missing="never")
    training: Training | None = _key(
        None, "What a passed course does.", {"restores_to": 70}, missing="no course is offered"
    )
    appeal: AppealTerms | None = _key(
        None,
        "Terms of appeals.",
        {"within_days": 7, "decide_days": 3},
        missing="7 days to appeal, 3 to answer, silence for the rider",
    )
    suspension: SuspensionTerms | None = _key(
        None, "Terms of suspensions.", {"notice_days": 14}, missing="by a person, 14 days ahead"
    )
    offers: Offers | None = _key(None, "What a low score may cost in offers.", {"max_loss": 0.1}, missing="not stated")
    hours: WorkingHours | None = _key(None, "Working time.", {"daily_h": 8}, missing="the standard's")
    publication: Publication | None = _key(None, "What riders are told.", missing="nothing is told")


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
