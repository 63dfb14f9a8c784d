"""A rider's city is the border for writing: who may post about them, and how they move to another city."""

import datetime as dt
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select, update
from starlette.testclient import TestClient

from api.access.audit import AuditFilter, audit_page
from api.books import in_force
from api.db.rider_rows import home_of
from api.db.store import Store
from api.db.tables import events as events_table
from api.db.tables import rider_moves, rider_state
from api.ledger import posting
from api.ledger.admission import TURNS_MAX
from api.ledger.entries import rider_row
from api.ledger.replays import replay
from api.ledger.verify import verify_store
from rules.deployment import Deploy
from tests.api.books.worlds import Someone
from tests.api.endpoints.conftest import Bearer, Clock
from tests.api.ledger.posts import START_US, later, lines_of, publish_books, scores_of, table_of
from tests.builders import DAY_US, MINUTE_US, book, correction, delivered, event, rule

# Seconds of work.
pytestmark = pytest.mark.slow

Headers = dict[str, str]
A, B, BOTH = ["hangzhou"], ["shanghai"], ["hangzhou", "shanghai"]
TIERS = [
    {"id": "low", "title": {"zh": "低", "en": "Low"}, "review": True},
    {"id": "ok", "title": {"zh": "好", "en": "OK"}, "from": 60},
]
OF_A = book(id="of-a", tier=TIERS, training={"restores_to": 60})
OF_B = book(id="of-b", rule=[rule("late", points=-7, when={"late_min": {"over": 0}})])
# Six of these end below what a course restores.
LATE = {"late_min": 9}


@pytest.fixture(autouse=True)
def _laws(store: Store) -> None:
    """Each city has a book of its own."""
    publish_books(store, [OF_A, OF_B])
    rows = [
        {"city": city, "rider_kind": "crowdsourced", "book": own.id, "from": dt.date(2025, 12, 3), "source": "t",
         "confidence": "ours"}
        for city, own in (("hangzhou", OF_A), ("shanghai", OF_B))
    ]  # fmt: skip
    with store.writing(START_US) as unit:
        in_force.deploy(unit, [Deploy.model_validate(row) for row in rows])


def posted(client: TestClient, headers: Headers, *rows: dict[str, Any]) -> list[tuple[str, str | None]]:
    """Status and reason of each event of a post."""
    answer = client.post("/v1/events", headers=headers, json=later(rows))
    assert answer.status_code == 200, answer.text
    return [(result["status"], result["reason"]) for result in answer.json()["results"]]


def move(client: TestClient, headers: Headers, city: str = "shanghai", rider: str = "r1") -> tuple[int, dict[str, Any]]:
    """Ask for a move."""
    answer = client.post(f"/v1/riders/{rider}/move", headers=headers, json={"city": city})
    return answer.status_code, answer.json()


SCORED, ELSEWHERE = ("scored", None), ("rejected", "not_riders_city")


def test_only_keys_of_a_riders_city_write_for_them(client: TestClient, bearer: Bearer, store: Store) -> None:
    """Another city's key is refused by name whatever its event says, and the rest of its post is scored."""
    assert posted(client, bearer("platform", cities=A), delivered("e1", late_min=4)) == [SCORED]
    late = delivered("e1", late_min=4)
    here = {"city": "shanghai"}

    answers = posted(
        client, bearer("platform", "other", cities=B),
        delivered("e2", **here), delivered("e1", late_min=4), late | here, correction("c1", late, **here),
        event("traffic_violation", "e3", **here), delivered("e4", rider_id="r2", **here),
    )  # fmt: skip

    assert answers == [ELSEWHERE, ("rejected", "other_city"), ELSEWHERE, ELSEWHERE, ELSEWHERE, SCORED]
    assert scores_of(lines_of(store)) == {"r1": 69_000}
    with store.reading() as unit:
        assert home_of(unit, "r1") == ("hangzhou",)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_an_event_that_names_another_city_moves_nobody(client: TestClient, bearer: Bearer, lang: str) -> None:
    """Also where the key is good in both; the answer names the route that moves a rider."""
    both = bearer("platform", cities=BOTH) | {"Accept-Language": lang}
    posted(client, both, delivered("e1"))

    answer = client.post("/v1/events", headers=both, json=later([delivered("e2", city="shanghai")])).json()

    (result,) = answer["results"]
    assert (result["reason"], result["column"], result["value"]) == ("not_riders_city", "city", "shanghai")
    assert "POST /v1/riders/{id}/move" in result["detail"]
    assert result["pointer"] == "#/0/city"


