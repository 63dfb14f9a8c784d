"""A Python client made of the document by openapi-python-client: typed, and good for the whole way of an event."""

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from docs.contract import openapi
from tests.api.clients.city import RIDER, City, late_deliveries, served

pytestmark = pytest.mark.slow
PACKAGE = "riderscore_client"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The generated package, where Python finds it."""
    folder = tmp_path_factory.mktemp("client")
    document, config = folder / "openapi.json", folder / "config.json"
    document.write_text(json.dumps(openapi()), encoding="utf-8")
    config.write_text(json.dumps({"package_name_override": PACKAGE, "post_hooks": []}), encoding="utf-8")
    program = [str(Path(sys.executable).with_name("openapi-python-client")), "generate"]
    asked = ["--path", str(document), "--config", str(config), "--meta", "none", "--output-path", str(folder / PACKAGE)]
    made = subprocess.run([*program, *asked], capture_output=True, text=True, check=False)
    # NDJSON is the one media type that the generator leaves out; JSON bodies say the same.
    warnings = [line for line in made.stdout.splitlines() if line.startswith("WARNING")]
    assert made.returncode == 0, made.stdout + made.stderr
    assert warnings in ([], ["WARNING parsing POST /v1/events within events."])
    assert "x-ndjson" in made.stdout or not warnings
    sys.path.insert(0, str(folder))
    yield folder / PACKAGE
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """A running service."""
    with served(tmp_path_factory.mktemp("city")) as city:
        yield city


def part(path: str) -> ModuleType:
    """A module of the generated package."""
    return importlib.import_module(f"{PACKAGE}.{path}")


def caller(city: City, key: str) -> Any:
    """A client of somebody; it keeps no connection open, so that none is left to be closed."""
    made = part("client").AuthenticatedClient(base_url=city.address, token=key)
    return made.with_headers({"Connection": "close"})


def test_every_operation_has_a_module(package: Path) -> None:
    """None is left out because the generator could not read it."""
    names = {each["operationId"] for path in openapi()["paths"].values() for each in path.values()}

    assert {path.stem for path in package.glob("api/*/*.py")} - {"__init__"} == names


def test_an_event_goes_the_whole_way(package: Path, city: City) -> None:
    """Posted, seen on the card, found page by page, appealed: with the client's own classes and no word of HTTP."""
    models = part("models")
    platform, rider = caller(city, city.platform_key), caller(city, city.rider_key)
    events = [models.Event.from_dict(event) for event in late_deliveries()]

    posted = part("api.events.post_events").sync(
        client=platform, body=models.EventBatch(events=events), idempotency_key="k-1"
    )
    again = part("api.events.post_events").sync_detailed(
        client=platform, body=models.EventBatch(events=events), idempotency_key="k-1"
    )
    card = part("api.riders.get_card").sync(RIDER, client=rider, accept_language="zh")
    pages, cursor = [], None
    while cursor is not None or not pages:
        page = part("api.riders.list_entries").sync(
            RIDER, client=rider, limit=1, **({} if cursor is None else {"cursor": cursor})
        )
        pages.append(page)
        cursor = page.cursor
    entries = [entry for page in pages for entry in page.items]
    deducted = next(entry for entry in entries if entry.kind == "deduct")
    appeal = part("api.entries.post_appeal").sync(
        deducted.entry_id,
        client=rider,
        body=models.AppealAsked(reason_code=models.AppealAskedReasonCode("merchant_slow"), reason="商家出餐慢"),
    )

    assert (posted.num_scored, posted.num_rejected) == (3, 0), posted
    assert again.headers["idempotency-replayed"] == "true"
    assert again.parsed == posted
    assert isinstance(card, models.CardShown)
    assert card.score_mp == entries[0].score_after_mp < card.base_mp
    assert [entry.seq for entry in entries] == list(range(len(entries), 0, -1))
    assert entries[0].occurred_us > 2**31
    assert isinstance(appeal, models.AppealShown)
    assert (appeal.entry_id, appeal.state) == (deducted.entry_id, "open")


def test_a_refusal_is_a_problem(package: Path, city: City) -> None:
    """What went wrong comes as a class with its code, not as an exception of the reader."""
    stranger = caller(city, "rs_0000000000000000_" + "0" * 64)

    answer = part("api.riders.get_card").sync_detailed(RIDER, client=stranger)

    assert answer.status_code == 401
    assert isinstance(answer.parsed, part("models").Problem)
    assert answer.parsed.code


def test_a_number_is_no_event(package: Path, tmp_path: Path) -> None:
    """A checker of types sees what is no event before anything is sent."""
    script = tmp_path / "script.py"
    script.write_text(
        f"from {PACKAGE}.api.events import post_events\n"
        f"from {PACKAGE}.client import AuthenticatedClient\n"
        "def post(client: AuthenticatedClient) -> None:\n"
        "    post_events.sync(client=client, body=42)\n",
        encoding="utf-8",
    )
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", str(script)],
        env={"MYPYPATH": str(package.parent), "PATH": ""},
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert checked.returncode == 1
    assert checked.stdout.count("error:") == 1
    assert 'incompatible type "int"' in checked.stdout
