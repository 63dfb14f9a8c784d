"""Whether a draft could be submitted: its document, the checks and the standard, its examples, its dates and places.

All faults come at once, each with the cell it stands in. Nothing is judged here: `rules` checks, `scoring` runs the
examples.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, Final

from cachetools import LRUCache

from api.books.draft_content import DRAFT, faults_of, is_route_word, says_the_same, sound, today_of
from api.books.draft_rows import Draft
from api.books.drafts import stored_book
from api.books.in_force import rules_in_force_or_none, stored_program
from api.books.planned_changes import RulesAhead, moved_bases, of_one_day, plan_of, unnamed_places, version_known
from api.clock import AHEAD_US
from api.db.unit_of_work import ReadUnit, WriteUnit
from rules.book import Book, ExampleFacts
from rules.check import check
from rules.clauses import PartClause, clauses_for
from rules.compile import start_us
from rules.diff import Change, diff
from rules.edits import pointer_of
from rules.errors import BookError, Fault
from scoring.examples import check_examples
from scoring.trial import Trial, trial

# A version is put in force this long before its instant: no event that it judges can be posted earlier.
LEAD_US: Final = AHEAD_US
# And it must be scheduled this much sooner, so that nobody who is posting just then misses it.
MARGIN_US: Final = 2 * LEAD_US
# Rules, counted once for each kind of event they name, that a book may have: comparing them takes their square.
MAX_ROWS: Final = 150
_SAID: Final[LRUCache[tuple[str, str], tuple[tuple[Fault, ...], tuple[Fault, ...]]]] = LRUCache(256)
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
    earlier = () if rules is None else tuple(one for one in stored_program(unit).books if one.id == book.id)
    checks, examples = _said_of(book, earlier[-1:])
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


def _said_of(book: Book, before: tuple[Book, ...]) -> tuple[tuple[Fault, ...], tuple[Fault, ...]]:
    """What checks, standard and examples say of a book after its version before; said once for each pair."""
    key = (book.digest, before[0].digest if before else "")
    said = _SAID.get(key)
    if said is None:
        # How long before riders must be told is said by `_dates`, which knows whom the draft concerns.
        found = [one for one in check([*before, book]) if one.file == DRAFT and one.code not in _OWN_NOTICE]
        said = tuple(found), check_examples(book)
        with _MEMORY:
            _SAID[key] = said
    return said


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
    yield from _law_faults(unit, draft, book)


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
    replaced = [one for one in (version_known(unit, digest) for digest in sorted(digests)) if one is not None]
    days = max((one.model.notice_days for one in replaced), default=0)
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


def _law_faults(unit: ReadUnit | WriteUnit, draft: Draft, book: Book) -> Iterator[Fault]:
    """What the law says against a draft, today and with what is scheduled before it.

    What is wrong either way is an error. What only a scheduled change makes wrong is a warning until the draft is to be
    scheduled, too: that change may yet be cancelled. A draft may also depart from what is scheduled.
    """
    own = frozenset({draft.draft_id})
    plan = plan_of(unit, own)
    rivals = of_one_day(plan, draft, book)
    for rival in rivals:
        code = "day_taken" if draft.rolls_back is None else "day_overruled"
        given = book.model.effective_from.isoformat()
        yield Fault(code, DRAFT, key="effective_from", given=given, allowed=rival.words, severity="warning")
    ahead = plan_of(unit, own | {rival.draft.draft_id for rival in rivals}).ahead
    today, then = (_by_place(rules, draft, book) for rules in (plan.present, ahead))
    yield from today.values() if draft.rolls_back is not None else ()
    for key, fault in then.items() if draft.rolls_back is None else ():
        yield fault if key in today else replace(fault, severity="warning")


def _by_place(rules: RulesAhead, draft: Draft, book: Book) -> dict[tuple[str, str], Fault]:
    found = (*unnamed_places(rules, draft.places, book), *moved_bases(rules, draft, book))
    return {(fault.code, fault.allowed): fault for fault in found}
