"""A rider's entries as a page lists them: by event, orders on time folded, times beside the deadline."""

from api.db.store import Store
from api.endpoints.common.case_file import moments_of
from api.endpoints.common.event_items import FEW, EntryItem, day_of, items_of
from api.ledger.stored_events import event_of
from api.riders.entries_explained import entries_page
from tests.api.ledger.posts import BOOK, START_US, later, newest_us, post, publish
from tests.builders import appeal_upheld, delivered


def items(store: Store, *events: dict[str, object]) -> list[EntryItem]:
    """What the page of a rider lists, newest first."""
    publish(store, BOOK)
    post(store, later(events))
    with store.reading() as unit:
        return items_of(entries_page(unit, "r1", newest_us(later(events)), limit=100).items)


def test_entries_of_one_event_stand_together(store: Store) -> None:
    """Whatever caps and bonus an order brings, it is one line whose sum is the score's way."""
    rewarded = [delivered(f"e{k}", at_min=10 * k) for k in range(30)]

    found = items(store, *rewarded)

    assert len(found) == 30
    assert [item.main.line.kind for item in found] == ["award"] * 30
    assert any(item.money_fen > 0 for item in found)
    assert sum(item.delta_mp for item in found) == found[0].main.line.score_after_mp - 70_000


def test_many_orders_on_time_are_one_line(store: Store) -> None:
    """A late order keeps its own line; a few on time do, too."""
    late = delivered("late", at_min=500, late_min=9)
    many = items(store, *(delivered(f"e{k}", at_min=20 * k) for k in range(FEW + 2)), late)

    folded, listed = day_of(many), day_of(many[: FEW + 1])

    assert ([item.main.line.event_id for item in folded.items], len(folded.plain)) == (["late"], FEW + 2)
    assert folded.plain_mp == 200 * (FEW + 2)
    assert (len(listed.items), listed.plain) == (FEW + 1, ())


def test_what_was_taken_back_stands_by_itself(store: Store) -> None:
    """An upheld appeal is two lines of its own: taken back, and entered again as nothing."""
    late = delivered("late", late_min=9)

    found = items(store, late, appeal_upheld("u", late, after_min=60))

    assert [item.delta_mp for item in found] == [0, 2_000, -2_000]
    assert [item.is_plain for item in found] == [False] * 3


def test_times_of_an_order_stand_beside_its_deadline(store: Store) -> None:
    """In their order; minutes after the deadline, whole ones, towards it."""
    publish(store, BOOK)
    (order,) = later([delivered("e1", late_min=4.5)])
    post(store, [order], at_us=START_US)

    with store.reading() as unit:
        event = event_of(unit, "r1", "e1")
        assert event_of(unit, "r1", "none") is None

    moments = {moment.name: moment.minutes for moment in moments_of(event)}
    assert (moments["delivered"], moments["assess_deadline"], moments["accepted"]) == (4, 0, -35)
    assert list(moments)[-1] == "delivered"
    assert moments_of(None) == ()
