"""Who caused the lateness, before any rule sees it: time that was not the rider's is given back.

The wait at a merchant beyond its promised ready time extends that order and every other order the rider had
accepted and not yet delivered during it, each second once (GB/T 46862-2025, make-up time). Extensions and verified
reports give back what they grant. Missing facts never count against the rider. Arithmetic in whole microseconds;
lateness rounds down to seconds, time given back rounds up.
"""

import numpy as np

from rules.compile import REPORT_CAUSE_CODE, Tables
from rules.compiled import compiled, inlined
from rules.events import (
    CANCEL_PARTIES,
    CAUSE_CODE,
    CAUSE_PARTY,
    CAUSES,
    KIND_CODE,
    KINDS,
    PARTIES,
    PARTY_CODE,
    REPORT_KINDS,
    RIDER_FAULT_KINDS,
)
from rules.units import US_PER_S
from scoring.columns import I64, LIABILITY, NO_TIME, Events, Liability

NUM_CAUSES = len(CAUSES)
NUM_PARTIES = len(PARTIES)
NUM_REPORTS = len(REPORT_KINDS)
DELIVERED = KIND_CODE["delivered"]
CANCELLED = KIND_CODE["cancelled"]
UNDELIVERED = KIND_CODE["undelivered"]
REASSIGNED = KIND_CODE["reassigned_system"]
EXTENDED = KIND_CODE["deadline_extended"]
FIRST_REPORT = KIND_CODE[REPORT_KINDS[0]]
LAST_REPORT = KIND_CODE[REPORT_KINDS[-1]]
MERCHANT_SLOW = CAUSE_CODE["merchant_slow"]
WEATHER_REPORT = REPORT_KINDS.index("severe_weather")
NOBODY = PARTY_CODE["nobody"]
RIDER = PARTY_CODE["rider"]
PLATFORM = PARTY_CODE["platform"]
CAUSE_PARTY_CODE = np.array([PARTY_CODE[CAUSE_PARTY[cause]] for cause in CAUSES], np.int64)
RIDER_AT_FAULT = np.array([kind in RIDER_FAULT_KINDS for kind in KINDS], np.uint8)
_CONSECUTIVE_REPORTS = [KIND_CODE[kind] - FIRST_REPORT for kind in REPORT_KINDS] == list(range(NUM_REPORTS))
if not _CONSECUTIVE_REPORTS or REPORT_CAUSE_CODE.size != NUM_REPORTS or len(CANCEL_PARTIES) != 4:
    raise AssertionError("event codes have moved: the tables of this module rely on their order")


@inlined
def _accepted_us(events: Events, i: int) -> int:
    """When the order was in the rider's hands: accepted, else placed, else arrived, else delivered."""
    if events[i].accepted_us != NO_TIME:
        return events[i].accepted_us
    if events[i].placed_us != NO_TIME:
        return events[i].placed_us
    if events[i].arrived_us != NO_TIME:
        return events[i].arrived_us
    return events[i].delivered_us


@inlined
def _wait_us(events: Events, i: int) -> tuple[int, int]:
    """Wait at the merchant beyond its promise, as [from, to); empty if to <= from."""
    arrived = events[i].arrived_us
    if arrived == NO_TIME:
        arrived = _accepted_us(events, i)
    start = arrived
    if events[i].promised_ready_us != NO_TIME and events[i].promised_ready_us > arrived:
        start = events[i].promised_ready_us
    ready = events[i].ready_us
    if ready == NO_TIME:
        ready = events[i].picked_us
    if ready == NO_TIME:
        return start, start
    return start, ready


@inlined
def _overlap_us(a: int, b: int, c: int, d: int) -> int:
    """Length of [a, b) ∩ [c, d)."""
    low = max(a, c)
    high = min(b, d)
    return max(0, high - low)


@inlined
def _first_from(times_us: I64, num: int, from_us: int) -> int:
    """Position of the first of `num` ascending times that is not before an instant."""
    low, high = 0, num
    while low < high:
        middle = (low + high) // 2
        if times_us[middle] < from_us:
            low = middle + 1
        else:
            high = middle
    return low


@inlined
def _gained_us(events: Events, i: int, waits: I64, num_waits: int, longest_us: int, late_us: int) -> int:
    """Time that order i gains from merchants: its own wait, and where it overlaps others' waits, each second once.

    `waits[:, :num_waits]` (from, to, row) are the rider's non-empty waits by start, none longer than `longest_us`;
    waits more than `late_us` before the delivery are out of reach.
    """
    wait_from, wait_to, wait_row = waits[0], waits[1], waits[2]
    own_from, own_to = _wait_us(events, i)
    gained = max(0, own_to - own_from)
    held_from = _accepted_us(events, i)
    held_to = events[i].delivered_us
    held_from = max(held_from, held_to - late_us)
    # The union of the others' waits is walked in order of start; `reached` is how far it has been counted.
    reached = held_from
    for j in range(_first_from(wait_from, num_waits, held_from - longest_us), num_waits):
        if wait_from[j] >= held_to:
            break
        if wait_row[j] == i:
            continue
        low = max(wait_from[j], reached)
        high = min(wait_to[j], held_to)
        if high > low:
            gained += high - low - _overlap_us(low, high, own_from, own_to)
            reached = high
    return gained


