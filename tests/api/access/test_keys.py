"""Keys in the store: how long they live, why one is refused, what a revocation takes along, what a list shows."""

from typing import Any

import pytest

from api.access import keys
from api.access.keys import EndedKey, Key, Revocation, Role
from api.db import schema
from api.db.store import Store
from api.refusals import Refused
from rules.units import US_PER_DAY, US_PER_S
from tests.api.ledger.posts import START_US
from tests.fixtures.v0_1_0.kept import Kept


def create(
    store: Store,
    subject: str = "li.na",
    role: Role = "ops",
    at_us: int = START_US,
    maker: str = "cli:token",
    **more: Any,
) -> tuple[Key, str]:
    """A key made at an instant, and its text."""
    with store.writing(at_us) as unit:
        return keys.create_key(unit, role, subject, actor=maker, **more)


def revoke(store: Store, key: Key, at_us: int = START_US + 1, **more: bool) -> Revocation:
    """End a key."""
    with store.writing(at_us) as unit:
        return keys.revoke_key(unit, key.key_id, "cli:token", **more)


def key_now(store: Store, key: Key) -> Key:
    """A key as the store has it."""
    with store.reading() as unit:
        stored = keys.key_by_id(unit, key.key_id)
    assert stored is not None
    return stored


def subjects_of(listed: tuple[Key, ...]) -> list[str]:
    """Whose keys these are, in their order."""
    return [key.subject for key in listed]


@pytest.mark.parametrize("role", keys.ROLES)
def test_a_key_lives_as_long_as_keys_of_its_role(store: Store, role: Role) -> None:
    """A rider's 30 days, a platform's 365, all others 90."""
    key, _ = create(store, role=role)

    assert key.expires_us == START_US + {"rider": 30, "platform": 365}.get(role, 90) * US_PER_DAY
    assert key_now(store, key) == key


@pytest.mark.parametrize(("left_us", "is_made"), [(1, True), (0, False), (-1, False)])
def test_a_key_that_would_never_be_good_is_not_made(store: Store, left_us: int, is_made: bool) -> None:
    """It must end after it begins."""
    if is_made:
        assert create(store, expires_us=START_US + left_us)[0].is_good(START_US)
    else:
        with pytest.raises(Refused, match="key_expires_past"):
            create(store, expires_us=START_US + left_us)


def test_a_text_is_a_key_where_all_of_it_is_right(store: Store) -> None:
    """A digit that is wrong, missing or too much, or another key's secret: none."""
    key, text = create(store, cities=("hangzhou", "上海"))
    _, other = create(store, "chen")
    other_digit = "0" if text[-1] != "0" else "1"
    wrong = [text[:-1] + other_digit, text[:-1], text + "0", text.upper(), other[:20] + text[20:], ""]

    with store.reading() as unit:
        assert keys.key_of(unit, text) == key
        assert [keys.key_of(unit, written) for written in wrong] == [None] * len(wrong)
        assert keys.key_by_id(unit, "0" * 16) is None


@pytest.mark.parametrize(
    ("revoked", "at_us", "reason"),
    [
        (False, START_US + 99, None),
        (False, START_US + 100, "token_expired"),
        (True, START_US + 99, "token_revoked"),
        (True, START_US + 100, "token_revoked"),
    ],
)
def test_whoever_comes_with_a_key_hears_why_it_is_good_no_more(
    store: Store, revoked: bool, at_us: int, reason: str | None
) -> None:
    """A revocation goes before an end; a key that nobody knows is none."""
    key, _ = create(store, expires_us=START_US + 100)
    if revoked:
        revoke(store, key)

    with store.reading() as unit:
        refusals = keys.refusals_of(unit, [key.key_id, "0" * 16], at_us)

    assert {name: refused.code for name, refused in refusals.items()} == {"0" * 16: "token_invalid"} | (
        {} if reason is None else {key.key_id: reason}
    )


