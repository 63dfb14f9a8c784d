"""What can be appealed, until when and how soon it is answered; and appeals as they stand.

A book may set the days; one that says nothing leaves the days below. Whatever a book says of silence, silence is for the
rider.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Select, exists, func, select

from api.db.bulk import among, in_chunks, pairs_among, rows_among
from api.db.decision_words import words_of
from api.db.records import record_of
from api.db.tables import appeal_decisions, appeal_texts, appeals, entries, events, open_appeals, replays, rider_state
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.decisions.cases import CaseStore, reason_of
from api.words import Translated, translated
from rules.book import Book, BookDocument
from rules.text import text
from rules.units import US_PER_DAY
from scoring.because import EntryLine
from scoring.explain_words import clock

# Of books that have no word on appeals.
WITHIN_DAYS: Final = 7
DECIDE_DAYS: Final = 3
State = Literal["open", "upheld", "dismissed"]


@dataclass(frozen=True, slots=True)
class AppealDecision:
    """The answer: `upheld` or `dismissed`, by a person (`ops:…`) or by `timeout`, why, and when.

    `reason` is None once it was erased, and empty where silence answered.
    """

    decision: str
    decided_by: str
    reason_code: str
    reason: str | None
    decided_us: int

    @property
    def reason_words(self) -> Translated:
        """The reason code in words."""
        if self.decision == "upheld":
            return translated(lambda lang: text(lang, f"appeal.upheld_{self.reason_code}"))
        return translated(lambda lang: text(lang, f"appeal.dismissed_{self.reason_code}"))


@dataclass(frozen=True, slots=True)
class Appeal:
    """An appeal as it was filed, and its answer.

    Parameters
    ----------
    reason, evidence_ref
        None once they were erased.
    recalculating
        What was decided about its event, or corrected in it, is stored and not in the ledger yet.
    """

    appeal_id: str
    rider_id: str
    entry_id: str
    event_id: str
    city: str | None
    book_digest: str
    reason_code: str
    filed_us: int
    deadline_us: int
    reason: str | None
    evidence_ref: str | None
    recalculating: bool
    decision: AppealDecision | None

    @property
    def state(self) -> State:
        """Open until it is answered."""
        if self.decision is None:
            return "open"
        return "upheld" if self.decision.decision == "upheld" else "dismissed"

    @property
    def reason_words(self) -> Translated:
        """The rider's reason code in words."""
        return translated(lambda lang: text(lang, f"appeal.reason_{self.reason_code}"))


@dataclass(frozen=True, slots=True)
class Terms:
    """Days to appeal and days to answer; `source` says whether the book sets them."""

    within_days: int
    decide_days: int
    source: Literal["book", "default"]


@dataclass(frozen=True, slots=True)
class AppealRight:
    """Whether an entry can be appealed, until when; otherwise `why_not` says why (a code of refusals)."""

    can: bool
    why_not: str | None
    until_us: int | None
    within_days: int
    decide_days: int
    terms: Literal["book", "default"]
    appeal: Appeal | None
    words: Translated


def terms_of(book: BookDocument) -> Terms:
    """How long riders have, and how long those who answer."""
    if book.appeal is None:
        return Terms(WITHIN_DAYS, DECIDE_DAYS, "default")
    return Terms(book.appeal.within_days, book.appeal.decide_days, "book")


def right_of(line: EntryLine, is_taken_back: bool, book: Book, now_us: int, appeal: Appeal | None) -> AppealRight:
    """Whether an entry can be appealed now.

    Parameters
    ----------
    is_taken_back
        Whether a later entry has reversed it.
    appeal
        The appeal against it, if there is one.
    """
    terms = terms_of(book.model)
    until_us = line.recorded_us + terms.within_days * US_PER_DAY
    takes = line.of_kind == "deduct" and line.kind != "reverse" and (line.delta_mp < 0 or line.money_fen < 0)
    why_not = None
    if not takes:
        why_not = "appeal_nothing"
    elif appeal is not None:
        why_not = "appeal_filed"
    elif is_taken_back:
        why_not = "appeal_taken_back"
    elif now_us > until_us:
        why_not = "appeal_too_late"
    at = clock(until_us, book.model, "%Y-%m-%d %H:%M")
    days = {"within": terms.within_days, "decide": terms.decide_days}
    if why_not is None:
        words = translated(lambda lang: text(lang, "appeal.can", until=at, **days))
    elif appeal is not None:
        words = translated(lambda lang: text(lang, f"appeal.state_{appeal.state}"))
    else:
        words = translated(lambda lang: text(lang, f"refused.{why_not}", entry=line.entry_id, days=terms.within_days))
    return AppealRight(
        can=why_not is None,
        why_not=why_not,
        until_us=until_us if takes else None,
        within_days=terms.within_days,
        decide_days=terms.decide_days,
        terms=terms.source,
        appeal=appeal,
        words=words,
    )


