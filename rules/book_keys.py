"""Every key of a rule book as a reader meets it: meaning, unit, range, default and example, read off the model.

Schemas and the reference are made from this; nothing about a key is said twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from rules.book import BookDocument
from rules.events import unit_of

# Names of units as numbers of a book carry them, in full.
_UNITS: Final = {
    "points": "points",
    "minutes": "minutes",
    "km": "kilometres",
    "share": "shares of 1",
    "multiplier": "multiples of 1",
}


@dataclass(frozen=True, slots=True)
class BookKey:
    """One key of a book as it is written.

    Parameters
    ----------
    path
        The tables that it stands in and its name, such as `rule.when.late_min.over`.
    table
        The path of the table alone; empty for the document itself.
    types
        What may stand there: `number`, `integer`, `text`, `switch`, `date`, `time`, `table`, `list of …`.
    meaning
        What it says.
    unit
        The unit of its numbers; empty for others.
    lowest, highest
        The range of a number, None where there is no limit.
    is_lowest_excluded
        Whether a number must be more than `lowest`.
    choices
        The words that may stand there; empty where any may.
    is_required
        Whether it must be there (in a book that extends no other).
    default
        What counts where it is missing, as it is written; None where there is none.
    when_missing
        What its absence says, where that is no value.
    example
        A value as JSON has it; None where none is stated.
    """

    path: str
    table: str
    types: tuple[str, ...]
    meaning: str
    unit: str
    lowest: float | None
    highest: float | None
    is_lowest_excluded: bool
    choices: tuple[str, ...]
    is_required: bool
    default: Any
    when_missing: str
    example: Any


def model_schema() -> dict[str, Any]:
    """JSON Schema of a whole book, for readers: defaults in the units of the document, units in every description.

    Returns
    -------
    dict
        Without `extends` and `remove`, which a file may have besides.
    """
    schema = BookDocument.model_json_schema(by_alias=True)
    for holder in (schema, *schema["$defs"].values()):
        for name, declared in holder.get("properties", {}).items():
            _make_readable(name, declared)
    return schema


def _make_readable(name: str, declared: dict[str, Any]) -> None:
    kinds = _alternatives(declared)
    scale = next((kind.pop("x-scale") for kind in kinds if "x-scale" in kind), 1)
    sentences = [declared.get("description", ""), _unit_sentence(name, kinds)]
    missing = declared.get("x-when-missing")
    if missing:
        sentences.append(f"Missing: {missing}.")
    declared["description"] = " ".join(sentence for sentence in sentences if sentence)
    default = _as_written(declared.get("default"), scale)
    if default is None:
        # `null` is no value of a book: what the absence of a key says is `x-when-missing`.
        declared.pop("default", None)
    else:
        declared["default"] = default
    if not declared.get("examples", True):
        del declared["examples"]
    declared.pop("title", None)


def _as_written(default: Any, scale: int) -> Any:
    """A default as people write it; the model states what it holds, and nulls for what is not there."""
    if isinstance(default, dict):
        return {name: value for name, value in default.items() if value is not None}
    if default is None or scale == 1:
        return default
    return default // scale if default % scale == 0 else default / scale


def _alternatives(declared: dict[str, Any]) -> list[dict[str, Any]]:
    """What may stand under a key, but for null."""
    return [kind for kind in declared.get("anyOf", [declared]) if kind.get("type") != "null"]


def _unit(name: str, kinds: list[dict[str, Any]]) -> str:
    stated = next((kind["x-unit"] for kind in kinds if "x-unit" in kind), "")
    if stated:
        return _UNITS[stated]
    return unit_of(name) if any(kind.get("type") == "integer" for kind in kinds) else ""


def _unit_sentence(name: str, kinds: list[dict[str, Any]]) -> str:
    unit = _unit(name, kinds)
    decimals = next((kind["x-decimals"] for kind in kinds if "x-decimals" in kind), None)
    if not unit:
        return ""
    return f"In {unit}." if decimals is None else f"In {unit}, at most {decimals} decimals."


def book_keys() -> tuple[BookKey, ...]:
    """Every key of a book, table by table, in the order of the model.

    Returns
    -------
    tuple[BookKey, ...]
        Tables stand before their keys.
    """
    schema = BookDocument.model_json_schema(by_alias=True)
    return tuple(_keys(schema, schema["$defs"], ""))


def _keys(holder: dict[str, Any], tables: dict[str, Any], path: str) -> Iterator[BookKey]:
    needed = holder.get("required", ())
    for name, declared in holder["properties"].items():
        place = f"{path}.{name}" if path else name
        yield _key_of(place, path, declared, name in needed)
        for inner in _inner_tables(declared):
            yield from _keys(tables[inner], tables, place)


def _inner_tables(declared: dict[str, Any]) -> Iterator[str]:
    for kind in _alternatives(declared):
        reference = kind.get("$ref") or kind.get("items", {}).get("$ref")
        if reference:
            yield reference.rpartition("/")[2]


def _key_of(path: str, table: str, declared: dict[str, Any], is_required: bool) -> BookKey:
    kinds = _alternatives(declared)
    name = path.rpartition(".")[2]
    number: dict[str, Any] = next((kind for kind in kinds if kind.get("type") in ("number", "integer")), {})
    return BookKey(
        path=path,
        table=table,
        types=tuple(dict.fromkeys(_type_of(kind) for kind in kinds)),
        meaning=declared["description"],
        unit=_unit(name, kinds),
        lowest=number.get("minimum", number.get("exclusiveMinimum")),
        highest=number.get("maximum"),
        is_lowest_excluded="exclusiveMinimum" in number,
        choices=next((tuple(words) for kind in kinds if (words := _words_of(kind))), ()),
        is_required=is_required,
        default=_as_written(declared.get("default"), number.get("x-scale", 1)),
        when_missing=declared.get("x-when-missing", ""),
        example=next(iter(declared.get("examples", ())), None),
    )


def _words_of(kind: dict[str, Any]) -> list[str]:
    return kind.get("enum") or kind.get("items", {}).get("enum") or []


def _type_of(kind: dict[str, Any]) -> str:
    if "$ref" in kind:
        return "table"
    if kind["type"] == "array":
        return f"list of {_type_of(kind['items'])}s"
    named = {"string": "text", "boolean": "switch", "date": "date", "time-local": "time"}
    return named.get(kind.get("format", ""), named.get(kind["type"], kind["type"]))
