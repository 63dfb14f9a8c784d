"""The stored ledger vouches for itself; whatever is changed from outside is named by rider and entry."""

import json

import pytest
from click.testing import CliRunner
from sqlalchemy import text, update

from api.cli.main import main
from api.db.store import Store
from api.db.tables import entries, rider_state
from api.ledger.verify import verify_store
from tests.api.ledger.posts import BOOK, FADING, START_US, later, lines_of, post, publish, rider_week, settle
from tests.builders import DAY_US

OF_R1 = entries.c.rider_id == "r1"


@pytest.fixture
def full(store: Store) -> Store:
    """Four riders with reversals, fades and corrections in their ledgers."""
    publish(store, FADING, BOOK)
    for k in range(4):
        post(store, later(rider_week(f"r{k}", days=2)), FADING, START_US + 3 * DAY_US)
    settle(store, START_US + 90 * DAY_US, FADING)
    return store


def unsealed(store: Store, *changes: object) -> None:
    """Do what the triggers refuse, as somebody with the rights of the owner could."""
    with store.writing(START_US) as unit:
        if unit.connection.dialect.name == "postgresql":
            unit.connection.execute(text("ALTER TABLE entries DISABLE TRIGGER ALL"))
        else:
            for name in ("update", "delete", "replace"):
                unit.connection.execute(text(f"DROP TRIGGER entries_no_{name}"))
        for change in changes:
            unit.connection.execute(change)  # type: ignore[call-overload]


@pytest.mark.parametrize("block_riders", [1, 3, 1000])
def test_a_sound_database_passes_every_check(full: Store, block_riders: int) -> None:
    """In blocks of any size."""
    with full.reading() as unit:
        verified = verify_store(unit, block_riders)

    assert verified.holds
    assert verified.num_riders == 4
    assert verified.num_entries == len(lines_of(full))
    assert {"chain", "running_score", "reversals", "identity", "review_flag"} <= {one.check for one in verified.found}


def test_an_empty_database_passes(store: Store) -> None:
    """There is nothing in it that could be wrong."""
    with store.reading() as unit:
        assert verify_store(unit).holds


def test_a_changed_entry_is_named(full: Store) -> None:
    """By the chain, and by the rule that it no longer follows."""
    unsealed(full, update(entries).where(OF_R1, entries.c.seq == 3).values(delta_mp=entries.c.delta_mp + 500))

    with full.reading() as unit:
        verified = verify_store(unit, 2)

    wrong = {one.check: {(bad.rider, bad.seq) for bad in one.violations} for one in verified.found if not one.holds}
    assert ("r1", 3) in wrong["chain"]
    assert ("r1", 3) in wrong["running_score"]
    assert {rider for check, places in wrong.items() for rider, _ in places if check != "triggers"} == {"r1"}


def test_a_chain_made_anew_does_not_hide_a_false_ledger(full: Store) -> None:
    """Whoever rewrites the chain as well still breaks what every ledger must keep."""
    from api.ledger.chain import next_link

    lines = [line for line in lines_of(full) if line["rider_id"] == "r1"]
    lines[-1]["rule_id"] = "no_such_rule"
    head = next_link(lines[-2]["chain"], lines[-1])
    unsealed(
        full,
        update(entries).where(OF_R1, entries.c.seq == len(lines)).values(rule_id="no_such_rule", chain=head),
        update(rider_state).where(rider_state.c.rider_id == "r1").values(chain=head),
    )

    with full.reading() as unit:
        found = {one.check: one for one in verify_store(unit).found}

    assert found["chain"].holds
    assert not found["rules_known"].holds
    assert not found["identity"].holds


def test_the_command_says_what_it_found(full: Store, url: str) -> None:
    """Exit 0 while all holds, 3 afterwards, the same as JSON; 2 for both places or none."""
    run = CliRunner().invoke
    assert run(main, ["verify", "--database", url, "--lang", "en"]).exit_code == 0
    unsealed(full, update(entries).where(OF_R1, entries.c.seq == 2).values(money_fen=99))

    done = run(main, ["verify", "--database", url, "--json"])

    document = json.loads(done.stdout)
    assert done.exit_code == 3
    assert not document["holds"]
    assert document["entries"] == len(lines_of(full))
    assert [
        bad["rider"] for check in document["checks"] if check["check"] == "chain" for bad in check["violations"]
    ] == ["r1"]
    assert run(main, ["verify", "--database", url, "somewhere"]).exit_code == 2
    assert run(main, ["verify"]).exit_code == 2


def test_a_database_of_nobody_is_refused(empty: Store, url: str) -> None:
    """Without tables there is nothing to verify: wrong usage, not a broken ledger."""
    assert CliRunner().invoke(main, ["verify", "--database", url, "--lang", "en"]).exit_code == 2
