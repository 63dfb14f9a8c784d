"""Where the store must look further back than what it carries, or one microsecond decides what it takes."""

import pytest

from api.clock import AHEAD_US
from api.db.store import Store
from api.ledger.posting import WINDOW_US
from tests.api.ledger.posts import BOOK, START_US, later, newest_us, post, publish, same_ledger
from tests.builders import delivered, event

WINDOW_MIN = WINDOW_US // 60_000_000


@pytest.mark.parametrize("kind", ["access_blocked", "deadline_extended"])
@pytest.mark.parametrize("beyond_min", [-1, 0, 1, 24 * 60])
def test_a_report_about_an_order_older_than_the_window(store: Store, kind: str, beyond_min: int) -> None:
    """The order that a report clears is found wherever it is: the store's ledger is the batch's."""
    publish(store, BOOK)
    order = delivered("e1", late_min=9)
    # What is carried begins a window before the newest event.
    newest = delivered("e2", at_min=2 * WINDOW_MIN + beyond_min)
    about = {"order_id": order["order_id"]} | (
        {"cause": "red_light", "extend_s": 600} if kind == "deadline_extended" else {}
    )
    report = event(kind, "report", at_min=2 * WINDOW_MIN + beyond_min, **about)
    events = later([order, newest, report])

    for one in events:
        assert [answer.status for answer in post(store, [one])] == ["scored"]

    same_ledger(store, events, newest_us(events))


@pytest.mark.parametrize(("beyond_us", "status"), [(0, "scored"), (1, "rejected")])
def test_a_platforms_clock_may_run_ahead_by_ten_minutes(store: Store, beyond_us: int, status: str) -> None:
    """To the microsecond."""
    publish(store, BOOK)
    row = delivered("e1") | {"occurred_us": START_US + AHEAD_US + beyond_us, "delivered_us": None}

    (answer,) = post(store, [row], at_us=START_US)

    assert (answer.status, answer.reason) == (status, "implausible_time" if beyond_us else None)
