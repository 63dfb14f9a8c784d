"""A rider's events read once more, slowly: the facts an entry was written from, and where time given back comes from.

The arithmetic is `liability`'s and `kernel`'s; here it is taken apart so that a person can follow it. What the ledger
says always counts: a reading is used for an entry only where it agrees with it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rules.book import BookDocument
from rules.calendar import calendar
from rules.compile import NUM_LEVELS, Program
from rules.events import CAUSE_CODE, CAUSE_PARTY, CAUSES, KIND_CODE, KINDS, PARTIES, REPORT_CAUSE, REPORT_KINDS
from rules.units import US_PER_DAY, US_PER_S
from scoring.columns import I64, NO_TIME, Events, Liability
from scoring.history import apply_control
from scoring.liability import attribute_causes
from scoring.prepare import PreparedEvents, Schedule, books_of, prepare_events

DELIVERED = KIND_CODE["delivered"]
EXTENDED = KIND_CODE["deadline_extended"]
US_PER_MINUTE = 60 * US_PER_S
MINUTES_PER_DAY = 1_440


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait at a merchant beyond its promise, [from, to), and how much of it this order gains (µs).

    Parameters
    ----------
    since
        What it is counted from: the arrival where that was reported, else what is known instead.
    ends_ready
        Whether it ends with food that was reported as ready; else with the pick-up.
    """

    event_id: str
    order_id: str | None
    own: bool
    from_us: int
    to_us: int
    gained_us: int
    since: Literal["arrived", "promised", "accepted", "placed", "delivered"]
    ends_ready: bool


@dataclass(frozen=True, slots=True)
class TimeGivenBack:
    """Time that one cause gives back: the largest of what was measured, extended and reported.

    `by` says which it was: `wait`, `extension` or `report`; `counted` is a wait of which some arrival is not known.
    `waits` are those of the first and last.
    """

    cause: str
    party: str
    seconds: int
    by: str
    waits: tuple[Wait, ...]


@dataclass(frozen=True, slots=True)
class Lateness:
    """How late an order was, and how much of it was the rider's.

    Parameters
    ----------
    deadline_us, delivered_us
        Against what it was measured; `deadline_us` is None where no deadline is known: not late.
    late_s, given_back_s, remaining_s
        Gross lateness, what is given back (never more than gross), and the rest.
    given_back
        By cause; together they may exceed what was needed.
    exempt_by
        Verified reports that exempt the order.
    kitchen
        What the book makes of time that remains where nobody knows when the food was ready or picked up; None where
        that is known, or does not matter.
    """

    deadline_us: int | None
    delivered_us: int
    late_s: int
    given_back_s: int
    remaining_s: int
    given_back: tuple[TimeGivenBack, ...]
    exempt_by: tuple[str, ...]
    kitchen: Literal["assess", "exempt"] | None


@dataclass(frozen=True, slots=True)
class FactReading:
    """The rider's rows as known after some of the corrections and appeals; `control` is the last of them."""

    control: str | None
    events: Events
    liability: Liability
    causes: I64


@dataclass(frozen=True, slots=True)
class KnownEvents:
    """A rider's events, as they came and as they were corrected.

    Parameters
    ----------
    program
        The books of `readings`.
    rows
        Canonical rows as they came, in scoring order.
    row_of
        Position in `rows` by event id.
    kinds
        Kinds of all events at hand by id, also of corrections of what is not at hand.
    readings
        The rows as known at first, and after each correction and upheld appeal.
    is_whole
        Whether these are all of the rider's events from the first on.
    """

    program: Program
    rows: tuple[Mapping[str, Any], ...]
    row_of: Mapping[str, int]
    kinds: Mapping[str, str]
    readings: tuple[FactReading, ...]
    is_whole: bool


def known_events(
    program: Program, schedule: Schedule, table: pa.Table, *, is_whole: bool, books: I64 | None = None
) -> KnownEvents:
    """Read one rider's canonical rows.

    Parameters
    ----------
    program, schedule
        The books, and which of them judges which event.
    table
        Canonical rows of one rider.
    is_whole
        Whether the rider has no earlier history.
    books
        Position in the program of the book that judged each row, where it is known; else `schedule` decides.

    Returns
    -------
    KnownEvents
        The rows as they came and as each correction left them.
    """
    # The rows were accepted, by the books that were in force then.
    books = books_of(table, schedule) if books is None else books
    prepared = prepare_events(table, program, schedule, books=books)
    rows = tuple(prepared.table.to_pylist())
    row_of = {row["event_id"]: at for at, row in enumerate(rows)}
    kinds = dict(zip(table.column("event_id").to_pylist(), table.column("kind").to_pylist(), strict=True))
    return KnownEvents(program, rows, row_of, kinds, tuple(_readings(program, prepared, rows)), is_whole)


