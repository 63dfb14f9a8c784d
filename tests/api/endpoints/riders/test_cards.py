"""The card's short way: the same answers as the route, made once, and never older than the rider's row and the law."""

from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from api.db.store import UnreachableError
from api.endpoints.riders.card_cache import CardCache
from api.riders.cards import CardRow
from tests.api.endpoints.conftest import Bearer, Clock
from tests.api.ledger.posts import later
from tests.builders import delivered

pytestmark = pytest.mark.usefixtures("_law")


def post(client: TestClient, bearer: Bearer, *events: dict[str, Any]) -> None:
    """Post events of the past as a platform."""
    answer = client.post("/v1/events", headers=bearer("platform"), json=later(events))
    assert answer.json()["num_rejected"] == 0, answer.text


def made_of(client: TestClient) -> list[str]:
    """From now on, whose cards are made from the store."""
    desk: CardCache = client.app.state.cards  # type: ignore[attr-defined]
    made: list[str] = []
    make = desk._made

    def watched(rider_id: str, lang: Any) -> Any:
        made.append(rider_id)
        return make(rider_id, lang)

    desk._made = watched  # type: ignore[method-assign]
    return made


def test_a_card_is_made_once_until_something_happens(client: TestClient, bearer: Bearer) -> None:
    """Asked again it is the kept one; after an event of the rider it is a new one; another rider's event is nothing to it."""
    post(client, bearer, delivered("e1", late_min=4), delivered("e2", rider_id="r2", at_min=-60))
    rider, made = bearer("rider", "r1"), made_of(client)

    first = client.get("/v1/riders/r1/card", headers=rider)
    again = client.get("/v1/riders/r1/card", headers=rider)
    post(client, bearer, delivered("e3", rider_id="r2", at_min=-30))
    beside = client.get("/v1/riders/r1/card", headers=rider)
    post(client, bearer, delivered("e4", at_min=-10))
    after = client.get("/v1/riders/r1/card", headers=rider)

    assert made == ["r1", "r1"]
    assert first.content == again.content == beside.content != after.content
    assert first.json()["score_mp"] != after.json()["score_mp"]


def test_a_card_ends_with_its_day(client: TestClient, bearer: Bearer, clock: Clock) -> None:
    """What is said of today is not said of tomorrow, though the rider's row is the same."""
    post(client, bearer, delivered("e1", late_min=4))
    made = made_of(client)
    before = client.get("/v1/riders/r1/card", headers=bearer("rider", "r1")).json()
    clock.forward(days=1)

    after = client.get("/v1/riders/r1/card", headers=bearer("rider", "r1")).json()

    assert made == ["r1", "r1"]
    assert (before["today_mp"], after["today_mp"]) == (-1000, 0)


def test_each_language_has_its_own(client: TestClient, bearer: Bearer) -> None:
    """The same card in words of either language, told apart by ETag and headers."""
    post(client, bearer, delivered("e1", late_min=4))
    rider = bearer("rider", "r1")

    zh, en = (client.get("/v1/riders/r1/card", headers=rider | {"Accept-Language": lang}) for lang in ("zh", "en"))

    assert (zh.headers["content-language"], en.headers["content-language"]) == ("zh", "en")
    assert zh.headers["etag"] != en.headers["etag"]
    assert zh.json()["score_mp"] == en.json()["score_mp"]
    assert "Accept-Language" in zh.headers["vary"]


def test_who_has_it_is_told_so(client: TestClient, bearer: Bearer) -> None:
    """304 without a body for the ETag that was given, weak or among others; anything else gets the card."""
    post(client, bearer, delivered("e1", late_min=4))
    rider = bearer("rider", "r1")
    tag = client.get("/v1/riders/r1/card", headers=rider).headers["etag"]

    known = [tag, f"W/{tag}", f'"x", {tag}', "*"]
    answers = [client.get("/v1/riders/r1/card", headers=rider | {"If-None-Match": value}) for value in known]
    other = client.get("/v1/riders/r1/card", headers=rider | {"If-None-Match": '"x"'})

    assert [(answer.status_code, answer.content, answer.headers["etag"]) for answer in answers] == [(304, b"", tag)] * 4
    assert other.status_code == 200


@pytest.mark.parametrize("rider_id", ["r1", "骑手 一号", "r+1:2"])
def test_every_id_has_its_card(client: TestClient, bearer: Bearer, rider_id: str) -> None:
    """Plain ids take the short way, others the route; both say the same."""
    post(client, bearer, delivered("e1", late_min=4, rider_id=rider_id))

    answer = client.get(f"/v1/riders/{quote(rider_id, safe='')}/card", headers=bearer("rider", rider_id))

    assert (answer.status_code, answer.json()["rider_id"]) == (200, rider_id)
    assert answer.headers["cache-control"] == "private, no-cache"


def test_a_card_is_for_those_who_may_see_it(client: TestClient, bearer: Bearer) -> None:
    """Another rider, another city, nobody: as if the rider did not exist; a role without the scope and no token are told so."""
    post(client, bearer, delivered("e1", late_min=4))
    asked = {
        "self": bearer("rider", "r1"),
        "other": bearer("rider", "r2"),
        "here": bearer("platform", cities=["hangzhou"]),
        "elsewhere": bearer("platform", cities=["shanghai"]),
        "policy": bearer("policy"),
        "nobody": {},
    }
    # Kept for the one who may, it is still not given to the others.
    client.get("/v1/riders/r1/card", headers=asked["self"])

    statuses = {name: client.get("/v1/riders/r1/card", headers=headers).status_code for name, headers in asked.items()}
    unknown = client.get("/v1/riders/r9/card", headers=asked["here"])
    foreign = client.get("/v1/riders/r1/card", headers=asked["elsewhere"])

    assert statuses == {"self": 200, "other": 404, "here": 200, "elsewhere": 404, "policy": 403, "nobody": 401}
    assert unknown.json()["code"] == foreign.json()["code"] == "rider_unknown"


def test_a_database_that_is_away_is_said(client: TestClient, bearer: Bearer) -> None:
    """503 and when to ask again, not a fault of the service."""

    class Away:
        async def card_row(self, _: str) -> CardRow | None:
            raise UnreachableError("connection refused")

        async def close(self) -> None:
            """Nothing is held."""

    headers = bearer("rider", "r1")
    client.app.state.cards._rows = Away()  # type: ignore[attr-defined]

    answer = client.get("/v1/riders/r1/card", headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"] == "1"
