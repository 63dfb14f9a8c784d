"""Erasing a person reaches every table, the file beneath them, keys and whoever was told; the ledger stays."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import insert, select
from starlette.testclient import TestClient

from api.books import in_force
from api.db.store import Store
from api.db.tables import api_keys, entries, events, metadata, outbox, webhook_attempts, webhooks
from api.ledger.verify import verify_store
from api.riders.people import person_of
from rules.deployment import Deploy
from tests.api.endpoints.conftest import Bearer, Clock
from tests.api.ledger.posts import START_US, later, lines_of, publish_books
from tests.builders import book, delivered

TIERS: Final = [
    {"id": "low", "title": {"zh": "低", "en": "Low"}, "review": True},
    {"id": "ok", "title": {"zh": "好", "en": "OK"}, "from": 69},
]
BOOK: Final = book(tier=TIERS)
NAME, PHONE = "欧阳小满", "13977700001"
TYPED: Final = {
    "appeal": "商家王老板说还要等的欧阳",
    "evidence": "photo-of-ouyang-7731",
    "answer": "欧阳师傅情况属实，已核对",
    "review": "与欧阳师傅本人通了电话",
    "lift": "欧阳师傅已当面说明",
}
NEEDLES: Final = (NAME, PHONE, *TYPED.values())
# What an erasure does with what each table holds of a rider. Whoever adds a table says so here.
NOTHING, STAYS, ERASED, ENDED = "holds nothing of riders", "stays under the pseudonym", "is erased", "ends"
EFFECT: Final = {
    "api_keys": ENDED,
    "appeal_decisions": STAYS,
    "appeal_texts": ERASED,
    "appeals": STAYS,
    "approvals": NOTHING,
    "audit": STAYS,
    "books": NOTHING,
    "checkpoints": STAYS,
    "city_days": NOTHING,
    "clock": NOTHING,
    "decision_texts": ERASED,
    "deployments": NOTHING,
    "draft_revisions": NOTHING,
    "drafts": NOTHING,
    "entries": STAYS,
    "events": STAYS,
    "idempotency": ERASED,
    "law": NOTHING,
    "marks": NOTHING,
    "layouts": NOTHING,
    "open_appeals": STAYS,
    "open_moves": STAYS,
    "open_reviews": STAYS,
    "outbox": STAYS,
    "people": ERASED,
    "platform": NOTHING,
    "replays": STAYS,
    "review_decisions": STAYS,
    "review_filings": STAYS,
    "reviews": STAYS,
    "rider_moves": STAYS,
    "rider_state": STAYS,
    "seal_head": NOTHING,
    "seal_queue": NOTHING,
    "seals": NOTHING,
    "sessions": ERASED,
    "shared_orders": STAYS,
    "studies": STAYS,
    "study_files": STAYS,
    "study_progress": NOTHING,
    "suspension_lifts": STAYS,
    "webhook_attempts": STAYS,
    "webhooks": NOTHING,
}


@pytest.fixture
def told(client: TestClient, store: Store, bearer: Bearer, clock: Clock) -> dict[str, Any]:
    """A rider with a name, an appeal that was answered, a suspension that was lifted, and answers that are kept."""
    publish_books(store, [BOOK])
    row = {"city": "hangzhou", "rider_kind": "crowdsourced", "book": BOOK.id, "source": "t", "confidence": "ours"}
    with store.writing(START_US) as unit:
        in_force.deploy(unit, [Deploy.model_validate(row | {"from": BOOK.model.effective_from})])
        for number, (kinds, cities, disabled_us) in enumerate(HOOKS):
            hook = {"webhook_id": f"wh{number}", "url": "https://x.example/", "secret": "s", "created_by": "t",
                    "kinds": json.dumps(kinds), "cities": json.dumps(cities), "recorded_us": 1,
                    "disabled_us": disabled_us}  # fmt: skip
            unit.connection.execute(insert(webhooks), hook)
    platform, ops, rider = bearer("platform"), bearer("ops", "li.na"), bearer("rider", "r1")
    person = {"name": NAME, "phone": PHONE, "city": "hangzhou"}
    client.put("/v1/riders/r1/person", headers=platform, json=person | {"name": "欧阳旧名"})
    client.put("/v1/riders/r1/person", headers=platform, json=person)
    rows = later([delivered("e1", late_min=9), delivered("e9", rider_id="r2", late_min=9)])
    client.post("/v1/events", headers=platform | {"Idempotency-Key": "k0"}, json=rows)
    clock.forward(seconds=60)
    entry = next(line["entry_id"] for line in lines_of(store) if (line["rider_id"], line["kind"]) == ("r1", "deduct"))
    asked = {"reason_code": "merchant_slow", "reason": TYPED["appeal"], "evidence_ref": TYPED["evidence"]}
    path = f"/v1/entries/{entry}/appeal"
    appeal = client.post(path, headers=rider | {"Idempotency-Key": "k1"}, json=asked).json()["appeal_id"]
    said = {"decision": "dismissed", "reason_code": "record_confirmed", "reason": TYPED["answer"]}
    client.post(f"/v1/appeals/{appeal}/decision", headers=ops | {"Idempotency-Key": "k2"}, json=said)
    review = next(
        one["review_id"] for one in client.get("/v1/reviews", headers=ops).json()["items"] if one["rider_id"] == "r1"
    )
    path = f"/v1/reviews/{review}"
    said = {"outcome": "suspend", "reason": TYPED["review"], "is_safety": True}  # type: ignore[dict-item]
    answer = client.post(f"{path}/decision", headers=ops | {"Idempotency-Key": "k3"}, json=said)
    assert answer.status_code == 200, answer.text
    lifted = client.post(f"{path}/lift", headers=ops | {"Idempotency-Key": "k4"}, json={"reason": TYPED["lift"]})
    assert lifted.json()["lift"]["reason"] == TYPED["lift"]
    return {"platform": platform, "ops": ops, "rider": rider, "appeal": appeal, "review": review}


# Kinds, cities, switched off since.
HOOKS: Final = (
    ([], [], None), (["score.changed"], ["hangzhou"], None), (["book.scheduled"], [], None), ([], ["shanghai"], None),
    ([], [], 7),
)  # fmt: skip


def held(store: Store) -> dict[str, list[str]]:
    """By needle, the tables that hold it."""
    found: dict[str, list[str]] = {}
    with store.reading() as unit:
        for table in metadata.sorted_tables:
            text = "\n".join(
                value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
                for row in unit.connection.execute(select(table))
                for value in row
            )
            for needle in NEEDLES:
                # JSON may write other scripts as escapes.
                if needle in text or json.dumps(needle)[1:-1] in text:
                    found.setdefault(needle, []).append(table.name)
    return found


def test_an_erasure_reaches_every_table(client: TestClient, store: Store, told: dict[str, Any]) -> None:
    """Before it each word is held somewhere, and in kept answers too; after it none is held anywhere."""
    before = held(store)

    answer = client.delete("/v1/riders/r1/person", headers=told["ops"])

    assert set(before) == set(NEEDLES)
    assert {"people", "appeal_texts", "decision_texts", "idempotency"} == {
        name for names in before.values() for name in names
    }
    assert answer.json() == {"held": True}
    assert held(store) == {}
    with store.reading() as unit:
        assert person_of(unit, "r1") is None


def test_every_table_says_what_an_erasure_does() -> None:
    """No table is forgotten, and none that holds a rider's id says that it holds nothing."""
    assert set(EFFECT) == set(metadata.tables)
    named = {table.name for table in metadata.sorted_tables if "rider_id" in table.c}
    assert {name for name in named if EFFECT[name] == NOTHING} == set()


