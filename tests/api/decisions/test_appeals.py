"""Appeals: filed once, answered once, by a person or by silence, and silence is for the rider."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import DBAPIError

from api.books import in_force
from api.db.store import Store
from api.db.tables import appeal_decisions, audit, entries
from api.decisions import appeals
from api.decisions.appeal_records import APPEALS, Appeal
from api.refusals import Refused
from rules.shelf import shipped
from tests.api.ledger.posts import (
    BOOK,
    FADING,
    START_US,
    batch_lines,
    chain_breaks,
    later,
    lines_of,
    net_of,
    newest_us,
    post,
    publish,
    publish_books,
    scores_of,
)
from tests.builders import DAY_US, MINUTE_US, book, delivered, event

RIDER, OPS = "rider:r1", "ops:li.na"


def deduction(store: Store, rider_id: str = "r1", event_id: str | None = None) -> str:
    """The id of the first deduction of a rider, or of an event."""
    with store.reading() as unit:
        query = select(entries.c.entry_id).where(entries.c.rider_id == rider_id, entries.c.kind == "deduct")
        if event_id is not None:
            query = query.where(entries.c.event_id == event_id)
        return str(unit.connection.scalar(query.order_by(entries.c.seq).limit(1)))


def file(store: Store, entry_id: str, at_us: int = START_US + MINUTE_US, rider_id: str = "r1", **said: Any) -> Appeal:
    """File an appeal."""
    words = {"reason_code": "merchant_slow", "reason": "the kitchen was slow", "evidence_ref": None} | said
    with store.writing(at_us) as unit:
        return appeals.file_appeal(unit, rider_id, entry_id, **words, actor=f"rider:{rider_id}")[0]


def decide(store: Store, appeal_id: str, upheld: bool, at_us: int, actor: str = OPS) -> Appeal:
    """Answer as a person."""
    code = "evidence_accepted" if upheld else "record_confirmed"
    with store.writing(at_us) as unit:
        return appeals.decide_appeal(
            unit, in_force.rules_in_force(unit, BOOK), appeal_id, upheld, code, "looked at it", actor
        )


def settle(store: Store, at_us: int) -> int:
    """The tick that lets silence answer."""
    with store.writing(at_us) as unit:
        return appeals.settle_appeals(unit, in_force.rules_in_force(unit, BOOK), at_us).num_over


def late(store: Store) -> list[dict[str, Any]]:
    """A rider with one order on time and one late, posted; the events."""
    publish(store, BOOK)
    events = later([delivered("e1"), delivered("e2", at_min=30, late_min=4)])
    post(store, events)
    return events


def test_an_upheld_appeal_takes_the_deduction_back(store: Store) -> None:
    """In the same transaction, through the ledger, with the reason and the person beside it."""
    events = late(store)
    filed = file(store, deduction(store))
    now_us = START_US + 60 * MINUTE_US

    decided = decide(store, filed.appeal_id, True, now_us)

    lines = lines_of(store)
    assert decided.state == "upheld"
    assert decided.decision is not None
    assert (decided.decision.decided_by, decided.decision.reason_code) == (OPS, "evidence_accepted")
    assert [line["kind"] for line in lines] == ["award", "deduct", "reverse", "reenter"]
    assert scores_of(lines) == {"r1": 70_200}
    upheld = event("appeal_upheld", f"appeal:{filed.appeal_id}", ref_event_id="e2", order_id="order-e2")
    upheld["occurred_us"] = now_us
    assert net_of(lines) == net_of(batch_lines([*events, upheld], now_us))
    with store.reading() as unit:
        assert chain_breaks(unit) == []


def test_a_dismissed_appeal_leaves_the_ledger(store: Store) -> None:
    """A person says why; nothing moves."""
    late(store)
    filed = file(store, deduction(store))
    before = lines_of(store)

    decided = decide(store, filed.appeal_id, False, START_US + 60 * MINUTE_US)

    assert decided.state == "dismissed"
    assert lines_of(store) == before


def test_silence_is_for_the_rider(store: Store) -> None:
    """At its deadline, not before, whoever is open is upheld by `timeout`; once."""
    late(store)
    filed = file(store, deduction(store))

    assert filed.deadline_us == START_US + MINUTE_US + 3 * DAY_US
    assert settle(store, filed.deadline_us - 1) == 0
    assert settle(store, filed.deadline_us) == 1
    assert settle(store, filed.deadline_us + 1) == 0
    with store.reading() as unit:
        found = APPEALS.find(unit, filed.appeal_id)
        actors = unit.connection.scalars(select(audit.c.actor).where(audit.c.action == "appeal_decided")).all()
    assert found is not None
    assert found.decision is not None
    assert (found.state, found.decision.decided_by, found.decision.reason_code) == ("upheld", "timeout", "timeout")
    assert actors == ["timeout"]
    assert scores_of(lines_of(store)) == {"r1": 70_200}


def test_silence_is_for_the_rider_whatever_a_book_says(store: Store) -> None:
    """A book with other words on time-out changes the days only."""
    own = book(appeal={"within_days": 2, "decide_days": 1, "on_timeout": "against_rider"})
    publish_books(store, [own])
    post(store, later([delivered("e1", late_min=4)]), own.id)
    filed = file(store, deduction(store))
    with store.writing(filed.deadline_us) as unit:
        appeals.settle_appeals(unit, in_force.rules_in_force(unit, own.id), filed.deadline_us)

    assert filed.deadline_us == START_US + MINUTE_US + DAY_US
    assert scores_of(lines_of(store)) == {"r1": 70_000}


def test_an_answer_is_given_once(store: Store) -> None:
    """The same answer by the same person again is the first one; any other is refused."""
    late(store)
    filed = file(store, deduction(store))
    now_us = START_US + 60 * MINUTE_US
    first = decide(store, filed.appeal_id, True, now_us)

    assert decide(store, filed.appeal_id, True, now_us + 5) == first
    for upheld, actor in ((False, OPS), (True, "ops:other")):
        with pytest.raises(Refused, match="appeal_decided"):
            decide(store, filed.appeal_id, upheld, now_us + 9, actor)
    assert settle(store, filed.deadline_us) == 0


def test_the_database_refuses_an_answer_that_no_person_gave(store: Store) -> None:
    """No dismissal by time-out, no second answer, no person without a reason."""
    late(store)
    good = {
        "appeal_id": "a",
        "decision": "upheld",
        "decided_by": OPS,
        "reason_code": "x",
        "reason_digest": "y",
        "decided_us": 1,
    }

    for wrong in (
        {"decision": "dismissed", "decided_by": "timeout"},
        {"reason_digest": ""},
        {"decided_by": "machine"},
        {"decision": "maybe"},
    ):
        with pytest.raises(DBAPIError), store.writing(START_US) as unit:
            unit.connection.execute(insert(appeal_decisions), good | wrong)
    with store.writing(START_US) as unit:
        unit.connection.execute(insert(appeal_decisions), good)
    with pytest.raises(DBAPIError), store.writing(START_US) as unit:
        unit.connection.execute(insert(appeal_decisions), good | {"decision": "dismissed"})


def test_nobody_dismisses_after_the_deadline(store: Store) -> None:
    """Silence has answered then, though the tick may come later; upholding is still a person's."""
    late(store)
    filed = file(store, deduction(store))

    with pytest.raises(Refused, match="appeal_overdue"):
        decide(store, filed.appeal_id, False, filed.deadline_us)
    assert decide(store, filed.appeal_id, True, filed.deadline_us).state == "upheld"


