"""A database damaged by hand, in each way that the database alone can show: `verify` names the check and the row."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from sqlalchemy import delete, func, insert, select, text, update

from api.cli.main import main
from api.db import tables
from api.db.audit_notes import add_audit_note
from api.db.seals import SEALED, verify_seals
from api.db.store import Store
from api.db.triggers import expected_triggers
from api.db.unit_of_work import WriteUnit
from api.ledger.verify import verify_store
from rules.text import LANGS
from rules.text import text as words
from scoring import carried_bytes
from tests.api.ledger.posts import BOOK, FADING, START_US, later, post, publish, rider_week, settle
from tests.builders import DAY_US

# Seconds of work.
pytestmark = pytest.mark.slow

Damage = Callable[[WriteUnit], object]
entries, events, rider_state = tables.entries, tables.events, tables.rider_state
OF_R1 = rider_state.c.rider_id == "r1"


@pytest.fixture
def full(store: Store) -> Store:
    """Three riders with fades that wait, an appeal that was decided, and an audit trail."""
    publish(store, FADING, BOOK)
    for k in range(3):
        post(store, later(rider_week(f"r{k}", days=2)), FADING, START_US + 3 * DAY_US)
    settle(store, START_US + 4 * DAY_US, FADING)
    with store.writing(START_US + 4 * DAY_US) as unit:
        for k in range(3):
            add_audit_note(unit, "ops:li.na", "looked", f"r{k}", city="hangzhou")
    return store


def unguarded(unit: WriteUnit, *names: str) -> None:
    """Take the triggers of tables away, as the owner of the database can."""
    for name in names:
        if unit.connection.dialect.name == "postgresql":
            unit.connection.execute(text(f"ALTER TABLE {name} DISABLE TRIGGER ALL"))
        else:
            found = unit.connection.scalars(
                text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :name"), {"name": name}
            ).all()
            for trigger in found:
                unit.connection.execute(text(f"DROP TRIGGER {trigger}"))


def damaged(store: Store, names: Sequence[str], damage: Damage) -> dict[str, list[tuple[str, str]]]:
    """Do it past the triggers; what each failing check then names: (rider, what)."""
    with store.changing(START_US + 5 * DAY_US) as unit:
        unguarded(unit, *names)
        damage(unit)
    with store.reading() as unit:
        found = verify_store(unit).found
    return {one.check: [(bad.rider, bad.what) for bad in one.violations] for one in found if not one.holds}


def part_of(unit: WriteUnit, rider: str) -> Any:
    """A rider's part, taken apart."""
    stored = unit.connection.scalar(select(rider_state.c.carried).where(rider_state.c.rider_id == rider))
    return carried_bytes._put_together([carried_bytes.decompressed(bytes(stored or b""))])


def put_back(unit: WriteUnit, rider: str, rows: Any) -> None:
    """A part put together again."""
    part = carried_bytes.compressed(carried_bytes._cut(rows)[0])
    unit.connection.execute(update(rider_state).where(rider_state.c.rider_id == rider).values(carried=part))


def test_a_sound_database_raises_no_alarm(full: Store) -> None:
    """Every check holds, and every trigger of the list is one that the migrations made."""
    with full.reading() as unit:
        assert [one for one in verify_store(unit).found if not one.holds] == []


def test_each_missing_trigger_is_named(full: Store) -> None:
    """Dropped or, on PostgreSQL, switched off or made to do nothing; none of the list is forgotten."""
    with full.changing(START_US) as unit:
        dialect = unit.connection.dialect.name
        wanted = list(expected_triggers(dialect))
        for guard in wanted:
            on = f" ON {guard.table}" if dialect == "postgresql" else ""
            unit.connection.execute(text(f"DROP TRIGGER {guard.name}{on}"))
    with full.reading() as unit:
        found = next(one for one in verify_store(unit).found if one.check == "triggers")

    assert found.num_violations == len(wanted)
    assert found.violations[0].what == f"{wanted[0].table}.{wanted[0].name}"


