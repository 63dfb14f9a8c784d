"""`riderscore schema`: the documents as JSON Schema, true to the files."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jsonschema import Draft202012Validator

from rules.events import FIELDS, KINDS
from scoring.ledger_columns import ENTRY_COLUMNS, RIDER_COLUMNS, LedgerColumn
from tests.api.cli.commands import run
from tests.api.ledgers import score_events, two_days


@pytest.mark.parametrize("document", ["events", "book", "entry", "rider"])
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


@pytest.mark.parametrize(("document", "file"), [("entry", "entries"), ("rider", "riders")])
def test_the_schemas_of_a_ledger_are_those_of_its_files(tmp_path: Path, document: str, file: str) -> None:
    """Their properties are the columns of the files, each is described, and every row fits."""
    score_events(tmp_path, two_days())
    schema = json.loads(run("schema", document).stdout)
    rows = pq.read_table(tmp_path / "run" / f"{file}.parquet")

    Draft202012Validator.check_schema(schema)
    fits = Draft202012Validator(schema)
    assert list(schema["properties"]) == schema["required"] == rows.column_names
    assert [name for name, kind in schema["properties"].items() if len(kind["description"]) < 10] == []
    assert [list(fits.iter_errors(row)) for row in rows.to_pylist()] == [[] for _ in range(rows.num_rows)]
    assert fits.is_valid({name: kind["examples"][0] for name, kind in schema["properties"].items()})


@pytest.mark.parametrize("column", [*ENTRY_COLUMNS, *RIDER_COLUMNS], ids=lambda column: column.name)
def test_every_number_of_a_ledger_states_its_unit(column: LedgerColumn) -> None:
    """A number is a count, a position or a digest, or its name and its description end on one unit."""
    is_number = pa.types.is_integer(column.type)

    assert bool(column.unit) == (is_number and column.name.rpartition("_")[2] in {"mp", "fen", "s", "us"})
