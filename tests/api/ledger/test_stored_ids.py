"""Ids that the store holds stay valid where like ones are refused."""

import pytest

from api.db.store import Store
from api.ledger.stored_ids import StoredIds
from tests.api.ledger.posts import BOOK, START_US, later, post, publish
from tests.builders import delivered


@pytest.fixture(autouse=True)
def _odd(store: Store) -> None:
    """A rider, an event and an order in Hangzhou, and a rider in Shanghai, whose ids would be refused today."""
    publish(store, BOOK)
    rows = [
        delivered("1.0", rider_id="7.0", order_id="2.0", city="hangzhou"),
        delivered("e2", rider_id="8.0", order_id="3.0", city="shanghai"),
    ]
    post(store, later(rows))


@pytest.mark.parametrize(
    ("column", "held", "other"),
    [
        ("rider_id", ("7.0", "7.0"), ("9.0", "9.0")),
        ("order_id", ("7.0", "2.0"), ("7.0", "3.0")),
        ("event_id", ("7.0", "1.0"), ("8.0", "1.0")),
        ("ref_event_id", ("7.0", "1.0"), ("7.0", "2.0")),
        ("city", ("7.0", "hangzhou"), ("7.0", "shanghai")),
    ],
)
def test_what_a_rider_has_is_held(store: Store, column: str, held: tuple[str, str], other: tuple[str, str]) -> None:
    """An id is held of the rider who has it, and of nobody else."""
    found = StoredIds(store.reading).filter_known(column, [held, other])

    assert set(found) == {held}


@pytest.mark.parametrize(("column", "pair"), [("rider_id", ("8.0", "8.0")), ("order_id", ("8.0", "3.0"))])
def test_of_other_cities_nothing_is_told(store: Store, column: str, pair: tuple[str, str]) -> None:
    """To who may post in Hangzhou alone, what Shanghai holds is not there."""
    assert set(StoredIds(store.reading, ("hangzhou",)).filter_known(column, [pair])) == set()
    assert set(StoredIds(store.reading, ("shanghai",)).filter_known(column, [pair])) == {pair}


def test_decisions_of_the_store_are_nobodys_events(store: Store) -> None:
    """An id that the store gave to a decision is not one to post, whoever holds it."""
    rows = [delivered("appeal:1", at_min=9, rider_id="7.0", order_id="4.0", city="hangzhou")]
    post(store, later(rows), at_us=START_US)

    assert set(StoredIds(store.reading).filter_known("event_id", [("7.0", "appeal:1")])) == set()
