"""The oracle's reading of one event: local time, waits, time given back, liable party, facts.

Slow and obvious on purpose, written from semantics.md ("Lateness and liability") line by line. An event is a
plain dict of canonical columns; a missing column, None and an empty text mean the same: not known.
Shares nothing with the product but the document model and the names of things.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from rules.book import BookDocument
from rules.events import (
    CAUSE_PARTY,
    PARTIES,
    REPORT_CAUSE,
    REPORT_KINDS,
    RIDER_FAULT_KINDS,
)

Event = Mapping[str, Any]

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def to_us(instant: dt.datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (instant - EPOCH) // dt.timedelta(microseconds=1)


def wall_clock(book: BookDocument, us: int) -> dt.datetime:
    """What a clock on the wall of the book's time zone shows."""
    return (EPOCH + dt.timedelta(microseconds=us)).astimezone(ZoneInfo(book.time_zone))


def day_start_us(book: BookDocument, day: dt.date) -> int:
    """The instant a local day begins."""
    wall = dt.datetime.combine(day, book.day_starts, tzinfo=ZoneInfo(book.time_zone))
    return to_us(wall.astimezone(dt.UTC))


def local_day(book: BookDocument, us: int) -> dt.date:
    """The last local day that has begun at this instant."""
    day = wall_clock(book, us).date() + dt.timedelta(days=1)
    while day_start_us(book, day) > us:
        day -= dt.timedelta(days=1)
    return day


def version_at(books: Sequence[BookDocument], us: int) -> BookDocument:
    """The version in force; before the first one, the first one."""
    in_force = books[0]
    for book in books:
        if day_start_us(book, book.effective_from) <= us:
            in_force = book
    return in_force


@dataclass(frozen=True)
class Liability:
    """What became of one delivery's lateness."""

    late_s: int
    time_given_back_s: int
    exempt: bool
    party: str

    @property
    def remaining_s(self) -> int:
        return self.late_s - self.time_given_back_s


@dataclass(frozen=True)
class Steps:
    """The instants of one delivery after missing ones are read in the rider's favour."""

    accepted_us: int
    delivered_us: int
    wait: tuple[int, int]
    deadline_us: int | None


def known(*values: Any) -> Any:
    """The first of the values that is there."""
    return next((value for value in values if value is not None), None)


def steps(event: Event) -> Steps:
    """Missing facts: arrival → accepted; merchant's promise → arrival; ready → picked up; deadline → not late."""
    delivered = known(event.get("delivered_us"), event["occurred_us"])
    accepted = known(event.get("accepted_us"), event.get("placed_us"), event.get("arrived_store_us"), delivered)
    arrived = known(event.get("arrived_store_us"), accepted)
    promise = known(event.get("merchant_promised_ready_us"), arrived)
    ready = known(event.get("merchant_ready_us"), event.get("picked_up_us"))
    start = max(arrived, promise)
    wait = (start, ready) if ready is not None and ready > start else (0, 0)
    return Steps(accepted, delivered, wait, known(event.get("assess_deadline_us"), event.get("promised_us")))


def reach_us(book: BookDocument) -> int:
    """How far apart two facts about one delivery may lie."""
    return book.late_days * DAY_US


def gained_us(book: BookDocument, event: Event, events: Sequence[Event]) -> int:
    """Own wait, plus the carried stretch of the other orders' waits that the own wait does not cover."""
    own = steps(event)
    carried = (max(own.accepted_us, own.delivered_us - reach_us(book)), own.delivered_us)
    others = [
        steps(other).wait for other in events if other["kind"] == "delivered" and other["event_id"] != event["event_id"]
    ]
    marks = sorted({mark for stretch in (own.wait, carried, *others) for mark in stretch})
    total = 0
    for start, end in pairwise(marks):
        in_own = own.wait[0] <= start and end <= own.wait[1]
        in_carried = carried[0] <= start and end <= carried[1]
        in_other = any(other[0] <= start and end <= other[1] for other in others)
        if in_own or (in_carried and in_other):
            total += end - start
    return total


def on_same_order(book: BookDocument, event: Event, events: Sequence[Event]) -> list[Event]:
    """Events of the same order that are near enough in time; an event without an order stands alone."""
    if not event.get("order_id"):
        return []
    return [
        other
        for other in events
        if other.get("order_id") == event["order_id"]
        and abs(other["occurred_us"] - event["occurred_us"]) <= reach_us(book)
    ]


def weather_level(book: BookDocument, event: Event, events: Sequence[Event]) -> int:
    """The highest of the event's own level and those of the order's severe-weather reports."""
    reports = [other for other in on_same_order(book, event, events) if other["kind"] == "severe_weather"]
    return max((one.get("level") or 0) for one in [event, *reports])


def verified_reports(book: BookDocument, event: Event, events: Sequence[Event]) -> set[str]:
    """Report kinds named in the event's row or reported as events of their own for the same order."""
    named = {name for name in (event.get("reports") or "").split(";") if name}
    return named | {other["kind"] for other in on_same_order(book, event, events) if other["kind"] in REPORT_KINDS}


