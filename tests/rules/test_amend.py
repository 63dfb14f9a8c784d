"""What if: a book and a change make a new book."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import shelf
from rules.amend import amend, parse_changes, reverse
from rules.diff import diff
from rules.errors import BookError
from tests.builders import book

KEYS: dict[str, st.SearchStrategy[Any]] = {
    "rule.late.points_slide": st.none(),
    "rule.on_time.points": st.sampled_from((0, 1, Decimal("0.3"))),
    "rule.bad_review.points": st.sampled_from((-1, Decimal("-0.25"), 0)),
    "rule.bad_review.when.nth_in_month.from": st.integers(2, 5),
    "rule.bad_review.when.late_min.over": st.integers(0, 5),
    "score.base": st.integers(60, 80),
    "fading.after_days": st.integers(1, 60),
    "fading": st.none(),
    "tier.reward.bonus_fen": st.integers(0, 100),
    "tier.reward.review": st.booleans(),
    "report.severe_weather/3.note.zh": st.just("注"),
    "report.merchant_slow.note": st.just({"zh": "注", "en": "note"}),
    "offers.max_loss": st.sampled_from((Decimal("0.05"), Decimal("0.2"))),
    "newcomer": st.none(),
    "late_days": st.one_of(st.none(), st.integers(1, 30)),
    "notice_days": st.integers(0, 30),
    "publication.consulted": st.just(["union"]),
}


def codes_of(*settings: str) -> list[str]:
    """The codes of the faults of changing the tiny book."""
    with pytest.raises(BookError) as caught:
        amend(book(), parse_changes(list(settings), "tiny.toml"))
    assert all(fault.describe(lang) for fault in caught.value.faults for lang in ("zh", "en"))
    return [fault.code for fault in caught.value.faults]


@given(st.data())
def test_amend_and_amend_back_is_the_same_book(data: st.DataObject) -> None:
    """Undoing a change gives the digest one started from, whatever was set, added or removed."""
    original = shelf.versions("gbt-46862-reference")[0]
    keys = data.draw(st.lists(st.sampled_from(sorted(KEYS)), unique=True, max_size=4))
    changes = {key: data.draw(KEYS[key]) for key in keys}
    try:
        amended = amend(original, changes)
    except BookError:
        return

    back = amend(amended, reverse(original, changes))

    assert back.digest == original.digest
    assert diff(original, back) == ()


def test_a_change_changes_what_it_names() -> None:
    """One number differs, in words and in the digest; the original is untouched."""
    original = book()
    digest = original.digest

    amended = amend(original, parse_changes(["rule.late_5.points=-1.5", "tier.gold.bonus_fen = 80"], "x"))

    assert [change.key for change in diff(original, amended)] == ["points", "bonus_fen"]
    assert amended.model.rule[1].points_mp == -1_500
    assert (original.digest, original.document["rule"][1]["points"]) == (digest, -1)


def test_values_are_toml_or_plain_text() -> None:
    """Numbers stay exact, dates are dates, lists are lists, a bare word is text, nothing means remove."""
    settings = ["a=0.1", "b=2026-01-01", "c=[1, 2]", "d=gross", "e=true", "f=", 'g="1"', "h = x = y"]

    found = parse_changes(settings, "x")

    assert found["a"] == Decimal("0.1")
    assert found["b"].isoformat() == "2026-01-01"
    assert (found["c"], found["d"], found["e"], found["f"], found["g"]) == ([1, 2], "gross", True, None, "1")
    assert found["h"] == "x = y"


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        ("rule.late_9.points=-2", "unknown_part"),
        ("report.accident.exempt=true", "unknown_part"),
        ("rule.late_5=-2", "part_as_value"),
        ("rule=-2", "expected_list"),
        ("score.base.mp=1", "not_a_table"),
        ("rule.late_5.kind.x.y=1", "not_a_table"),
        ("rule.late_5.pionts=-2", "misspelt_key"),
        ("colour=red", "unknown_key"),
        ("fading=", "nothing_to_remove"),
        ("rule.late_5.id=late", "identity_fixed"),
        ("score.base=71.0001", "too_many_decimals"),
        ("rule.late_5.points=", "no_outcome"),
        ("late_5", "bad_change"),
        ("=3", "bad_change"),
    ],
)
def test_a_change_that_leads_nowhere_is_a_fault(setting: str, code: str) -> None:
    """Each slip has its own words; none is ignored."""
    assert codes_of(setting) == [code]


def test_all_faults_of_a_change_come_together() -> None:
    """An unknown rule does not hide a wrong value elsewhere."""
    found = codes_of("rule.late_9.points=-2", "score.base=x", "score.floor=90")

    assert found == ["unknown_part", "expected_number"]
