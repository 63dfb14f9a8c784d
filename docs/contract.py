"""The contract as files: the OpenAPI document, the JSON Schemas, columns of files, and what breaks whoever relies on them.

`python -m docs.generated` writes them to `docs/reference`. `python -m docs.contract` keeps the present shapes as those of
the last release, in `docs/reference/released.json`: done once, when a version is released. Between releases a test
compares the two, and `CHANGELOG.md` must name every difference that breaks somebody.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

RELEASED: Final = Path(__file__).parent / "reference" / "released.json"
# Made by `python -m docs.file_columns`.
COLUMNS: Final = RELEASED.with_name("files.json")
Document = Mapping[str, Any]
# What is for people, or for one server: no program relies on it.
_FOR_PEOPLE: Final = frozenset(
    {"description", "summary", "examples", "example", "title", "info", "servers", "x-body-bytes-max", "x-when-missing"}
)
_METHODS: Final = ("get", "put", "post", "delete", "patch")


def main() -> int:
    """Keep the present shapes as released."""
    RELEASED.write_text(json.dumps(shapes(), ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
    return 0


def openapi() -> dict[str, Any]:
    """The OpenAPI document of a service with ordinary settings."""
    from api.app.create import create_app
    from api.settings import Settings

    return create_app(Settings(), hooks=()).openapi()


def schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schemas of files and documents, by name."""
    from api.files.entry_json_schema import entry_schema, rider_schema
    from api.files.event_json_schema import event_schema
    from rules.json_form import book_schema

    return {"event": event_schema(), "entry": entry_schema(), "rider": rider_schema(), "book": book_schema()}


def _written(document: Document) -> str:
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


FILES: Final[Mapping[str, Callable[[], str]]] = {
    "openapi.json": lambda: _written(openapi()),
    **{
        f"schemas/{name}.json": lambda name=name: _written(schemas()[name])  # type: ignore[misc]
        for name in ("event", "entry", "rider", "book")
    },
}


def shapes() -> dict[str, Any]:
    """What programs rely on: the OpenAPI document and the schemas without words for people, and the columns of files."""
    return {
        "openapi": _bare(openapi()),
        "schemas": {name: _bare(schema) for name, schema in schemas().items()},
        "files": json.loads(COLUMNS.read_text("utf-8"))["files"],
    }


def _bare(part: Any, *, is_names: bool = False) -> Any:
    """A part of a document without words; under `properties` and the like, keys are names of ours."""
    if isinstance(part, list):
        return [_bare(item) for item in part]
    if not isinstance(part, dict):
        return part
    return {
        key: _bare(value, is_names=key in ("properties", "schemas", "$defs", "headers", "parameters", "responses"))
        for key, value in part.items()
        if is_names or key not in _FOR_PEOPLE
    }


def breaking_changes(before: Document, after: Document) -> list[str]:
    """Every difference between two `shapes` that breaks a program which keeps to the first.

    Parameters
    ----------
    before, after
        As `shapes` makes them.

    Returns
    -------
    list of str
        What the changelog must name: `get_card`, `EntryShown.late_s`, `event.kind` …; empty where nothing breaks.
    """
    found = [*_operations(before["openapi"], after["openapi"]), *_components(before["openapi"], after["openapi"])]
    for name, schema in before["schemas"].items():
        if name not in after["schemas"]:
            found.append(name)
            continue
        is_input, now = name in ("event", "book"), after["schemas"][name]
        found += _schema(name, schema, now, is_input=is_input)
        for inner, table in schema.get("$defs", {}).items():
            found += _schema(f"{name}.{inner}", table, now.get("$defs", {}).get(inner), is_input=is_input)
    found += _columns(before.get("files", {}), after["files"])
    return list(dict.fromkeys(found))


def _columns(before: Document, after: Document) -> Iterator[str]:
    """Columns of files that are gone, or are of another type or unit."""
    for file, columns in before.items():
        if file not in after:
            yield file
            continue
        for name, described in columns.items():
            if after[file].get(name) != described:
                yield f"{file}: {name}"


def _operations_of(document: Document) -> dict[tuple[str, str], Document]:
    return {
        (path, method): item[method]
        for path, item in document["paths"].items()
        for method in _METHODS
        if method in item
    }


