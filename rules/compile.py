"""Book → columns: the conditions of every rule as intervals and sets, and the tables that the kernel reads.

`conditions` and `match` are the plain reading of one rule and one event; `compile_books` lays the same content out
as arrays for many books at once. Nothing here scores.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rules.book import Book, BookDocument, Rule
from rules.calendar import NUM_DAYS, PERIODS, calendar
from rules.events import CAUSE_CODE, KIND_CODE, KINDS, PARTIES, REPORT_CAUSE, REPORT_KINDS, RIDER_KINDS
from rules.units import PERMILLE, US_PER_DAY

FACTS = (
    "late_s",
    "rider_kind",
    "tenure_days",
    "num_delivered",
    "weather_level",
    "distance_m",
    "minute_of_day",
    "nth_in_month",
    "party",
    "liable",
)
FACT_CODE = {fact: code for code, fact in enumerate(FACTS)}
SET_FACTS: dict[str, tuple[str, ...]] = {"rider_kind": RIDER_KINDS, "party": PARTIES, "liable": PARTIES}
UNKNOWN = -1
MAX_FACT = 2**40
NUM_LEVELS = 16
NONE = -1
ORDER_CAP_US = 30 * US_PER_DAY

# Rule ids of entries that no rule of a book writes; `tier:<id>` is added per tier.
FIXED_LABELS = (
    "base",
    "newcomer",
    "cost_limit",
    "ceiling",
    "floor",
    "fading",
    "reset",
    "training",
)


@dataclass(frozen=True, slots=True)
class Condition:
    """One fact must lie in [lo, hi] (ints), or its code in `codes` (facts of `SET_FACTS`)."""

    fact: str
    lo: int = 0
    hi: int = MAX_FACT
    codes: frozenset[int] | None = None

    def holds(self, value: int) -> bool:
        """Whether a fact's value meets the condition; an unknown fact (-1) never does."""
        if self.codes is not None:
            return value in self.codes
        return self.lo <= value <= self.hi


def takes(rule: Rule) -> bool:
    """Whether a rule can take points or money."""
    points = [rule.points_mp or 0, *(corner.points_mp for corner in rule.points_slide or ())]
    money = [
        rule.fee_share_permille or 0,
        rule.money_fen or 0,
        *(corner.share_permille for corner in rule.fee_share_slide or ()),
    ]
    return min(points) < 0 or min(money) < 0


def _interval(fact: str, spec: object) -> Condition:
    """Interval of a range part: `over` and `below` exclude their limit."""
    over, from_, up_to, below = (getattr(spec, name, None) for name in ("over", "from_", "up_to", "below"))
    if fact == "minute_of_day":
        from_, below = (None if t is None else t.hour * 60 + t.minute for t in (from_, below))
    lo = max(0 if over is None else over + 1, 0 if from_ is None else from_)
    hi = min(MAX_FACT if up_to is None else up_to, MAX_FACT if below is None else below - 1)
    return Condition(fact, lo, hi)


_RANGE_KEYS = {
    "late_min": "late_s",
    "tenure_days": "tenure_days",
    "num_delivered": "num_delivered",
    "weather_level": "weather_level",
    "distance_km": "distance_m",
    "time_of_day": "minute_of_day",
    "nth_in_month": "nth_in_month",
}


def conditions(rule: Rule, book: BookDocument) -> tuple[Condition, ...]:
    """The conditions of one rule, the implicit one included.

    In a book that counts remaining lateness, a rule that takes points or money holds only where the rider is liable.
    """
    found: list[Condition] = []
    for key, fact in _RANGE_KEYS.items():
        spec = getattr(rule.when, key)
        if spec is not None:
            found.append(_interval(fact, spec))
    liable = None if rule.when.liable is None else set(rule.when.liable)
    if book.lateness == "remaining" and takes(rule):
        liable = {"rider"} if liable is None else liable & {"rider"}
    sets = {"rider_kind": rule.when.rider_kind, "party": rule.when.party, "liable": liable}
    for fact, names in sets.items():
        if names is not None:
            found.append(Condition(fact, codes=frozenset(SET_FACTS[fact].index(name) for name in names)))
    return tuple(found)


def _truncated(numerator: int, denominator: int) -> int:
    quotient = abs(numerator) // denominator
    return quotient if numerator >= 0 else -quotient


