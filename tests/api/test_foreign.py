"""What belongs to another city or person is not there: it answers as what does not exist, after the same work.

Every route with an id or a filter by city is asked twice, for a thing that is somebody else's and for one that nobody has.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pytest
from sqlalchemy import event, select, update
from starlette.testclient import TestClient

from api.access import keys
from api.app.create import PAGES, api_routes, create_app
from api.db import schema
from api.db.store import Store
from api.db.tables import api_keys, drafts, entries, studies
from api.endpoints.common.page_sessions import FORM_COOKIE
from api.endpoints.common.typed_input import FORM_FIELD
from api.settings import Settings
from api.words import city_name
from rules.text import LANGS
from tests.api.endpoints.roles import MAY
from tests.fixtures.v0_1_0 import kept
from tests.fixtures.v0_1_0.kept import END_US

pytestmark = pytest.mark.slow

HERE: Final = {"Origin": "http://testserver"}
CITY: Final = "sample"
NOW_US: Final = END_US + 60_000_000
# Routes whose ids nobody owns, and why.
PUBLIC: Final[Mapping[str, str]] = {
    "GET /problems/{code}": "what problems mean",
    "GET /docs/assets/{name}": "files of the documents",
    "GET /v1/books/{book_id}": "the law is public",
    "GET /v1/books/{book_id}/versions/{digest}": "the law is public",
    "POST /v1/books/{book_id}/rollback": "the law is public; whose places it judges is asked",
    "PUT /v1/riders/{rider_id}/person": "makes what does not exist (test_cities.py)",
    "GET /console/books/{book_id}": "the law is public",
    "GET /console/books/{book_id}/{digest}.toml": "the law is public",
    "GET /console/books/{book_id}/{digest}.xlsx": "the law is public",
    "POST /console/books/{book_id}/back": "the law is public; whose places it judges is asked",
}
# Lists and exports that take a city, and bodies that name one.
BY_CITY: Final = (
    "GET /v1/appeals?city={city}", "GET /v1/appeals?state=decided&city={city}", "GET /v1/reviews?city={city}",
    "GET /v1/reviews?state=decided&city={city}", "GET /v1/books?city={city}", "GET /v1/books/drafts?city={city}",
    "GET /v1/audit?city={city}", "GET /v1/audit?format=csv&city={city}", "GET /v1/audit?format=ndjson&city={city}",
    "GET /v1/studies?city={city}", "POST /v1/impacts", "POST /v1/webhooks", "POST /v1/books/drafts",
)  # fmt: skip
BY_CITY_PAGES: Final = (
    "GET /console?city={city}", "GET /console/appeals?city={city}", "GET /console/appeals?state=decided&city={city}",
    "GET /console/reviews?city={city}", "GET /console/audit?city={city}", "GET /console/audit.csv?city={city}",
    "GET /console/books?city={city}", "GET /console/drafts?city={city}",
)  # fmt: skip
WORDS: Final = {"reason": "x"}
BODIES: Final[Mapping[str, Any]] = {
    "POST /v1/riders/{rider_id}/move": {"city": CITY},
    "POST /v1/entries/{entry_id}/appeal": {"reason_code": "other", "reason": "x"},
    "POST /v1/appeals/{appeal_id}/decision": {"decision": "upheld", "reason_code": "goodwill", "reason": "x"},
    "POST /v1/reviews/{review_id}/decision": {"outcome": "warning", "reason": "x"},
    "POST /v1/reviews/{review_id}/lift": WORDS,
    "PUT /v1/books/drafts/{draft_id}": {"toml": "id = 'x'"},
    "POST /v1/books/drafts/{draft_id}/try": {"kind": "delivered", "facts": {}},
    "POST /v1/books/drafts/{draft_id}/restore": {"revision": 1},
    "POST /v1/books/drafts/{draft_id}/withdraw": WORDS,
    "POST /v1/books/drafts/{draft_id}/cancel": WORDS,
    "POST /v1/books/drafts/{draft_id}/approve": WORDS | {"content_digest": "0" * 64},
    "POST /v1/books/drafts/{draft_id}/reject": WORDS | {"content_digest": "0" * 64},
    "POST /v1/books/drafts/{draft_id}/impact": {"days": 7},
    "POST /v1/impacts": {"city": "{city}"},
    "POST /v1/webhooks": {"url": "https://platform.example/hook", "cities": ["{city}"]},
    "POST /v1/books/drafts": {"empty_book_id": "mine", "targets": [{"city": "{city}", "rider_kind": "crowdsourced"}]},
}
FORM: Final = {
    "answer": "upheld:goodwill", "reason": "x", "outcome": "warning", "city": "hangzhou", "etag": "1", "part": "rule",
    "content_digest": "0" * 64, "text": "x", "reason_code": "other",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class World:
    """A filled database of 0.1.0, brought up to date, and who asks: people and riders of one city of it."""

    store: Store
    client: TestClient
    foreign: Mapping[str, str]

    def key(self, role: str) -> str:
        """A key for the city, which was used before: the first use is written down."""
        subject = "sample-r00001" if role == "rider" else f"some-{role}"
        with self.store.writing(NOW_US) as unit:
            key = keys.create_key(unit, keys.role_of(role), subject, [CITY], actor="test:test")[1]
        self.client.get("/v1/none", headers={"Authorization": f"Bearer {key}"})
        return key


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """On SQLite: what is asked of the database is the same on both engines."""
    left = kept.sqlite_database(tmp_path_factory.mktemp("foreign"))
    store = Store(left.url)
    schema.upgrade(store)
    app = create_app(Settings(database_url=left.url, token_cache_s=0), hooks=(), clock=lambda: NOW_US)
    with TestClient(app, follow_redirects=False) as client:
        made = World(store, client, _foreign(store, left))
        # What is read once and kept, is read by now.
        client.get("/v1/riders/sample-r00001/forecast", headers={"Authorization": f"Bearer {made.key('ops')}"})
        yield made
    store.close()


def _foreign(store: Store, left: kept.Kept) -> dict[str, str]:
    """One thing of each kind that is somebody else's."""
    rider = "hangzhou-r00001"
    with store.writing(NOW_US) as unit:
        draft = left.known["drafts"]["open"]
        unit.connection.execute(
            update(drafts).where(drafts.c.draft_id == draft).values(city="hangzhou")
        )  # whatever it was begun for
        study = unit.connection.scalar(select(studies.c.study_id).where(studies.c.kind == "impact").limit(1))
        unit.connection.execute(
            update(studies).where(studies.c.study_id == study).values(city="hangzhou", state="done")
        )
        entry = unit.connection.scalar(
            select(entries.c.entry_id).where(entries.c.rider_id == rider, entries.c.kind == "deduct").limit(1)
        )
        key_id = unit.connection.scalar(select(api_keys.c.key_id).where(api_keys.c.cities == '["hangzhou"]').limit(1))
    return {
        "rider_id": rider,
        "entry_id": str(entry),
        "appeal_id": left.known["appeals"]["open"],
        "review_id": left.known["reviews"]["all_by_rider"][rider],
        "draft_id": draft,
        "study_id": str(study),
        "webhook_id": left.known["webhooks"]["hangzhou"]["webhook_id"],
        "key_id": str(key_id),
        "city": "hangzhou",
        "part": "rule",
        "name": "report.html",
    }


