"""Appeals and reviews over HTTP: riders ask, people answer, and each sees what is theirs."""

from collections.abc import Callable
from typing import Any

import jwt
import pytest
from starlette.testclient import TestClient

from api.access import keys
from api.books import in_force
from api.db.store import Store
from api.settings import Settings
from rules.deployment import Deploy
from tests.api.endpoints.conftest import Bearer, Clock
from tests.api.ledger.posts import START_US, later, lines_of, post, publish_books, replay_all
from tests.builders import DAY_US, book, correction, delivered

Headers = dict[str, str]
SHARED = "a shared secret of more than thirty-two bytes"
TIERS = [
    {"id": "low", "title": {"zh": "低", "en": "Low"}, "review": True},
    {"id": "ok", "title": {"zh": "好", "en": "OK"}, "from": 69},
]
ASKED = {"reason_code": "merchant_slow", "reason": "the kitchen was slow"}
YES = {"decision": "upheld", "reason_code": "evidence_accepted", "reason": "so it was"}


@pytest.fixture
def entry(store: Store, clock: Clock) -> str:
    """The deduction that took r1 into the tier that asks for a review."""
    own = book(tier=TIERS)
    publish_books(store, [own])
    row = {"city": "hangzhou", "rider_kind": "crowdsourced", "book": own.id, "source": "t", "confidence": "ours"}
    with store.writing(START_US) as unit:
        in_force.deploy(unit, [Deploy.model_validate(row | {"from": own.model.effective_from})])
    post(store, later([delivered("e1", late_min=9)]), own.id)
    clock.forward(seconds=60)
    return str(next(line["entry_id"] for line in lines_of(store) if line["kind"] == "deduct"))


def code_of(answer: Any) -> tuple[int, str]:
    """Status and code of a problem."""
    return answer.status_code, answer.json()["code"]


def test_an_appeal_is_filed_and_upheld(client: TestClient, store: Store, entry: str, bearer: Bearer) -> None:
    """201 once and 200 again; in the inbox with its deadline; upheld by a person, taken back in the ledger."""
    rider, ops = bearer("rider", "r1"), bearer("ops", "li.na", cities=["hangzhou"])

    filed = client.post(f"/v1/entries/{entry}/appeal", json=ASKED, headers=rider)
    again = client.post(f"/v1/entries/{entry}/appeal", json=ASKED, headers=rider)

    appeal = filed.json()
    assert (filed.status_code, again.status_code) == (201, 200)
    assert again.json() == appeal
    assert filed.headers["location"] == f"/v1/appeals/{appeal['appeal_id']}"
    assert appeal["deadline_us"] - appeal["filed_us"] == 3 * DAY_US
    inbox = client.get("/v1/appeals?city=hangzhou", headers=ops).json()
    assert [item["appeal_id"] for item in inbox["items"]] == [appeal["appeal_id"]]
    path = f"/v1/appeals/{appeal['appeal_id']}"
    decided = client.post(f"{path}/decision", json=YES, headers=ops).json()
    assert (decided["state"], decided["decision"]["decided_by"]) == ("upheld", "ops:li.na")
    assert client.get(path, headers=rider).json() == decided
    assert client.get("/v1/appeals", headers=ops).json()["items"] == []
    assert client.get("/v1/appeals?state=decided", headers=rider).json()["items"] == [decided]
    assert lines_of(store)[-1]["score_after_mp"] == 70_000
    second = client.post(f"{path}/decision", json=YES | {"reason": "x"}, headers=ops)
    assert code_of(second) == (409, "appeal_decided")
    told = second.json()
    assert (told["decided_by"], told["stands"], told["not_saved"]) == ("ops:li.na", "upheld", YES | {"reason": "x"})
    card = client.get("/v1/riders/r1/card", headers=rider).json()
    assert [one["decision"] for one in card["decided_appeals"]] == [decided["decision"]]
    assert card["appeals"] == []