def report_effects(book: BookDocument, event: Event, events: Sequence[Event]) -> tuple[set[str], dict[str, int]]:
    """Causes that exempt the order, and seconds given back by cause, as the book says for its reports."""
    exempting: set[str] = set()
    seconds: dict[str, int] = {}
    for kind in verified_reports(book, event, events):
        level = weather_level(book, event, events) if kind == "severe_weather" else 0
        rows = [row for row in book.report if row.kind == kind and row.level_from <= level]
        if not rows:
            continue
        row = max(rows, key=lambda row: row.level_from)
        if row.exempt:
            exempting.add(REPORT_CAUSE[kind])
        else:
            seconds[REPORT_CAUSE[kind]] = row.gives_back_s or 0
    return exempting, seconds


def given_back_us(book: BookDocument, event: Event, events: Sequence[Event]) -> dict[str, int]:
    """Per cause the largest of three claims: measured at the merchant, extensions in sum, verified report."""
    claims: dict[str, list[int]] = {"merchant_slow": [gained_us(book, event, events)]}
    extended: dict[str, int] = {}
    for other in on_same_order(book, event, events):
        if other["kind"] == "deadline_extended" and other.get("cause"):
            extended[other["cause"]] = extended.get(other["cause"], 0) + (other.get("extend_s") or 0)
    for by_cause in (extended, report_effects(book, event, events)[1]):
        for cause, extend_s in by_cause.items():
            claims.setdefault(cause, []).append(extend_s * SECOND_US)
    return {cause: max(amounts) for cause, amounts in claims.items()}


def first_party(causes: set[str]) -> str:
    """Of several causes' parties the one that stands first."""
    return min((CAUSE_PARTY[cause] for cause in causes), key=PARTIES.index)


def liability(book: BookDocument, event: Event, events: Sequence[Event]) -> Liability:
    """Who answers for one delivery's lateness."""
    read = steps(event)
    if read.deadline_us is None or read.delivered_us <= read.deadline_us:
        return Liability(0, 0, False, "nobody")
    late_s = (read.delivered_us - read.deadline_us) // SECOND_US
    if late_s == 0:
        return Liability(0, 0, False, "nobody")
    by_cause = given_back_us(book, event, events)
    back_s = min(late_s, -(-sum(by_cause.values()) // SECOND_US))
    exempting = report_effects(book, event, events)[0]
    exempt = bool(exempting)
    is_dark = event.get("merchant_ready_us") is None and event.get("picked_up_us") is None
    spares = book.unknown_kitchen == "exempt" and book.lateness == "remaining" and is_dark
    if late_s > back_s and not exempt and not spares:
        return Liability(late_s, back_s, False, "rider")
    if late_s > back_s and exempt:
        return Liability(late_s, back_s, True, first_party(exempting))
    by_party = dict.fromkeys(PARTIES, 0)
    for cause, amount in by_cause.items():
        by_party[CAUSE_PARTY[cause]] += amount
    most = max(by_party.values())
    party = next(party for party in PARTIES if by_party[party] == most) if most else "nobody"
    return Liability(late_s, back_s, exempt or (spares and late_s > back_s), party)


def liable_party(book: BookDocument, event: Event, events: Sequence[Event]) -> str:
    """Who answers for an event of any kind."""
    kind = event["kind"]
    if kind == "delivered":
        return liability(book, event, events).party
    if kind == "undelivered":
        exempting = report_effects(book, event, events)[0]
        return first_party(exempting) if exempting else "rider"
    if kind in RIDER_FAULT_KINDS:
        return "rider"
    if kind == "cancelled":
        return event.get("party") or "nobody"
    return "platform" if kind == "reassigned_system" else "nobody"


def month_of(day: dt.date) -> tuple[int, int]:
    return (day.year, day.month)


def facts(book: BookDocument, books: Sequence[BookDocument], event: Event, events: Sequence[Event]) -> dict[str, Any]:
    """Everything a condition can ask; None is unknown. `events` are all of the rider's, in order."""
    us = event["occurred_us"]
    before = events[: list(events).index(event)]
    late_s = 0
    if event["kind"] == "delivered":
        found = liability(book, event, events)
        late_s = found.late_s
        if book.lateness == "remaining":
            late_s = 0 if found.exempt else found.remaining_s
    tenure_days = None
    if event.get("rider_joined_us") is not None:
        tenure_days = max(0, (local_day(book, us) - local_day(book, event["rider_joined_us"])).days)
    month = month_of(local_day(book, us))
    same_kind = [
        other
        for other in before
        if other["kind"] == event["kind"]
        and month_of(local_day(version_at(books, other["occurred_us"]), other["occurred_us"])) == month
    ]
    wall = wall_clock(book, us)
    return {
        "late_s": late_s,
        "rider_kind": event.get("rider_kind") or None,
        "tenure_days": tenure_days,
        "num_delivered": sum(other["kind"] == "delivered" for other in before),
        "weather_level": weather_level(book, event, events),
        "distance_m": event.get("distance_m"),
        "time_of_day": wall.hour * 60 + wall.minute,
        "nth_in_month": 1 + len(same_kind),
        "party": event.get("party") or None,
        "liable": liable_party(book, event, events),
    }
