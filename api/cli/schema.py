"""`riderscore schema`: JSON Schema of what goes in and comes out."""

import click

from api.cli.console import print_json


@click.command()
@click.argument("document", type=click.Choice(["events", "book", "entry", "rider"]))
def schema(document: str) -> None:
    """Print the JSON Schema of an event, a rule book, a ledger entry, or where a rider stands."""
    from api.files.entry_json_schema import entry_schema, rider_schema
    from api.files.event_json_schema import event_schema
    from rules.json_form import book_schema

    schemas = {"events": event_schema, "book": book_schema, "entry": entry_schema, "rider": rider_schema}
    print_json(schemas[document]())
