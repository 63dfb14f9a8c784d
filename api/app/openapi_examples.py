"""Examples of bodies and answers, put together from the examples of their fields."""

from typing import Any, Final

from api.app.openapi_schemas import REF

# An example goes no deeper: trees of reasons refer to themselves.
_DEPTH_MAX: Final = 7


def example_of(schema: dict[str, Any], schemas: dict[str, Any], depth: int = 0) -> Any:
    """A value that fits a schema.

    Parameters
    ----------
    schema
        The schema, or a reference to a component.
    schemas
        Component schemas by name.
    depth
        How many objects it stands in.

    Returns
    -------
    Any
        The schema's own example where it has one; else one of its parts.
    """
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].removeprefix(REF)], schemas, depth)
    if "examples" in schema and isinstance(schema["examples"], list):
        return schema["examples"][0]
    for key in ("const", "default"):
        if schema.get(key) is not None:
            return schema[key]
    if "enum" in schema:
        return schema["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return _of_one(schema[key], schemas, depth)
    return _of_type(schema, schemas, depth)


def _of_one(kinds: list[dict[str, Any]], schemas: dict[str, Any], depth: int) -> Any:
    has_null = any(kind.get("type") == "null" for kind in kinds)
    if has_null and depth >= _DEPTH_MAX:
        return None
    return example_of(next(kind for kind in kinds if kind.get("type") != "null"), schemas, depth)


def _of_type(schema: dict[str, Any], schemas: dict[str, Any], depth: int) -> Any:
    kinds = schema.get("type", "object")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if kind == "array":
        num = max(1, schema.get("minItems", 1))
        return [] if depth >= _DEPTH_MAX else [example_of(schema["items"], schemas, depth + 1)] * num
    if kind == "object":
        needed = schema.get("properties", {})
        return {name: example_of(declared, schemas, depth + 1) for name, declared in needed.items()}
    if kind == "string":
        return "2026-03-01" if schema.get("format") == "date" else "text"
    return {"integer": max(1, schema.get("minimum", 1)), "number": 1.0, "boolean": False, "null": None}[kind]
