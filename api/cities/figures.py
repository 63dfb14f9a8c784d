"""Figures of a city over a stretch of time: lateness and its causes, what the fine would have taken, work.

Judged by the one kernel: under the book that judged each event, and once more under the book of the old fine. Nothing
here knows SQL or days.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from typing import Any, Final

import numpy as np
import pyarrow as pa

from api.books.in_force import RulesInForce
from rules.compile import Program, compile_books
from rules.events import CAUSES, PARTY_CODE, REPORT_CAUSE, REPORT_KINDS
from rules.shelf import versions
from rules.units import US_PER_S
from scoring.columns import I64, NO_EVENT, NO_TIME, Events, Liability
from scoring.kernel import DELIVERED
from scoring.ledger import delivery_outcome
from scoring.liability import attribute_causes
from scoring.prepare import Schedule, schedule_versions
from scoring.score import ScoredRun, score

FINE_BOOK: Final = "legacy-fine"
RIDER: Final = PARTY_CODE["rider"]
ON_TIME, LATE, EXEMPT = 0, 1, 2
# Time that no measured cause explains: an appeal was upheld, or a verified report whose kind the row does not name.
BY_APPEAL, BY_REPORT = "appeal", "report"
# A gap this long between two orders in hand is a break, not work.
BREAK_US: Final = 2 * 3_600 * US_PER_S


@dataclass(slots=True)
class CauseTotal:
    """Lateness that was not the rider's, of one cause: orders, and seconds of it."""

    num_orders: int = 0
    late_s: int = 0


@dataclass(frozen=True, slots=True)
class CauseShare:
    """Lateness that was not the rider's, of one cause."""

    cause: str
    num_orders: int
    late_s: int


@dataclass(slots=True)
class TierWork:
    """What riders of one tier did and got. A rider's day counts where the rider stood when it began.

    Parameters
    ----------
    worked_s
        From taking the first order to handing over the last, without breaks of two hours or more.
    money_fen
        What the ledger added to or took from the fees.
    """

    rider_days: int = 0
    num_delivered: int = 0
    worked_s: int = 0
    fees_fen: int = 0
    money_fen: int = 0

    @property
    def income_fen(self) -> int:
        """Fees and what the ledger added."""
        return self.fees_fen + self.money_fen


