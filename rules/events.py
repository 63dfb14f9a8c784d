"""The closed set of events, causes and parties, with the stable small integers that columns hold.

Words are those of the trade (docs, glossary). A code is a position in a tuple: append, never reorder.
"""

from dataclasses import dataclass
from typing import Final, Literal, get_args

from rules.units import US_PER_S

StepKind = Literal[
    "delivered",
    "dispatched",
    "accepted",
    "arrived_store",
    "picked_up",
    "reassigned_system",
    "transferred_by_rider",
    "cancelled",
    "undelivered",
]
MisconductKind = Literal[
    "early_delivered_click",
    "false_delivered",
    "false_report",
    "traffic_violation",
    "item_damaged",
    "misdelivered",
    "item_missing",
    "extra_charge",
]
MISCONDUCT_KINDS: tuple[MisconductKind, ...] = get_args(MisconductKind)
FeedbackKind = Literal["good_review", "bad_review", "complaint"]
ReportKind = Literal[
    "merchant_slow",
    "merchant_closed",
    "customer_unreachable",
    "address_changed",
    "access_blocked",
    "severe_weather",
    "vehicle_fault",
    "accident",
]
REPORT_KINDS: tuple[ReportKind, ...] = get_args(ReportKind)
TimeKind = Literal["promised", "deadline_extended"]
ControlKind = Literal["correction", "appeal_upheld", "training_passed"]
CONTROL_KINDS: tuple[ControlKind, ...] = get_args(ControlKind)

EventKind = Literal[StepKind, MisconductKind, FeedbackKind, ReportKind, TimeKind, ControlKind]
KINDS: tuple[EventKind, ...] = get_args(EventKind)
KIND_CODE: dict[str, int] = {kind: code for code, kind in enumerate(KINDS)}
KIND_MEANING: Final[dict[EventKind, str]] = {
    "delivered": "an order reached the customer",
    "dispatched": "an order was offered to the rider",
    "accepted": "the rider took an order",
    "arrived_store": "the rider came to the merchant",
    "picked_up": "the rider took the meal",
    "reassigned_system": "the platform gave the order to another rider, nobody's fault",
    "transferred_by_rider": "the rider handed the order to another rider",
    "cancelled": "an order was cancelled, by `party`",
    "undelivered": "an order was taken and never brought",
    "early_delivered_click": "the rider reported a delivery before it was made",
    "false_delivered": "the rider reported a delivery that was not made",
    "false_report": "the rider reported an exception that was not there",
    "traffic_violation": "the rider broke a traffic rule",
    "item_damaged": "a meal came damaged",
    "misdelivered": "a meal came to somebody else",
    "item_missing": "part of an order was missing",
    "extra_charge": "the rider asked the customer for money",
    "good_review": "a customer praised the rider",
    "bad_review": "a customer rated the rider badly",
    "complaint": "a customer complained about the rider",
    "merchant_slow": "verified report: the meal was not ready in time",
    "merchant_closed": "verified report: the merchant was closed",
    "customer_unreachable": "verified report: the customer could not be reached",
    "address_changed": "verified report: the customer changed the address",
    "access_blocked": "verified report: a gate or a lift kept the rider out",
    "severe_weather": "verified report: severe weather, of a `level`",
    "vehicle_fault": "verified report: the vehicle broke down",
    "accident": "verified report: an accident",
    "promised": "the promise to the customer was made or changed",
    "deadline_extended": "the deadline that lateness is measured against was moved by `extend_s`, for a `cause`",
    "correction": "replaces the event `ref_event_id`, whose content was wrong",
    "appeal_upheld": "an appeal against the event `ref_event_id` was upheld (in files only)",
    "training_passed": "the rider passed a course",
}

RiderKind = Literal["crowdsourced", "dedicated"]
RIDER_KINDS: tuple[RiderKind, ...] = get_args(RiderKind)

