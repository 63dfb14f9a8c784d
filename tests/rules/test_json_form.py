"""The one JSON form of a book: as people write it, described by the schema, there and back without a loss."""

import datetime as dt
import json
import tomllib
from decimal import Decimal
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from rules.book import Book
from rules.errors import BookError
from rules.ids import digest
from rules.json_form import book_schema, exact_number, from_json, to_json
from rules.parse import book_of
from rules.shelf import deployable, shipped, to_toml, versions

VERSIONS = [
    pytest.param(book, id=f"{book.id}@{book.model.effective_from}") for id_ in shipped() for book in deployable(id_)
]
SCHEMA = Draft202012Validator(book_schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)


def is_sound(document: dict[str, Any]) -> bool:
    """Whether a JSON document makes a book."""
    try:
        book_of(from_json(document), "sent.json")
    except BookError:
        return False
    return True


@pytest.mark.parametrize("book", VERSIONS)
def test_a_book_survives_json(book: Book) -> None:
    """Through JSON text and back every shipped version has the digest it had, whichever numbers the reader makes."""
    written = json.dumps(to_json(book.document))

    for parsed in (json.loads(written), json.loads(written, parse_float=exact_number)):
        back = from_json(parsed)
        assert digest(back) == book.digest
        assert book_of(back, book.file).model == book.model


@pytest.mark.parametrize("book", VERSIONS)
def test_a_book_is_as_its_schema_says(book: Book) -> None:
    """Every shipped version in JSON is accepted by the schema, formats included, with its digest beside it or without."""
    document = to_json(book.document)

    assert [error.message for error in SCHEMA.iter_errors(document)] == []
    assert SCHEMA.is_valid({"digest": book.digest, **document})


@pytest.mark.parametrize("book", VERSIONS)
def test_the_json_form_says_what_the_toml_says(book: Book) -> None:
    """The same keys and numbers: 70 points, minutes, kilometres; nothing in milli-points, seconds or metres."""
    document, toml = to_json(book.document), tomllib.loads(to_toml(book))

    assert to_json(toml) == document
    assert document["score"]["base"] * 1_000 == book.model.score.base_mp
    assert "_mp" not in json.dumps(document)


def test_a_schema_is_a_schema() -> None:
    """It is sound by the dialect that it names."""
    Draft202012Validator.check_schema(book_schema())


def test_the_schema_names_every_key_of_a_file() -> None:
    """What a file may say beyond the resolved document is in it, and nothing else is allowed."""
    schema = book_schema()

    assert schema["additionalProperties"] is False
    assert {"extends", "remove", "announced", "rule", "publication"} <= set(schema["properties"])
    assert schema["required"] == ["id", "effective_from"]
    assert SCHEMA.is_valid({"id": "city", "effective_from": "2026-03-01", "extends": "legacy-fine"})


CHANGES: list[tuple[str, Any, bool]] = [
    ("/score/ceiling", 999.125, True),
    ("/score/base", "70", False),
    ("/score/ceiling", 1_000, True),
    ("/score/ceiling", 1_001, False),
    ("/rule/1/kind", ["delivered"], True),
    ("/rule/1/kind", "delivered", True),
    ("/rule/1/kind", [], False),
    ("/rule/1/kind", ["delivered", "delivered"], False),
    ("/rule/1/kind", "eaten", False),
    ("/rule/1/points", 0.2, True),
    ("/rule/1/points_mp", 200, False),
    ("/rule/1/when/late_min/up_to", 12.5, True),
    ("/rule/1/when/late_min/up_to", 1_441, False),
    ("/rule/1/when/distance_km", {"over": 3.5}, True),
    ("/rule/1/when/distance_km", {"over": 1_001}, False),
    ("/day_starts", "05:30", True),
    ("/day_starts", "05:30:00", True),
    ("/day_starts", "05:30:30", False),
    ("/day_starts", "24:00", False),
    ("/effective_from", "1999-12-31", False),
    ("/effective_from", "2026-02-30", False),
    ("/late_days", 7.0, True),
    ("/late_days", 7.5, False),
    ("/late_days", 0, False),
    ("/tier/0/priority", 0.4, False),
    ("/tier/0/priority", 0.5, True),
    ("/cap/0/max_deduct", 0, False),
]


