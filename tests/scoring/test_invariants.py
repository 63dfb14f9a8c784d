"""Good ledgers pass every check; each check catches a ledger that was broken for it."""

import dataclasses
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.book import Book
from rules.shelf import shipped, versions
from scoring.invariants import CHECKS, Ledger, _mark_late, check_ledger
from tests.builders import DAY_US, MINUTE_US, NOON_US, appeal_upheld, book, correction, delivered, event, rule
from tests.scoring.ledgers import failing, ledger_of, scored_of, with_cell
from tests.strategies import books, histories

Events = list[dict[str, Any]]
# A second over 5 minutes: any time given back would bring it into another band.
D = delivered("d", at_min=10, late_min=301 / 60)
E = delivered("e", at_min=20, late_min=3)


def revised_events() -> Events:
    """Two riders; the first has an upheld appeal and a correction."""
    on_time = correction("k", E, assess_deadline_us=NOON_US + 60 * MINUTE_US, promised_us=NOON_US + 60 * MINUTE_US)
    return [
        D,
        E,
        appeal_upheld("ap", D),
        on_time,
        delivered("o", rider_id="r2"),
        delivered("p", at_min=5, rider_id="r2"),
    ]


@cache
def revised() -> Ledger:
    """A small ledger with reversals and re-entries."""
    return ledger_of(scored_of([book()], revised_events()))


@cache
def everything() -> Ledger:
    """A ledger under the book with all features on: caps, protections, fades, training, reviews."""
    events: Events = [delivered(f"x{day}", at_min=day * 24 * 60, late_min=30) for day in range(12)]
    events += [delivered(f"y{day}", at_min=day * 24 * 60 + 9, late_min=30) for day in range(12)]
    events += [event("false_delivered", f"f{day}", at_min=day * 24 * 60 + 12) for day in range(12)]
    events += [event("training_passed", "t", at_min=13 * 24 * 60), delivered("last", at_min=50 * 24 * 60)]
    events += [delivered("n", rider_id="r2", late_min=30, rider_joined_us=NOON_US - 3 * DAY_US)]
    return ledger_of(scored_of(versions("gbt-46862-reference"), events))


def stated_with(ledger: Ledger, column: str, row: int, value: Any) -> Ledger:
    """The ledger with one cell of what its file states once for each event replaced."""
    assert ledger.stated is not None
    return dataclasses.replace(ledger, stated=with_cell(ledger.stated, column, row, value))


def entries_with(ledger: Ledger, column: str, row: int, value: Any) -> Ledger:
    """The ledger with one cell of its entries replaced."""
    return dataclasses.replace(ledger, entries=with_cell(ledger.entries, column, row, value))


def riders_with(ledger: Ledger, column: str, value: Any) -> Ledger:
    """The ledger with one cell of its first rider replaced."""
    return dataclasses.replace(ledger, riders=with_cell(ledger.riders, column, 0, value))


def run_with(ledger: Ledger, **keys: Any) -> Ledger:
    """The ledger with keys of run.json replaced."""
    return dataclasses.replace(ledger, run=dict(ledger.run) | keys)


def row_of(ledger: Ledger, **cells: Any) -> int:
    """The first entry with these cells."""
    rows = ledger.entries.to_pylist()
    return next(at for at, row in enumerate(rows) if all(row[name] == value for name, value in cells.items()))


def fined() -> Ledger:
    """A ledger of the legacy fine that claims to have been written under a book of points."""
    legacy = versions("legacy-fine")
    ledger = ledger_of(scored_of(legacy, [delivered(late_min=8)]))
    model = legacy[0].model.model_copy(update={"regime": "score"})
    changed = dataclasses.replace(legacy[0], model=model)
    return dataclasses.replace(ledger, books={changed.digest: changed})


def rewarded() -> Ledger:
    """A ledger with a bonus of 50 fen, its second entry."""
    return ledger_of(scored_of([book(score={"base": 80, "floor": 0, "ceiling": 100})], [delivered()]))


def unjust() -> Ledger:
    """A ledger whose deduction names the merchant as liable."""
    return entries_with(revised(), "liable_party", 0, "merchant")


def shuffled() -> Ledger:
    """A ledger whose second rider stands before the first."""
    order = pa.array(np.roll(np.arange(revised().entries.num_rows), 2))
    return dataclasses.replace(revised(), entries=revised().entries.take(order), stated=None)


