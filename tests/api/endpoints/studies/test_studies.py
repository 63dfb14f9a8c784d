"""Long work over HTTP: asked for, watched as events, stopped; who may see what."""

import json

import pytest
from starlette.testclient import TestClient

from api.access.sessions import begin_session
from api.clock import now_us
from api.db.store import Store
from api.endpoints.common.logs import make_log
from api.studies import jobs, leases
from api.studies.worker import Worker
from tests.api.endpoints.conftest import Bearer, Clock
from tests.api.ledger.posts import BOOK, FADING
from tests.api.studies.worlds import CITY, city, digest_of

pytestmark = pytest.mark.slow

STUDY = {"scenario": "ordinary-week", "books": ["legacy-fine", BOOK], "seeds": 2, "days": 1, "sets": ["riders=20"]}


@pytest.fixture
def world(store: Store, clock: Clock) -> Store:
    """A city with events of the last days and two books."""
    city(store, num_riders=2, days=1)
    clock.forward(days=10)
    return store


def events_in(stream: str) -> list[dict[str, str]]:
    """Server-sent events, comments left out."""
    found = []
    for block in stream.replace("\r\n", "\n").strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        if fields:
            found.append(fields)
    return found


def ask(client: TestClient, headers: dict[str, str], **changes: object) -> str:
    """Ask for an impact; its id."""
    body = {"city": CITY, "days": 7, "a": digest_of(BOOK), "b": digest_of(FADING)} | changes
    answer = client.post("/v1/impacts", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == f"/v1/studies/{answer.json()['study_id']}"
    return answer.json()["study_id"]


def test_an_impact_from_question_to_answer(client: TestClient, bearer: Bearer, world: Store) -> None:
    """Asked, done in the background, read with its digest; the events tell each step and end with it."""
    ops = bearer("ops", "li.na", cities=[CITY])
    study_id = ask(client, ops)
    assert client.get(f"/v1/studies/{study_id}", headers=ops).json()["state"] == "waiting"

    Worker(world, now_us, make_log("error")).step()

    shown = client.get(f"/v1/studies/{study_id}", headers=ops).json()
    stream = client.get(f"/v1/studies/{study_id}/events", headers=ops)
    found = events_in(stream.text)
    assert (shown["state"], shown["stage_words"], shown["requested_by"]) == ("done", "done", "ops:li.na")
    assert shown["result"]["num_riders"] == 2
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert [int(one["id"]) for one in found] == list(range(1, len(found) + 1))
    assert found[-1]["event"] == "done"
    assert json.loads(found[-1]["data"])["permille"] == 1000
    assert {one["event"] for one in found[:-1]} == {"progress"}


def test_a_watcher_goes_on_where_it_was(client: TestClient, bearer: Bearer, world: Store) -> None:
    """`Last-Event-ID` leaves out what is known; anything else in it means from the start."""
    ops = bearer("ops", "li.na")
    study_id = ask(client, ops)
    Worker(world, now_us, make_log("error")).step()
    path = f"/v1/studies/{study_id}/events"
    whole = events_in(client.get(path, headers=ops).text)

    later = events_in(client.get(path, headers=ops | {"Last-Event-ID": whole[1]["id"]}).text)
    wild = events_in(client.get(path, headers=ops | {"Last-Event-ID": "9" * 90}).text)

    assert later == whole[2:]
    assert wild == whole


def test_a_watcher_may_limit_its_patience(client: TestClient, bearer: Bearer, world: Store) -> None:
    """The stream of work that waits ends when it is told to."""
    ops = bearer("ops", "li.na")
    study_id = ask(client, ops)

    found = events_in(client.get(f"/v1/studies/{study_id}/events?wait_s=0", headers=ops).text)

    assert [json.loads(one["data"])["state"] for one in found] == ["waiting"]


def test_cancelled_work_ends(client: TestClient, bearer: Bearer, world: Store) -> None:
    """Once; afterwards it has ended."""
    ops = bearer("ops", "li.na")
    study_id = ask(client, ops)

    first = client.post(f"/v1/studies/{study_id}/cancel", headers=ops)
    second = client.post(f"/v1/studies/{study_id}/cancel", headers=ops)

    assert (first.status_code, first.json()["state"]) == (200, "cancelled")
    assert (second.status_code, second.json()["code"]) == (409, "study_ended")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"a": None, "b": None}, 409, "nothing_to_compare"),
        ({"a": "0" * 64}, 404, "unknown_version"),
        ({"days": 93}, 422, "invalid_request"),
        ({"a": "../../etc/passwd"}, 422, "invalid_request"),
    ],
)
def test_questions_without_sense_are_refused(
    client: TestClient, bearer: Bearer, world: Store, change: dict[str, object], status: int, code: str
) -> None:
    """At once, and by name."""
    body = {"city": CITY, "days": 7, "a": digest_of(BOOK), "b": digest_of(FADING)} | change

    answer = client.post("/v1/impacts", json=body, headers=bearer("ops"))

    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_other_cities_are_closed(client: TestClient, bearer: Bearer, world: Store) -> None:
    """Asking about another city is forbidden, seeing its work is as if there were none."""
    study_id = ask(client, bearer("ops", "li.na"))
    other = bearer("ops", "zhao", cities=["suzhou"])

    asked = client.post("/v1/impacts", json={"city": CITY, "a": digest_of(BOOK)}, headers=other)
    answers = [
        client.get(f"/v1/studies/{study_id}", headers=other),
        client.get(f"/v1/studies/{study_id}/events", headers=other),
        client.post(f"/v1/studies/{study_id}/cancel", headers=other),
    ]

    assert asked.status_code == 404
    assert {answer.status_code for answer in answers} == {404}
    assert client.get("/v1/studies", headers=other).json()["items"] == []


