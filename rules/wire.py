"""A rule book's document as JSON values and back: what programs and pages send and get.

TOML has dates, times and exact decimals; JSON has text and numbers. Which text is a date is said by the model's
fields. A value that cannot be read stays as it came, so that validation can say what is wrong with it.
"""

import datetime as dt
import re
from decimal import Decimal
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rules.book import BookDocument
from rules.validation import inner_model, leaves

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME = re.compile(r"\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?")


def from_json(document: dict[str, Any]) -> dict[str, Any]:
    """Plain TOML values of a document sent as JSON; keys without a value (null) are left out."""
    return _table(document, BookDocument)


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
        return Decimal(repr(value))
    return _moment(value, field) if isinstance(value, str) and field is not None else value


def _moment(value: str, field: FieldInfo) -> object:
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
    """A document, or any value of one, as JSON can hold it."""
    if isinstance(value, dict):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, Decimal):
        if not value.is_finite() or abs(value.adjusted()) > 300:
            return str(value)
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dt.time):
        return value.isoformat() if value.second or value.microsecond else value.isoformat("minutes")
    if isinstance(value, dt.date):
        return value.isoformat()
    return value
