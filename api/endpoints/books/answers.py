"""Answers about rule books and drafts, made from the values of the store, with the words of one language beside them.

A field of an answer is the attribute of the same name (`Model.of`). What is written here is only what no attribute says:
words, documents as JSON, and where a fault stands.
"""

from collections.abc import Iterable

from api.books.approvals import Approval
from api.books.catalogue import Version
from api.books.checking import Checked
from api.books.draft_rows import Draft, Revision
from api.endpoints.books.shapes import (
    ChangeShown,
    CheckedShown,
    ClauseShown,
    ConflictShown,
    DraftShown,
    FaultShown,
    TrialShown,
    TriedEntry,
    TriedGroup,
    TriedRow,
    VersionShown,
)
from rules.clauses import PartClause
from rules.diff import Change
from rules.errors import Fault
from rules.json_form import to_json
from rules.text import Lang, text
from scoring.explain import sentence, tree
from scoring.explain_words import condition_words
from scoring.trial import GroupTrial, Trial


def version_shown(version: Version, since: str | None, changes: Iterable[Change], lang: Lang) -> VersionShown:
    """A version in full."""
    return VersionShown.of(
        version,
        version=version.brief,
        document=to_json(version.document),
        faults=tuple(_fault(fault, version.pointer(fault), lang) for fault in version.faults),
        clauses=_clauses(version.clauses, lang),
        since=since,
        changes=_changes(changes, lang),
    )


def draft_shown(
    draft: Draft, revisions: Iterable[Revision], approvals: Iterable[Approval], needs_impact: bool, lang: Lang
) -> DraftShown:
    """A draft with its document and its history."""
    conflicts = [] if draft.detail is None else draft.detail.get("conflicts", [])
    return DraftShown.of(
        draft,
        document=to_json(draft.document),
        conflicts=tuple(_conflict(conflict, lang) for conflict in conflicts),
        revisions=tuple(revisions),
        approvals=tuple(approvals),
        needs_impact=needs_impact,
    )


def checked_shown(checked: Checked, lang: Lang) -> CheckedShown:
    """What the checks say of a draft."""

    def shown(faults: Iterable[Fault]) -> tuple[FaultShown, ...]:
        return tuple(_fault(fault, checked.pointer(fault), lang) for fault in faults)

    return CheckedShown.of(
        checked,
        num_errors=len(checked.errors),
        num_warnings=len(checked.faults) - len(checked.errors),
        document=shown(checked.document),
        checks=shown(checked.checks),
        examples=shown(checked.examples),
        dates=shown(checked.dates),
        changes=_changes(checked.changes, lang),
        clauses=_clauses(checked.clauses, lang),
    )


def trial_shown(trial: Trial, lang: Lang) -> TrialShown:
    """What a draft makes of one event."""

    def rows(group: GroupTrial) -> tuple[TriedRow, ...]:
        return tuple(
            TriedRow.of(
                row, conditions=tuple(condition_words(met.condition, met.value, lang, trial.at) for met in row.met)
            )
            for row in group.rows
        )

    return TrialShown.of(
        trial,
        facts=dict(trial.facts),
        groups=tuple(TriedGroup.of(group, rows=rows(group)) for group in trial.groups),
        entries=tuple(
            TriedEntry.of(why.line, sentence=sentence(why, lang), because=tree(why, lang)) for why in trial.whys
        ),
    )


def _fault(fault: Fault, pointer: str, lang: Lang) -> FaultShown:
    detail, remedy = fault.in_words(lang)
    return FaultShown.of(fault, pointer=pointer, detail=detail, remedy=remedy)


def _conflict(conflict: dict[str, str], lang: Lang) -> ConflictShown:
    fault = Fault(conflict["code"], "draft", key="targets", given=conflict["given"], allowed=conflict["allowed"])
    return ConflictShown(**conflict, detail=" ".join(fault.in_words(lang)))


def _clauses(clauses: Iterable[PartClause], lang: Lang) -> tuple[ClauseShown, ...]:
    return tuple(
        ClauseShown.of(
            each, rule=each.name, title=text(lang, f"clause.{each.clause}"), law=text(lang, f"law.{each.clause}")
        )
        for each in clauses
    )


def _changes(changes: Iterable[Change], lang: Lang) -> tuple[ChangeShown, ...]:
    return tuple(
        ChangeShown.of(
            change,
            id=change.name,
            before=to_json(change.before),
            after=to_json(change.after),
            words=change.describe(lang),
        )
        for change in changes
    )
