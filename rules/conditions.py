"""The plain reading of one rule and one event: conditions as ranges and sets, which rules fire, and what they give.

`compile` lays the same content out as arrays for many books at once; the two are tested to agree. Nothing here scores.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rules.book import BookDocument, Rule
from rules.events import PARTIES, RIDER_KINDS
from rules.units import PERMILLE

FACTS = (
    "late_s", "rider_kind", "tenure_days", "num_delivered", "weather_level", "distance_m", "minute_of_day", "nth_in_month", "party", "liable"
)  # fmt: skip
FACT_CODE = {fact: code for code, fact in enumerate(FACTS)}
SET_FACTS: dict[str, tuple[str, ...]] = {"rider_kind": RIDER_KINDS, "party": PARTIES, "liable": PARTIES}
UNKNOWN = -1
MAX_FACT = 2**40


@dataclass(frozen=True, slots=True)
class Condition:
    """One fact must lie in [lo, hi] (ints), or its code in `codes` (facts of `SET_FACTS`).

    Parameters
    ----------
    fact
        One of `FACTS`.
    lo
        Lowest value that holds, in the fact's unit (s, m, days, minutes of the day).
    hi
        Highest value that holds; `MAX_FACT` for no limit.
    codes
        Codes that hold, for a fact of `SET_FACTS`; None for a range.
    """

    fact: str
    lo: int = 0
    hi: int = MAX_FACT
    codes: frozenset[int] | None = None

    def holds(self, value: int) -> bool:
        """Whether a fact's value meets the condition; an unknown fact (-1) never does."""
        if self.codes is not None:
            return value in self.codes
        return self.lo <= value <= self.hi


def can_deduct(rule: Rule) -> bool:
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


# Conditions that are ranges; each is named as the fact it looks at, but for the time of day.
_RANGES = ("late_s", "tenure_days", "num_delivered", "weather_level", "distance_m", "time_of_day", "nth_in_month")


def conditions_of(rule: Rule, book: BookDocument) -> tuple[Condition, ...]:
    """The conditions of one rule, the implicit one included.

    In a book that counts remaining lateness, a rule that takes points or money holds only where the rider is liable.

    Parameters
    ----------
    rule
        One rule.
    book
        The book it stands in.

    Returns
    -------
    tuple of Condition
        All must hold.
    """
    tests: list[Condition] = []
    for name in _RANGES:
        spec = getattr(rule.when, name)
        if spec is not None:
            tests.append(_interval("minute_of_day" if name == "time_of_day" else name, spec))
    liable = None if rule.when.liable is None else set(rule.when.liable)
    if book.lateness == "remaining" and can_deduct(rule):
        liable = {"rider"} if liable is None else liable & {"rider"}
    sets = {"rider_kind": rule.when.rider_kind, "party": rule.when.party, "liable": liable}
    for fact, names in sets.items():
        if names is not None:
            tests.append(Condition(fact, codes=frozenset(SET_FACTS[fact].index(name) for name in names)))
    return tuple(tests)


def _truncated(numerator: int, denominator: int) -> int:
    quotient = abs(numerator) // denominator
    return quotient if numerator >= 0 else -quotient


def slide(corners: Sequence[tuple[int, int]], late_s: int) -> tuple[int, int]:
    """Value of a sliding scale at a lateness, as (numerator, denominator > 0): linear between corners, flat outside."""
    if late_s <= corners[0][0]:
        return corners[0][1], 1
    for (x0, v0), (x1, v1) in pairwise(corners):
        if late_s <= x1:
            return v0 * (x1 - x0) + (v1 - v0) * (late_s - x0), x1 - x0
    return corners[-1][1], 1


def points_corners(rule: Rule) -> tuple[tuple[int, int], ...]:
    """Points of a rule as corners (late_s, mp); a constant is one corner."""
    if rule.points_slide is not None:
        return tuple((corner.late_s, corner.points_mp) for corner in rule.points_slide)
    return ((0, rule.points_mp or 0),)


def share_corners(rule: Rule) -> tuple[tuple[int, int], ...]:
    """Share of the fee of a rule as corners (late_s, per-mille); a constant is one corner."""
    if rule.fee_share_slide is not None:
        return tuple((corner.late_s, corner.share_permille) for corner in rule.fee_share_slide)
    return ((0, rule.fee_share_permille or 0),)


def outcome(rule: Rule, late_s: int, fee_fen: int) -> tuple[int, int]:
    """Points (mp) and money (fen) of a rule that matched; both truncated toward zero.

    Parameters
    ----------
    rule
        The rule that matched.
    late_s
        Lateness in seconds, at least 0.
    fee_fen
        Delivery fee.

    Returns
    -------
    tuple of int
        Milli-points and fen; negative takes.
    """
    points_mp = _truncated(*slide(points_corners(rule), late_s))
    numerator, denominator = slide(share_corners(rule), late_s)
    money_fen = (rule.money_fen or 0) + _truncated(fee_fen * numerator, denominator * PERMILLE)
    return points_mp, money_fen


def match(book: BookDocument, kind: str, facts: Mapping[str, int], fee_fen: int = 0) -> list[tuple[str, int, int]]:
    """Find the rules that fire for one event before any cap, in reading order.

    Parameters
    ----------
    book
        A sound book.
    kind
        Event kind.
    facts
        Names of `FACTS` to ints; a missing one is unknown and meets no condition.
    fee_fen
        Delivery fee, for shares of it.

    Returns
    -------
    list of tuple
        Rule id, points in milli-points, money in fen.
    """
    fired: list[tuple[str, int, int]] = []
    for group in book.group:
        for rule in book.rule:
            if rule.group != group.id or kind not in rule.kind:
                continue
            if all(test.holds(facts.get(test.fact, UNKNOWN)) for test in conditions_of(rule, book)):
                fired.append((rule.id, *outcome(rule, facts.get("late_s", 0), fee_fen)))
                if group.hit == "first":
                    break
    return fired


def on_time_facts(rider_kind: str) -> dict[str, int]:
    """Facts of an ordinary delivery exactly on time by an experienced rider (the yardstick of recovery).

    Parameters
    ----------
    rider_kind
        One of `RIDER_KINDS`.

    Returns
    -------
    dict
        Values of `FACTS`, in seconds, days, metres and minutes of the day.
    """
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
    """Points (mp) of one delivery exactly on time, before caps.

    Parameters
    ----------
    book
        A sound book.
    rider_kind
        One of `RIDER_KINDS`.

    Returns
    -------
    int
        Milli-points; 0 where no rule awards any.
    """
    return sum(points for _, points, _ in match(book, "delivered", on_time_facts(rider_kind)))