@inlined
def _bears_on(tables: Tables, events: Events, row: int, i: int) -> bool:
    """Whether a report or extension is about the order of row i, and near enough in time to be still at hand."""
    apart_us = abs(events[row].occurred_us - events[i].occurred_us)
    same = events[row].order_key == events[i].order_key and events[i].order_key != 0
    return same and apart_us <= tables.books[events[i].book].late_us


@inlined
def _reports_of(tables: Tables, events: Events, i: int, special: I64, num_special: int) -> tuple[int, int]:
    """Verified reports on the order of row i (bit set) and the highest weather level known for it."""
    mask = np.int64(events[i].reports)
    level = max(np.int64(0), np.int64(events[i].level))
    for j in range(num_special):
        row = special[j]
        if events[row].kind != EXTENDED and _bears_on(tables, events, row, i):
            report = events[row].kind - FIRST_REPORT
            mask |= 1 << report
            if report == WEATHER_REPORT:
                level = max(level, np.int64(events[row].level))
    return mask, level


@inlined
def _fill_causes(
    tables: Tables, events: Events, i: int, special: I64, num_special: int, gained_us: int, cause_us: I64
) -> tuple[int, int]:
    """Time given back to order i by cause (µs, into `cause_us`).

    Returns
    -------
    The party of the first exempting report (-1: none), the weather level.
    """
    for cause in range(NUM_CAUSES):
        cause_us[cause] = 0
    for j in range(num_special):
        row = special[j]
        if events[row].kind == EXTENDED and events[row].cause >= 0 and _bears_on(tables, events, row, i):
            cause_us[events[row].cause] += max(0, events[row].extend_s) * US_PER_S
    mask, level = _reports_of(tables, events, i, special, num_special)
    exempt_by = -1
    for report in range(NUM_REPORTS):
        if mask >> report & 1:
            at = level if report == WEATHER_REPORT else 0
            cause = REPORT_CAUSE_CODE[report]
            cause_us[cause] = max(cause_us[cause], tables.report_s[events[i].book, report, at] * US_PER_S)
            if tables.report_exempt[events[i].book, report, at]:
                party = CAUSE_PARTY_CODE[cause]
                exempt_by = party if exempt_by < 0 else min(exempt_by, party)
    cause_us[MERCHANT_SLOW] = max(cause_us[MERCHANT_SLOW], gained_us)
    return exempt_by, level


@inlined
def _most_given(cause_us: I64, party_us: I64) -> int:
    """The party whose causes gave back most; ties go to the earlier in `PARTIES`."""
    for party in range(NUM_PARTIES):
        party_us[party] = 0
    for cause in range(NUM_CAUSES):
        party_us[CAUSE_PARTY_CODE[cause]] += cause_us[cause]
    best = NOBODY
    for party in range(NUM_PARTIES):
        if party_us[party] > party_us[best]:
            best = party
    return best


@inlined
def _collect(events: Events, first: int, stop: int, waits: I64, special: I64) -> tuple[int, int, int]:
    """The rider's non-empty waits by start ([from, to, row] into `waits`) and rows of reports and extensions."""
    num_waits = 0
    num_special = 0
    longest_us = 0
    for i in range(first, stop):
        kind = events[i].kind
        if kind == DELIVERED:
            start, end = _wait_us(events, i)
            if end > start:
                at = num_waits
                while at > 0 and waits[0, at - 1] > start:
                    waits[0, at] = waits[0, at - 1]
                    waits[1, at] = waits[1, at - 1]
                    waits[2, at] = waits[2, at - 1]
                    at -= 1
                waits[0, at] = start
                waits[1, at] = end
                waits[2, at] = i
                num_waits += 1
                longest_us = max(longest_us, end - start)
        elif kind == EXTENDED or FIRST_REPORT <= kind <= LAST_REPORT:
            special[num_special] = i
            num_special += 1
    return num_waits, num_special, longest_us


@inlined
def _is_unknown(events: Events, i: int) -> bool:
    """Whether nobody knows what the kitchen did: neither when the food was ready nor when it was picked up."""
    return events[i].ready_us == NO_TIME and events[i].picked_us == NO_TIME


