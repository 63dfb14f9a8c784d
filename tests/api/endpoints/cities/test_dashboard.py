"""GET /v1/cities/{city}/dashboard."""

import pytest
from starlette.testclient import TestClient

from api.cities.daily_figures import refresh
from api.db.store import Store
from tests.api.endpoints.conftest import Bearer, Clock
from tests.api.ledger.posts import later, post, publish
from tests.builders import delivered, slow_merchant

URL = "/v1/cities/hangzhou/dashboard"
DAY = later(
    [delivered("a"), delivered("b", at_min=60, late_min=4), slow_merchant("c", wait_min=12, at_min=120, late_min=12)]
)


@pytest.fixture
def counted(store: Store, clock: Clock) -> None:
    """A day of one rider, counted."""
    publish(store, "taobao-crowdsourced")
    post(store, DAY)
    refresh(store, clock())


@pytest.mark.usefixtures("counted")
def test_figures_of_a_day(client: TestClient, bearer: Bearer) -> None:
    """One order on time, one late by the rider, one by the merchant; the fine would have taken both."""
    answer = client.get(URL, headers=bearer("ops"))

    assert answer.status_code == 200
    body = answer.json()
    assert [body[name] for name in ("num_delivered", "num_on_time", "num_late", "num_exempt")] == [3, 1, 1, 1]
    assert body["causes"] == [{"cause": "merchant_slow", "num_orders": 1, "late_s": 720}]
    assert body["fines_avoided_fen"] - body["fines_not_liable_fen"] == 200
    assert [day["num_delivered"] for day in body["days"]] == [3]
    assert sum(tier["num_riders"] for tier in body["tiers"]) == body["num_riders"] == 1


@pytest.mark.usefixtures("counted")
def test_a_city_that_is_not_theirs_is_refused(client: TestClient, bearer: Bearer) -> None:
    """Ops of one city read no other."""
    assert client.get(URL, headers=bearer("ops", cities=["shanghai"])).status_code == 404


@pytest.mark.usefixtures("counted")
@pytest.mark.parametrize(
    ("path", "status"), [("/v1/cities/nowhere/dashboard", 404), (f"{URL}?days=0", 422), (f"{URL}?days=32", 422)]
)
def test_what_is_not_there_is_said(client: TestClient, bearer: Bearer, path: str, status: int) -> None:
    """An unknown city, and days out of range."""
    assert client.get(path, headers=bearer("policy")).status_code == status
