"""The worked examples inside a rule book, run through the real scoring: each is one rider with one event.

What an example does not give is ordinary: on time, noon, clear weather, an experienced rider at the base score.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from rules.book import Book, BookDocument, Example, ExampleFacts, Rule
from rules.calendar import FIRST_DATE, calendar, instant_us
from rules.check import check
from rules.compile import Program, compile_books
from rules.errors import Fault
from rules.events import KIND_CODE, PARTY_CODE, REPORT_KINDS, RIDER_KINDS
from rules.units import US_PER_DAY, US_PER_S, points_text
from scoring.columns import EVENT, NO_TIME, Entries, Events
from scoring.kernel import fold
from scoring.liability import attribute
from scoring.state import State, fresh_state

NOON = dt.time(12)
ORDINARY_TENURE_DAYS = 365
IN_HAND_US = 40 * 60 * US_PER_S


@dataclass(frozen=True, slots=True)
class ExampleOutcome:
    """What scoring makes of an example.

    Parameters
    ----------
    fires
        Whether the rule wrote an entry.
    points_mp, money_fen
        Of that entry; 0 without one.
    net_points_mp
        How far the event moved the score, after caps, limits and the clamp.
    """

    fires: bool
    points_mp: int
    money_fen: int
    net_points_mp: int


def _examples(book: BookDocument) -> list[tuple[Rule, int, Example]]:
    return [(rule, number, example) for rule in book.rule for number, example in enumerate(rule.example)]


def occurred_us_of(model: BookDocument, given: ExampleFacts) -> int:
    """The wall-clock time that an example gives, on a day late enough for the rider's tenure."""
    earliest = FIRST_DATE + dt.timedelta(days=min(tenure_days_of(given), 36_000) + 2)
    date = max(model.effective_from, earliest)
    return instant_us(dt.datetime.combine(date, given.time_of_day or NOON, ZoneInfo(model.time_zone)))


def tenure_days_of(given: ExampleFacts) -> int:
    """Local days since the rider joined; a year unless given."""
    return ORDINARY_TENURE_DAYS if given.tenure_days is None else given.tenure_days


def _fill(event: np.void, model: BookDocument, kind: str, given: ExampleFacts) -> None:
    """Write the facts of an example into one event: food ready on arrival, so that nothing but reports gives back."""
    occurred_us = occurred_us_of(model, given)
    days = calendar(model.time_zone, model.day_starts)
    event["kind"] = KIND_CODE[kind]
    event["rider_kind"] = RIDER_KINDS.index(given.rider_kind or model.rider_kinds[0])
    event["occurred_us"] = event["delivered_us"] = occurred_us
    event["deadline_us"] = occurred_us - given.late_s * US_PER_S
    for name in ("placed_us", "accepted_us", "arrived_us", "ready_us", "promised_ready_us", "picked_us"):
        event[name] = occurred_us - IN_HAND_US
    event["joined_us"] = days.start_us[max(0, days.day_of(occurred_us) - tenure_days_of(given))]
    event["order_key"] = 1
    event["distance_m"] = given.distance_m
    event["fee_fen"] = given.fee_fen
    event["reports"] = sum(1 << REPORT_KINDS.index(report) for report in given.reports)
    event["level"] = given.weather_level
    event["cause"] = -1
    event["party"] = -1 if given.party is None else PARTY_CODE[given.party]


def state_before(program: Program, events: Events, givens: Sequence[ExampleFacts]) -> State:
    """Each rider as an example wants to find them, before its event; of `events` only kind and time matter."""
    model, tables = program.books[0].model, program.tables
    state = fresh_state(program, events.size)
    days = calendar(model.time_zone, model.day_starts)
    for row, given in enumerate(givens):
        rider = state.riders[row]
        rider["book"] = 0
        rider["base_mp"] = model.score.base_mp
        rider["score_mp"] = model.score.base_mp if given.score_mp is None else given.score_mp
        rider["num_delivered"] = given.num_delivered
        day = days.day_of(int(events["occurred_us"][row]))
        rider["month"] = days.period[1, day]
        slot = tables.nth_slot[events["kind"][row]]
        if slot >= 0:
            state.month_count[row, slot] = given.nth_in_month - 1
    return state


