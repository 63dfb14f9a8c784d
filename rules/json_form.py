"""The JSON form of a rule book: the document as people write it, with the same keys, units and numbers as its TOML.

`to_json` writes it, `from_json` reads it back, `book_schema` describes it. Exports, the API and the schema have no other
form. TOML has dates, times and exact decimals; JSON has text and numbers: which text is a date is said by the model's
fields. A value that cannot be read stays as it came, so that validation can say what is wrong with it.
"""

import datetime as dt
import re
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rules.book import BookDocument
from rules.book_keys import model_schema
from rules.validation import inner_model, leaves

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
SCHEMA_ID: Final = "https://riderscore.invalid/schema/book.json"
# What a file needs besides the book that it extends.
_ALWAYS_NEEDED: Final = ("id", "effective_from")
# Stands in a book that is shown; it follows from the rest, so it is not read.
_DIGEST: Final = "digest"
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME: Final = re.compile(r"\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?")
# No number of a book has twenty digits; longer ones are kept as the text that was sent.
_NUMBER_LENGTH_MAX: Final = 400
_WHOLE_DIGITS_MAX: Final = 300


def from_json(document: dict[str, Any]) -> dict[str, Any]:
    """Plain TOML values of a document sent as JSON.

    Parameters
    ----------
    document
        Parsed JSON. Numbers may be `Decimal` (`exact_number`) or float. Keys without a value (null) and the digest of
        a book that was shown are left out.

    Returns
    -------
    dict
        Dates, times and decimals as TOML has them; everything else as it came.
    """
    return _table({key: value for key, value in document.items() if key != _DIGEST}, BookDocument)


def exact_number(written: str) -> int | Decimal | str:
    """A number of JSON that has a point or an exponent, exactly as it was written (`parse_float` of `json.loads`).

    Parameters
    ----------
    written
        The characters of the number, such as `0.2` or `7.0`.

    Returns
    -------
    int or Decimal or str
        An int where the number is whole, since JSON knows one kind of number only; the text itself where it is too
        long to be a number of a book.
    """
    if len(written) > _NUMBER_LENGTH_MAX:
        return written
    try:
        value = Decimal(written)
    except InvalidOperation:
        return written
    return _whole_or_decimal(value)


def _whole_or_decimal(value: Decimal) -> int | Decimal:
    is_whole = value.is_finite() and abs(value.adjusted()) <= _WHOLE_DIGITS_MAX and value == value.to_integral_value()
    return int(value) if is_whole else value


def _table(table: dict[str, Any], model: type[BaseModel] | None) -> dict[str, Any]:
    fields = {} if model is None else {field.alias or name: field for name, field in model.model_fields.items()}
    return {str(key): _value(value, fields.get(key)) for key, value in table.items() if value is not None}


def _value(value: Any, field: FieldInfo | None) -> Any:
    if isinstance(value, dict):
        return _table(value, None if field is None else inner_model(field.annotation))
    if isinstance(value, list | tuple):
        return [_value(item, field) for item in value if item is not None]
    if isinstance(value, float):
        # The shortest spelling that gives the same float is the one that was sent.
        return exact_number(repr(value))
    return _date_or_time(value, field) if isinstance(value, str) and field is not None else value


def _date_or_time(value: str, field: FieldInfo) -> object:
    """A date or a time of day, where the field holds one and the text is one."""
    kinds = leaves(field.annotation)
    try:
        if dt.date in kinds and _DATE.fullmatch(value):
            return dt.date.fromisoformat(value)
        if dt.time in kinds and _TIME.fullmatch(value):
            return dt.time.fromisoformat(value)
    except ValueError:
        pass
    return value


def to_json(value: Any) -> Any:
    """A document, or any value of one, as JSON can hold it.

    Parameters
    ----------
    value
        Plain TOML values.

    Returns
    -------
    dict or list or str or int or float or bool or None
        Dates and times as text, decimals as numbers of the same digits. A decimal that no float holds exactly is
        text: such a book is faulty, and what was written is shown unharmed.
    """
    if isinstance(value, dict):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, Decimal):
        return _json_number(value)
    if isinstance(value, dt.time):
        return value.isoformat() if value.second or value.microsecond else value.isoformat("minutes")
    if isinstance(value, dt.date):
        return value.isoformat()
    return value


def _json_number(value: Decimal) -> int | float | str:
    if not value.is_finite() or abs(value.adjusted()) > _WHOLE_DIGITS_MAX:
        return str(value)
    number = _whole_or_decimal(value)
    if isinstance(number, int):
        return number
    return float(number) if Decimal(repr(float(number))) == number else str(value)


def book_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a book as written: the document model plus `extends` and `remove`.

    Returns
    -------
    dict
        Numbers are in the units of the document (points, minutes, kilometres, shares, fen), with their ranges. A book
        that extends another needs only its own keys. `digest` is read-only: a book that is shown has it.
    """
    schema = model_schema()
    required = schema.pop("required")
    schema = {"$schema": DIALECT, "$id": SCHEMA_ID, **schema}
    schema["title"] = "Book"
    schema["properties"] |= {
        "extends": {
            "type": "string",
            "description": "The book that this one builds on: an id, `id@date`, or a relative path. Missing: none.",
        },
        "remove": {
            "type": "array",
            "items": {"type": "string"},
            "description": "What is not taken over: ids of rules, caps, tiers and groups, kinds of reports. Missing: nothing.",
        },
        _DIGEST: {
            "type": "string",
            "pattern": "^[0-9a-f]{64}$",
            "readOnly": True,
            "description": "SHA-256 of the document, where a book is shown; it is not read.",
        },
    }
    schema["required"] = list(_ALWAYS_NEEDED)
    schema["anyOf"] = [
        {"required": ["extends"]},
        {"required": [key for key in required if key not in _ALWAYS_NEEDED]},
    ]
    return schema