def unknown(known: str) -> str:
    """An id of the same shape that nothing has."""
    return re.sub(r"[0-9a-zA-Z]{4}$", "0000", known)


def names_of(route: str) -> list[str]:
    """The parameters of a path."""
    return re.findall(r"\{(\w+)\}", route)


def api_table() -> list[str]:
    """Every route of the API that names a thing."""
    found = [f"{method} {route.path}" for route in api_routes() for method in sorted(route.methods or ())]
    return [route for route in found if names_of(route) and route not in PUBLIC] + list(BY_CITY)


def page_table() -> list[str]:
    """Every page that names a thing."""
    from importlib import import_module

    routes = [route for name in PAGES for route in import_module(name).router.routes]
    found = [f"{method} {route.path}" for route in routes for method in sorted(route.methods or ())]
    return [route for route in found if names_of(route) and route not in PUBLIC] + list(BY_CITY_PAGES)


Ask = Callable[[Mapping[str, str]], Any]


def asked(world: World, ask: Ask, ids: Mapping[str, str]) -> tuple[Any, ...]:
    """What a route answers and what it asks of the database, the ids taken out."""
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    engine = world.client.app.state.service.store.engine  # type: ignore[attr-defined]
    event.listen(engine, "before_cursor_execute", note)
    try:
        answer = ask(ids)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    text = answer.text
    shown = {*ids.values(), *(city_name(ids["city"], lang) for lang in LANGS)}
    for one in sorted(shown, key=len, reverse=True):
        text = text.replace(one, "ID")
    text = re.sub(r'name="form_token" value="\w+"', "", text)
    # What was sent is given back as it was sent.
    text = re.sub(r'<section[^>]*aria-labelledby="h-typed">.*?</section>', "", text, flags=re.DOTALL)
    headers = {name for name in answer.headers if name != "set-cookie"}
    return answer.status_code, text, sorted(headers), statements