@pytest.mark.usefixtures("told")
def test_the_file_forgets_too(client: TestClient, store: Store, told: dict[str, Any]) -> None:
    """On SQLite neither the database file nor its log holds a word any more, freed pages included."""
    path = store.engine.url.database
    if store.engine.dialect.name != "sqlite" or path is None:
        assert store.scrub()
        return
    files = [Path(path), Path(f"{path}-wal")]

    def words() -> set[str]:
        content = b"".join(one.read_bytes() for one in files if one.exists())
        return {needle for needle in (*NEEDLES, "欧阳旧名") if needle.encode() in content}

    assert words() >= set(NEEDLES)

    client.delete("/v1/riders/r1/person", headers=told["ops"])

    assert words() == set()


def test_the_ledger_and_the_decisions_stay(client: TestClient, store: Store, told: dict[str, Any]) -> None:
    """Scores, entries, who decided what and when; reasons in words are null, reason codes are there."""
    before = lines_of(store)

    client.delete("/v1/riders/r1/person", headers=told["ops"])

    assert lines_of(store) == before
    appeal = client.get(f"/v1/appeals/{told['appeal']}", headers=told["ops"]).json()
    review = client.get(f"/v1/reviews/{told['review']}", headers=told["ops"]).json()
    assert (appeal["reason"], appeal["evidence_ref"], appeal["decision"]["reason"]) == (None, None, None)
    assert (appeal["decision"]["reason_code"], appeal["decision"]["decided_by"]) == ("record_confirmed", "ops:li.na")
    assert (review["decision"]["reason"], review["lift"]["reason"]) == (None, None)
    assert client.get("/v1/riders/r1/card", headers=told["ops"]).status_code == 200
    for page in (f"/v1/appeals/{told['appeal']}", f"/v1/reviews/{told['review']}"):
        assert client.get(page, headers=told["ops"]).status_code == 200
    with store.reading() as unit:
        assert verify_store(unit).holds
        assert unit.connection.scalar(select(events.c.event_id).where(events.c.rider_id == "r1")) == "e1"
        assert unit.connection.scalar(select(entries.c.rider_id).where(entries.c.rider_id == "r1").limit(1)) == "r1"


