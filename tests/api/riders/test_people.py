"""Personal fields: apart from the ledger, exported and erased on request."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from api.access import keys
from api.db.audit_notes import add_audit_note
from api.db.store import Store
from api.decisions.appeals import file_appeal
from api.riders import exports
from api.riders.exports import export_of
from api.riders.people import Person, erase, person_of, save_person
from tests.api.ledger.posts import BOOK, START_US, later, lines_of, post, publish
from tests.builders import delivered

PERSON = Person("r1", "张三", "13800000000")


def exported(store: Store, rider_id: str = "r1") -> dict[str, Any]:
    """All that is held on a rider, as plain JSON."""
    members = export_of(store.reading, rider_id)
    read = {name: list(value) if isinstance(value, Iterator) else value for name, value in members}
    found: dict[str, Any] = json.loads(json.dumps(read))
    return found


def test_personal_fields_are_erased_and_the_ledger_stays(store: Store) -> None:
    """After an erasure neither name nor phone is held anywhere; scores and entries are as before."""
    publish(store, BOOK)
    post(store, later([delivered("e1", late_min=3)]))
    with store.writing(START_US) as unit:
        save_person(unit, PERSON, "ops:1")
    before = lines_of(store)

    with store.writing(START_US + 1) as unit:
        held = erase(unit, "r1", "ops:2")

    export = exported(store)
    with store.reading() as unit:
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
        save_person(unit, PERSON, "ops:1")

    export = exported(store)

    assert export["person"] == {"name": "张三", "phone": "13800000000"}
    assert export["standing"]["score_mp"] == 70_200
    assert [row["event_id"] for row in export["events"]] == ["e1"]
    assert [row["rider_id"] for row in export["entries"]] == ["r1"]


@pytest.mark.parametrize("part", [1, 2, 3, 7])
def test_an_export_is_the_same_in_parts_of_any_size(store: Store, monkeypatch: pytest.MonkeyPatch, part: int) -> None:
    """Each row once and in order, events of one instant too; appeals, reviews, keys, requests and audit lines as well."""
    publish(store, BOOK)
    rows = later([delivered(f"e{k}", at_min=k // 3, late_min=9) for k in range(9)])
    post(store, rows)
    with store.writing(START_US) as unit:
        save_person(unit, PERSON, "ops:1")
        for k in range(5):
            keys.create_key(unit, "rider", "r1", actor="test:test")
            add_audit_note(unit, "rider:r1", "asked", f"x{k}")
    for k, line in enumerate(lines_of(store)[:4]):
        with store.writing(START_US + k // 2) as unit:
            file_appeal(unit, "r1", line["entry_id"], "not_late", f"because {k}", None, "rider:r1")
    whole = exported(store)

    monkeypatch.setattr(exports, "PART", part)

    assert exported(store) == whole
    assert {name: len(value) for name, value in whole.items() if isinstance(value, list)} == {
        "moves": 0, "events": 9, "entries": 10, "appeals": 4, "reviews": 1, "messages": 0, "keys": 5, "requests": 0,
        "audit": 15,
    }  # fmt: skip
    assert [row["event_id"] for row in whole["events"]] == sorted(row["event_id"] for row in whole["events"])


@pytest.mark.parametrize("name", sorted(exports._lists("r1", 9)))
def test_an_export_reads_what_is_the_riders_alone(store: Store, name: str) -> None:
    """Each list is found by an index on the rider: what it costs does not grow with what others have."""
    query, order = exports._lists("r1", 9)[name]
    with store.reading() as unit:
        dialect = unit.connection.dialect
        written = str(query.order_by(*order).limit(9).compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
        if dialect.name == "postgresql":
            # Tables as small as these would be read whole.
            unit.connection.execute(text("SET LOCAL enable_seqscan = off"))
        explain = "EXPLAIN" if dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
        plan = [row[-1] for row in unit.connection.exec_driver_sql(f"{explain} {written}")]

    if dialect.name == "postgresql":
        scans = [line for line in plan if " Scan" in line and "Bitmap Heap" not in line]
        assert len([line for line in plan if "Index Cond" in line]) == len(scans) > 0
    else:
        assert [line for line in plan if line.startswith("SCAN")] == []
        assert any("SEARCH" in line for line in plan)


def test_nothing_is_held_while_an_export_waits(store: Store) -> None:
    """Between two rows no connection is out, and what is written meanwhile is not waited for."""
    publish(store, BOOK)
    post(store, later([delivered(f"e{k}", at_min=k) for k in range(3)]))
    members = export_of(store.reading, "r1")
    waiting = next(value for name, value in members if name == "entries")

    first = next(waiting)
    post(store, later([delivered("e9", at_min=9)]))
    rest = list(waiting)

    assert (first["seq"], [row["seq"] for row in rest]) == (1, [2, 3])


def test_introducing_again_replaces(store: Store) -> None:
    """The newest fields stand."""
    with store.writing(START_US) as unit:
        save_person(unit, PERSON, "ops:1")
        save_person(unit, Person("r1", "张三", None), "ops:1")

    with store.reading() as unit:
        assert person_of(unit, "r1") == Person("r1", "张三", None)


def test_erasing_who_is_unknown_says_so(store: Store) -> None:
    """The request is noted all the same."""
    with store.writing(START_US) as unit:
        assert not erase(unit, "nobody", "ops:1").found_any