def twice() -> Ledger:
    """A ledger in which the last entry stands twice, with numbers that follow each other."""
    entries = revised().entries
    again = pa.concat_tables([entries, with_cell(entries.slice(entries.num_rows - 1), "seq", 0, 3)])
    return dataclasses.replace(revised(), entries=again, stated=None)


def under_a_low_ceiling() -> Ledger:
    """A ledger of scores around 70 whose book claims a ceiling of 60."""
    ledger = revised()
    own = next(iter(ledger.books.values()))
    scale = own.model.score.model_copy(update={"ceiling_mp": 60_000})
    low = dataclasses.replace(own, model=own.model.model_copy(update={"score": scale}))
    return dataclasses.replace(ledger, books={own.digest: low})


def known_only(*events: dict[str, Any]) -> Ledger:
    """A ledger beside the events that a database holds."""
    known = {name: [one[name] for one in events] for name in ("rider_id", "event_id")}
    return dataclasses.replace(revised(), events=pa.table(known))


def misnamed() -> Ledger:
    """A ledger whose book lies in a file of another name, and another that says so."""
    own = next(iter(revised().books.values()))
    return dataclasses.replace(revised(), books={"0" * 64: own})


BROKEN: tuple[tuple[str, str, Callable[[], Ledger]], ...] = (
    ("complete", "rule_id", lambda: entries_with(revised(), "rule_id", 0, None)),
    ("complete", "liable_party", lambda: entries_with(revised(), "liable_party", 0, "the weather")),
    ("complete", "rider_id", lambda: riders_with(revised(), "rider_id", None)),
    ("complete", "rider_kind", lambda: riders_with(revised(), "rider_kind", "robot")),
    ("sequence", "seq", lambda: entries_with(revised(), "seq", 1, 7)),
    ("sequence", "entries_order", shuffled),
    ("sequence", "rider_missing", lambda: entries_with(revised(), "rider_id", 0, "nobody knows")),
    ("running_score", "score_after_mp", lambda: entries_with(revised(), "score_after_mp", 1, 1)),
    ("running_score", "score_mp", lambda: riders_with(revised(), "score_mp", 1)),
    ("opening_score", "opening_score_mp", lambda: riders_with(revised(), "opening_score_mp", 12_000)),
    ("within_range", "ceiling", under_a_low_ceiling),
    ("own_scale", "ceiling", under_a_low_ceiling),
    ("identity", "entry_id", lambda: entries_with(revised(), "entry_id", 0, "AAAAAAAAAAAAAAAA")),
    ("identity", "entry_id", lambda: entries_with(revised(), "event_id", 0, "another")),
    ("identity", "entry_id_repeated", twice),
    (
        "own_events",
        "events_digest",
        lambda: entries_with(everything(), "event_id", row_of(everything(), kind="fade"), "n"),
    ),
    (
        "own_events",
        "events_digest",
        lambda: entries_with(revised(), "cause_event_id", row_of(revised(), kind="reverse"), "o"),
    ),
    ("own_events", "event_id", lambda: known_only(D, E)),
    ("own_events", "cause_event_id", lambda: known_only(*revised_events()[:2], *revised_events()[3:])),
    ("rules_known", "rule_id", lambda: entries_with(revised(), "rule_id", 0, "no_such_rule")),
    ("rules_known", "book_digest", lambda: entries_with(revised(), "book_digest", 0, "f" * 64)),
    ("rules_known", "kind_of_rule", lambda: entries_with(revised(), "of_kind", 0, "cap")),
    ("rules_known", "of_kind", lambda: entries_with(revised(), "kind", 0, "award")),
    ("amounts", "delta_mp", lambda: entries_with(revised(), "delta_mp", 0, 2_000)),
    ("amounts", "time_given_back_s", lambda: entries_with(revised(), "time_given_back_s", 0, 10_000)),
    ("liability_stated", "liable_party", lambda: entries_with(rewarded(), "liable_party", 0, "rider")),
    ("liability_stated", "liable_party", lambda: entries_with(rewarded(), "late_s", 0, 7)),
    ("liability_stated", "rule_conditions", lambda: entries_with(revised(), "late_s", 0, 200)),
    ("points_of_rules", "rule_points_mp", lambda: entries_with(revised(), "delta_mp", 0, -1_500)),
    ("points_of_rules", "bonus_fen", lambda: entries_with(rewarded(), "money_fen", 1, 60)),
    ("only_the_liable", "liable_party", unjust),
    ("no_fines", "money_fen", fined),
    ("lateness_once", "late_s", lambda: stated_with(revised(), "late_s", 1, 360)),
    ("lateness_once", "time_given_back_s", lambda: stated_with(everything(), "time_given_back_s", 0, 60)),
    ("lateness_once", "late_counted_s", lambda: stated_with(revised(), "late_counted_s", 0, 0)),
    ("lateness_once", "money_kind", lambda: stated_with(rewarded(), "money_kind", 1, None)),
    ("lateness_once", "money_kind", lambda: stated_with(rewarded(), "money_kind", 0, "fine")),
    ("lateness_once", "money_kind", lambda: stated_with(rewarded(), "money_kind", 1, "gift")),
    (
        "reversals",
        "reverse_delta_mp",
        lambda: entries_with(revised(), "delta_mp", row_of(revised(), kind="reverse"), 1),
    ),
    ("reversals", "reverse", lambda: entries_with(revised(), "event_id", row_of(revised(), kind="reverse"), "x")),
    ("reversals", "entered_twice", twice),
    ("standing", "tier", lambda: riders_with(revised(), "tier", "gold")),
    ("standing", "on_time_orders_to_next_tier", lambda: riders_with(revised(), "on_time_orders_to_next_tier", 1)),
    ("standing", "on_time_orders_to_recover", lambda: riders_with(revised(), "on_time_orders_to_recover", 9)),
    ("review_flag", "review_required", lambda: riders_with(revised(), "review_required", True)),
    ("sums", "points_awarded_mp", lambda: riders_with(revised(), "points_awarded_mp", 1)),
    ("sums", "points_deducted_mp", lambda: riders_with(revised(), "points_deducted_mp", 1)),
    ("sums", "fines_fen", lambda: riders_with(revised(), "fines_fen", 1)),
    ("sums", "bonus_fen", lambda: riders_with(revised(), "bonus_fen", 1)),
    ("sums", "income_fen", lambda: riders_with(revised(), "income_fen", 1)),
    ("sums", "num_delivered", lambda: riders_with(revised(), "num_delivered", 9)),
    ("recorded_once", "recorded_us", lambda: entries_with(revised(), "recorded_us", 0, 1)),
    ("books_named", "books_file", misnamed),
    ("books_named", "run_books", lambda: run_with(revised(), books=[{"digest": "a" * 64}])),
    ("counted", "counts.entries", lambda: run_with(revised(), counts={"entries": 1, "riders": 2, "rejected": 0})),
    ("counted", "rejected", lambda: run_with(revised(), rejected={"too_late": 2})),
)


