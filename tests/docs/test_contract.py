"""What programs rely on does not change unseen: the changelog names whatever breaks them."""

import json
import re
from copy import deepcopy
from typing import Any

import pytest

from docs.contract import RELEASED, breaking_changes, shapes
from tests.architecture.sources import ROOT

NOW = shapes()
Shapes = dict[str, Any]


def test_the_changelog_names_what_breaks() -> None:
    """Every difference from the last release that breaks a program stands under `### Breaks`, by its name."""
    unreleased = (ROOT / "CHANGELOG.md").read_text("utf-8").partition("## Unreleased")[2].partition("\n## ")[0]
    breaks = set(re.findall(r"`([^`]+)`", unreleased.partition("### Breaks")[2]))
    released = json.loads(RELEASED.read_text("utf-8"))

    unnamed = [name for name in breaking_changes(released, NOW) if name not in breaks]
    assert unnamed == [], "name each in a line of ### Breaks, with a remedy"


def schema(changed: Shapes, name: str) -> dict[str, Any]:
    """A component schema."""
    return changed["openapi"]["components"]["schemas"][name]


def operation(changed: Shapes, path: str, method: str) -> dict[str, Any]:
    """An operation."""
    return changed["openapi"]["paths"][path][method]


def without_field(changed: Shapes) -> None:
    """An answer lost a field."""
    del schema(changed, "CardShown")["properties"]["score_mp"]


def uncertain_field(changed: Shapes) -> None:
    """An answer may leave a field out."""
    schema(changed, "CardShown")["required"].remove("score_mp")


def other_type(changed: Shapes) -> None:
    """A field is text now."""
    schema(changed, "EntryShown")["properties"]["delta_mp"] = {"type": "string"}


def narrower_number(changed: Shapes) -> None:
    """A time has 32 bits now."""
    schema(changed, "EntryShown")["properties"]["occurred_us"]["format"] = "int32"


def maybe_null(changed: Shapes) -> None:
    """An answer may hold null where it held a number."""
    declared = schema(changed, "CardShown")["properties"]["base_mp"]
    schema(changed, "CardShown")["properties"]["base_mp"] = {"anyOf": [declared, {"type": "null"}]}


def needed_field(changed: Shapes) -> None:
    """A request must hold one field more."""
    schema(changed, "AppealAsked")["required"].append("evidence_ref")


def fewer_words(changed: Shapes) -> None:
    """A request may not say a word that it could."""
    schema(changed, "AppealAsked")["properties"]["reason_code"]["enum"].remove("merchant_slow")


def shorter_text(changed: Shapes) -> None:
    """A request may hold less."""
    schema(changed, "AppealAsked")["properties"]["reason"]["maxLength"] = 10


def gone_schema(changed: Shapes) -> None:
    """A class of generated clients is gone."""
    del changed["openapi"]["components"]["schemas"]["MoneyShown"]


def gone_path(changed: Shapes) -> None:
    """A route is gone."""
    del changed["openapi"]["paths"]["/v1/moves"]


def other_name(changed: Shapes) -> None:
    """A method of generated clients has another name."""
    operation(changed, "/v1/riders/{rider_id}/card", "get")["operationId"] = "read_card"


def needed_parameter(changed: Shapes) -> None:
    """A parameter that could be left out is needed."""
    parameters = operation(changed, "/v1/audit", "get")["parameters"]
    next(each for each in parameters if each.get("name") == "city")["required"] = True


def gone_parameter(changed: Shapes) -> None:
    """A parameter is gone."""
    parameters = operation(changed, "/v1/audit", "get")["parameters"]
    parameters.remove(next(each for each in parameters if each.get("name") == "city"))


def other_answer(changed: Shapes) -> None:
    """An operation answers something else."""
    answer = operation(changed, "/v1/riders/{rider_id}/card", "get")["responses"]["200"]
    answer["content"]["application/json"]["schema"] = {"$ref": "#/components/schemas/Token"}


def gone_message(changed: Shapes) -> None:
    """A kind of message is sent no more."""
    del changed["openapi"]["webhooks"]["tier.changed"]


def gone_column(changed: Shapes) -> None:
    """A ledger lost a column."""
    del changed["schemas"]["entry"]["properties"]["late_s"]


