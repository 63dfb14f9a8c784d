"""The OpenAPI document keeps its word: every check of schemathesis over every route, by a role that may use it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, settings
from schemathesis.python import asgi

from api.access import keys
from api.access.scopes import SCOPES
from api.app.create import api_routes, create_app
from api.app.openapi_operations import scopes_of
from api.books.scheduling import rules_for_posting
from api.clock import now_us
from api.db.store import Store
from api.ledger.posting import post_events
from api.settings import Settings
from tests.api.db.databases import create_tables
from tests.api.law import seed_in_force
from tests.api.ledger.posts import table_of
from tests.architecture.sources import ROOT
from tests.builders import NOON_US, delivered

pytestmark = pytest.mark.slow

EXAMPLES = 10
RIDER = "r1"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A service with books, a rider and what a late order brought."""
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('document') / 'store.db'}")
    create_tables(store)
    with store.writing(now_us()) as unit:
        seed_in_force(unit)
    by_us = now_us() - NOON_US - 3_600_000_000
    event = delivered("e1", late_min=4, rider_id=RIDER)
    moved = {name: value + by_us if name.endswith("_us") else value for name, value in event.items()}
    with store.writing(now_us()) as unit:
        post_events(unit, rules_for_posting(unit), table_of([moved]))
    yield store
    store.close()


@pytest.fixture(scope="module", autouse=True)
def tokens(store: Store) -> Iterator[dict[str, str]]:
    """A key for each role."""
    with store.writing(now_us()) as unit:
        for role in keys.ROLES:
            subject = RIDER if role == "rider" else role
            TOKENS[role] = keys.create_key(unit, role, subject, actor="test")[1]
    yield TOKENS
    TOKENS.clear()


@pytest.fixture(scope="module")
def app(store: Store) -> FastAPI:
    """The service."""
    url = store.engine.url.render_as_string(hide_password=False)
    settings = Settings(database_url=url, law_cache_s=0, log_level="error", stranger_requests_per_minute=0)
    return create_app(settings, hooks=())


@pytest.fixture(scope="module")
def session(app: FastAPI) -> Iterator[Any]:
    """One client for all cases."""
    with asgi.get_client(app) as client:
        yield client


def described() -> Any:
    """The document as it is served; making it asks no database."""
    app = create_app(Settings(database_url="sqlite:///never-opened.db", log_level="error"), hooks=())
    config = schemathesis.Config.from_path(ROOT / "schemathesis.toml")
    return schemathesis.openapi.from_asgi("/openapi.json", app, config=config)


@schemathesis.serializer("application/x-ndjson")
def lines(_: Any, value: Any) -> bytes:
    """Lines as they are sent."""
    return str(value).encode()


TOKENS: dict[str, str] = {}
api = described()


@api.auth()
class OfScope:
    """The key of a role that may use a route."""

    def get(self, case: Any, _: Any) -> str | None:
        wanted = case.operation.definition.raw.get("x-scopes") or ()
        return next((TOKENS[role] for role in keys.ROLES if not SCOPES[role].isdisjoint(wanted)), None)

    def set(self, case: Any, token: str, _: Any) -> None:
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {token}"}


@api.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_route_keeps_its_word(case: Any, session: Any) -> None:
    """Documented statuses, types and schemas; what fits is taken, what does not is refused, and nothing breaks."""
    case.call_and_validate(session=session)


def test_no_cursor_may_hold_what_no_address_holds(app: FastAPI) -> None:
    """The document of every cursor leaves out NUL, which is refused in any address."""
    operations = [operation for path in app.openapi()["paths"].values() for operation in path.values()]
    cursors = [
        parameter["schema"] for operation in operations for parameter in operation.get("parameters", ())
        if parameter.get("name") == "cursor"
    ]  # fmt: skip
    patterns = [schema["pattern"] for schema in cursors]

    assert len(patterns) == len(cursors) > 5
    assert not any(re.search(pattern, "a\0") for pattern in patterns)


def test_every_route_is_described(app: FastAPI) -> None:
    """A summary, a tag, an answer with a schema, and problems for each operation; names are told apart."""
    document = app.openapi()
    operations = [operation for path in document["paths"].values() for operation in path.values()]

    assert [op["operationId"] for op in operations if not op.get("summary") or not op.get("tags")] == []
    assert len({op["operationId"] for op in operations}) == len(operations)
    assert [op["operationId"] for op in operations if not any(status[0] == "2" for status in op["responses"])] == []


def test_every_route_names_its_scopes(app: FastAPI) -> None:
    """What a route asks for stands in its description."""
    document = app.openapi()

    for route in api_routes():
        if not route.include_in_schema:
            continue
        for method in route.methods or ():
            operation = document["paths"][route.path_format][method.lower()]
            assert operation.get("x-scopes") == (sorted(scopes_of(route) or ()) or None)