def test_an_appeal_is_refused_with_its_reason(client: TestClient, entry: str, bearer: Bearer) -> None:
    """Another rider's entry, another appeal, and fields that are wrong, each named."""
    rider = bearer("rider", "r1")
    path = f"/v1/entries/{entry}/appeal"

    assert code_of(client.post(path, json=ASKED, headers=bearer("rider", "r2"))) == (404, "entry_unknown")
    assert code_of(client.post(path, json=ASKED, headers=bearer("ops"))) == (403, "scope_missing")
    wrong = client.post(path, json=ASKED | {"reason_code": "x", "more": 1}, headers=rider)
    assert wrong.status_code == 422
    assert {error["pointer"] for error in wrong.json()["errors"]} == {"#/reason_code", "#/more"}
    assert client.post(path, json=ASKED, headers=rider).status_code == 201
    assert code_of(client.post(path, json=ASKED | {"reason": "no"}, headers=rider)) == (409, "appeal_differs")


def test_an_appeal_has_its_days(client: TestClient, entry: str, bearer: Bearer, clock: Clock) -> None:
    """After the days of the book (seven where it says none) it is too late, and the entry says so."""
    rider = bearer("rider", "r1")
    clock.forward(days=8)

    answer = client.post(f"/v1/entries/{entry}/appeal", json=ASKED, headers=rider)

    assert code_of(answer) == (409, "appeal_too_late")
    right = client.get(f"/v1/entries/{entry}", headers=rider).json()["entry"]["appeal"]
    assert (right["can"], right["why_not"], right["words"]) == (False, "appeal_too_late", answer.json()["detail"])


def test_another_city_does_not_see_an_appeal(client: TestClient, entry: str, bearer: Bearer) -> None:
    """Neither in the list nor by its id; a foreign city is not there."""
    filed = client.post(f"/v1/entries/{entry}/appeal", json=ASKED, headers=bearer("rider", "r1")).json()
    elsewhere, other = bearer("ops", "x", cities=["suzhou"]), bearer("rider", "r2")
    path = f"/v1/appeals/{filed['appeal_id']}"

    assert client.get("/v1/appeals", headers=elsewhere).json()["items"] == []
    assert client.get("/v1/appeals", headers=other).json()["items"] == []
    assert code_of(client.get("/v1/appeals?city=hangzhou", headers=elsewhere)) == (404, "city_unknown")
    for headers in (elsewhere, other):
        assert code_of(client.get(path, headers=headers)) == (404, "appeal_unknown")
    assert code_of(client.post(f"{path}/decision", json=YES, headers=elsewhere)) == (404, "appeal_unknown")
    assert code_of(client.post(f"{path}/decision", json=YES, headers=other)) == (403, "scope_missing")
    reason = YES | {"reason_code": "record_confirmed"}
    assert code_of(client.post(f"{path}/decision", json=reason, headers=bearer("ops"))) == (
        409,
        "appeal_reason_unknown",
    )


def test_a_review_becomes_a_suspension_and_ends(client: TestClient, entry: str, bearer: Bearer, clock: Clock) -> None:
    """Recommended by the ledger, decided by a person with 14 days' notice, on the card, lifted in writing."""
    ops, rider = bearer("ops", "li.na"), bearer("rider", "r1")
    (review,) = client.get("/v1/reviews", headers=ops).json()["items"]
    path = f"/v1/reviews/{review['review_id']}"
    said = {"outcome": "suspend", "reason": "三次晚到"}

    assert client.get("/v1/riders/r1/card", headers=rider).json()["is_review_open"]
    short = client.post(f"{path}/decision", json=said | {"from_us": clock() + DAY_US}, headers=ops)
    assert code_of(short) == (409, "review_notice_short")
    assert code_of(client.post(f"{path}/decision", json=said, headers=ops)) == (409, "review_from_missing")
    from_us = clock() + 14 * DAY_US
    decided = client.post(f"{path}/decision", json=said | {"from_us": from_us}, headers=ops).json()
    assert (decided["state"], decided["decision"]["from_us"]) == ("suspended", from_us)
    card = client.get("/v1/riders/r1/card", headers=rider).json()
    assert (card["suspension"]["state"], card["suspension"]["decided_by"]) == ("announced", "ops:li.na")
    assert client.get(path, headers=rider).json() == decided
    lifted = client.post(f"{path}/lift", json={"reason": "已沟通"}, headers=ops).json()
    assert (lifted["state"], lifted["lift"]["lifted_by"]) == ("lifted", "ops:li.na")
    assert client.get("/v1/riders/r1/card", headers=rider).json()["suspension"] is None
    assert code_of(client.post(f"{path}/lift", json={"reason": "x"}, headers=ops)) == (409, "review_not_suspended")
    assert client.get("/v1/reviews?state=decided", headers=rider).json()["items"] == [lifted]
    assert client.get("/v1/reviews", headers=bearer("ops", "x", cities=["suzhou"])).json()["items"] == []
    assert code_of(client.get(path, headers=bearer("rider", "r2"))) == (404, "review_unknown")
    assert client.get("/v1/reviews", headers=bearer("approver")).status_code == 403


