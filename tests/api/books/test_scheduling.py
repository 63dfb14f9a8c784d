"""Changes on their way into force: at their instant, for every event after it and none before, or not at all."""

import datetime as dt
import json
import threading
from typing import Any

import pytest
from sqlalchemy import select

from api.books import approvals, drafts, in_force, scheduling
from api.books.catalogue import books_by_place
from api.books.checking import LEAD_US
from api.books.draft_content import sound
from api.books.draft_rows import Draft, draft_of, update_draft
from api.books.places import BookPlace, judging
from api.books.scheduling import activate_due
from api.db.store import Store
from api.db.tables import audit, outbox
from api.db.tables import books as books_table
from api.db.unit_of_work import WriteUnit
from api.ledger import posting
from api.refusals import Refused
from api.riders.cards import card_of
from api.webhooks import subscriptions
from rules.book import Book
from rules.compile import start_us
from rules.edits import SetCell
from tests.api.books.worlds import (
    ANN,
    BEN,
    CAI,
    HERE,
    NOW_US,
    THERE,
    Someone,
    approved,
    begun,
    day_us,
    enact,
    next_change,
    said_yes,
    scheduled,
    submitted,
    version,
)
from tests.api.ledger.posts import lines_of, table_of
from tests.builders import DAY_US, HOUR_US, MINUTE_US, delivered

EFFECTIVE = dt.date(2026, 3, 10)
EFFECTIVE_US = day_us(EFFECTIVE)


@pytest.fixture
def law(store: Store) -> Store:
    """A database with one book in force in two cities."""
    enact(store, version())
    return store


def refused(code: str) -> Any:
    """What a verb says no with."""
    return pytest.raises(Refused, check=lambda error: error.code == code)


def late(event_id: str, at_us: int, **columns: Any) -> dict[str, Any]:
    """A delivery 4 minutes late, delivered at an instant."""
    made = delivered(event_id, late_min=4, rider_id=f"r{event_id}", **columns)
    by_us = at_us - made["occurred_us"]
    return {k: v + by_us if k.endswith("_us") and v is not None else v for k, v in made.items()}


def post(store: Store, at_us: int, *events: dict[str, Any]) -> list[posting.EventOutcome]:
    """What the route does: what is due, the law, the events, in one unit."""
    with store.writing(at_us) as unit:
        activate_due(unit)
        return posting.post_events(unit, in_force.rules_in_force(unit), table_of(events))


def judged_by(store: Store) -> dict[str, str]:
    """Rider → digest of the book that judged their line."""
    return {line["rider_id"]: line["book_digest"] for line in lines_of(store)}


def put_on(store: Store, points: Any = -2) -> Any:
    """A change on the schedule."""
    with store.writing(NOW_US) as unit:
        return scheduled(unit, points=points)


def test_an_event_is_judged_by_the_law_of_its_time_though_nobody_ticked(law: Store) -> None:
    """The first post after the instant puts the change in force; events before it keep the old law, late ones too."""
    draft = put_on(law)

    post(law, EFFECTIVE_US - DAY_US, late("a", EFFECTIVE_US - DAY_US))
    post(
        law,
        EFFECTIVE_US + HOUR_US,
        late("b", EFFECTIVE_US + HOUR_US),
        late("c", EFFECTIVE_US),
        late("d", EFFECTIVE_US - 1),
    )
    post(law, EFFECTIVE_US + DAY_US, late("e", EFFECTIVE_US - HOUR_US), late("f", EFFECTIVE_US + HOUR_US))

    old, new = version().digest, draft.book_digest
    assert judged_by(law) == {"ra": old, "rb": new, "rc": new, "rd": old, "re": old, "rf": new}
    with law.reading() as unit:
        assert draft_of(unit, draft.draft_id).state == "in_force"


def test_a_clock_that_runs_ahead_finds_the_new_law(law: Store) -> None:
    """A platform may post an event minutes before our clock reaches it: the change is in force by then."""
    draft = put_on(law)

    answers = post(law, EFFECTIVE_US - LEAD_US, late("a", EFFECTIVE_US + 1 - 1), late("b", EFFECTIVE_US - 1))

    assert [answer.status for answer in answers] == ["scored", "scored"]
    assert judged_by(law) == {"ra": draft.book_digest, "rb": version().digest}


def test_nothing_is_in_force_a_moment_too_early(law: Store) -> None:
    """Before the lead there is no new version, and no event can reach beyond it."""
    put_on(law)
    at_us = EFFECTIVE_US - LEAD_US - 1

    answers = post(law, at_us, late("a", at_us), late("b", EFFECTIVE_US))

    assert [answer.reason for answer in answers] == [None, "implausible_time"]
    with law.reading() as unit:
        assert len(unit.connection.execute(select(books_table)).all()) == 1


