"""Checks across the rules of a book and across its versions, each with a name; none of them stops the others.

A single document's own faults are `parse`'s; the clauses of the standard are `standard`, included here.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from itertools import combinations, pairwise

from rules.book import Book, BookDocument, Rule, RuleGroup, Sourced
from rules.boxes import Box, Range, box_of, contains, domain, holes, intersection, left_over, reach
from rules.conditions import MAX_FACT, SET_FACTS, on_time_award_mp, points_corners, share_corners
from rules.errors import Fault
from rules.standard import standard
from rules.units import MP_PER_POINT, decimal_text, points_text

# Ours: nobody published what a rider can bear. At 30 orders a day it is less than one day.
MAX_RECOVERY_ORDERS = 20
_S_PER_MIN = 60


def check(versions: Sequence[Book]) -> tuple[Fault, ...]:
    """Every fault of a book's versions, oldest first: errors and warnings.

    Parameters
    ----------
    versions
        All versions of one book in the order they take effect; a new one comes last.

    Returns
    -------
    tuple of Fault
        None for versions that are sound. Clauses of GB/T 46862-2025 are included.
    """
    faults: list[Fault] = []
    for book in versions:
        for find in CHECKS.values():
            faults += find(book)
        faults += standard(book)
    return (*faults, *_announced(versions), *_in_order(versions))


def _groups(book: BookDocument, kind: str | None = None) -> Iterator[tuple[RuleGroup, list[Rule]]]:
    for group in book.group:
        yield (
            group,
            [rule for rule in book.rule if rule.group == group.id and (kind is None or kind in rule.kind)],
        )


def _kinds(book: BookDocument) -> list[str]:
    return list(dict.fromkeys(kind for rule in book.rule for kind in rule.kind))


def _outcome(rule: Rule) -> tuple[object, ...]:
    return points_corners(rule), share_corners(rule), rule.money_fen or 0


def unreachable_rules(book: Book) -> Iterator[Fault]:
    """Rules that no event can meet, and rules of a `first` group whose events all stop at earlier rows."""
    for kind in _kinds(book.model):
        events = domain(book.model, kind)
        for group, rules in _groups(book.model, kind):
            earlier: list[Box] = []
            names: list[str] = []
            for rule in rules:
                box = box_of(rule, book.model)
                caught = reach(box, events)
                if not caught:
                    yield Fault("never_fires", book.file, rule.id, "when", given=kind)
                elif group.hit == "first" and not left_over(caught, earlier):
                    by = [name for name, other in zip(names, earlier, strict=True) if reach(other, caught)]
                    yield Fault("unreachable", book.file, rule.id, "when", given=kind, allowed=", ".join(by))
                earlier.append(box)
                names.append(rule.id)


def overlapping_rules(book: Book) -> Iterator[Fault]:
    """Rows of one group that catch the same event with different outcomes, where neither is the special case.

    In a group where `all` rows count, any two lateness bands that overlap.
    """
    seen: set[tuple[str, str]] = set()
    for kind in _kinds(book.model):
        events = domain(book.model, kind)
        for group, rules in _groups(book.model, kind):
            for first, second in combinations(rules, 2):
                a, b = box_of(first, book.model), box_of(second, book.model)
                both = reach(intersection(a, b), events)
                if not both or (first.id, second.id) in seen:
                    continue
                if group.hit == "all":
                    surprising = first.when.late_s is not None and second.when.late_s is not None
                else:
                    surprising = _outcome(first) != _outcome(second) and not _nested(a, b, events)
                if surprising:
                    seen.add((first.id, second.id))
                    where = _where(both[0], {*a.ranges, *b.ranges}, {*a.sets, *b.sets})
                    params = (("other", first.id),)
                    code = "overlap" if group.hit == "first" else "overlap_all"
                    yield Fault(code, book.file, second.id, "when", where, severity="warning", params=params)


def _where(box: Box, ranges: set[str], sets: set[str]) -> str:
    """The events of a box by the facts that matter, such as `distance_m ≥ 5001, weather_level ≥ 1`."""
    conditions = []
    for fact, (lo, hi) in box.ranges.items():
        if fact in ranges and fact != "late_s":
            conditions.append(f"{fact} ≥ {lo}" if hi >= MAX_FACT else f"{lo} ≤ {fact} ≤ {hi}")
    for fact, codes in box.sets.items():
        # Who is liable follows from the lateness that is left: no condition that a person wrote.
        if fact in sets and fact != "liable":
            conditions.append(f"{fact} = {' | '.join(SET_FACTS[fact][code] for code in sorted(codes) if code >= 0)}")
    if "late_s" in ranges:
        conditions.insert(0, _minutes(box.ranges["late_s"]))
    return ", ".join(conditions) or "–"


def _nested(a: Box, b: Box, events: Sequence[Box]) -> bool:
    return all(contains(b, piece) for piece in reach(a, events)) or all(
        contains(a, piece) for piece in reach(b, events)
    )


def gaps_in_lateness(book: Book) -> Iterator[Fault]:
    """Lateness that no row of a banded group covers, above its lowest band."""
    events = domain(book.model, "delivered")
    for group, rules in _groups(book.model, "delivered"):
        if sum(rule.when.late_s is not None for rule in rules) < len(("lower", "upper")):
            continue
        spans = [piece.ranges["late_s"] for rule in rules for piece in reach(box_of(rule, book.model), events)]
        for hole in holes(spans):
            yield Fault("gap", book.file, group.id, "when.late_min", _minutes(hole), part="group")


def _minutes(span: Range) -> str:
    """A range of seconds as people write lateness: `5 < late_min ≤ 10`; bands exclude their lower limit."""
    lo, hi = span
    low = "0 ≤ " if lo == 0 else f"{_minute_text(lo - 1)} < "
    return f"{low}late_min" if hi >= MAX_FACT else f"{low}late_min ≤ {_minute_text(hi)}"


def _minute_text(seconds: int) -> str:
    # Exact to a hundredth of a minute, rounded down: 61 s is 1.01 min.
    return decimal_text(seconds * 100 // _S_PER_MIN, 100)


def caps_that_always_bite(book: Book) -> Iterator[Fault]:
    """Caps smaller than what a single rule gives or takes: the rule's own number is then never true."""
    model = book.model
    limits: list[tuple[str, str, int | None, int | None, list[Rule]]] = [
        (group.id, "group", group.max_deduct_mp, group.max_award_mp, rules) for group, rules in _groups(model)
    ]
    for cap in model.cap:
        under = [rule for rule in model.rule if cap.kinds is None or set(cap.kinds) & set(rule.kind)]
        limits.append((cap.id, "cap", cap.max_deduct_mp, cap.max_award_mp, under))
    for name, part, max_deduct_mp, max_award_mp, rules in limits:
        for rule in rules:
            deltas = [points for _, points in points_corners(rule)]
            for key, most, delta in (
                ("max_deduct", max_deduct_mp, -min(deltas)),
                ("max_award", max_award_mp, max(deltas)),
            ):
                if most is not None and delta > most:
                    given, allowed = points_text(most), f"≥ {points_text(delta)}"
                    params = (("other", rule.id),)
                    yield Fault("cap_below_delta", book.file, name, key, given, allowed, params=params, part=part)