def same(world: World, ask: Ask, allowed: tuple[int, ...]) -> str:
    """What differs between a foreign thing and none; empty if nothing."""
    hidden = {name: unknown(value) if name not in ("part", "name") else value for name, value in world.foreign.items()}
    hidden["city"] = "nowhere1"
    # Whoever asks first may find out what is known to the others after.
    asked(world, ask, world.foreign)
    theirs, none = asked(world, ask, world.foreign), asked(world, ask, hidden)
    if theirs[0] not in allowed:
        return f"status {theirs[0]}: {theirs[1][:200]}"
    for what, one, other in zip(("status", "body", "headers", "statements"), theirs, none, strict=True):
        if one != other:
            return f"{what}: {str(one)[:600]} != {str(other)[:600]}"
    return ""


def filled(template: Any, ids: Mapping[str, str]) -> Any:
    """A body with its city."""
    if isinstance(template, dict):
        return {name: filled(value, ids) for name, value in template.items()}
    if isinstance(template, list):
        return [filled(value, ids) for value in template]
    return template.replace("{city}", ids["city"]) if isinstance(template, str) else template


VARIANTS: Final[tuple[dict[str, str], ...]] = (
    {}, {"If-Match": "*", "If-None-Match": "*", "Accept-Language": "zh"}
)  # fmt: skip


@pytest.mark.parametrize("route", api_table())
def test_a_foreign_thing_answers_as_none(world: World, route: str) -> None:
    """Status, body, headers and work are the same for every role that may ask, whatever it says about versions."""
    method, path = route.split(" ")
    wrong = []
    for role in sorted(MAY[route.partition("?")[0]]):
        headers = {"Authorization": f"Bearer {world.key(role)}"}
        for variant in VARIANTS:

            def ask(ids: Mapping[str, str], said: Mapping[str, str] = headers | variant) -> Any:
                body = filled(BODIES.get(route), ids)
                return world.client.request(method, path.format(**ids), headers=dict(said), json=body)

            # A rider's lists are their own, whatever city they name.
            is_own_list = role == "rider" and "?" in route
            found = same(world, ask, (200,) if is_own_list else (404,))
            if found:
                wrong.append((role, variant, found))

    assert wrong == []


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_neither_do_other_methods_tell(world: World, method: str) -> None:
    """HEAD and OPTIONS of every path answer the same."""
    headers = {"Authorization": f"Bearer {world.key('ops')}"}
    paths = {route.split(" ")[1] for route in api_table() if "?" not in route}

    def ask_at(path: str) -> Ask:
        return lambda ids: world.client.request(method, path.format(**ids), headers=headers)

    assert {path: found for path in paths if (found := same(world, ask_at(path), (200, 403, 404, 405)))} == {}


def who_sees(route: str) -> str:
    """The role that a page is for."""
    if "/rider/" in route:
        return "rider"
    if "/approvals/" in route and ("approve" in route or "reject" in route):
        return "approver"
    return "policy" if "/studies/" in route and not route.endswith(("/cancel", "/events")) else "ops"


@pytest.mark.parametrize("route", page_table())
def test_a_foreign_page_is_none(world: World, route: str) -> None:
    """Pages and forms, files and exports likewise."""
    method, path = route.split(" ")
    world.client.cookies.clear()
    world.client.get("/login")
    token = world.client.cookies[FORM_COOKIE]
    entered = world.client.post(
        "/login", headers=HERE, data={"credential": world.key(who_sees(route)), FORM_FIELD: token}
    )
    assert entered.status_code == 303

    def ask(ids: Mapping[str, str]) -> Any:
        if method == "GET":
            return world.client.get(path.format(**ids))
        return world.client.post(path.format(**ids), headers=HERE, data=FORM | {FORM_FIELD: token})

    assert same(world, ask, (404,)) == ""
