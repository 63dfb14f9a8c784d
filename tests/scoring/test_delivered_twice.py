"""An order is delivered once by a rider; what was stored before is not judged anew."""

from typing import Any

import numpy as np
import pytest

from rules.compile import compile_books
from scoring.prepare import REASONS, PreparedEvents, prepare_events, schedule_versions
from tests.builders import appeal_upheld, book, correction, delivered, event
from tests.scoring.readings import engine, refusals, table_of

FIRST = delivered("e1", order_id="o")
SECOND = delivered("e2", at_min=3, order_id="o")


def _rejected(*events: dict[str, Any]) -> dict[tuple[str, str], str]:
    return refusals(engine([book()]).run(list(events)), list(events))


def _taken(prepared: PreparedEvents) -> list[str]:
    return list(prepared.column("event_id").to_pylist())


@pytest.mark.case
@pytest.mark.parametrize("events", [(FIRST, SECOND), (SECOND, FIRST)])
def test_the_first_delivery_stands(events: tuple[dict[str, Any], ...]) -> None:
    """By time, whatever the order of the rows; the second is refused and the one that stands is named."""
    scored = engine([book()]).run(list(events))

    assert refusals(scored, list(events)) == {("r1", "e2"): "duplicate_order"}
    assert scored.prepared.event_ids(scored.prepared.refused_for) == ["e1"]
    assert scored.head.riders["score_mp"].tolist() == [70_200]


def test_at_one_instant_the_lower_id_stands() -> None:
    """(occurred_at, event_id) decides."""
    assert _rejected(delivered("b", order_id="o"), delivered("a", order_id="o")) == {("r1", "b"): "duplicate_order"}


def test_what_is_no_second_delivery() -> None:
    """Another rider's delivery, another order, no order, and other facts about the order are events like any other."""
    others = [
        delivered("e2", at_min=3, order_id="o", rider_id="r2"),
        delivered("e3", at_min=4, order_id="p"),
        event("bad_review", "e4", at_min=5, order_id="o"),
        event("merchant_slow", "e5", at_min=1, order_id="o"),
        correction("e6", FIRST, fee_fen=501),
        appeal_upheld("e7", FIRST, after_min=90),
    ]

    assert _rejected(FIRST, *others) == {}


def test_a_delivery_that_is_rejected_stands_for_nothing() -> None:
    """Where the first has two contents, and is out, the next one is the order's delivery."""
    assert _rejected(FIRST, FIRST | {"fee_fen": 77}, SECOND) == {("r1", "e1"): "duplicate_conflict"}


def test_what_corrects_a_second_delivery_is_about_nothing() -> None:
    """Its event is not there."""
    found = _rejected(FIRST, SECOND, correction("e3", SECOND, fee_fen=1))

    assert found == {("r1", "e2"): "duplicate_order", ("r1", "e3"): "ref_unknown"}


def test_the_stored_delivery_stands_even_against_an_earlier_one() -> None:
    """Across runs nothing that was written is taken back for a newcomer."""
    world = engine([book()])
    carried = world.run([SECOND]).carried

    scored = world.run([FIRST], carried)

    assert refusals(scored, [FIRST]) == {("r1", "e1"): "duplicate_order"}
    assert scored.entries.size == 0


def test_duplicates_of_before_stay() -> None:
    """Rows whose book is known were accepted by an earlier version: both count, and are not judged anew."""
    program = compile_books([book()])
    schedule = schedule_versions(program, range(1))
    rows = table_of([FIRST, SECOND])

    known = prepare_events(rows, program, schedule, books=np.zeros(2, np.int64))
    new = prepare_events(rows, program, schedule)

    assert (_taken(known), _taken(new)) == (["e1", "e2"], ["e1"])
    assert [REASONS[code] for code in new.refused_reasons.tolist()] == ["duplicate_order"]
