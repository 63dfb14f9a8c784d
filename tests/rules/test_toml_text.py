"""Books written out in full."""

from typing import Any

from hypothesis import given

from rules import shelf
from rules.ids import digest
from rules.parse import Source, read_toml
from rules.toml_text import toml_of
from tests.strategies import raw_books


@given(raw_books())
def test_writing_and_reading_is_the_same_document(raw: dict[str, Any]) -> None:
    """Whatever a book says, its text reads back to the same digest."""
    again = read_toml(Source(toml_of(raw), "again.toml"))

    assert digest(again) == digest(raw)


def test_text_that_looks_like_toml_survives() -> None:
    """Quotes, backslashes, line breaks and brackets in words stay words."""
    document = {"note": {"zh": 'a "b" \\ [c]\n= d', "en": "}"}, "score": {"source": "#"}, "list": [], "odd": {}}

    again = read_toml(Source(toml_of(document), "again.toml"))

    assert again == document


def test_a_shown_book_reads_like_a_written_one() -> None:
    """Titles, conditions and examples stand on one line each."""
    text = shelf.to_toml(shelf.versions("taobao-crowdsourced")[0])

    assert '\ntitle = { zh = "迟到 5 分钟以内", en = "Late by up to 5 minutes" }\n' in text
    assert "\nwhen = { late_min = { over = 0, up_to = 5 } }\n" in text
    assert "\n[[rule.example]]\n" in text
    assert "\n[score]\nbase = 70\n" in text
