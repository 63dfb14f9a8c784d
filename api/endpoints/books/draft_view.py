"""Everything the page of a draft shows, gathered once: tables, faults in words, what is missing before submission."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from api.access.requester import Requester
from api.books.approvals import Approval, approvals_of
from api.books.checking import Checked, check_draft, needs_impact
from api.books.draft_content import DRAFT
from api.books.draft_rows import Draft, DraftBrief, Revision, draft_of, revisions_of
from api.books.in_force import rules_in_force_or_none
from api.books.planned_changes import of_one_day, plan_of
from api.books.transitions import EDITABLE
from api.db.unit_of_work import ReadUnit
from api.endpoints.books.columns import PARTS
from api.endpoints.books.editor import EditorTable, FaultInWords, counts, editor_table, faults_in_words, line_of
from api.endpoints.books.sheet_writing import label
from api.endpoints.books.tables import Document, Table, document_of, table_of, tables_of
from api.endpoints.books.try_event import TrialForm, TrialInWords, read_trial_form, trial_in_words
from api.studies.jobs import Study, latest_impact
from rules.book import Bilingual, Book
from rules.errors import Fault
from rules.text import Lang, text
from scoring.explain import titled
from scoring.trial import trial


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing that must be right before a draft is submitted."""

    name: str
    is_right: bool
    words: str
    faults: tuple[FaultInWords, ...]


@dataclass(frozen=True, slots=True)
class Rival:
    """A scheduled change beside which a draft cannot stand as it is, and how they are to each other.

    Parameters
    ----------
    how
        `same`: for the same day; `rollback`: so too, and a roll-back, which stays; `back`: the draft is a roll-back,
        before which it gives way; `before`: it moves what the draft departs from; `after`: the draft moves its base.
    """

    draft_id: str
    how: Literal["same", "rollback", "back", "before", "after"]
    day: date
    title: Bilingual


@dataclass(frozen=True, slots=True)
class DraftView:
    """A draft as its page shows it.

    Parameters
    ----------
    impact
        The newest one of its present content.
    rivals
        Other changes on schedule where it is meant for, of which one will have to give way.
    """

    draft: Draft
    checked: Checked
    faults_in_words: tuple[FaultInWords, ...]
    parts: tuple[tuple[str, int], ...]
    missing: tuple[Missing, ...]
    approvals: tuple[Approval, ...]
    revisions: tuple[Revision, ...]
    is_editable: bool
    needs_impact: bool
    impact: Study | None
    rivals: tuple[Rival, ...]

    @property
    def replaceable(self) -> tuple[str, ...]:
        """Drafts of the same day that this one may replace."""
        return tuple(rival.draft_id for rival in self.rivals if rival.how == "same")

    def title(self, lang: Lang) -> str:
        """What the book is called in a language, if its author said so."""
        title = self.draft.document.get("title")
        return str(title.get(lang) or self.draft.title) if isinstance(title, dict) else self.draft.title

    def table(self, part: str, columns: Sequence[str], lang: Lang) -> EditorTable:
        """One of its tables."""
        return editor_table(table_of(self.draft.document, part), self.faults_in_words, columns, lang)


def titles_of(unit: ReadUnit, drafts: Iterable[DraftBrief], lang: Lang) -> dict[str, str]:
    """What drafts in a list are called: as the version they change where they keep its name, else as their author said."""
    rules = rules_in_force_or_none(unit)
    books = {} if rules is None else {book.digest: book.model.title for book in rules.books}
    titles = {}
    for draft in drafts:
        base = books.get(draft.base_digest or draft.rolls_back or "")
        is_kept = base is not None and draft.title in (base.zh, base.en)
        titles[draft.draft_id] = titled(lang, base) if base is not None and is_kept else draft.title
    return titles


def view_of(unit: ReadUnit, who: Requester, draft_id: str, now_us: int, lang: Lang, *, may_write: bool) -> DraftView:
    """Gather a draft's page."""
    draft = draft_of(unit, draft_id, who)
    checked = check_draft(unit, draft, now_us)
    faults = all_faults_in_words(draft.document, checked, lang)
    errors = counts(faults)
    return DraftView(
        draft=draft,
        checked=checked,
        faults_in_words=faults,
        parts=tuple((part, errors.get(part, 0)) for part in PARTS),
        missing=_missing(draft.document, checked, lang),
        approvals=approvals_of(unit, draft_id),
        revisions=revisions_of(unit, draft_id),
        is_editable=may_write and draft.state in EDITABLE and draft.rolls_back is None,
        needs_impact=needs_impact(unit, draft),
        impact=latest_impact(unit, draft_id, draft.content_digest),
        rivals=tuple(_rivals(unit, draft, checked.book)),
    )