# Causes of lateness that is not the rider's. A report kind is a cause of its own name (`severe_weather` is the
# cause `weather`); `transfer` and `red_light` come from deadline extensions only.
CAUSES = (
    "merchant_slow",
    "merchant_closed",
    "customer_unreachable",
    "address_changed",
    "access_blocked",
    "weather",
    "vehicle_fault",
    "accident",
    "transfer",
    "red_light",
)
CAUSE_CODE: dict[str, int] = {cause: code for code, cause in enumerate(CAUSES)}
EXTENSION_CAUSES = ("merchant_slow", "weather", "transfer", "red_light")
REPORT_CAUSE: dict[str, str] = {kind: kind for kind in REPORT_KINDS} | {"severe_weather": "weather"}

# Ties between parties that gave back equally are decided in this order.
Party = Literal["nobody", "rider", "merchant", "customer", "platform", "force_majeure"]
PARTIES: tuple[Party, ...] = get_args(Party)
PARTY_CODE: dict[str, int] = {party: code for code, party in enumerate(PARTIES)}
CAUSE_PARTY: dict[str, str] = {
    "merchant_slow": "merchant",
    "merchant_closed": "merchant",
    "customer_unreachable": "customer",
    "address_changed": "customer",
    "access_blocked": "force_majeure",
    "weather": "force_majeure",
    "vehicle_fault": "force_majeure",
    "accident": "force_majeure",
    "transfer": "platform",
    "red_light": "force_majeure",
}
CancelParty = Literal["rider", "merchant", "customer", "platform"]
CANCEL_PARTIES: tuple[CancelParty, ...] = get_args(CancelParty)

# Who answers for an event that is not a delivery: the rider for their own doing, the platform for its own.
RIDER_FAULT_KINDS = (*MISCONDUCT_KINDS, "transferred_by_rider", "undelivered", "bad_review", "complaint")

FieldType = Literal["text", "time", "int", "reports"]
INT_MAX: Final = 1_000_000_000
LEVEL_MAX: Final = 15
YEAR_2000_US: Final = 946_684_800 * US_PER_S
YEAR_2100_US: Final = 4_102_444_800 * US_PER_S


@dataclass(frozen=True, slots=True)
class Field:
    """One column of the native event format.

    A field of type `time` is `<name>_at` (ISO-8601 with an offset) or `<name>_us` (int64, UTC) on the wire. What people
    read about a field, in schemas and in the reference, is said here and nowhere else.

    Parameters
    ----------
    name
        The name, without `_at` or `_us`.
    type
        What its values are.
    meaning
        What it says, in one sentence.
    example
        A value as JSON has it; of a time, the text of `<name>_at`.
    when_missing
        What is taken for the fact where the field is empty; empty text where it may not be.
    choices
        The words that may stand in it; empty where any may.
    high
        The largest value of a whole number; the smallest is 0.
    """

    name: str
    type: FieldType
    meaning: str
    example: str | int
    when_missing: str = ""
    choices: tuple[str, ...] = ()
    high: int = INT_MAX

    @property
    def unit(self) -> str:
        """The unit of its numbers, as its name ends; empty for text."""
        return UNIT_OF_SUFFIX["us"] if self.type == "time" else unit_of(self.name) if self.type == "int" else ""


# What the last part of a name of a number says of its unit.
UNIT_OF_SUFFIX: Final = {
    "us": "microseconds since 1970-01-01 UTC",
    "s": "seconds",
    "m": "metres",
    "km": "kilometres",
    "fen": "fen (1/100 yuan)",
    "mp": "milli-points (1/1000 point)",
    "permille": "thousandths",
    "min": "minutes",
    "days": "days",
    "kmh": "kilometres an hour",
    "h": "hours",
}


def unit_of(name: str) -> str:
    """The unit that a name of a number states.

    Parameters
    ----------
    name
        A column or a key, such as `fee_fen`.

    Returns
    -------
    str
        Such as `fen (1/100 yuan)`; empty where the name ends on none.
    """
    return UNIT_OF_SUFFIX.get(name.rpartition("_")[2], "") if "_" in name else ""


