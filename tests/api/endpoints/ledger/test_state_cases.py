"""Posts of which two ended in a 500 once: lines that asked for one id twice. Each with its right value, on both engines."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.books import in_force
from api.db.store import Store
from api.ledger.verify import verify_store
from rules.deployment import Deploy
from tests.api.endpoints.conftest import Bearer, Clock
from tests.api.ledger.posts import FADING, START_US, later, lines_of, publish
from tests.builders import HOUR_US, correction, delivered, event

TAOBAO, MEITUAN = "taobao-crowdsourced", "meituan-anzhun"
Events = Sequence[dict[str, Any]]


def deploy(store: Store, **of_kinds: str) -> None:
    """Put a book in force in Hangzhou for each kind of rider."""
    publish(store, *of_kinds.values())
    since = {"from": dt.date(2025, 12, 3), "source": "test", "confidence": "ours"}
    rows = [{"city": "hangzhou", "rider_kind": kind, "book": name} | since for kind, name in of_kinds.items()]
    with store.writing(START_US) as unit:
        in_force.deploy(unit, [Deploy.model_validate(row) for row in rows])


def posted(client: TestClient, headers: dict[str, str], events: Events) -> list[str]:
    """What one post answers, event by event."""
    answer = client.post("/v1/events", headers=headers, json={"events": list(events)})
    assert answer.status_code == 200, answer.text
    return [result["status"] for result in answer.json()["results"]]


def faults_of(store: Store) -> list[str]:
    """What verification finds."""
    with store.reading() as unit:
        return [str(found) for found in verify_store(unit).found if not found.holds]


def fix() -> dict[str, Any]:
    """By a correction the order was four minutes late, not five."""
    order = delivered("l1", late_min=5)
    return correction("l2", order, after_min=55, assess_deadline_us=order["occurred_us"] - 4 * 60_000_000)


def review() -> dict[str, Any]:
    """A good review of some other order."""
    return event("good_review", "l2", at_min=5, order_id="order-7")


@pytest.mark.case
@pytest.mark.parametrize("first", [fix, review])
@pytest.mark.parametrize("together", [True, False])
def test_a_correction_is_not_its_own_cause(
    client: TestClient, store: Store, bearer: Bearer, clock: Clock, first: Any, together: bool
) -> None:
    """A word about an order comes beside its correction, or beside something else: each line names what made it necessary."""
    deploy(store, crowdsourced=FADING)
    headers = bearer("platform")
    word = event("deadline_extended", "l3", at_min=115, order_id="order-l1", cause="red_light", extend_s=60)
    order, *after = later([delivered("l1", late_min=5), first(), word])
    clock.now_us = START_US + 3 * HOUR_US
    assert posted(client, headers, [order]) == ["scored"]

    posts = [after] if together else [[row] for row in after]
    statuses = [status for rows in posts for status in posted(client, headers, rows)]

    lines = lines_of(store)
    assert statuses == ["scored"] * 2
    assert len({line["entry_id"] for line in lines}) == len(lines)
    causes = {line["cause_event_id"] for line in lines if line["event_id"] == "l1" and line["cause_event_id"]}
    assert causes == ({"l2", "l3"} if first is fix else {"l3"})
    assert faults_of(store) == []


@pytest.mark.case
def test_two_books_at_one_instant(client: TestClient, store: Store, bearer: Bearer, clock: Clock) -> None:
    """A rider who is of one kind and of another at once goes from book to book: each change is a line of its own."""
    deploy(store, crowdsourced=TAOBAO, dedicated=MEITUAN)
    clock.now_us = START_US + HOUR_US
    kinds = ("crowdsourced", "dedicated", "crowdsourced", "dedicated")
    rows = [
        delivered(f"q{k + 1}", rider_id="quinn", at_min=0 if k == 0 else 30, rider_kind=kind, late_min=-10)
        for k, kind in enumerate(kinds)
    ]

    statuses = posted(client, bearer("platform"), later(rows))

    lines = lines_of(store)
    assert statuses == ["scored"] * 4
    resets = [line["entry_id"] for line in lines if line["event_id"].startswith("reset:")]
    assert len(resets) == len(set(resets)) >= 3
    assert faults_of(store) == []


@pytest.mark.case
def test_two_cities_at_one_instant(client: TestClient, store: Store, bearer: Bearer, clock: Clock) -> None:
    """A rider's events are of one city: those of another are rejected alone, and the others stand."""
    deploy(store, crowdsourced=TAOBAO)
    clock.now_us = START_US + HOUR_US
    cities = ("hangzhou", "quanzhou", "hangzhou", "quanzhou")
    rows = [
        delivered(f"q{k}", rider_id="quinn", at_min=0 if k == 0 else 30, city=city) for k, city in enumerate(cities)
    ]

    statuses = posted(client, bearer("platform"), later(rows))

    assert statuses == ["scored", "rejected", "scored", "rejected"]
    assert faults_of(store) == []