@pytest.mark.parametrize(("pointer", "value", "is_right"), CHANGES)
def test_schema_and_reader_agree(pointer: str, value: Any, is_right: bool) -> None:
    """What the schema accepts is a book, and what it refuses is none."""
    document = to_json(versions("meituan-anzhun")[0].document)
    document["cap"] = [{"id": "day", "scope": "day", "max_deduct": 5, "source": "ours", "confidence": "ours"}]
    document["rule"][1].pop("example", None)
    if pointer.endswith("/distance_km"):
        document["rule"][1].setdefault("when", {})

    *way, last = pointer.split("/")[1:]
    holder: Any = document
    for step in way:
        holder = holder[int(step)] if isinstance(holder, list) else holder[step]
    holder[last] = value

    assert (SCHEMA.is_valid(document), is_sound(document)) == (is_right, is_right)


@pytest.mark.parametrize(
    ("written", "points_mp"), [("0.2", 200), ("70.125", 70_125), ("1e-3", 1), ("-0.05", -50), ("7E1", 70_000)]
)
def test_a_number_is_held_exactly(written: str, points_mp: int) -> None:
    """A JSON number is the decimal that was written, to the last milli-point."""
    document = to_json(versions("meituan-anzhun")[0].document) | {
        "training": json.loads(f'{{"restores_to": {written}}}')
    }

    training = book_of(from_json(document), "sent.json").model.training

    assert training is not None
    assert training.restores_to_mp == points_mp


@pytest.mark.parametrize("written", ["0.20000000000000000001", "0.2000000000000000000000000000000000000001", "0.1234"])
def test_a_number_of_too_many_decimals_is_not_rounded(written: str) -> None:
    """A float would make 0.2 of it; it is refused as in TOML."""
    document = to_json(versions("meituan-anzhun")[0].document)
    document |= json.loads(f'{{"training": {{"restores_to": {written}}}}}', parse_float=exact_number)

    with pytest.raises(BookError) as caught:
        book_of(from_json(document), "sent.json")

    assert [(fault.code, fault.given) for fault in caught.value.faults] == [("too_many_decimals", written)]


@pytest.mark.parametrize("written", ["1e9999999999999999999", "0." + "1" * 500])
def test_a_number_that_no_book_holds_stays_text(written: str) -> None:
    """It is no fault of the program, and is told to whoever sent it."""
    assert exact_number(written) == written


def test_numbers_without_a_fraction_are_whole() -> None:
    """JSON has one kind of number: 7.0 days are 7 days."""
    assert [exact_number(written) for written in ("7.0", "7e0", "-0.0")] == [7, 7, 0]
    assert from_json({"late_days": 7.0}) == {"late_days": 7}


def test_a_digest_that_is_shown_is_not_read() -> None:
    """A book that was shown can be sent back; its digest follows from the rest. In a part the key is a fault."""
    assert from_json({"id": "a", "digest": "0" * 64, "score": {"digest": 1}}) == {"id": "a", "score": {"digest": 1}}


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
    exact = "0.20000000000000000001"

    assert to_json([Decimal("NaN"), Decimal("1e999999999"), Decimal("2.50"), Decimal(3), Decimal(exact)]) == [
        "NaN",
        "1E+999999999",
        2.5,
        3,
        exact,
    ]


def test_a_document_with_odd_keys_survives_toml() -> None:
    """A faulty draft is stored as it is: keys that need quotes, an empty one, dots in it."""
    from rules.toml_text import toml_of

    odd = {"a b": 1, "": {"x.y": [{'q"': "\x7f\x00"}]}, "rule": [{"id": 1}, {}], "n": Decimal("1e999999999")}

    assert digest(tomllib.loads(toml_of(odd), parse_float=Decimal)) == digest(odd)


def test_a_shipped_book_is_written_as_before() -> None:
    """Quoting touches no key that needs none."""
    one = versions("taobao-crowdsourced")[0]

    assert '"' not in "".join(line.partition("=")[0] for line in to_toml(one).splitlines())
