"""Webhooks over HTTP: secrets are shown once, owners see their own, addresses are checked."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from api.app.create import create_app
from api.clock import now_us
from api.db.store import Store
from api.endpoints.common.logs import make_log
from api.settings import Settings
from api.webhooks.deliverer import WebhookDeliverer
from api.webhooks.sender import WebhookSender
from tests.api.endpoints.conftest import Bearer
from tests.api.webhooks.receiver import receiving

ADDRESS = "https://platform.example/hook"


def make(client: TestClient, headers: dict[str, str], **changes: object) -> dict[str, object]:
    """Register; the answer."""
    answer = client.post("/v1/webhooks", json={"url": ADDRESS} | changes, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_the_secret_is_shown_once(client: TestClient, bearer: Bearer) -> None:
    """When it is made, and when a new one is; nowhere else."""
    platform = bearer("platform", "p")

    made = make(client, platform, kinds=["tier.changed"], cities=["hangzhou"])
    webhook_id = made["webhook"]["webhook_id"]  # type: ignore[index]
    new = client.post(f"/v1/webhooks/{webhook_id}/rotate", headers=platform).json()["secret"]
    shown = client.get(f"/v1/webhooks/{webhook_id}", headers=platform).text
    listed = client.get("/v1/webhooks", headers=platform)

    assert str(made["secret"]).startswith("whsec_")
    assert new != made["secret"]
    assert "whsec_" not in shown + listed.text
    assert listed.json()["items"][0]["kinds"] == ["tier.changed"]


def test_owners_see_their_own(client: TestClient, bearer: Bearer) -> None:
    """Another platform's is unknown; ops see those of their cities."""
    made = make(client, bearer("platform", "p"), cities=["hangzhou"])
    path = f"/v1/webhooks/{made['webhook']['webhook_id']}"  # type: ignore[index]
    other, ops, far = bearer("platform", "q"), bearer("ops", "li.na"), bearer("ops", "zhao", cities=["suzhou"])

    refused = [
        client.request(method, path + more, headers=who)
        for who in (other, far)
        for method, more in (
            ("GET", ""),
            ("DELETE", ""),
            ("POST", "/ping"),
            ("POST", "/rotate"),
            ("POST", "/enable"),
            ("GET", "/deliveries"),
        )
    ]

    assert {(answer.status_code, answer.json()["code"]) for answer in refused} == {(404, "webhook_unknown")}
    assert client.get("/v1/webhooks", headers=other).json()["items"] == []
    assert client.get(path, headers=ops).status_code == 200


def test_a_platform_of_some_cities_hears_of_no_others(client: TestClient, bearer: Bearer) -> None:
    """Left out, its cities are meant; another one is not there."""
    platform = bearer("platform", "p", cities=["hangzhou"])

    made = make(client, platform)
    other = client.post("/v1/webhooks", json={"url": ADDRESS, "cities": ["suzhou"]}, headers=platform)

    assert made["webhook"]["cities"] == ["hangzhou"]  # type: ignore[index]
    assert (other.status_code, other.json()["code"]) == (404, "city_unknown")


@pytest.mark.parametrize(
    "address", ["http://platform.example/", "https://10.0.0.1/", "https://localhost/x", "nonsense"]
)
def test_addresses_of_the_own_network_are_refused(client: TestClient, bearer: Bearer, address: str) -> None:
    """Unless the settings say otherwise."""
    answer = client.post("/v1/webhooks", json={"url": address}, headers=bearer("platform"))

    assert (answer.status_code, answer.json()["code"]) == (409, "webhook_url")


def test_a_removed_webhook_is_gone(client: TestClient, bearer: Bearer) -> None:
    """204, then 404."""
    platform = bearer("platform", "p")
    path = f"/v1/webhooks/{make(client, platform)['webhook']['webhook_id']}"  # type: ignore[index]

    assert client.delete(path, headers=platform).status_code == 204
    assert client.get(path, headers=platform).status_code == 404


@pytest.fixture
def private(store: Store, url: str) -> Iterator[TestClient]:
    """The service where webhooks may be called on this machine."""
    settings = Settings(database_url=url, token_cache_s=0, webhooks_private=True)
    with TestClient(create_app(settings, hooks=()), headers={"Accept-Language": "en"}) as client:
        yield client


@pytest.mark.slow
def test_a_ping_arrives_and_shows_among_the_deliveries(private: TestClient, bearer: Bearer, store: Store) -> None:
    """From the request to the receiver and back into the list."""
    platform = bearer("platform", "p")
    with receiving() as receiver:
        made = make(private, platform, url=receiver.url)
        path = f"/v1/webhooks/{made['webhook']['webhook_id']}"  # type: ignore[index]
        number = private.post(f"{path}/ping", headers=platform).json()["outbox_id"]
        deliverer = WebhookDeliverer(store, now_us, WebhookSender(allow_private=True, clock=now_us), make_log("error"))

        deliverer.step()
        deliverer.close()

        assert receiver.verified(str(made["secret"]))[0]["type"] == "ping"
    shown = private.get(f"{path}/deliveries", headers=platform).json()["items"]
    assert [(one["outbox_id"], one["kind"], one["state"], one["last_status"]) for one in shown] == [
        (number, "ping", "delivered", 204)
    ]