@pytest.mark.parametrize("holds", [True, False])
def test_who_came_with_a_key_that_has_ended_is_stopped(store: Store, holds: bool) -> None:
    """Who came with a good one, or with none, goes on."""
    key, _ = create(store, expires_us=START_US + 100)
    with store.writing(START_US + 99) as unit:
        keys.need_valid_key(unit, key.key_id, holds=holds)
        keys.need_valid_key(unit, None, holds=holds)

    with pytest.raises(Refused, match="token_expired"), store.writing(START_US + 100) as unit:
        keys.need_valid_key(unit, key.key_id, holds=holds)


def test_a_list_goes_on_where_its_page_ended(store: Store) -> None:
    """Oldest first; keys of one instant by their ids; no key twice, none left out; the last page has no next."""
    made = sorted(
        (create(store, f"p{k}", at_us=START_US + k // 3)[0] for k in range(7)),
        key=lambda key: (key.created_us, key.key_id),
    )

    pages = []
    cursor = None
    with store.reading() as unit:
        for _ in range(4):
            page = keys.list_keys(unit, cursor=cursor, limit=2)
            pages.append(subjects_of(page.items))
            cursor = page.cursor
        whole = keys.list_keys(unit, limit=7)
        in_order = subjects_of(keys.all_keys(unit))

    assert in_order == [key.subject for key in made]
    assert pages == [in_order[:2], in_order[2:4], in_order[4:6], in_order[6:]]
    assert cursor is None
    assert (subjects_of(whole.items), whole.cursor) == (in_order, None)


def test_a_list_shows_keys_of_these_cities_alone(store: Store) -> None:
    """A key that is good elsewhere, too, or everywhere, is not shown to whoever asks for some cities."""
    for at, cities in enumerate([("hangzhou",), ("hangzhou", "shanghai"), (), ("wuhan",), ("hangzhou", "wuhan")]):
        create(store, "+".join(cities), at_us=START_US + at, cities=cities)

    with store.reading() as unit:
        shown = keys.list_keys(unit, ("hangzhou", "shanghai"))
        everywhere = keys.list_keys(unit)

    assert subjects_of(shown.items) == ["hangzhou", "hangzhou+shanghai"]
    assert len(everywhere.items) == 5


def test_a_list_of_one_maker_shows_what_they_made(store: Store) -> None:
    """And nobody else's."""
    create(store, "a", maker="ops:li.na")
    create(store, "b", maker="ops:chen")

    with store.reading() as unit:
        assert subjects_of(keys.list_keys(unit, made_by="ops:chen").items) == ["b"]


def test_a_revocation_says_what_it_ended_and_what_is_left(store: Store) -> None:
    """Alone it leaves the good ones of all that were made with the key, however far down; with them it ends those."""
    top, _ = create(store, "top")
    middle, _ = create(store, "middle", at_us=START_US + 1, parent=top.key_id)
    low, _ = create(store, "low", at_us=START_US + 2, parent=middle.key_id)
    ended, _ = create(store, "ended", at_us=START_US + 3, parent=top.key_id, expires_us=START_US + 4)
    create(store, "other")

    alone = revoke(store, top, START_US + 10)
    with_children = revoke(store, top, START_US + 11, with_children=True)

    assert alone == Revocation((top.key_id,), 2)
    assert (with_children.num_left, set(with_children.keys)) == (0, {middle.key_id, low.key_id, ended.key_id})
    assert [key_now(store, key).revoked_us for key in (top, middle, low)] == [START_US + 10] + [START_US + 11] * 2


def test_a_key_that_made_itself_is_ended_once(store: Store) -> None:
    """A circle of makers is walked once: a program whose key is older made it in its own name."""
    first, _ = create(store, "li.na", maker="ops:li.na")
    second, _ = create(store, "li.na", maker="ops:li.na", at_us=START_US + 1)

    assert revoke(store, first, START_US + 9, with_children=True) == Revocation((first.key_id, second.key_id), 0)


def test_who_is_of_the_same_name_made_no_key_whose_maker_is_known(store: Store) -> None:
    """Where a key's maker's key is known, that counts and not the name."""
    first, _ = create(store, "li.na")
    second, _ = create(store, "li.na", at_us=START_US + 1)
    create(store, "child", maker="ops:li.na", parent=first.key_id, at_us=START_US + 2)
    create(store, "older", maker="ops:li.na", at_us=START_US + 3)

    with store.reading() as unit:
        assert subjects_of(keys.keys_made_with(unit, first)) == ["child", "older"]
        assert subjects_of(keys.keys_made_with(unit, second)) == ["older"]


def test_nobody_ends_a_key_that_is_not_there(store: Store) -> None:
    """It is unknown."""
    with pytest.raises(Refused, match="key_unknown"), store.writing(START_US) as unit:
        keys.revoke_key(unit, "0" * 16, "cli:token")


def test_a_riders_keys_end_together(store: Store) -> None:
    """Theirs alone, and the answer is how many were good; one that is revoked already is not counted again."""
    first, _ = create(store, "r1", "rider")
    create(store, "r1", "rider", at_us=START_US + 1)
    others = [create(store, "r2", "rider")[0], create(store, "r1", "ops")[0]]
    revoke(store, first)

    with store.writing(START_US + 5) as unit:
        assert keys.revoke_keys_of(unit, "r1", "cli:token") == 1
        assert [key.revoked_us for key in keys.keys_of(unit, "rider", "r1")] == [START_US + 1, START_US + 5]

    assert [key_now(store, key).revoked_us for key in others] == [None, None]


@pytest.mark.parametrize(("later_s", "moves"), [(59, False), (60, True), (61, True)])
def test_a_use_is_written_once_a_minute(store: Store, later_s: int, moves: bool) -> None:
    """The first is; another within the minute is not; other keys are left alone."""
    key, other = create(store)[0], create(store, "chen")[0]
    later_us = START_US + later_s * US_PER_S

    for at_us in (START_US, later_us):
        with store.writing(at_us) as unit:
            keys.record_use(unit, key.key_id)

    assert key_now(store, key).last_used_us == (later_us if moves else START_US)
    assert key_now(store, other).last_used_us is None


def test_keys_for_ever_are_counted_until_somebody_revokes_them(store: Store) -> None:
    """Keys of before keys had to end."""
    made = [create(store, f"p{k}")[0] for k in range(3)]
    with store.writing(START_US + 1) as unit:
        unit.connection.exec_driver_sql(f"UPDATE api_keys SET expires_us = NULL WHERE key_id <> '{made[2].key_id}'")

    with store.reading() as unit:
        assert keys.num_without_end(unit) == 2
    assert key_now(store, made[0]).is_good(1 << 60)
    revoke(store, made[0])
    with store.reading() as unit:
        assert keys.num_without_end(unit) == 1


def test_a_role_goes_by_its_name() -> None:
    """Any other word is none."""
    assert [keys.role_of(role) for role in keys.ROLES] == list(keys.ROLES)
    with pytest.raises(ValueError, match="courier"):
        keys.role_of("courier")


def test_an_upgrade_names_the_riders_keys_that_it_ended(v0_1_0: Kept) -> None:
    """Those that operations had made; who asks from an instant on hears of those that ended from then on."""
    store = Store(v0_1_0.url)
    schema.upgrade(store)

    with store.reading() as unit:
        ended = keys.ended_by_upgrade(unit)
        revoked_us = {key.key_id: key.revoked_us for key in keys.all_keys(unit)}
        at_us = revoked_us[ended[0].key_id]
        assert at_us is not None
        assert keys.ended_by_upgrade(unit, at_us) == ended
        assert keys.ended_by_upgrade(unit, at_us + 1) == ()

    assert all(isinstance(key, EndedKey) and key.created_by.startswith("ops:") for key in ended)
    store.close()
