"""Whose long work comes next: kinds apart, people by turns, quotas, the place in the queue."""

import pytest
from starlette.testclient import TestClient

from api.clock import now_us
from api.db.store import Store
from api.refusals import Refused
from api.studies import jobs, leases
from api.studies.jobs import WAITING_MAX
from api.studies.queue_order import RUNNING_MAX, position_of, queue_of
from tests.api.endpoints.conftest import Bearer, bearer, client, clock, settings

pytestmark = pytest.mark.slow

__all__ = ["bearer", "client", "clock", "settings"]


def asked(store: Store, actor: str, number: int = 1) -> list[str]:
    """Studies that somebody asked for."""
    found = []
    for _ in range(number):
        with store.writing(now_us()) as unit:
            found.append(jobs.start_study(unit, actor, {"scenario": "ordinary-week"}))
    return found


def impact(store: Store, actor: str) -> str:
    """An impact that somebody asked for."""
    with store.writing(now_us()) as unit:
        return jobs._start(unit, actor, "impact", {"asked_us": 1}, "hangzhou", None, None)


def taken(store: Store, kind: jobs.Kind | None = None) -> str | None:
    """What is taken up next."""
    with store.writing(now_us()) as unit:
        held = leases.lease_next_study(unit, f"server-{now_us()}", kind)
    return None if held is None else held.study.study_id


def test_people_take_turns(store: Store) -> None:
    """Nobody's second study comes before another's first, and who was begun longest ago is next."""
    many = asked(store, "policy:many", 4)
    few = asked(store, "policy:few", 2)

    order = [taken(store) for _ in range(3)]

    assert order == [many[0], few[0], many[1]]


def test_an_impact_does_not_wait_behind_studies(store: Store) -> None:
    """Each kind has a queue of its own, and a worker of its own in each server."""
    asked(store, "policy:team", WAITING_MAX)
    needed = impact(store, "ops:li.na")

    with store.reading() as unit:
        place = position_of(unit, needed, "impact")
    assert place == 1
    assert taken(store, "study") != needed
    assert taken(store, "impact") == needed


def test_so_much_of_one_person_is_under_way(store: Store) -> None:
    """More of it waits, however many servers have nothing to do; another's goes on."""
    asked(store, "policy:many", RUNNING_MAX + 1)
    running = [taken(store) for _ in range(RUNNING_MAX)]
    other = asked(store, "policy:few")

    assert None not in running
    assert taken(store) == other[0]
    assert taken(store) is None


def test_so_much_of_one_person_waits(store: Store) -> None:
    """The next is refused with what to do; another person's, and another kind, are taken."""
    waiting = asked(store, "policy:many", WAITING_MAX)
    with pytest.raises(Refused) as refused:
        asked(store, "policy:many")
    asked(store, "policy:few")
    impact(store, "policy:many")

    assert refused.value.code == "too_much_waiting"
    assert str(WAITING_MAX) in refused.value.describe("en")
    with store.writing(now_us()) as unit:
        jobs.cancel(unit, "policy:many", waiting[0])
    assert asked(store, "policy:many")


def test_the_queue_is_the_order_in_which_work_is_taken_up(store: Store) -> None:
    """Whoever looks at their place sees what will happen."""
    asked(store, "policy:a", 3)
    asked(store, "policy:b", 2)
    asked(store, "policy:c", 1)
    with store.reading() as unit:
        order = list(queue_of(unit, "study"))

    found = []
    while (study_id := taken(store)) is not None:
        found.append(study_id)
        with store.writing(now_us()) as unit:
            jobs.cancel(unit, "policy:x", study_id)

    assert found == order


def test_the_place_and_the_limit_are_told_over_http(client: TestClient, bearer: Bearer, store: Store) -> None:
    """A study that waits says which place it has; one too many is 429 with words in both languages."""
    policy = bearer("policy", "wang")
    made = asked(store, "policy:wang", WAITING_MAX)

    places = [client.get(f"/v1/studies/{one}", headers=policy).json()["position"] for one in made[:3]]
    body = {"scenario": "ordinary-week", "books": ["legacy-fine", "taobao-crowdsourced"], "seeds": 2, "days": 2}
    refused = [
        client.post("/v1/studies", json=body, headers=policy | {"Accept-Language": lang}) for lang in ("zh", "en")
    ]

    assert places == [1, 2, 3]
    assert [answer.status_code for answer in refused] == [429, 429]
    assert {answer.json()["code"] for answer in refused} == {"too_much_waiting"}
    assert refused[0].json()["detail"] != refused[1].json()["detail"]
