"""A document against its model: what pydantic finds, as faults that name place, value, range and remedy.

Values and ranges are stated in the document's own units (points, minutes, shares), never in those they are held in.
"""

import datetime as dt
import difflib
import json
from decimal import Decimal
from functools import partial
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from rules import nested
from rules.errors import Fault

Model = TypeVar("Model", bound=BaseModel)

PARTS = ("rule", "tier", "cap", "group", "report", "deploy")
_CODES = {
    "missing": "missing_key",
    "extra_forbidden": "unknown_key",
    "number_type": "expected_number",
    "whole_number": "expected_whole",
    "too_many_decimals": "too_many_decimals",
    "whole_minutes": "whole_minutes",
    "empty_list": "empty_list",
    "repeated_value": "repeated_value",
    "literal_error": "not_one_of",
    "string_type": "expected_text",
    "string_pattern_mismatch": "bad_id",
    "string_too_short": "no_text",
    "string_too_long": "text_too_long",
    "bool_type": "expected_switch",
    "date_type": "expected_date",
    "date_range": "date_range",
    "time_type": "expected_time",
    "tuple_type": "expected_list",
    "model_type": "expected_table",
    "greater_than": "out_of_range",
    "greater_than_equal": "out_of_range",
    "less_than": "out_of_range",
    "less_than_equal": "out_of_range",
}
_MAX_GIVEN = 60
_MAX_DEPTH = 5
_MOST_WORDED = 12
# Each takes a search for what may have been meant.
_MOST_FAULTS = 200


def validated(model: type[Model], document: dict[str, Any], file: str) -> tuple[Model | None, list[Fault]]:
    """Read a document as `model`, or find every fault that pydantic finds; of very many the number of the last.

    Parameters
    ----------
    model
        What the document must be.
    document
        Plain TOML values, read by alias alone.
    file
        Its name in messages.

    Returns
    -------
    tuple
        The model or None, and the faults, at most 200 and one that counts the others.
    """
    try:
        return model.model_validate(document), []
    except ValidationError as error:
        details = error.errors(include_url=False)
        faults = [_fault(model, document, file, detail) for detail in details[:_MOST_FAULTS]]
        if len(details) > _MOST_FAULTS:
            faults.append(Fault("more_faults", file, given=str(len(details) - _MOST_FAULTS)))
        return None, faults


def as_written(value: object) -> str:
    """A TOML value as a person would write it, on one line, shortened.

    Parameters
    ----------
    value
        Any plain TOML value.

    Returns
    -------
    str
        At most 60 characters.
    """
    return _written(value, 0)


def _written(value: object, depth: int) -> str:
    if depth > _MAX_DEPTH:
        return "…"
    if isinstance(value, bool):
        written = "true" if value else "false"
    elif isinstance(value, str):
        written = json.dumps(value, ensure_ascii=False)
    elif isinstance(value, Decimal):
        short = value.is_finite() and abs(value.adjusted()) < _MAX_GIVEN
        written = f"{value:f}" if short else str(value).lower().replace("infinity", "inf")
    elif isinstance(value, dt.date | dt.time):
        written = value.isoformat()
    elif isinstance(value, list):
        written = "[" + ", ".join(_written(item, depth + 1) for item in value) + "]"
    elif isinstance(value, dict):
        written = "{" + ", ".join(f"{key} = {_written(item, depth + 1)}" for key, item in value.items()) + "}"
    else:
        written = str(value)
    return written if len(written) <= _MAX_GIVEN else written[: _MAX_GIVEN - 1] + "…"


def place(document: dict[str, Any], loc: tuple[int | str, ...]) -> tuple[str, str, str]:
    """Where a location is: the kind of part, the part's name, and the dotted key inside it."""
    if len(loc) > 1 and loc[0] in PARTS and isinstance(loc[1], int):
        item = _value_at(document, loc[:2])
        name = f"#{loc[1] + 1}"
        if isinstance(item, dict):
            name = str(item.get("id") or item.get("city") or item.get("kind") or name)
        return str(loc[0]), name, _dotted(loc[2:]) or _dotted(loc)
    return "rule", "", _dotted(loc)


def _fault(model: type[BaseModel], document: dict[str, Any], file: str, detail: ErrorDetails) -> Fault:
    loc = detail["loc"]
    code = _CODES.get(detail["type"], "wrong_value")
    value = _value_at(document, loc)
    # A single value may stand where a list is allowed: `kind = "delivered"` has no first element.
    single = len(loc) > 1 and isinstance(loc[-1], int) and not isinstance(_value_at(document, loc[:-1]), list)
    part, name, key = place(document, loc[:-1] if single else loc)
    allowed = ""
    params: tuple[tuple[str, str], ...] = ()
    field = _field_at(model, loc)
    if code == "unknown_key":
        known = _known_keys(model, loc)
        code, params = _nearest(str(loc[-1]), known, code, "misspelt_key")
        allowed = ", ".join(known)
    elif code == "not_one_of":
        choices = _choices(field)
        code, params = _nearest(str(value), choices, code, "misspelt_value")
        allowed = ", ".join(choices)
    elif code == "too_many_decimals":
        code, params = _decimals(value, detail.get("ctx", {}))
    elif code == "out_of_range":
        allowed = _range(field)
    elif code == "bad_id":
        allowed = "a-z 0-9 -" if "_" not in detail.get("ctx", {}).get("pattern", "") else "a-z 0-9 - _ ."
    elif code == "wrong_value":
        params = (("reason", detail["msg"]),)
    given = "" if code == "missing_key" else as_written(value)
    return Fault(code, file, name, key, given, allowed, params=params, part=part)