@inlined
def _judge_delivery(
    out: Liability, i: int, gross_s: int, exempt_by: int, exempts_unknown: bool, cause_us: I64, party_us: I64
) -> None:
    given_us = 0
    for cause in range(NUM_CAUSES):
        given_us += cause_us[cause]
    given_s = min(gross_s, -(-given_us // US_PER_S))
    remaining_s = gross_s - given_s
    out[i].late_s = gross_s
    out[i].given_s = given_s
    out[i].exempt = exempt_by >= 0 or (exempts_unknown and remaining_s > 0)
    if gross_s == 0:
        out[i].party = NOBODY
    elif remaining_s > 0 and exempt_by >= 0:
        out[i].party = exempt_by
    elif remaining_s > 0 and not exempts_unknown:
        out[i].party = RIDER
    else:
        # Nobody, where nothing is known at all.
        out[i].party = _most_given(cause_us, party_us)


@inlined
def _judge_other(out: Liability, events: Events, i: int, exempt_by: int) -> None:
    kind = events[i].kind
    if kind == UNDELIVERED and exempt_by >= 0:
        out[i].party = exempt_by
    elif RIDER_AT_FAULT[kind]:
        out[i].party = RIDER
    elif kind == CANCELLED and events[i].party >= 0:
        out[i].party = events[i].party
    elif kind == REASSIGNED:
        out[i].party = PLATFORM
    else:
        out[i].party = NOBODY


@inlined
def _attribute_rider(
    tables: Tables, events: Events, first: int, stop: int, waits: I64, special: I64, cause_us: I64, party_us: I64,
    out: Liability, causes: I64,
) -> None:  # fmt: skip
    num_waits, num_special, longest_us = _collect(events, first, stop, waits, special)
    for i in range(first, stop):
        if events[i].kind == DELIVERED:
            gross_us = 0
            if events[i].deadline_us != NO_TIME:
                gross_us = max(0, events[i].delivered_us - events[i].deadline_us)
            gained_us = _gained_us(events, i, waits, num_waits, longest_us, tables.books[events[i].book].late_us)
            exempt_by, level = _fill_causes(tables, events, i, special, num_special, gained_us, cause_us)
            out[i].weather = level
            exempts_unknown = tables.books[events[i].book].exempt_unknown == 1 and _is_unknown(events, i)
            _judge_delivery(out, i, gross_us // US_PER_S, exempt_by, exempts_unknown, cause_us, party_us)
            if causes.shape[0] > 0:
                for cause in range(NUM_CAUSES):
                    causes[i, cause] = cause_us[cause]
        else:
            exempt_by = -1
            if events[i].kind == UNDELIVERED:
                exempt_by, level = _fill_causes(tables, events, i, special, num_special, 0, cause_us)
            else:
                _, level = _reports_of(tables, events, i, special, num_special)
            out[i].weather = level
            _judge_other(out, events, i, exempt_by)


@compiled(rows=1)
def _attribute(
    tables: Tables, events: Events, start: I64, waits: I64, special: I64, cause_us: I64, party_us: I64, out: Liability,
    causes: I64,
) -> None:  # fmt: skip
    for r in range(start.size - 1):
        _attribute_rider(tables, events, start[r], start[r + 1], waits, special, cause_us, party_us, out, causes)


def _attribute_all(tables: Tables, events: Events, start: I64, causes: I64) -> Liability:
    """Liability of every event, into `causes` what each cause claims where there is room for it."""
    out = np.zeros(events.size, LIABILITY)
    most = int(np.diff(start).max(initial=0))
    waits, special = np.empty((3, most), np.int64), np.empty(most, np.int64)
    cause_us, party_us = np.zeros(NUM_CAUSES, np.int64), np.zeros(NUM_PARTIES, np.int64)
    _attribute(tables, events, start, waits, special, cause_us, party_us, out, causes)
    return out


def attribute(tables: Tables, events: Events, start: I64) -> Liability:
    """Liability of every event.

    Parameters
    ----------
    tables
        The compiled books; the reports' effects are those of each event's own book.
    events
        n rows, those of rider r being `start[r]:start[r + 1]`.
    start
        int64[R + 1].
    """
    return _attribute_all(tables, events, start, np.zeros((0, NUM_CAUSES), np.int64))


def attribute_causes(tables: Tables, events: Events, start: I64) -> tuple[Liability, I64]:
    """As `attribute`, and the time that each cause claims for each delivery.

    Parameters
    ----------
    tables
        The compiled books.
    events
        n rows, those of rider r being `start[r]:start[r + 1]`.
    start
        int64[R + 1].

    Returns
    -------
    tuple[Liability, I64]
        n records, and int64[n, cause] (µs).
    """
    causes = np.zeros((events.size, NUM_CAUSES), np.int64)
    return _attribute_all(tables, events, start, causes), causes
