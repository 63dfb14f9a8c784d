"""What corrections and appeals are about: chains, circles, rows that are refused, and many of them at once."""

import sys
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest

from rules.compile import compile_books
from rules.shelf import versions
from scoring.columns import EVENT_SCHEMA
from scoring.prepare import REASONS, PreparedEvents, prepare_events, schedule_versions
from tests.builders import correction, delivered

Rows = Sequence[dict[str, Any]]
PROGRAM = compile_books(versions("taobao-crowdsourced"))


def taken(rows: Rows) -> PreparedEvents:
    """Rows as scoring takes them in."""
    table = pa.Table.from_pylist(list(rows), schema=EVENT_SCHEMA)
    return prepare_events(table, PROGRAM, schedule_versions(PROGRAM, range(len(PROGRAM.books))))


def refusals(rows: Rows) -> dict[str, str]:
    """Why which rows are left out."""
    found = taken(rows)
    codes = zip(found.refused_rows.tolist(), found.refused_reasons.tolist(), strict=True)
    return {rows[k]["event_id"]: REASONS[code] for k, code in codes}


@pytest.mark.case
def test_what_is_about_a_row_that_is_left_out_is_about_nothing() -> None:
    """A correction from before the order is refused; so is what corrects that, however late it came, as if alone."""
    late = delivered("e1", late_min=9)
    first = correction("c1", late, after_min=-1)
    second = correction("c2", late, after_min=1) | {"ref_event_id": "c1"}
    third = correction("c3", late, after_min=2) | {"ref_event_id": "c2"}
    before = correction("c0", late, after_min=-2) | {"ref_event_id": "c1"}

    assert refusals([late, first, second, third, before]) == {
        "c1": "ref_later",
        **dict.fromkeys(("c0", "c2", "c3"), "ref_unknown"),
    }
    assert refusals([late, second, third]) == {"c2": "ref_unknown", "c3": "ref_unknown"}


def many(num: int, shape: str) -> Rows:
    """Corrections of one rider: all about nothing, one about the other from an order on, or in a circle."""
    late = delivered("e", late_min=9)
    first = {"nothing": "none", "chain": "e", "circle": f"c{num - 1}"}[shape]
    refs = [first if k == 0 or shape == "nothing" else f"c{k - 1}" for k in range(num)]
    return [late, *(correction(f"c{k}", late) | {"ref_event_id": ref} for k, ref in enumerate(refs))]


def num_lines(rows: Rows) -> int:
    """How many lines of Python taking rows in comes to, but for those of the libraries."""
    table = pa.Table.from_pylist(list(rows), schema=EVENT_SCHEMA)
    schedule = schedule_versions(PROGRAM, range(len(PROGRAM.books)))
    found, before = 0, sys.gettrace()

    def count(frame: Any, what: str, _: object) -> Any:
        nonlocal found
        found += what == "line"
        return count if frame.f_globals.get("__name__") == "scoring.prepare" else None

    sys.settrace(count)
    try:
        prepare_events(table, PROGRAM, schedule)
    finally:
        sys.settrace(before)
    return found


@pytest.mark.case
@pytest.mark.parametrize("shape", ["nothing", "chain", "circle"])
def test_many_references_are_followed_together(shape: str) -> None:
    """Ten times as many corrections of a rider take a few rounds more and no more steps for each."""
    assert len(refusals(many(1_000, shape))) == (0 if shape == "chain" else 1_000)
    assert num_lines(many(1_000, shape)) < 2 * num_lines(many(100, shape))
