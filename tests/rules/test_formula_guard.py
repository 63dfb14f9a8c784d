"""The guard against formulas in tables that leave."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.formula_guard import escape_formula, unescape_formula


@pytest.mark.case
@pytest.mark.parametrize(
    "text",
    [
        "=1+2",
        "＝1+2",
        "＋1",
        "－1",
        "＠SUM(A1)",
        "\n=1+2",
        "\r=1",
        "\t1",
        " =1",
        "\u200b=1",
        "'=1",
        "﹦1",
        "-1+2",
        "+x",
        "@x",
    ],
)
def test_what_may_be_run_begins_with_an_apostrophe(text: str) -> None:
    """Signs of every width, after blanks and apostrophes too."""
    assert escape_formula(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "5", "-5", "+0.5", "late", "杭州", "a=b", "'", "−5"])
def test_numbers_and_words_stay(text: str) -> None:
    """A number is no formula."""
    assert escape_formula(text) == text


@given(st.text(alphabet="'=+-@ \t\n5a＝", max_size=6))
def test_what_was_guarded_comes_back(text: str) -> None:
    """Read again, it is the same text."""
    assert unescape_formula(escape_formula(text)) == text