def test_a_trigger_that_does_nothing_is_named(full: Store) -> None:
    """One of the right name that refuses nothing, or nothing but some rows, is none."""

    def hollow(unit: WriteUnit) -> None:
        if unit.connection.dialect.name == "postgresql":
            unit.connection.execute(text("DROP TRIGGER audit_append_only ON audit"))
            unit.connection.execute(
                text("CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$")
            )
            unit.connection.execute(
                text("CREATE TRIGGER audit_append_only BEFORE UPDATE ON audit FOR EACH ROW EXECUTE FUNCTION nothing()")
            )
        else:
            unit.connection.execute(text("DROP TRIGGER audit_no_update"))
            unit.connection.execute(
                text("CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit WHEN 0 BEGIN SELECT RAISE(ABORT, 'x'); END")
            )

    found = damaged(full, (), hollow)

    assert [what.partition(".")[0] for _, what in found["triggers"]] == ["audit"]


def test_a_rider_without_state_is_named(full: Store) -> None:
    """The row is gone, or holds nothing."""
    gone = damaged(full, (), lambda unit: unit.connection.execute(delete(rider_state).where(OF_R1)))
    assert gone["riders_have_state"] == [("r1", "entries")]
    assert {rider for name in ("sequence", "identity") for rider, _ in gone[name]} == {"r1"}


def test_a_state_without_rider_is_named(full: Store) -> None:
    """A row under the name of somebody who has no event."""

    def add(unit: WriteUnit) -> None:
        row = dict(unit.connection.execute(select(rider_state).where(OF_R1)).mappings().one())
        unit.connection.execute(insert(rider_state), row | {"rider_id": "r9"})

    assert damaged(full, (), add)["states_have_events"] == [("r9", "rider_state")]


def test_an_event_that_no_entry_speaks_of_is_named(full: Store) -> None:
    """Slipped in beside the service, or left when its entries were taken away and the chain made anew."""

    def add(unit: WriteUnit) -> None:
        of = events.c.event_id == "r1-1c"
        row = dict(unit.connection.execute(select(events).where(events.c.rider_id == "r1", of)).mappings().one())
        moved = {name: row[name] + DAY_US for name in row if name.endswith("_us") and row[name] is not None}
        unit.connection.execute(insert(events), row | moved | {"event_id": "slipped", "order_id": "slipped"})

    found = damaged(full, (), add)

    assert {rider for rider, _ in found["events_spoken_of"]} == {"r1"}
    assert all(what.startswith("slipped ") for _, what in found["events_spoken_of"])


def test_events_that_nothing_is_to_be_said_of_raise_no_alarm(full: Store) -> None:
    """A fact that no rule of the book is about has no entry, and needs none."""
    from tests.builders import event

    post(full, later([event("praise", "p1", at_min=9_000, rider_id="r1")]), FADING, START_US + 9 * DAY_US)
    with full.reading() as unit:
        assert [one.check for one in verify_store(unit).found if not one.holds] == []


@pytest.mark.parametrize(
    "field", ["score_mp", "base_mp", "num_delivered", "num_late", "num_exempt", "last_training_us"]
)
def test_a_changed_figure_of_the_state_is_named(full: Store, field: str) -> None:
    """Each figure that the next post goes on from."""

    def change(unit: WriteUnit) -> None:
        rows = part_of(unit, "r1")
        rows.riders[field] += 1
        put_back(unit, "r1", rows)

    found = damaged(full, (), change)

    assert {rider for rider, _ in found["state_follows"]} == {"r1"}
    assert field in {what for _, what in found["state_follows"]}


@pytest.mark.parametrize("change", ["later", "more", "gone", "another", "unreadable", "empty", "sums"])
def test_a_changed_list_of_the_state_is_named(full: Store, change: str) -> None:
    """Fades that wait, sums of the day, a part of somebody else, bytes that are no part."""

    def do(unit: WriteUnit) -> None:
        if change in ("another", "unreadable", "empty"):
            other = unit.connection.scalar(select(rider_state.c.carried).where(rider_state.c.rider_id == "r2"))
            part = {"another": bytes(other or b""), "unreadable": bytes(other or b"")[:-40], "empty": b""}[change]
            unit.connection.execute(update(rider_state).where(OF_R1).values(carried=part))
            return
        rows = part_of(unit, "r1")
        if change == "sums":
            rows.month_count += 1
            rows.day_sum_mp += 7
        elif change == "gone":
            rows.fades, rows.num_fades = rows.fades[:0], np.zeros(1, np.int64)
        else:
            rows.fades["due_us" if change == "later" else "mp"] += 1_000
        put_back(unit, "r1", rows)

    found = damaged(full, (), do)

    assert {rider for rider, _ in found["state_follows"]} == {"r1"}


