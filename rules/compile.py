"""Book → columns: the tables that the kernel reads, of many books at once. Nothing here scores."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rules.book import Book, BookDocument
from rules.calendar import NEVER_US, PERIODS, calendar
from rules.conditions import FACT_CODE, conditions_of, on_time_award_mp, points_corners, share_corners
from rules.events import CAUSE_CODE, KIND_CODE, KINDS, REPORT_CAUSE, REPORT_KINDS, RIDER_KINDS
from rules.units import US_PER_DAY

NUM_LEVELS = 16
NONE = -1
ORDER_CAP_US = 30 * US_PER_DAY
# Rule ids of entries that no rule of a book writes; `tier:<id>` is added per tier.
FIXED_LABELS = (
    "base", "newcomer", "cost_limit", "ceiling", "floor", "fading", "reset", "training"
)  # fmt: skip

Ints = NDArray[np.int64]
Flags = NDArray[np.uint8]
Records = NDArray[np.void]


def _records(*names: str) -> np.dtype[np.void]:
    return np.dtype([(name, np.int64) for name in names])


# Ranges are half open: `x_first` … `x_stop`. Absent numbers are -1 unless said otherwise.
BOOK_RECORD = _records(
    "base_mp",
    "floor_mp",
    "ceiling_mp",
    "gross",
    "exempt_unknown",  # whether late orders are exempt of which nobody knows when the food was ready or picked up
    "late_us",  # how far apart a fact and the order it bears on may be
    "fade_us",  # 0: no fading
    "reset_period",  # row of Calendar.period
    "newcomer_orders",
    "newcomer_days",
    "newcomer_kinds",  # bit per kind
    "limit_kinds",
    "training_mp",  # NO_TRAINING where there is none
    "training_us",
    "cap_first",
    "cap_stop",
    "tier_first",
    "tier_stop",
    "calendar",
    "next_book",  # the version of the same id that follows; -1 for the last
    "next_us",  # and when it takes effect
)
SEGMENT_RECORD = _records("row_first", "row_stop", "all", "max_deduct_mp", "max_award_mp", "label")
RULE_RECORD = _records(
    "label", "test_first", "test_stop", "points_first", "points_stop", "share_first", "share_stop", "money_fen"
)
TEST_RECORD = _records("fact", "lo", "hi", "codes")  # codes: bit set, -1 for an interval
CORNER_RECORD = _records("late_s", "value")
CAP_RECORD = _records("scope", "max_deduct_mp", "max_award_mp", "slot", "label")  # scope: 0 event, 1 order, 2 day
SLOT_RECORD = _records("kinds", "orders")  # orders: whether an order cap reads the slot
TIER_RECORD = _records("min_mp", "bonus_fen", "review", "label")


class Tables(NamedTuple):
    """Books as arrays; p is the position of a book in the set.

    The segments (groups of rules) of (p, kind) are `segment_start[p * K + kind]` up to the next, K = len(KINDS); the
    rules of a segment are `row_rule[row_first:row_stop]`. A slot sums the points of some event kinds for caps.

    Parameters
    ----------
    books
        One record (`BOOK_RECORD`) a book.
    limit_mp
        [p, rider kind + 1] the most that one event may cost, in milli-points; 0 for no limit.
    segment_start
        [p * K + kind] first segment of an event kind.
    segments
        Groups of rules (`SEGMENT_RECORD`).
    row_rule
        Rule of each row of a segment.
    rules
        Records (`RULE_RECORD`).
    tests
        Conditions (`TEST_RECORD`).
    corners
        Corners of sliding scales (`CORNER_RECORD`), in seconds of lateness.
    caps
        Records (`CAP_RECORD`).
    slots
        Sums that caps read (`SLOT_RECORD`).
    tiers
        Records (`TIER_RECORD`), lowest first.
    report_exempt
        [p, report kind, level] 1 where the report exempts the order.
    report_s
        [p, report kind, level] seconds that the report gives back.
    nth_slot
        [kind] position among the kinds counted by month; -1 where not counted.
    day_start_us
        [calendar, day + 1] first instant of each local day (UTC µs).
    day_change_us
        [calendar, day] when the clocks change on that day; `NEVER_US` on others.
    day_offset_us
        [calendar, day, before or after the change] offset from UTC.
    day_period
        [calendar, period, day] number of the week, month, quarter and year.
    old_until_us
        Changes of book and courses up to then are read as version 0.1.0 read them; -`NEVER_US` for none.
    """

    books: Records
    limit_mp: Ints  # [p, rider kind + 1], 0 for no limit
    segment_start: Ints
    segments: Records
    row_rule: Ints
    rules: Records
    tests: Records
    corners: Records
    caps: Records
    slots: Records
    tiers: Records
    report_exempt: Flags  # [p, report kind, level]
    report_s: Ints  # [p, report kind, level]
    nth_slot: Ints  # [kind] position among the kinds counted by month, -1 where not counted
    day_start_us: Ints  # [calendar, day + 1]
    day_change_us: Ints  # [calendar, day] when the clocks change on that day
    day_offset_us: Ints  # [calendar, day, before or after the change]
    day_period: NDArray[np.int32]  # [calendar, period, day]
    old_until_us: int  # changes of book and courses up to then: as version 0.1.0 read them (`rules.readings_0_1_0`)


NO_TRAINING = -(2**40)


@dataclass(frozen=True, slots=True)
class Program:
    """A set of books ready for the kernel.

    Parameters
    ----------
    books
        In the order of the column `book` of the events.
    labels
        Rule id of each label code that an entry holds.
    tables
        What the kernel reads.
    max_entries
        The most entries that one event can write.
    """

    books: tuple[Book, ...]
    labels: tuple[str, ...]
    tables: Tables
    max_entries: int

    def position(self, digest: str) -> int:
        """Where a book stands in the set.

        Raises
        ------
        KeyError
            If no book of the set has that digest.
        """
        for position, book in enumerate(self.books):
            if book.digest == digest:
                return position
        raise KeyError(digest)


def kinds_mask(kinds: Sequence[str] | None) -> int:
    """Event kinds as a bit set; None means all kinds."""
    return sum(1 << KIND_CODE[kind] for kind in (KINDS if kinds is None else kinds))


class _Layout:
    """Collects records while books are laid out one after the other."""

    def __init__(self) -> None:
        self.records: dict[str, list[tuple[int, ...]]] = {}
        self.ints: dict[str, list[int]] = {}
        self.labels: dict[str, int] = {label: code for code, label in enumerate(FIXED_LABELS)}
        self.slots: dict[int, int] = {}
        self.slot_orders: set[int] = set()
        self.calendars: dict[tuple[str, dt.time], int] = {}

    def add(self, name: str, *values: int) -> None:
        self.records.setdefault(name, []).append(values)

    def add_int(self, name: str, value: int) -> None:
        self.ints.setdefault(name, []).append(value)

    def size(self, name: str) -> int:
        return len(self.records.get(name, ()))

    def label(self, text: str) -> int:
        return self.labels.setdefault(text, len(self.labels))

    def slot(self, kinds: int) -> int:
        return self.slots.setdefault(kinds, len(self.slots))


def _optional(value: int | None) -> int:
    return NONE if value is None else value


def start_us(book: BookDocument) -> int:
    """First instant (UTC µs) of the local day a version takes effect.

    Parameters
    ----------
    book
        A sound book.

    Returns
    -------
    int
        In the book's own time zone and day start.
    """
    return calendar(book.time_zone, book.day_starts).start_of(book.effective_from)


def _following(book: Book, books: Sequence[Book]) -> tuple[int, int]:
    """Position and start of the version that follows a book in a set; (-1, `NEVER_US`) for the last."""
    later = [
        (start_us(other.model), -position)
        for position, other in enumerate(books)
        if other.id == book.id and other.model.effective_from > book.model.effective_from
    ]
    if not later:
        return NONE, NEVER_US
    # Of two for one day the one further back judges, as in a schedule.
    at_us, position = min(later)
    return -position, at_us


def _lay_book(out: _Layout, book: BookDocument, following: tuple[int, int]) -> None:
    caps, tiers = out.size("caps"), out.size("tiers")
    _lay_rules(out, book)
    _lay_limits(out, book)
    newcomer, training = book.newcomer, book.training
    out.add(
        "books",
        book.score.base_mp,
        book.score.floor_mp,
        book.score.ceiling_mp,
        int(book.lateness == "gross"),
        int(book.unknown_kitchen == "exempt" and book.lateness == "remaining"),
        book.late_days * US_PER_DAY,
        0 if book.fading is None else book.fading.after_days * US_PER_DAY,
        NONE if book.reset is None else PERIODS.index(book.reset.every),
        0 if newcomer is None else newcomer.first_orders,
        0 if newcomer is None else newcomer.first_days,
        0 if newcomer is None else kinds_mask(newcomer.kinds),
        0 if book.cost_limit is None else kinds_mask(book.cost_limit.kinds),
        NO_TRAINING if training is None else training.restores_to_mp,
        0 if training is None else training.every_days * US_PER_DAY,
        caps,
        out.size("caps"),
        tiers,
        out.size("tiers"),
        out.calendars.setdefault((book.time_zone, book.day_starts), len(out.calendars)),
        *following,
    )
    orders = 0 if book.cost_limit is None else book.cost_limit.on_time_orders
    limits = [max(0, orders * on_time_award_mp(book, kind)) for kind in RIDER_KINDS]
    # A rider of unknown kind gets the limit that costs less.
    for limit in (min((limit for limit in limits if limit > 0), default=0), *limits):
        out.add_int("limit_mp", limit)


def _lay_corners(out: _Layout, corners: Sequence[tuple[int, int]]) -> tuple[int, int]:
    first = out.size("corners")
    for late_s, value in corners:
        out.add("corners", late_s, value)
    return first, out.size("corners")


def _lay_rules(out: _Layout, book: BookDocument) -> None:
    first = out.size("rules")
    for rule in book.rule:
        tests = out.size("tests")
        for test in conditions_of(rule, book):
            codes = NONE if test.codes is None else sum(1 << code for code in test.codes)
            out.add("tests", FACT_CODE[test.fact], test.lo, test.hi, codes)
        out.add(
            "rules",
            out.label(rule.id),
            tests,
            out.size("tests"),
            *_lay_corners(out, points_corners(rule)),
            *_lay_corners(out, share_corners(rule)),
            rule.money_fen or 0,
        )
    for kind in KINDS:
        out.add_int("segment_start", out.size("segments"))
        for group in book.group:
            rows = [
                first + position
                for position, rule in enumerate(book.rule)
                if rule.group == group.id and kind in rule.kind
            ]
            if not rows:
                continue
            row_first = len(out.ints.get("row_rule", ()))
            for row in rows:
                out.add_int("row_rule", row)
            out.add(
                "segments",
                row_first,
                row_first + len(rows),
                int(group.hit == "all"),
                _optional(group.max_deduct_mp),
                _optional(group.max_award_mp),
                out.label(group.id),
            )


def _lay_limits(out: _Layout, book: BookDocument) -> None:
    for cap in book.cap:
        slot = out.slot(kinds_mask(cap.kinds))
        if cap.scope == "order":
            out.slot_orders.add(slot)
        scope = ("event", "order", "day").index(cap.scope)
        out.add("caps", scope, _optional(cap.max_deduct_mp), _optional(cap.max_award_mp), slot, out.label(cap.id))
    for tier in book.tier:
        min_mp = -(2**40) if tier.min_mp is None else tier.min_mp
        out.add("tiers", min_mp, tier.bonus_fen, int(tier.review), out.label(f"tier:{tier.id}"))
    for kind in REPORT_KINDS:
        rows = sorted((row for row in book.report if row.kind == kind), key=lambda row: row.level_from)
        for level in range(NUM_LEVELS):
            row = next((row for row in reversed(rows) if row.level_from <= level), None)
            out.add_int("report_exempt", int(row is not None and row.exempt))
            out.add_int("report_s", 0 if row is None or row.gives_back_s is None else row.gives_back_s)


def _max_entries(book: BookDocument) -> int:
    """Entries one event can write: base change, its clamp and review, rules, group caps, protections, caps, clamp, bonus, review."""
    return 9 + len(book.rule) + len(book.group) + len(book.cap)


def _nth_slots(books: Sequence[Book]) -> list[int]:
    counted = sorted(
        {
            KIND_CODE[kind]
            for book in books
            for rule in book.model.rule
            if rule.when.nth_in_month is not None
            for kind in rule.kind
        }
    )
    return [counted.index(code) if code in counted else NONE for code in range(len(KINDS))]


def compile_books(books: Sequence[Book]) -> Program:
    """Lay books out as one set of tables.

    Parameters
    ----------
    books
        One or more parsed books, each once; their order is that of the column `book` of the events.

    Returns
    -------
    Program
        Tables of all of them.
    """
    out = _Layout()
    for book in books:
        _lay_book(out, book.model, _following(book, books))
    out.add_int("segment_start", out.size("segments"))
    for kinds, slot in out.slots.items():
        out.add("slots", kinds, int(slot in out.slot_orders))
    days = [calendar(zone, starts) for zone, starts in out.calendars]
    reports = (len(books), len(REPORT_KINDS), NUM_LEVELS)
    tables = Tables(
        books=_array(out, "books", BOOK_RECORD),
        limit_mp=np.array(out.ints["limit_mp"], np.int64).reshape(len(books), len(RIDER_KINDS) + 1),
        segment_start=np.array(out.ints["segment_start"], np.int64),
        segments=_array(out, "segments", SEGMENT_RECORD),
        row_rule=np.array(out.ints["row_rule"], np.int64),
        rules=_array(out, "rules", RULE_RECORD),
        tests=_array(out, "tests", TEST_RECORD),
        corners=_array(out, "corners", CORNER_RECORD),
        caps=_array(out, "caps", CAP_RECORD),
        slots=_array(out, "slots", SLOT_RECORD),
        tiers=_array(out, "tiers", TIER_RECORD),
        report_exempt=np.array(out.ints["report_exempt"], np.uint8).reshape(reports),
        report_s=np.array(out.ints["report_s"], np.int64).reshape(reports),
        nth_slot=np.array(_nth_slots(books), np.int64),
        day_start_us=np.stack([day.start_us for day in days]),
        day_change_us=np.stack([day.change_us for day in days]),
        day_offset_us=np.stack([day.offset_us for day in days]),
        day_period=np.stack([day.period for day in days]),
        old_until_us=-NEVER_US,
    )
    max_entries = max(_max_entries(book.model) for book in books)
    return Program(tuple(books), tuple(out.labels), tables, max_entries)


def _array(out: _Layout, name: str, record: np.dtype[np.void]) -> Records:
    return np.array(out.records.get(name, []), record)


REPORT_CAUSE_CODE = np.array([CAUSE_CODE[REPORT_CAUSE[kind]] for kind in REPORT_KINDS], np.int64)
