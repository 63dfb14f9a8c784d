"""Answers about rule books and drafts, made from the values of the store, with the words of one language beside them.

A field of an answer is the attribute of the same name (`shape_of`). What is written here is only what no attribute says:
words, documents as JSON, and where a fault stands.
"""

from collections.abc import Iterable
from typing import TypeVar

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
from api.endpoints.common.schemas import Model
from rules.clauses import PartClause
from rules.diff import Change
from rules.errors import Fault
from rules.json_form import to_json
from rules.text import Lang, text
from scoring.explain import sentence, tree
from scoring.explain_words import condition_words
from scoring.trial import GroupTrial, Trial

Shape = TypeVar("Shape", bound=Model)


def shape_of(shape: type[Shape], value: object, **others: object) -> Shape:
    """The answer made from a value of the store.

    Parameters
    ----------
    value
        Its attributes are named as the fields; inner values become inner shapes.
    others
        Fields that it has no attribute for.
    """
    fields = {name: getattr(value, name) for name in shape.model_fields if name not in others}
    # The store has tuples where an answer has lists.
    return shape.model_validate(fields | others, from_attributes=True, strict=False)


def version_shown(version: Version, since: str | None, changes: Iterable[Change], lang: Lang) -> VersionShown:
    """A version in full."""
    return shape_of(
        VersionShown,
        version,
        version=version.brief,
        document=to_json(version.document),
        faults=[_fault(fault, version.pointer(fault), lang) for fault in version.faults],
        clauses=_clauses(version.clauses, lang),
        since=since,
        changes=_changes(changes, lang),
    )


def draft_shown(
    draft: Draft, revisions: Iterable[Revision], approvals: Iterable[Approval], needs_impact: bool, lang: Lang
) -> DraftShown:
    """A draft with its document and its history."""
    conflicts = [] if draft.detail is None else draft.detail.get("conflicts", [])
    return shape_of(
        DraftShown,
        draft,
        document=to_json(draft.document),
        conflicts=[_conflict(conflict, lang) for conflict in conflicts],
        revisions=tuple(revisions),
        approvals=tuple(approvals),
        needs_impact=needs_impact,
    )


def checked_shown(checked: Checked, lang: Lang) -> CheckedShown:
    """What the checks say of a draft."""

    def shown(faults: Iterable[Fault]) -> list[FaultShown]:
        return [_fault(fault, checked.pointer(fault), lang) for fault in faults]

    return shape_of(
        CheckedShown,
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

    def rows(group: GroupTrial) -> list[TriedRow]:
        return [
            shape_of(
                TriedRow,
                row,
                conditions=[condition_words(met.condition, met.value, lang, trial.at) for met in row.met],
            )
            for row in group.rows
        ]

    return shape_of(
        TrialShown,
        trial,
        facts=dict(trial.facts),
        groups=[shape_of(TriedGroup, group, rows=rows(group)) for group in trial.groups],
        entries=[
            shape_of(TriedEntry, why.line, sentence=sentence(why, lang), because=tree(why, lang)) for why in trial.whys
        ],
    )


def _fault(fault: Fault, pointer: str, lang: Lang) -> FaultShown:
    detail, remedy = fault.in_words(lang)
    return shape_of(FaultShown, fault, pointer=pointer, detail=detail, remedy=remedy)


def _conflict(conflict: dict[str, str], lang: Lang) -> ConflictShown:
    fault = Fault(conflict["code"], "draft", key="targets", given=conflict["given"], allowed=conflict["allowed"])
    return ConflictShown(**conflict, detail=" ".join(fault.in_words(lang)))


def _clauses(clauses: Iterable[PartClause], lang: Lang) -> list[ClauseShown]:
    return [
        shape_of(
            ClauseShown, each, rule=each.name, title=text(lang, f"clause.{each.clause}"),
            law=text(lang, f"law.{each.clause}"),
        )
        for each in clauses
    ]  # fmt: skip


def _changes(changes: Iterable[Change], lang: Lang) -> list[ChangeShown]:
    return [
        shape_of(
            ChangeShown, change, id=change.name, before=to_json(change.before), after=to_json(change.after),
            words=change.describe(lang),
        )
        for change in changes
    ]  # fmt: skip