def test_riders_are_told_of_the_next_change(law: Store) -> None:
    """From the schedule until the instant, with its date; not before, not after, and no longer when it is cancelled."""
    with law.writing(NOW_US) as unit:
        draft = approved(unit)
        assert next_change(unit, "hangzhou", "crowdsourced", NOW_US) is None
        draft = scheduling.schedule(unit, ANN, draft.draft_id, draft.etag)
        told = next_change(unit, "hangzhou", "crowdsourced", NOW_US)
        assert told is not None
        assert (told.effective_from, told.effective_us, told.notice_waived) == (EFFECTIVE, EFFECTIVE_US, False)
        assert next_change(unit, "hangzhou", "dedicated", NOW_US) is None
        shelf = books_by_place(unit, ANN, NOW_US, "hangzhou")[0]
        assert [one.draft_id for one in shelf.scheduled] == [draft.draft_id]
        draft = scheduling.cancel(unit, BEN, draft.draft_id, draft.etag, "wait")
        assert next_change(unit, "hangzhou", "crowdsourced", NOW_US) is None
        assert draft.state == "approved"
        scheduling.schedule(unit, ANN, draft.draft_id, draft.etag)

    with law.writing(EFFECTIVE_US - LEAD_US) as unit:
        activate_due(unit)
        again = next_change(unit, "hangzhou", "crowdsourced", unit.recorded_us)
        assert again is not None
        assert again.digest == told.digest
        assert next_change(unit, "hangzhou", "crowdsourced", EFFECTIVE_US) is None


def test_a_base_that_moved_suspends_and_tells(law: Store) -> None:
    """Of two changes of one law the second is not in force unread: it waits, with the reason, for somebody to look."""
    first = put_on(law)
    with law.writing(NOW_US) as unit:
        draft = begun(unit, BEN, points=-3)
        edits = [SetCell(path="/effective_from", value="2026-03-12")]
        draft = drafts.edit_cells(unit, BEN, draft.draft_id, draft.etag, edits)
        draft = said_yes(unit, approvals.submit(unit, BEN, draft.draft_id, draft.etag))
        with refused("schedule_refused"):
            scheduling.schedule(unit, BEN, draft.draft_id, draft.etag)
        second = as_scheduled_before(unit, draft)
        assert next_change(unit, "hangzhou", "crowdsourced", EFFECTIVE_US) is None

    with law.writing(EFFECTIVE_US) as unit:
        done = activate_due(unit)
        stands = draft_of(unit, second.draft_id)
        told = unit.connection.execute(select(audit).where(audit.c.action == "draft_suspended")).one()
        here = judging(in_force.rules_in_force(unit), HERE, unit.recorded_us)
        rebased = drafts.rebase(unit, BEN, stands.draft_id, stands.etag)

    assert [(each.draft_id, bool(each.conflicts)) for each in done] == [
        (first.draft_id, False),
        (second.draft_id, True),
    ]
    assert stands.state == "suspended"
    assert stands.detail is not None
    assert {conflict["code"] for conflict in stands.detail["conflicts"]} == {"base_moved"}
    assert told.subject == second.draft_id
    assert here is not None
    assert here.digest == first.book_digest == rebased.base_digest
    assert rebased.state == "open"


@pytest.mark.case
@pytest.mark.parametrize("run", range(4))
def test_of_two_changes_of_one_day_the_first_scheduled_stands(law: Store, run: int) -> None:
    """In a database that has both from before: whatever their ids, what riders are told is what comes."""
    drawn = [begun_at(law, points, NOW_US + k) for k, points in enumerate((-2, -3))]
    # The one that was begun last is scheduled first.
    for k, draft in enumerate(reversed(drawn)):
        with law.writing(NOW_US + 10 + k) as unit:
            as_scheduled_before(unit, draft)
    with law.reading() as unit:
        told = next_change(unit, "hangzhou", "crowdsourced", NOW_US)

    with law.writing(EFFECTIVE_US) as unit:
        activate_due(unit)
        here = judging(in_force.rules_in_force(unit), HERE, unit.recorded_us)
        states = [draft_of(unit, draft.draft_id).state for draft in drawn]

    assert run >= 0
    assert told is not None
    assert here is not None
    assert (told.draft_id, told.digest) == (drawn[1].draft_id, here.digest)
    assert states == ["suspended", "in_force"]


def begun_at(store: Store, points: int, at_us: int) -> Draft:
    """An approved change of a moment."""
    with store.writing(at_us) as unit:
        return approved(unit, points=points)