def standing_lines(unit: ReadUnit | WriteUnit, lines: Sequence[EntryLine]) -> frozenset[str]:
    """Ids of those entries that no later entry has taken back."""
    taken: dict[tuple[str, str, str, str, int], int] = {}
    pairs = sorted({(line.rider_id, line.event_id) for line in lines})
    at_us = func.coalesce(entries.c.of_us, entries.c.occurred_us).label("at_us")
    for some in in_chunks(pairs):
        rows = unit.connection.execute(
            select(entries.c.rider_id, entries.c.event_id, entries.c.rule_id, entries.c.of_kind, at_us, entries.c.seq)
            .where(
                among(unit, entries.c.rider_id, {rider for rider, _ in some}),
                pairs_among(unit, (entries.c.rider_id, entries.c.event_id), some),
                entries.c.kind == "reverse",
            )
        )  # fmt: skip
        for row in rows:
            key = (row.rider_id, row.event_id, row.rule_id, row.of_kind, row.at_us)
            taken[key] = max(row.seq, taken.get(key, 0))
    return frozenset(line.entry_id for line in lines if line.seq > taken.get((line.rider_id, *line.key), 0))


def _appeals() -> Select[Any]:
    """Appeals with their words and answers; `city` is the rider's, whose people answer."""
    decided, words = appeal_decisions.c, words_of("appeal", "answers")
    about = (events.c.rider_id == replays.c.rider_id) & (events.c.event_id == replays.c.event_id)
    waits = exists(
        select(replays.c.event_id)
        .join(events, about)
        .where(replays.c.rider_id == appeals.c.rider_id, events.c.ref_event_id == appeals.c.event_id)
    )
    return (
        select(
            *(column for column in appeals.c if column.name != "city"),
            rider_state.c.city,
            appeal_texts.c.reason,
            appeal_texts.c.evidence_ref,
            decided.decision,
            decided.decided_by,
            decided.reason_code.label("answer_code"),
            decided.reason_digest,
            words.c.reason.label("answer"),
            decided.decided_us,
            waits.label("recalculating"),
        )
        .outerjoin(rider_state, rider_state.c.rider_id == appeals.c.rider_id)
        .outerjoin(appeal_texts, appeal_texts.c.appeal_id == appeals.c.appeal_id)
        .outerjoin(appeal_decisions, decided.appeal_id == appeals.c.appeal_id)
        .outerjoin(words, words.c.decision_id == appeals.c.appeal_id)
    )


def _appeal(row: Any) -> Appeal:
    answer = None
    if row["decision"] is not None:
        reason = reason_of(row["answer"], row["reason_digest"])
        answer = AppealDecision(row["decision"], row["decided_by"], row["answer_code"], reason, row["decided_us"])
    return record_of(Appeal, row, recalculating=bool(row["recalculating"]), decision=answer)


APPEALS: Final = CaseStore(
    "appeal", appeals, open_appeals, appeal_decisions, "filed_us", "deadline_us", _appeals, _appeal
)


def appeals_against(unit: ReadUnit | WriteUnit, rider_id: str, entry_ids: Iterable[str]) -> dict[str, Appeal]:
    """A rider's appeals against some entries, by entry."""
    rows = rows_among(unit, _appeals().where(appeals.c.rider_id == rider_id), appeals.c.entry_id, entry_ids)
    return {row.entry_id: _appeal(row._asdict()) for row in rows}