def test_studies_are_for_policy(client: TestClient, bearer: Bearer, world: Store) -> None:
    """Ops see impacts, not studies; policy see both; what cannot be simulated is refused with every fault."""
    policy, ops = bearer("policy", "wang"), bearer("ops", "li.na")
    assert client.post("/v1/studies", json=STUDY, headers=ops).status_code == 403

    asked = client.post("/v1/studies", json=STUDY, headers=policy)
    faulty = client.post("/v1/studies", json=STUDY | {"sets": ["no_such_key=1", "riders=x"]}, headers=policy)
    paths = client.post("/v1/studies", json=STUDY | {"scenario": "../x"}, headers=policy)
    book = client.post("/v1/studies", json=STUDY | {"books": ["legacy-fine", "no-such-book"]}, headers=policy)

    study_id = asked.json()["study_id"]
    assert asked.status_code == 202
    assert (faulty.status_code, faulty.json()["code"], len(faulty.json()["errors"])) == (409, "study_faulty", 2)
    assert (paths.status_code, book.status_code) == (422, 409)
    assert client.get(f"/v1/studies/{study_id}", headers=ops).status_code == 404
    assert client.get(f"/v1/studies/{study_id}", headers=policy).json()["state"] == "waiting"
    assert client.get(f"/v1/studies/{study_id}/report", headers=policy).json()["code"] == "no_report"


def test_what_takes_long_is_asked_for(client: TestClient, bearer: Bearer, world: Store) -> None:
    """No sensitivity and no sweep unless named; a way that there is not and a sweep without values are refused."""
    policy = bearer("policy", "wang")
    sweep = "b:tier.reward.bonus_fen=0,50"

    plain = client.post("/v1/studies", json=STUDY, headers=policy)
    both = client.post("/v1/studies", json=STUDY | {"sensitivity": "both", "sweeps": [sweep]}, headers=policy)
    other = client.post("/v1/studies", json=STUDY | {"sensitivity": "all"}, headers=policy)
    empty = client.post("/v1/studies", json=STUDY | {"sweeps": ["riders="]}, headers=policy)

    asked = [
        client.get(f"/v1/studies/{answer.json()['study_id']}", headers=policy).json()["request"]
        for answer in (plain, both)
    ]
    assert [(one["sensitivity"], one["sweeps"]) for one in asked] == [("off", []), ("both", [sweep])]
    assert (other.status_code, empty.status_code, empty.json()["code"]) == (422, 409, "study_faulty")


def test_a_report_cannot_act_as_its_reader(client: TestClient, bearer: Bearer, world: Store) -> None:
    """It is served as a document of its own."""
    policy = bearer("policy", "wang")
    study_id = client.post("/v1/studies", json=STUDY, headers=policy).json()["study_id"]
    with world.writing(now_us()) as unit:
        assert leases.lease_next_study(unit, "me") is not None
        leases.keep_file(unit, study_id, "me", "report.html", "<!doctype html>报告".encode())
        leases.finish(unit, study_id, "me", {"summary": {}, "files": ["report.html"]})

    answer = client.get(f"/v1/studies/{study_id}/report", headers=policy)

    assert answer.text == "<!doctype html>报告"
    assert answer.headers["content-security-policy"].startswith("sandbox allow-scripts")
    assert client.get(f"/v1/studies/{study_id}", headers=policy).json()["files"] == ["report.html"]


