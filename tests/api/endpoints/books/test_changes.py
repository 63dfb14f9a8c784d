"""Changes of one place on the schedule, over HTTP: one a day, none that is known to fail, and cards that say what comes."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.books.draft_rows import draft_of
from api.books.places import BookPlace
from api.db.store import Store
from rules.book import Book
from rules.shelf import versions
from tests.api.books.worlds import done_impact, enact
from tests.api.endpoints.conftest import Bearer, Clock

# Seconds of work.
pytestmark = pytest.mark.slow

DRAFTS = "/v1/books/drafts"
TAOBAO = versions("taobao-crowdsourced")[0]


def noon(month: int, day: int) -> int:
    """Noon in Shanghai on a day of 2026."""
    return int(dt.datetime(2026, month, day, 4, tzinfo=dt.UTC).timestamp()) * 1_000_000


@pytest.fixture
def clock() -> Clock:
    """Noon of 2026-02-20 in Shanghai."""
    return Clock(noon(2, 20))


@dataclass
class Desk:
    """Operations, an approver and the platform of one city."""

    store: Store
    client: TestClient
    bearer: Bearer
    clock: Clock
    etags: dict[str, str] = field(default_factory=dict)

    def send(self, role: str, verb: str, path: str, body: Any = None) -> Any:
        """A request of a role, with the tag that was last read of the draft."""
        name = path.removeprefix(f"{DRAFTS}/")[:16]
        tag = {"If-Match": self.etags[name]} if name in self.etags else {}
        answer = self.client.request(verb, path, json=body, headers=self.bearer(role, f"{role}-1") | tag)
        if "etag" in answer.headers:
            self.etags[name] = answer.headers["etag"]
        return answer

    def read(self, draft: str) -> Any:
        """A draft as it stands."""
        return self.send("ops", "GET", f"{DRAFTS}/{draft}").json()

    def approved(self, bonus_fen: int, day: str) -> str:
        """A draft of another bonus from a day on, submitted and approved."""
        made = self.client.post(
            DRAFTS, json={"city": "here", "rider_kind": "crowdsourced"}, headers=self.bearer("ops", "ops-1")
        )
        draft = made.json()["draft"]["draft_id"]
        self.etags[draft] = made.headers["etag"]
        at = [tier["id"] for tier in made.json()["draft"]["document"]["tier"]].index("reward")
        cells = {f"/tier/{at}/bonus_fen": bonus_fen, "/effective_from": day, "/announced": "2026-02-20"}
        edits = [{"path": path, "value": value} for path, value in cells.items()]
        self.send("ops", "PUT", f"{DRAFTS}/{draft}", {"edits": edits})
        return self.again(draft)

    def again(self, draft: str) -> str:
        """An open draft, submitted and approved."""
        sent = self.send("ops", "POST", f"{DRAFTS}/{draft}/submit")
        assert sent.status_code == 200, sent.text
        self.yes(draft)
        return draft

    def yes(self, draft: str) -> None:
        """An approval of a draft as it stands."""
        stands = self.read(draft)
        body = {"content_digest": stands["content_digest"], "reason": "read"}
        if stands["needs_impact"]:
            with self.store.writing(self.clock.now_us) as unit:
                body["impact_id"] = done_impact(unit, draft_of(unit, draft), f"i-{draft}", city="here")
        said = self.send("approver", "POST", f"{DRAFTS}/{draft}/approve", body)
        assert said.status_code == 200, said.text

    def schedule(self, draft: str, *replaces: str) -> Any:
        """An approved draft, put on the schedule."""
        body = {"replaces": replaces} if replaces else None
        return self.send("ops", "POST", f"{DRAFTS}/{draft}/schedule", body)

    def scheduled(self, bonus_fen: int, day: str) -> str:
        """A change on the schedule."""
        draft = self.approved(bonus_fen, day)
        answer = self.schedule(draft)
        assert answer.status_code == 200, answer.text
        return draft

    def check(self, draft: str) -> list[dict[str, str]]:
        """What the checks say of a draft's dates and places."""
        found: list[dict[str, str]] = self.send("ops", "POST", f"{DRAFTS}/{draft}/check").json()["dates"]
        return found

    def card(self, month: int, day: int) -> Any:
        """The card of a rider who delivers at noon of a day."""
        self.clock.now_us = noon(month, day)
        event = {
            "event_id": f"e{month}-{day}", "rider_id": "r1", "city": "here", "rider_kind": "crowdsourced",
            "kind": "delivered", "order_id": f"o{month}-{day}", "occurred_us": self.clock.now_us - 1,
            "promised_us": self.clock.now_us,
        }  # fmt: skip
        self.send("platform", "POST", "/v1/events", event)
        return self.send("platform", "GET", "/v1/riders/r1/card").json()

    def shelf(self) -> Any:
        """What there is in the city."""
        return self.send("ops", "GET", "/v1/books?city=here").json()["items"][0]


