"""Which texts may name an event, a rider, an order or a city."""

import pytest

from rules.ids import ID_FAULTS, id_fault
from rules.text import LANGS, text

SOUND = [
    "o1",
    "7",
    "12e4",
    "1.5",
    "v1.0",
    "1E+17",
    "a b",
    "张三",
    "אב7",
    "none-1",
    "nana",
    "Reset:1",
    "e1:2",
    "o" * 128,
]
UNSOUND = [
    ("1.23457E+17", "scientific"),
    ("1.2e-05", "scientific"),
    ("1,23457E+17", "scientific"),
    ("7.0", "point_zero"),
    ("700.00", "point_zero"),
    ("r1 ", "blank"),
    ("\u3000r1", "blank"),
    ("\u00a0", "blank"),
    ("r1\u200b", "invisible"),
    ("\ufeffr1", "invisible"),
    ("r\u00ad1", "invisible"),
    ("NaN", "no_value"),
    ("nan", "no_value"),
    ("NULL", "no_value"),
    ("None", "no_value"),
    ("reset:2025-12-01", "reserved"),
    ("appeal:7", "reserved"),
    ("o77\u202e", "bidi"),
    ("\u2066o77\u2069", "bidi"),
    ("a\tb", "control"),
    ("a\x85", "control"),
    ("a\u2028b", "control"),
    ("a\x00b", "no_text"),
    ("a\ufffd", "no_text"),
    ("o" * 129, "too_long"),
]


@pytest.mark.parametrize("value", SOUND)
def test_an_id_is_any_text_that_shows_what_it_is(value: str) -> None:
    """Letters of any script, numbers as they were written and blanks inside are sound."""
    assert id_fault(value) is None


@pytest.mark.parametrize(("value", "fault"), UNSOUND)
def test_what_would_merge_or_split_ids_is_named(value: str, fault: str) -> None:
    """Each damage has a name of its own, so that its remedy can be told."""
    assert id_fault(value) == fault


@pytest.mark.parametrize("fault", ID_FAULTS)
def test_every_damage_has_a_remedy(fault: str) -> None:
    """In both languages."""
    assert all(len(text(lang, f"id.{fault}")) > 8 for lang in LANGS)