@pytest.mark.parametrize("column", ["due_us", "book_digest", "rider_kind"])
def test_a_changed_column_of_the_row_is_named(full: Store, column: str) -> None:
    """When the next fade is due, which book judges, what kind of rider it is."""
    with full.reading() as unit:
        other = unit.connection.scalar(select(tables.books.c.digest).where(tables.books.c.book_id == BOOK))
    value = {"due_us": START_US + 9_000 * DAY_US, "book_digest": other, "rider_kind": 1}[column]

    found = damaged(
        full, (), lambda unit: unit.connection.execute(update(rider_state).where(OF_R1).values({column: value}))
    )

    assert ("r1", column) in found["state_follows"]


@pytest.mark.parametrize("column", ["event_id", "cause_event_id"])
def test_a_line_that_names_anothers_event_is_named(full: Store, column: str) -> None:
    """Of the event itself, and of the event that made a reversal necessary."""
    of = (entries.c.rider_id == "r1") & (entries.c.seq == 3)

    found = damaged(
        full, ("entries",), lambda unit: unit.connection.execute(update(entries).where(of).values({column: "r2-0a"}))
    )

    assert ("r1", column) in found["own_events"]


# A row of each table of decisions, and what somebody would rather have it say.
DECISIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "appeal_decisions": (
        {"appeal_id": "a1", "decision": "dismissed", "decided_by": "ops:li.na", "reason_code": "seen", "decided_us": 7},
        {"decision": "upheld"},
    ),
    "review_decisions": (
        {"review_id": "v1", "outcome": "warning", "decided_by": "ops:li.na", "is_safety": 0, "from_us": None, "decided_us": 7},
        {"decided_by": "ops:another"},
    ),
    "suspension_lifts": (
        {"review_id": "v1", "lifted_by": "ops:li.na", "event_id": None, "lifted_us": 7},
        {"lifted_us": 8},
    ),
}  # fmt: skip


@pytest.mark.parametrize("is_gone", [False, True])
@pytest.mark.parametrize("name", sorted(DECISIONS))
def test_a_changed_decision_is_named(full: Store, name: str, is_gone: bool) -> None:
    """What a person decided reads otherwise, or is gone."""
    table, (row, change) = tables.metadata.tables[name], DECISIONS[name]
    said = {column: "digest or words" for column in ("reason", "reason_digest") if column in table.c}
    with full.writing(START_US + 5 * DAY_US) as unit:
        unit.connection.execute(insert(table), row | said)
    key = next(iter(row.values()))

    found = damaged(
        full, (name,), lambda unit: unit.connection.execute(delete(table) if is_gone else update(table).values(change))
    )

    assert found["sealed"] == [("", f"{name} {key}")]


CHANGES: dict[str, Callable[[], Any]] = {
    "audit": lambda: update(tables.audit).where(tables.audit.c.subject == "r1").values(actor="ops:somebody"),
    "gone": lambda: delete(tables.audit).where(tables.audit.c.subject == "r1"),
}


@pytest.mark.parametrize("change", sorted(CHANGES))
def test_a_changed_audit_trail_is_named(full: Store, change: str) -> None:
    """A line that says otherwise, or none where there was one."""
    found = damaged(full, ("audit",), lambda unit: unit.connection.execute(CHANGES[change]()))

    assert [what.split()[0] for _, what in found["sealed"]] == ["audit"]


def test_a_line_slipped_into_the_trail_is_named(full: Store) -> None:
    """It was written by nobody who seals."""

    def add(unit: WriteUnit) -> None:
        row = {"recorded_us": 1, "actor": "a:b", "action": "x", "subject": "r1", "detail": "{}", "city": None}
        unit.connection.execute(insert(tables.audit), row)

    found = damaged(full, ("audit",), add)

    assert [what.split()[0] for _, what in found["sealed"]] == ["audit"]


def test_an_end_that_was_cut_off_is_named(full: Store) -> None:
    """The last lines of the trail and their seals, both."""

    def cut(unit: WriteUnit) -> None:
        last = unit.connection.execute(select(tables.seals).order_by(tables.seals.c.number.desc()).limit(1)).one()
        unit.connection.execute(delete(tables.seals).where(tables.seals.c.number == last.number))
        unit.connection.execute(delete(tables.audit).where(tables.audit.c.audit_id == int(last.row_key)))

    assert "seals" in {what.split()[0] for _, what in damaged(full, ("audit", "seals"), cut)["sealed"]}


