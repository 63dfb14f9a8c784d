"""From a ledger entry to everything it follows from: a tree of facts without a word of prose.

The ledger and its books are enough for what was entered; the facts behind it need the rider's events. Words are
`explain`'s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from rules.book import Book, BookDocument, Rule, Tier
from rules.conditions import UNKNOWN, Condition, conditions_of, outcome
from scoring.explain_facts import KnownEvents, Lateness, facts_of, lateness_of, reading_of


@dataclass(frozen=True, slots=True)
class EntryLine:
    """One entry as the ledger has it.

    Parameters
    ----------
    entry_id
        Identity by content, 16 characters.
    event_id
        The event, or `reset:DATE` for an entry of none.
    rider_id
        Whose ledger it is in.
    seq
        Number within the rider, from 1.
    rule_id
        Id of the rule, or of a fixed label.
    kind
        One of `ENTRY_KINDS`.
    of_kind
        Kind of the entry that a reverse or reenter concerns, else `kind`.
    delta_mp
        Change of the score (mp).
    score_after_mp
        Score after it (mp).
    money_fen
        Fine (negative) or bonus (fen).
    liable_party
        Who answers for the event.
    late_s
        Gross lateness (s).
    time_given_back_s
        Of this, not the rider's (s).
    book_digest
        The book that judged.
    occurred_us
        When it counts from (µs UTC).
    recorded_us
        When it was written (µs UTC).
    cause_event_id
        What made a reversal or re-entry necessary; None for others.
    of_us
        Time of the event or due instant concerned where that is not `occurred_us`.
    """

    entry_id: str
    event_id: str
    rider_id: str
    seq: int
    rule_id: str
    kind: str
    of_kind: str
    delta_mp: int
    score_after_mp: int
    money_fen: int
    liable_party: str
    late_s: int
    time_given_back_s: int
    book_digest: str
    occurred_us: int
    recorded_us: int
    cause_event_id: str | None
    of_us: int | None

    @property
    def score_before_mp(self) -> int:
        """The score before the entry."""
        return self.score_after_mp - self.delta_mp

    @property
    def at_us(self) -> int:
        """Time of the event or due instant that the entry belongs to."""
        return self.occurred_us if self.of_us is None else self.of_us

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What a reversal and the entry it takes back have in common."""
        return self.event_id, self.rule_id, self.of_kind, self.at_us


@dataclass(frozen=True, slots=True)
class ConditionResult:
    """A condition of a rule and the fact it met.

    Parameters
    ----------
    condition
        The condition as compiled.
    value
        The fact that it met; `UNKNOWN` where nobody knows it.
    """

    condition: Condition
    value: int


@dataclass(frozen=True, slots=True)
class RuleEvaluation:
    """A rule in its book's own words, its conditions as they were met, and what it gives before any cap."""

    rule: Rule
    met: tuple[ConditionResult, ...]
    points_mp: int | None
    money_fen: int | None


@dataclass(frozen=True, slots=True)
class UndoneEntry:
    """What a reversal takes back, and the event that made it necessary."""

    line: EntryLine | None
    cause_event_id: str | None
    cause_kind: str | None


@dataclass(frozen=True, slots=True)
class Because:
    """Why an entry stands in the ledger.

    Parameters
    ----------
    line
        The entry.
    book
        The rule book that judged.
    order_id, event_kind
        Of the event; None where the rider's events are not at hand.
    facts
        What rules saw, by name; empty where not at hand.
    lateness
        For a delivery whose facts are at hand.
    agrees
        Whether the events at hand bear out what the entry states; None where there are none.
    rule
        For entries that a rule of the book wrote.
    tier
        The tier that a bonus or a review names.
    steps
        All entries of the same event written at the same time, in order: rules, caps, clamp, bonus, review.
    undone
        For reversals and re-entries.
    later
        Entries that took this one back, or returned its points.
    """

    line: EntryLine
    book: Book
    order_id: str | None
    event_kind: str | None
    facts: Mapping[str, int]
    lateness: Lateness | None
    agrees: bool | None
    rule: RuleEvaluation | None
    tier: Tier | None
    steps: tuple[EntryLine, ...]
    undone: UndoneEntry | None
    later: tuple[EntryLine, ...]


