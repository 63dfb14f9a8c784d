"""The matrix of `matrix.py`, asked: on the database that 0.1.0 left behind, so that there is something to see and to change."""

import hashlib
import re
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from api.access import keys
from api.access.keys import ROLES
from api.app.create import create_app
from api.books.in_force import rules_in_force
from api.db import schema
from api.db.store import Store
from api.db.tables import drafts, entries, open_reviews, studies
from api.ledger.posting import post_events
from api.settings import Settings
from rules.shelf import versions
from tests.api.endpoints.matrix import EVERYWHERE, HERE, MATRIX, RIDER, SAMPLE, THERE, Row
from tests.api.endpoints.roles import OPEN, routes
from tests.api.ledger.posts import later, table_of
from tests.builders import NOON_US, delivered
from tests.fixtures.v0_1_0.kept import END_US, sqlite_database

pytestmark = pytest.mark.slow

NOW_US: Final = END_US + 60_000_000
NOBODY: Final = "0" * 16
NAMED: Final = (
    "PUT /v1/riders/{rider_id}/person",
    "GET /v1/cities/{city}/dashboard",
    "POST /v1/books/{book_id}/rollback",
)
WORD = re.compile(r"\{(\w+)\}")
# Kept by every request: when a key was last used.
OF_REQUESTS: Final = {"api_keys", "idempotency", "sqlite_sequence"}


@dataclass(frozen=True)
class World:
    """A database, ids in it by name, and a key for each (role, city)."""

    path: Path
    ids: Mapping[str, str]
    tokens: Mapping[tuple[str, str], str]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """What 0.1.0 left, brought up to date, with new keys of people here and there."""
    left = sqlite_database(tmp_path_factory.mktemp("matrix"))
    store = Store(left.url)
    schema.upgrade(store)
    known, rider = left.known, f"{HERE}-r00001"
    low = [delivered(f"low{n}", late_min=30, rider_id=f"{HERE}-r00003") for n in range(3)]
    with store.writing(NOW_US) as unit:
        # Somebody whom a person is asked to look at.
        post_events(unit, rules_in_force(unit), table_of(later(low, NOW_US - NOON_US - 60_000_000)))
        tokens = {}
        for role in ROLES:
            for city in (HERE, THERE, SAMPLE, EVERYWHERE):
                # Webhooks and keys belong to whoever made them, and to the ops of their cities.
                subject = f"{city}-r00001" if role == RIDER else f"{role}-{city}"
                cities = (city,) if city else ()
                tokens[role, city] = keys.create_key(unit, role, subject, cities, actor="test")[1]
        made = keys.create_key(unit, RIDER, rider, (HERE,), actor=f"platform:platform-{HERE}")[0]
        ids = {
            "now": str(NOW_US - 3_600_000_000),
            "rider": rider,
            "rider_id": rider,
            "city": HERE,
            "key_id": made.key_id,
            "entry_id": unit.connection.scalars(
                select(entries.c.entry_id)
                .where(entries.c.rider_id == rider, entries.c.kind == "deduct", entries.c.event_id.like("bad-%"))
                # The newest were appealed by 0.1.0's riders.
                .order_by(entries.c.seq.desc())
                .offset(5)
            ).first(),
            "appeal_id": known["appeals"]["open"],
            "review_id": known["reviews"]["all_by_rider"][rider],
            "open_review": unit.connection.scalars(
                select(open_reviews.c.review_id).where(open_reviews.c.rider_id == f"{HERE}-r00003")
            ).first(),
            "study_id": known["studies"]["done"],
            "waiting_study": known["studies"]["waiting"],
            "impact": unit.connection.scalars(
                select(studies.c.study_id).where(studies.c.draft_id == known["drafts"]["approved"])
            ).first(),
            "webhook_id": known["webhooks"][HERE]["webhook_id"],
            "book_id": "taobao-crowdsourced",
            "digest": versions("taobao-crowdsourced")[-1].digest,
            "book_a": versions("taobao-crowdsourced")[-1].digest,
            "book_b": versions("gbt-46862-reference")[0].digest,
            "content": unit.connection.scalars(
                select(drafts.c.content_digest).where(drafts.c.draft_id == known["drafts"]["submitted"])
            ).first(),
        } | {f"{state}_draft": draft_id for state, draft_id in known["drafts"].items()}
    store.close()
    return World(Path(left.url.removeprefix("sqlite:///")), ids, tokens)