@dataclass(slots=True)
class CityFigures:
    """Counts of deliveries and what came of them; adds up over days.

    Parameters
    ----------
    num_late
        Late, and the rider's.
    num_exempt
        Late, and none of it the rider's.
    late_s, exempted_s
        Lateness in all, and what of it was given back or exempt.
    fines_fen, fines_not_liable_fen, num_fined
        What the old fine would have taken, of it where the rider does not answer for the lateness, and from how many
        orders.
    """

    num_delivered: int = 0
    num_on_time: int = 0
    num_late: int = 0
    num_exempt: int = 0
    late_s: int = 0
    exempted_s: int = 0
    fines_fen: int = 0
    fines_not_liable_fen: int = 0
    num_fined: int = 0
    causes: dict[str, CauseTotal] = field(default_factory=dict)
    tiers: dict[str, TierWork] = field(default_factory=dict)

    @property
    def causes_by_time(self) -> "tuple[CauseShare, ...]":
        """Lateness that was not the riders', by cause: the cause with most seconds first."""
        ranked = sorted(self.causes.items(), key=lambda item: (-item[1].late_s, item[0]))
        return tuple(CauseShare(cause, total.num_orders, total.late_s) for cause, total in ranked)

    def add(self, other: "CityFigures") -> None:
        """Add another stretch."""
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for cause, total in other.causes.items():
            _add(self.causes.setdefault(cause, CauseTotal()), total)
        for tier, work in other.tiers.items():
            _add(self.tiers.setdefault(tier, TierWork()), work)

    def document(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> "CityFigures":
        """Figures from plain values."""
        counts = {name: document[name] for name in _COUNTS}
        causes = {cause: CauseTotal(**total) for cause, total in document["causes"].items()}
        return cls(**counts, causes=causes, tiers={tier: TierWork(**work) for tier, work in document["tiers"].items()})


_COUNTS: Final = tuple(field.name for field in fields(CityFigures) if field.name not in ("causes", "tiers"))


def _add(mine: CauseTotal | TierWork, other: CauseTotal | TierWork) -> None:
    for part in fields(mine):
        setattr(mine, part.name, getattr(mine, part.name) + getattr(other, part.name))


@dataclass(frozen=True, slots=True)
class DayStart:
    """Where a rider stood when the stretch began, and what the ledger added in it."""

    tier: str
    money_fen: int


def count(
    law: RulesInForce, table: pa.Table, books: Sequence[str], from_us: int, until_us: int, began: Mapping[str, DayStart]
) -> CityFigures:
    """Figures of the deliveries that occurred in [from, until).

    Parameters
    ----------
    table
        Canonical rows of whole riders around the stretch, so that orders in hand, reports and corrections are known.
    books
        Digest of the book that judged each row.
    began
        By rider; riders who are not named count in no tier.
    """
    figures = CityFigures()
    if not table.num_rows:
        return figures
    position = {book.digest: k for k, book in enumerate(law.program.books)}
    judged_by = np.array([position[digest] for digest in books], np.int64)
    scored = score(law.program, law.schedule, table, None, None, NO_TIME, judged_by)
    occurred = scored.events["occurred_us"]
    rows = np.flatnonzero((scored.events["kind"] == DELIVERED) & (occurred >= from_us) & (occurred < until_us))
    _count_lateness(figures, scored, rows)
    _count_causes(figures, scored, rows)
    _count_fines(figures, scored, table, rows)
    _count_work(figures, scored, rows, began)
    return figures


def _count_lateness(figures: CityFigures, scored: ScoredRun, rows: I64) -> None:
    outcome = delivery_outcome(scored)[rows]
    figures.num_delivered = rows.size
    figures.num_on_time, figures.num_late, figures.num_exempt = (
        int((outcome == code).sum()) for code in (ON_TIME, LATE, EXEMPT)
    )
    figures.late_s = int(scored.liability["late_s"][rows].astype(np.int64).sum())


def _count_causes(figures: CityFigures, scored: ScoredRun, rows: I64) -> None:
    """Lateness given back, each second to one cause: the largest claims first, then reports that exempt, then appeals."""
    judged, claims = attribute_causes(scored.program.tables, scored.events, scored.prepared.start)
    rows = rows[judged["late_s"][rows] > 0]
    late_s = judged["late_s"][rows].astype(np.int64)
    claimed_s = -(-claims[rows] // US_PER_S)
    order = np.argsort(-claimed_s, axis=1, kind="stable")
    sorted_s = np.take_along_axis(claimed_s, order, axis=1)
    reached = np.minimum(np.cumsum(sorted_s, axis=1), late_s[:, None])
    granted = np.diff(reached, axis=1, prepend=0)
    granted_s = np.zeros_like(granted)
    np.put_along_axis(granted_s, order, granted, axis=1)
    for code, cause in enumerate(CAUSES):
        _give(figures, cause, granted_s[:, code])
    rest_s = late_s - granted_s.sum(axis=1)
    exempt = judged["exempt"][rows] != 0
    by = np.array([_exempting(scored, int(row)) for row in rows], object)
    for cause in sorted(set(by[exempt])):
        _give(figures, cause, np.where(exempt & (by == cause), rest_s, 0))
    _give(figures, BY_APPEAL, np.where(~exempt & (scored.events["waived"][rows] != 0), rest_s, 0))


def _give(figures: CityFigures, cause: str, seconds: I64) -> None:
    if not (seconds > 0).any():
        return
    total = figures.causes.setdefault(cause, CauseTotal())
    total.num_orders += int((seconds > 0).sum())
    total.late_s += int(seconds.sum())
    figures.exempted_s += int(seconds.sum())


def _exempting(scored: ScoredRun, row: int) -> str:
    """The cause of the first report on a row that its book exempts for."""
    event = scored.events[row]
    exempts = scored.program.tables.report_exempt[int(event["book"])]
    for position, report in enumerate(REPORT_KINDS):
        if int(event["reports"]) >> position & 1 and np.any(exempts[position]):
            return REPORT_CAUSE[report]
    return BY_REPORT


@cache
def _fine_program() -> tuple[Program, Schedule]:
    books = versions(FINE_BOOK)
    program = compile_books(books)
    return program, schedule_versions(program, range(len(books)))


def _count_fines(figures: CityFigures, scored: ScoredRun, table: pa.Table, rows: I64) -> None:
    fined = score(*_fine_program(), table)
    if not fined.prepared.same_rows(scored.prepared):
        raise ValueError("the book of fines read other rows than the book in force")
    entries = fined.entries
    known = entries["ev"] > NO_EVENT
    taken_fen = np.zeros(fined.events.size, np.int64)
    np.subtract.at(taken_fen, entries["ev"][known], entries["money_fen"][known].astype(np.int64))
    taken_fen = taken_fen[rows]
    answers = _answering(scored.events[rows], scored.liability[rows])
    figures.fines_fen = int(taken_fen.sum())
    figures.fines_not_liable_fen = int(taken_fen[~answers].sum())
    figures.num_fined = int((taken_fen > 0).sum())


def _answering(events: Events, judged: Liability) -> np.ndarray:
    """Deliveries whose lateness is the rider's."""
    return (judged["party"] == RIDER) & (events["waived"] == 0)


def _count_work(figures: CityFigures, scored: ScoredRun, rows: I64, began: Mapping[str, DayStart]) -> None:
    events = scored.events[rows]
    names = scored.prepared.riders.to_pylist()
    for at in np.split(np.arange(rows.size), np.flatnonzero(np.diff(events["rider"])) + 1):
        if not at.size:
            continue
        start = began.get(names[int(events["rider"][at[0]])])
        if start is None:
            continue
        deliveries = events[at]
        work = figures.tiers.setdefault(start.tier, TierWork())
        work.rider_days += 1
        work.num_delivered += at.size
        work.worked_s += _worked_us(deliveries) // US_PER_S
        work.fees_fen += int(np.maximum(deliveries["fee_fen"].astype(np.int64), 0).sum())
        work.money_fen += start.money_fen


def _worked_us(deliveries: Events) -> int:
    """From taking the first order to handing over the last, breaks left out."""
    taken = np.where(deliveries["accepted_us"] != NO_TIME, deliveries["accepted_us"], deliveries["occurred_us"])
    order = np.argsort(taken, kind="stable")
    taken, handed = taken[order], np.maximum.accumulate(deliveries["occurred_us"][order])
    gaps = np.maximum(taken[1:] - handed[:-1], 0)
    return int(handed[-1] - taken[0] - gaps[gaps >= BREAK_US].sum())