@pytest.mark.parametrize("ledger", [revised, everything])
def test_a_good_ledger_passes_every_check(ledger: Callable[[], Ledger]) -> None:
    """What scoring writes holds, with revisions and with every feature of a book on."""
    kinds = set(ledger().entries.column("kind").to_pylist())

    assert failing(ledger()) == {}
    assert kinds >= ({"reverse", "reenter"} if ledger is revised else {"cap", "fade", "review", "training"})


@pytest.mark.parametrize("book_id", shipped())
def test_ledgers_of_shipped_books_pass(book_id: str) -> None:
    """The same deliveries under every shipped book give a ledger that holds."""
    kind = versions(book_id)[0].model.rider_kinds[0]
    events = [delivered(f"e{n}", at_min=20 * n, late_min=3 * n - 6, rider_kind=kind) for n in range(8)]

    assert failing(ledger_of(scored_of(versions(book_id), events))) == {}


@given(books(), histories(controls=True), st.booleans())
def test_whatever_scoring_writes_holds(versions: list[Book], events: Events, halved: bool) -> None:
    """Random books and histories with corrections and appeals give ledgers that hold, also when cut in two runs."""
    middle = len(events) // 2 if halved else len(events)
    ordered = sorted(events, key=lambda event: event["occurred_us"])

    first = scored_of(versions, ordered[:middle])
    second = scored_of(versions, ordered[middle:], first.carried)

    # Random books take money outside the legacy regime; `books check` is what stops them.
    assert failing(ledger_of(first)).keys() <= {"no_fines"}
    assert failing(ledger_of(second, first.carried)).keys() <= {"no_fines"}


