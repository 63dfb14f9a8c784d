"""`riderscore.Client` against a running service: post, read, page, appeal; refusals are exceptions that say why."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

import riderscore as rs
from tests.riderscore.service import LiveService, key_of, live_service

pytestmark = pytest.mark.slow

NUM_EVENTS = 5
# The first request of a new machine waits for compiled code.
PATIENCE_S = 300


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    """One service for all."""
    with live_service(tmp_path_factory.mktemp("service")) as running:
        yield running


def deliveries(rider: str) -> list[dict[str, Any]]:
    """Some deliveries of today, the last of them four minutes late."""
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    done = [now - dt.timedelta(minutes=10 * (NUM_EVENTS - number)) for number in range(NUM_EVENTS)]
    return [
        {
            "event_id": f"{rider}-e{number}", "rider_id": rider, "city": "hangzhou", "rider_kind": "crowdsourced",
            "kind": "delivered", "order_id": f"{rider}-o{number}", "occurred_at": at.isoformat(),
            "promised_at": (at - dt.timedelta(minutes=4 if number == NUM_EVENTS - 1 else 0)).isoformat(), "fee_fen": 500,
        }
        for number, at in enumerate(done)
    ]  # fmt: skip


def test_events_go_in_and_a_card_comes_out(service: LiveService) -> None:
    """Each event has its answer, the card its score, and entries come page by page, all of them."""
    events = deliveries("r7")
    with rs.Client(service.url, service.platform_key, timeout_s=PATIENCE_S) as client:
        answer = client.post_events(events)
        again = client.post_events(events[0])
        card = client.card("r7")
        entries = list(client.entries("r7", limit=2))

    assert [result["status"] for result in answer["results"]] == ["scored"] * NUM_EVENTS
    assert again["results"][0]["status"] == "repeated"
    assert card["score_mp"] == 70_000 + 4 * 200 - 1_000
    assert len(entries) == NUM_EVENTS
    assert "4 min late" in entries[0]["sentence"]


def test_a_rider_asks_why_and_appeals(service: LiveService) -> None:
    """With a key of the rider's own: the tree of an entry, what the next order would do, an appeal."""
    with rs.Client(service.url, service.platform_key, timeout_s=PATIENCE_S) as client:
        client.post_events(deliveries("r8"))
    key = key_of(service.database, "rider", "r8")

    with rs.Client(service.url, key, lang="zh", timeout_s=PATIENCE_S) as client:
        last = next(client.entries("r8"))
        entry = client.entry(last["entry_id"])
        forecast = client.forecast("r8")
        appeal = client.appeal(last["entry_id"], reason_code="merchant_slow", reason="商家出餐慢")

    assert "晚到" in last["sentence"]
    assert entry["entry"]["entry_id"] == last["entry_id"]
    assert forecast
    assert appeal["entry_id"] == last["entry_id"]


def test_a_refusal_says_why(service: LiveService) -> None:
    """Code, status and words of the problem document."""
    with (
        rs.Client(service.url, "rs_nobody", timeout_s=PATIENCE_S) as client,
        pytest.raises(rs.ProblemError, match="401 token_invalid") as no,
    ):
        client.card("r7")
    assert no.value.code == "token_invalid"
    with rs.Client(service.url, service.platform_key, timeout_s=PATIENCE_S) as client:
        with pytest.raises(rs.ProblemError) as unknown:
            client.card("nobody/at all")
        assert unknown.value.status == 404
        assert client.request("GET", "/healthz")
