"""GET /v1/shared-orders: orders that two riders delivered, for people of their cities."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from api.books import in_force
from api.db.store import Store
from rules.deployment import Deploy
from rules.shelf import versions
from tests.api.endpoints.conftest import Bearer, Clock
from tests.api.ledger.posts import BOOK, START_US, later, publish
from tests.builders import delivered

URL = "/v1/shared-orders"
CITIES = ("hangzhou", "shanghai")


def two(order: str, *cities: str) -> list[dict[str, Any]]:
    """One order, delivered by a rider of each city."""
    rows = [
        delivered(f"{order}-{k}", rider_id=f"{city}-{k}", order_id=order, at_min=k, city=city)
        for k, city in enumerate(cities)
    ]
    return later(rows)


@pytest.fixture
def shared(client: TestClient, store: Store, bearer: Bearer, clock: Clock) -> list[dict[str, Any]]:
    """Two orders: of two riders of Hangzhou in two posts, and of a rider of each city in one."""
    publish(store, BOOK)
    rows = [
        {"city": city, "rider_kind": "crowdsourced", "book": BOOK, "source": "t", "confidence": "ours"}
        | {"from": versions(BOOK)[-1].model.effective_from}
        for city in CITIES
    ]
    with store.writing(START_US) as unit:
        in_force.deploy(unit, [Deploy.model_validate(row) for row in rows])
    platform = bearer("platform", cities=list(CITIES))
    first, second = two("o1", "hangzhou", "hangzhou")
    answers: list[dict[str, Any]] = []
    for number, some in enumerate(([first], [second], two("o2", *CITIES))):
        clock.forward(seconds=1)
        answer = client.post("/v1/events", headers=platform | {"Idempotency-Key": f"k{number}"}, json=some)
        answers += answer.json()["results"]
    return answers


def orders(client: TestClient, headers: dict[str, str], query: str = "") -> list[tuple[str, str | None, str | None]]:
    """Each order with the riders who are shown."""
    answer = client.get(f"{URL}{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    return [
        (one["order_id"], *((one[which] or {}).get("rider_id") for which in ("first", "later")))
        for one in answer.json()["items"]
    ]


def test_orders_of_two_riders_are_shown_where_they_are(
    client: TestClient, bearer: Bearer, shared: list[dict[str, Any]]
) -> None:
    """All deliveries were scored; each city sees its own riders, nobody's order of elsewhere, newest first."""
    assert [one["status"] for one in shared] == ["scored"] * 4
    everywhere, here, there, nowhere = (
        bearer("ops", cities=list(cities)) for cities in ((), ("hangzhou",), ("shanghai",), ("beijing",))
    )

    assert orders(client, everywhere) == [("o2", "hangzhou-0", "shanghai-1"), ("o1", "hangzhou-0", "hangzhou-1")]
    assert orders(client, here) == [("o2", "hangzhou-0", None), ("o1", "hangzhou-0", "hangzhou-1")]
    assert orders(client, there) == [("o2", None, "shanghai-1")]
    assert orders(client, nowhere) == []
    assert orders(client, everywhere, "?city=shanghai") == [("o2", "hangzhou-0", "shanghai-1")]
    assert client.get(f"{URL}?city=shanghai", headers=here).status_code == 404
    page = client.get(f"{URL}?limit=1", headers=everywhere).json()
    assert orders(client, everywhere, f"?cursor={page['cursor']}") == [("o1", "hangzhou-0", "hangzhou-1")]


@pytest.mark.usefixtures("shared")
def test_they_are_counted(client: TestClient, bearer: Bearer) -> None:
    """In the meter for all, in the figures of each city."""
    assert "riderscore_orders_shared 2.0" in client.get("/metrics").text
    counts = {
        city: client.get(f"/v1/cities/{city}/dashboard", headers=bearer("ops")).json()["num_shared_orders"]
        for city in CITIES
    }
    assert counts == {"hangzhou": 2, "shanghai": 1}