def test_who_is_first_heard_of_in_two_cities_is_of_the_first(client: TestClient, bearer: Bearer, store: Store) -> None:
    """As if the events had come one by one: the first that is accepted says the city."""
    rows = [
        delivered("e0", city="nowhere"), delivered("e1", at_min=9), delivered("e2", city="shanghai"),
        delivered("e3", at_min=3),
    ]  # fmt: skip

    answers = posted(client, bearer("platform"), *rows)

    assert answers == [("rejected", "no_book"), SCORED, ELSEWHERE, SCORED]
    one_by_one = [posted(client, bearer("platform"), row | {"rider_id": "r9"})[0] for row in rows]
    assert one_by_one == answers
    with store.reading() as unit:
        assert home_of(unit, "r1") == home_of(unit, "r9") == ("hangzhou",)


def test_a_history_across_cities_stays(client: TestClient, bearer: Bearer, store: Store) -> None:
    """A rider of before with events in two cities is of the stored one: its events go on, those known are repeats."""
    first, key = delivered("e1", at_min=-90), bearer("platform", cities=BOTH)
    posted(client, key, first)
    with store.writing(START_US) as unit:
        # As 0.1.0 did: the last event said the city.
        posting.post_events(
            unit, in_force.rules_in_force(unit), table_of(later([delivered("e2", at_min=-60, city="shanghai")]))
        )
        unit.connection.execute(update(rider_state).values(city="shanghai"))

    answers = posted(
        client, key, delivered("e3", at_min=-30, city="shanghai"), first, delivered("e4", at_min=9),
        correction("c1", first, after_min=70, fee_fen=7),
    )  # fmt: skip

    assert answers == [SCORED, ("repeated", None), ELSEWHERE, SCORED]
    with store.reading() as unit:
        assert home_of(unit, "r1") == ("shanghai",)
        assert verify_store(unit).holds


def test_a_rider_moves_in_two_steps(client: TestClient, bearer: Bearer, store: Store, clock: Clock) -> None:
    """Proposed by the old city, seen by both, accepted by the new one; the first event after it is judged there."""
    old, new, ops = bearer("platform", cities=A), bearer("platform", "b", cities=B), bearer("ops", "li", cities=B)
    posted(client, old, delivered("e1", late_min=4))
    assert move(client, new)[0] == 404

    status, proposed = move(client, old)

    assert (status, proposed["state"], proposed["from_city"], proposed["to_city"]) == (
        202, "proposed", "hangzhou", "shanghai"
    )  # fmt: skip
    assert move(client, old) == (202, proposed)
    for headers in (old, new, ops):
        assert client.get("/v1/riders/r1/move", headers=headers).json() == proposed
        assert client.get("/v1/moves", headers=headers).json()["items"] == [proposed]
    assert client.get("/v1/riders/r1/card", headers=new).status_code == 404
    assert posted(client, new, delivered("e2", at_min=1, city="shanghai")) == [ELSEWHERE]
    clock.forward(seconds=600)
    status, moved = move(client, new)
    assert (status, moved["state"], moved["at_us"]) == (200, "moved", clock())
    assert move(client, new) == move(client, old) == (200, moved)
    assert client.get("/v1/moves", headers=new).json()["items"] == []
    assert client.get("/v1/riders/r1/card", headers=old).status_code == 404
    assert client.get("/v1/riders/r1/card", headers=new).json()["city"] == "shanghai"
    export = client.get("/v1/riders/r1/export", headers=bearer("rider", "r1")).json()
    assert [(row["from_city"], row["to_city"]) for row in export["moves"]] == [("hangzhou", "shanghai")]

    clock.forward(seconds=600)
    after = {"at_min": 15, "city": "shanghai"}
    assert posted(client, old, delivered("e3", **after)) == [("rejected", "other_city")]
    assert posted(client, new, delivered("e3", late_min=1, **after)) == [SCORED]

    last = lines_of(store)[-1]
    assert (last["book_digest"], last["delta_mp"], last["score_after_mp"]) == (OF_B.digest, -7_000, 62_000)
    with store.reading() as unit:
        standing = rider_row(unit, "r1")
        assert standing is not None
        assert (standing.city, standing.book_digest) == ("shanghai", OF_B.digest)
        verified = verify_store(unit)
        assert [one for one in verified.found if not one.holds] == []