def test_failures_are_told_in_the_readers_language(client: TestClient, bearer: Bearer, world: Store) -> None:
    """Chinese and English, whoever asked."""
    ops = bearer("ops", "li.na")
    study_id = ask(client, ops, city="nowhere")
    Worker(world, now_us, make_log("error")).step()

    words = [
        client.get(f"/v1/studies/{study_id}", headers=ops | {"Accept-Language": lang}).json()["failure"]["detail"]
        for lang in ("zh", "en")
    ]

    assert words[0] == "该城市在这段时间内没有已存的事件。"
    assert words[1] == "The city has no stored events in that time."


def test_lists_are_paged(client: TestClient, bearer: Bearer, world: Store) -> None:
    """Newest first, each once; a wild cursor is refused."""
    ops = bearer("ops", "li.na")
    asked = [ask(client, ops) for _ in range(3)]

    first = client.get("/v1/studies?limit=2", headers=ops).json()
    second = client.get(f"/v1/studies?limit=2&cursor={first['cursor']}", headers=ops).json()
    wild = client.get("/v1/studies?cursor=wild", headers=ops)

    shown = [one["study_id"] for page in (first, second) for one in page["items"]]
    assert sorted(shown) == sorted(asked)
    assert second["cursor"] is None
    assert wild.status_code == 404
    with world.reading() as unit:
        assert len(jobs.studies_of(unit).items) == 3


@pytest.mark.parametrize("state", ["done", "failed", "cancelled"])
def test_the_stream_of_finished_work_ends(client: TestClient, bearer: Bearer, world: Store, state: str) -> None:
    """Who knows the last step, or claims to know more, is told 204, after which a browser asks no more."""
    policy = bearer("policy", "wang")
    study_id = client.post("/v1/studies", json=STUDY, headers=policy).json()["study_id"]
    with world.writing(now_us()) as unit:
        assert leases.lease_next_study(unit, "me") is not None
        if state == "done":
            leases.finish(unit, study_id, "me", {"summary": {}, "files": []})
        elif state == "failed":
            leases.fail(unit, study_id, "me", jobs.Failure("died", {"num_starts": 1}))
        else:
            jobs.cancel(unit, "policy:wang", study_id)
    path = f"/v1/studies/{study_id}/events"

    steps = events_in(client.get(path, headers=policy).text)
    again = [client.get(path, headers=policy | {"Last-Event-ID": last}) for last in (steps[-1]["id"], "900")]

    assert steps[-1]["event"] == state
    assert [(answer.status_code, answer.content) for answer in again] == [(204, b""), (204, b"")]


@pytest.mark.parametrize(
    ("state", "is_page"),
    [*((state, is_page) for state in ("done", "failed", "cancelled") for is_page in (False, True)), ("waiting", False)],
)
def test_a_browser_stops_asking_once_work_has_ended(
    client: TestClient, bearer: Bearer, world: Store, state: str, is_page: bool
) -> None:
    """As browsers do: ask, read to the end, ask again after the last step, until told 204; from the API and from a page."""
    policy = bearer("policy", "wang")
    study_id = client.post("/v1/studies", json=STUDY, headers=policy).json()["study_id"]
    with world.writing(now_us()) as unit:
        session = begin_session(unit, "policy", "wang", (), policy["Authorization"].split("_")[1])

    def end() -> None:
        with world.writing(now_us()) as unit:
            leases.lease_next_study(unit, "me")
            if state in ("done", "waiting"):
                leases.finish(unit, study_id, "me", {"summary": {}, "files": []})
            elif state == "failed":
                leases.fail(unit, study_id, "me", jobs.Failure("died", {"num_starts": 1}))
            else:
                jobs.cancel(unit, "policy:wang", study_id)

    if state != "waiting":
        end()
    path = f"/console/studies/{study_id}/events" if is_page else f"/v1/studies/{study_id}/events?wait_s=0"
    headers, heard, statuses = {"Cookie": f"rs_session={session}"} if is_page else policy, [], []
    for asked in range(5):
        answer = client.get(path, headers=headers)
        statuses.append(answer.status_code)
        if answer.status_code != 200:
            break
        steps = events_in(answer.text)
        heard += steps
        if steps:
            headers = headers | {"Last-Event-ID": steps[-1]["id"]}
        if state == "waiting" and asked == 0:
            end()

    assert statuses == [200] * (len(statuses) - 1) + [204]
    assert len(statuses) == (3 if state == "waiting" else 2)
    assert heard[-1]["event"] == ("done" if state == "waiting" else state)
    assert [int(one["id"]) for one in heard] == list(range(1, len(heard) + 1))
