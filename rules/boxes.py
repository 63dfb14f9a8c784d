"""Exact arithmetic on the events that a rule catches: boxes of fact values.

A box gives every fact a range of ints or a set of codes; a missing fact is unrestricted. `domain` is what can happen
at all: kinds other than a delivery are never late, and who is liable follows from the lateness that is left.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rules.book import BookDocument, Rule
from rules.conditions import MAX_FACT, SET_FACTS, UNKNOWN, conditions_of
from rules.events import CANCEL_PARTIES, PARTIES, RIDER_FAULT_KINDS, RIDER_KINDS

Range = tuple[int, int]
_NEVER_UNKNOWN = ("late_s", "num_delivered", "weather_level")
_MAX_PIECES = 500


@dataclass(frozen=True, slots=True)
class Box:
    """Fact values: closed ranges of ints, and sets of codes; -1 is the unknown fact."""

    ranges: dict[str, Range] = field(default_factory=dict)
    sets: dict[str, frozenset[int]] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether no event fits."""
        return any(lo > hi for lo, hi in self.ranges.values()) or not all(self.sets.values())


def box_of(rule: Rule, book: BookDocument) -> Box:
    """The events of any kind that meet a rule's conditions, the implicit one included."""
    box = Box()
    for test in conditions_of(rule, book):
        if test.codes is None:
            box = intersection(box, Box(ranges={test.fact: (test.lo, test.hi)}))
        else:
            box = intersection(box, Box(sets={test.fact: test.codes}))
    return box


def domain(book: BookDocument, kind: str) -> tuple[Box, ...]:
    """Disjoint boxes that hold every event of a kind."""
    ranges = dict.fromkeys(_NEVER_UNKNOWN, (0, MAX_FACT)) | {
        "weather_level": (0, 15),
        "tenure_days": (UNKNOWN, MAX_FACT),
        "distance_m": (UNKNOWN, MAX_FACT),
        "minute_of_day": (0, 24 * 60 - 1),
        "nth_in_month": (1, MAX_FACT),
    }
    kinds = frozenset({UNKNOWN, *(RIDER_KINDS.index(name) for name in book.rider_kinds)})
    # Nothing stops a producer from giving a distance or a party with events that need none.
    sets = {"rider_kind": kinds, "party": _codes(CANCEL_PARTIES) | {UNKNOWN}}
    if kind == "delivered":
        return tuple(
            Box(ranges | {"late_s": late}, sets | {"liable": _codes(parties)})
            for late, parties in _liable_by_lateness(book)
        )
    ranges |= {"late_s": (0, 0)}
    if kind == "cancelled":
        # The party that cancelled is liable; if it is unknown, nobody is.
        known = [Box(ranges, sets | {"party": _codes([by]), "liable": _codes([by])}) for by in CANCEL_PARTIES]
        return (*known, Box(ranges, sets | {"party": frozenset({UNKNOWN}), "liable": _codes(["nobody"])}))
    return (Box(ranges, sets | {"liable": _codes(_liable_parties(kind))}),)


def _liable_by_lateness(book: BookDocument) -> tuple[tuple[Range, tuple[str, ...]], ...]:
    if book.lateness == "gross":
        return ((0, 0), ("nobody",)), ((1, MAX_FACT), tuple(party for party in PARTIES if party != "nobody"))
    return ((0, 0), tuple(party for party in PARTIES if party != "rider")), ((1, MAX_FACT), ("rider",))


def _liable_parties(kind: str) -> tuple[str, ...]:
    if kind == "undelivered":
        return tuple(party for party in PARTIES if party != "nobody")
    if kind in RIDER_FAULT_KINDS:
        return ("rider",)
    return ("platform",) if kind == "reassigned_system" else ("nobody",)


def _codes(parties: Iterable[str]) -> frozenset[int]:
    return frozenset(PARTIES.index(party) for party in parties)


def intersection(a: Box, b: Box) -> Box:
    """The events in both."""
    ranges = dict(a.ranges)
    for fact, (lo, hi) in b.ranges.items():
        range_ = ranges.get(fact, (lo, hi))
        ranges[fact] = (max(range_[0], lo), min(range_[1], hi))
    sets = dict(a.sets)
    for fact, codes in b.sets.items():
        sets[fact] = sets[fact] & codes if fact in sets else codes
    return Box(ranges, sets)


def contains(outer: Box, inner: Box) -> bool:
    """Whether every event of `inner` is in `outer`; both restricted to the same domain."""
    return not _without(inner, outer)


def reach(box: Box, events: Sequence[Box]) -> list[Box]:
    """What of `events` the box catches."""
    caught = [intersection(piece, box) for piece in events]
    return [piece for piece in caught if not piece.empty]


def left_over(pieces: Sequence[Box], earlier: Iterable[Box]) -> list[Box]:
    """What the boxes of earlier rows leave of `pieces`.

    Stops subtracting, and so errs towards "something is left", where the pieces become too many to count.
    """
    remaining = list(pieces)
    for box in earlier:
        remaining = [rest for piece in remaining for rest in _without(piece, box)]
        if len(remaining) > _MAX_PIECES:
            break
    return remaining


def _without(piece: Box, box: Box) -> list[Box]:
    """`piece` minus `box`, as disjoint boxes."""
    if intersection(piece, box).empty:
        return [piece]
    rest: list[Box] = []
    core = piece
    for fact, (lo, hi) in box.ranges.items():
        fact_range = core.ranges.get(fact, (UNKNOWN, MAX_FACT))
        beside = ((fact_range[0], min(fact_range[1], lo - 1)), (max(fact_range[0], hi + 1), fact_range[1]))
        rest += [Box(core.ranges | {fact: part}, core.sets) for part in beside if part[0] <= part[1]]
        core = Box(core.ranges | {fact: (max(fact_range[0], lo), min(fact_range[1], hi))}, core.sets)
    for fact, codes in box.sets.items():
        known = core.sets.get(fact, frozenset({UNKNOWN, *range(len(SET_FACTS[fact]))}))
        if known - codes:
            rest.append(Box(core.ranges, core.sets | {fact: known - codes}))
        core = Box(core.ranges, core.sets | {fact: known & codes})
    return rest


def holes(spans: Iterable[Range]) -> list[Range]:
    """The values between the lowest span and `MAX_FACT` that no span covers."""
    gaps: list[Range] = []
    end: int | None = None
    for lo, hi in sorted(spans):
        if end is not None and lo > end + 1:
            gaps.append((end + 1, lo - 1))
        end = hi if end is None else max(end, hi)
    if end is not None and end < MAX_FACT:
        gaps.append((end + 1, MAX_FACT))
    return gaps
