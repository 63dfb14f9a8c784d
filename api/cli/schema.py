"""`riderscore schema`: JSON Schema of what goes in and comes out."""

from typing import Any

import click
import pyarrow as pa

from api.cli.console import print_json


def entry_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of one ledger entry."""
    from rules.events import PARTIES
    from scoring.columns import ENTRY_KINDS
    from scoring.ledger import ENTRY_SCHEMA

    choices = {"kind": list(ENTRY_KINDS), "of_kind": list(ENTRY_KINDS), "liable_party": list(PARTIES)}
    only_of_reversals = ("cause_event_id", "of_us")
    properties: dict[str, Any] = {}
    for field in ENTRY_SCHEMA:
        kind = "integer" if pa.types.is_integer(field.type) else "string"
        properties[field.name] = {"type": [kind, "null"] if field.name in only_of_reversals else kind}
        if field.name in choices:
            properties[field.name]["enum"] = choices[field.name]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ledger entry",
        "type": "object",
        "properties": properties,
        "required": [field.name for field in ENTRY_SCHEMA],
        "additionalProperties": False,
    }


@click.command()
@click.argument("document", type=click.Choice(["events", "book", "entry"]))
def schema(document: str) -> None:
    """Print the JSON Schema of an event, a rule book, or a ledger entry."""
    from api.files.event_json_schema import event_schema
    from rules.json_form import book_schema

    print_json({"events": event_schema, "book": book_schema, "entry": entry_schema}[document]())
