"""Nobody decides what they, or a key of their making, filed: by whatever key, however far down."""

import pytest
from sqlalchemy import select

from api.access import keys
from api.access.keys import Key, Role
from api.books.in_force import rules_in_force
from api.db import schema
from api.db.store import Store
from api.db.tables import appeals as filed_appeals
from api.decisions.appeals import decide_appeal, file_appeal
from api.refusals import Refused
from tests.api.ledger.posts import BOOK, START_US, later, lines_of, post, publish
from tests.builders import delivered
from tests.fixtures.v0_1_0.kept import END_US, Kept


@pytest.fixture
def entry(store: Store) -> str:
    """A deduction of r1."""
    publish(store, BOOK)
    post(store, later([delivered("e1", late_min=9)]))
    return str(next(line["entry_id"] for line in lines_of(store) if line["kind"] == "deduct"))


def key(store: Store, role: Role, subject: str, maker: str = "cli:token", parent: Key | None = None) -> Key:
    """A key made by somebody with another."""
    with store.writing(START_US) as unit:
        return keys.create_key(
            unit, role, subject, actor=maker, parent=None if parent is None else parent.key_id
        )[0]  # fmt: skip


def file(store: Store, entry: str, used: Key | None) -> str:
    """r1's appeal, with a key; its id."""
    key_id = None if used is None else used.key_id
    with store.writing(START_US + 1) as unit:
        return file_appeal(unit, "r1", entry, "other", "why", None, "rider:r1", key_id=key_id)[0].appeal_id


def decide(
    store: Store, appeal_id: str, by: str, at_us: int = START_US + 2, *, upheld: bool = True, book_id: str | None = BOOK
) -> str:
    """What comes of a decision: `upheld`, or why not."""
    code = "goodwill" if upheld else "record_confirmed"
    try:
        with store.writing(at_us) as unit:
            return decide_appeal(unit, rules_in_force(unit, book_id), appeal_id, upheld, code, "so it was", by).state
    except Refused as refused:
        return refused.code


@pytest.mark.parametrize("upheld", [True, False])
def test_whoever_made_the_key_does_not_decide(store: Store, entry: str, upheld: bool) -> None:
    """Neither the maker, nor the maker's maker, nor the rider under another role; upheld or dismissed."""
    platform = key(store, "platform", "delivery", maker="ops:li.na")
    appeal_id = file(store, entry, key(store, "rider", "r1", maker="platform:delivery", parent=platform))

    for person in ("ops:li.na", "approver:li.na", "ops:delivery", "ops:r1"):
        assert decide(store, appeal_id, person, upheld=upheld) == "decides_own"
    assert decide(store, appeal_id, "ops:wang.wei", upheld=upheld) in ("upheld", "dismissed")


def test_a_maker_without_a_key_stands_behind_it_too(store: Store, entry: str) -> None:
    """Who came with a JWT of another issuer is known by name."""
    appeal_id = file(store, entry, key(store, "rider", "r1", maker="platform:li.na"))

    assert decide(store, appeal_id, "ops:li.na") == "decides_own"


def test_the_makers_key_is_not_known_where_it_is_older(store: Store, entry: str) -> None:
    """Keys of 0.1.0 know a name alone: whoever made a key that this person had stands behind it."""
    key(store, "platform", "delivery", maker="ops:li.na")
    appeal_id = file(store, entry, key(store, "rider", "r1", maker="platform:delivery"))

    assert decide(store, appeal_id, "ops:li.na") == "decides_own"


def test_another_key_of_the_rider_binds_nobody(store: Store, entry: str) -> None:
    """What counts is the key that the appeal came with."""
    key(store, "rider", "r1", maker="ops:li.na")
    appeal_id = file(store, entry, key(store, "rider", "r1"))

    assert decide(store, appeal_id, "ops:li.na") == "upheld"


def test_a_program_is_nobody(store: Store, entry: str) -> None:
    """Keys made on the server bind no person who happens to bear its name."""
    appeal_id = file(store, entry, key(store, "rider", "r1"))

    assert decide(store, appeal_id, "ops:token") == "upheld"


def test_appeals_from_before_the_upgrade_are_bound_too(v0_1_0: Kept) -> None:
    """Operations of 0.1.0 that made a rider's key do not decide what was filed with it."""
    store = Store(v0_1_0.url)
    schema.upgrade(store)
    appeal_id = v0_1_0.known["appeals"]["open_by_ops_key"]
    with store.reading() as unit:
        row = unit.connection.execute(select(filed_appeals).where(filed_appeals.c.appeal_id == appeal_id)).one()
    assert row.filed_by is None

    assert decide(store, appeal_id, "ops:ops-shanghai", END_US, book_id=None) == "decides_own"
    assert decide(store, appeal_id, "ops:ops-everywhere", END_US, book_id=None) == "upheld"
    store.close()