def test_what_happened_before_a_move_is_posted_by_the_new_city(
    client: TestClient, bearer: Bearer, store: Store, clock: Clock
) -> None:
    """It may name the city of its time, and so may a correction of it. The city that let go posts no more."""
    old, new, both = bearer("platform", cities=A), bearer("platform", "b", cities=B), bearer("platform", cities=BOTH)
    first = delivered("e1", late_min=4)
    posted(client, old, first)
    clock.forward(seconds=1_200)
    assert move(client, both)[0] == 200

    answers = [
        posted(client, new, delivered("e2", at_min=10, late_min=4)),
        posted(client, both, first),
        posted(client, old, first),
        posted(client, new, correction("c1", first, after_min=25, late_min=0, assess_deadline_us=first["occurred_us"])),
        posted(client, both, delivered("e4", at_min=21)),
    ]

    assert answers == [[SCORED], [("repeated", None)], [ELSEWHERE], [SCORED], [ELSEWHERE]]
    with store.reading() as unit:
        found = unit.connection.execute(select(events_table.c.event_id, events_table.c.book_digest)).all()
        assert home_of(unit, "r1") == ("shanghai",)
    assert dict(map(tuple, found))["e2"] == OF_A.digest


def test_a_move_ends_without_one(client: TestClient, bearer: Bearer, store: Store) -> None:
    """Withdrawn by the old city, refused by the new one; then there is none, and both have it in their audit."""
    old, new = bearer("platform", cities=A), bearer("platform", "b", cities=B)
    posted(client, old, delivered("e1"))
    path = "/v1/riders/r1/move"

    move(client, old)
    assert client.delete(path, headers=old).status_code == 204
    assert move(client, new)[0] == 404
    move(client, old)
    assert client.delete(path, headers=new).status_code == 204
    gone = [client.request(method, path, headers=old).json()["code"] for method in ("GET", "DELETE")]

    assert gone == ["move_unknown", "move_unknown"]
    for cities in (A, B):
        with store.reading() as unit:
            page = audit_page(unit, Someone("x", cities=tuple(cities)), AuditFilter(action="rider_move*"))
        assert [line.action.removeprefix("rider_move_") for line in page.items] == [
            "refused", "proposed", "withdrawn", "proposed"
        ]  # fmt: skip


def test_a_key_of_both_cities_moves_at_once(client: TestClient, bearer: Bearer, store: Store) -> None:
    """In one call; there and back again; to where no book judges, or where the rider is, it does not."""
    both = bearer("ops", "li.na", cities=[*BOTH, "nowhere"])
    posted(client, bearer("platform"), delivered("e1"))

    assert move(client, both, "nowhere")[1]["code"] == "move_no_book"
    assert move(client, both, "hangzhou")[1]["code"] == "move_already_there"
    assert move(client, both)[1]["state"] == "moved"
    assert move(client, both, "hangzhou")[1]["state"] == "moved"
    with store.reading() as unit:
        moves = unit.connection.execute(select(rider_moves).order_by(rider_moves.c.move_no)).all()
    assert [(row.move_no, row.from_city, row.to_city) for row in moves] == [
        (1, "hangzhou", "shanghai"), (2, "shanghai", "hangzhou")
    ]  # fmt: skip
    assert moves[0].moved_us < moves[1].moved_us


def test_many_who_move_a_rider_at_once_move_them_once(client: TestClient, bearer: Bearer, store: Store) -> None:
    """They take turns at the rider's row; each gets the same answer."""
    posted(client, bearer("platform"), delivered("e1"))
    both = bearer("platform", cities=BOTH)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: move(client, both), range(8)))

    assert {status for status, _ in answers} == {200}
    assert len({str(body) for _, body in answers}) == 1
    with store.reading() as unit:
        assert len(unit.connection.execute(select(rider_moves)).all()) == 1