def example_outcomes(book: Book) -> tuple[ExampleOutcome, ...]:
    """What scoring makes of each example of a book, in the order of the document."""
    examples = _examples(book.model)
    if not examples:
        return ()
    program = compile_books([book])
    events = np.zeros(len(examples), EVENT)
    events["rider"] = np.arange(len(examples))
    for event, (rule, _, example) in zip(events, examples, strict=True):
        _fill(event, book.model, example.given.kind or rule.kind[0], example.given)
    start = np.arange(len(examples) + 1, dtype=np.int64)
    state = state_before(program, events, [example.given for _, _, example in examples])
    liability = attribute(program.tables, events, start)
    until_us = events["occurred_us"].copy()
    entries, _, _ = fold(program, events, liability, start[:-1], start[1:], state, until_us, NO_TIME + US_PER_DAY)
    return tuple(
        _outcome(entries[entries["rider"] == row], program.labels.index(rule.id))
        for row, (rule, _, _) in enumerate(examples)
    )


def _outcome(entries: Entries, label: int) -> ExampleOutcome:
    of_rule = entries[entries["label"] == label]
    return ExampleOutcome(
        fires=of_rule.size > 0,
        points_mp=int(of_rule["delta_mp"].sum()),
        money_fen=int(of_rule["money_fen"].sum()),
        net_points_mp=int(entries["delta_mp"].sum()),
    )


def check_books_and_examples(books: Sequence[Book]) -> tuple[Fault, ...]:
    """All faults and warnings of some books: versions of one id against each other, and every worked example.

    Parameters
    ----------
    books
        In any order.

    Returns
    -------
    tuple of Fault
        By book id in the order in which ids first come.
    """
    versions: dict[str, list[Book]] = {}
    for book in books:
        versions.setdefault(book.id, []).append(book)
    faults: list[Fault] = []
    for some in versions.values():
        dated = sorted(some, key=lambda book: book.model.effective_from)
        faults += check(dated)
        for book in dated:
            faults += check_examples(book)
    return tuple(faults)


def check_examples(book: Book) -> tuple[Fault, ...]:
    """Every example of a book that scoring does not bear out.

    Parameters
    ----------
    book
        A parsed book.

    Returns
    -------
    tuple[Fault, ...]
        One fault per expectation that fails; its `given` is what the example says, its `allowed` what scoring gives.
    """
    faults: list[Fault] = []
    for (rule, number, example), outcome in zip(_examples(book.model), example_outcomes(book), strict=True):
        for key, expected, actual in _failures(example, outcome):
            title = example.title or f"{number + 1}"
            params = (("title", title),)
            faults.append(
                Fault("example_fails", book.file, rule.id, f"example.expect.{key}", expected, actual, params=params)
            )
    return tuple(faults)


def _failures(example: Example, outcome: ExampleOutcome) -> Iterator[tuple[str, str, str]]:
    """Expectations that fail, as (key, what the example says, what scoring gives)."""
    expect = example.expect
    if expect.fires != outcome.fires:
        yield "fires", _switch(expect.fires), _switch(outcome.fires)
        return
    if expect.points_mp is not None and expect.points_mp != outcome.points_mp:
        yield "points", points_text(expect.points_mp), points_text(outcome.points_mp)
    if expect.net_points_mp is not None and expect.net_points_mp != outcome.net_points_mp:
        yield "net_points", points_text(expect.net_points_mp), points_text(outcome.net_points_mp)
    if expect.money_fen is not None and expect.money_fen != outcome.money_fen:
        yield "money_fen", str(expect.money_fen), str(outcome.money_fen)


def _switch(value: bool) -> str:
    return "true" if value else "false"