def thresholds_out_of_range(book: Book) -> Iterator[Fault]:
    """Tiers that no score can reach or leave, and a course that restores to a score that does not exist."""
    score = book.model.score
    allowed = f"{points_text(score.floor_mp)} … {points_text(score.ceiling_mp)}"
    for tier in book.model.tier:
        if tier.min_mp is not None and not score.floor_mp < tier.min_mp <= score.ceiling_mp:
            key = "from" if tier.above_mp is None else "above"
            given = points_text(tier.min_mp if tier.above_mp is None else tier.above_mp)
            yield Fault("threshold_range", book.file, tier.id, key, given, allowed, part="tier")
    training = book.model.training
    if training and not score.floor_mp <= training.restores_to_mp <= score.ceiling_mp:
        given = points_text(training.restores_to_mp)
        yield Fault("threshold_range", book.file, key="training.restores_to", given=given, allowed=allowed)


def tiers_that_punish_better_scores(book: Book) -> Iterator[Fault]:
    """A higher tier that pays less or gets fewer orders than the one below it."""
    for lower, higher in pairwise(book.model.tier):
        for key, below, above in (
            ("bonus_fen", lower.bonus_fen, higher.bonus_fen),
            ("priority", lower.priority_permille, higher.priority_permille),
        ):
            if above < below:
                given = str(above) if key == "bonus_fen" else decimal_text(above, MP_PER_POINT)
                yield Fault(
                    "tier_inverted", book.file, higher.id, key, given, lower.id, severity="warning", part="tier"
                )


