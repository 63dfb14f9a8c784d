"""What appeals and reviews share: cases of a rider that wait for a person, who decides once and in writing.

Lives here: how cases are found and listed, what a person must write, who may not decide, what a second decider is told, and how a
decision is stored. What a case is about and what follows from its decision: `appeals`, `reviews`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, Protocol, TypeVar

from sqlalchemy import Column, RowMapping, Select, Table, delete

from api.access.separation_of_duties import need_other_decider
from api.books.in_force import stored_program
from api.db.bulk import add_rows, among, in_chunks
from api.db.cursors import CursorPage, newest_first, oldest_first
from api.db.rider_rows import RiderRow, lock_riders, raise_revision
from api.db.tables import rider_state
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.refusals import Refused
from api.words import Translated, translated
from rules.text import text
from scoring.explain_words import clock

# Longest text of a rider or of a person who decides, in characters.
WORDS_MAX: Final = 2_000
# Deciders that are no persons, and the message that names each.
_PROGRAMS: Final = {"timeout": "review.by_timeout", "ledger": "review.by_ledger", "training": "review.by_training"}

CaseState = Literal["open", "decided"]


class Case(Protocol):
    """What every case has."""

    @property
    def rider_id(self) -> str:
        """Whom it is about."""

    @property
    def city(self) -> str | None:
        """The rider's city, whose people decide."""

    @property
    def book_digest(self) -> str:
        """The book whose clock its times follow."""


CaseT = TypeVar("CaseT", bound=Case)


@dataclass(frozen=True, slots=True)
class CaseStore(Generic[CaseT]):
    """All cases of one kind in the store.

    Parameters
    ----------
    kind
        Its column of ids is `<kind>_id`; refusals are `<kind>_unknown`, `<kind>_decided`.
    cases, open_cases, decisions
        Tables of the cases, of those that wait, and of what was decided (`decided_us`).
    begun, due
        Column of `cases` with the time at which a case began, and column of `open_cases` in whose order people work.
    query
        Selects cases with their decisions and words; `city` is the rider's.
    read
        Makes a case of a row of `query`.
    """

    kind: Literal["appeal", "review"]
    cases: Table
    open_cases: Table
    decisions: Table
    begun: str
    due: str
    query: Callable[[], Select[Any]]
    read: Callable[[RowMapping], CaseT]

    def id_in(self, table: Table) -> Column[str]:
        """The column with the ids of cases."""
        return table.c[f"{self.kind}_id"]

    def find(self, unit: ReadUnit | WriteUnit, case_id: str) -> CaseT | None:
        """One case; None for an id that none has."""
        query = self.query().where(self.id_in(self.cases) == case_id)
        row = unit.connection.execute(query).mappings().one_or_none()
        return None if row is None else self.read(row)

    def get(self, unit: ReadUnit | WriteUnit, case_id: str) -> CaseT:
        """One case.

        Raises
        ------
        Refused
            `appeal_unknown`, `review_unknown`.
        """
        case = self.find(unit, case_id)
        if case is None:
            raise Refused(f"{self.kind}_unknown", **{self.kind: case_id})
        return case

    def of_rider(self, unit: ReadUnit | WriteUnit, rider_id: str) -> tuple[CaseT, ...]:
        """All cases of a rider, newest first."""
        newest = (self.cases.c[self.begun].desc(), self.id_in(self.cases))
        query = self.query().where(self.cases.c.rider_id == rider_id).order_by(*newest)
        return tuple(map(self.read, unit.connection.execute(query).mappings()))

    def page(
        self, unit: ReadUnit | WriteUnit, state: CaseState, cities: Sequence[str] = (), cursor: str | None = None,
        limit: int = 50,
    ) -> CursorPage[CaseT]:  # fmt: skip
        """Cases that wait, the most urgent first, or cases that were decided, the newest decision first.

        Parameters
        ----------
        cities
            Only these; empty for all.

        Raises
        ------
        Refused
            `cursor_invalid`.
        """
        query = self.query()
        if cities:
            query = query.where(rider_state.c.city.in_(cities))
        if state == "open":
            open_id = self.id_in(self.open_cases)
            query = query.join(self.open_cases, open_id == self.id_in(self.cases))
            rows = oldest_first(unit, query, self.open_cases.c[self.due], open_id, cursor, limit)
        else:
            decided_id = self.id_in(self.decisions)
            query = query.where(decided_id.is_not(None))
            rows = newest_first(unit, query, self.decisions.c.decided_us, decided_id, cursor, limit)
        return CursorPage(tuple(map(self.read, rows.rows)), rows.cursor)

    def page_of_rider(
        self, unit: ReadUnit | WriteUnit, rider_id: str, state: CaseState | None, cursor: str | None, limit: int
    ) -> CursorPage[CaseT]:
        """A rider's cases, newest first; None as state for all of them.

        Raises
        ------
        Refused
            `cursor_invalid`.
        """
        query = self.query().where(self.cases.c.rider_id == rider_id)
        if state is not None:
            decided_id = self.id_in(self.decisions)
            query = query.where(decided_id.is_(None) if state == "open" else decided_id.is_not(None))
        rows = newest_first(unit, query, self.cases.c[self.begun], self.id_in(self.cases), cursor, limit)
        return CursorPage(tuple(map(self.read, rows.rows)), rows.cursor)

    def hold(
        self, unit: WriteUnit, case_id: str, decided_by: str, behind: Callable[[], Iterable[str]]
    ) -> tuple[CaseT, RiderRow]:
        """A case that a person is about to decide, read again after its rider's row is locked; with that row.

        Parameters
        ----------
        behind
            Gives the persons who filed what is decided, and who therefore may not decide it.

        Raises
        ------
        Refused
            `appeal_unknown`, `review_unknown`, `decides_own`.
        """
        rider_id = self.get(unit, case_id).rider_id
        need_other_decider(decided_by, behind())
        row = lock_riders(unit, [rider_id])[rider_id]
        return self.get(unit, case_id), row

    def close(self, unit: WriteUnit, cases: Sequence[CaseT], decisions: Sequence[dict[str, Any]]) -> None:
        """Store decisions of cases whose riders' rows are locked; the cases wait no more."""
        add_rows(unit, self.decisions, list(decisions))
        open_id = self.id_in(self.open_cases)
        for some in in_chunks([decision[f"{self.kind}_id"] for decision in decisions]):
            unit.connection.execute(delete(self.open_cases).where(among(unit, open_id, some)))
        raise_revision(unit, (case.rider_id for case in cases))


