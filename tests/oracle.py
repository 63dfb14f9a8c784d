"""The oracle: a slow, obvious reading of a book and a list of events, to hold the kernel against.

Straight from semantics.md and the fold of one rider; plain Python ints, every sum taken anew over the whole
history. It shares no code with `rules.compile` or `scoring`. A person should be able to read it beside the text.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

from rules.book import BookDocument, Cap, Rule, RuleGroup
from tests.oracle_facts import (
    DAY_US,
    Event,
    Liability,
    day_start_us,
    facts,
    liability,
    liable_party,
    local_day,
    version_at,
)

ORDER_MEMORY_US = 30 * DAY_US


@dataclass(frozen=True)
class Line:
    """One entry as it should be in effect."""

    event_id: str
    rule_id: str
    kind: str
    delta_mp: int
    money_fen: int
    liable_party: str
    late_s: int
    time_given_back_s: int
    occurred_us: int


@dataclass
class Outcome:
    """What is true of one rider after all events."""

    opening_mp: int
    score_mp: int
    tier: str
    review_required: bool
    lines: list[Line]
    num_delivered: int
    num_on_time: int
    num_late: int
    num_exempt: int
    fees_fen: int

    def net(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Points and money by (event, rule), nothing that nets to nothing."""
        return net_of((line.event_id, line.rule_id, line.delta_mp, line.money_fen) for line in self.lines)


def net_of(rows: Iterable[tuple[str, str, int, int]]) -> dict[tuple[str, str], tuple[int, int]]:
    """Sums of points and money by (event, rule), zero pairs left out."""
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for event_id, rule_id, delta_mp, money_fen in rows:
        points, money = sums.get((event_id, rule_id), (0, 0))
        sums[event_id, rule_id] = (points + delta_mp, money + money_fen)
    return {key: value for key, value in sums.items() if value != (0, 0)}


def in_range(value: int | None, limits: Any) -> bool:
    """`over` and `below` exclude their limit, `from` and `up_to` include it; the unknown is in no range."""
    if value is None:
        return False
    over, below = getattr(limits, "over", None), limits.below
    up_to = getattr(limits, "up_to", None)
    return (
        (over is None or value > over)
        and (limits.from_ is None or value >= limits.from_)
        and (up_to is None or value <= up_to)
        and (below is None or value < below)
    )


def in_day_range(minute: int | None, limits: Any) -> bool:
    """`from` included, `below` excluded."""
    if minute is None:
        return False
    after = limits.from_ is None or minute >= limits.from_.hour * 60 + limits.from_.minute
    return after and (limits.below is None or minute < limits.below.hour * 60 + limits.below.minute)


def takes(rule: Rule) -> bool:
    """Whether a rule can take points or money."""
    amounts = [rule.points_mp, rule.fee_share_permille, rule.money_fen]
    amounts += [corner.points_mp for corner in rule.points_slide or ()]
    amounts += [corner.share_permille for corner in rule.fee_share_slide or ()]
    return any(amount is not None and amount < 0 for amount in amounts)


def matches(book: BookDocument, rule: Rule, kind: str, fact: dict[str, Any]) -> bool:
    """Whether all conditions hold; in a book of remaining lateness a taking rule needs a liable rider."""
    if kind not in rule.kind:
        return False
    if book.lateness == "remaining" and takes(rule) and fact["liable"] != "rider":
        return False
    when = rule.when
    for name in ("late_s", "tenure_days", "num_delivered", "weather_level", "distance_m", "nth_in_month"):
        limits = getattr(when, name)
        if limits is not None and not in_range(fact[name], limits):
            return False
    if when.time_of_day is not None and not in_day_range(fact["time_of_day"], when.time_of_day):
        return False
    for name in ("rider_kind", "party", "liable"):
        allowed = getattr(when, name)
        if allowed is not None and fact[name] not in allowed:
            return False
    return True