def slide(corners: Sequence[tuple[int, int]], late_s: int) -> tuple[int, int]:
    """Value of a sliding scale at a lateness, as (numerator, denominator > 0): linear between corners, flat outside."""
    if late_s <= corners[0][0]:
        return corners[0][1], 1
    for (x0, v0), (x1, v1) in zip(corners, corners[1:], strict=False):
        if late_s <= x1:
            return v0 * (x1 - x0) + (v1 - v0) * (late_s - x0), x1 - x0
    return corners[-1][1], 1


def points_corners(rule: Rule) -> tuple[tuple[int, int], ...]:
    """Points of a rule as corners (late_s, mp); a constant is one corner."""
    if rule.points_slide is not None:
        return tuple((corner.late_min, corner.points_mp) for corner in rule.points_slide)
    return ((0, rule.points_mp or 0),)


def share_corners(rule: Rule) -> tuple[tuple[int, int], ...]:
    """Share of the fee of a rule as corners (late_s, per-mille); a constant is one corner."""
    if rule.fee_share_slide is not None:
        return tuple((corner.late_min, corner.share_permille) for corner in rule.fee_share_slide)
    return ((0, rule.fee_share_permille or 0),)


def outcome(rule: Rule, late_s: int, fee_fen: int) -> tuple[int, int]:
    """Points (mp) and money (fen) of a rule that matched; both truncated toward zero."""
    points_mp = _truncated(*slide(points_corners(rule), late_s))
    numerator, denominator = slide(share_corners(rule), late_s)
    money_fen = (rule.money_fen or 0) + _truncated(fee_fen * numerator, denominator * PERMILLE)
    return points_mp, money_fen


def match(book: BookDocument, kind: str, facts: Mapping[str, int], fee_fen: int = 0) -> list[tuple[str, int, int]]:
    """Rules that fire for one event before any cap: (rule id, points mp, money fen), in reading order.

    `facts` maps names of `FACTS` to ints; a missing one is unknown.
    """
    fired: list[tuple[str, int, int]] = []
    for group in book.group:
        for rule in book.rule:
            if rule.group != group.id or kind not in rule.kind:
                continue
            if all(test.holds(facts.get(test.fact, UNKNOWN)) for test in conditions(rule, book)):
                fired.append((rule.id, *outcome(rule, facts.get("late_s", 0), fee_fen)))
                if group.hit == "first":
                    break
    return fired


def on_time_facts(rider_kind: str) -> dict[str, int]:
    """Facts of an ordinary delivery exactly on time by an experienced rider (the yardstick of recovery)."""
    return {
        "late_s": 0,
        "rider_kind": RIDER_KINDS.index(rider_kind),
        "tenure_days": 365,
        "num_delivered": 1_000,
        "weather_level": 0,
        "distance_m": 3_000,
        "minute_of_day": 720,
        "nth_in_month": 1,
        "liable": PARTIES.index("nobody"),
    }


def on_time_award_mp(book: BookDocument, rider_kind: str) -> int:
    """Points (mp) of one delivery exactly on time, before caps."""
    return sum(points for _, points, _ in match(book, "delivered", on_time_facts(rider_kind)))


Ints = NDArray[np.int64]
Flags = NDArray[np.uint8]


class Tables(NamedTuple):
    """Books as arrays; p is the position of a book in the set, all ints are int64, flags uint8.

    Rows of segment s are `row_rule[seg_row[s]:seg_row[s + 1]]`; the segments of (p, kind) are
    `seg_start[p * K + kind]` up to the next, K = len(KINDS). Absent numbers are -1 unless said otherwise.
    """

    base_mp: Ints
    floor_mp: Ints
    ceiling_mp: Ints
    gross: Flags
    fade_us: Ints  # 0: no fading
    reset_period: Ints  # row of Calendar.period
    newcomer_orders: Ints
    newcomer_days: Ints
    newcomer_kinds: Ints  # bit per kind
    limit_mp: Ints  # [p, rider kind + 1], 0 for no limit
    limit_kinds: Ints
    training_mp: Ints  # floor of the restored score; NO_TRAINING where there is none
    training_us: Ints
    seg_start: Ints
    seg_row: Ints
    seg_all: Flags
    seg_deduct_mp: Ints
    seg_award_mp: Ints
    seg_label: Ints
    row_rule: Ints
    rule_label: Ints
    rule_cond: Ints  # [rule + 1] start of conditions
    rule_points: Ints  # [rule + 1] start of corners
    rule_share: Ints  # [rule + 1] start of corners
    rule_money_fen: Ints
    cond_fact: Ints
    cond_lo: Ints
    cond_hi: Ints
    cond_codes: Ints  # bit set; -1 for an interval
    points_x: Ints
    points_v: Ints
    share_x: Ints
    share_v: Ints
    cap_start: Ints
    cap_scope: Ints  # 0 event, 1 order, 2 day
    cap_deduct_mp: Ints
    cap_award_mp: Ints
    cap_slot: Ints
    cap_label: Ints
    slot_kinds: Ints  # kinds that a slot of accumulated points sums over
    slot_orders: Flags  # whether an order cap reads the slot
    tier_start: Ints
    tier_min_mp: Ints
    tier_bonus_fen: Ints
    tier_review: Flags
    tier_label: Ints
    report_exempt: Flags  # [p, report kind, level]
    report_s: Ints  # [p, report kind, level]
    nth_slot: Ints  # [kind] position among the kinds counted by month, -1 where not counted
    cal: Ints  # [p] calendar
    day_start_us: Ints  # [calendar, day + 1]
    day_change_us: Ints  # [calendar, day] when the clocks change on that day
    day_offset_us: Ints  # [calendar, day, before or after the change]
    day_period: NDArray[np.int32]  # [calendar, period, day]


