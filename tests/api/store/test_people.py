"""Personal fields: apart from the ledger, exported and erased on request."""

import json

from api.store.erasure import erase
from api.store.people import Person, introduce, person_of
from api.store.queries import export_of
from api.store.units import Store
from tests.api.store.posts import BOOK, START_US, later, lines_of, post, publish
from tests.builders import delivered

PERSON = Person("r1", "张三", "13800000000")


def test_personal_fields_are_erased_and_the_ledger_stays(store: Store) -> None:
    """After an erasure neither name nor phone is held anywhere; scores and entries are as before."""
    publish(store, BOOK)
    post(store, later([delivered("e1", late_min=3)]))
    with store.writing(START_US) as unit:
        introduce(unit, PERSON, "ops:1")
    before = lines_of(store)

    with store.writing(START_US + 1) as unit:
        held = erase(unit, "r1", "ops:2")

    with store.reading() as unit:
        export = export_of(unit, "r1")
        assert person_of(unit, "r1") is None
    assert held.person
    assert lines_of(store) == before
    assert "张三" not in str(export)
    assert PERSON.phone not in str(export)
    assert [(line["actor"], line["action"]) for line in export["audit"]] == [
        ("ops:1", "person_introduced"),
        ("ops:2", "person_erased"),
    ]


def test_a_rider_can_export_all_that_is_held(store: Store) -> None:
    """Person, standing, events and entries as plain JSON; nothing of anybody else."""
    publish(store, BOOK)
    post(store, later([delivered("e1"), delivered("e2", rider_id="r2")]))
    with store.writing(START_US) as unit:
        introduce(unit, PERSON, "ops:1")

    with store.reading() as unit:
        export = json.loads(json.dumps(export_of(unit, "r1")))

    assert export["person"] == {"name": "张三", "phone": "13800000000"}
    assert export["standing"]["score_mp"] == 70_200
    assert [row["event_id"] for row in export["events"]] == ["e1"]
    assert [row["rider_id"] for row in export["entries"]] == ["r1"]


def test_introducing_again_replaces(store: Store) -> None:
    """The newest fields stand."""
    with store.writing(START_US) as unit:
        introduce(unit, PERSON, "ops:1")
        introduce(unit, Person("r1", "张三", None), "ops:1")

    with store.reading() as unit:
        assert person_of(unit, "r1") == Person("r1", "张三", None)


def test_erasing_who_is_unknown_says_so(store: Store) -> None:
    """The request is noted all the same."""
    with store.writing(START_US) as unit:
        assert not erase(unit, "nobody", "ops:1").found_any