def _readings(program: Program, prepared: PreparedEvents, rows: tuple[Mapping[str, Any], ...]) -> Iterator[FactReading]:
    events = prepared.events.copy()
    yield FactReading(None, events.copy(), *attribute_causes(program.tables, events, prepared.start))
    has_delivered = pc.is_valid(prepared.table.column("delivered_us")).to_numpy()
    controls = np.flatnonzero(prepared.ref >= 0)
    for row in controls[np.argsort(events["occurred_us"][controls], kind="stable")].tolist():
        waives = rows[row]["kind"] == "appeal_upheld"
        apply_control(events, row, int(prepared.ref[row]), waives, bool(has_delivered[row]))
        yield FactReading(
            rows[row]["event_id"], events.copy(), *attribute_causes(program.tables, events, prepared.start)
        )


def reading_of(known: KnownEvents, row: int, line: tuple[int, int, str], cause: str | None) -> FactReading | None:
    """The reading that an entry was written from; None where none agrees with the entry.

    Parameters
    ----------
    line
        Lateness, time given back (s) and liable party that the entry states.
    cause
        The event that made the entry necessary, if any.
    """
    for reading in sorted(known.readings, key=lambda reading: reading.control != cause):
        judged, waived = reading.liability[row], reading.events["waived"][row]
        party = PARTIES[judged["party"]]
        party = "nobody" if waived and party == "rider" else party
        if (int(judged["late_s"]), int(judged["given_s"]), party) == line:
            return reading
    return None


def _model(known: KnownEvents, reading: FactReading, row: int) -> BookDocument:
    return known.program.books[int(reading.events["book"][row])].model


def facts_of(known: KnownEvents, reading: FactReading, row: int) -> dict[str, int]:
    """The facts that rules saw of one event, by `rules.conditions.FACTS`; -1 is unknown."""
    events, event, judged = reading.events, reading.events[row], reading.liability[row]
    model = _model(known, reading, row)
    days = calendar(model.time_zone, model.day_starts)
    at_us = int(event["occurred_us"])
    day = days.day_of(at_us)
    late_s = int(judged["late_s"])
    if model.lateness == "remaining":
        late_s = 0 if judged["exempt"] else late_s - int(judged["given_s"])
    tenure = -1
    if event["joined_us"] != NO_TIME:
        tenure = max(0, day - days.day_of(int(event["joined_us"])))
    nth = num_delivered = -1
    if known.is_whole:
        same_kind = events["occurred_us"][:row][events["kind"][:row] == event["kind"]]
        months = days.period[1, np.searchsorted(days.start_us, same_kind, side="right") - 1]
        nth = int((months == days.period[1, day]).sum()) + 1
        num_delivered = int((events["kind"][:row] == DELIVERED).sum())
    offset_us = int(days.offset_us[day, int(at_us >= days.change_us[day])])
    return {
        "late_s": late_s,
        "rider_kind": int(event["rider_kind"]),
        "tenure_days": tenure,
        "num_delivered": num_delivered,
        "weather_level": int(judged["weather"]),
        "distance_m": int(event["distance_m"]),
        "minute_of_day": (at_us + offset_us) // US_PER_MINUTE % MINUTES_PER_DAY,
        "nth_in_month": nth,
        "party": int(event["party"]),
        "liable": int(judged["party"]),
    }


def lateness_of(known: KnownEvents, reading: FactReading, row: int) -> Lateness | None:
    """How late a delivery was and why; None for other events."""
    event, judged = reading.events[row], reading.liability[row]
    if event["kind"] != DELIVERED:
        return None
    late_s, given_s = int(judged["late_s"]), int(judged["given_s"])
    deadline_us = int(event["deadline_us"])
    reports = _reports(reading.events, row, _late_us(known, reading, row))
    effects = {report: _effect(known, reading, row, report) for report in reports}
    exempt_by = tuple(report for report, (exempt, _) in effects.items() if exempt) if late_s else ()
    is_unknown = event["ready_us"] == NO_TIME and event["picked_us"] == NO_TIME
    matters = is_unknown and late_s > given_s and not exempt_by
    return Lateness(
        deadline_us=None if deadline_us == NO_TIME else deadline_us,
        delivered_us=int(event["delivered_us"]),
        late_s=late_s,
        given_back_s=given_s,
        remaining_s=late_s - given_s,
        given_back=tuple(_given_back(known, reading, row, effects)) if late_s else (),
        exempt_by=exempt_by,
        kitchen=_model(known, reading, row).unknown_kitchen if matters else None,
    )


def _late_us(known: KnownEvents, reading: FactReading, row: int) -> int:
    return _model(known, reading, row).late_days * US_PER_DAY


def _bearing(events: Events, row: int, kinds: range | tuple[int, ...], late_us: int) -> list[int]:
    """Rows of the kinds named that are about the order of `row` and near enough in time."""
    order = events["order_key"][row]
    near = np.abs(events["occurred_us"] - events["occurred_us"][row]) <= late_us
    rows = (events["order_key"] == order) & (order != 0) & near & np.isin(events["kind"], list(kinds))
    return [int(other) for other in np.flatnonzero(rows)]


def _reports(events: Events, row: int, late_us: int) -> tuple[str, ...]:
    """Verified reports on an order, those on its own row and those that are events."""
    codes = tuple(KIND_CODE[kind] for kind in REPORT_KINDS)
    separate = {KINDS[events["kind"][other]] for other in _bearing(events, row, codes, late_us)}
    mask = int(events["reports"][row])
    return tuple(report for position, report in enumerate(REPORT_KINDS) if mask >> position & 1 or report in separate)