def test_what_waits_for_people_goes_along(client: TestClient, bearer: Bearer, store: Store) -> None:
    """An open appeal and an open review are those of the new city's people after a move, and no longer the old one's."""
    rows = [delivered(f"e{k}", at_min=-60 * k, **LATE) for k in range(6)]
    posted(client, bearer("platform"), *rows)
    entry = next(line["entry_id"] for line in lines_of(store) if line["kind"] == "deduct")
    said = {"reason_code": "other", "reason": "x"}
    appeal = client.post(f"/v1/entries/{entry}/appeal", json=said, headers=bearer("rider", "r1")).json()
    old, new = bearer("ops", "li", cities=A), bearer("ops", "wu", cities=B)
    assert [len(client.get(f"/v1/{what}", headers=old).json()["items"]) for what in ("appeals", "reviews")] == [1, 1]

    move(client, bearer("platform", cities=BOTH))

    assert [len(client.get(f"/v1/{what}", headers=old).json()["items"]) for what in ("appeals", "reviews")] == [0, 0]
    assert [len(client.get(f"/v1/{what}", headers=new).json()["items"]) for what in ("appeals", "reviews")] == [1, 1]
    path = f"/v1/appeals/{appeal['appeal_id']}"
    yes = {"decision": "upheld", "reason_code": "goodwill", "reason": "x"}
    assert client.post(f"{path}/decision", json=yes, headers=old).status_code == 404
    assert client.post(f"{path}/decision", json=yes, headers=new).json()["city"] == "shanghai"


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_an_upheld_appeal_is_no_event(client: TestClient, bearer: Bearer, store: Store, lang: str) -> None:
    """Whoever posts it, under whatever id: the answer names the route where a person decides, the rest is scored."""
    late = delivered("e1", late_min=4)
    headers = bearer("platform") | {"Accept-Language": lang}
    upheld = event("appeal_upheld", "u1", at_min=9, ref_event_id="e1", order_id="order-e1")

    answer = client.post("/v1/events", headers=headers, json=later([late, upheld])).json()

    assert [result["reason"] for result in answer["results"]] == [None, "decision_not_event"]
    assert "POST /v1/appeals/{id}/decision" in answer["results"][1]["detail"]
    assert answer["results"][1]["column"] == "kind"
    assert scores_of(lines_of(store)) == {"r1": 69_000}


def low(rider: str = "r1") -> list[dict[str, Any]]:
    """Deliveries that take a rider below what a course restores."""
    return [delivered(f"{rider}-e{k}", at_min=-60 * k, rider_id=rider, **LATE) for k in range(6)]


NO_COURSE = ("rejected", "no_course_offered")


def test_a_course_is_passed_only_where_one_is_offered(client: TestClient, bearer: Bearer, store: Store) -> None:
    """Below what it restores; not for who stands above, is not known, or has just passed one. A repeat is a repeat."""
    key = bearer("platform")
    course = event("training_passed", "t1", at_min=5)

    assert posted(client, key, course) == [NO_COURSE]
    assert posted(client, key, delivered("good"), course) == [SCORED, NO_COURSE]
    assert posted(client, key, *low()) == [SCORED] * 6
    assert posted(client, key, course, course) == [SCORED, ("repeated", None)]
    assert posted(client, key, event("training_passed", "t2", at_min=6)) == [NO_COURSE]
    assert posted(client, key, course) == [("repeated", None)]
    assert lines_of(store)[-1]["score_after_mp"] == 60_000


