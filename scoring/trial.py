"""Scores one made-up event under one book, for trying a rule: which rules match, what is entered, and why.

The facts are those of an example in a book; what is not given is ordinary. Points come from the one kernel, reasons
from the one explanation; nothing is computed here a second time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from rules.book import Book, BookDocument, ExampleFacts, Rule
from rules.calendar import calendar
from rules.compile import Program, compile_books
from rules.events import KIND_CODE, RIDER_KINDS
from rules.units import US_PER_DAY, US_PER_S
from scoring.because import Because, ConditionResult, EntryLine, because, lines_of, read_rule
from scoring.carry import Carried
from scoring.columns import ENTRY, EVENT, EVENT_SCHEMA, WINDOW_SCHEMA
from scoring.examples import IN_HAND_US, occurred_us_of, state_before, tenure_days_of
from scoring.explain_facts import KnownEvents, facts_of, known_events
from scoring.ledger import entries_table
from scoring.prepare import schedule_versions
from scoring.score import score

TRIED = "trial"


@dataclass(frozen=True, slots=True)
class RuleTrial:
    """A rule beside the event: each condition and the fact it met, whether all hold, and whether the rule fired.

    A rule that holds has not fired where an earlier one of its group did.

    Parameters
    ----------
    rule_id
        The rule.
    met
        Each condition and the fact it met.
    holds
        Whether all conditions hold.
    fired
        Whether the rule wrote an entry.
    """

    rule_id: str
    met: tuple[ConditionResult, ...]
    holds: bool
    fired: bool


@dataclass(frozen=True, slots=True)
class GroupTrial:
    """The rules of a group that are about this kind of event, in reading order.

    Parameters
    ----------
    group_id
        The group's id in the book.
    hit
        Whether the first rule that holds counts, or all of them.
    rows
        What became of each rule.
    """

    group_id: str
    hit: Literal["first", "all"]
    rows: tuple[RuleTrial, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """What a book makes of an event.

    Parameters
    ----------
    book
        The book that judged.
    kind
        Of the event.
    at_us
        When the event happened (µs UTC).
    facts
        What rules saw, by `rules.conditions.FACTS`.
    groups
        The book's groups of rules beside the event.
    lines, whys
        The entries in order, and why each stands.
    score_before_mp, score_after_mp
        The score (mp).
    money_fen
        Fines (negative) and bonus (fen).
    """

    book: Book
    kind: str
    at_us: int
    facts: Mapping[str, int]
    groups: tuple[GroupTrial, ...]
    lines: tuple[EntryLine, ...]
    whys: tuple[Because, ...]
    score_before_mp: int
    score_after_mp: int
    money_fen: int

    @property
    def at(self) -> tuple[int, BookDocument]:
        """When the event happened, and in which book: a count names its period by it."""
        return self.at_us, self.book.model


def trial(book: Book, kind: str, given: ExampleFacts) -> Trial:
    """Judge one event under one book.

    Parameters
    ----------
    book
        The book that judges.
    kind
        Of the event; a correction or an upheld appeal is about another event, of which there is none: nothing
        happens.
    given
        The facts; `given.kind` is not read.

    Returns
    -------
    Trial
        What every rule made of the event, and the entries.
    """
    program = compile_books([book])
    schedule = schedule_versions(program, [0])
    row = _row(book.model, kind, given)
    table = pa.Table.from_pylist([row], schema=EVENT_SCHEMA)
    scored = score(program, schedule, table, _before(program, row, given), row["occurred_us"])
    lines = lines_of(entries_table(scored, row["occurred_us"]))
    known = known_events(program, schedule, table, is_whole=False)
    facts = _facts(known, given)
    books = {book.digest: book}
    whys = tuple(_told(because(line, lines, books, known), facts, given.fee_fen) for line in lines)
    before_mp = book.model.score.base_mp if given.score_mp is None else given.score_mp
    return Trial(
        book=book,
        kind=kind,
        at_us=row["occurred_us"],
        facts=facts,
        groups=_groups(book.model, kind, facts, {line.rule_id for line in lines}),
        lines=lines,
        whys=whys,
        score_before_mp=before_mp,
        score_after_mp=lines[-1].score_after_mp if lines else before_mp,
        money_fen=sum(line.money_fen for line in lines),
    )


def _row(model: BookDocument, kind: str, given: ExampleFacts) -> dict[str, Any]:
    """The event as a platform would send it: food ready on arrival, so that nothing but reports gives back."""
    occurred_us = occurred_us_of(model, given)
    days = calendar(model.time_zone, model.day_starts)
    in_hand_us = occurred_us - IN_HAND_US
    steps = ("placed", "accepted", "arrived_store", "merchant_ready", "merchant_promised_ready", "picked_up")
    return {f"{step}_us": in_hand_us for step in steps} | {
        "event_id": TRIED,
        "rider_id": TRIED,
        "city": TRIED,
        "rider_kind": given.rider_kind or model.rider_kinds[0],
        "kind": kind,
        "order_id": TRIED,
        "occurred_us": occurred_us,
        "delivered_us": occurred_us,
        "assess_deadline_us": occurred_us - given.late_s * US_PER_S,
        "distance_m": given.distance_m,
        "fee_fen": given.fee_fen,
        "reports": ";".join(given.reports),
        "level": given.weather_level,
        "party": given.party,
        "rider_joined_us": int(days.start_us[max(0, days.day_of(occurred_us) - tenure_days_of(given))]),
    }


def _before(program: Program, row: Mapping[str, Any], given: ExampleFacts) -> Carried:
    """The rider just before the event, as an earlier run would have handed them on."""
    events = np.zeros(1, EVENT)
    events["kind"], events["occurred_us"] = KIND_CODE[row["kind"]], row["occurred_us"]
    state = state_before(program, events, [given])
    return Carried(
        until_us=row["occurred_us"] - US_PER_DAY,
        keep_us=row["occurred_us"] - US_PER_DAY,
        riders=pa.array([TRIED]),
        city=pa.array([TRIED]),
        rider_kind=np.array([RIDER_KINDS.index(row["rider_kind"])], np.int64),
        base=state,
        faded=pa.array([], pa.string()),
        score_mp=np.ascontiguousarray(state.riders["score_mp"]),
        seq=np.zeros(1, np.int64),
        window=WINDOW_SCHEMA.empty_table(),
        written=np.zeros(0, ENTRY),
    )


def _facts(known: KnownEvents, given: ExampleFacts) -> dict[str, int]:
    """What rules saw; what the rider did before is given, not to be read from one event."""
    if TRIED not in known.row_of:
        return {}
    facts = facts_of(known, known.readings[0], known.row_of[TRIED])
    counted = {"num_delivered": given.num_delivered, "nth_in_month": given.nth_in_month}
    return facts | counted


def _told(why: Because, facts: Mapping[str, int], fee_fen: int) -> Because:
    """The reason with the rider's earlier deeds as given."""
    if why.rule is None:
        return why
    return replace(why, facts=facts, rule=read_rule(why.rule.rule, why.book.model, facts, fee_fen))


def _groups(model: BookDocument, kind: str, facts: Mapping[str, int], fired: set[str]) -> tuple[GroupTrial, ...]:
    groups = []
    for group in model.group:
        rules = [rule for rule in model.rule if rule.group == group.id and kind in rule.kind]
        if rules and facts:
            rows = tuple(_row_read(rule, model, facts, rule.id in fired) for rule in rules)
            groups.append(GroupTrial(group.id, group.hit, rows))
    return tuple(groups)


def _row_read(rule: Rule, model: BookDocument, facts: Mapping[str, int], fired: bool) -> RuleTrial:
    met = read_rule(rule, model, facts, 0).met
    return RuleTrial(rule.id, met, all(each.condition.holds(each.value) for each in met), fired)
