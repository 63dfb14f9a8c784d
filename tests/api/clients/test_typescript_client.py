"""A TypeScript client made of the document by openapi-typescript, and what two linters of OpenAPI say of the document."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.contract import FILES
from tests.api.clients.city import City, late_deliveries, served
from tests.api.clients.node import MODULES, need_node, project, run_node

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    """A running service."""
    with served(tmp_path) as city:
        yield city


def test_an_event_goes_the_whole_way(tmp_path: Path, city: City) -> None:
    """Typed strictly, where 42 is no event; posted, seen on the card, found page by page, appealed."""
    need_node()
    folder = project(tmp_path, HERE / "typescript")
    (folder / "openapi.json").write_text(FILES["openapi.json"](), encoding="utf-8")

    run_node(MODULES / "openapi-typescript/bin/cli.js", "openapi.json", "-o", "schema.d.ts", cwd=folder)
    run_node(MODULES / "typescript/bin/tsc", "--project", "tsconfig.json", cwd=folder)
    events = json.dumps(late_deliveries())
    said = json.loads(run_node("walk.ts", city.address, city.platform_key, city.rider_key, events, cwd=folder))

    assert said["num_scored"] == 3
    assert said["score_mp"] == said["last_score_mp"]
    assert said["seqs"] == [3, 2, 1]
    assert (said["appealed"], said["state"]) == (True, "open")


def test_redocly_finds_no_error(tmp_path: Path) -> None:
    """By its recommended rules; that `/v1/books/drafts` stands beside `/v1/books/{book_id}` is one warning."""
    need_node()
    (tmp_path / "openapi.json").write_text(FILES["openapi.json"](), encoding="utf-8")

    said = run_node(MODULES / "@redocly/cli/bin/cli.js", "lint", "openapi.json", "--format", "json", cwd=tmp_path)
    totals = json.loads(said)["totals"]

    assert (totals["errors"], totals["warnings"]) == (0, 1)


def test_spectral_finds_nothing(tmp_path: Path) -> None:
    """No error and no warning by its rules for OpenAPI."""
    need_node()
    (tmp_path / "openapi.json").write_text(FILES["openapi.json"](), encoding="utf-8")
    (tmp_path / "rules.json").write_text('{"extends": ["spectral:oas"]}', encoding="utf-8")
    asked = (
        "lint",
        "openapi.json",
        "--ruleset",
        "rules.json",
        "--format",
        "json",
        "--fail-severity",
        "warn",
        "--quiet",
    )

    said = run_node(MODULES / "@stoplight/spectral-cli/dist/index.js", *asked, cwd=tmp_path)

    assert json.loads(said or "[]") == []


@pytest.mark.parametrize("linter", ["redocly", "spectral"])
def test_a_planted_fault_is_found(tmp_path: Path, linter: str) -> None:
    """Two operations of one name: each linter ends with a failure."""
    need_node()
    document = json.loads(FILES["openapi.json"]())
    document["paths"]["/healthz"]["get"]["operationId"] = "get_card"
    (tmp_path / "openapi.json").write_text(json.dumps(document), encoding="utf-8")
    (tmp_path / "rules.json").write_text('{"extends": ["spectral:oas"]}', encoding="utf-8")
    program, asked = {
        "redocly": (MODULES / "@redocly/cli/bin/cli.js", ()),
        "spectral": (MODULES / "@stoplight/spectral-cli/dist/index.js", ("--ruleset", "rules.json")),
    }[linter]

    with pytest.raises(AssertionError, match="operationId"):
        run_node(program, "lint", "openapi.json", *asked, cwd=tmp_path)