def _rivals(unit: ReadUnit, draft: Draft, book: Book | None) -> Iterator[Rival]:
    """Scheduled changes in the places of a draft that is not scheduled yet."""
    if draft.state not in EDITABLE or book is None:
        return
    itself = frozenset({draft.draft_id})
    plan = plan_of(unit, itself)
    same_day = of_one_day(plan, draft, book)
    known = {target.replaces for target in draft.targets}
    for planned in plan.steps:
        if planned.book is None or planned.conflicts:
            continue
        is_before = planned.book.model.effective_from < book.model.effective_from
        how: Literal["same", "rollback", "back", "before", "after"] | None = None
        if planned in same_day:
            how = "back" if draft.rolls_back else "rollback" if planned.draft.rolls_back else "same"
        elif not set(planned.draft.places).isdisjoint(draft.places) and not (
            is_before and planned.book.digest in known
        ):
            how = "before" if is_before else "after"
        if how is not None:
            yield Rival(planned.draft.draft_id, how, planned.book.model.effective_from, planned.book.model.title)


def all_faults_in_words(document: Document, checked: Checked, lang: Lang) -> tuple[FaultInWords, ...]:
    """Every fault of a draft's document in words; what a cell cannot say is told as the cell's own fault."""
    unread = _unread(document)
    covered = {(fault.rule, fault.key) for fault in unread}
    readable = [
        fault
        for fault in (*checked.document, *checked.checks, *checked.examples, *checked.dates)
        if (fault.rule, fault.key) not in covered
    ]
    return faults_in_words(document, [*unread, *readable], lang)


def _unread(document: Document) -> list[Fault]:
    """Cells of a document that hold text where something else belongs."""
    tables: list[Table] = [table_of(document, part) for part in PARTS]
    return [cell.fault for cell in document_of(tables, document).faults]


def _missing(document: Document, checked: Checked, lang: Lang) -> tuple[Missing, ...]:
    groups: dict[str, Sequence[Fault]] = {
        "document": checked.document,
        "checks": [fault for fault in checked.checks if not fault.clause],
        "standard": [fault for fault in checked.checks if fault.clause],
        "examples": checked.examples,
        "dates": checked.dates,
    }
    missing = []
    for name, faults in groups.items():
        errors = sum(fault.severity == "error" for fault in faults)
        warnings = len(faults) - errors
        waits = name != "document" and checked.book is None
        key = "waits" if waits and not faults else "wrong" if errors else "warned" if warnings else "right"
        words = text(lang, f"web_books.ready_{key}", errors=errors, warnings=warnings)
        if name == "examples" and key == "right":
            words = text(lang, "web_books.ready_examples", number=checked.num_examples)
        missing.append(Missing(name, not errors and key != "waits", words, faults_in_words(document, faults, lang)))
    return tuple(missing)


def tried(view: DraftView, fields: Mapping[str, str], lang: Lang) -> tuple[TrialForm, TrialInWords | None]:
    """The form of the trial as it was filled in, and its outcome where there is one."""
    form = read_trial_form(fields, lang)
    if form.given is None or view.checked.book is None:
        return form, None
    return form, trial_in_words(trial(view.checked.book, form.kind, form.given), lang)


def why_suspended(draft: DraftBrief, lang: Lang) -> list[str]:
    """What stands in the way of a suspended draft, in words."""
    conflicts = [] if draft.detail is None else draft.detail.get("conflicts", [])
    keys = {"backwards": "effective_from"}
    faults = [
        Fault(each["code"], DRAFT, key=keys.get(each["code"], "targets"), given=each["given"], allowed=each["allowed"])
        for each in conflicts
    ]
    return [line_of(fault, lang) for fault in faults]


@dataclass(frozen=True, slots=True)
class PaperTable:
    """One table: its title, headings and rows; columns in which nothing stands are left out."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def on_paper(document: Document, lang: Lang) -> list[PaperTable]:
    """All tables in which something stands, in their order."""
    tables = []
    for part, table in tables_of(document).items():
        used = [column for column in table.columns if any(row.cells.get(column.key, "").strip() for row in table.rows)]
        if not used:
            continue
        title = text(lang, f"web_books.sheet_{part}")
        rows = tuple(tuple(row.cells.get(column.key, "") for column in used) for row in table.rows)
        headings = tuple(label(column, lang) for column in used)
        if part == "book":
            pairs = tuple(zip(headings, rows[0], strict=True))
            headings, rows = (text(lang, "web_books.column_key"), text(lang, "web_books.column_value")), pairs
        tables.append(PaperTable(title, headings, rows))
    return tables