def test_a_riders_keys_end_and_others_do_not(
    client: TestClient, store: Store, told: dict[str, Any], bearer: Bearer
) -> None:
    """The key that asked for the erasure is the last to be good; r2's goes on."""
    other = bearer("rider", "r2")

    answer = client.delete("/v1/riders/r1/person", headers=told["rider"])

    assert answer.json() == {"held": True}
    assert client.get("/v1/riders/r1/card", headers=told["rider"]).json()["code"] == "token_revoked"
    assert client.get("/v1/riders/r2/card", headers=other).status_code == 200
    with store.reading() as unit:
        ended = unit.connection.scalars(select(api_keys.c.subject).where(api_keys.c.revoked_us.is_not(None))).all()
    assert ended == ["r1"]


def test_answers_that_are_kept_for_others_stay(client: TestClient, store: Store, told: dict[str, Any]) -> None:
    """What was answered about nobody in particular is repeated; what named the rider is done anew, and counts once."""
    said = {"decision": "dismissed", "reason_code": "record_confirmed", "reason": TYPED["answer"]}
    path = f"/v1/appeals/{told['appeal']}/decision"
    first = client.post(path, headers=told["ops"] | {"Idempotency-Key": "k2"}, json=said)
    before = lines_of(store)

    client.delete("/v1/riders/r1/person", headers=told["ops"])
    again = client.post(path, headers=told["ops"] | {"Idempotency-Key": "k2"}, json=said)

    assert first.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in again.headers
    assert (again.status_code, again.json()["decision"]["reason"]) == (200, None)
    assert lines_of(store) == before
    assert held(store) == {}


def test_whoever_was_told_of_a_rider_is_told_to_forget(client: TestClient, store: Store, told: dict[str, Any]) -> None:
    """Every receiver that hears of riders of the city, whichever kinds it chose, those switched off included; no other."""
    client.delete("/v1/riders/r1/person", headers=told["ops"])

    with store.reading() as unit:
        message = unit.connection.execute(select(outbox).where(outbox.c.kind == "rider.erased")).one()
        hooks = unit.connection.scalars(
            select(webhook_attempts.c.webhook_id).where(webhook_attempts.c.outbox_id == message.outbox_id)
        )
        assert sorted(hooks) == ["wh0", "wh1", "wh4"]
    body = json.loads(message.payload)
    assert body["data"] == {"rider_id": "r1", "city": "hangzhou"}
    assert (body["type"], body["platform"]) == ("rider.erased", "default")


def test_messages_hold_no_words(store: Store, told: dict[str, Any]) -> None:
    """What waits for receivers, or was sent, never held any: an erasure has nothing to clear there."""
    assert told
    with store.reading() as unit:
        payloads = "".join(unit.connection.scalars(select(outbox.c.payload)))

    assert payloads
    assert [needle for needle in NEEDLES if needle in payloads] == []