def slide(corners: list[tuple[int, int]], late_s: int) -> Fraction:
    """A straight line between corners, constant outside them."""
    if late_s <= corners[0][0]:
        return Fraction(corners[0][1])
    for (left, low), (right, high) in pairwise(corners):
        if late_s <= right:
            return low + Fraction((high - low) * (late_s - left), right - left)
    return Fraction(corners[-1][1])


def points_of(rule: Rule, late_s: int) -> int:
    """Milli-points of a rule; `int` of a fraction cuts toward zero."""
    if rule.points_slide is not None:
        return int(slide([(corner.late_s, corner.points_mp) for corner in rule.points_slide], late_s))
    return rule.points_mp or 0


def money_of(rule: Rule, late_s: int, fee_fen: int) -> int:
    """Fen of a rule; fines and shares round down, so toward zero."""
    if rule.fee_share_slide is not None:
        share = slide([(corner.late_s, corner.share_permille) for corner in rule.fee_share_slide], late_s)
        return int(fee_fen * share / 1000)
    if rule.fee_share_permille is not None:
        return int(Fraction(fee_fen * rule.fee_share_permille, 1000))
    return rule.money_fen or 0


def hits(book: BookDocument, group: RuleGroup, kind: str, fact: dict[str, Any]) -> list[Rule]:
    """The rules of a group that apply, in document order."""
    found = [rule for rule in book.rule if rule.group == group.id and matches(book, rule, kind, fact)]
    return found[:1] if group.hit == "first" else found


def on_time_award_mp(book: BookDocument, rider_kind: str | None) -> int:
    """Points of a delivery exactly on time under ordinary facts (at noon, one year in), before caps."""
    ordinary: dict[str, Any] = {
        "late_s": 0,
        "rider_kind": rider_kind,
        "tenure_days": 365,
        "num_delivered": 1_000,
        "weather_level": 0,
        "distance_m": 3_000,
        "time_of_day": 12 * 60,
        "nth_in_month": 1,
        "party": None,
        "liable": "nobody",
    }
    return sum(points_of(rule, 0) for group in book.group for rule in hits(book, group, "delivered", ordinary))


def tier_of(book: BookDocument, score_mp: int) -> Any:
    """The highest tier whose threshold the score reaches."""
    reached = book.tier[0]
    for tier in book.tier:
        if tier.above_mp is not None and score_mp > tier.above_mp:
            reached = tier
        if tier.from_mp is not None and score_mp >= tier.from_mp:
            reached = tier
    return reached