@pytest.mark.parametrize("decided", ["open", "suspended"])
def test_a_course_is_offered_while_a_person_is_asked(
    client: TestClient, bearer: Bearer, store: Store, decided: str
) -> None:
    """An open review or a suspension is enough, wherever the score stands meanwhile."""
    key, ops = bearer("platform"), bearer("ops", "li.na")
    posted(client, key, *low())
    (review,) = client.get("/v1/reviews", headers=ops).json()["items"]
    if decided == "suspended":
        said = {"outcome": "suspend", "reason": "x", "is_safety": True}
        client.post(f"/v1/reviews/{review['review_id']}/decision", json=said, headers=ops)
    # On time again and again: above what a course restores.
    good = [delivered(f"g{k}", at_min=0.4 * (k + 1)) for k in range(20)]
    posted(client, key, *good)
    with store.reading() as unit:
        standing = rider_row(unit, "r1")
    assert standing is not None
    assert standing.score_mp > 60_000

    assert posted(client, key, event("training_passed", "t1", at_min=9)) == [SCORED]


def test_a_book_without_courses_offers_none(client: TestClient, bearer: Bearer, store: Store) -> None:
    """Neither an open review nor a suspension lets a course be passed: the suspension stands until a person lifts it."""
    plain = book(id="of-c", tier=TIERS)
    publish_books(store, [plain])
    row = {"city": "hangzhou", "rider_kind": "dedicated", "book": "of-c", "from": dt.date(2025, 12, 3), "source": "t"}
    with store.writing(START_US) as unit:
        in_force.deploy(unit, [Deploy.model_validate(row | {"confidence": "ours"})])
    key, ops = bearer("platform"), bearer("ops", "li.na")
    posted(client, key, *(one | {"rider_kind": "dedicated"} for one in low()))
    (review,) = client.get("/v1/reviews", headers=ops).json()["items"]
    course = event("training_passed", "t1", at_min=5, rider_kind="dedicated")

    assert posted(client, key, course) == [NO_COURSE]
    said = {"outcome": "suspend", "reason": "x", "is_safety": True}
    assert client.post(f"/v1/reviews/{review['review_id']}/decision", json=said, headers=ops).status_code == 200
    assert posted(client, key, course) == [NO_COURSE]


def test_who_filed_what_a_replay_entered_does_not_decide_it(
    client: TestClient, bearer: Bearer, store: Store, clock: Clock
) -> None:
    """A correction of long ago opens a review when it is replayed: whoever posted it, or repeats it, as before."""
    rows = low()
    rows[0] |= {"assess_deadline_us": rows[0]["occurred_us"]}
    posted(client, bearer("platform", "zhang"), *rows)
    clock.forward(days=40)
    now = {"occurred_us": rows[0]["occurred_us"] + 40 * DAY_US}
    fix = correction("fix", rows[0], assess_deadline_us=rows[0]["occurred_us"] - 9 * MINUTE_US) | now
    assert posted(client, bearer("platform", "zhang"), fix) == [("accepted", None)]
    assert posted(client, bearer("platform", "wang"), fix) == [("accepted", None)]

    replay(store, "r1", clock)

    zhang, wang = bearer("ops", "zhang"), bearer("ops", "wang")
    (review,) = client.get("/v1/reviews", headers=wang).json()["items"]
    path, said = f"/v1/reviews/{review['review_id']}/decision", {"outcome": "suspend", "reason": "x", "is_safety": True}
    assert client.post(path, json=said, headers=zhang).json()["code"] == "decides_own"
    assert client.post(path, json=said, headers=wang).status_code == 200


@pytest.mark.parametrize("seed", range(3))
def test_a_course_does_not_depend_on_its_company(client: TestClient, bearer: Bearer, seed: int) -> None:
    """One post gives the answers of its events posted one by one in that order."""
    key = bearer("platform")

    def rows(rider: str) -> list[dict[str, Any]]:
        own = [
            *low(rider), event("training_passed", f"{rider}-t1", rider_id=rider, at_min=5),
            event("training_passed", f"{rider}-t2", rider_id=rider, at_min=6),
            delivered(f"{rider}-x", rider_id=rider, at_min=7, **LATE),
            event("training_passed", f"{rider}-t3", rider_id=rider, at_min=8),
        ]  # fmt: skip
        return own[seed:] + own[:seed]

    at_once: Sequence[tuple[str, str | None]] = posted(client, key, *rows("r1"))
    one_by_one = [posted(client, key, row)[0] for row in rows("r2")]

    assert at_once == one_by_one


