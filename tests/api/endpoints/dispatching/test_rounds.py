"""A round of dispatch over HTTP."""

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.api.endpoints.conftest import Bearer

NOW_S = 1_800_000_000


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A round is the same on every engine."""
    return f"sqlite:///{tmp_path / 'store.db'}"


def place(east_m: float, north_m: float = 0) -> dict[str, float]:
    """A place near the lake, by metres."""
    return {"latitude": 30.25 + north_m / 111_195, "longitude": 120.15 + east_m / 96_050}


def rider(name: str, east_m: float = 0, **changes: Any) -> dict[str, Any]:
    """A rider who is free."""
    return {"rider_id": name, "at": place(east_m), "free_s": NOW_S, "off_s": NOW_S + 7_200} | changes


def order(name: str, east_m: float = 0, **changes: Any) -> dict[str, Any]:
    """An order for a door a kilometre north of its merchant."""
    return {
        "order_id": name, "merchant": place(east_m), "door": place(east_m, 1_000), "placed_s": NOW_S - 60,
        "ready_s": NOW_S + 300, "promised_s": NOW_S + 1_800, "fee_fen": 500,
    } | changes  # fmt: skip


def solved(client: TestClient, bearer: Bearer, riders: list[Any], orders: list[Any], **more: Any) -> Any:
    """The answer to a round."""
    body = {"now_s": NOW_S, "riders": riders, "orders": orders} | more
    answer = client.post("/v1/dispatch/rounds", headers=bearer("platform"), json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_near_rider_takes_the_order(client: TestClient, bearer: Bearer) -> None:
    """Who is beside the merchant gets it; the answer says who came next and at what cost."""
    answer = solved(client, bearer, [rider("far", 3_000), rider("near", 100)], [order("o1")])

    assert [(a["order_id"], a["rider_id"], a["next_rider_id"]) for a in answer["assignments"]] == [
        ("o1", "near", "far")
    ]
    assert answer["assignments"][0]["cost"] == sum(answer["assignments"][0]["costs"].values())
    assert answer["assignments"][0]["cost"] < answer["assignments"][0]["next_cost"]
    assert answer["plans"] == [
        {"rider_id": "near", "stops": [{"order_id": "o1", "kind": "pickup"}, {"order_id": "o1", "kind": "dropoff"}]}
    ]


def test_hours_of_the_standard_are_kept(client: TestClient, bearer: Bearer) -> None:
    """Four hours without a pause, eight without consent, twelve with it, six days in a row: nothing new."""
    tired = [
        rider("four", worked_s=14_400, continuous_s=14_400),
        rider("eight", worked_s=28_800),
        rider("twelve", worked_s=43_200, goes_on=True),
        rider("week", days_in_a_row=6),
    ]

    answer = solved(client, bearer, [*tired, rider("asked", 4_000, worked_s=28_800, goes_on=True)], [order("o1")])

    assert {w["rider_id"]: w["reason"] for w in answer["withheld"]} == {
        "four": "continuous", "eight": "daily", "twelve": "daily_limit", "week": "weekly",
    }  # fmt: skip
    assert [a["rider_id"] for a in answer["assignments"]] == ["asked"]


def test_orders_in_hand_stay(client: TestClient, bearer: Bearer) -> None:
    """What a rider carries is brought by that rider; what is not placed yet waits."""
    stops = [{"order_id": "in hand", "kind": "dropoff"}]
    orders = [order("in hand", 5_000, rider_id="r1", is_carried=True), order("later", placed_s=NOW_S + 60)]

    answer = solved(client, bearer, [rider("r1", stops=stops), rider("r2", 5_000)], orders)

    assert answer["plans"] == [{"rider_id": "r1", "stops": stops}]
    assert [(w["order_id"], w["reason"]) for w in answer["waiting"]] == [("later", "not_placed")]


def test_the_same_request_has_the_same_answer(client: TestClient, bearer: Bearer) -> None:
    """Seed and effort decide, not the clock."""
    riders = [rider(f"r{k}", 400 * k) for k in range(6)]
    orders = [order(f"o{k}", 300 * k) for k in range(12)]

    answers = [solved(client, bearer, riders, orders, seed=7, effort=500) for _ in range(2)]

    assert answers[0] == answers[1]
    assert {a["order_id"] for a in answers[0]["assignments"]} | {w["order_id"] for w in answers[0]["waiting"]} == {
        f"o{k}" for k in range(12)
    }


def test_nothing_to_do_is_an_answer(client: TestClient, bearer: Bearer) -> None:
    """No riders, no orders, or neither."""
    for riders, orders in (([], []), ([rider("r1")], []), ([], [order("o1")])):
        answer = solved(client, bearer, riders, orders)
        assert answer["assignments"] == []


@pytest.mark.parametrize(
    ("riders", "orders", "pointer"),
    [
        ([rider("r1"), rider("r1")], [], "#/riders"),
        ([], [order("o1"), order("o1")], "#/orders"),
        ([], [order("o1", rider_id="r9")], "#/orders/0/rider_id"),
        ([rider("r1")], [order("o1", is_carried=True)], "#/orders/0/rider_id"),
        ([rider("r1", stops=[{"order_id": "o9", "kind": "pickup"}])], [], "#/riders/0/stops"),
        ([rider("r1")], [order("o1", rider_id="r1")], "#/riders/0/stops"),
        ([rider("r1", continuous_s=60)], [], "#/riders/0/continuous_s"),
    ],
)
def test_what_does_not_fit_together_is_named(
    client: TestClient, bearer: Bearer, riders: list[Any], orders: list[Any], pointer: str
) -> None:
    """Names that stand twice or nowhere, plans that are none: refused with the place, before anything is solved."""
    body = {"now_s": NOW_S, "riders": riders, "orders": orders}

    answer = client.post("/v1/dispatch/rounds", headers=bearer("platform"), json=body)

    assert (answer.status_code, answer.json()["code"]) == (409, "round_contradicts")
    assert pointer in {error["pointer"] for error in answer.json()["errors"]}


@pytest.mark.case
@pytest.mark.parametrize(("low", "high"), [(900, 1_100), (950, 1_000), (1_000, 1_050), (500, 2_000)])
@pytest.mark.parametrize("first", ["low", "high"])
def test_the_higher_tier_is_offered_the_order(
    client: TestClient, bearer: Bearer, low: int, high: int, first: str
) -> None:
    """Of two like riders the one with the higher multiplier takes it, in whatever order they are named."""
    riders = [rider("low", priority_permille=low), rider("high", priority_permille=high)]

    answer = solved(client, bearer, riders if first == "low" else riders[::-1], [order("o1")])

    assert [a["rider_id"] for a in answer["assignments"]] == ["high"]


@pytest.mark.case
@pytest.mark.parametrize("late_min", [0, 30, 190, 3_000])
def test_an_old_order_is_assigned_to_an_idle_rider(client: TestClient, bearer: Bearer, late_min: int) -> None:
    """However late an order is, who can take it does."""
    old = order("o1", placed_s=NOW_S - 60 * late_min - 1_800, ready_s=NOW_S - 60 * late_min - 1_200)
    old["promised_s"] = NOW_S - 60 * late_min

    answer = solved(client, bearer, [rider("r1")], [old])

    assert [a["rider_id"] for a in answer["assignments"]] == ["r1"]
    assert answer["waiting"] == []


@pytest.mark.parametrize(
    ("riders", "reason", "words"),
    [
        ([], "no_riders", "no riders"),
        ([rider("r1", off_s=NOW_S - 1), rider("r2", off_s=NOW_S + 10)], "before_shift_ends", "2 riders"),
        ([rider("r1", worked_s=43_200, goes_on=True)], "all_withheld", "the only rider"),
    ],
)
def test_what_waits_says_the_true_reason(
    client: TestClient, bearer: Bearer, riders: list[Any], reason: str, words: str
) -> None:
    """Nobody there, gone before the pickup, or resting: each is named as such, with how many."""
    answer = solved(client, bearer, riders, [order("o1")])

    assert [w["reason"] for w in answer["waiting"]] == [reason]
    assert words in answer["waiting"][0]["words"]


def test_facts_are_seconds(client: TestClient, bearer: Bearer) -> None:
    """An order that arrives 240 s late is said to be 240 s late, in facts and in words; its cost stands apart."""
    first = solved(client, bearer, [rider("r1")], [order("o1")])["assignments"][0]

    late = solved(client, bearer, [rider("r1")], [order("o1", promised_s=NOW_S - 60 + first["facts"]["wait_s"] - 240)])

    told = late["assignments"][0]
    assert told["facts"] == first["facts"] | {"late_s": 240}
    assert "240 s late" in told["words"]
    assert told["costs"]["late"] == 240 * 3_000


def test_a_pickup_in_hand_after_the_shift_has_a_plain_cost(client: TestClient, bearer: Bearer) -> None:
    """What is in hand is brought after the shift's end too, and counted as what it takes."""
    stops = [{"order_id": "o1", "kind": "pickup"}, {"order_id": "o1", "kind": "dropoff"}]
    riders = [rider("r1", off_s=NOW_S - 600, stops=stops)]

    answer = solved(client, bearer, riders, [order("o1", rider_id="r1"), order("o2")])

    assert answer["plans"] == [{"rider_id": "r1", "stops": stops}]
    assert 0 < answer["cost"] < 10**8
    assert [w["order_id"] for w in answer["waiting"]] == ["o2"]


def test_effort_buys_better_plans(client: TestClient, bearer: Bearer) -> None:
    """More steps of search never cost more, and somewhere they cost less."""
    riders = [rider(f"r{k}", 900 * k) for k in range(4)]
    orders = [order(f"o{k}", (1_700 * k) % 3_600, ready_s=NOW_S + (97 * k) % 600) for k in range(16)]

    costs = [solved(client, bearer, riders, orders, effort=effort)["cost"] for effort in (0, 50, 5_000)]

    assert costs[0] >= costs[1] >= costs[2]
    assert costs[0] > costs[2]
