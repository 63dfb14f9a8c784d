"""Documents as JSON: there and back without a loss, and what cannot be read stays to be told."""

import datetime as dt
import json
from decimal import Decimal

import pytest

from rules.ids import digest
from rules.parse import book_of
from rules.shelf import shipped, to_toml, versions
from rules.wire import from_json, to_json


@pytest.mark.parametrize("book_id", shipped())
def test_a_book_survives_json(book_id: str) -> None:
    """Through JSON text and back every shipped book has the digest it had."""
    for one in versions(book_id):
        back = from_json(json.loads(json.dumps(to_json(one.document))))

        assert digest(back) == one.digest
        assert book_of(back, one.file).model == one.model


def test_only_fields_that_hold_dates_take_dates() -> None:
    """A source that reads like a date stays text."""
    found = from_json({"effective_from": "2026-03-01", "source": "2026-03-01", "day_starts": "04:30"})

    assert found == {
        "effective_from": dt.date(2026, 3, 1),
        "source": "2026-03-01",
        "day_starts": dt.time(4, 30),
    }


def test_numbers_are_taken_as_they_were_spelt() -> None:
    """0.1 is a tenth, not the float nearest to it; nulls are keys that are not there."""
    found = from_json({"rule": [{"points": 0.1, "money_fen": None}, {"points": -2}]})

    assert found == {"rule": [{"points": Decimal("0.1")}, {"points": -2}]}


@pytest.mark.parametrize("written", ["2026-13-01", "20260301", "tomorrow", ""])
def test_what_is_no_date_stays_for_validation_to_tell(written: str) -> None:
    """Nothing is guessed and nothing is lost."""
    assert from_json({"effective_from": written}) == {"effective_from": written}


def test_numbers_no_float_can_hold_are_told_as_text() -> None:
    """A page can show what a person wrote, however odd."""
    assert to_json([Decimal("NaN"), Decimal("1e999999999"), Decimal("2.50"), Decimal(3)]) == [
        "NaN",
        "1E+999999999",
        2.5,
        3,
    ]


def test_a_document_with_odd_keys_survives_toml() -> None:
    """A faulty draft is stored as it is: keys that need quotes, an empty one, dots in it."""
    import tomllib

    from rules.writing import toml_of

    odd = {"a b": 1, "": {"x.y": [{'q"': "\x7f\x00"}]}, "rule": [{"id": 1}, {}], "n": Decimal("1e999999999")}

    assert digest(tomllib.loads(toml_of(odd), parse_float=Decimal)) == digest(odd)


def test_a_shipped_book_is_written_as_before() -> None:
    """Quoting touches no key that needs none."""
    one = versions("taobao-crowdsourced")[0]

    assert '"' not in "".join(line.partition("=")[0] for line in to_toml(one).splitlines())