def lines_of(entries: pa.Table) -> tuple[EntryLine, ...]:
    """Entries of the ledger's table, in its order.

    Parameters
    ----------
    entries
        `ENTRY_SCHEMA`, any number of riders.

    Returns
    -------
    tuple[EntryLine, ...]
        A line per row.
    """
    names = list(EntryLine.__dataclass_fields__)
    return tuple(EntryLine(**row) for row in entries.select(names).to_pylist())


def because(
    line: EntryLine, lines: Sequence[EntryLine], books: Mapping[str, Book], known: KnownEvents | None = None
) -> Because:
    """Why one entry stands.

    Parameters
    ----------
    line
        The entry.
    lines
        All entries of the same rider, in order.
    books
        Books by digest.
    known
        The rider's events, where they are at hand.

    Returns
    -------
    Because
        The rule, the facts that it met, the lateness, and what the entry takes back.
    """
    book = books[line.book_digest]
    rule = next((rule for rule in book.model.rule if rule.id == line.rule_id), None)
    row = None if known is None else known.row_of.get(line.event_id)
    reading = None
    facts: dict[str, int] = {}
    lateness = None
    if known is not None and row is not None and _is_of_event(line):
        stated = line.late_s, line.time_given_back_s, line.liable_party
        reading = reading_of(known, row, stated, line.cause_event_id if line.kind == "reenter" else None)
        if reading is not None:
            facts = facts_of(known, reading, row)
            lateness = lateness_of(known, reading, row)
    content = {} if known is None or row is None else known.rows[row]
    fee_fen = int(reading.events["fee_fen"][row]) if reading is not None else 0
    return Because(
        line=line,
        book=book,
        order_id=content.get("order_id"),
        event_kind=content.get("kind"),
        facts=facts,
        lateness=lateness,
        agrees=None if row is None or not _is_of_event(line) else reading is not None,
        rule=None if rule is None else read_rule(rule, book.model, facts, fee_fen),
        tier=next((tier for tier in book.model.tier if f"tier:{tier.id}" == line.rule_id), None),
        steps=tuple(
            other
            for other in lines
            if (other.event_id, other.at_us, other.kind == "reverse", other.cause_event_id)
            == (line.event_id, line.at_us, line.kind == "reverse", line.cause_event_id)
        ),
        undone=_undone(line, lines, known),
        later=_later(line, lines),
    )


def _is_of_event(line: EntryLine) -> bool:
    """Whether an entry states the liability of its event; what falls due later and reviews state none."""
    return line.of_kind in ("award", "deduct", "cap", "training")


def read_rule(rule: Rule, book: BookDocument, facts: Mapping[str, int], fee_fen: int) -> RuleEvaluation:
    """A rule beside the facts it met; without facts, its conditions alone."""
    if not facts:
        return RuleEvaluation(
            rule, tuple(ConditionResult(test, UNKNOWN) for test in conditions_of(rule, book)), None, None
        )
    met = tuple(ConditionResult(test, facts.get(test.fact, UNKNOWN)) for test in conditions_of(rule, book))
    return RuleEvaluation(rule, met, *outcome(rule, facts["late_s"], fee_fen))


def _undone(line: EntryLine, lines: Sequence[EntryLine], known: KnownEvents | None) -> UndoneEntry | None:
    if line.kind not in ("reverse", "reenter"):
        return None
    before = [other for other in lines if other.key == line.key and other.seq < line.seq]
    taken = [other for other in before if other.kind != "reverse"]
    kind = None if known is None or line.cause_event_id is None else known.kinds.get(line.cause_event_id)
    return UndoneEntry(taken[-1] if taken else None, line.cause_event_id, kind)


def _later(line: EntryLine, lines: Sequence[EntryLine]) -> tuple[EntryLine, ...]:
    if line.kind == "reverse":
        return ()
    after = [other for other in lines if other.seq > line.seq]
    taken_back = next((other for other in after if other.key == line.key and other.kind == "reverse"), None)
    later = [] if taken_back is None else [taken_back]
    if line.of_kind == "deduct":
        later += [other for other in after if other.event_id == line.event_id and other.of_kind == "fade"]
    return tuple(sorted(later, key=lambda other: other.seq))