def _effect(known: KnownEvents, reading: FactReading, row: int, report: str) -> tuple[bool, int]:
    """What the book makes of a report: whether it exempts, and the seconds it gives back."""
    tables, book = known.program.tables, int(reading.events["book"][row])
    level = min(int(reading.liability["weather"][row]), NUM_LEVELS - 1) if report == "severe_weather" else 0
    at = book, REPORT_KINDS.index(report), level
    return bool(tables.report_exempt[at]), int(tables.report_s[at])


def _given_back(
    known: KnownEvents, reading: FactReading, row: int, effects: Mapping[str, tuple[bool, int]]
) -> Iterator[TimeGivenBack]:
    """Every cause that gives time back, the largest first."""
    events = reading.events
    late_us = _late_us(known, reading, row)
    extended = dict.fromkeys(CAUSES, 0)
    for other in _bearing(events, row, (EXTENDED,), late_us):
        if events["cause"][other] >= 0:
            extended[CAUSES[events["cause"][other]]] += max(0, int(events["extend_s"][other])) * US_PER_S
    reported = {REPORT_CAUSE[report]: seconds * US_PER_S for report, (_, seconds) in effects.items()}
    waits = tuple(_waits(known, reading, row, late_us))
    total_us = {cause: int(reading.causes[row, CAUSE_CODE[cause]]) for cause in CAUSES}
    for cause in sorted(CAUSES, key=lambda cause: -total_us[cause]):
        us = total_us[cause]
        if us <= 0:
            continue
        measured = sum(wait.gained_us for wait in waits) if cause == "merchant_slow" else 0
        is_measured = all(wait.since == "arrived" for wait in waits)
        by = "extension" if extended[cause] == us else "report"
        if measured == us:
            by = "wait" if is_measured else "counted"
        if by == "report" and reported.get(cause, 0) != us:
            raise AssertionError(f"no claim of {us} µs for {cause}: liability and its explanation disagree")
        yield TimeGivenBack(
            cause, CAUSE_PARTY[cause], -(-us // US_PER_S), by, waits if by in ("wait", "counted") else ()
        )


def _own_wait(event: np.void) -> tuple[int, int]:
    """Wait at the merchant beyond its promise; as in `liability`, arrival defaults to acceptance."""
    arrived = _first_known(event, "arrived_us", "accepted_us", "placed_us", "delivered_us")
    start = max(arrived, int(event["promised_ready_us"])) if event["promised_ready_us"] != NO_TIME else arrived
    ready = _first_known(event, "ready_us", "picked_us")
    return start, max(start, ready) if ready != NO_TIME else start


def _first_known(event: np.void, *names: str) -> int:
    return next((int(event[name]) for name in names if event[name] != NO_TIME), NO_TIME)


def _waits(known: KnownEvents, reading: FactReading, row: int, late_us: int) -> Iterator[Wait]:
    """The waits that an order gains from, its own first, each second counted once."""
    events = reading.events
    event = events[row]
    own_from, own_to = _own_wait(event)
    if own_to > own_from:
        yield _wait(known, events, row, True, (own_from, own_to), own_to - own_from)
    held_to = int(event["delivered_us"])
    reached = max(_first_known(event, "accepted_us", "placed_us", "arrived_us", "delivered_us"), held_to - late_us)
    # Only waits that were still going on when the order was in hand.
    begun, ended = events["arrived_us"], events["ready_us"]
    for name in ("accepted_us", "placed_us", "delivered_us"):
        begun = np.where(begun == NO_TIME, events[name], begun)
    ended = np.where(ended == NO_TIME, events["picked_us"], ended)
    near = (events["kind"] == DELIVERED) & (begun < held_to) & (ended > reached)
    others = [(*_own_wait(events[other]), int(other)) for other in np.flatnonzero(near)]
    for start, end, other in sorted(others):
        low, high = max(start, reached), min(end, held_to)
        if other == row or high <= low:
            continue
        reached = high
        gained = high - low - max(0, min(high, own_to) - max(low, own_from))
        if gained:
            yield _wait(known, events, other, False, (start, end), gained)


def _since(event: np.void, from_us: int) -> Literal["arrived", "promised", "accepted", "placed", "delivered"]:
    """What a wait is counted from."""
    if event["arrived_us"] != NO_TIME:
        return "arrived"
    if event["accepted_us"] == from_us:
        return "accepted"
    if event["promised_ready_us"] == from_us:
        return "promised"
    return "placed" if event["placed_us"] != NO_TIME else "delivered"


def _wait(known: KnownEvents, events: Events, row: int, own: bool, span: tuple[int, int], gained_us: int) -> Wait:
    content, event = known.rows[row], events[row]
    since, ends_ready = _since(event, span[0]), bool(event["ready_us"] != NO_TIME)
    return Wait(content["event_id"], content["order_id"], own, *span, gained_us, since, ends_ready)