def _operations(before: Document, after: Document) -> Iterator[str]:
    now = _operations_of(after)
    for place, operation in _operations_of(before).items():
        name, other = operation["operationId"], now.get(place)
        if other is None or other["operationId"] != name:
            yield name
            continue
        known, asked = _parameters(before, operation), _parameters(after, other)
        gone = known.keys() - asked.keys()
        needed = {key for key, is_needed in asked.items() if is_needed and not known.get(key)}
        statuses = {status for status in operation["responses"] if status[0] == "2"} - other["responses"].keys()
        media = _media(operation.get("requestBody", {})) - _media(other.get("requestBody", {}))
        is_body_new = other.get("requestBody", {}).get("required") and "requestBody" not in operation
        narrower = set(operation.get("x-scopes", ())) - set(other.get("x-scopes", operation.get("x-scopes", ())))
        closed = operation["security"] == [] and other["security"] != []
        if (
            gone
            or needed
            or statuses
            or media
            or is_body_new
            or narrower
            or closed
            or _answers_differ(operation, other)
        ):
            yield name
    for kind, item in before.get("webhooks", {}).items():
        if kind not in after.get("webhooks", {}) or _body(item["post"]) != _body(after["webhooks"][kind]["post"]):
            yield kind


def _parameters(document: Document, operation: Document) -> dict[tuple[str, str], bool]:
    """Whether each parameter is needed, by place and name."""
    held = [
        document["components"]["parameters"][each["$ref"].rpartition("/")[2]] if "$ref" in each else each
        for each in operation.get("parameters", ())
    ]
    return {(each["in"], each["name"]): bool(each.get("required")) for each in held}


def _media(body: Document) -> set[str]:
    return set(body.get("content", {}))


def _body(operation: Document) -> Any:
    return operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")


def _answers_differ(operation: Document, other: Document) -> bool:
    """Whether an answer of success is of another schema."""
    for status, answer in operation["responses"].items():
        for media, content in answer.get("content", {}).items():
            now = other["responses"].get(status, {}).get("content", {}).get(media)
            if status[0] == "2" and (now is None or now.get("schema") != content.get("schema")):
                return True
    return False


def _components(before: Document, after: Document) -> Iterator[str]:
    asked = _asked(before)
    for name, schema in before["components"]["schemas"].items():
        yield from _schema(name, schema, after["components"]["schemas"].get(name), is_input=name in asked)


def _asked(document: Document) -> set[str]:
    """Names of the schemas that requests hold."""
    from api.app.openapi_schemas import referred_names

    bodies = [operation.get("requestBody") for operation in _operations_of(document).values()]
    return set(referred_names(bodies, document["components"]["schemas"]))


def _schema(name: str, schema: Document, other: Document | None, *, is_input: bool) -> Iterator[str]:
    """Differences of one object: fields that are gone, needed now, not certain any more, or of another kind."""
    if other is None:
        yield name
        return
    fields, now = schema.get("properties", {}), other.get("properties", {})
    needed, needed_now = set(schema.get("required", ())), set(other.get("required", ()))
    changed = needed_now - needed if is_input else needed - needed_now
    for field, declared in fields.items():
        is_other = field not in now or _is_narrower(declared, now[field], is_input=is_input)
        if is_other or field in changed:
            yield f"{name}.{field}"
    for field in sorted(changed - fields.keys()):
        yield f"{name}.{field}"
    if "properties" not in schema and _is_narrower(schema, other, is_input=is_input):
        yield name


def _is_narrower(declared: Document, other: Document, *, is_input: bool) -> bool:
    """Whether what was good for one side is not good any more; words that are added to an answer are no break."""
    words, now = _words(declared), _words(other)
    if bool(words) != bool(now):
        return is_input or bool(words)
    if words - now and (is_input or not now):
        return True
    if _kinds(declared) != _kinds(other):
        return not (_kinds(declared) < _kinds(other) if is_input else _kinds(other) < _kinds(declared))
    if not is_input:
        return False
    lower = [
        limit for limit in ("maximum", "maxLength", "maxItems") if other.get(limit, 2**63) < declared.get(limit, 2**63)
    ]
    upper = [limit for limit in ("minimum", "minLength", "minItems") if other.get(limit, -1) > declared.get(limit, -1)]
    return bool(lower or upper)


def _words(schema: Any) -> frozenset[str]:
    """The words of a closed set, wherever in the schema it stands."""
    if isinstance(schema, list):
        return frozenset().union(*map(_words, schema))
    if not isinstance(schema, dict):
        return frozenset()
    here = {str(word) for word in schema.get("enum", ())} | ({str(schema["const"])} if "const" in schema else set())
    return frozenset(here).union(*(_words(value) for key, value in schema.items() if key not in ("enum", "default")))


def _kinds(schema: Any) -> frozenset[str]:
    """Types, widths and references that a value may have."""
    if not isinstance(schema, dict):
        return frozenset()
    kinds = schema.get("type", [])
    named = {f"{kind}:{schema.get('format', '')}" for kind in ([kinds] if isinstance(kinds, str) else kinds)}
    if "$ref" in schema:
        named.add(schema["$ref"])
    for key in ("anyOf", "oneOf", "allOf"):
        named = named.union(*(_kinds(kind) for kind in schema.get(key, ())))
    return frozenset(named) | frozenset(f"[]{kind}" for kind in _kinds(schema.get("items")))


if __name__ == "__main__":
    sys.exit(main())