def test_filing_again_is_the_same_appeal(store: Store) -> None:
    """One appeal against one entry: the same words give the first, others are refused."""
    late(store)
    entry = deduction(store)
    first = file(store, entry)

    with store.writing(START_US + 5 * MINUTE_US) as unit:
        again = appeals.file_appeal(unit, "r1", entry, "merchant_slow", " the kitchen was slow ", "", RIDER)
    assert again == (first, False)
    with pytest.raises(Refused, match="appeal_differs"):
        file(store, entry, reason="something else")
    with store.reading() as unit:
        assert APPEALS.of_rider(unit, "r1") == (first,)


def test_only_standing_deductions_of_ones_own_can_be_appealed(store: Store) -> None:
    """Not another's, not an award, not what was taken back, not after the days of the book, not for any reason."""
    late(store)
    entry = deduction(store)
    with store.reading() as unit:
        award = str(unit.connection.scalar(select(entries.c.entry_id).where(entries.c.kind == "award")))

    def why(code: str, **said: Any) -> None:
        with pytest.raises(Refused, match=code):
            file(store, said.pop("entry", entry), **said)

    why("entry_unknown", rider_id="r2")
    why("entry_unknown", entry="none")
    why("appeal_nothing", entry=award)
    why("appeal_reason_unknown", reason_code="because")
    why("appeal_too_late", at_us=START_US + 40 * MINUTE_US + 7 * DAY_US)
    why("words_too_long", reason="x" * 3_000)
    filed = file(store, entry)
    decide(store, filed.appeal_id, True, START_US + 60 * MINUTE_US)
    with store.reading() as unit:
        reversal, again = (
            str(unit.connection.scalar(select(entries.c.entry_id).where(entries.c.kind == kind)))
            for kind in ("reverse", "reenter")
        )
    why("appeal_nothing", entry=reversal)
    why("appeal_nothing", entry=again)


