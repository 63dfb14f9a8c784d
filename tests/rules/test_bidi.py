"""Text from right to left, and controls of direction, inside sentences."""

import pytest

from api.endpoints.common.formats import own_words
from rules.bidi import isolate
from rules.text import LANGS, Lang, text


@pytest.mark.parametrize("value", ["o7", "订单 7", "Ünïcödé", "", "a/b-c", "😀"])
def test_what_runs_from_left_to_right_is_left_as_it_is(value: str) -> None:
    """Texts without letters from right to left stay byte for byte."""
    assert isolate(value) == value
    assert own_words(value) == value


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("שלום", "\u2068שלום\u2069"),
        ("طلب-7", "\u2068طلب-7\u2069"),
        ("o77\u202e", "\u2068o77\\u202e\u2069"),
        ("a\u2069b\u2066", "\u2068a\\u2069b\\u2066\u2069"),
        ("\u2068a\u202e\u2069", "\u2068\\u2068a\\u202e\\u2069\u2069"),
        ("a\u200fb", "\u2068a\\u200fb\u2069"),
    ],
)
def test_what_turns_is_isolated_and_seen(value: str, shown: str) -> None:
    """A word from right to left is isolated; a control of direction is seen in its place."""
    assert isolate(value) == shown
    assert own_words(value) == f"<bdi>{shown[1:-1]}</bdi>"


@pytest.mark.parametrize("lang", LANGS)
def test_a_sentence_isolates_what_it_holds(lang: Lang) -> None:
    """Ids and free text in a sentence are isolated once, however many sentences stand in one another."""
    inner = text(lang, "reject.bad_id", column="order_id", value="שלום\u202e", hint="x")
    outer = text(lang, "reject.bad_id", column="order_id", value="7.0", hint=inner)

    assert inner.count("\u2068שלום\\u202e\u2069") == 1
    assert inner in outer
    assert (outer.count("\u2068"), outer.count("\u2069")) == (1, 1)


def test_a_page_escapes_what_it_isolates() -> None:
    """Words of a person are text on a page, in whatever direction."""
    assert own_words("<b>שלום") == "<bdi>&lt;b&gt;שלום</bdi>"