@pytest.fixture
def desk(store: Store, client: TestClient, bearer: Bearer, clock: Clock) -> Desk:
    """A city with one published book in force."""
    enact(store, TAOBAO, places=[BookPlace("here", "crowdsourced")], at_us=noon(1, 1))
    return Desk(store, client, bearer, clock)


def bonus_of(book: dict[str, Any]) -> int:
    """What the reward of a document is."""
    return int(next(tier["bonus_fen"] for tier in book["tier"] if tier["id"] == "reward"))


def roll_back(desk: Desk, to: Book = TAOBAO) -> str:
    """A roll-back, asked for."""
    asked = desk.client.post(
        f"/v1/books/{to.id}/rollback",
        json={"digest": to.digest, "reason": "a mistake"},
        headers=desk.bearer("ops", "ops-1"),
    )
    assert asked.status_code == 201, asked.text
    return str(asked.json()["draft_id"])


@pytest.mark.case
@pytest.mark.parametrize("run", range(3))
def test_a_roll_back_wins_its_day(desk: Desk, run: int) -> None:
    """Approved on the eve of a scheduled change, it is what cards announce and what comes; the change is suspended."""
    desk.scheduled(80, "2026-03-01")
    desk.card(3, 2)
    planned = desk.scheduled(100, "2026-03-13")
    told_before = desk.card(3, 12)["announced"]

    back = roll_back(desk)
    warned = desk.check(back)
    desk.yes(back)
    states = [desk.read(draft)["state"] for draft in (back, planned)]
    told = desk.card(3, 12)["announced"]
    shelf = desk.shelf()["scheduled"]
    after = desk.card(3, 13)

    assert run >= 0
    assert told_before["changes"] == ["Reward: bonus per order (yuan) 0.80 → 1.00"]
    assert [(fault["code"], planned in fault["detail"]) for fault in warned] == [("day_overruled", True)]
    assert states == ["scheduled", "suspended"]
    assert [conflict["code"] for conflict in desk.read(planned)["conflicts"]] == ["overruled_by_rollback"]
    assert (told["date"], told["changes"]) == ("2026-03-13", ["Reward: bonus per order (yuan) 0.80 → 0.50"])
    assert [one["digest"] for one in shelf] == [told["digest"]]
    assert desk.read(back)["state"] == "in_force"
    assert after["book"]["digest"] == told["digest"]
    assert after["announced"] is None


@pytest.mark.case
def test_a_change_whose_base_will_move_is_suspended_at_once(desk: Desk) -> None:
    """As soon as an earlier one is scheduled; its check names that one, and no card announces it any more."""
    late = desk.scheduled(100, "2026-03-12")
    told = desk.card(2, 21)["announced"]
    early = desk.scheduled(80, "2026-03-10")

    state, checked = desk.read(late)["state"], desk.check(late)
    card, shelf = desk.card(2, 21), desk.shelf()["scheduled"]
    on_the_11th = desk.card(3, 11)
    on_the_12th = desk.card(3, 12)

    assert told["date"] == "2026-03-12"
    assert state == "suspended"
    assert [(fault["code"], early in fault["detail"]) for fault in checked] == [("base_moved", True)]
    assert card["announced"]["date"] == "2026-03-10"
    assert [one["draft_id"] for one in shelf] == [early]
    assert (desk.read(early)["state"], on_the_11th["announced"]) == ("in_force", None)
    assert (on_the_12th["book"]["effective_from"], on_the_12th["announced"]) == ("2026-03-10", None)