def test_two_deductions_of_one_event_go_together(store: Store) -> None:
    """Upholding one waives the event; upholding the other then moves nothing, and both are answered."""
    rules = book().document["rule"]
    groups = [{"id": "main", "hit": "first"}, {"id": "other", "hit": "first"}]
    twice = [*rules, rules[1] | {"id": "late_too", "group": "other"}]
    own = book(group=groups, rule=twice)
    publish_books(store, [own])
    post(store, later([delivered("e1", late_min=4)]), own.id)
    with store.reading() as unit:
        both = unit.connection.scalars(select(entries.c.entry_id).where(entries.c.kind == "deduct")).all()
    filed = [file(store, entry) for entry in both]

    with store.writing(filed[0].deadline_us) as unit:
        settled = appeals.settle_appeals(unit, in_force.rules_in_force(unit, own.id), filed[0].deadline_us)
        assert settled == appeals.Settled(2, ())

    lines = lines_of(store)
    assert sum(line["kind"] == "reverse" for line in lines) == 2
    assert scores_of(lines) == {"r1": 70_000}


@pytest.mark.parametrize("book_id", [name for name in shipped() if name != "legacy-fine"])
def test_a_report_refused_in_good_faith_costs_nothing(store: Store, book_id: str) -> None:
    """Under every shipped book an order scores as if nothing had been reported, and a report taken as false is appealed."""
    publish(store, book_id)
    (order,) = later([delivered("e1", late_min=4)])
    # Only verified reports are facts; one that was refused is none.
    believed = later([delivered("e1", late_min=4, reports="accident")])[0]
    post(store, [order], book_id)
    plain = scores_of(lines_of(store))["r1"]
    false = later([event("false_report", "f1", at_min=20, order_id=order["order_id"])])
    post(store, false, book_id)
    found = [line for line in lines_of(store) if line["event_id"] == "f1" and line["kind"] == "deduct"]
    if found:
        filed = file(store, found[0]["entry_id"], START_US + 30 * MINUTE_US, reason_code="report_refused")
        with store.writing(START_US + 40 * MINUTE_US) as unit:
            law = in_force.rules_in_force(unit, book_id)
            appeals.decide_appeal(unit, law, filed.appeal_id, True, "good_faith_report", "she did report", OPS)

    assert scores_of(lines_of(store))["r1"] == plain
    assert scores_of(batch_lines([order], newest_us([order]), book_id))["r1"] == plain
    assert scores_of(batch_lines([believed], newest_us([believed]), book_id))["r1"] >= plain


def test_one_appeal_that_the_ledger_refuses_keeps_no_other_waiting(store: Store) -> None:
    """The others are decided by their deadline; it stays open for a person, who is told."""
    publish(store, BOOK)
    rows = later(delivered(f"e-{rider}", rider_id=rider, late_min=4) for rider in ("r1", "r2", "r3"))
    post(store, rows, BOOK)
    filed = {rider: file(store, deduction(store, rider), rider_id=rider) for rider in ("r1", "r2", "r3")}
    bad = filed["r2"]
    # Another event of the id that the answer's event would have.
    post(store, later([delivered(f"appeal:{bad.appeal_id}", rider_id="r2", at_min=9)]), BOOK)

    with store.writing(bad.deadline_us) as unit:
        law = in_force.rules_in_force(unit, BOOK)
        settled = appeals.settle_appeals(unit, law, bad.deadline_us)
        again = appeals.settle_appeals(unit, law, bad.deadline_us, beside=settled.refused)

    assert (settled, again) == (appeals.Settled(3, (bad.appeal_id,)), appeals.Settled(0, ()))
    with store.reading() as unit:
        states = {rider: APPEALS.find(unit, one.appeal_id).state for rider, one in filed.items()}  # type: ignore[union-attr]
    assert states == {"r1": "upheld", "r2": "open", "r3": "upheld"}
    with pytest.raises(Refused, match="appeal_not_scored"):
        decide(store, bad.appeal_id, True, bad.deadline_us)