def test_a_post_of_courses_and_cities_costs_no_more_turns_than_stated(
    client: TestClient, bearer: Bearer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hundreds of courses of one rider and a new rider in hundreds of cities are answered in some twenty turns."""
    seen: list[int] = []
    score_block = posting._score_block

    def counted(*given: Any) -> Any:
        seen.append(1)
        return score_block(*given)

    key = bearer("platform")
    posted(client, key, *low())
    monkeypatch.setattr(posting, "_score_block", counted)
    courses = [event("training_passed", f"t{k}", at_min=k / 100) for k in range(300)]
    mixed = [row for k, row in enumerate(courses) for row in (row, delivered(f"d{k}", at_min=k / 100, **LATE))]
    strangers = [delivered(f"s{k}", rider_id="r7", city=f"nowhere{k}") for k in range(300)]

    answers = posted(client, key, *mixed, *strangers)

    assert len(answers) == 900
    assert len(seen) <= 2 * TURNS_MAX


def test_what_is_left_after_the_last_turn_is_not_judged(client: TestClient, bearer: Bearer, store: Store) -> None:
    """No answer is another one because of the company: it is that of one by one, or none yet and to be posted again."""
    key = bearer("platform", cities=BOTH)
    lost = [
        event("correction", f"c{k}", rider_id="r7", city=BOTH[k % 2], ref_event_id="nope", order_id="x")
        for k in range(TURNS_MAX + 1)
    ]
    good = delivered("good", rider_id="r7", city="shanghai")

    answers = posted(client, key, *lost, good)

    assert answers[: TURNS_MAX - 1] == [("rejected", "ref_unknown")] * (TURNS_MAX - 1)
    assert answers[-1] == ("rejected", "post_again")
    assert posted(client, key, good) == [SCORED]


def test_personal_fields_are_the_riders_citys(client: TestClient, bearer: Bearer, store: Store) -> None:
    """Who is introduced first is of that key's city; another city's key neither replaces nor erases nor posts."""
    old, new, both = bearer("platform", cities=A), bearer("platform", "b", cities=B), bearer("platform", cities=BOTH)
    given = {"name": "张三"}

    first = client.put("/v1/riders/r1/person", headers=old, json=given)

    assert first.status_code == 204
    assert client.put("/v1/riders/r1/person", headers=new, json=given).json()["code"] == "rider_unknown"
    assert client.put("/v1/riders/r2/person", headers=both, json=given).json()["code"] == "rider_city_needed"
    named = {**given, "city": "shanghai"}
    assert client.put("/v1/riders/r2/person", headers=both, json=named).status_code == 204
    assert client.put("/v1/riders/r1/person", headers=both, json=named).json()["code"] == "rider_city_differs"
    assert client.put("/v1/riders/r3/person", headers=old, json=named).json()["code"] == "city_unknown"
    assert posted(client, both, delivered("e1", city="shanghai"), delivered("e2")) == [ELSEWHERE, SCORED]
    wrong = client.delete("/v1/riders/r1/person", headers=bearer("ops", cities=B))
    assert wrong.json()["code"] == "rider_unknown"
    with store.reading() as unit:
        assert [home_of(unit, rider) for rider in ("r1", "r2", "r3")] == [("hangzhou",), ("shanghai",), None]


@pytest.mark.parametrize("path", ["/v1/events", "/v1/tokens"])
def test_a_kept_answer_stays_in_its_cities(client: TestClient, bearer: Bearer, path: str) -> None:
    """Another key of the same person with other cities is answered as if nobody had asked before; the same cities are."""
    posted(client, bearer("platform", "p", A), delivered("e0"))
    bodies: dict[str, Any] = {"/v1/events": later([delivered("e1")]), "/v1/tokens": {"role": "rider", "subject": "r1"}}
    own = bearer("platform", "p", A)

    def ask(headers: Headers) -> Any:
        return client.post(path, headers=headers | {"Idempotency-Key": "one"}, json=bodies[path])

    first, foreign, again = ask(own), ask(bearer("platform", "p", B)), ask(own)

    assert again.headers["idempotency-replayed"] == "true"
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert "idempotency-replayed" not in foreign.headers
    assert foreign.content != first.content
