"""Many corrections at once, and several of one event in any order: one reading for all, each change with its own cause."""

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest

from rules.compile import compile_books
from rules.shelf import versions
from scoring import revise
from scoring.history import fold_histories
from scoring.ledger import entries_table
from scoring.prepare import schedule_versions
from tests.builders import MINUTE_US, appeal_upheld, correction, delivered, event, slow_merchant
from tests.scoring.ledgers import failing, ledger_of
from tests.scoring.readings import Engine

Events = Sequence[dict[str, Any]]
BOOKS = versions("gbt-46862-reference")
PROGRAM = compile_books(BOOKS)
ENGINE = Engine(PROGRAM, schedule_versions(PROGRAM, range(len(BOOKS))))
LATE_US = 30 * 24 * 60 * MINUTE_US


def later(rows: Events) -> list[dict[str, Any]]:
    """The same a month later, when the book is in force."""
    return [{k: v + LATE_US if k.endswith("_us") and v is not None else v for k, v in row.items()} for row in rows]


def in_turn(*parts: Events) -> list[dict[str, Any]]:
    """The lines of runs one after the other, each verified."""
    carried, lines = None, []
    for part in parts:
        scored = ENGINE.run(list(part), carried, max(row["occurred_us"] for rows in parts for row in rows))
        assert failing(ledger_of(scored, carried)) == {}
        lines += entries_table(scored, 0).to_pylist()
        carried = scored.carried
    return lines


def net(lines: Events) -> dict[tuple[str, str], int]:
    """Points that stand of each event and rule."""
    found: dict[tuple[str, str], int] = {}
    for line in lines:
        key = line["event_id"], line["rule_id"]
        found[key] = found.get(key, 0) + line["delta_mp"]
    return {key: points for key, points in found.items() if points}


def orders(num: int) -> list[dict[str, Any]]:
    """Late orders, one an hour."""
    return [delivered(f"e{k:02}", at_min=60 * k, late_min=3 + k % 9) for k in range(num)]


def fixes(rows: Events, at_min: float) -> list[dict[str, Any]]:
    """A correction of each, a minute apart, by which it was in time."""
    return [
        correction(f"f-{row['event_id']}", row, assess_deadline_us=row["occurred_us"])
        | {"occurred_us": rows[0]["occurred_us"] + round((at_min + k) * MINUTE_US)}
        for k, row in enumerate(rows)
    ]


@pytest.mark.parametrize("apart", [True, False])
def test_the_history_is_read_as_often_for_many_as_for_one(monkeypatch: pytest.MonkeyPatch, apart: bool) -> None:
    """Thirty corrections of thirty orders take the readings of one, whether all are of one instant or each of its own."""
    readings: list[int] = []

    def noted(*of: Any) -> Any:
        readings.append(1)
        return fold_histories(*of)

    monkeypatch.setattr(revise, "fold_histories", noted)
    numbers = []
    for num in (1, 30):
        rows = orders(30)
        made = fixes(rows, 30 * 60)[:num]
        made = made if apart else [row | {"occurred_us": made[0]["occurred_us"]} for row in made]
        readings.clear()
        # The clock is past all of them, as it is when they are posted.
        clock = delivered("z", at_min=40 * 60)
        in_turn(later([*rows, clock]), later(made))
        numbers.append(len(readings))

    assert numbers[0] == numbers[1]


def test_each_change_names_its_own_correction() -> None:
    """Lines of an order by the one about it, at its time; those of another that was in the bag by the one that let it wait."""
    slow = slow_merchant("slow", wait_min=12, at_min=0, late_min=9)
    beside = delivered("beside", at_min=5, late_min=8)
    others = [delivered(f"o{k}", at_min=100 + 60 * k, late_min=6) for k in range(9)]
    rows = [slow, beside, *others]
    prompt = correction("f-slow", slow, merchant_ready_us=slow["merchant_promised_ready_us"])
    many = [prompt, *fixes(others, 700)]
    many[0]["occurred_us"] = many[4]["occurred_us"] + 1

    lines = in_turn(later([*rows, delivered("z", at_min=1400)]), later(many))

    times = {row["event_id"]: row["occurred_us"] for row in later(many)}
    entered = [line for line in lines if line["cause_event_id"]]
    causes = {(line["event_id"], line["cause_event_id"]) for line in entered}
    assert causes == {("slow", "f-slow"), ("beside", "f-slow"), *((f"o{k}", f"f-o{k}") for k in range(9))}
    assert all(line["occurred_us"] == times[line["cause_event_id"]] for line in entered)
    one_by_one = in_turn(later([*rows, delivered("z", at_min=1400)]), *([row] for row in later(many)))
    assert net(lines) == net(one_by_one)


@pytest.mark.case
def test_the_last_correction_in_time_stands_in_whatever_order_they_come() -> None:
    """Two corrections, one of these corrected, and an appeal: each order of arrival nets to one run."""
    late = delivered("e1", late_min=9)
    rows = [late, delivered("e2", at_min=30, late_min=2)]
    less, none, more = (
        correction(name, late, after_min=at, assess_deadline_us=late["occurred_us"] - minutes * MINUTE_US)
        for name, at, minutes in (("a", 60, 1), ("b", 70, 0), ("d", 80, 12))
    )
    controls = later([less, none, appeal_upheld("c", rows[1], after_min=65), more])
    word = later([event("false_delivered", "w", at_min=200, order_id="order-e1")])
    whole = net(in_turn([*later(rows), *controls, *word]))

    for order in permutations(controls):
        assert net(in_turn(later(rows), *([row] for row in order), word)) == whole
    assert whole["e1", "late"] < -1_000