@pytest.mark.slow
def test_more_lines_than_a_statement_takes_values_are_sealed(store: Store) -> None:
    """One transaction may write as many as it likes: PostgreSQL takes 65 535 values in a statement."""
    line = {"recorded_us": 1, "actor": "a:b", "action": "x", "subject": "r1", "detail": "{}", "city": None}
    with store.writing(START_US) as unit:
        unit.connection.execute(insert(tables.audit), [line] * 66_000)

    with store.reading() as unit:
        assert unit.connection.scalar(select(func.count()).select_from(tables.seals)) == 66_000
        assert list(verify_seals(unit)) == []


def test_a_trail_sealed_anew_is_named(full: Store) -> None:
    """Who changes a line and its digest still breaks the chain after it."""
    from api.db.seals import digest_of

    def change(unit: WriteUnit) -> None:
        row = unit.connection.execute(select(tables.audit).where(tables.audit.c.subject == "r0")).one()
        columns = [tables.audit.c[name] for name in SEALED["audit"]]
        unit.connection.execute(update(tables.audit).where(tables.audit.c.audit_id == row.audit_id).values(actor="x:y"))
        changed = unit.connection.execute(select(*columns).where(tables.audit.c.audit_id == row.audit_id)).one()
        of = (tables.seals.c.sealed_table == "audit") & (tables.seals.c.row_key == str(row.audit_id))
        unit.connection.execute(update(tables.seals).where(of).values(digest=digest_of("audit", tuple(changed))))

    assert damaged(full, ("audit", "seals"), change)["sealed"]


@pytest.mark.parametrize("lang", LANGS)
def test_the_command_names_check_and_row(full: Store, url: str, lang: str) -> None:
    """Exit 3, in both languages, and as JSON."""
    damaged(full, (), lambda unit: unit.connection.execute(delete(rider_state).where(OF_R1)))

    shown = CliRunner().invoke(main, ["verify", "--database", url, "--lang", lang])
    document = json.loads(CliRunner().invoke(main, ["verify", "--database", url, "--json"]).stdout)

    assert shown.exit_code == 3
    assert words(lang, "check.riders_have_state") in shown.stdout  # type: ignore[arg-type]
    assert "r1" in shown.stdout
    assert "riders_have_state" in {check["check"] for check in document["checks"] if not check["holds"]}


LOOSE: dict[str, tuple[str, Callable[[], Any]]] = {
    "another rider's line": ("files_of_riders", lambda: update(tables.appeals).values(rider_id="r2")),
    "another event": ("files_of_riders", lambda: update(tables.appeals).values(event_id="another")),
    "waits no longer": ("files_wait", lambda: delete(tables.open_appeals)),
    "waits as another's": ("files_wait", lambda: update(tables.open_appeals).values(rider_id="r2")),
    "waits for nobody": ("files_wait", lambda: update(tables.open_appeals).values(appeal_id="none")),
    "decided and waits": ("files_wait", lambda: insert(tables.appeal_decisions).values(DECIDED)),
    "another city": ("cities_follow", lambda: update(rider_state).where(OF_R1).values(city="shanghai")),
    "a move to another city": ("cities_follow", lambda: insert(tables.rider_moves).values(MOVED)),
}
DECIDED = DECISIONS["appeal_decisions"][0] | {"reason_digest": "digest"}
MOVED = {
    "rider_id": "r1", "move_no": 1, "from_city": "hangzhou", "to_city": "shanghai", "proposed_by": "platform:a",
    "accepted_by": "platform:b", "moved_us": 7,
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(LOOSE))
def test_loose_ends_are_named(full: Store, name: str) -> None:
    """An appeal that names another's line or is not waiting as it should, a rider who is of a city they never came to."""
    with full.writing(START_US + 5 * DAY_US) as unit:
        line = unit.connection.execute(
            select(entries.c.entry_id, entries.c.event_id).where(entries.c.rider_id == "r1").limit(1)
        ).one()
        asked = {"appeal_id": "a1", "rider_id": "r1", "city": "hangzhou", "deadline_us": 9}
        more = {"entry_id": line.entry_id, "event_id": line.event_id, "book_digest": "x", "reason_code": "other"}
        unit.connection.execute(insert(tables.appeals).values(**asked, **more, filed_us=7))
        unit.connection.execute(insert(tables.open_appeals).values(**asked))
    with full.reading() as unit:
        assert verify_store(unit).holds
    check, change = LOOSE[name]

    found = damaged(full, ("appeals", "open_appeals", "rider_moves"), lambda unit: unit.connection.execute(change()))

    assert check in found