def dear_recovery(book: Book) -> Iterator[Fault]:
    """Deductions that cost more on-time orders to win back than the book states (or than we think bearable)."""
    model = book.model
    award_mp = min(on_time_award_mp(model, kind) for kind in model.rider_kinds)
    limit = model.cost_limit
    if award_mp <= 0:
        if limit is not None:
            yield Fault("cost_limit_inert", book.file, key="cost_limit.on_time_orders", given=str(limit.on_time_orders))
        deducts = any(points < 0 for rule in model.rule for _, points in points_corners(rule))
        if deducts and model.fading is None and model.reset is None:
            yield Fault("no_way_back", book.file, key="rule", severity="warning")
        return
    stated = MAX_RECOVERY_ORDERS if limit is None else limit.on_time_orders
    for rule in model.rule:
        if limit is not None and (limit.kinds is None or set(rule.kind) <= set(limit.kinds)):
            continue
        orders = -(-_worst_mp(rule, model) // award_mp)
        if orders > stated:
            params = (("award", points_text(award_mp)),)
            yield Fault(
                "dear_recovery",
                book.file,
                rule.id,
                "points",
                str(orders),
                str(stated),
                severity="warning",
                params=params,
            )


def _worst_mp(rule: Rule, book: BookDocument) -> int:
    """The most points that one event can cost by a rule, after the caps that see it."""
    worst = max(0, -min(points for _, points in points_corners(rule)))
    limits = [group.max_deduct_mp for group in book.group if group.id == rule.group]
    limits += [cap.max_deduct_mp for cap in book.cap if cap.kinds is None or set(rule.kind) <= set(cap.kinds)]
    return min([worst, *(limit for limit in limits if limit is not None)])


def missing_sources(book: Book) -> Iterator[Fault]:
    """Parts that do not say where their numbers come from, and rules without an example."""
    model = book.model
    sourced_parts: list[tuple[str, str, Sourced]] = [("rule", rule.id, rule) for rule in model.rule]
    sourced_parts += [("cap", cap.id, cap) for cap in model.cap]
    sourced_parts += [("tier", tier.id, tier) for tier in model.tier]
    sourced_parts += [("report", report.kind, report) for report in model.report]
    for part, name, sourced in sourced_parts:
        for key in ("source", "confidence"):
            if getattr(sourced, key) is None:
                yield Fault("no_source", book.file, name, key, part=part)
    for name in _SOURCED_TABLES:
        table = getattr(model, name)
        for key in ("source", "confidence"):
            if table is not None and getattr(table, key) is None:
                yield Fault("no_source", book.file, key=f"{name}.{key}")
    for rule in model.rule:
        if not rule.example:
            yield Fault("no_example", book.file, rule.id, "example")


_SOURCED_TABLES = (
    "score",
    "cost_limit",
    "newcomer",
    "fading",
    "reset",
    "training",
    "appeal",
    "suspension",
    "offers",
    "hours",
    "publication",
)


def empty_groups(book: Book) -> Iterator[Fault]:
    """Groups that no rule belongs to."""
    for group, rules in _groups(book.model):
        if not rules:
            yield Fault("empty_group", book.file, group.id, "id", severity="warning", part="group")


def exemptions_without_effect(book: Book) -> Iterator[Fault]:
    """A book that counts all lateness, and says that it spares late orders of an unknown kitchen."""
    model = book.model
    if model.unknown_kitchen == "exempt" and model.lateness == "gross":
        yield Fault("unknown_kitchen_gross", book.file, key="unknown_kitchen", given='"exempt"')


CHECKS: dict[str, Callable[[Book], Iterator[Fault]]] = {
    "unreachable": unreachable_rules,
    "overlap": overlapping_rules,
    "gap": gaps_in_lateness,
    "cap": caps_that_always_bite,
    "threshold": thresholds_out_of_range,
    "tier_order": tiers_that_punish_better_scores,
    "recovery": dear_recovery,
    "source": missing_sources,
    "empty_group": empty_groups,
    "unknown_kitchen": exemptions_without_effect,
}


def _announced(versions: Sequence[Book]) -> Iterator[Fault]:
    """Versions that take effect sooner after their announcement than riders were promised."""
    for position, book in enumerate(versions):
        model = book.model
        # The promise that counts is the one that was in force when the change was announced.
        days = versions[max(0, position - 1)].model.notice_days
        if model.announced is None:
            if position > 0 and not _was_published(versions[position - 1], book):
                yield Fault("not_announced", book.file, key="announced", allowed=str(days))
            continue
        earliest = model.announced + timedelta(days=days)
        if model.effective_from < earliest:
            given = model.effective_from.isoformat()
            params = (("announced", model.announced.isoformat()), ("earliest", earliest.isoformat()))
            yield Fault("short_notice", book.file, key="effective_from", given=given, allowed=str(days), params=params)


def _was_published(before: Book, book: Book) -> bool:
    """Whether a version only says of numbers that were ours that they are published: nothing changes for riders."""
    is_other = before.model.confidence == "ours" != book.model.confidence
    return is_other and _counts(before.document) == _counts(book.document)


def _counts(part: object) -> object:
    """What a document says but for where it comes from and since when."""
    if isinstance(part, dict):
        return {key: _counts(value) for key, value in part.items() if key not in _PROVENANCE}
    return [_counts(item) for item in part] if isinstance(part, list) else part


_PROVENANCE = frozenset({"source", "confidence", "note", "effective_from", "announced"})


def _in_order(versions: Sequence[Book]) -> Iterator[Fault]:
    for before, book in pairwise(versions):
        if book.model.effective_from <= before.model.effective_from:
            given = book.model.effective_from.isoformat()
            allowed = before.model.effective_from.isoformat()
            yield Fault("backwards", book.file, key="effective_from", given=given, allowed=allowed)