COMMON_FIELDS = (
    Field(
        "event_id",
        "text",
        "Names the event. Made by whoever sends it: the same id of the same rider with the same content counts once.",
        "e1",
    ),
    Field("rider_id", "text", "The rider that the event is about, by a pseudonym.", "r7"),
    Field(
        "city",
        "text",
        "The rider's city, as the deployment table spells it; over HTTP the border for writing.",
        "hangzhou",
    ),
    Field(
        "rider_kind",
        "text",
        "How the rider works: `crowdsourced` takes orders freely, `dedicated` rides for a station.",
        "crowdsourced",
        choices=RIDER_KINDS,
    ),
    Field("kind", "text", "What happened.", "delivered", choices=KINDS),
    Field(
        "order_id",
        "text",
        "The order concerned; ties deliveries, reports and extensions of one order together.",
        "o1",
        "the event concerns no order; `delivered` and `deadline_extended` need it",
    ),
    Field("occurred", "time", "When it happened.", "2025-12-03T11:58:00+08:00"),
)
DELIVERED_FIELDS = (
    Field("placed", "time", "When the customer ordered.", "2025-12-03T11:20:00+08:00", "not used"),
    Field(
        "promised",
        "time",
        "By when the customer was promised the meal.",
        "2025-12-03T12:05:00+08:00",
        "`assess_deadline` alone counts; with neither the order is not late",
    ),
    Field(
        "assess_deadline",
        "time",
        "What lateness is measured against.",
        "2025-12-03T12:05:00+08:00",
        "`promised`",
    ),
    Field(
        "accepted",
        "time",
        "When the rider took the order.",
        "2025-12-03T11:30:00+08:00",
        "`placed`, else `arrived_store`, else `delivered`",
    ),
    Field("arrived_store", "time", "When the rider came to the merchant.", "2025-12-03T11:36:00+08:00", "`accepted`"),
    Field(
        "merchant_ready",
        "time",
        "When the meal was ready.",
        "2025-12-03T11:38:00+08:00",
        "`picked_up`; with neither, what the kitchen did is unknown (the book's `unknown_kitchen` decides)",
    ),
    Field(
        "merchant_promised_ready",
        "time",
        "When the merchant had promised to have the meal ready.",
        "2025-12-03T11:40:00+08:00",
        "no promise: the wait is counted from `arrived_store`",
    ),
    Field(
        "picked_up",
        "time",
        "When the rider took the meal.",
        "2025-12-03T11:41:00+08:00",
        "nothing where `merchant_ready` is known",
    ),
    Field("delivered", "time", "When the customer had the meal.", "2025-12-03T11:58:00+08:00", "`occurred`"),
    Field(
        "distance_m",
        "int",
        "The way from merchant to customer.",
        2_300,
        "unknown: no condition on the distance holds",
    ),
    Field("fee_fen", "int", "What the rider is paid for the delivery.", 480, "0"),
    Field(
        "reports",
        "reports",
        "Exception reports on the order that were verified, joined by `;` (in JSON also a list).",
        "merchant_slow",
        "none",
        choices=REPORT_KINDS,
    ),
)
OTHER_FIELDS = (
    Field(
        "cause",
        "text",
        "Of `deadline_extended`: why the deadline was moved.",
        "weather",
        "`deadline_extended` needs it",
        EXTENSION_CAUSES,
    ),
    Field(
        "extend_s",
        "int",
        "Of `deadline_extended`: by how much the deadline was moved.",
        300,
        "`deadline_extended` needs it",
    ),
    Field("party", "text", "Of `cancelled`: who cancelled.", "customer", "unknown", CANCEL_PARTIES),
    Field(
        "level",
        "int",
        "How severe the weather was, by the operator's own scale.",
        3,
        "no weather level is known",
        high=LEVEL_MAX,
    ),
    Field(
        "rider_joined",
        "time",
        "When the rider began on the platform; a condition on days since joining needs it.",
        "2025-11-01T09:00:00+08:00",
        "unknown: no condition on days since joining holds",
    ),
    Field(
        "ref_event_id",
        "text",
        "The event that a `correction` replaces or an `appeal_upheld` is about.",
        "e0",
        "`correction` and `appeal_upheld` need it",
    ),
)
FIELDS: tuple[Field, ...] = COMMON_FIELDS + DELIVERED_FIELDS + OTHER_FIELDS
