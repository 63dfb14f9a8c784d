"""Where a value stands in a request, and what is wrong with it, in words of ours: pydantic speaks English only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from rules.nested import pointer_of
from rules.text import Lang, text

# pydantic's kinds of errors that share words.
_SAME: Final = {
    "string_type": "text",
    "string_unicode": "text",
    "int_type": "whole_number",
    "int_parsing": "whole_number",
    "int_from_float": "whole_number",
    "int_parsing_size": "whole_number",
    "bool_type": "yes_or_no",
    "bool_parsing": "yes_or_no",
    "list_type": "list",
    "tuple_type": "list",
    "dict_type": "object",
    "model_type": "object",
    "model_attributes_type": "object",
    "dataclass_type": "object",
    "object_or_list": "object_or_list",
    "name_twice": "name_twice",
    "not_in_request": "not_in_request",
    "no_plan": "no_plan",
    "missing": "missing",
    "extra_forbidden": "unknown_field",
    "string_too_short": "too_short",
    "string_too_long": "too_long",
    "too_short": "too_few",
    "too_long": "too_many",
    "string_pattern_mismatch": "pattern",
    "literal_error": "not_one_of",
    "enum": "not_one_of",
    "greater_than_equal": "too_small",
    "greater_than": "too_small",
    "less_than_equal": "too_large",
    "less_than": "too_large",
    "date_type": "date",
    "date_parsing": "date",
    "date_from_datetime_parsing": "date",
    "datetime_type": "time",
    "datetime_parsing": "time",
    "datetime_from_date_parsing": "time",
    "timezone_aware": "time_offset",
}
_LIMITS: Final = ("ge", "gt", "le", "lt", "min_length", "max_length", "expected", "pattern")


@dataclass(frozen=True, slots=True)
class FieldPlace:
    """A place: in the body (`pointer`), among the parameters (`parameter`), or in a document of ours (`place`)."""

    pointer: str | None = None
    parameter: str | None = None
    place: str | None = None

    @classmethod
    def of(cls, loc: Sequence[str | int]) -> Self:
        """The place that pydantic names."""
        if loc and loc[0] == "body":
            return cls(pointer=pointer_to(loc[1:]))
        return cls(parameter="/".join(map(str, loc)))

    def document(self) -> dict[str, str]:
        """What is known of the place."""
        places = {"pointer": self.pointer, "parameter": self.parameter, "place": self.place}
        return {name: value for name, value in places.items() if value is not None}


def pointer_to(path: Sequence[str | int]) -> str:
    """A JSON pointer (RFC 6901) as a URI fragment: `#/events/3/kind`; `#` is the whole body."""
    return "#" + pointer_of(path)


def explain_invalid(lang: Lang, *, code: str, params: Mapping[str, object]) -> str:
    """What is wrong with a value, by pydantic's kind of error or a key of ours."""
    words = _SAME.get(code, code)
    limit = next((params[name] for name in _LIMITS if name in params), "")
    return text(lang, f"invalid.{words if words in _KNOWN else 'other'}", limit=limit)


_KNOWN: Final = frozenset({*_SAME.values()})