def gone_key(changed: Shapes) -> None:
    """A book may not hold a key that it could."""
    del changed["schemas"]["book"]["$defs"]["Tier"]["properties"]["bonus_fen"]


def gone_file_column(changed: Shapes) -> None:
    """A file lost a column."""
    del changed["files"]["compare: riders.parquet"]["rider_id"]


def retyped_column(changed: Shapes) -> None:
    """A key of a file has another type."""
    changed["files"]["score: entries.parquet"]["rider_id"] = {
        "type": "dictionary<values=string, indices=int32, ordered=0>"
    }


def other_unit(changed: Shapes) -> None:
    """A number of a file counts something else."""
    changed["files"]["score: riders.parquet"]["fees_fen"]["unit"] = "yuan"


def gone_file(changed: Shapes) -> None:
    """A command writes one file less."""
    del changed["files"]["simulate: paired.parquet"]


def needed_event_field(changed: Shapes) -> None:
    """An event must hold one field more."""
    changed["schemas"]["event"]["required"].append("fee_fen")


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (without_field, "CardShown.score_mp"),
        (uncertain_field, "CardShown.score_mp"),
        (other_type, "EntryShown.delta_mp"),
        (narrower_number, "EntryShown.occurred_us"),
        (maybe_null, "CardShown.base_mp"),
        (needed_field, "AppealAsked.evidence_ref"),
        (fewer_words, "AppealAsked.reason_code"),
        (shorter_text, "AppealAsked.reason"),
        (gone_schema, "MoneyShown"),
        (gone_path, "list_moves"),
        (other_name, "get_card"),
        (needed_parameter, "list_audit"),
        (gone_parameter, "list_audit"),
        (other_answer, "get_card"),
        (gone_message, "tier.changed"),
        (gone_column, "entry.late_s"),
        (gone_key, "book.Tier.bonus_fen"),
        (needed_event_field, "event.fee_fen"),
        (gone_file_column, "compare: riders.parquet: rider_id"),
        (retyped_column, "score: entries.parquet: rider_id"),
        (other_unit, "score: riders.parquet: fees_fen"),
        (gone_file, "simulate: paired.parquet"),
    ],
)
def test_a_change_that_breaks_is_seen(change: Any, name: str) -> None:
    """Each kind of it, by the name that the changelog must hold."""
    changed = deepcopy(NOW)
    change(changed)

    assert breaking_changes(NOW, changed) == [name]


def more_fields(changed: Shapes) -> None:
    """An answer gained a field."""
    schema(changed, "CardShown")["properties"]["mood"] = {"type": "string"}
    schema(changed, "CardShown")["required"].append("mood")


def more_columns(changed: Shapes) -> None:
    """A file gained a column."""
    changed["files"]["score: entries.parquet"]["mood"] = {"type": "string"}


def optional_field(changed: Shapes) -> None:
    """A request may hold one field more."""
    schema(changed, "AppealAsked")["properties"]["photo"] = {"type": "string"}


def more_words(changed: Shapes) -> None:
    """An answer may say one word more: readers were told to expect it."""
    schema(changed, "EntryShown")["properties"]["kind"]["enum"].append("gift")


def more_paths(changed: Shapes) -> None:
    """There is one route more."""
    paths = changed["openapi"]["paths"]
    paths["/v1/moods"] = {"get": operation(changed, "/v1/moves", "get") | {"operationId": "list_moods"}}


def optional_parameter(changed: Shapes) -> None:
    """A route takes one parameter more."""
    parameters = operation(changed, "/v1/audit", "get")["parameters"]
    parameters.append({"name": "mood", "in": "query", "schema": {"type": "string"}})


def longer_text(changed: Shapes) -> None:
    """A request may hold more."""
    schema(changed, "AppealAsked")["properties"]["reason"]["maxLength"] = 1_000_000


@pytest.mark.parametrize(
    "change", [more_fields, more_columns, optional_field, more_words, more_paths, optional_parameter, longer_text]
)
def test_a_change_that_breaks_nobody_needs_no_line(change: Any) -> None:
    """What is added beside what there is, where readers and senders were told so."""
    changed = deepcopy(NOW)
    change(changed)

    assert breaking_changes(NOW, changed) == []
