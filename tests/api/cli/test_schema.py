"""`riderscore schema`: the documents as JSON Schema, true to the files."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from rules.events import FIELDS, KINDS
from scoring.columns import ENTRY_KINDS
from tests.api.cli.commands import run
from tests.api.ledgers import entries_of, score_events, two_days


@pytest.mark.parametrize("document", ["events", "book", "entry"])
def test_each_document_has_a_schema(document: str) -> None:
    """A JSON Schema of the 2020-12 draft is printed, exit 0, nothing on stderr."""
    result = run("schema", document)

    schema = json.loads(result.stdout)
    assert (result.exit_code, result.stderr) == (0, "")
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_any_other_document_is_wrong_usage() -> None:
    """Exit 2 with the names there are."""
    result = run("schema", "letters")

    assert result.exit_code == 2
    assert "entry" in result.stderr


def test_the_event_schema_knows_every_column_and_kind() -> None:
    """No field of the format and no kind of event is left out."""
    text = run("schema", "events").stdout

    for field in FIELDS:
        name = f"{field.name}_at" if field.type == "time" else field.name
        assert f'"{name}"' in text
    for kind in KINDS:
        assert f'"{kind}"' in text


def test_the_entry_schema_is_that_of_the_file(tmp_path: Path) -> None:
    """Its properties are the columns of entries.parquet, and every line fits."""
    score_events(tmp_path, two_days())
    schema = json.loads(run("schema", "entry").stdout)

    columns = pq.read_schema(tmp_path / "run" / "entries.parquet").names
    kinds = {"integer": int, "string": str, "null": type(None)}
    assert list(schema["properties"]) == columns
    assert schema["properties"]["kind"]["enum"] == list(ENTRY_KINDS)
    for line in entries_of(tmp_path / "run"):
        for name, value in line.items():
            allowed = schema["properties"][name]["type"]
            assert type(value) in [kinds[one] for one in ([allowed] if isinstance(allowed, str) else allowed)]