def _dotted(loc: tuple[int | str, ...]) -> str:
    key = ""
    for step in loc:
        key += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if key else step
    return key


def _value_at(document: object, loc: tuple[int | str, ...]) -> Any:
    """The value at a location; the nearest above it where the location is a model's, not the document's."""
    return nested.trail(document, loc)[-1]


def _decimals(value: object, ctx: dict[str, Any]) -> tuple[str, tuple[tuple[str, str], ...]]:
    if not isinstance(value, Decimal) or not value.is_finite():
        return "not_finite", ()
    num, most = _num_decimals(value), int(ctx["decimals"])
    if num <= most:
        # Two decimals of a minute can still miss the whole second (0.01 min = 0.6 s).
        return "not_whole_unit", ()
    word = f"@number.{num}" if num <= _MOST_WORDED else str(num)
    return "too_many_decimals", (("num", str(num)), ("decimals", word), ("most", f"@number.{most}"))


def _num_decimals(value: Decimal) -> int:
    """Decimals without trailing zeros; `Decimal.normalize` would round to 28 digits first."""
    _, digits, exponent = value.as_tuple()
    zeros = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    return max(0, -int(exponent) - zeros)


def _field_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> FieldInfo | None:
    """The model field that a location leads to; None where the location is no field."""
    current: type[BaseModel] | None = model
    field: FieldInfo | None = None
    for step in loc:
        if isinstance(step, int):
            continue
        field = _fields(current).get(step) if current else None
        if field is None:
            return None
        current = inner_model(field.annotation)
    return field


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _known_keys(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    field = _field_at(model, loc[:-1])
    holder = model if len(loc) == 1 else inner_model(field.annotation) if field else None
    return list(_fields(holder)) if holder else []


def _nearest(word: str, known: list[str], code: str, misspelt: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """A code of its own where one known word is close to what was written."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.7)
    return (misspelt, (("near", near[0]),)) if near else (code, ())


def leaves(annotation: Any) -> list[Any]:
    """The annotation's alternatives, unwrapped from unions, tuples and `Annotated`, metadata included."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *metadata = get_args(annotation)
        return [*leaves(inner), *metadata]
    if origin in (Union, UnionType, tuple):
        return [leaf for arg in get_args(annotation) if arg is not Ellipsis for leaf in leaves(arg)]
    return [annotation]


def inner_model(annotation: Any) -> type[BaseModel] | None:
    """The model inside a field's annotation; None for plain values."""
    return next((leaf for leaf in leaves(annotation) if isinstance(leaf, type) and issubclass(leaf, BaseModel)), None)


def _choices(field: FieldInfo | None) -> list[str]:
    alternatives = leaves(field.annotation) if field else []
    return [str(choice) for leaf in alternatives if get_origin(leaf) is Literal for choice in get_args(leaf)]


def _metadata(field: FieldInfo) -> list[Any]:
    metadata = [*field.metadata, *leaves(field.annotation)]
    return metadata + [inner for item in metadata if isinstance(item, FieldInfo) for inner in item.metadata]


def unit_of(field: FieldInfo) -> tuple[int, str]:
    """Scale and name of the unit that a field is written in: held value = written value × scale."""
    for annotation in _metadata(field):
        if isinstance(annotation, BeforeValidator) and isinstance(annotation.func, partial):
            return int(annotation.func.keywords["scale"]), str(annotation.func.keywords["unit"])
    return 1, ""


def _range(field: FieldInfo | None) -> str:
    """The limits of a number in the document's unit, such as `-1000 … 1000` or `> 0 … 1000`."""
    if field is None:
        return ""
    scale, _ = unit_of(field)
    limits = {
        name: _in_unit(int(getattr(annotation, name)), scale)
        for annotation in _metadata(field)
        for name in ("ge", "gt", "le", "lt")
        if getattr(annotation, name, None) is not None
    }
    low = limits["ge"] if "ge" in limits else f"> {limits['gt']}" if "gt" in limits else ""
    high = limits["le"] if "le" in limits else f"< {limits['lt']}" if "lt" in limits else ""
    return f"{low} … {high}"


def _in_unit(limit: int, scale: int) -> str:
    return f"{Decimal(limit) / scale:f}"
