"""Whether a draft could be submitted: its document, the checks and the standard, its examples, its dates and places.

All faults come at once, each with the cell it stands in. Nothing is judged here: `rules` checks, `scoring` runs the
examples.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, Final

from cachetools import LRUCache
from sqlalchemy import select

from api.books.draft_content import DRAFT, faults_of, is_route_word, says_the_same, sound, today_of
from api.books.draft_rows import Draft
from api.books.in_force import rules_in_force_or_none, stored_book, stored_program
from api.books.planned_changes import RulesAhead, moved_bases, of_one_day, plan_of, unnamed_places, version_known
from api.clock import AHEAD_US
from api.db.tables import rider_state, studies
from api.db.unit_of_work import ReadUnit, WriteUnit
from api.refusals import Refused
from api.words import work_words
from rules.book import Book, ExampleFacts
from rules.check import check
from rules.clauses import PartClause, clauses_for
from rules.compile import start_us
from rules.diff import Change, diff
from rules.edits import pointer_of
from rules.errors import BookError, Fault
from rules.text import Lang, text
from scoring.examples import check_examples
from scoring.trial import Trial, trial

# A version is put in force this long before its instant: no event that it judges can be posted earlier.
LEAD_US: Final = AHEAD_US
# And it must be scheduled this much sooner, so that nobody who is posting just then misses it.
MARGIN_US: Final = 2 * LEAD_US
# Rules, counted once for each kind of event they name, that a book may have: comparing them takes their square.
MAX_ROWS: Final = 150
_CHECKED: Final[LRUCache[tuple[str, str], tuple[tuple[Fault, ...], tuple[Fault, ...]]]] = LRUCache(256)
_MEMORY: Final = Lock()
_OWN_NOTICE: Final = ("not_announced", "short_notice")


@dataclass(frozen=True, slots=True)
class Checked:
    """What is to be said of a document and its places.

    Parameters
    ----------
    document
        Faults of the document by itself; with any of them nothing else can be said of it.
    checks
        Rules against each other and against the standard, errors and warnings.
    examples
        Stored examples that scoring does not bear out.
    dates
        Notice, places, and whether what it replaces is still in force.
    changes
        Against the version it departs from.
    book
        The book it makes; None with faults of the document.
    """

    source: dict[str, Any] = field(hash=False)
    document: tuple[Fault, ...]
    checks: tuple[Fault, ...] = ()
    examples: tuple[Fault, ...] = ()
    dates: tuple[Fault, ...] = ()
    changes: tuple[Change, ...] = ()
    clauses: tuple[PartClause, ...] = ()
    book: Book | None = None

    @property
    def faults(self) -> tuple[Fault, ...]:
        """All of them, warnings too."""
        return (*self.document, *self.checks, *self.examples, *self.dates)

    @property
    def errors(self) -> tuple[Fault, ...]:
        """Those that stand in the way."""
        return tuple(fault for fault in self.faults if fault.severity == "error")

    @property
    def can_submit(self) -> bool:
        """Whether nothing stands in the way."""
        return self.book is not None and not self.errors

    @property
    def num_examples(self) -> int:
        """Examples stored with the rules."""
        return 0 if self.book is None else sum(len(rule.example) for rule in self.book.model.rule)

    def pointer(self, fault: Fault) -> str:
        """The cell a fault stands in, as a JSON pointer into the document; empty for the whole."""
        return pointer_of(self.source, fault)


class NotReadyError(Refused):
    """A draft with faults; `checked` says which."""

    def __init__(self, checked: Checked) -> None:
        self.checked = checked
        super().__init__("draft_not_ready", num=len(checked.errors))


def check_draft(unit: ReadUnit | WriteUnit, draft: Draft, now_us: int) -> Checked:
    """Everything that is to be said of a draft as it stands."""
    source = draft.document
    book = sound(source)
    if book is None:
        return Checked(source, faults_of(source))
    num_rows = sum(len(rule.kind) for rule in book.model.rule)
    if num_rows > MAX_ROWS:
        return Checked(source, (Fault("too_many_rows", DRAFT, key="rule", given=str(num_rows), allowed=str(MAX_ROWS)),))
    rules = rules_in_force_or_none(unit)
    earlier = () if rules is None else tuple(each for each in stored_program(unit).books if each.id == book.id)
    checks, examples = _check_faults(book, earlier[-1:])
    base = None if draft.base_digest is None else version_known(unit, draft.base_digest)
    return Checked(
        source=source,
        document=(),
        checks=checks,
        examples=examples,
        dates=tuple(_dates(unit, draft, book, now_us)),
        changes=() if base is None else diff(base, book),
        clauses=clauses_for(book.model),
        book=book,
    )


def _check_faults(book: Book, before: tuple[Book, ...]) -> tuple[tuple[Fault, ...], tuple[Fault, ...]]:
    """What checks, standard and examples say of a book after its version before; said once for each pair."""
    key = (book.digest, before[0].digest if before else "")
    faults = _CHECKED.get(key)
    if faults is None:
        # How long before riders must be told is said by `_dates`, which knows whom the draft concerns.
        check_faults = [
            fault for fault in check([*before, book]) if fault.file == DRAFT and fault.code not in _OWN_NOTICE
        ]
        faults = tuple(check_faults), check_examples(book)
        with _MEMORY:
            _CHECKED[key] = faults
    return faults


def try_event(draft: Draft, kind: str, given: ExampleFacts) -> Trial:
    """One event judged by a draft as it stands.

    Raises
    ------
    BookError
        With the faults of a document that judges nothing.
    """
    document = draft.document
    book = sound(document)
    if book is None:
        raise BookError(faults_of(document))
    return trial(book, kind, given)


def _dates(unit: ReadUnit | WriteUnit, draft: Draft, book: Book, now_us: int) -> Iterator[Fault]:
    model = book.model
    if model.regime == "legacy":
        yield Fault("legacy_deployed", DRAFT, key="regime", given='"legacy"')
    if is_route_word(book.id):
        yield Fault("book_id_reserved", DRAFT, key="id", given=book.id)
    yield from _places(draft, book)
    if start_us(model) <= now_us + MARGIN_US:
        today = today_of(model, now_us).isoformat()
        yield Fault(
            "effective_past", DRAFT, key="effective_from", given=model.effective_from.isoformat(), allowed=today
        )
    if draft.rolls_back is None:
        yield from _notice(unit, draft, book, now_us)
    elif not says_the_same(stored_book(unit, draft.rolls_back), book.document):
        yield Fault("rollback_differs", DRAFT, given=draft.rolls_back[:12])
    yield from _schedule_faults(unit, draft, book)


def _places(draft: Draft, book: Book) -> Iterator[Fault]:
    if not draft.targets:
        yield Fault("targets_missing", DRAFT, key="targets")
    for place in draft.places:
        if place.rider_kind not in book.model.rider_kinds:
            allowed = ", ".join(book.model.rider_kinds)
            yield Fault("deployed_to_others", DRAFT, key="targets", given=place.words, allowed=allowed)


def _notice(unit: ReadUnit | WriteUnit, draft: Draft, book: Book, now_us: int) -> Iterator[Fault]:
    """The notice that riders concerned were promised, counted from what the document says and from today."""
    model = book.model
    digests = {target.replaces for target in draft.targets if target.replaces}
    replaced = [
        replaced_book
        for replaced_book in (version_known(unit, digest) for digest in sorted(digests))
        if replaced_book is not None
    ]
    days = max((replaced_book.model.notice_days for replaced_book in replaced), default=0)
    if model.announced is None:
        if replaced:
            yield Fault("not_announced", DRAFT, key="announced", allowed=str(days))
        return
    days = days if replaced else model.notice_days
    given = model.effective_from.isoformat()
    earliest = model.announced + dt.timedelta(days=days)
    if model.effective_from < earliest:
        params = (("announced", model.announced.isoformat()), ("earliest", earliest.isoformat()))
        yield Fault("short_notice", DRAFT, key="effective_from", given=given, allowed=str(days), params=params)
    from_today = today_of(model, now_us) + dt.timedelta(days=days)
    if replaced and earliest <= model.effective_from < from_today:
        soonest = (("earliest", from_today.isoformat()),)
        yield Fault("notice_runs_out", DRAFT, key="effective_from", given=given, allowed=str(days), params=soonest)


def _schedule_faults(unit: ReadUnit | WriteUnit, draft: Draft, book: Book) -> Iterator[Fault]:
    """What the rules in force say against a draft, today and with what is scheduled before it.

    What is wrong either way is an error. What only a scheduled change makes wrong is a warning until the draft is to be
    scheduled, too: that change may yet be cancelled. A draft may also depart from what is scheduled.
    """
    itself = frozenset({draft.draft_id})
    plan = plan_of(unit, itself)
    rivals = of_one_day(plan, draft, book)
    for rival in rivals:
        code = "day_taken" if draft.rolls_back is None else "day_overruled"
        given = book.model.effective_from.isoformat()
        yield Fault(code, DRAFT, key="effective_from", given=given, allowed=rival.words, severity="warning")
    ahead = plan_of(unit, itself | {rival.draft.draft_id for rival in rivals}).ahead
    today, then = (_by_place(rules, draft, book) for rules in (plan.present, ahead))
    yield from today.values() if draft.rolls_back is not None else ()
    for key, fault in then.items() if draft.rolls_back is None else ():
        yield fault if key in today else replace(fault, severity="warning")


def _by_place(rules: RulesAhead, draft: Draft, book: Book) -> dict[tuple[str, str], Fault]:
    faults = (*unnamed_places(rules, draft.places, book), *moved_bases(rules, draft, book))
    return {(fault.code, fault.allowed): fault for fault in faults}


def needs_impact(unit: ReadUnit | WriteUnit, draft: Draft) -> bool:
    """Whether a draft can only be approved with an impact: its cities have a history, and it is no roll-back."""
    if draft.rolls_back is not None:
        return False
    in_its_cities = rider_state.c.city.in_(sorted(draft.cities))
    judged = select(rider_state.c.rider_id).where(in_its_cities, rider_state.c.book_digest.is_not(None)).limit(1)
    return unit.connection.execute(judged).first() is not None


def need_impact(unit: ReadUnit | WriteUnit, draft: Draft, impact_id: str | None) -> None:
    """Refuse an approval without a finished impact of the draft's content, where one is needed or named.

    Raises
    ------
    Refused
        `impact_needed`, `impact_of_another`, `impact_unfinished`.
    """
    if impact_id is None:
        if needs_impact(unit, draft):
            raise Refused("impact_needed")
        return
    study = unit.connection.execute(select(studies).where(studies.c.study_id == impact_id)).one_or_none()
    wanted = ("impact", draft.draft_id, draft.content_digest)
    if study is None or (study.kind, study.draft_id, study.content_digest) != wanted:
        raise Refused("impact_of_another", impact_id=impact_id)
    if study.state != "done":
        raise Refused("impact_unfinished", impact_id=impact_id, state=work_words(study.state))


def faults_in_one_line(faults: Iterable[Fault], lang: Lang) -> str:
    """What stands in the way, each thing once."""
    lines = dict.fromkeys(fault.in_words(lang)[0].rstrip("；;。. ") for fault in faults)
    return text(lang, "refused.or").join(lines)