def as_scheduled_before(unit: WriteUnit, draft: Draft) -> Draft:
    """A draft on the schedule, though another stands in its way: earlier versions let it in."""
    book = sound(draft.document)
    assert book is not None
    return update_draft(unit, draft, "scheduled", effective_us=start_us(book.model), book_digest=book.digest)


def test_what_the_law_has_overtaken_is_suspended_before_its_day(law: Store) -> None:
    """The next tick sees that the law was changed by other ways; riders are told nothing of the change from then on."""
    draft = put_on(law)
    with law.writing(NOW_US) as unit:
        assert scheduling.suspend_overtaken(unit) == 0
    enact(law, version(), places=[BookPlace("xian", "crowdsourced")], at_us=NOW_US + 1)
    with law.writing(NOW_US + 2) as unit:
        told = next_change(unit, "hangzhou", "crowdsourced", NOW_US)
        num = scheduling.suspend_overtaken(unit)
        stands = draft_of(unit, draft.draft_id)

    assert told is None
    assert (num, stands.state) == (1, "suspended")


def test_platforms_hear_of_what_is_to_come_and_of_what_is_not(law: Store) -> None:
    """A message a city when a change is scheduled, and when it is suspended, with the reason."""
    with law.writing(NOW_US) as unit:
        subscriptions.register(unit, "platform:p", "https://example.org/hook", ["book.scheduled", "book.suspended"])
    draft = put_on(law)
    enact(law, version(), places=[BookPlace("xian", "crowdsourced")], at_us=NOW_US + DAY_US)
    with law.writing(EFFECTIVE_US) as unit:
        activate_due(unit)
        rows = unit.connection.execute(select(outbox).order_by(outbox.c.outbox_id)).all()

    assert [(row.kind, row.city) for row in rows] == [
        ("book.scheduled", "hangzhou"),
        ("book.scheduled", "ningbo"),
        ("book.suspended", "hangzhou"),
        ("book.suspended", "ningbo"),
    ]
    first, last = (json.loads(rows[k].payload)["data"] for k in (0, -1))
    assert (first["draft_id"], first["rider_kinds"]) == (draft.draft_id, ["crowdsourced"])
    assert first["effective_at"].startswith("2026-03-09T20:00:00")
    assert [conflict["code"] for conflict in last["conflicts"]] == ["targets_incomplete"]


def test_a_place_that_joined_the_book_meanwhile_suspends(law: Store) -> None:
    """A change never reaches riders that it was not meant for when it was approved."""
    draft = put_on(law)
    enact(law, version(), places=[BookPlace("xian", "crowdsourced")], at_us=NOW_US + DAY_US)

    with law.writing(EFFECTIVE_US) as unit:
        activate_due(unit)
        stands = draft_of(unit, draft.draft_id)

    assert stands.detail is not None
    assert [conflict["code"] for conflict in stands.detail["conflicts"]] == ["targets_incomplete"]


def test_a_city_leaves_a_shared_book(law: Store) -> None:
    """Its own version judges it from the day on; the other city stays where it was."""
    with law.writing(NOW_US) as unit:
        draft = drafts.draft_from_place(unit, ANN, "hangzhou", "crowdsourced")
        draft = said_yes(unit, approvals.submit(unit, ANN, draft.draft_id, draft.etag))
        draft = scheduling.schedule(unit, ANN, draft.draft_id, draft.etag)

    events = (late("a", EFFECTIVE_US + 1), late("b", EFFECTIVE_US + 1, city="ningbo"), late("c", EFFECTIVE_US - 1))
    post(law, EFFECTIVE_US + HOUR_US, *events)

    assert judged_by(law) == {"ra": draft.book_digest, "rb": version().digest, "rc": version().digest}


def test_scheduling_asks_again_for_notice_and_base(law: Store) -> None:
    """An approval that lay about too long cannot shorten what riders were promised."""
    with law.writing(NOW_US) as unit:
        draft = approved(unit)
    with law.writing(NOW_US + 2 * DAY_US) as unit, pytest.raises(Refused, match="schedule_refused") as error:
        scheduling.schedule(unit, ANN, draft.draft_id, draft.etag)
    assert "is less than 7 days from today, and riders are told when it is scheduled; see" in error.value.describe("en")

    with law.writing(NOW_US) as unit:
        for state, verb in (("submitted", submitted), ("open", begun)):
            other = verb(unit, BEN)
            assert other.state == state
            with refused("draft_state"):
                scheduling.schedule(unit, ANN, other.draft_id, other.etag)


def test_a_scheduled_change_is_cancelled_before_it_is_edited(law: Store) -> None:
    """Riders have been told: nobody changes it in passing."""
    draft = put_on(law)
    with law.writing(NOW_US) as unit:
        for verb in (
            lambda: drafts.undo(unit, ANN, draft.draft_id, draft.etag),
            lambda: drafts.withdraw(unit, ANN, draft.draft_id, draft.etag, "no"),
        ):
            with refused("draft_scheduled"):
                verb()
        with refused("reason_needed"):
            scheduling.cancel(unit, ANN, draft.draft_id, draft.etag, "")


