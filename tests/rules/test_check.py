"""Checks across rules and versions."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rules import shelf
from rules.boxes import domain
from rules.check import CHECKS, check, gaps_in_lateness, overlapping_rules, unreachable_rules
from rules.conditions import SET_FACTS, match
from rules.events import PARTIES
from tests.builders import book, book_of, rule
from tests.strategies import raw_books

LATE = [-1, 0, 1, 30, 239, 240, 241, 300, 301, 480, 481, 720, 1_200, 1_201, 1_500]


def codes_of(*versions: Any) -> list[str]:
    """The codes of the version checks, sources and clauses aside."""
    return [fault.code for fault in check(versions) if fault.code in ("not_announced", "short_notice", "backwards")]


@st.composite
def event_facts(draw: st.DrawFn, model: Any, kind: str) -> dict[str, int]:
    """Facts of an event that can happen, at values where conditions begin and end."""
    box = draw(st.sampled_from(domain(model, kind)))
    facts = {}
    for fact, (low, high) in box.ranges.items():
        near = st.sampled_from([value for value in LATE if low <= value <= high] or [low])
        facts[fact] = draw(st.one_of(near, st.integers(low, min(high, low + 6))))
    for fact, codes in box.sets.items():
        assert max(codes) < len(SET_FACTS[fact])
        facts[fact] = draw(st.sampled_from(sorted(codes)))
    return facts


@pytest.mark.parametrize("book_id", [name for name in shelf.shipped() if name != "legacy-fine"])
def test_shipped_books_have_no_error(book_id: str) -> None:
    """What we ship passes our own checks; only the legacy fine cannot."""
    errors = [fault for fault in check(shelf.versions(book_id)) if fault.severity == "error"]

    assert errors == []


def test_the_reference_has_not_even_a_warning() -> None:
    """The reference book is the example to follow."""
    assert check(shelf.versions("gbt-46862-reference")) == ()


def test_meituans_recovery_is_told() -> None:
    """At +0.1 an on-time order, −3 … −6 cost 30 to 60 orders."""
    faults = [fault for fault in check(shelf.versions("meituan-anzhun")) if fault.code == "dear_recovery"]

    assert [fault.given for fault in faults] == ["30", "40", "50", "60"]


@given(data=st.data())
def test_a_rule_called_unreachable_never_fires(data: st.DataObject) -> None:
    """No event that can happen is caught by a rule that the checker calls dead for its kind."""
    made = book_of(data.draw(raw_books()))
    dead = [(fault.rule, fault.given) for fault in unreachable_rules(made)]
    assume(dead)
    name, kind = data.draw(st.sampled_from(dead))

    facts = data.draw(event_facts(made.model, kind))

    assert name not in {fired for fired, _, _ in match(made.model, kind, facts)}


@given(data=st.data())
def test_a_lateness_outside_every_gap_is_covered_by_some_row(data: st.DataObject) -> None:
    """Where the checker sees no gap above the lowest band, a row without other conditions fires."""
    cuts = sorted(data.draw(st.sets(st.integers(0, 20), min_size=2, max_size=5)))
    kept = data.draw(st.sets(st.sampled_from(range(len(cuts))), min_size=2))
    bands = [
        rule(f"b{position}", points=0, when={"late_min": {"over": low} | ({"up_to": high} if high else {})})
        for position, (low, high) in enumerate(zip(cuts, [*cuts[1:], None], strict=True))
        if position in kept
    ]
    made = book(rule=bands)

    told = list(gaps_in_lateness(made))
    late_s = range(cuts[min(kept)] * 60 + 1, 1_500, 30)
    silent = [
        value
        for value in late_s
        if not match(made.model, "delivered", {"late_s": value, "liable": PARTIES.index("rider")})
    ]

    assert bool(told) == bool(silent)


def test_a_special_case_before_the_general_one_is_no_overlap() -> None:
    """First match wins is how exceptions are written; only rows of which neither contains the other surprise."""
    rows = [
        rule("rain", points=-1, when={"late_min": {"over": 0}, "weather_level": {"from": 1}}),
        rule("late", points=-2, when={"late_min": {"over": 0}}),
    ]

    assert list(overlapping_rules(book(rule=rows))) == []


def test_rows_that_cross_are_told_with_where() -> None:
    """Far in rain: which of the two counts depends on their order."""
    rows = [
        rule("far", points=-1, when={"distance_km": {"over": 5}, "late_min": {"over": 0}}),
        rule("long", points=-2, when={"late_min": {"over": 10}}),
    ]

    found = list(overlapping_rules(book(rule=rows)))

    assert [(fault.rule, dict(fault.params)["other"]) for fault in found] == [("long", "far")]
    assert found[0].given == "10 < late_min, distance_m ≥ 5001"


def test_a_second_version_must_be_announced() -> None:
    """Riders are told before a change; the first version has nobody to tell."""
    assert codes_of(book()) == []
    assert codes_of(book(), book(effective_from=dt.date(2026, 1, 1))) == ["not_announced"]


@pytest.mark.parametrize(("day", "codes"), [(25, []), (26, ["short_notice"]), (31, ["short_notice"])])
def test_the_notice_promised_by_the_version_before_is_kept(day: int, codes: list[str]) -> None:
    """Seven days' notice counts from the announcement, whatever the new version promises."""
    new = book(effective_from=dt.date(2026, 1, 1), announced=dt.date(2025, 12, day), notice_days=0)

    assert codes_of(book(notice_days=7), new) == codes


def test_a_version_cannot_take_effect_backwards() -> None:
    """A version on or before the date of the one before it is a fault."""
    new = book(effective_from=dt.date(2025, 12, 1), announced=dt.date(2025, 11, 1))

    assert codes_of(book(), new) == ["backwards"]


def test_every_check_has_a_name() -> None:
    """Checks can be listed and cited."""
    assert all(check.__doc__ for check in CHECKS.values())


@given(raw_books())
def test_any_book_can_be_checked(raw: dict[str, Any]) -> None:
    """Checking never fails, and every fault has words in both languages."""
    found = check([book_of(raw)])

    assert all(fault.describe(lang) for fault in found for lang in ("zh", "en"))


def test_points_for_a_merchants_cancellation_are_dead() -> None:
    """Where only the rider's own doing costs points, a rule that charges others' cancellations can never fire."""
    rows = [rule("closed", "cancelled", points=-1, when={"party": ["merchant", "customer"]})]

    found = list(unreachable_rules(book(rule=rows)))

    assert [(fault.code, fault.rule, fault.given) for fault in found] == [("never_fires", "closed", "cancelled")]