@contextmanager
def served(world: World, folder: Path) -> Iterator[tuple[TestClient, Path]]:
    """A service on a copy of the world."""
    path = Path(shutil.copy2(world.path, folder / "copy.db"))
    settings = Settings(database_url=f"sqlite:///{path}", token_cache_s=0, law_cache_s=0, webhooks_private=True)
    with TestClient(create_app(settings, hooks=(), clock=lambda: NOW_US), headers={"Accept-Language": "en"}) as client:
        yield client, path


def filled(given: Any, ids: Mapping[str, str]) -> Any:
    """A body with the ids of the world in place of their names."""
    if isinstance(given, dict):
        return {key: filled(value, ids) for key, value in given.items()}
    if isinstance(given, list):
        return [filled(value, ids) for value in given]
    if not isinstance(given, str):
        return given
    text = WORD.sub(lambda match: ids[match[1]], given)
    return int(text) if given == "{now}" else text


def ask(client: TestClient, route: str, token: str, ids: Mapping[str, str]) -> httpx2.Response:
    """A valid request, whoever sends it."""
    row, (method, path) = MATRIX[route], route.split()
    path = WORD.sub(lambda match: filled(row.ids.get(match[1], "{" + match[1] + "}"), ids), path)
    headers = {"Authorization": f"Bearer {token}"} | ({"If-Match": "*"} if "drafts" in path and method != "GET" else {})
    body = {} if row.body is None else {"json": filled(row.body, ids)}
    return client.request(method, path + (f"?{row.query}" if row.query else ""), headers=headers, **body)


def content_of(path: Path) -> str:
    """A digest of all that a database says."""
    with closing(sqlite3.connect(path)) as connection:
        lines = [line for line in connection.iterdump() if not any(f'"{name}"' in line[:40] for name in OF_REQUESTS)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def test_every_route_stands_in_the_matrix() -> None:
    """Whoever adds a route says here what each role is answered."""
    assert sorted(routes()) == sorted({*OPEN, *MATRIX})


@pytest.mark.parametrize("route", MATRIX)
def test_others_are_refused_and_leave_no_trace(world: World, tmp_path: Path, route: str) -> None:
    """Without the scope 403; with a key of elsewhere what the row says, 404 as for what does not exist; nothing changes."""
    row = MATRIX[route]
    with served(world, tmp_path) as (client, path):
        before = content_of(path)
        others = {
            role: ask(client, route, world.tokens[role, row.here], world.ids)
            for role in ROLES
            if role not in row.own | row.foreign
        }
        foreign = {role: ask(client, route, world.tokens[role, THERE], world.ids) for role in row.foreign}
        after = content_of(path)
        none = dict(world.ids) | dict.fromkeys(_subjects(route, row), NOBODY)
        missing = {role: ask(client, route, world.tokens[role, THERE], none) for role in row.foreign}

    assert {role: answer.status_code for role, answer in others.items()} == dict.fromkeys(others, 403)
    assert {answer.json()["code"] for answer in others.values()} <= {"scope_missing"}
    assert {role: answer.status_code for role, answer in foreign.items()} == row.foreign
    for role, answer in foreign.items():
        # A person may be introduced before their first event: an id that is nobody's is no fault there.
        # Cities have names beside their ids, and books are known to all.
        if answer.status_code == 404 and route not in NAMED:
            assert _plain(answer, world.ids) == _plain(missing[role], none), role
    if max([*row.foreign.values(), 400]) >= 400 and not route.startswith("GET"):
        assert after == before


def _subjects(route: str, row: Row) -> set[str]:
    """Names of the ids that a path holds."""
    words = WORD.findall(route)
    return {WORD.findall(row.ids[word])[0] if word in row.ids else word for word in words}


def _plain(answer: httpx2.Response, ids: Mapping[str, str]) -> str:
    """A problem without the ids that it speaks of."""
    text = answer.text
    for value in sorted(set(ids.values()), key=len, reverse=True):
        text = text.replace(str(value), "ID")
    return text


@pytest.mark.parametrize(("route", "role"), [(route, role) for route, row in MATRIX.items() for role in row.own])
def test_who_may_is_answered(world: World, tmp_path: Path, route: str, role: str) -> None:
    """With a key of the subject's own city, what the row says."""
    row = MATRIX[route]
    with served(world, tmp_path) as (client, _):
        answer = ask(client, route, world.tokens[role, row.here], world.ids)

    assert answer.status_code == row.own[role], answer.text
