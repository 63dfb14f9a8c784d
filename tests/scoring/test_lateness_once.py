"""In files a sum of lateness over lines is the sum over events, whatever was corrected and wherever days were cut."""

from collections import Counter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.book import Book
from rules.events import PARTIES
from rules.shelf import versions
from scoring.columns import ENTRY_KINDS
from scoring.lateness_once import entry_file_table
from scoring.ledger import entries_table, riders_table
from scoring.ledger_columns import ENTRY_FILE_SCHEMA, ENTRY_SCHEMA, OF_LINE
from scoring.score import ScoredRun
from tests.builders import book, correction, delivered, slow_merchant
from tests.scoring.ledgers import failing, ledger_of, scored_of
from tests.scoring.readings import engine
from tests.strategies import books, histories

Events = list[dict[str, Any]]
Sums = dict[tuple[str, str], tuple[int, int, int]]
SECONDS = ("late_s", "time_given_back_s", "late_counted_s")


def sums_of(tables: list[pa.Table]) -> Sums:
    """Lateness, time given back and lateness that counted of each event, added up over all lines."""
    totals: dict[tuple[str, str], Counter[str]] = {}
    for line in pa.concat_tables(tables).select(["rider_id", "event_id", *SECONDS]).to_pylist():
        totals.setdefault((line["rider_id"], line["event_id"]), Counter()).update(
            {name: line[name] for name in SECONDS}
        )
    sums = {
        key: (total["late_s"], total["time_given_back_s"], total["late_counted_s"]) for key, total in totals.items()
    }
    return {key: total for key, total in sums.items() if any(total)}


def judged(scored: ScoredRun) -> Sums:
    """The same of each event for which a line stands, as liability has it: the ledger is not asked."""
    standing = scored.standing
    rows = {
        int(row) for row in standing["ev"][(standing["ev"] >= 0) & (standing["kind"] != ENTRY_KINDS.index("review"))]
    }
    ids = scored.prepared.source.column("event_id").to_pylist()
    out: Sums = {}
    for row in rows:
        event, why = scored.events[row], scored.liability[row]
        late_s, given_s = int(why["late_s"]), int(why["given_s"])
        answers = PARTIES[why["party"]] == "rider" and not event["waived"]
        counted_s = late_s - given_s if answers else 0
        if scored.program.books[event["book"]].model.lateness == "gross":
            counted_s = late_s
        rider = scored.prepared.riders[int(event["rider"])].as_py()
        out[rider, ids[scored.prepared.order[row]]] = (late_s, given_s, counted_s)
    return {key: total for key, total in out.items() if any(total)}


@pytest.mark.slow
@given(books(), histories(controls=True), st.lists(st.integers(0, 40), max_size=4))
def test_a_sum_over_lines_is_the_sum_over_events(versions: list[Book], events: Events, cuts: list[int]) -> None:
    """Random books with caps, fades and bonuses; corrections and appeals; runs that hand a state to each other."""
    runner = engine(versions)
    ordered = sorted(events, key=lambda event: (event["occurred_us"], event["event_id"]))
    times = sorted({event["occurred_us"] for event in ordered})
    bounds = {times[cut % len(times)] for cut in cuts}
    number = [sum(event["occurred_us"] >= bound for bound in bounds) for event in ordered]
    tables, carried = [], None
    for part in sorted(set(number)):
        scored = runner.run([event for event, k in zip(ordered, number, strict=True) if k == part], carried)
        assert failing(ledger_of(scored, carried)).keys() <= {"no_fines"}
        tables.append(entry_file_table(scored, 0))
        carried = scored.carried

    assert sums_of(tables) == judged(runner.run(ordered))


def test_each_line_keeps_what_it_was_judged_by() -> None:
    """Without the columns that are stated once, a file's lines are the lines in memory."""
    late = delivered("d", late_min=20)
    scored = scored_of([book()], [late, correction("k", late, assess_deadline_us=late["placed_us"])])

    lines = entry_file_table(scored, 7)

    again = lines.select([OF_LINE.get(name, name) for name in ENTRY_SCHEMA.names]).rename_columns(ENTRY_SCHEMA.names)
    assert lines.schema == ENTRY_FILE_SCHEMA
    assert again.equals(entries_table(scored, 7))