NO_TRAINING = -(2**40)


@dataclass(frozen=True, slots=True)
class Program:
    """A set of books ready for the kernel.

    `labels[code]` is the rule id of an entry; `max_entries` bounds the entries that one event can write.
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
    """Collects columns while books are laid out one after the other; `columns` becomes the arrays."""

    def __init__(self) -> None:
        self.columns: dict[str, list[int]] = {name: [] for name in Tables._fields}
        self.labels: dict[str, int] = {label: code for code, label in enumerate(FIXED_LABELS)}
        self.slots: dict[int, int] = {}
        self.slot_orders: set[int] = set()
        self.calendars: dict[tuple[str, dt.time], int] = {}

    def add(self, **values: int) -> None:
        for name, value in values.items():
            self.columns[name].append(value)

    def size(self, name: str) -> int:
        return len(self.columns[name])

    def label(self, text: str) -> int:
        return self.labels.setdefault(text, len(self.labels))

    def slot(self, kinds: int) -> int:
        return self.slots.setdefault(kinds, len(self.slots))


def _lay_scalars(out: _Layout, book: BookDocument) -> None:
    newcomer, training = book.newcomer, book.training
    out.add(
        base_mp=book.score.base_mp,
        floor_mp=book.score.floor_mp,
        ceiling_mp=book.score.ceiling_mp,
        gross=int(book.lateness == "gross"),
        fade_us=0 if book.fading is None else book.fading.after_days * US_PER_DAY,
        reset_period=NONE if book.reset is None else PERIODS.index(book.reset.every),
        newcomer_orders=0 if newcomer is None else newcomer.first_orders,
        newcomer_days=0 if newcomer is None else newcomer.first_days,
        newcomer_kinds=0 if newcomer is None else kinds_mask(newcomer.kinds),
        limit_kinds=0 if book.cost_limit is None else kinds_mask(book.cost_limit.kinds),
        training_mp=NO_TRAINING if training is None else training.restores_to_mp,
        training_us=0 if training is None else training.every_days * US_PER_DAY,
        cal=out.calendars.setdefault((book.time_zone, book.day_starts), len(out.calendars)),
    )
    orders = 0 if book.cost_limit is None else book.cost_limit.on_time_orders
    limits = [max(0, orders * on_time_award_mp(book, kind)) for kind in RIDER_KINDS]
    # A rider of unknown kind gets the limit that costs less.
    for limit in (min((limit for limit in limits if limit > 0), default=0), *limits):
        out.add(limit_mp=limit)


def _lay_rules(out: _Layout, book: BookDocument) -> None:
    first = out.size("rule_label")
    for rule in book.rule:
        out.add(
            rule_label=out.label(rule.id),
            rule_cond=out.size("cond_fact"),
            rule_points=out.size("points_x"),
            rule_share=out.size("share_x"),
            rule_money_fen=rule.money_fen or 0,
        )
        for test in conditions(rule, book):
            codes = NONE if test.codes is None else sum(1 << code for code in test.codes)
            out.add(cond_fact=FACT_CODE[test.fact], cond_lo=test.lo, cond_hi=test.hi, cond_codes=codes)
        for late_s, value in points_corners(rule):
            out.add(points_x=late_s, points_v=value)
        for late_s, value in share_corners(rule):
            out.add(share_x=late_s, share_v=value)
    for kind in KINDS:
        out.add(seg_start=out.size("seg_all"))
        for group in book.group:
            rows = [
                first + position
                for position, rule in enumerate(book.rule)
                if rule.group == group.id and kind in rule.kind
            ]
            if not rows:
                continue
            out.add(
                seg_row=out.size("row_rule"),
                seg_all=int(group.hit == "all"),
                seg_deduct_mp=NONE if group.max_deduct_mp is None else group.max_deduct_mp,
                seg_award_mp=NONE if group.max_award_mp is None else group.max_award_mp,
                seg_label=out.label(group.id),
            )
            for row in rows:
                out.add(row_rule=row)


def _lay_limits(out: _Layout, book: BookDocument) -> None:
    out.add(cap_start=out.size("cap_scope"), tier_start=out.size("tier_min_mp"))
    for cap in book.cap:
        slot = out.slot(kinds_mask(cap.kinds))
        if cap.scope == "order":
            out.slot_orders.add(slot)
        out.add(
            cap_scope=("event", "order", "day").index(cap.scope),
            cap_deduct_mp=NONE if cap.max_deduct_mp is None else cap.max_deduct_mp,
            cap_award_mp=NONE if cap.max_award_mp is None else cap.max_award_mp,
            cap_slot=slot,
            cap_label=out.label(cap.id),
        )
    for tier in book.tier:
        out.add(
            tier_min_mp=-(2**40) if tier.min_mp is None else tier.min_mp,
            tier_bonus_fen=tier.bonus_fen,
            tier_review=int(tier.review),
            tier_label=out.label(f"tier:{tier.id}"),
        )
    for kind in REPORT_KINDS:
        rows = sorted((row for row in book.report if row.kind == kind), key=lambda row: row.level_from)
        for level in range(NUM_LEVELS):
            row = next((row for row in reversed(rows) if row.level_from <= level), None)
            out.add(
                report_exempt=int(row is not None and row.exempt),
                report_s=0 if row is None or row.gives_back_s is None else row.gives_back_s,
            )


def _max_entries(book: BookDocument) -> int:
    """Entries one event can write: base change and its clamp, rules, group caps, protections, caps, clamp, bonus, review."""
    return 8 + len(book.rule) + len(book.group) + len(book.cap)


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
        Any number of parsed books, each once; their order is that of the column `book` of the events.
    """
    out = _Layout()
    for book in books:
        _lay_scalars(out, book.model)
        _lay_rules(out, book.model)
        _lay_limits(out, book.model)
    for name, end in (
        ("seg_start", "seg_all"),
        ("seg_row", "row_rule"),
        ("rule_cond", "cond_fact"),
        ("rule_points", "points_x"),
        ("rule_share", "share_x"),
        ("cap_start", "cap_scope"),
        ("tier_start", "tier_min_mp"),
    ):
        out.columns[name].append(out.size(end))
    for kinds, slot in out.slots.items():
        out.add(slot_kinds=kinds, slot_orders=int(slot in out.slot_orders))
    out.columns["nth_slot"] = _nth_slots(books)
    flags = {"gross", "seg_all", "slot_orders", "tier_review", "report_exempt"}
    arrays: dict[str, Any] = {
        name: np.array(values, np.uint8 if name in flags else np.int64) for name, values in out.columns.items()
    }
    days = [calendar(zone, starts) for zone, starts in out.calendars]
    shape = (len(books), len(REPORT_KINDS), NUM_LEVELS)
    arrays |= {
        "limit_mp": arrays["limit_mp"].reshape(len(books), len(RIDER_KINDS) + 1),
        "report_exempt": arrays["report_exempt"].reshape(shape),
        "report_s": arrays["report_s"].reshape(shape),
        "day_start_us": np.array([day.start_us for day in days], np.int64).reshape(-1, NUM_DAYS + 1),
        "day_change_us": np.array([day.change_us for day in days], np.int64).reshape(-1, NUM_DAYS),
        "day_offset_us": np.array([day.offset_us for day in days], np.int64).reshape(-1, NUM_DAYS, 2),
        "day_period": np.array([day.period for day in days], np.int32).reshape(-1, len(PERIODS), NUM_DAYS),
    }
    max_entries = max((_max_entries(book.model) for book in books), default=0)
    return Program(tuple(books), tuple(out.labels), Tables(**arrays), max_entries)


REPORT_CAUSE_CODE = np.array([CAUSE_CODE[REPORT_CAUSE[kind]] for kind in REPORT_KINDS], np.int64)