def test_whoever_is_second_has_to_choose(desk: Desk) -> None:
    """The day is refused with the other's name; replacing it takes its id, and suspends it."""
    first = desk.scheduled(80, "2026-03-10")
    second = desk.approved(100, "2026-03-10")

    warned = desk.check(second)
    refused = desk.schedule(second)
    unknown = desk.schedule(second, second)
    states = [desk.read(draft)["state"] for draft in (first, second)]
    told = desk.card(2, 20)["announced"]
    done = desk.schedule(second, first)

    assert [(fault["code"], fault["severity"], first in fault["detail"]) for fault in warned] == [
        ("day_taken", "warning", True)
    ]
    assert (refused.status_code, refused.json()["code"], first in refused.json()["detail"]) == (409, "day_taken", True)
    assert (unknown.status_code, unknown.json()["code"]) == (409, "replaces_nothing")
    assert (states, told["changes"]) == (["scheduled", "approved"], ["Reward: bonus per order (yuan) 0.50 → 0.80"])
    assert done.json()["state"] == "scheduled"
    assert desk.read(first)["state"] == "suspended"
    assert second in desk.read(first)["conflicts"][0]["detail"]
    assert desk.card(2, 20)["announced"]["changes"] == ["Reward: bonus per order (yuan) 0.50 → 1.00"]
    assert desk.card(3, 10)["book"]["digest"] == done.json()["book_digest"]


def test_a_roll_back_is_not_replaced(desk: Desk) -> None:
    """Who wants its day has to choose another one."""
    desk.scheduled(80, "2026-03-01")
    desk.card(3, 2)
    planned = desk.approved(100, "2026-03-13")
    desk.clock.now_us = noon(3, 12)
    back = roll_back(desk)
    desk.yes(back)

    desk.clock.now_us = noon(3, 3)
    refused = desk.schedule(planned, back)

    assert (refused.status_code, refused.json()["code"]) == (409, "day_of_rollback")
    assert desk.read(back)["state"] == "scheduled"


def test_a_change_after_a_scheduled_one_departs_from_it(desk: Desk) -> None:
    """It is refused as long as it departs from what will be gone; rebased, each step is announced as it was approved."""
    first = desk.scheduled(80, "2026-03-10")
    second = desk.approved(100, "2026-03-12")
    warned = desk.check(second)
    refused = desk.schedule(second)

    rebased = desk.send("ops", "POST", f"{DRAFTS}/{second}/rebase").json()
    done = desk.schedule(desk.again(second))
    told = [desk.card(*day)["announced"] for day in ((2, 20), (3, 11), (3, 12))]

    assert [fault["code"] for fault in warned] == ["base_moved"]
    assert (refused.status_code, refused.json()["code"], first in refused.json()["detail"]) == (
        409, "schedule_refused", True,
    )  # fmt: skip
    assert rebased["base_digest"] == desk.read(first)["book_digest"]
    assert done.status_code == 200, done.text
    assert [one and one["changes"] for one in told] == [
        ["Reward: bonus per order (yuan) 0.50 → 0.80"], ["Reward: bonus per order (yuan) 0.80 → 1.00"], None,
    ]  # fmt: skip
    assert [desk.read(draft)["state"] for draft in (first, second)] == ["in_force", "in_force"]
    assert bonus_of(desk.read(second)["document"]) == 100


def test_what_departs_from_a_cancelled_change_is_suspended(desk: Desk) -> None:
    """At once, not on its day."""
    first = desk.scheduled(80, "2026-03-10")
    second = desk.approved(100, "2026-03-12")
    desk.send("ops", "POST", f"{DRAFTS}/{second}/rebase")
    assert desk.schedule(desk.again(second)).status_code == 200

    desk.read(first)
    cancelled = desk.send("ops", "POST", f"{DRAFTS}/{first}/cancel", {"reason": "not now"})

    assert cancelled.json()["state"] == "approved"
    assert desk.read(second)["state"] == "suspended"
    assert desk.card(2, 20)["announced"] is None
    assert desk.shelf()["scheduled"] == []