def test_a_correction_takes_back_and_states_anew() -> None:
    """Four minutes late, then said to be one: below zero on one line of the reversal, stated on one line of the re-entry."""
    late = delivered("d", late_min=4)
    mended = correction("k", late, assess_deadline_us=late["delivered_us"] - 60_000_000)

    lines = entry_file_table(scored_of(versions("taobao-crowdsourced"), [late, mended]), 0).to_pylist()

    stated = [(line["kind"], line["late_s"], line["late_counted_s"]) for line in lines if line["late_s"]]
    assert [kind for kind, _, _ in stated] == ["deduct", "reverse", "reenter"]
    assert [seconds[0] for _, *seconds in stated] == [240, -240, 60]
    assert sum(counted for _, _, counted in stated) == 60


def test_what_another_line_of_the_event_still_states_is_not_taken_back() -> None:
    """A later ledger that takes the bonus of a late order back, and not its deduction, says nothing of its lateness."""
    first, late = delivered("a"), delivered("b", at_min=60, late_min=3)
    lower = correction("k", first, after_min=90, assess_deadline_us=first["placed_us"])
    runner = engine([book(score={"base": 76, "floor": 0, "ceiling": 100})])
    before = runner.run([first, late])

    after = entry_file_table(runner.run([lower], before.carried), 0).to_pylist()

    of_b = [line for line in after if line["event_id"] == "b"]
    assert [(line["kind"], line["money_kind"], line["of_late_s"], line["late_s"]) for line in of_b] == [
        ("reverse", "bonus", 180, 0)
    ]


def test_lateness_of_others_is_stated_and_does_not_count() -> None:
    """A slow merchant's nine minutes stand in `late_s` and `time_given_back_s`; nothing of them counted."""
    scored = scored_of(versions("taobao-crowdsourced"), [slow_merchant("d", wait_min=12, late_min=9)])

    (sums,) = sums_of([entry_file_table(scored, 0)]).values()

    assert sums == (540, 540, 0)


def test_the_legacy_fine_counts_all_lateness() -> None:
    """A book that counts gross lateness says so, whoever was at fault."""
    scored = scored_of(versions("legacy-fine"), [slow_merchant("d", wait_min=12, late_min=9)])

    (sums,) = sums_of([entry_file_table(scored, 0)]).values()

    assert sums == (540, 540, 540)


@pytest.mark.parametrize(("book_id", "kind"), [("legacy-fine", "fine"), ("gbt-46862-reference", "bonus")])
def test_money_is_told_apart(book_id: str, kind: str) -> None:
    """What is given and what is taken is named, and its sum is the rider's."""
    events = [delivered(f"e{k}", at_min=30 * k, late_min=10 * (k % 3)) for k in range(40)]
    scored = scored_of(versions(book_id), events)

    table = entry_file_table(scored, 0)

    (rider,) = riders_table(scored).to_pylist()
    of_kind = table.filter(pc.equal(table["money_kind"].cast(pa.string()), kind))
    assert set(table["money_kind"].to_pylist()) <= {kind, None}
    assert abs(pc.sum(of_kind["money_fen"]).as_py() or 0) == rider["bonus_fen" if kind == "bonus" else "fines_fen"]
    assert set(table.filter(pc.is_null(table["money_kind"]))["money_fen"].to_pylist()) <= {0}


def test_awards_are_told_from_bonuses() -> None:
    """Lines of kind `award` that name no kind of money are the awards: each gives points."""
    rich = book(score={"base": 80, "floor": 0, "ceiling": 100})
    scored = scored_of([rich], [delivered("a"), delivered("b", at_min=20)])

    lines = entry_file_table(scored, 0).to_pylist()

    awards = [line for line in lines if line["kind"] == "award"]
    assert {line["rule_id"].startswith("tier:") for line in awards if line["money_kind"] == "bonus"} == {True}
    assert {line["rule_id"].startswith("tier:") for line in awards if line["money_kind"] is None} == {False}