def test_two_who_find_a_change_due_put_it_in_force_once(law: Store) -> None:
    """Posters that arrive together take turns; each event is judged by the new law."""
    draft = put_on(law)
    failures: list[BaseException] = []

    def poster(k: int) -> None:
        try:
            post(law, EFFECTIVE_US + k, late(f"x{k}", EFFECTIVE_US + k))
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [threading.Thread(target=poster, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert failures == []
    assert set(judged_by(law).values()) == {draft.book_digest}
    with law.reading() as unit:
        lines = unit.connection.execute(select(audit).where(audit.c.action == "draft_in_force")).all()
    assert len(lines) == 1


class GivenUpError(Exception):
    """Ends a unit."""


def publish_and_give_up(unit: WriteUnit, book: Book) -> None:
    """Change the law, look at it, and take everything back."""
    in_force.publish(unit, [book])
    assert book.digest in {one.digest for one in in_force.rules_in_force(unit).program.books}
    raise GivenUpError


def test_the_law_in_memory_is_that_of_the_database(law: Store) -> None:
    """Another process' change is seen at once; what was rolled back never was."""
    other = Store(law.engine.url.render_as_string(hide_password=False))
    later = version(effective_from=EFFECTIVE, announced=dt.date(2026, 3, 1), late_days=4)
    with law.reading() as unit:
        before = in_force.rules_in_force(unit)
        assert in_force.rules_in_force(unit) is before

    given_up = version(effective_from=EFFECTIVE, late_days=5)
    with pytest.raises(GivenUpError), law.writing(NOW_US) as unit:
        publish_and_give_up(unit, given_up)
    with law.reading() as unit:
        assert in_force.rules_in_force(unit) is before
    with other.writing(NOW_US) as unit:
        in_force.publish(unit, [later])
    other.close()

    with law.reading() as unit:
        now = judging(in_force.rules_in_force(unit), THERE, EFFECTIVE_US)
    assert now is not None
    assert now.digest == later.digest


def test_fades_are_settled_under_the_law_of_their_time(law: Store) -> None:
    """A tick that comes after the instant puts the change in force before it writes what is due."""
    draft = put_on(law)
    post(law, NOW_US, late("a", NOW_US))

    with law.writing(EFFECTIVE_US + MINUTE_US) as unit:
        done = activate_due(unit)
        posting.write_due(unit, in_force.rules_in_force(unit), unit.recorded_us)

    assert [each.draft_id for each in done] == [draft.draft_id]


def test_each_step_is_in_the_audit_trail_with_its_person(law: Store) -> None:
    """From the first edit to the instant."""
    draft = put_on(law)
    with law.writing(EFFECTIVE_US) as unit:
        activate_due(unit)
        rows = unit.connection.execute(
            select(audit).where(audit.c.subject == draft.draft_id).order_by(audit.c.audit_id)
        )

        assert [(row.actor, row.action) for row in rows] == [
            ("ops:ann", "draft_begun"),
            ("ops:ann", "draft_cells"),
            ("ops:ann", "draft_submitted"),
            ("approver:cai", "draft_approved"),
            ("ops:ann", "draft_scheduled"),
            ("service:schedule", "draft_in_force"),
        ]


def test_whoever_schedules_has_to_be_of_all_its_cities(law: Store) -> None:
    """A change of two cities is not scheduled by somebody of one."""
    with law.writing(NOW_US) as unit:
        draft = approved(unit, by=CAI)
        with refused("draft_unknown"):
            scheduling.schedule(unit, Someone("dee", cities=("ningbo",)), draft.draft_id, draft.etag)


def test_a_new_version_reaches_riders_who_do_not_ride(law: Store) -> None:
    """From its instant on a tick takes them to it, once; their card then shows the book that judges their next order."""
    draft = put_on(law)
    post(law, EFFECTIVE_US - DAY_US, late("a", EFFECTIVE_US - DAY_US))

    settled = []
    for at_us in (EFFECTIVE_US - 1, EFFECTIVE_US, EFFECTIVE_US + HOUR_US):
        with law.writing(at_us) as unit:
            activate_due(unit)
            settled.append(posting.write_due(unit, in_force.rules_in_force(unit), at_us))
    with law.reading() as unit:
        card = card_of(unit, in_force.rules_in_force(unit), "ra", EFFECTIVE_US + HOUR_US)

    assert settled == [0, 1, 0]
    assert card is not None
    assert card.book.digest == draft.book_digest