@pytest.mark.parametrize(("check", "what", "broken"), BROKEN)
def test_a_check_catches_what_it_is_for(check: str, what: str, broken: Callable[[], Ledger]) -> None:
    """A ledger broken in one place fails the check that is named for it, which says where and what."""
    found = failing(broken())[check]

    assert what in {violation.what for violation in found.violations}
    assert all(violation.expected != violation.found for violation in found.violations)


def changes() -> list[tuple[str, Any]]:
    """Every column of the entries with other values of its type."""
    found: list[tuple[str, Any]] = []
    for field in revised().entries.schema:
        is_text = pa.types.is_string(field.type) or pa.types.is_dictionary(field.type)
        own = revised().entries.column(field.name)[0].as_py()
        values = (None, "merchant") if is_text else (None, 7, -3)
        found += [(field.name, value) for value in values if value != own]
    return found


@pytest.mark.parametrize(("column", "value"), changes())
def test_any_cell_of_an_entry_that_was_changed_is_found(column: str, value: Any) -> None:
    """Whatever column of the first entry is changed to whatever value, some check says so."""
    broken = entries_with(revised(), column, 0, value)

    assert failing(broken)


def test_every_check_has_a_ledger_that_it_catches() -> None:
    """No check stands unproved."""
    assert {check for check, _, _ in BROKEN} == {check.__name__ for check in CHECKS}


def test_a_violation_names_rider_entry_and_both_values() -> None:
    """A person can go to the entry and see what is wrong."""
    found = failing(entries_with(revised(), "score_after_mp", 1, 1))["running_score"]

    violation = found.violations[0]

    assert (violation.rider, violation.seq, violation.expected, violation.found) == ("r1", 2, "67000", "1")


def test_many_violations_are_counted_and_few_are_shown() -> None:
    """A ledger that is wrong everywhere does not flood the reader."""
    events = [delivered(f"e{n}", at_min=n) for n in range(20)] + [delivered(f"f{n}", rider_id="r2") for n in range(15)]
    ledger = ledger_of(scored_of([book()], events))
    at = ledger.entries.schema.get_field_index("entry_id")
    broken = dataclasses.replace(ledger, entries=ledger.entries.set_column(at, "entry_id", pa.array(["x"] * 35)))

    found = failing(broken)["identity"]

    assert found.num_violations == 35 + 34
    assert len(found.violations) == 20


def test_an_empty_ledger_holds() -> None:
    """No entries and no riders is a ledger, too."""
    ledger = ledger_of(scored_of([book()], []))

    assert all(
        found.holds for found in check_ledger(dataclasses.replace(ledger, run=dict(ledger.run) | {"as_of_us": 0}))
    )


def test_a_negative_bonus_by_rule_is_a_fine() -> None:
    """Money taken by a rule of a legacy book is allowed, and summed as a fine."""
    legacy = book(
        regime="legacy",
        lateness="gross",
        rule=[rule("fine", money_fen=-150, when={"late_min": {"over": 0}})],
    )
    ledger = ledger_of(scored_of([legacy], [delivered(late_min=8)]))

    assert failing(ledger) == {}
    assert ledger.riders.column("fines_fen").to_pylist() == [150]


@pytest.mark.case
def test_whom_version_010_scored_last_is_not_checked_and_all_others_are() -> None:
    """A rider's own scale is checked from their first line after the instant on; of whom it is not is told."""
    low = under_a_low_ceiling()
    first_us, last_us = (int(edge) for edge in (low.columns.at_us.min(), low.columns.at_us.max()))

    before, after = (
        {one.check: one for one in check_ledger(run_with(low, old_readings_until_us=us))}
        for us in (first_us - 1, last_us)
    )

    assert (before["own_scale"].holds, before["own_scale"].num_unchecked) == (False, 0)
    assert (after["own_scale"].holds, after["own_scale"].num_unchecked) == (True, low.riders.num_rows)


def test_what_comes_at_the_same_instant_is_not_late() -> None:
    """Late is what the rider's own ledger had passed, or what lies before the state that it began with."""
    rider = np.array([0, 0, 0, 1, 1, 1], np.int64)
    at_us = np.array([5, 5, 4, 3, 9, 9], np.int64)
    late = np.zeros(rider.size, bool)

    _mark_late(rider, at_us, 3, late)

    assert late.tolist() == [False, False, True, True, False, False]