def trimmed(words: str) -> str:
    """What a person wrote, without surrounding space.

    Raises
    ------
    Refused
        `words_too_long`.
    """
    if len(words) > WORDS_MAX:
        raise Refused("words_too_long", most=WORDS_MAX)
    return words.strip()


def need_written(reason: str) -> str:
    """The reason of a decision, which must say something.

    Raises
    ------
    Refused
        `words_too_long`, `reason_missing`.
    """
    reason = trimmed(reason)
    if not reason:
        raise Refused("reason_missing")
    return reason


def reason_of(words: str | None, digest: str) -> str | None:
    """The words of a stored decision: None once they were erased, empty where nothing was written."""
    return words if digest else ""


def already_decided(
    unit: WriteUnit, code: str, case: Case, decision: Any, outcome: tuple[str, Translated], sent: Mapping[str, Any]
) -> Refused:
    """The refusal that a second decider gets.

    Parameters
    ----------
    decision
        The decision that stands (`decided_by`, `decided_us`).
    outcome
        Its code and its words.
    sent
        What the second decider sent; it comes back to them word for word, since it was not saved.
    """
    by, at = _decider(unit, case, decision.decided_by, decision.decided_us)
    facts = _facts(decision.decided_by, decision.decided_us, outcome[0], sent)
    return Refused(code, by=by, at=at, answer=outcome[1], facts=facts)


def already_ended(unit: WriteUnit, review_id: str, case: Case, lift: Any, reason: str) -> Refused:
    """The refusal for whoever ends a suspension that `lift` (`lifted_by`, `lifted_us`) has ended; it returns their reason."""
    by, at = _decider(unit, case, lift.lifted_by, lift.lifted_us)
    ended = translated(lambda lang: text(lang, "refused.ended_by", by=by.lang(lang), at=at))
    facts = _facts(lift.lifted_by, lift.lifted_us, "lifted", {"reason": reason})
    return Refused("review_not_suspended", review=review_id, ended=ended, facts=facts)


def _decider(unit: WriteUnit, case: Case, decided_by: str, decided_us: int) -> tuple[Translated, str]:
    """Who decided, in words, and when by the clock of the case's book."""
    model = next(book.model for book in stored_program(unit).books if book.digest == case.book_digest)
    by = translated(lambda lang: text(lang, _PROGRAMS[decided_by]) if decided_by in _PROGRAMS else decided_by)
    return by, clock(decided_us, model, "%Y-%m-%d %H:%M")


def _facts(decided_by: str, decided_us: int, outcome: str, sent: Mapping[str, Any]) -> dict[str, Any]:
    """The refusal as values for programs."""
    return {"decided_by": decided_by, "decided_us": decided_us, "stands": outcome, "not_saved": dict(sent)}
