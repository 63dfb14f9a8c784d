"""The closed set of events, causes and parties, with the stable small integers that columns hold.

Words are those of the trade (README glossary). A code is a position in a tuple: append, never reorder.
"""

from dataclasses import dataclass
from typing import Literal, get_args

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


@dataclass(frozen=True, slots=True)
class Field:
    """One column of the native event format.

    A field of type `time` is `<name>_at` (ISO-8601 with an offset) or `<name>_us` (int64, UTC) on the wire.

    Parameters
    ----------
    name
        The name, without `_at` or `_us`.
    type
        What its values are.
    choices
        The words that may stand in it; empty where any may.
    """

    name: str
    type: FieldType
    choices: tuple[str, ...] = ()


COMMON_FIELDS = (
    Field("event_id", "text"),
    Field("rider_id", "text"),
    Field("city", "text"),
    Field("rider_kind", "text", RIDER_KINDS),
    Field("kind", "text", KINDS),
    Field("order_id", "text"),
    Field("occurred", "time"),
)
DELIVERED_FIELDS = (
    Field("placed", "time"),
    Field("promised", "time"),
    Field("assess_deadline", "time"),
    Field("accepted", "time"),
    Field("arrived_store", "time"),
    Field("merchant_ready", "time"),
    Field("merchant_promised_ready", "time"),
    Field("picked_up", "time"),
    Field("delivered", "time"),
    Field("distance_m", "int"),
    Field("fee_fen", "int"),
    Field("reports", "reports"),
)
OTHER_FIELDS = (
    Field("cause", "text", EXTENSION_CAUSES),
    Field("extend_s", "int"),
    Field("party", "text", CANCEL_PARTIES),
    Field("level", "int"),
    Field("rider_joined", "time"),
    Field("ref_event_id", "text"),
)
FIELDS: tuple[Field, ...] = COMMON_FIELDS + DELIVERED_FIELDS + OTHER_FIELDS
