"""Differences by rule id, in words and for machines."""

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given

from rules import shelf
from rules.diff import diff
from tests.builders import book, book_of, rule, tiny_book
from tests.strategies import raw_books

NEW_YEAR = dt.date(2026, 1, 1)
SHOWN = {"title": "a", "given": {"late_min": 0}, "expect": {"points": Decimal("0.1")}}
OTHER = SHOWN | {"title": "b"}


def lines(lang: str, **keys: Any) -> list[str]:
    """What changes from the tiny book to one with these keys, its date aside."""
    changes = diff(book(), book(effective_from=NEW_YEAR, **keys))
    return [change.describe(lang) for change in changes if change.key != "effective_from"]  # type: ignore[arg-type]


def rules(**points: Any) -> list[dict[str, Any]]:
    """The tiny book's rules, some with other points."""
    rows: list[dict[str, Any]] = tiny_book()["rule"]
    return [row | {"points": points.get(row["id"], row["points"])} for row in rows]


def test_points_are_told_by_rule_id_with_the_date() -> None:
    """The issue's own example, in both languages."""
    rows = rules(late_5=-2)

    assert lines("en", rule=rows) == ["late_5: −1 → −2 points, from 2026-01-01"]
    assert lines("zh", rule=rows) == ["late_5：−1 → −2 分，自 2026-01-01 起"]


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"score": {"base": 72, "floor": 0, "ceiling": 100}}, "score · base: 70 → 72, from 2026-01-01"),
        ({"fading": {"after_days": 14}}, "fading · after days: none → 14, from 2026-01-01"),
        ({"lateness": "gross"}, "lateness counted: what remains after time given back → gross, from 2026-01-01"),
        ({"title": {"zh": "小", "en": "Small"}}, "title: Tiny → Small, from 2026-01-01"),
        ({"cap": [{"id": "c", "scope": "day", "max_deduct": 5}]}, "c: cap added (most points off 5), from 2026-01-01"),
        ({"rule": rules()[:2]}, "late_more: rule removed (points −2), from 2026-01-01"),
        (
            {"rule": [*rules(), rule("review", "bad_review", points=Decimal("-0.5"))]},
            "review: rule added (points −0.5), from 2026-01-01",
        ),
        (
            {"report": [{"kind": "severe_weather", "level_from": 3, "exempt": True}]},
            "severe_weather/3: report added (exempts yes), from 2026-01-01",
        ),
        (
            {"rule": [*rules(), rule("s", points_slide=[{"late_min": 0, "points": 0}, {"late_min": 5, "points": -1}])]},
            "s: rule added (sliding points (0 at 0 min), (−1 at 5 min)), from 2026-01-01",
        ),
        (
            {"rule": [*rules()[1:], rules()[0]]},
            "order of rule entries: on_time, late_5, late_more → late_5, late_more, on_time, from 2026-01-01",
        ),
        (
            {"rule": [rules()[0] | {"example": [SHOWN, OTHER]}, *rules()[1:]]},
            "on_time: examples changed: (a), (b), from 2026-01-01",
        ),
        (
            {"rule": [*rules()[:2], rules()[2] | {"when": {"late_min": {"over": 6}}}]},
            "late_more: lateness (min) over 5 → over 6, from 2026-01-01",
        ),
    ],
)
def test_every_part_has_its_words(keys: dict[str, Any], line: str) -> None:
    """One change, one line: scale, tables, parts, order, conditions."""
    assert lines("en", **keys) == [line]
    assert len(lines("zh", **keys)) == 1


def test_examples_that_stay_are_not_told() -> None:
    """Of a rule's examples only those that are new, gone or different are named."""
    kept, edited = SHOWN, OTHER | {"given": {"late_min": 3}}
    before, after = ([rules()[0] | {"example": [kept, one]}, *rules()[1:]] for one in (OTHER, edited))

    changes = diff(book(rule=before), book(effective_from=NEW_YEAR, rule=after))

    told = [change.describe("en") for change in changes if change.key == "example"]
    assert told == ["on_time: examples changed: (b), from 2026-01-01"]


def test_machines_get_values_as_written() -> None:
    """The machine form is JSON in the units of the book."""
    change = diff(book(), book(rule=rules(late_5=Decimal("-1.5"))))[0]

    made = json.loads(json.dumps(change.as_dict()))

    assert made == {
        "kind": "changed",
        "part": "rule",
        "id": "late_5",
        "key": "points",
        "before": -1,
        "after": -1.5,
        "effective_from": "2025-12-01",
    }


def test_saying_the_same_in_other_words_is_no_difference() -> None:
    """Defaults spelled out and other spellings of numbers change nothing."""
    other = book(lateness="remaining", late_days=7, rule=rules(late_5=Decimal("-1.000")))

    assert diff(book(), other) == ()


@given(raw_books(), raw_books())
def test_a_difference_is_empty_exactly_for_the_same_content(a: dict[str, Any], b: dict[str, Any]) -> None:
    """Books differ in words when, and only when, they differ in meaning; it can always be told."""
    first, second = book_of(a), book_of(b)

    found = diff(first, second)

    assert diff(first, first) == ()
    assert (found == ()) == (first.model == second.model)
    assert all(change.describe(lang) and json.dumps(change.as_dict()) for change in found for lang in ("zh", "en"))


def test_any_two_shipped_books_can_be_compared() -> None:
    """Every change between shipped books has one line in each language."""
    books = [version for book_id in shelf.shipped() for version in shelf.versions(book_id)]

    told = [change.describe(lang) for a in books for b in books for change in diff(a, b) for lang in ("zh", "en")]

    assert told
    assert not any("\n" in line for line in told)


def test_titles_in_two_languages_are_told_in_one() -> None:
    """An example's title may stand in Chinese and then in English: each reader gets their own."""
    example = OTHER | {"title": "迟到 30 分钟，也只扣 2 分 30 minutes late still costs 2"}
    rows = [rules()[0] | {"example": [example]}, *rules()[1:]]

    assert lines("zh", rule=rows) == ["on_time：例子有改动：(迟到 30 分钟，也只扣 2 分)，自 2026-01-01 起"]
    assert lines("en", rule=rows) == ["on_time: examples changed: (30 minutes late still costs 2), from 2026-01-01"]