def period_of(day: dt.date, every: str) -> tuple[int, int]:
    """The calendar period a local day lies in."""
    if every == "week":
        return day.isocalendar()[:2]
    return {
        "month": (day.year, day.month),
        "quarter": (day.year, (day.month - 1) // 3),
        "year": (day.year, 0),
    }[every]


@dataclass(frozen=True)
class Loss:
    """Points one event cost and gave after all caps, for caps over an order or a day."""

    event: Event
    day: dt.date
    deducted_mp: int
    awarded_mp: int


@dataclass(frozen=True)
class Fade:
    """A deduction waiting to be returned."""

    due_us: int
    event_id: str
    amount_mp: int


@dataclass
class Fold:
    """One rider's history, read from the front to the back."""

    books: Sequence[BookDocument]
    events: Sequence[Event]
    upheld: frozenset[str] = frozenset()
    score_mp: int = 0
    opening_mp: int = 0
    book: BookDocument | None = None
    review: bool = False
    seen_us: int = 0
    lines: list[Line] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    fades: list[Fade] = field(default_factory=list)
    last_training_us: int | None = None

    def run(self, as_of_us: int) -> None:
        for event in self.events:
            self.before(event)
            self.score_event(event)
        if self.events:
            self.due_until(as_of_us)

    def write(
        self,
        event_id: str,
        rule_id: str,
        kind: str,
        delta_mp: int,
        us: int,
        money_fen: int = 0,
        found: Liability | None = None,
    ) -> None:
        found = found or Liability(0, 0, False, "nobody")
        line = Line(
            event_id,
            rule_id,
            kind,
            delta_mp,
            money_fen,
            found.party,
            found.late_s,
            found.time_given_back_s,
            us,
        )
        self.lines.append(line)
        self.score_mp += delta_mp

    def clamp(self, event_id: str, us: int, found: Liability | None = None) -> int:
        """Bring the score back into the scale; returns what that changed."""
        assert self.book is not None
        scale = self.book.score
        inside = min(max(self.score_mp, scale.floor_mp), scale.ceiling_mp)
        change = inside - self.score_mp
        if change:
            self.write(event_id, "ceiling" if change < 0 else "floor", "clamp", change, us, found=found)
        return change

    def ask_review(self, event_id: str, us: int) -> None:
        """One `review` entry when the score enters a tier with review, none again until it has left."""
        assert self.book is not None
        tier = tier_of(self.book, self.score_mp)
        if tier.review and not self.review:
            self.write(event_id, f"tier:{tier.id}", "review", 0, us)
        self.review = tier.review

    def before(self, event: Event) -> None:
        """What is due before an event, new versions included."""
        us = event["occurred_us"]
        if self.book is None:
            self.book = version_at(self.books, us)
            self.score_mp = self.opening_mp = self.book.score.base_mp
        else:
            self.due_until(us)
        self.seen_us = us

    def enter(self, book: BookDocument, us: int) -> None:
        """A new version takes effect: a changed base moves the score, its scale bounds it, its tiers say whether a review is due."""
        assert self.book is not None
        change = book.score.base_mp - self.book.score.base_mp
        self.book = book
        self.seen_us = us
        reset_id = f"reset:{local_day(book, us)}"
        if change:
            self.write(reset_id, "base", "reset", change, us)
        self.advance(self.clamp(reset_id, us))
        self.ask_review(reset_id, us)

    def next_version(self, until_us: int) -> list[tuple[int, BookDocument]]:
        """The version after the rider's, if it takes effect by then."""
        assert self.book is not None
        later = [book for book in self.books if book.effective_from > self.book.effective_from]
        starts = [(day_start_us(book, book.effective_from), book) for book in later[:1]]
        return [start for start in starts if start[0] <= until_us]

    def resets_until(self, until_us: int) -> list[tuple[int, dt.date]]:
        """Starts of calendar periods after the last event, by the book of that event."""
        assert self.book is not None
        if self.book.reset is None:
            return []
        starts = []
        day = local_day(self.book, self.seen_us)
        while day_start_us(self.book, day) <= until_us:
            earlier = day - dt.timedelta(days=1)
            every = self.book.reset.every
            if period_of(day, every) != period_of(earlier, every) and day_start_us(self.book, day) > self.seen_us:
                starts.append((day_start_us(self.book, day), day))
            day += dt.timedelta(days=1)
        return starts

    def due_until(self, until_us: int) -> None:
        """Resets, new versions and fades in the order of their instants, and in that order at the same instant."""
        never = until_us + 1
        while True:
            resets = self.resets_until(until_us)
            versions = self.next_version(until_us)
            fade = min(self.fades, key=lambda fade: fade.due_us, default=None)
            reset_us = resets[0][0] if resets else never
            version_us = versions[0][0] if versions else never
            fade_us = fade.due_us if fade is not None else never
            if min(reset_us, version_us, fade_us) > until_us:
                return
            if reset_us <= version_us and reset_us <= fade_us:
                self.reset(*resets[0])
            elif version_us <= fade_us:
                self.enter(versions[0][1], version_us)
            else:
                assert fade is not None
                self.fades.remove(fade)
                self.write(fade.event_id, "fading", "fade", fade.amount_mp, fade.due_us)
                self.clamp(fade.event_id, fade.due_us)
                self.ask_review(fade.event_id, fade.due_us)

    def reset(self, us: int, day: dt.date) -> None:
        assert self.book is not None
        self.fades.clear()
        self.seen_us = us
        change = self.book.score.base_mp - self.score_mp
        if change:
            self.write(f"reset:{day}", "reset", "reset", change, us)
            self.ask_review(f"reset:{day}", us)

    def score_event(self, event: Event) -> None:
        """Rules, group caps, newcomer, cost limit, caps, clamp, bonus, training, review, fading: in this order."""
        assert self.book is not None
        book, kind, event_id, us = self.book, event["kind"], event["event_id"], event["occurred_us"]
        appealed = event_id in self.upheld
        fact = facts(book, self.books, event, self.events)
        found = Liability(0, 0, False, liable_party(book, event, self.events))
        if kind == "delivered":
            found = liability(book, event, self.events)
        if appealed and found.party == "rider":
            found = replace(found, party="nobody")
        score_before_mp = self.score_mp
        deducted = awarded = 0

        for group in book.group:
            minus = plus = 0
            for rule in hits(book, group, kind, fact):
                delta = points_of(rule, fact["late_s"])
                money = money_of(rule, fact["late_s"], event.get("fee_fen") or 0) if takes_money(rule, kind) else 0
                entry_kind = "deduct" if delta < 0 or (delta == 0 and money < 0) else "award"
                if appealed:
                    delta, money = max(delta, 0), max(money, 0)
                self.write(event_id, rule.id, entry_kind, delta, us, money, found)
                minus += max(0, -delta)
                plus += max(0, delta)
            back = 0
            if group.max_deduct_mp is not None and minus > group.max_deduct_mp:
                back += minus - group.max_deduct_mp
                minus = group.max_deduct_mp
            if group.max_award_mp is not None and plus > group.max_award_mp:
                back -= plus - group.max_award_mp
                plus = group.max_award_mp
            if back:
                self.write(event_id, group.id, "cap", back, us, found=found)
            deducted += minus
            awarded += plus

        if deducted and self.is_newcomer(kind, fact):
            self.write(event_id, "newcomer", "cap", deducted, us, found=found)
            deducted = 0
        limit = self.cost_limit_mp(kind, event)
        if limit is not None and deducted > limit:
            self.write(event_id, "cost_limit", "cap", deducted - limit, us, found=found)
            deducted = limit
        for cap in book.cap:
            if cap.kinds is not None and kind not in cap.kinds:
                continue
            if cap.scope == "order" and not event.get("order_id"):
                continue
            if cap.max_deduct_mp is not None:
                earlier = sum(loss.deducted_mp for loss in self.within(cap, event))
                excess = min(deducted, max(0, earlier + deducted - cap.max_deduct_mp))
                if excess:
                    self.write(event_id, cap.id, "cap", excess, us, found=found)
                    deducted -= excess
            if cap.max_award_mp is not None:
                earlier = sum(loss.awarded_mp for loss in self.within(cap, event))
                excess = min(awarded, max(0, earlier + awarded - cap.max_award_mp))
                if excess:
                    self.write(event_id, cap.id, "cap", -excess, us, found=found)
                    awarded -= excess
        self.losses.append(Loss(event, local_day(book, us), deducted, awarded))

        lift_mp = self.train(event_id, us) if kind == "training_passed" else 0
        clamped = self.clamp(event_id, us, found)
        bonus_tier = tier_of(book, score_before_mp)
        if kind == "delivered" and bonus_tier.bonus_fen > 0:
            self.write(event_id, f"tier:{bonus_tier.id}", "award", 0, us, bonus_tier.bonus_fen, found)
        self.ask_review(event_id, us)
        lost = deducted - max(0, clamped)
        if book.fading is not None and lost > 0:
            self.fades.append(Fade(us + book.fading.after_days * DAY_US, event_id, lost))
        self.advance(lift_mp + min(0, clamped))

    def is_newcomer(self, kind: str, fact: dict[str, Any]) -> bool:
        assert self.book is not None
        rule = self.book.newcomer
        if rule is None or kind not in rule.kinds:
            return False
        tenure_days = fact["tenure_days"]
        young = tenure_days is not None and tenure_days < rule.first_days
        return fact["num_delivered"] < rule.first_orders or young

    def cost_limit_mp(self, kind: str, event: Event) -> int | None:
        """The most one event may cost; a limit without an on-time award binds nothing."""
        assert self.book is not None
        rule = self.book.cost_limit
        if rule is None or (rule.kinds is not None and kind not in rule.kinds):
            return None
        award = on_time_award_mp(self.book, event.get("rider_kind") or None)
        return rule.on_time_orders * award if award > 0 else None

    def within(self, cap: Cap, event: Event) -> list[Loss]:
        """Earlier events that a cap counts together with this one."""
        assert self.book is not None
        us = event["occurred_us"]
        counted = [loss for loss in self.losses if cap.kinds is None or loss.event["kind"] in cap.kinds]
        if cap.scope == "order":
            return [
                loss
                for loss in counted
                if loss.event.get("order_id") == event["order_id"] and us - loss.event["occurred_us"] <= ORDER_MEMORY_US
            ]
        if cap.scope == "day":
            return [loss for loss in counted if loss.day == local_day(self.book, us)]
        return []

    def advance(self, given_mp: int) -> None:
        """Points given before they were due are taken from the deductions that wait, latest due first."""
        while given_mp > 0 and self.fades:
            latest = max(reversed(self.fades), key=lambda fade: fade.due_us)
            self.fades.remove(latest)
            taken = min(given_mp, latest.amount_mp)
            given_mp -= taken
            if latest.amount_mp > taken:
                self.fades.append(replace(latest, amount_mp=latest.amount_mp - taken))

    def train(self, event_id: str, us: int) -> int:
        """A passed course lifts the score, if the last one is long enough ago; by how much."""
        assert self.book is not None
        training = self.book.training
        if training is None:
            return 0
        last_us = self.last_training_us
        if last_us is not None and us - last_us < training.every_days * DAY_US:
            return 0
        self.last_training_us = us
        lift_mp = max(0, training.restores_to_mp - self.score_mp)
        self.write(event_id, "training", "training", lift_mp, us)
        return lift_mp


def takes_money(rule: Rule, kind: str) -> bool:
    """A share of the fee belongs to deliveries only; a fixed sum to any event."""
    return rule.money_fen is not None or kind == "delivered"


def rider_outcome(
    books: Sequence[BookDocument], events: Sequence[Event], as_of_us: int, upheld: frozenset[str]
) -> Outcome:
    """The outcome of one rider's effective events (corrections applied, control events taken out)."""
    ordered = sorted(events, key=lambda event: (event["occurred_us"], event["event_id"].encode()))
    fold = Fold(books, ordered, upheld)
    fold.run(as_of_us)
    assert fold.book is not None
    delivered = [event for event in ordered if event["kind"] == "delivered"]
    found = [
        (event["event_id"] in upheld, liability(version_at(books, event["occurred_us"]), event, ordered))
        for event in delivered
    ]
    num_on_time = sum(one.late_s == 0 for _, one in found)
    num_late = sum(one.remaining_s > 0 and not one.exempt and not appealed for appealed, one in found)
    return Outcome(
        opening_mp=fold.opening_mp,
        score_mp=fold.score_mp,
        tier=tier_of(fold.book, fold.score_mp).id,
        review_required=fold.review,
        lines=fold.lines,
        num_delivered=len(delivered),
        num_on_time=num_on_time,
        num_late=num_late,
        num_exempt=len(delivered) - num_on_time - num_late,
        fees_fen=sum(event.get("fee_fen") or 0 for event in delivered),
    )