def test_the_inbox_is_by_deadline_city_and_page(store: Store) -> None:
    """Those first whose time runs out first; a city sees its own; answered ones leave, newest answers first."""
    publish(store, FADING)
    events = later(
        delivered(f"e{k}", rider_id=f"r{k}", city="hangzhou" if k % 2 else "suzhou", late_min=9, at_min=k)
        for k in range(7)
    )
    post(store, events, FADING)
    filed = [
        file(store, deduction(store, f"r{k}"), START_US + (60 - k) * MINUTE_US, rider_id=f"r{k}") for k in range(7)
    ]

    pages, cursor = [], None
    with store.reading() as unit:
        while True:
            page = APPEALS.page(unit, "open", (), cursor, limit=3)
            pages.append([appeal.rider_id for appeal in page.items])
            cursor = page.cursor
            if cursor is None:
                break
        here = APPEALS.page(unit, "open", ("hangzhou",))
        assert len(APPEALS.page(unit, "open").items) == 7
        assert len(APPEALS.page(unit, "open", ("hangzhou",)).items) == 3
    assert pages == [["r6", "r5", "r4"], ["r3", "r2", "r1"], ["r0"]]
    assert [appeal.rider_id for appeal in here.items] == ["r5", "r3", "r1"]
    for k in (2, 4):
        with store.writing(START_US + (90 + k) * MINUTE_US) as unit:
            law = in_force.rules_in_force(unit, FADING)
            appeals.decide_appeal(unit, law, filed[k].appeal_id, False, "record_confirmed", "checked", OPS)
    with store.reading() as unit:
        first = APPEALS.page(unit, "decided", limit=1)
        second = APPEALS.page(unit, "decided", cursor=first.cursor, limit=1)
        assert [appeal.rider_id for page in (first, second) for appeal in page.items] == ["r4", "r2"]
        assert second.cursor is None
        assert len(APPEALS.page(unit, "open").items) == 5
        with pytest.raises(Refused, match="cursor_invalid"):
            APPEALS.page(unit, "open", cursor="nonsense")


def test_a_person_and_the_deadline_never_both_answer(store: Store) -> None:
    """At the same moment, whoever comes second finds the answer; the ledger takes the deduction back once."""
    late(store)
    filed = file(store, deduction(store))
    at_us = filed.deadline_us

    def person(_: int) -> str:
        try:
            return decide(store, filed.appeal_id, True, at_us).state
        except Refused as refused:
            return refused.code

    with ThreadPoolExecutor(4) as pool:
        ticks = [pool.submit(settle, store, at_us) for _ in range(2)]
        people = list(pool.map(person, range(2)))
        counts = [tick.result() for tick in ticks]

    lines = lines_of(store)
    assert set(people) <= {"upheld", "appeal_decided"}
    assert max(counts) <= 1
    assert [line["kind"] for line in lines] == ["award", "deduct", "reverse", "reenter"]
    with store.reading() as unit:
        assert len(unit.connection.execute(select(appeal_decisions)).all()) == 1


def test_a_second_decider_is_told_who_was_first_and_keeps_their_words(store: Store) -> None:
    """Two people answer at once: one answer stands, and the other reads whose it is, when it came, and their own words."""
    late(store)
    filed = file(store, deduction(store))
    now_us = START_US + 60 * MINUTE_US

    def person(name: str) -> Refused | None:
        try:
            with store.writing(now_us) as unit:
                law = in_force.rules_in_force(unit, BOOK)
                appeals.decide_appeal(
                    unit, law, filed.appeal_id, False, "record_confirmed", f"words of {name}", f"ops:{name}"
                )
        except Refused as refused:
            return refused
        return None

    with ThreadPoolExecutor(2) as pool:
        told = dict(zip(("li", "wu"), pool.map(person, ("li", "wu")), strict=True))

    (first,) = (name for name, refused in told.items() if refused is None)
    (second,) = (name for name, refused in told.items() if refused is not None)
    refused = told[second]
    assert refused is not None
    assert refused.code == "appeal_decided"
    assert refused.params["facts"] == {
        "decided_by": f"ops:{first}",
        "decided_us": now_us,
        "stands": "dismissed",
        "not_saved": {"decision": "dismissed", "reason_code": "record_confirmed", "reason": f"words of {second}"},
    }
    assert refused.describe("en").startswith(f"This appeal was answered first by ops:{first}, at 2026-")
    assert f"ops:{first}" in refused.describe("zh")


def test_the_deadline_that_was_first_is_named(store: Store) -> None:
    """Who answers after the deadline has answered reads that, not the name of a program."""
    late(store)
    filed = file(store, deduction(store))
    settle(store, filed.deadline_us)

    with pytest.raises(Refused) as caught:
        decide(store, filed.appeal_id, True, filed.deadline_us + 1)

    assert "by the deadline, which passed" in caught.value.describe("en")
    assert "timeout" not in caught.value.describe("zh") + caught.value.describe("en")
