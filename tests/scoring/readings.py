"""Two ways to read books and events, the oracle's and the product's, in one shape."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from rules.book import Book
from rules.compile import Program, compile_books
from rules.events import PARTIES
from scoring.carry import Carried
from scoring.columns import CARRIED, ENTRY_KINDS, EVENT_SCHEMA, NO_EVENT
from scoring.kernel import tier_of
from scoring.prepare import REASONS, Schedule, schedule_versions
from scoring.score import ScoredRun, score
from tests.oracle import Line, net_of
from tests.oracle_facts import Event, local_day
from tests.oracle_history import outcomes, written

Row = tuple[str, str, str, int, int]


@dataclass(frozen=True)
class LedgerLine:
    """One line of the ledger, names instead of codes."""

    event_id: str
    rule_id: str
    kind: str
    of_kind: str
    delta_mp: int
    score_after_mp: int
    money_fen: int
    liable_party: str
    late_s: int
    time_given_back_s: int
    occurred_us: int
    seq: int

    @property
    def row(self) -> Row:
        """What the hand-worked cases compare."""
        return self.event_id, self.rule_id, self.kind, self.delta_mp, self.money_fen

    @property
    def line(self) -> Line:
        """What the oracle says of an entry that was never revised."""
        return Line(
            self.event_id,
            self.rule_id,
            self.kind,
            self.delta_mp,
            self.money_fen,
            self.liable_party,
            self.late_s,
            self.time_given_back_s,
            self.occurred_us,
        )


@dataclass(frozen=True)
class Reading:
    """One rider's ledger in short, and how it stands in the end."""

    rows: list[Row]
    parties: dict[str, str]
    given_back_s: dict[str, int]
    score_mp: int
    tier: str
    review_required: bool


def table_of(events: Sequence[Event]) -> pa.Table:
    """Events as the canonical table that readers give."""
    return pa.Table.from_pylist([dict(event) for event in events], schema=EVENT_SCHEMA)


@dataclass(frozen=True)
class Engine:
    """The product with some books in play, every event judged by the version in force."""

    program: Program
    schedule: Schedule

    def run(self, events: Sequence[Event], carried: Carried | None = None, as_of_us: int | None = None) -> ScoredRun:
        return score(self.program, self.schedule, table_of(events), carried, as_of_us)


def engine(books: Sequence[Book]) -> Engine:
    """Compile the versions of one book."""
    program = compile_books(books)
    return Engine(program, schedule_versions(program, range(len(books))))


def ledger(scored: ScoredRun) -> dict[str, list[LedgerLine]]:
    """Lines by rider in the order written; every rider of the run is there."""
    riders = scored.prepared.riders.to_pylist()
    event_ids = scored.prepared.table.column("event_id").to_pylist()
    faded = scored.faded.to_pylist()
    found: dict[str, list[LedgerLine]] = {rider: [] for rider in riders}
    names = scored.entries.dtype.names or ()
    columns: dict[str, list[int]] = {name: scored.entries[name].tolist() for name in names}
    for n, seq in enumerate(scored.seq.tolist()):
        entry = {name: values[n] for name, values in columns.items()}
        book = scored.program.books[entry["book"]].model
        event_id = f"reset:{local_day(book, entry['item_us'])}"
        if entry["ev"] != NO_EVENT:
            event_id = event_ids[entry["ev"]] if entry["ev"] >= 0 else faded[CARRIED - entry["ev"]]
        found[riders[entry["rider"]]].append(
            LedgerLine(
                event_id=event_id,
                rule_id=scored.program.labels[entry["label"]],
                kind=ENTRY_KINDS[entry["kind"]],
                of_kind=ENTRY_KINDS[entry["of_kind"]],
                delta_mp=entry["delta_mp"],
                score_after_mp=entry["score_after_mp"],
                money_fen=entry["money_fen"],
                liable_party=PARTIES[entry["party"]],
                late_s=entry["late_s"],
                time_given_back_s=entry["given_s"],
                occurred_us=entry["occurred_us"],
                seq=seq,
            )
        )
    return found


def standings(scored: ScoredRun) -> dict[str, dict[str, Any]]:
    """How each rider stands: opening, score, tier, review."""
    tables, labels = scored.program.tables, scored.program.labels
    found = {}
    for n, rider in enumerate(scored.prepared.riders.to_pylist()):
        head = scored.head.riders[n]
        score_mp, book = int(head["score_mp"]), int(head["book"])
        found[rider] = {
            "opening_mp": int(scored.opening_mp[n]),
            "score_mp": score_mp,
            "tier": labels[int(tables.tiers["label"][tier_of(tables, book, score_mp)])].removeprefix("tier:"),
            "review_required": bool(head["review"]),
        }
    return found


def refusals(scored: ScoredRun, events: Sequence[Event]) -> dict[tuple[str, str], str]:
    """Why events of a run from nothing were refused, by (rider, event)."""
    return {
        (events[row]["rider_id"], events[row]["event_id"]): REASONS[reason]
        for row, reason in zip(
            scored.prepared.refused_rows.tolist(), scored.prepared.refused_reasons.tolist(), strict=True
        )
    }


def product_reading(books: Sequence[Book], events: Sequence[Event], as_of_us: int) -> dict[str, Reading]:
    """What the product writes in one run."""
    scored = engine(books).run(events, as_of_us=as_of_us)
    ends = standings(scored)
    return {
        rider: Reading(
            rows=[line.row for line in lines],
            parties={line.event_id: line.liable_party for line in lines},
            given_back_s={line.event_id: line.time_given_back_s for line in lines if line.kind != "fade"},
            score_mp=ends[rider]["score_mp"],
            tier=ends[rider]["tier"],
            review_required=ends[rider]["review_required"],
        )
        for rider, lines in ledger(scored).items()
    }


def oracle_reading(books: Sequence[Book], events: Sequence[Event], as_of_us: int) -> dict[str, Reading]:
    """What the oracle says one run writes."""
    documents = [book.model for book in books]
    ledgers = written(documents, events, as_of_us)
    return {
        rider: Reading(
            rows=[
                (row.line.event_id, row.line.rule_id, row.kind, row.delta_mp, row.money_fen) for row in ledgers[rider]
            ],
            parties={row.line.event_id: row.line.liable_party for row in ledgers[rider]},
            given_back_s={
                row.line.event_id: row.line.time_given_back_s for row in ledgers[rider] if row.kind != "fade"
            },
            score_mp=found.score_mp,
            tier=found.tier,
            review_required=found.review_required,
        )
        for rider, found in outcomes(documents, events, as_of_us).items()
    }


READINGS = {"oracle": oracle_reading, "product": product_reading}


def nets(lines: list[LedgerLine]) -> dict[tuple[str, str], tuple[int, int]]:
    """Points and money by (event, rule)."""
    return net_of((line.event_id, line.rule_id, line.delta_mp, line.money_fen) for line in lines)


Read = Callable[..., Reading]