def test_whoever_posted_what_opened_a_review_does_not_decide_it(
    client: TestClient, store: Store, entry: str, bearer: Bearer, clock: Clock
) -> None:
    """Nor whoever made the key that it was posted with; another person does."""
    with store.writing(clock()) as unit:
        _, written = keys.create_key(unit, "platform", "dispatch", actor="ops:li.na")
    event = later([delivered("e9", rider_id="r9", late_min=9)])[0]
    posted = client.post("/v1/events", json=event, headers={"Authorization": f"Bearer {written}"})
    found = client.get("/v1/reviews", headers=bearer("ops")).json()["items"]
    (review,) = (one for one in found if one["rider_id"] == "r9")
    path, said = f"/v1/reviews/{review['review_id']}/decision", {"outcome": "warning", "reason": "晚到"}

    assert posted.json()["num_scored"] == 1
    for person in ("li.na", "dispatch"):
        assert code_of(client.post(path, json=said, headers=bearer("ops", person))) == (403, "decides_own")
    assert client.post(path, json=said, headers=bearer("ops", "wang.wei")).status_code == 200


class TestOtherIssuers:
    """People and platforms who come with tokens of another issuer, of which the service holds no key."""

    @pytest.fixture
    def settings(self, url: str) -> Settings:
        """JWTs are taken."""
        return Settings(
            database_url=url, token_cache_s=0, law_cache_s=0, jwt_issuer="i", jwt_audience="a", jwt_shared_key=SHARED
        )

    @pytest.fixture
    def signed(self, clock: Clock) -> Callable[[str, str], Headers]:
        """Headers of a token for a role and a subject."""

        def make(role: str, subject: str) -> Headers:
            claims = {"iss": "i", "aud": "a", "sub": subject, "role": role, "exp": clock() // 1_000_000 + 600}
            cities = {} if role == "rider" else {"cities": ["*"]}
            return {"Authorization": f"Bearer {jwt.encode(claims | cities, SHARED, 'HS256')}"}

        return make

    def test_a_subject_decides_no_appeal_of_their_own(
        self, client: TestClient, entry: str, bearer: Bearer, signed: Callable[[str, str], Headers]
    ) -> None:
        """Filed by a token or a key, decided by a token or a key: one subject is one person."""
        filed = client.post(f"/v1/entries/{entry}/appeal", json=ASKED, headers=signed("rider", "r1")).json()
        path = f"/v1/appeals/{filed['appeal_id']}/decision"

        for headers in (signed("ops", "r1"), bearer("ops", "r1")):
            assert code_of(client.post(path, json=YES, headers=headers)) == (403, "decides_own")
        assert client.post(path, json=YES, headers=signed("ops", "li.na")).status_code == 200

    def test_a_subject_decides_no_review_of_what_they_posted(
        self, client: TestClient, entry: str, bearer: Bearer, signed: Callable[[str, str], Headers]
    ) -> None:
        """Likewise."""
        event = later([delivered("e9", rider_id="r9", late_min=9)])[0]
        posted = client.post("/v1/events", json=event, headers=signed("platform", "dispatch"))
        found = client.get("/v1/reviews", headers=signed("ops", "li.na")).json()["items"]
        (review,) = (one for one in found if one["rider_id"] == "r9")
        path, said = f"/v1/reviews/{review['review_id']}/decision", {"outcome": "warning", "reason": "晚到"}

        assert posted.json()["num_scored"] == 1
        for headers in (signed("ops", "dispatch"), bearer("ops", "dispatch")):
            assert code_of(client.post(path, json=said, headers=headers)) == (403, "decides_own")
        assert client.post(path, json=said, headers=signed("ops", "li.na")).status_code == 200


def test_a_decision_about_an_old_order_is_answered_202(
    client: TestClient, store: Store, entry: str, bearer: Bearer, clock: Clock
) -> None:
    """It stands at once; appeal, card and entry say that they are being recalculated, in the reader's language, until it is entered."""
    rider, ops = bearer("rider", "r1"), bearer("ops", "li.na", cities=["hangzhou"])
    clock.forward(days=6)
    filed = client.post(f"/v1/entries/{entry}/appeal", json=ASKED, headers=rider).json()
    clock.forward(days=2)
    path = f"/v1/appeals/{filed['appeal_id']}"

    answer = client.post(f"{path}/decision", json=YES, headers=ops | {"Idempotency-Key": "k1"})

    again = client.post(f"{path}/decision", json=YES, headers=ops | {"Idempotency-Key": "k1"})
    assert (answer.status_code, answer.headers["location"]) == (202, path)
    assert (again.status_code, again.json()) == (202, answer.json())
    assert client.post(f"{path}/decision", json=YES, headers=ops).status_code == 202
    assert client.get(path, headers=rider).json()["recalculating"] is True
    card = client.get("/v1/riders/r1/card", headers=rider).json()
    assert card["recalculating"]["words"] in card["words"]
    chinese = client.get("/v1/riders/r1/card", headers=rider | {"Accept-Language": "zh"}).json()
    assert "重新计算" in chinese["recalculating"]["words"]
    assert client.get(f"/v1/entries/{entry}", headers=rider).json()["entry"]["recalculating"] is True
    assert "riderscore_replays_waiting 1.0" in client.get("/metrics").text
    assert client.get("/readyz").status_code == 200
    before = lines_of(store)

    replay_all(store, clock())

    assert len(lines_of(store)) > len(before)
    assert client.get(path, headers=rider).json()["recalculating"] is False
    assert client.get("/v1/riders/r1/card", headers=rider).json()["recalculating"] is None
    assert client.get(f"/v1/entries/{entry}", headers=rider).json()["entry"]["recalculating"] is False
    assert client.post(f"{path}/decision", json=YES, headers=ops).status_code == 200


def test_a_correction_of_an_old_order_is_accepted(
    client: TestClient, store: Store, entry: str, bearer: Bearer, clock: Clock
) -> None:
    """The post stays 200 and counts it apart; a repeat is accepted too, then it is a repeat."""
    assert entry
    clock.forward(days=8)
    old = later([delivered("e1", late_min=9)])[0]
    fix = correction("fix", old, assess_deadline_us=old["occurred_us"]) | {"occurred_us": clock()}
    fix = {name: value for name, value in fix.items() if value not in (None, "")}
    platform = bearer("platform", "p", cities=["hangzhou"])

    answers = [client.post("/v1/events", json=fix, headers=platform) for _ in range(2)]
    replay_all(store, clock())
    done = client.post("/v1/events", json=fix, headers=platform)

    for answer in answers:
        body = answer.json()
        assert (answer.status_code, body["num_accepted"], body["num_scored"]) == (200, 1, 0)
        assert (body["results"][0]["status"], body["results"][0]["entries"]) == ("accepted", [])
    assert done.json()["results"][0]["status"] == "repeated"
