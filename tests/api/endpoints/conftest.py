"""The service in process, on both engines, with a clock of ours and a token for whoever a test needs."""

import datetime as dt
from collections.abc import Callable, Iterator

import pytest
from starlette.testclient import TestClient

from api.access import keys
from api.app.create import create_app
from api.books import in_force
from api.db.store import Store
from api.settings import Settings
from rules.deployment import Deploy
from tests.api.ledger.posts import START_US, publish

Bearer = Callable[..., dict[str, str]]


class Clock:
    """A clock that moves when a test says so; every shipped book is in force when it starts."""

    def __init__(self, now_us: int = START_US) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        return self.now_us

    def forward(self, *, seconds: int = 0, days: int = 0) -> None:
        """Let time pass."""
        self.now_us += (seconds + days * 86_400) * 1_000_000


@pytest.fixture
def clock() -> Clock:
    """The service's clock."""
    return Clock()


@pytest.fixture
def settings(url: str) -> Settings:
    """Settings of the service; a test module may replace this fixture."""
    return Settings(database_url=url, token_cache_s=0, law_cache_s=0)


@pytest.fixture
def client(store: Store, settings: Settings, clock: Clock) -> Iterator[TestClient]:
    """The service without background work, asked in English."""
    app = create_app(settings, hooks=(), clock=clock)
    with TestClient(app, headers={"Accept-Language": "en"}) as client:
        yield client


@pytest.fixture
def bearer(store: Store, clock: Clock) -> Bearer:
    """Headers of a new key: `bearer("ops", "li.na", cities=["hangzhou"])`."""

    def make(role: str, subject: str = "", cities: tuple[str, ...] | list[str] = (), **options: int) -> dict[str, str]:
        with store.writing(clock()) as unit:
            _, written = keys.create_key(unit, role, subject or f"some-{role}", cities, actor="test:test", **options)
        return {"Authorization": f"Bearer {written}"}

    return make


@pytest.fixture
def _law(store: Store) -> None:
    """Hangzhou's crowdsourced riders are judged by a published book."""
    publish(store, "taobao-crowdsourced")
    row = {
        "city": "hangzhou", "rider_kind": "crowdsourced", "book": "taobao-crowdsourced", "from": dt.date(2025, 12, 3),
        "source": "test", "confidence": "ours",
    }  # fmt: skip
    with store.writing(START_US) as unit:
        in_force.deploy(unit, [Deploy.model_validate(row)])
