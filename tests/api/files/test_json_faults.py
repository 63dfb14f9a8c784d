"""What is wrong with a text that is no JSON is found in one pass, whatever it is."""

import json

import pytest

from api.files import json_faults
from api.files.json_faults import find_json_fault


@pytest.mark.parametrize(
    "text",
    [
        '{"a":"' + '\\"' * 10_000,
        '{"a":"' + "\\" * 10_001,
        '{"a":"' + "x" * 10_000,
        "-" * 10_000,
        ";" * 10_000,
        "{" + '"\\' * 10_000,
        "\ufffd" * 10_000,
    ],
)
def test_what_has_no_end_is_one_word(text: str) -> None:
    """A text that is never closed, or a run of signs that mean nothing, is not begun again at each of its letters."""
    words = [match[0] for match in json_faults._TOKEN.finditer(text)]

    assert "".join(words) == text
    assert len(words) < 10
    found = find_json_fault(text)
    assert found is not None
    assert (found.reason, found.line) == ("json_syntax", 1)


@pytest.mark.parametrize(
    ("text", "reason", "at"),
    [
        ('{"a":"x', "json_syntax", 6),
        ('{"a":"x\\', "json_syntax", 6),
        ('{"a":"\\"}', "json_syntax", 6),
        ('{"a":"\\\\","b":NaN}', "json_constant", 15),
        ('{"a":--Infinity}', "json_syntax", 6),
        ('{"a":-Infinity}', "json_constant", 6),
        ('{"a":1,;}', "json_syntax", 8),
        ('{"a":;;;}', "json_syntax", 6),
        ("[1,2,]", "json_comma", 6),
        ('{"a":1,"a":2}', "json_key_twice", 8),
        ("[\ufeff1]", "json_mark", 2),
    ],
)
def test_the_first_fault_is_told_with_its_place(text: str, reason: str, at: int) -> None:
    """Also behind texts that hold quotes and backslashes."""
    found = find_json_fault(text)

    assert found is not None
    assert (found.reason, found.line, found.at) == (reason, 1, at)


@pytest.mark.parametrize(
    "text", [r'{"a":"\\","b":"\""}', '"\\u0041"', "[-1,2e5]", '{"NaN":"NaN"}', json.dumps("é;-" * 9)]
)
def test_sound_json_has_no_fault(text: str) -> None:
    """Words in texts are none of JSON's."""
    json.loads(text)

    assert find_json_fault(text) is None
